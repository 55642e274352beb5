"""A shop over many nights: budgets are kept, what is not asked for is read from its copy, breaks are alarms."""

import io
import json
import threading
from contextlib import contextmanager

import pytest

from kindling.errors import DataError, SourceAlarm
from kindling.llm.address import AddressChat, Patience
from kindling.llm.metered import Budget, MeteredLlm, Price
from kindling.llm.practice import Faults, PracticeServer
from kindling.ports.source import SourceTools
from kindling.records import DedupeDecision, Page, Photo, Product, Review
from kindling.scraping import nightly, warc
from kindling.scraping.policy.arms import FETCHING, Arm, Candidate, Observation
from kindling.scraping.policy.plan import Terms, plan
from kindling.scraping.snapshot import decoded
from kindling.sources.shop import Options, Shop
from kindling.stages import source_health, strategy

PRODUCTS = 8
REVIEWS = 6


def product_page(number: int, reviews: int = REVIEWS, text: str = "review-text") -> str:
    rows = "".join(
        f'<li class="customer-review" data-review-id="r{number}-{one}">'
        f'<div class="{text}">Text {one} about the pot of number {number}.</div>'
        f'<div class="review-stars" aria-label="Rated {1 + (number + one) % 5} out of 5"></div></li>'
        for one in range(reviews)
    )
    return (
        f'<section class="product" data-product-id="p{number}">'
        f'<h1 class="product-title">Pot {number}</h1></section><ol>{rows}</ol>'
    )


def stock(shop, count=PRODUCTS, **change):
    links = "".join(
        f'<a class="product-link" href="/p/{n}">Pot {n}</a>' for n in range(count)
    )
    shop.answers["/"] = (200, links)
    for number in range(count):
        shop.answers[f"/p/{number}"] = (200, product_page(number, **change))


def pages_asked(shop):
    return {path: n for path, n in shop.hits.items() if path == "/" or "/p/" in path}


def rows(outcome, kind):
    return [one for one in outcome.records if isinstance(one, kind)]


def test_a_budget_is_kept_and_the_rest_is_read_from_the_copy(scripted, nights):
    stock(scripted)
    first = nights.run(scripted.url, run_id="n1")
    scripted.hits.clear()
    second = nights.run(scripted.url, run_id="n2", page_budget=4)
    assert 0 < sum(pages_asked(scripted).values()) <= 4
    assert rows(second, Review) == rows(first, Review)
    actions = [page.action for page in rows(second, Page)]
    assert actions.count("kept") == PRODUCTS + 1 - sum(pages_asked(scripted).values())


def test_without_a_budget_every_page_is_asked_for_and_the_decision_says_so(
    scripted, nights
):
    stock(scripted)
    nights.run(scripted.url, run_id="n1")
    scripted.hits.clear()
    outcome = nights.run(scripted.url, run_id="n2")
    assert len(pages_asked(scripted)) == PRODUCTS + 1
    assert "no scrape.page_budget" in outcome.figures["page_decisions"][scripted.url]


def test_a_page_that_failed_is_tried_again_as_such(scripted, nights):
    stock(scripted)
    scripted.answers["/p/3"] = (503, "busy")
    nights.run(scripted.url, run_id="n1")
    stock(scripted)
    outcome = nights.run(scripted.url, run_id="n2")
    actions = {
        page.url.removeprefix(scripted.url): page for page in rows(outcome, Page)
    }
    assert actions["/p/3"].action == "retry"
    assert actions["/p/2"].action == "deeper"
    assert actions["/"].action == "new"


def test_a_retry_acts_on_the_decision_of_the_first_attempt(scripted, nights):
    stock(scripted)
    nights.run(scripted.url, run_id="n1")
    first = nights.run(scripted.url, run_id="n2", page_budget=4)
    scripted.hits.clear()
    again = nights.run(scripted.url, run_id="n2", page_budget=4)
    assert again.records == first.records
    assert pages_asked(scripted) == {}, "the frontier has their answers already"


def test_what_a_night_brought_is_written_back_and_exported(scripted, nights):
    stock(scripted)
    first = nights.run(scripted.url, run_id="n1")
    found = credit(nights, first, "n1")
    assert found == {scripted.url: {"new": PRODUCTS * REVIEWS}}
    scripted.answers["/p/1"] = (200, product_page(1, REVIEWS + 2))
    second = nights.run(scripted.url, run_id="n2")
    found = credit(nights, second, "n2", known=rows(first, Review))
    assert found == {scripted.url: {"deeper": 2}}
    memory = json.loads(strategy.memory(nights.standing, "shop"))
    assert [night["run_id"] for night in memory["nights"]] == ["n1", "n2"]
    last = memory["nights"][-1]
    assert last["rows"] == found
    assert last["spent"][scripted.url]["requests"] == {"new": 1, "deeper": PRODUCTS}
    assert last["decision"]["reasons"][scripted.url]
    seen = strategy.evidence(nights.standing, "shop", "n3", "requests")
    told = {(one.arm.action, one.age): (one.requests, one.rows) for one in seen}
    assert told == {
        ("new", 2): (PRODUCTS + 1, PRODUCTS * REVIEWS),
        ("new", 1): (1, 0),
        ("deeper", 1): (PRODUCTS, 2),
    }


def credit(nights, outcome, run_id, known=()):
    reviews = rows(outcome, Review)
    decisions = [
        DedupeDecision(one.review_id, one.review_id, True, "unique", 1.0, "train")
        for one in reviews
    ]
    seen = {one.review_id: "train" for one in known}
    found = strategy.new_rows(rows(outcome, Page), reviews, decisions, seen)
    strategy.credited(nights.standing, "shop", run_id, found)
    return found


def test_kept_pages_are_replayed_without_a_request_and_give_equal_rows(
    scripted, nights
):
    stock(scripted)
    outcome = nights.run(scripted.url, run_id="n1")
    scripted.hits.clear()
    tools = SourceTools(nights.objects, nights.standing, 1, scripted.url, None)
    last = source_health.last_trusted(nights.standing, "shop", "none")[scripted.url]
    haul = Shop(Options(), tools).replay(last["snapshot_uri"])
    assert not scripted.hits
    for kind, again in ((Review, haul.reviews), (Product, haul.products)):
        assert list(again) == rows(outcome, kind)
    assert list(haul.photos) == rows(outcome, Photo)


def test_a_page_behind_a_redirect_leads_on_from_its_copy_as_it_did(scripted, nights):
    stock(scripted, count=2)
    scripted.answers["/"] = (302, "", {"Location": "/shop/en/"})
    scripted.answers["/shop/en/"] = (200, '<a class="product-link" href="p/7">Pot</a>')
    scripted.answers["/shop/en/p/7"] = (200, product_page(7))
    first = nights.run(scripted.url, run_id="n1")
    assert len(rows(first, Review)) == REVIEWS
    nights.run(scripted.url, run_id="n2", page_budget=1)
    scripted.hits.clear()
    last = source_health.last_trusted(nights.standing, "shop", "none")[scripted.url]
    tools = SourceTools(nights.objects, nights.standing, 1, scripted.url, None)
    again = Shop(Options(), tools).replay(last["snapshot_uri"])
    assert list(again.reviews) == rows(first, Review) and not scripted.hits


def test_a_recipe_that_was_changed_is_decided_anew(scripted, nights):
    stock(scripted)
    nights.run(scripted.url, run_id="n1")
    nights.run(scripted.url, run_id="n2", page_budget=2)
    scripted.hits.clear()
    nights.run(scripted.url, run_id="n2", page_budget=6)
    assert 2 < sum(pages_asked(scripted).values()) <= 6


def test_a_night_is_one_whole_warc_file(scripted, nights):
    stock(scripted)
    nights.run(scripted.url, run_id="n1")
    last = source_health.last_trusted(nights.standing, "shop", "none")[scripted.url]
    earlier = decoded(nights.objects.get(last["snapshot_uri"]), "snapshot")
    data = b"".join(nightly.archived(earlier, nights.objects))
    pages = {one.url: one for one in warc.read(io.BytesIO(data), "night.warc.gz")}
    assert len(pages) == PRODUCTS + 1
    assert pages[f"{scripted.url}/p/2"].body == product_page(2).encode()
    with pytest.raises(DataError, match=r"night\.warc\.gz"):
        list(warc.read(io.BytesIO(data[:-60]), "night.warc.gz"))


def test_a_page_that_did_not_change_is_kept_once(scripted, nights):
    stock(scripted)
    first = nights.run(scripted.url, run_id="n1")
    scripted.answers["/p/1"] = (200, product_page(1, REVIEWS + 1))
    second = nights.run(scripted.url, run_id="n2")
    before = {page.url: page.uri for page in rows(first, Page)}
    after = {page.url: page.uri for page in rows(second, Page)}
    assert {url for url in before if before[url] != after[url]} == {
        f"{scripted.url}/p/1"
    }


def test_a_template_that_gives_nothing_more_stops_the_night_with_the_code(
    scripted, nights
):
    stock(scripted)
    nights.run(scripted.url, run_id="n1")
    stock(scripted, text="blurb")
    with pytest.raises(SourceAlarm, match="^source_alarm: .*gives none"):
        nights.run(scripted.url, run_id="n2")


def test_stars_that_all_moved_stop_the_night_until_it_is_accepted(scripted, nights):
    stock(scripted, count=30)
    nights.run(scripted.url, run_id="n1")
    for path, (status, body) in list(scripted.answers.items()):
        scripted.answers[path] = (status, body.replace("Rated 4", "Rated 1"))
        body = scripted.answers[path][1].replace("Rated 5", "Rated 1")
        scripted.answers[path] = (status, body)
    with pytest.raises(SourceAlarm, match="mean rating"):
        nights.run(scripted.url, run_id="n2")
    trusted = source_health.last_trusted(nights.standing, "shop", "n3")
    assert trusted[scripted.url]["run_id"] == "n1", "no later night goes on from it"
    source_health.accept(nights.standing, "shop", "n2", scripted.url)
    outcome = nights.run(scripted.url, run_id="n2")
    assert outcome.rows_out == 30 * REVIEWS
    trusted = source_health.last_trusted(nights.standing, "shop", "n3")
    assert trusted[scripted.url]["run_id"] == "n2"
    with pytest.raises(DataError, match="n9"):
        source_health.accept(nights.standing, "shop", "n9", scripted.url)


def test_what_gets_worse_by_little_each_night_is_an_alarm_in_the_end(nights):
    def account(filled):
        health = {
            "pages": 400,
            "reviews": 3_000,
            "found": 3_000,
            "filled": {"body": 1.0, "title": filled},
            "distinct": 1.0,
            "mean_rating": 4.0,
            "of_stated": 1.0,
            "damaged_pages": 0.0,
            "rejected": 0.0,
        }
        return nightly.Account("memory://s", {"new": 1}, 1.0, {}, health)

    told = [
        source_health.check(
            nights.standing, "shop", f"n{night}", "s", account(0.9 - 0.03 * night)
        ).alarms
        for night in range(6)
    ]
    assert not any(told[:3]) and told[-1], told


@contextmanager
def practice(faults):
    server = PracticeServer()
    server.desk.faults = faults
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield AddressChat(server.url, "practice", "", Patience(retries=0))
    server.shutdown()
    thread.join()
    server.server_close()


def metered(chat, nights):
    return MeteredLlm(chat, nights.standing, "n2", Budget(100_000, 0.0), Price(0, 0))


def test_a_language_model_moves_pages_within_its_list(scripted, nights):
    stock(scripted)
    nights.run(scripted.url, run_id="n1")
    with practice(Faults()) as chat:
        nights.llm = metered(chat, nights)
        nights.run(scripted.url, run_id="n2", page_budget=4)
    said = json.loads(strategy.memory(nights.standing, "shop"))["nights"][-1]
    proposal = said["decision"]["proposal"]
    assert proposal["choice"] in {f"{scripted.url} new", f"{scripted.url} deeper"}
    action = proposal["choice"].split()[-1]
    assert said["decision"]["pages"][scripted.url][action] >= 1


def test_an_answer_off_the_list_is_refused_and_the_bandits_choice_holds(
    scripted, nights
):
    stock(scripted)
    nights.run(scripted.url, run_id="n1")
    with practice(Faults(misfit_every=1)) as chat:
        nights.llm = metered(chat, nights)
        nights.run(scripted.url, run_id="n2", page_budget=4)
    said = json.loads(strategy.memory(nights.standing, "shop"))["nights"][-1]
    assert said["decision"]["proposal"]["choice"] is None
    assert said["decision"]["proposal"]["refused"]
    assert sum(said["decision"]["pages"][scripted.url].values()) == 4


def test_whatever_it_proposes_the_budget_holds_and_a_source_it_rests_is_left_alone(
    nights,
):
    some = [
        Candidate(Arm(source, action), 30)
        for source in ("a", "b")
        for action in FETCHING
    ]
    seen = [Observation(Arm("a", "deeper"), 1, 10, 10.0, 50)]
    bandits = plan(Terms(40, 0.0, 0), some, seen)
    choices = set()
    with practice(Faults()) as chat:
        for seed in range(25):
            made = plan(Terms(40, 0.0, seed), some, seen, metered(chat, nights))
            choice = made.proposal["choice"]
            choices.add(choice)
            source, action = choice.split()
            given = made.pages[source]
            assert sum(sum(pages.values()) for pages in made.pages.values()) == 40
            if action == "rest":
                assert not any(given.values())
            else:
                assert given[action] >= max(10, 0.7 * bandits.pages[source][action])
            assert "proposed" in made.reasons[source]
    assert {"a rest", "b new"} <= choices


def test_a_budget_of_tokens_that_is_spent_leaves_the_bandits_choice(nights):
    some = [Candidate(Arm("a", action), 30) for action in FETCHING]
    with practice(Faults()) as chat:
        poor = MeteredLlm(chat, nights.standing, "n1", Budget(tokens=1))
        made = plan(Terms(40, 0.0, 0), some, [], poor)
    assert "BudgetSpent" in made.proposal["refused"]
    assert made.pages == plan(Terms(40, 0.0, 0), some, []).pages
