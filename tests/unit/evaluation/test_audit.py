"""A file of answers judged: values counted by hand, leaks planted, errors by line."""

import json
from pathlib import Path

import numpy as np
import pytest

from kindling.__main__ import main
from kindling.errors import DataError
from kindling.evaluation.audit import Audit, audit
from kindling.evaluation.audit_table import Columns, read
from kindling.evaluation.audit_text import text

#: Twelve rows of six products, counted by hand: 9 right of 12.
#: yes: 6 true, 5 found, 7 answered; no: 6 true, 4 found, 5 answered.
BY_HAND = """truth,prediction,product,other
yes,yes,a,yes
yes,yes,a,no
yes,yes,b,yes
yes,yes,b,no
yes,yes,c,no
yes,no,c,yes
no,no,d,no
no,no,d,no
no,no,e,yes
no,no,e,no
no,yes,f,no
no,yes,f,no
"""


def audited(tmp_path: Path, content: str, **columns: str) -> Audit:
    path = tmp_path / "answers.csv"
    path.write_text(content, encoding="utf-8")
    return audit(read(path, Columns(**columns)))


def test_a_file_made_by_hand_has_the_values_counted_by_hand(tmp_path: Path) -> None:
    found = audited(tmp_path, BY_HAND)
    assert (found.rows, found.groups, found.grouped_by) == (12, 6, "product")
    assert found.class_rows == {"no": 6, "yes": 6}
    assert found.figures["accuracy"].value == pytest.approx(9 / 12)
    f1_yes, f1_no = 2 * 5 / (6 + 7), 2 * 4 / (6 + 5)
    assert found.figures["macro_f1"].value == pytest.approx((f1_yes + f1_no) / 2)
    assert found.classes["yes"]["precision"].value == pytest.approx(5 / 7)
    assert found.classes["no"]["recall"].value == pytest.approx(4 / 6)
    # The most frequent class alone: F1 2/3 of one class, 0 of the other.
    assert found.over_constant.value == pytest.approx((f1_yes + f1_no) / 2 - 1 / 3)
    paired = found.paired
    assert paired is not None
    # Second: right 3 of 6 and 5 of 6.
    assert paired.differences["accuracy"].value == pytest.approx(1 / 12)
    assert (paired.only_first_right, paired.only_second_right) == (4, 3)
    assert paired.mcnemar_p == pytest.approx(1.0)
    assert found.figures["accuracy"].in_effect == pytest.approx(6)
    assert found.figures["accuracy"].low < 9 / 12 < found.figures["accuracy"].high


def test_the_command_prints_words_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(BY_HAND, encoding="utf-8")
    assert main(["audit", str(path)]) == 0
    said = capsys.readouterr().out
    assert "12 rows, 6 groups by 'product'" in said and "0.750 [" in said
    assert "What this does not show" in said and "McNemar" in said
    assert main(["audit", str(path), "--json", "--second", "prediction"]) == 0
    stored = json.loads(capsys.readouterr().out)
    assert stored["figures"]["accuracy"]["value"] == 0.75


def rows(n: int, seed: int, skill: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, an answer right with the chance `skill`, and forty groups."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    said = np.where(rng.random(n) < skill, truth, 1 - truth)
    return truth, said, rng.integers(0, 40, n)


def file_of(header: str, *columns: np.ndarray) -> str:
    lines = [",".join(str(one) for one in row) for row in zip(*columns, strict=True)]
    return "\n".join([header, *lines])


def test_a_model_that_knows_nothing_is_told_by_its_controls(tmp_path: Path) -> None:
    truth, said, group = rows(400, 1, 0.5)
    found = audited(tmp_path, file_of("truth,prediction,group", truth, said, group))
    assert found.dealt.p_value > 0.05
    assert found.over_constant.low < 0.35
    truth, said, group = rows(400, 1, 0.8)
    found = audited(tmp_path, file_of("truth,prediction,group", truth, said, group))
    assert found.dealt.p_value < 0.01 and found.dealt.macro_f1 == pytest.approx(
        0.5, abs=0.03
    )
    assert not found.suspicions


def test_a_model_that_knows_the_group_alone_is_told(tmp_path: Path) -> None:
    group = np.repeat(np.arange(40), 10)
    rng = np.random.default_rng(2)
    truth = np.where(rng.random(400) < 0.1, 1 - group % 2, group % 2)
    order = rng.permutation(400)
    columns = (truth[order], (group % 2)[order], group[order])
    found = audited(tmp_path, file_of("truth,prediction,group", *columns))
    assert found.dealt.p_value < 0.01
    within = found.dealt_within_groups
    assert within is not None and within.p_value == 1.0


def test_leaks_in_the_file_are_named(tmp_path: Path) -> None:
    truth, said, group = rows(300, 3, 0.8)
    told = np.where(truth == 1, "ok", "bad")
    found = audited(
        tmp_path, file_of("truth,prediction,group,status", truth, said, group, told)
    )
    [leak] = found.suspicions
    assert leak.code == "column-tells-truth" and "'status'" in leak.detail
    perfect = audited(tmp_path, file_of("truth,prediction,group", truth, truth, group))
    assert [one.code for one in perfect.suspicions] == ["perfect"]
    order = np.argsort(truth, kind="stable")
    by_truth = audited(
        tmp_path,
        file_of("truth,prediction,group", truth[order], said[order], group[order]),
    )
    assert [one.code for one in by_truth.suspicions] == ["sorted"]
    number = np.arange(300)
    twice = np.concatenate([number, number[:5]])
    again = audited(
        tmp_path,
        file_of(
            "truth,prediction,group,id", truth[twice], said[twice], group[twice], twice
        ),
    )
    [repeated] = again.suspicions
    assert repeated.code == "repeated-rows" and repeated.detail.startswith("10 rows")


def test_confidence_is_judged(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    chance = rng.uniform(0.5, 1, 3000)
    truth = rng.integers(0, 2, 3000)
    said = np.where(rng.random(3000) < chance, truth, 1 - truth)
    group = rng.integers(0, 100, 3000)
    honest = audited(
        tmp_path,
        file_of("truth,prediction,group,confidence", truth, said, group, chance),
    )
    sure = audited(
        tmp_path,
        file_of(
            "truth,prediction,group,confidence",
            truth,
            said,
            group,
            1 - (1 - chance) / 4,
        ),
    )
    assert honest.calibration is not None and sure.calibration is not None
    assert honest.calibration.figures["calibration_error"].value < 0.03
    assert sure.calibration.figures["calibration_error"].low > 0.1
    assert sum(one.n for one in honest.calibration.bins) == 3000
    of_one = np.where(said == 1, chance, 1 - chance)
    whole = audited(
        tmp_path,
        file_of(
            "truth,prediction,group,p_0,p_1", truth, said, group, 1 - of_one, of_one
        ),
    )
    assert whole.calibration is not None
    right = np.where(truth == 1, of_one, 1 - of_one)
    assert whole.calibration.figures["log_loss"].value == pytest.approx(
        -np.log(right).mean(), rel=1e-6
    )


def test_rows_of_one_group_count_as_one_in_the_paired_test(tmp_path: Path) -> None:
    """Thirty rows of one product on which the second model fails are one accident."""
    group = np.repeat(np.arange(10), 30)
    truth = np.tile([0, 1], 150)
    second = np.where(group == 0, 1 - truth, truth)
    found = audited(
        tmp_path, file_of("truth,prediction,group,second", truth, truth, group, second)
    )
    paired = found.paired
    assert paired is not None
    assert paired.mcnemar_p < 1e-6 and paired.groups_exchanged_p > 0.9


def test_what_is_not_shown_depends_on_the_file(tmp_path: Path) -> None:
    bare = audited(tmp_path, BY_HAND.replace("product,other", "a,b"))
    said = " ".join(bare.not_shown)
    assert "that rows are independent" in said and "second prediction" in said
    assert "no probabilities" in said and "yes (n=6)" in said
    assert "too narrow" not in " ".join(audited(tmp_path, BY_HAND).not_shown)
    few = audited(tmp_path, BY_HAND, group="other")
    assert "too few" in text(few)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("truth,prediction\n", "a header and no row"),
        ("a,b\nx,y\n", "recognised as the truth.*--truth"),
        ("truth,prediction\nx,y\nx\n", "line 3: 1 values, the header names 2"),
        ("truth,prediction\nx,y\n,y\n\ny,\n", "truth.*empty on line 3;"),
        ("truth,prediction\nx,x\nx,y\n", "truth of all 2 rows is 'x'"),
        (
            "truth,prediction,confidence\nx,y,.9\ny,y,high\n",
            "line 3, confidence: 'high'; a number from 0 to 1",
        ),
        (
            "truth,prediction,p_x,p_y\nx,y,.5,.5\ny,y,.9,.9\n",
            "line 3: the probabilities sum to 1.800",
        ),
        ("truth,truth,prediction\nx,x,x\n", "column truth is there twice"),
        (
            "truth,prediction\n" + "".join(f"{at},{at}\n" for at in range(40)),
            "40 different values.*are these numbers",
        ),
        ('truth,prediction,note\nx,y,"a\nb"\ny,,c\n', "empty on line 4"),
    ],
)
def test_errors_name_line_value_and_what_is_allowed(
    tmp_path: Path, content: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        audited(tmp_path, content)


def test_a_missing_column_or_file_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(BY_HAND, encoding="utf-8")
    assert main(["audit", str(path), "--group", "shop"]) != 0
    error = capsys.readouterr().err
    assert "no column 'shop'" in error and "Traceback" not in error
    assert main(["audit", str(tmp_path / "none.csv")]) != 0
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "latin.csv").write_bytes(b"truth,prediction\nja,n\xe4\n")
    assert main(["audit", str(tmp_path / "latin.csv")]) != 0
    assert "not UTF-8 (byte 21)" in capsys.readouterr().err


def test_columns_are_known_by_name_case_and_delimiter_aside(tmp_path: Path) -> None:
    content = "\ufeffY_True;Y_Pred;Product_ID\n1;1;a\n0;0;b\n0;1;c\n"
    found = audited(tmp_path, content)
    assert found.columns == {
        "truth": "Y_True",
        "prediction": "Y_Pred",
        "group": "Product_ID",
    }
    assert found.figures["accuracy"].value == pytest.approx(2 / 3)
