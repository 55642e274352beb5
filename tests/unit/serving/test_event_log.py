"""Events in order, once, from behind any id; what is lost is said."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kindling.client.events import EventReader
from kindling.serving import events
from kindling.serving.events import EventLog, line


async def kept(log: EventLog, after: int | None, n: int) -> list[Any]:
    found = []
    stream = log.after(after)
    for _ in range(n):
        found.append(await anext(stream))
    await stream.aclose()  # type: ignore[attr-defined]
    return found


@given(st.integers(1, 30), st.integers(0, 29))
def test_whoever_comes_back_is_told_exactly_what_came_behind(n: int, at: int) -> None:
    async def run() -> None:
        log = EventLog(clock=lambda: 1.0)
        for number in range(n):
            log.add("serving", {"number": number})
        every = await kept(log, None, n)
        assert [one[2]["number"] for one in every] == list(range(n))
        seen = min(at, n - 1)
        rest = await kept(log, every[seen][0], n - 1 - seen)
        assert rest == every[seen + 1 :]
        assert log.streams == 0

    asyncio.run(run())


def test_what_is_not_kept_any_more_is_told_as_a_gap() -> None:
    async def run() -> list[Any]:
        log = EventLog(clock=lambda: 1.0)
        for number in range(events.KEPT + 5):
            log.add("serving", {"number": number})
        return await kept(log, 1001, 2)

    gap, first = asyncio.run(run())
    assert (gap[1], gap[2]["after"]) == ("gap", 1001)
    assert first[2]["number"] == 5 and gap[0] == first[0] - 1


def test_only_changes_of_the_worker_are_events() -> None:
    log = EventLog()
    beat = {
        "versions": {"model_version": "1", "index_version": "v", "provisional": False},
        "search": "ok",
        "busy_s": 0.0,
    }
    for busy in range(5):
        log.look(beat | {"busy_s": float(busy)})
    log.look(beat | {"search": "search_unavailable"})
    log.look(None)
    kinds = [one[1] for one in log._kept]
    assert kinds == ["worker", "serving", "search", "search", "worker"]


@given(st.text(max_size=50))
def test_a_client_reads_what_was_written(text: str) -> None:
    reader, found = EventReader(), []
    written = line(None) + line((7, "training", {"at": 2.5, "said": text}))
    for one in written.decode().split("\n"):
        if event := reader.read(one):
            found.append(event)
    [event] = found
    assert (event.event_id, event.kind, event.content.at) == (7, "training", 2.5)
    assert event.content.model_extra == {"said": text}


def test_who_reads_more_slowly_than_events_come_is_told_of_the_gap() -> None:
    async def run() -> list[Any]:
        log = EventLog(clock=lambda: 1.0)
        log.add("serving", {"number": 0})
        log.add("serving", {"number": 1})
        stream = log.after(None)
        found = [await anext(stream)]
        for number in range(2, events.KEPT + 10):
            log.add("serving", {"number": number})
        found += [await anext(stream), await anext(stream)]
        await stream.aclose()  # type: ignore[attr-defined]
        return found

    first, gap, then = asyncio.run(run())
    assert first[2]["number"] == 0
    assert (gap[1], gap[2]["after"]) == ("gap", first[0])
    assert then[2]["number"] == 10 and then[0] == gap[0] + 1


def test_an_id_that_was_never_given_hears_what_comes_next() -> None:
    async def run() -> Any:
        log = EventLog(clock=lambda: 1.0)
        log.add("serving", {"number": 0})
        stream = log.after(10**17)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        log.add("serving", {"number": 1})
        found = await waiting
        await stream.aclose()  # type: ignore[attr-defined]
        return found

    assert asyncio.run(run())[2]["number"] == 1


@given(st.integers(0, 10**18 - 1))
def test_an_id_is_read_from_the_header_and_else_from_the_address(number: int) -> None:
    assert events.last_seen(str(number), "7") == number
    assert events.last_seen(None, str(number)) == number
    assert events.last_seen("nonsense", str(number)) == number
    assert events.last_seen("nonsense", None) is None
