"""The prompted writer against the practice server: attributes, sources, judgement, budgets."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kindling import extensions
from kindling.errors import ConfigurationError
from kindling.llm.address import AddressChat, Patience
from kindling.llm.metered import Budget, MeteredLlm
from kindling.llm.practice import Faults, PracticeServer
from kindling.ports.generation import Cell, Material
from kindling.records import Product, Review
from kindling.stores.memory import MemoryStanding
from kindling.synthesis.fill import Filled, fill
from kindling.synthesis.prompts import load
from kindling.synthesis.style_profile import manner_of

NEGATIVE = Cell("Skirts", "negative")
KINDS = {"Skirts": "skirt", "Jackets": "jacket", "Sweaters": "sweater"}
GOOD = "I love this {noun}, it is {word} and I get compliments on the {part}."
BAD = "I returned this {noun}, it was {word} and I was disappointed by the {part}."


def reviews() -> list[Review]:
    """Praise and complaints of three kinds of garment, twenty of each."""
    rng = np.random.default_rng(5)
    parts = ("fabric", "colour", "length", "pocket", "sleeve", "waist")
    words = {GOOD: ("soft", "perfect", "beautiful"), BAD: ("cheap", "awful", "poor")}
    rows = []
    for number in range(120):
        category = list(KINDS)[number % 3]
        form = (GOOD, BAD)[number // 3 % 2]
        body = " ".join(
            form.format(
                noun=KINDS[category],
                word=rng.choice(words[form]),
                part=rng.choice(parts),
            )
            for _ in range(3)
        )
        stars = 5 if form is GOOD else 1
        rows.append(Review(f"r{number:03}", "p", category, "", body, stars, "scraped"))
    return rows


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    serving = PracticeServer()
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()


def write(
    server: PracticeServer,
    wanted: dict[Cell, int],
    store: MemoryStanding | None = None,
    budget: Budget | None = None,
    **options: object,
) -> Filled:
    chat = AddressChat(server.url, "practice", "", Patience(timeout_s=20))
    llm = MeteredLlm(chat, store or MemoryStanding(), "run", budget)
    products = [Product("p", f"Fine {noun}", kind, "") for kind, noun in KINDS.items()]
    chosen = extensions.options("writer", "prompted", dict(options))
    material = Material(reviews(), products, 1, llm)
    writer = extensions.find("writer", "prompted").writer(chosen, material)
    return fill(writer, wanted, reviews(), 0.9, 1)


def test_attributes_are_dealt_evenly_and_recorded(server: PracticeServer) -> None:
    filled = write(server, {NEGATIVE: 24}, examples=2)
    drafts = list(filled.drafts[NEGATIVE].values())
    assert len(drafts) >= 20
    for name in ("style", "photo", "stars"):
        counts = Counter(draft.attributes[name] for draft in drafts)
        assert len(counts) >= 2 and max(counts.values()) <= 2 + 2 * min(counts.values())
    train = {review.review_id for review in reviews() if review.rating <= 2}
    for draft in drafts:
        assert len(draft.source_review_ids) == 2
        assert set(draft.source_review_ids) <= train
        assert draft.attributes["aspect"] in draft.body
        assert draft.rating == int(draft.attributes["stars"]) <= 2


def test_the_same_run_asks_the_same_again_and_pays_nothing(
    server: PracticeServer,
) -> None:
    store = MemoryStanding()
    one = write(server, {NEGATIVE: 8}, store)
    billed = server.desk.statement()["billed"]
    two = write(server, {NEGATIVE: 8}, store)
    assert one.drafts == two.drafts
    assert server.desk.statement()["billed"] == billed


def test_a_budget_leaves_what_is_paid_for(server: PracticeServer) -> None:
    filled = write(server, {NEGATIVE: 40}, budget=Budget(tokens=9_000))
    entry = filled.ledger[NEGATIVE]
    assert 0 < entry.made < 40
    assert "of 9000 tokens" in entry.shortfall
    assert server.desk.statement()["tokens"] <= 9_000


def test_a_budget_for_nothing_is_said(server: PracticeServer) -> None:
    entry = write(server, {NEGATIVE: 4}, budget=Budget(tokens=10)).ledger[NEGATIVE]
    assert (entry.made, server.desk.statement()["requests"]) == (0, 0)
    assert "Raise KINDLING_LLM_MAX_TOKENS" in entry.shortfall


def test_answers_that_never_fit_are_turned_down_with_the_reason(
    server: PracticeServer,
) -> None:
    server.desk.faults = Faults(misfit_every=1)
    filled = write(server, {NEGATIVE: 2})
    assert filled.ledger[NEGATIVE].made == 0
    assert {one.reason for one in filled.rejections} == {"unreadable_answer"}
    assert "does not fit the schema" in filled.rejections[0].detail


def test_a_review_of_another_sentiment_or_garment_is_turned_down(
    server: PracticeServer, tmp_path: Path
) -> None:
    """A prompt that asks for the contrary: the judge goes by the words, not by the asking."""
    prompt = tmp_path / "contrary.md"
    prompt.write_text(
        "# system\nx\n# user\nSentiment: positive\nProduct: skirt\nAspect: $aspect\n"
    )
    reasons = {
        one.reason
        for one in write(server, {NEGATIVE: 3}, prompt=str(prompt)).rejections
    }
    assert reasons == {"off_sentiment"}
    prompt.write_text(
        "# system\nx\n# user\nSentiment: $sentiment\nProduct: jacket\nAspect: $aspect\n"
    )
    reasons = {
        one.reason
        for one in write(server, {NEGATIVE: 3}, prompt=str(prompt)).rejections
    }
    assert "off_category" in reasons


def test_revision_is_a_second_call_with_its_own_prompt(server: PracticeServer) -> None:
    filled = write(server, {NEGATIVE: 3}, revise=True)
    assert server.desk.statement()["billed"] == 2 * filled.tried


def test_a_prompt_is_known_by_its_hash_and_its_placeholders(tmp_path: Path) -> None:
    allowed = ("sentiment",)
    path = tmp_path / "own.md"
    path.write_text("# system\nBe brief.\n# user\nWrite: $sentiment for $$5\n")
    one = load(str(path), allowed)
    assert one.messages(sentiment="bad $x")[1].content == "Write: bad $x for $5"
    path.write_text("# system\nBe brief.\n# user\nWrite: $sentiment!\n")
    assert load(str(path), allowed).sha256 != one.sha256
    path.write_text("# system\nBe brief.\n# user\nWrite: $mood\n")
    with pytest.raises(ConfigurationError, match="unknown placeholder mood"):
        load(str(path), allowed)
    with pytest.raises(ConfigurationError, match=r"known: .*write_review.v1"):
        load("nothing", allowed)


def test_without_a_model_the_writer_says_what_to_set() -> None:
    chosen = extensions.options("writer", "prompted", {})
    with pytest.raises(ConfigurationError, match="KINDLING_LLM_MODEL"):
        extensions.find("writer", "prompted").writer(chosen, Material([], [], 1))


def test_ways_of_typing_are_asked_for_as_real_reviews_have_them(
    server: PracticeServer,
) -> None:
    real = Counter(manner_of(review.text) for review in reviews())
    asked = Counter(
        draft.attributes["typing"]
        for draft in write(server, {NEGATIVE: 24}).drafts[NEGATIVE].values()
    )
    assert asked.keys() <= real.keys()
    named = write(server, {NEGATIVE: 6}, typing=("all lower case",))
    assert {d.attributes["typing"] for d in named.drafts[NEGATIVE].values()} == {
        "all lower case"
    }
