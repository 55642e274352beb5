"""Large photos take turns, and give their room back however their request ends."""

import asyncio

import pytest

from kindling.serving import decoding
from kindling.serving.answer_cache import AnswerCache
from kindling.serving.decoding import Decoder, PixelBudget, pixels_of
from kindling.serving.refusals import Refused


def test_a_header_says_how_many_pixels_there_are(picture) -> None:
    assert pixels_of(picture("PNG", (640, 480))) == 307_200
    assert pixels_of(b"no image") == pixels_of(b"") == 1


def test_pixels_under_way_never_exceed_the_budget_and_all_get_their_turn() -> None:
    budget, now, most, done = PixelBudget(100), 0, 0, 0

    async def one(pixels: int) -> None:
        nonlocal now, most, done
        async with budget.lent(pixels):
            now += pixels
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= pixels
            done += 1

    async def all_of_them() -> None:
        await asyncio.gather(*(one(pixels) for pixels in [40, 60, 100, 1, 99] * 8))

    asyncio.run(all_of_them())
    assert (done, now) == (40, 0) and 60 <= most <= 100
    assert budget._free == 100


def test_one_that_is_larger_than_the_budget_goes_alone() -> None:
    budget = PixelBudget(10)

    async def ask() -> int:
        async with budget.lent(1_000):
            return budget._free

    assert asyncio.run(ask()) == 0 and budget._free == 10


def test_who_leaves_or_waits_too_long_takes_no_room(
    monkeypatch: pytest.MonkeyPatch, picture
) -> None:
    monkeypatch.setattr(decoding, "DEADLINE_S", 0.05)
    budget = PixelBudget(100)
    decoder = Decoder(budget)
    photo = picture("PNG", (10, 10))

    async def ask() -> None:
        async with budget.lent(100):
            with pytest.raises(Refused) as caught:
                async with decoder.room(photo):
                    pytest.fail("there was no room")
            assert caught.value.detail["code"] == "busy"
            leaving = asyncio.create_task(budget.lent(50).__aenter__())
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        async with decoder.room(photo):
            assert budget._free == 0

    asyncio.run(ask())
    assert budget._free == 100 and not budget._waiting


def test_equal_questions_are_computed_once_and_errors_are_not_kept() -> None:
    cache, computed = AnswerCache(entries=2), []

    async def compute() -> dict[str, int]:
        computed.append(1)
        await asyncio.sleep(0.01)
        return {"answer": len(computed)}

    async def fails() -> dict[str, int]:
        raise Refused(503, "busy", "later")

    async def ask() -> None:
        together = [cache.get("a", compute, bool) for _ in range(20)]
        assert await asyncio.gather(*together) == [{"answer": 1}] * 20
        assert await cache.get("a", compute, bool) == {"answer": 1}
        assert (cache.misses, cache.joined, cache.hits) == (1, 19, 1)
        for _ in range(2):
            with pytest.raises(Refused):
                await cache.get("b", fails, bool)
        assert await cache.get("b", compute, lambda _: False) == {"answer": 2}
        assert await cache.get("b", compute, bool) == {"answer": 3}
        await cache.get("c", compute, bool)
        assert len(cache) == 2 and await cache.get("a", compute, bool) == {"answer": 5}

    asyncio.run(ask())


def test_a_client_that_leaves_does_not_end_the_answer_of_the_others() -> None:
    cache = AnswerCache()

    async def compute() -> dict[str, int]:
        await asyncio.sleep(0.02)
        return {"answer": 1}

    async def ask() -> None:
        first = asyncio.create_task(cache.get("a", compute, bool))
        await asyncio.sleep(0)
        second = asyncio.create_task(cache.get("a", compute, bool))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == {"answer": 1}

    asyncio.run(ask())
