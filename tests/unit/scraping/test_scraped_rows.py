"""Findings to records: one row an id, every review accounted for, people's data masked."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.findings import Extraction, FoundProduct, FoundReview, Links
from kindling.scraping.photos import StoredPhoto
from kindling.scraping.rows import join
from kindling.scraping.site import CrawledPage

SHOP = "http://shop.example"
FINE = FoundReview(
    body="Holds well.",
    method="css",
    title="Good",
    review_id="r1",
    rating=4.0,
    best=5.0,
    author="Ada",
    published="2026-03-01",
    photo_url=f"{SHOP}/r.jpg",
    extractor="css:x v1/plain",
)
PRODUCT = FoundProduct("p1", "Cup", "Mugs", (f"{SHOP}/p.jpg",))
PHOTOS = {
    f"{SHOP}/{name}.jpg": StoredPhoto(
        photo_id, f"memory://{photo_id}", 4, 3, f"{SHOP}/{name}.jpg"
    )
    for name, photo_id in (("r", "aa"), ("p", "bb"), ("same", "aa"))
}


def page(
    *reviews: FoundReview,
    url: str = f"{SHOP}/p/1",
    product: FoundProduct | None = PRODUCT,
) -> CrawledPage:
    return CrawledPage(
        url,
        200,
        "c" * 64,
        "memory://",
        "http",
        datetime(2026, 1, 1, tzinfo=UTC),
        Extraction(product, reviews, Links()),
    )


def test_a_review_carries_its_provenance():
    rows = join([page(FINE)], PHOTOS)
    (review,) = rows.reviews
    assert (
        review.review_id,
        review.product_id,
        review.category,
        review.rating,
        review.photo_id,
    ) == (
        "r1",
        "p1",
        "Mugs",
        4,
        "aa",
    )
    assert (review.source_url, review.page_sha256, review.extractor, review.origin) == (
        f"{SHOP}/p/1",
        "c" * 64,
        "css:x v1/plain",
        "scraped",
    )
    assert [
        (one.product_id, one.name, one.category, one.url) for one in rows.products
    ] == [("p1", "Cup", "Mugs", f"{SHOP}/p/1")]
    assert [(one.photo_id, one.kind, one.condition) for one in rows.photos] == [
        ("aa", "review", None),
        ("bb", "product", None),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body": " \u200b<br>", "title": ""}, "empty_text"),
        ({"body": "...", "title": "!"}, "empty_text"),
        ({"rating": None}, "no_rating"),
        ({"rating": 7.0}, "rating_out_of_range"),
        ({"rating": 0.0}, "rating_out_of_range"),
        ({"rating": float("inf")}, "rating_out_of_range"),
        ({"body": "x" * 20_001}, "text_too_long"),
    ],
)
def test_unusable_reviews_are_rejected_with_the_reason(change, reason):
    rows = join([page(replace(FINE, **change))], PHOTOS)
    assert rows.reviews == ()
    assert [one.reason for one in rows.rejections] == [reason]


def test_a_rejection_is_named_by_the_review_wherever_on_its_page_it_stands():
    bare = replace(FINE, body="", title="", review_id="bare")
    nameless = replace(bare, review_id="")
    names = [
        [one.row_id for one in join([page(*reviews)], PHOTOS).rejections]
        for reviews in ((bare, FINE), (FINE, bare), (bare, bare, nameless))
    ]
    url = f"{SHOP}/p/1"
    assert names == [
        [f"{url}#bare"],
        [f"{url}#bare"],
        [f"{url}#bare", f"{url}#1", f"{url}#2"],
    ]


def test_a_title_alone_is_text():
    assert len(join([page(replace(FINE, body=""))], {}).reviews) == 1


def test_a_broken_photo_does_not_cost_the_review():
    assert join([page(FINE)], {}).reviews[0].photo_id is None


def test_ids_without_a_site_id_follow_the_content():
    bare = replace(FINE, review_id="")
    first, again = (
        join([page(bare, url=f"{SHOP}/p/{name}")], {}).reviews[0].review_id
        for name in ("1", "1?page=2")
    )
    assert first == again and len(first) == 16
    assert join([page(replace(bare, body="Other."))], {}).reviews[0].review_id != first


def test_the_second_with_an_id_is_rejected():
    rows = join(
        [
            page(FINE, replace(FINE, body="Different.")),
            page(FINE, url=f"{SHOP}/p/1?page=2"),
        ],
        {},
    )
    assert [review.body for review in rows.reviews] == ["Holds well."]
    assert [one.reason for one in rows.rejections] == ["duplicate_id"] * 2
    assert len({one.row_id for one in rows.rejections}) == 2


def test_personal_data_is_masked_and_counted():
    rows = join(
        [
            page(
                replace(
                    FINE,
                    body="Mail me: a@b.example, card 4111 1111 1111 1111",
                    author="Jo Example",
                )
            )
        ],
        {},
    )
    (review,) = rows.reviews
    assert review.body == "Mail me: [email], card [card]"
    assert rows.masked == {"email": 1, "card": 1}
    # Who wrote it is nobody's business: the name is not kept at all.
    assert review.author == ""


def test_one_picture_in_two_places_is_one_photo_and_a_reviews_first():
    rows = join(
        [page(FINE, product=replace(PRODUCT, photo_urls=(f"{SHOP}/same.jpg",)))], PHOTOS
    )
    assert [(one.photo_id, one.kind, one.source_url) for one in rows.photos] == [
        ("aa", "review", f"{SHOP}/r.jpg")
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcde"),
            st.sampled_from("12"),
            st.sampled_from([None, 0.0, 3.0, 9.0]),
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_every_review_is_a_row_or_a_rejection_in_any_order(stated, rng: random.Random):
    pages = [
        page(
            replace(FINE, review_id=name, rating=rating),
            url=f"{SHOP}/p/{number}?page={position}",
        )
        for position, (name, number, rating) in enumerate(stated)
    ]
    rows = join(pages, PHOTOS)
    assert rows.found == len(stated) == len(rows.reviews) + len(rows.rejections)
    shuffled = list(pages)
    rng.shuffle(shuffled)
    assert join(shuffled, PHOTOS) == rows
