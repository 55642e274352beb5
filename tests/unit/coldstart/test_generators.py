"""Generators that are not ours: files and commands, and what is wrong with them in words."""

import gzip
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from kindling.coldstart.generators import ByCommand, Request
from kindling.coldstart.written import Written, read_rows
from kindling.errors import ConfigurationError, DataError

ECHO = """
import json, sys
given = json.load(sys.stdin)
for cell in given["cells"]:
    own = [one["id"] for one in given["examples"] if one["niche"]]
    row = {"text": f"seed {given['seed']}", "category": cell["category"]}
    print(json.dumps({**row, "sentiment": cell["sentiment"], "sources": own}))
"""


def request(world: Any) -> Request:
    return Request(world.niche[:2], world.neighbours, frozenset(), ("Cups",), 3, 7)


def command(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def test_a_command_is_asked_for_cells_and_shown_examples(world: Any) -> None:
    rows = ByCommand(command(ECHO)).write(request(world))
    own = tuple(row.review_id for row in world.niche[:2])
    assert [one.sentiment for one in rows] == ["negative", "neutral", "positive"]
    assert set(rows) == {Written("seed 7", one.sentiment, "Cups", own) for one in rows}


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.exit('no model')", "ended with 1: no model"),
        ("print('hello')", "line 1: not JSON"),
        ("print('[]')", "line 1: list, wanted an object"),
        ('print(\'{"text": "x"}\')', "line 1: no `category`"),
    ],
)
def test_a_command_that_fails_is_quoted(world: Any, program: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ByCommand(command(program)).write(request(world))


def test_a_command_that_is_none_or_does_not_end_is_named(world: Any) -> None:
    with pytest.raises(ConfigurationError, match="no such command 'nobody-has-this'"):
        ByCommand("nobody-has-this --x").write(request(world))
    with pytest.raises(DataError, match="did not end within"):
        slow = ByCommand(command("import time; time.sleep(60)"), timeout_s=0.5)
        slow.write(request(world))
    with pytest.raises(ConfigurationError, match="command is empty"):
        ByCommand("  ")


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'text,category,sentiment,sources\n"good, really",Cups,Positive,r1 r2\n'
    )
    row = {"title": "", "body": "good, really", "category": "Cups", "rating": 4}
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write("\n" + json.dumps({**row, "sources": ["r1", "r2"]}) + "\n")
    wanted = [Written("good, really", "positive", "Cups", ("r1", "r2"))]
    assert read_rows(tmp_path / "a.csv") == wanted
    assert read_rows(tmp_path / "b.jsonl.gz") == wanted


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,category,sentiment\nx,Cups,glad\n", "line 2: sentiment 'glad'"),
        ("a.csv", "text,category,rating\nx,Cups,9\n", "line 2: sentiment '9'"),
        ("a.csv", "text,category,rating\n", "no row"),
        ("a.jsonl", '{"category": "Cups", "rating": 3}', "line 1: no text"),
        (
            "a.jsonl",
            '{"text": "x", "category": "C", "rating": 3, "sources": 4}',
            "list",
        ),
        ("a.txt", "x", "wanted .csv or .jsonl"),
    ],
)
def test_a_wrong_line_is_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "none.csv")
