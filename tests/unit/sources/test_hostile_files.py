"""Whatever a file holds, each of its lines is read or refused with its number and reason."""

import gzip
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.ports.source import SourceTools
from kindling.sources.files import Options
from kindling.sources.files.collecting import Files

from .conftest import HEADER, line


def csv(*lines: str, end: str = "\n") -> str:
    return end.join([HEADER, *lines]) + end


@pytest.mark.parametrize(
    "content",
    [
        csv(line(1), line(2)).encode("utf-8-sig"),
        csv(line(1), line(2)).encode("utf-16"),
        csv(line(1), line(2)).encode("utf-16-le"),
        csv(line(1), line(2), end="\r\n").encode(),
        csv(line(1), line(2), end="\r").encode(),
        ("sep=;\n" + csv(line(1), line(2)).replace(",", ";")).encode(),
        csv(line(1), line(2)).replace(",", "\t").encode(),
        csv(line(1), line(2)).replace(",", "|").encode(),
        gzip.compress(csv(line(1), line(2)).encode()),
        ("Reviews of the shop\n\n" + csv(line(1), line(2))).encode(),
    ],
)
def test_two_reviews_are_two_reviews_however_they_are_written(survey, content):
    found = survey(content)
    assert [one.title for one in found.reviews] == ["Title 1", "Title 2"]
    assert {one.rating for one in found.reviews} == {4}
    assert {one.category for one in found.reviews} == {"Teapots"}


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("cp1252", "Très bien emballé, l’été à la plage – 5 €"),
        (
            "cp1250",
            "Bardzo ładna książka, żółta okładka się nie zdarła, polecam źródło",
        ),
        ("cp1251", "Очень хороший чайник, держит тепло и не течёт совсем"),
    ],
)
def test_text_that_is_not_utf8_is_read_as_what_it_is(survey, encoding, body):
    rows = [line(n, body=f"{body} {n}") for n in range(1, 12)]
    found = survey(csv(*rows).encode(encoding))
    assert {one.body for one in found.reviews} == {f"{body} {n}" for n in range(1, 12)}


def test_a_line_of_another_encoding_does_not_spoil_the_others(survey):
    good = [line(n, body=f"Fällt groß aus, {n}") for n in range(1, 30)]
    content = csv(*good).encode() + line(30, body="Fällt klein aus").encode("cp1252")
    bodies = [one.body for one in survey(content).reviews]
    assert "Fällt groß aus, 3" in bodies and "Fällt klein aus" in bodies


def test_each_bad_line_is_refused_with_its_number(survey, reasons):
    found = survey(
        csv(
            line(1),
            line(2, stars="six"),
            "3,too,short",
            line(4) + ",one,more",
            HEADER,
            line(6, body="null\x00byte"),
            line(7, stars=""),
            line(8, body=" "),
            line(9, stars=9),
            line(1),
            line(11),
        )
    )
    assert reasons(found) == {
        "reviews.csv:3": "rating_unreadable",
        "reviews.csv:4": "ragged_row",
        "reviews.csv:5": "ragged_row",
        "reviews.csv:6": "header_again",
        "reviews.csv:7": "nul_byte",
        "reviews.csv:8": "no_rating",
        "reviews.csv:10": "rating_unreadable",
        "reviews.csv:11": "duplicate_id",
    }
    assert [one.source_url.partition("#")[2] for one in found.reviews] == [
        "2",
        "9",
        "12",
    ]


def test_rows_that_leave_their_last_cells_out_are_read(survey, reasons):
    short = [line(n).rpartition(",")[0] for n in range(1, 9)]
    found = survey(csv(*short, "9,too,short"))
    assert [one.rating for one in found.reviews] == [4] * 8
    assert {one.published for one in found.reviews} == {""}
    assert reasons(found) == {"reviews.csv:10": "ragged_row"}


@pytest.mark.parametrize("place", ["before", "behind"])
def test_cells_that_the_header_does_not_name_move_no_other(survey, reasons, place):
    added = {
        "before": lambda n: f"{n + 100},{line(n)}",
        "behind": lambda n: f"{line(n)},yes",
    }[place]
    found = survey(csv(*map(added, range(1, 9)), HEADER, "9,too,short"))
    assert [one.title for one in found.reviews] == [f"Title {n}" for n in range(1, 9)]
    assert {one.category for one in found.reviews} == {"Teapots"}
    assert reasons(found) == {
        "reviews.csv:10": "header_again",
        "reviews.csv:11": "ragged_row",
    }


def test_double_encoded_cells_are_read_as_what_they_were(survey):
    rows = [line(n, body=f"Größer als gedacht – {n}") for n in range(1, 9)]
    found = survey(csv(*rows).encode().decode("cp1252").encode())
    assert "Größer als gedacht – 3" in [one.body for one in found.reviews]


def test_a_quote_that_never_closes_costs_its_own_line(survey, reasons):
    broken = '3,Title,"It never ends,4,p1,Teapots,2024-01-01'
    found = survey(csv(line(1), line(2), broken, line(4), line(5)))
    assert reasons(found) == {"reviews.csv:4": "quote_never_closed"}
    assert len(found.reviews) == 4


def test_a_cell_may_go_over_several_lines(survey):
    body = 'First line\nSecond ""quoted"" line\n\nLast line'
    found = survey(csv(line(1, body=body), line(2)))
    assert found.reviews[0].body == 'First line Second "quoted" line Last line'
    assert found.reviews[1].source_url == "file:reviews.csv#6"


def test_a_line_without_end_is_refused_and_not_held(tmp_path, tools, reasons):
    path = tmp_path / "reviews.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(csv(line(1)).encode() + b'2,T,"')
        for _ in range(300):
            file.write(b"x" * (1 << 20))
        file.write(b'",5,p1,Teapots,2024-01-01\n' + line(3).encode() + b"\n")
    import tracemalloc

    tracemalloc.start()
    found = Files(Options(path=str(path)), tools).survey()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reasons(found) == {"reviews.csv.gz:3": "line_too_long"}
    assert len(found.reviews) == 2
    assert peak < 40 * (1 << 20), "a fraction of the 300 MiB of the line"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n \n\t\n", "white space"),
        (b"PK\x03\x04" + bytes(200), "Excel workbook"),
        (b"%PDF-1.7\n" + bytes(range(256)), "PDF"),
        (random.Random(1).randbytes(5_000), "binary"),
        (b"PAR1 is no parquet", "damaged Parquet"),
    ],
)
def test_what_is_no_table_is_named_for_what_it_is(survey, content, said):
    [only] = survey(content).rows.rejections
    assert only.row_id == "reviews.csv:1"
    assert only.reason == "unreadable_file" and said in only.detail


def test_a_truncated_archive_gives_what_came_before(survey, reasons):
    rows = [
        line(n, body=f"Number {random.Random(n).random()} of them")
        for n in range(1, 400)
    ]
    whole = gzip.compress(csv(*rows).encode())
    found = survey(whole[: len(whole) // 2], "reviews.csv.gz")
    assert len(found.reviews) > 20
    assert "damaged_archive" in reasons(found).values()


def test_markup_and_entities_do_not_reach_the_text(survey):
    found = survey(
        csv(line(1, body="<p>Nice &amp; warm<br/>mug</p><script>x()</script>"))
    )
    assert found.reviews[0].body == "Nice & warm mug"


def test_backslashes_escape_quotes_where_they_do(survey):
    body = 'He said \\"never again\\", and left'
    rows = [line(n, body=f"{body} {n}") for n in range(1, 5)]
    assert survey(csv(*rows)).reviews[0].body == 'He said "never again", and left 1'


def test_json_lines_that_are_none_are_refused(survey, reasons):
    good = {"text": "It pours well and does not drip", "rating": 4, "asin": "B1"}
    lines = [
        json.dumps(good),
        '{"text": "cut o',
        "[1, 2]",
        json.dumps(good | {"rating": None}),
        json.dumps(good | {"text": "Another text about it"}),
        "[" * 100_000,
        '{"text": "x", "rating": ' + "9" * 5_000 + "}",
    ]
    found = survey("\n".join(lines), "reviews.jsonl")
    assert len(found.reviews) == 2
    assert reasons(found) == {
        "reviews.jsonl:2": "not_json",
        "reviews.jsonl:3": "no_object",
        "reviews.jsonl:4": "no_rating",
        "reviews.jsonl:6": "not_json",
        "reviews.jsonl:7": "not_json",
    }


@given(st.binary(max_size=400))
def test_no_bytes_end_in_a_traceback(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "reviews.csv"
    path.write_bytes(HEADER.encode() + b"\n" + content)
    tools = SourceTools(None, None, 0, "", None)
    found = Files(Options(path=str(path)), tools).survey()
    assert len(found.rows.reviews) <= found.rows.found


@given(
    st.lists(
        st.text(
            st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\"),
            min_size=1,
            max_size=60,
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_every_written_row_is_read_or_refused_with_its_line(
    tmp_path_factory, bodies, delimiter
):
    import csv as writer

    path = tmp_path_factory.mktemp("any") / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = writer.writer(file, delimiter=delimiter)
        out.writerow(["review_id", "body", "rating", "product_id"])
        for number, body in enumerate(bodies):
            out.writerow([f"r{number}", body, 5, "p"])
    tools = SourceTools(None, None, 0, "", None)
    found = Files(Options(path=str(path), products="column"), tools).survey()
    refused = {one.row_id for one in found.rows.rejections}
    read = {
        one.source_url.removeprefix("file:").replace("#", ":") for one in found.reviews
    }
    assert refused | read == {f"reviews.csv:{n + 2}" for n in range(len(bodies))}
    assert not refused & read
