"""The page-budget policy's memory: decisions, what they cost and what they brought, in the standing store.

One append-only topic a recipe. A decision is made once a run, so that a retry and every shard act on the
same; what it brought is known after dedupe and is written then. A night's own events never decide it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kindling.observe.lineage import sha256_of
from kindling.ports.llm import Llm
from kindling.ports.source import Account
from kindling.ports.standing import Fact, StandingStore
from kindling.recipe import ScrapeConfig
from kindling.records import DedupeDecision, Page
from kindling.scraping.policy.arms import FETCHING, Arm, Candidate, Observation
from kindling.scraping.policy.plan import Terms, plan
from kindling.stages.view import Outlines

#: Nights behind which evidence is worth next to nothing.
_NIGHTS = 60


def decided(
    standing: StandingStore,
    config: ScrapeConfig,
    recipe: str,
    run_id: str,
    known: Mapping[str, Mapping[str, int]],
    llm: Llm | None,
) -> Mapping[str, Any]:
    """The night's decision, made now or by an earlier attempt: `pages` by source and action, and why.

    `known` are the sources that ask for pages, each with how many there are to go deeper into and to try
    again. `pages` is None where the recipe sets no budget.
    """
    # Under other terms, or over other sources, an earlier attempt's decision is none.
    terms = sha256_of(
        [config.page_budget, config.cost, config.rest_below, sorted(known)]
    )
    key = f"decision/{run_id}/{terms[:12]}"
    if fact := standing.get(_topic(recipe), key):
        return fact.value
    value: dict[str, Any] = {"event": "decision", "run_id": run_id}
    if config.page_budget is None:
        why = "no scrape.page_budget in the recipe: every page is asked for"
        value |= {"pages": None, "reasons": dict.fromkeys(known, why), "proposal": {}}
    else:
        seed = int(sha256_of([recipe, run_id])[:12], 16)
        limits = Terms(config.page_budget, config.rest_below, seed)
        seen = evidence(standing, recipe, run_id, config.cost)
        candidates = list(_candidates(known, config.page_budget))
        made = plan(limits, candidates, seen, llm)
        value |= {
            "pages": made.pages,
            "reasons": made.reasons,
            "proposal": made.proposal,
        }
    return standing.put_once(_topic(recipe), key, value).value


def _candidates(
    known: Mapping[str, Mapping[str, int]], budget: int
) -> Iterable[Candidate]:
    for source, counts in known.items():
        for action in FETCHING:
            # How many new pages there are is what asking for them tells.
            pages = budget if action == "new" else counts.get(action, 0)
            yield Candidate(Arm(source, action), pages)


def spent(
    standing: StandingStore, recipe: str, run_id: str, source: str, account: Account
) -> None:
    """Note what a source's night cost; a retry's note replaces the one before."""
    value = {
        "event": "spent",
        "run_id": run_id,
        "source": source,
        "requests": dict(account.requests),
        "cpu_s": account.cpu_s,
    }
    standing.append(_topic(recipe), f"spent/{run_id}/{source}", value)


def credited(
    standing: StandingStore,
    recipe: str,
    run_id: str,
    rows: Mapping[str, Mapping[str, int]],
) -> None:
    """Note what the night's decision brought: new rows by source and action."""
    value = {"event": "yield", "run_id": run_id, "rows": rows}
    standing.append(_topic(recipe), f"yield/{run_id}", value)


def new_rows(
    pages: Sequence[Page],
    reviews: Outlines,
    decisions: Iterable[DedupeDecision],
    known: Mapping[str, Any],
) -> dict[str, dict[str, int]]:
    """Rows that dedupe kept and no earlier night had, by source and action of their page."""
    fresh = {one.review_id for one in decisions if one.kept} - known.keys()
    page_of = {page.url: page for page in pages}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for review in reviews:
        page = page_of.get(review.source_url)
        if page is not None and review.review_id in fresh:
            counts[page.source][page.action] += 1
    return {source: dict(found) for source, found in sorted(counts.items())}


def evidence(
    standing: StandingStore, recipe: str, run_id: str, unit: str
) -> list[Observation]:
    """What each arm cost and brought in the last 60 other nights, the newest of age 1.

    A night counts once what it brought is known. `unit` of cost: "requests" or "cpu_s".
    """
    nights = [one for one in _nights(standing, recipe) if one["run_id"] != run_id]
    ready = [one for one in nights if one["rows"] is not None][-_NIGHTS:]
    found: list[Observation] = []
    for age, night in enumerate(reversed(ready), start=1):
        for source, cost in night["spent"].items():
            rows = night["rows"].get(source, {})
            found += _observed(source, cost, rows, age, unit)
    return found


def _observed(
    source: str,
    cost: Mapping[str, Any],
    rows: Mapping[str, int],
    age: int,
    unit: str,
) -> Iterable[Observation]:
    requests = {name: count for name, count in cost["requests"].items() if count}
    total = sum(requests.values())
    for action in FETCHING:
        if count := requests.get(action, 0):
            # CPU time is known of the whole source; pages are taken to cost alike.
            paid = cost["cpu_s"] * count / total if unit == "cpu_s" else float(count)
            arm = Arm(source, action)
            yield Observation(arm, age, count, paid, rows.get(action, 0))


def memory(standing: StandingStore, recipe: str) -> bytes:
    """`strategy_memory.json`: every night's decision with its reasons, its cost and its later yield."""
    nights = list(_nights(standing, recipe))
    return json.dumps({"recipe": recipe, "nights": nights}, indent=2).encode()


def _nights(standing: StandingStore, recipe: str) -> list[dict[str, Any]]:
    """Every night in the order of its first event; of several events of one kind the newest counts."""
    nights: dict[str, dict[str, Any]] = {}
    for fact in standing.read(_topic(recipe)):
        run_id = fact.value["run_id"]
        night = nights.setdefault(
            run_id, {"run_id": run_id, "decision": None, "spent": {}, "rows": None}
        )
        _noted(night, fact)
    return list(nights.values())


def _noted(night: dict[str, Any], fact: Fact) -> None:
    value = fact.value
    if value["event"] == "decision":
        kept = ("pages", "reasons", "proposal")
        night["decision"] = {name: value[name] for name in kept}
        night["at"] = fact.at.isoformat()
    elif value["event"] == "spent":
        night["spent"][value["source"]] = {
            "requests": value["requests"],
            "cpu_s": value["cpu_s"],
        }
    else:
        night["rows"] = value["rows"]


def _topic(recipe: str) -> str:
    return f"strategy/{recipe}"
