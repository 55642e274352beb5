"""What is shown of a source, what is said against it, and the recipe that is written for it."""

import pytest

from kindling import recipe as recipes
from kindling.__main__ import main
from kindling.look.proposal import name_of

from .conftest import HEADER, line

GERMAN = "Der Teller ist sehr schön und der Versand war schnell, leider war die Verpackung beschädigt"


def export(counts: dict[int, int], body: str = "") -> str:
    rows, number = [], 0
    for stars, count in counts.items():
        for _ in range(count):
            number += 1
            rows.append(line(number, stars, f"{body} {number}" if body else ""))
    return "\n".join([HEADER, *rows]) + "\n"


@pytest.fixture
def look(tmp_path, capsys, monkeypatch):
    for name in ("KINDLING_DATA", "KINDLING_TEXT_MODEL"):
        monkeypatch.delenv(name, raising=False)

    def go(content: str | bytes, *more: str, name: str = "reviews.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        code = main(
            ["look", "--data", str(path), "--out", str(tmp_path / "out"), *more]
        )
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


ENOUGH = {1: 20, 2: 20, 3: 30, 4: 40, 5: 60}


def test_a_file_is_shown_and_its_recipe_can_be_loaded(look, tmp_path):
    code, out, _ = look(export(ENOUGH))
    assert code == 0
    assert "stars        rating" in out and "e.g. Title 1" in out
    assert "170 found, 170 usable" in out
    assert "negative 40, neutral 30, positive 100" in out
    assert "English 170" in out and "15 named" in out
    path = out.splitlines()[-1].removeprefix("recipe      ")
    made = recipes.load(path)
    assert made.sources[0].kind == "files"
    assert made.sources[0].options["path"] == str(tmp_path / "reviews.csv")
    assert made.niche == ("Teapots",)
    assert made.synthesize.studies == 0, "no photo, nothing to study"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (export(ENOUGH | {1: 3, 2: 4}), "7 reviews are negative (1 or 2 stars): label 13 more of class negative"),
        (export({5: 200}), "no reviews are neutral (3 stars): label 20 more of class neutral"),
        (export({1: 20, 3: 20, 5: 30}), "70 usable reviews are too few: 50 more are needed"),
        (export(ENOUGH, GERMAN), "are German, which the text model does not know: it reads English"),
        ("body,colour\n" + "A long text of words,red\n" * 9, "no column is recognised as its stars"),
        ("", "the file is empty"),
        (b"PK\x03\x04" + bytes(100), "Excel workbook"),
    ],
)  # fmt: skip
def test_too_little_is_said_in_words_and_nothing_is_written(
    look, tmp_path, content, said
):
    code, _, error = look(content)
    assert code == 3
    assert said in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_other_weights_may_know_other_languages(look, monkeypatch):
    monkeypatch.setenv("KINDLING_TEXT_MODEL", "/weights")
    assert look(export(ENOUGH, GERMAN))[0] == 0


def test_refused_lines_are_counted_by_reason_with_their_numbers(look):
    code, out, _ = look(export(ENOUGH) + "1,2,3\n" + line(900, "six") + "\n")
    assert code == 0
    assert "1  another number of cells than the header: reviews.csv:172" in out
    assert "1  stars that cannot be read: reviews.csv:173 (six)" in out


def test_a_niche_that_is_not_there_names_the_likely_one(look):
    code, _, error = look(export(ENOUGH), "--niche", "teapots")
    assert code == 2 and "'teapots' (Teapots?)" in error


def test_a_few_reviews_in_another_language_are_left_out(look):
    mixed = export(ENOUGH) + "\n".join(
        line(500 + n, 4, f"{GERMAN} {n}") for n in range(12)
    )
    code, out, _ = look(mixed)
    assert code == 0
    assert "12  a language that the recipe leaves out" in out
    made = recipes.load(out.splitlines()[-1].removeprefix("recipe      "))
    assert list(made.sources[0].options["languages"]) == ["en"]


def test_a_missing_file_is_no_traceback(capsys, tmp_path):
    assert main(["look", "--data", str(tmp_path / "none.csv")]) == 2
    assert "no such file or folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("My Reviews (final).csv.gz", "my-reviews-final"),
        ("https://shop.example/", "shop-example"),
        ("…", "mine"),
    ],
)
def test_a_recipe_is_named_after_what_it_reads(given, name):
    assert name_of(given) == name
