"""The stage with a language model's writer, end to end over stores in memory and real HTTP."""

import threading
from types import SimpleNamespace

import pytest

from kindling.llm.address import AddressChat
from kindling.llm.metered import Budget, MeteredLlm
from kindling.llm.practice import PracticeServer
from kindling.recipe import Recipe, SynthesizeConfig
from kindling.records import (
    DedupeDecision,
    Product,
    Review,
    StageReport,
    Synthesis,
)
from kindling.stages import synthesize
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import Earlier, RunView
from kindling.stores.memory import MemoryObjects, MemoryRows, MemoryStanding
from kindling.synthesis.marks import generated, review_marked
from kindling.synthesis.prompts import load

GOOD = "I love this {0}. The {1} is lovely and soft and the {0} is perfect."
BAD = "I returned this {0}. The {1} is awful and cheap and the {0} is poor."


def rows_after_dedupe() -> MemoryRows:
    """Forty train reviews of skirts and jackets, and four golden ones."""
    store = MemoryRows()
    reviews, decisions = [], []
    for number in range(44):
        noun, category = (("skirt", "Skirts"), ("jacket", "Jackets"))[number % 2]
        part = ("fabric", "colour", "waist", "seam", "length")[number // 4 % 5]
        good = number // 2 % 2 == 0
        text = (GOOD if good else BAD).format(noun, part)
        split = "golden" if number >= 40 else "train"
        stars = 5 if good else 1
        one = Review(f"r{number:02}", split, category, "", text, stars, "scraped")
        reviews.append(one)
        decisions.append(
            DedupeDecision(one.review_id, one.review_id, True, "unique", 1.0, split)
        )
    products = [
        Product(split, "Fine skirt", "Skirts", "") for split in ("train", "golden")
    ]
    store.commit(
        StageReport("dedupe", "run", 0, 0), [*reviews, *decisions, *products], []
    )
    return store


def run(server: PracticeServer, budget: float) -> tuple[Outcome, MemoryRows]:
    store = rows_after_dedupe()
    config = SynthesizeConfig(
        writer="prompted", studies=0, max_copy_rate=0.9, photo_share=0
    )
    recipe = Recipe(
        name="test",
        summary="",
        sources=({"kind": "shop", "catalogue": "bundled-smoke"},),
        synthesize=config,
    )
    chat = AddressChat(server.url, "practice")
    needs = SimpleNamespace(
        view=RunView(store, "run"),
        earlier=Earlier(store, "run"),
        objects=MemoryObjects(),
        threads=2,
        llm=MeteredLlm(chat, MemoryStanding(), "run", Budget(tokens=budget)),
    )
    context = Context("run", recipe, ("Skirts",), 20, 7)
    return synthesize.run(config, context, needs), store


@pytest.mark.parametrize(("budget", "enough"), [(1e9, True), (6_000, False)])
def test_rows_say_what_made_them_and_a_spent_budget_is_an_outcome(
    budget: float, enough: bool
) -> None:
    server = PracticeServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        outcome, store = run(server, budget)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    reviews = [one for one in outcome.records if isinstance(one, Review)]
    made = [one for one in outcome.records if isinstance(one, Synthesis)]
    cells = outcome.figures["cells"]
    assert reviews and len(reviews) == len(made) == outcome.rows_out
    assert all(cell["made"] == cell["wanted"] for cell in cells.values()) == enough
    if not enough:
        assert "of 6000 tokens" in cells["Skirts/positive"]["shortfall"]
        assert server.desk.statement()["tokens"] <= 6_000
    prompt = load(
        "write_review.v2",
        (
            "sentiment",
            "stars",
            "product",
            "category",
            "aspect",
            "length",
            "style",
            "typing",
            "photo",
            "examples",
        ),
    )
    for one in made:
        assert one.method == f"prompted/1 practice@{server.url}"
        assert one.provenance["prompt_sha256"] == prompt.sha256
        assert one.provenance["sentiment"] == one.sentiment
    assert all(map(review_marked, reviews))
    assert set(generated(reviews)) == {one.review_id for one in reviews}
    # The view refuses a synthetic row whose sources are not all kept train reviews.
    store.commit(StageReport("synthesize", "run", 0, 0), outcome.records, [])
    assert len(RunView(store, "run").synthetic()) == len(reviews)
