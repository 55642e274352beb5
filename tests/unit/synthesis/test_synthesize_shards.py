"""Shards of synthesis share the niche out among them, and together leave nothing out or twice."""

from collections import Counter
from collections.abc import Callable

from kindling.records import Photo, Review, Study
from kindling.stages.contract import Shard

NICHE = ("Teapots", "Lamps", "Mirrors")


def of(outcomes: list, record_type: type) -> list:
    return [
        record
        for outcome in outcomes
        for record in outcome.records
        if type(record) is record_type
    ]


def lacking(outcomes: list) -> Counter[str]:
    return Counter(
        {
            cell: one["lacking"]
            for outcome in outcomes
            for cell, one in outcome.figures["cells"].items()
        }
    )


def test_shards_fill_whole_categories_and_share_budget_and_studies(
    run_synthesize: Callable,
) -> None:
    [whole] = [run_synthesize(niche=NICHE, studies=4)]
    parts = [run_synthesize(niche=NICHE, studies=4, shard=Shard(n, 2)) for n in (0, 1)]
    assert lacking(parts) == lacking([whole])
    shares = [{row.category for row in of([part], Review)} for part in parts]
    assert shares == [{"Lamps", "Teapots"}, {"Mirrors"}]
    for kind, name in (
        (Review, "review_id"),
        (Photo, "photo_id"),
        (Study, "study_id"),
    ):
        ids = [getattr(row, name) for row in of(parts, kind)]
        assert len(ids) == len(set(ids)) > 0
    assert len(of(parts, Study)) == len(of([whole], Study)) == 4


def test_the_shares_of_the_budget_sum_to_it(run_synthesize: Callable) -> None:
    parts = [
        run_synthesize(niche=NICHE, max_rows=31, studies=0, shard=Shard(n, 3))
        for n in range(3)
    ]
    wanted = sum(
        one["wanted"] for part in parts for one in part.figures["cells"].values()
    )
    assert wanted == 31


def test_more_shards_than_categories_leave_some_without_work(
    run_synthesize: Callable,
) -> None:
    outcome = run_synthesize(niche=("Teapots",), studies=0, shard=Shard(1, 2))
    assert outcome.rows_out == 0
    assert outcome.figures["lacking"] == 0
