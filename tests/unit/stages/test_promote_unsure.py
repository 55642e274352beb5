"""A recipe may serve a first model of which too little is known to be sure, and never one shown bad."""

import pytest

from kindling.evaluation.verdict import Check, Verdict
from kindling.ports.registry import ModelVersion
from kindling.recipe import PromoteConfig
from kindling.stages.promote import _served_unsure

CHAMPION = object()


@pytest.mark.parametrize(
    ("policy", "outcomes", "champion", "served"),
    [
        ("serve", ("pass", "cannot tell"), None, True),
        ("refuse", ("pass", "cannot tell"), None, False),
        ("serve", ("pass", "cannot tell"), CHAMPION, False),
        ("serve", ("cannot tell", "fail"), None, False),
    ],
)
def test_unsure_is_served_only_where_nothing_fails_and_nothing_is_replaced(
    policy: str, outcomes: tuple, champion: ModelVersion | None, served: bool
) -> None:
    verdict = Verdict(tuple(Check("c", "c", one, "") for one in outcomes))
    assert _served_unsure(PromoteConfig(unsure=policy), verdict, champion) is served


def test_without_a_word_the_unsure_are_refused() -> None:
    assert PromoteConfig().unsure == "refuse"
