"""Copies are found, near misses stay, opposite opinions never meet, and order changes nothing."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.dedupe.clusters import Clustering, cluster, cluster_texts
from kindling.dedupe.leaders import LeaderIndex
from kindling.dedupe.texts import Rules, read_texts
from kindling.records import Review

RULES = Rules()
LONG = (
    "the teapot pours without a drip and keeps the tea warm for an hour, my sister bought the same one "
    "for her office and everyone asks where it is from, the lid sits tight and the glaze shows no crack"
)


def kept(clustering: Clustering) -> set[str]:
    return {member.review_id for member in clustering.members if member.kept}


def mutations(text: str) -> dict[str, str]:
    words = text.split()
    return {
        "one word changed": " ".join([*words[:9], "brother", *words[10:]]),
        "typos": text.replace("without", "withuot").replace("tight", "tihgt"),
        "boilerplate": f"{text}. Originally posted elsewhere.",
        "shouted": text.upper() + "!!!",
        "first word lost": " ".join(words[1:]),
    }


@pytest.mark.parametrize("mutation", mutations(LONG))
def test_planted_copies_are_found(mutation: str, review: Callable[..., Review]) -> None:
    original, copy = review(LONG), review(mutations(LONG)[mutation], product="p2")
    (a, b) = cluster([original, copy], RULES).members
    assert a.representative == b.representative
    assert {a.reason, b.reason} == {
        "representative",
        "exact_duplicate" if mutation == "shouted" else "near_duplicate",
    }
    assert min(a.similarity, b.similarity) >= RULES.threshold


def test_hard_negatives_stay(review: Callable[..., Review]) -> None:
    half = LONG.split(", ")
    rows = [
        review(LONG),
        review(
            f"{half[0]}, but the spout broke off in the first week and nobody answered my letters about it"
        ),
        review(f"it came in a torn box after three weeks on the road, {half[1]}"),
        review("Love it!", product="p1"),
        review("Love it!", product="p2"),
        review("Love it", product="p3"),
    ]
    assert kept(cluster(rows, RULES)) == {row.review_id for row in rows}


def test_short_copies_count_within_a_product_only(
    review: Callable[..., Review],
) -> None:
    rows = [
        review("Love it!", product="p1"),
        review("love it", product="p1"),
        review("Love it!", product="p2"),
    ]
    clustering = cluster(rows, RULES)
    assert kept(clustering) == {rows[0].review_id, rows[2].review_id}
    assert clustering.members[1].reason == "exact_duplicate"


@pytest.mark.parametrize("copy", [LONG, LONG.replace("sister", "brother")])
def test_opposite_polarity_is_kept_and_counted(
    copy: str, review: Callable[..., Review]
) -> None:
    rows = [review(LONG, rating=5), review(copy, rating=1, product="p2")]
    clustering = cluster(rows, RULES)
    assert kept(clustering) == {row.review_id for row in rows}
    assert clustering.opposite_refused == 1
    assert [pair[:2] for pair in clustering.apart] == [
        tuple(row.review_id for row in rows)
    ]


def test_a_neutral_copy_is_no_bridge(review: Callable[..., Review]) -> None:
    rows = [review(LONG, rating=rating, product=f"p{rating}") for rating in (1, 3, 5)]
    clustering = cluster(rows, RULES)
    assert kept(clustering) == {rows[0].review_id, rows[2].review_id}
    assert clustering.clusters == 1


def test_the_longest_stands_for_all_then_the_lowest_id(
    review: Callable[..., Review],
) -> None:
    a, b, c = review(LONG), review(LONG + "!!"), review(LONG + "??", product="p2")
    assert {member.representative for member in cluster([c, b, a], RULES).members} == {
        b.review_id
    }


texts = st.lists(
    st.sampled_from(
        [
            LONG,
            *mutations(LONG).values(),
            LONG.replace("teapot", "clock"),
            LONG[:120],
            LONG[60:],
            "Love it!",
            "love it",
            "Broke after a day, and the shop did not answer my letters.",
            "Broke after a day and the shop did not answer.",
        ]
    ),
    min_size=1,
    max_size=12,
)


@st.composite
def worlds(draw: st.DrawFn) -> list[Review]:
    return [
        Review(
            f"r{number:02d}",
            draw(st.sampled_from("pqs")),
            "Lamps",
            "",
            text,
            draw(st.integers(1, 5)),
            "scraped",
        )
        for number, text in enumerate(draw(texts))
    ]


@given(worlds(), st.randoms(use_true_random=False))
def test_order_free(rows: list[Review], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert cluster(shuffled, RULES) == cluster(rows, RULES)


@given(worlds())
def test_idempotent_and_never_mixed(rows: list[Review]) -> None:
    clustering = cluster(rows, RULES)
    stay = kept(clustering)
    assert kept(cluster([row for row in rows if row.review_id in stay], RULES)) == stay
    rating = {row.review_id: row.rating for row in rows}
    for member in clustering.members:
        pair = rating[member.review_id], rating[member.representative]
        assert not (min(pair) <= 2 and max(pair) >= 4)
        assert member.representative in stay


@given(worlds(), st.integers(0, 12))
def test_exact_incremental_is_full(rows: list[Review], tonight: int) -> None:
    """Yesterday's kept rows and tonight's new ones give what all rows give."""
    exact = Rules(threshold=1.0)

    def unique(some: Iterable[Review]) -> set[str]:
        return kept(cluster(some, exact))

    yesterday = unique(rows[:tonight]) if tonight and rows[:tonight] else set()
    both = [row for row in rows[:tonight] if row.review_id in yesterday] + rows[
        tonight:
    ]
    assert unique(both) == unique(rows)


def test_many_rows_in_little_time(
    sentence: Callable[[int], str], review: Callable[..., Review]
) -> None:
    rows = [
        review(sentence(number), product=f"p{number % 50}") for number in range(1_500)
    ]
    rng = np.random.default_rng(0)
    copies = [
        review(rows[int(i)].body + " indeed", product="copy")
        for i in rng.choice(1_500, 50, replace=False)
    ]
    clustering = cluster([*rows, *copies], RULES)
    assert clustering.clusters == 50
    assert len(kept(clustering)) == 1_500
    assert clustering.candidates_verified < 15_000


def chain(steps: int) -> list[str]:
    """Texts of which each is near the next, and the first far from the last."""
    words = LONG.split()
    texts = []
    for step in range(steps):
        changed = [f"word{place}" for place in range(2 * step)]
        texts.append(" ".join([*changed, *words[2 * step :]]))
    return texts


def test_a_member_is_near_its_representative_not_near_a_chain(
    review: Callable[..., Review],
) -> None:
    rows = [review(text, product=f"p{n}") for n, text in enumerate(chain(14))]
    clustering = cluster(rows, RULES)
    assert 2 < len(kept(clustering)) < len(rows)
    assert all(one.similarity >= RULES.threshold for one in clustering.members)


def test_boilerplate_is_not_verified_pair_by_pair(
    review: Callable[..., Review], sentence: Callable[[int], str]
) -> None:
    """A template with one word of its own in each of 1,500 reviews."""
    rows = [
        review(LONG.replace("office", f"office{n}"), product=f"p{n}")
        for n in range(1_500)
    ]
    clustering = cluster(rows, RULES)
    assert clustering.clusters == 1
    assert clustering.candidates_verified < 3 * len(rows)


def test_chinese_copies_are_found(review: Callable[..., Review]) -> None:
    text = (
        "这个茶壶倒水时一点也不漏，保温一个小时没有问题，我姐姐给她的办公室也买了一个"
    )
    copy = text.replace("姐姐", "哥哥")
    other = "收到的时候盒子已经破了，壶嘴第一个星期就断了，写信给商店也没有人回答我"
    rows = [
        review(text),
        review(copy, product="p2"),
        review(other, product="p3"),
    ]
    assert kept(cluster(rows, Rules(threshold=0.7))) in (
        {rows[0].review_id, rows[2].review_id},
        {rows[1].review_id, rows[2].review_id},
    )


@given(worlds(), st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_incremental_equals_full_rebuild(rows: list[Review], seen: list[int]) -> None:
    """Night by night against what stays so far, or all at once: the same places."""
    nights = {row.review_id: night for row, night in zip(rows, seen, strict=False)}
    full = cluster(rows, RULES, nights)
    index = LeaderIndex.empty(RULES)
    members, apart = [], []
    for night in range(4):
        batch = [row for row in rows if nights[row.review_id] == night]
        texts = read_texts(batch, RULES)
        step = cluster_texts(texts, RULES, None, index.candidates(texts))
        index = index.extended(step.leaders)
        members += step.members
        apart += step.apart
    stands = {
        one.representative for one in members if one.review_id != one.representative
    }
    same = {(one.review_id, one.representative, one.similarity) for one in members}
    assert same == {
        (one.review_id, one.representative, one.similarity) for one in full.members
    }
    assert set(apart) == set(full.apart)
    assert stands <= {leader.review_id for leader in full.leaders}
