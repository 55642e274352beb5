"""What reviewers and shops write by hand: ratings, dates, numbers, tags; a null rather than a wrong value."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.errors import DataError
from kindling.records import Review
from kindling.scraping.clean import mask_personal_data, normalise
from kindling.scraping.dates import iso_date
from kindling.scraping.identity import Candidate, settle
from kindling.scraping.language import language_of
from kindling.scraping.rating import Rating, parse_rating

TODAY = datetime.date(2024, 6, 1)


@pytest.mark.parametrize(
    ("text", "value", "best"),
    [
        ("٤٫٥ من ٥", 4.5, 5),
        ("٤٫٥", 4.5, None),
        ("4½ stars", 4.5, None),
        ("4 1/2 stars", 4.5, None),
        ("★★★★⯨", 4.5, 5),
        ("⭐️⭐️⭐️⭐️⭐️", 5, 5),
        ("⚫⚫⚫⚪⚪", 3, 5),
        ("Four out of five stars", 4, 5),
        ("stars-4-half", 4.5, None),
        ("rating_3", 3, None),
        ("star-rating Four", 4, None),
        ("5 üzerinden 4,3", 4.3, 5),
        ("별표 5개 중 4개", 4, 5),
        ("5점 만점에 4점", 4, 5),
        ("5-ből 4,5", 4.5, 5),
        ("4.5 颗星，最多 5 颗星", 4.5, 5),
        ("满分5分，4.5分", 4.5, 5),
        ("4,0 étoiles sur 5", 4, 5),
        ("4.6666666667", 4.6666666667, None),
        ("４／５", 4, 5),
        ("5.0 z 6 opinii", 5, None),
    ],
)
def test_ratings_that_are_there(text, value, best):
    assert parse_rating(text) == Rating(value, best)


@pytest.mark.parametrize(
    "text",
    [
        "12 people found this helpful",
        "3 of 20 people found this helpful",
        "Size 4",
        "05.10.2024",
        "4/5/2024",
        "2024-10-05",
        "1,037",
        "4 reviews",
        "5 4 3 2 1",
        "$4.50",
        "4,50 €",
        "100% cotton",
        "one of the best",
        "❤❤❤",
        "col-3",
        "3 days ago",
    ],
)
def test_numbers_that_are_no_ratings(text):
    assert parse_rating(text) is None


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Rezension aus Deutschland vom 7. Juni 2018", "de", "2018-06-07"),
        ("Reviewed in the United States on June 7, 2018", "en-US", "2018-06-07"),
        ("Commenté en France le 7 juin 2018", "fr", "2018-06-07"),
        ("7 de junio de 2018", "", "2018-06-07"),
        ("5 января 2021 г.", "ru", "2021-01-05"),
        ("2023년 10월 5일", "ko", "2023-10-05"),
        ("2018-06-07T10:00:00Z", "", "2018-06-07"),
        ("1528329600", "", "2018-06-07"),
        ("13/02/2023", "", "2023-02-13"),
        ("02/13/2023", "", "2023-02-13"),
        ("02/03/2023", "en-GB", "2023-03-02"),
        ("02/03/2023", "en-US", "2023-02-03"),
        ("02.03.2023", "", "2023-03-02"),
        ("3 days ago", "en", "2024-05-29"),
        ("vor 2 Tagen", "de", "2024-05-30"),
        ("02/03/2023", "", ""),
        ("02/03/2023", "en", ""),
        ("2 months ago", "en", ""),
        ("March 2020", "", ""),
        ("2020", "", ""),
        ("Jo, 5 stars", "", ""),
        ("2031-01-01", "", ""),
        ("2023-13-45", "", ""),
        ("", "", ""),
    ],
)
def test_dates(text, language, expected):
    today = TODAY if expected[:4] == "2024" or "ago" in text else None
    assert iso_date(text, language, today) == expected


@given(st.dates(datetime.date(1995, 1, 1), datetime.date(2024, 1, 1)))
def test_iso_dates_stay(day):
    assert iso_date(day.isoformat()) == day.isoformat()
    assert iso_date(f"{day.isoformat()}T12:00:00+02:00") == day.isoformat()


@given(st.text(max_size=40))
def test_no_text_raises_as_a_date(text):
    found = iso_date(text)
    assert not found or datetime.date.fromisoformat(found)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Appelez le 01 23 45 67 89", "Appelez le [phone]"),
        ("06 12 34 56 78 merci", "[phone] merci"),
        ("call 0800 123 4567", "call [phone]"),
        ("1 800 555 0199", "[phone]"),
        ("0049 30 1234567", "[phone]"),
        ("tel. 612345678", "tel. [phone]"),
        ("DE89 3704 0044 0532 0130 00 bitte", "[iban] bitte"),
        ("to GB82 WEST 1234 5698 7654 32 THANKS", "to [iban] THANKS"),
        ("order 4155552671 arrived", "order 4155552671 arrived"),
        ("Order number: 4155552671", "Order number: 4155552671"),
        ("Bestellnummer 0301234567", "Bestellnummer 0301234567"),
        ("tracking 4155552671", "tracking 4155552671"),
        ("EAN 4006381333931", "EAN 4006381333931"),
        ("I paid 1 200 000 000", "I paid 1 200 000 000"),
        ("DE00 3704 0044 0532 0130 00", "DE00 3704 0044 0532 0130 00"),
    ],
)
def test_numbers_of_people_and_others(text, masked):
    assert mask_personal_data(text).text == masked


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('Nice <a href="http://x.example">site</a>', "Nice site"),
        ("<img src=x onerror=alert(1)>Fine", "Fine"),
        ("<h2>Good</h2><p>Very</p>", "Good Very"),
        ("a<script>steal()</script>b", "a b"),
        ("a<!-- hidden -->b", "a b"),
        ('<a title="a>b">x</a>', "x"),
        ("w<b>or</b>d", "word"),
        ("I <3 it, x <y> z", "I <3 it, x <y> z"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
    ],
)
def test_tags_leave_the_text(raw, expected):
    assert normalise(raw) == expected


def test_languages_are_told_or_left_open():
    assert language_of("The stool wobbles on our kitchen floor, a pity.") == "en"
    assert language_of("Der Hocker wackelt auf unserem Küchenboden, schade.") == "de"
    assert language_of("ok") == ""


def candidate(product: str, native: str, body: str, address: str = "") -> Candidate:
    review = Review(native, product, "c", "", body, 4, "scraped")
    return Candidate(review, f"{product}#{body}", address)


def test_one_id_on_many_products_is_many_reviews():
    found, rejected = settle(
        candidate(f"p{one}", "review-0", f"Text {one}.") for one in range(60)
    )
    assert (len({one.review_id for one in found}), rejected) == (60, [])


def test_an_id_that_many_texts_share_stops_the_run():
    with pytest.raises(DataError, match="'x' of product 'p1'"):
        settle(candidate("p1", "x", f"Text {one}.") for one in range(60))


def test_sources_keep_their_ids_apart():
    one, _ = settle([candidate("p", "a", "x")], "first")
    two, _ = settle([candidate("p", "a", "x")], "second")
    assert one[0].review_id == "first:a" != two[0].review_id


@given(
    st.lists(
        st.tuples(
            st.sampled_from("pq"), st.sampled_from(["", "1", "2"]), st.sampled_from("xyz"),
            st.sampled_from(["", "http://s.example/p#1", "http://s.example/p?page=2#1"]),
        ),
        max_size=9,
    )
)  # fmt: skip
def test_every_review_is_kept_once_or_rejected_and_ids_differ(rows):
    found, rejected = settle(
        candidate(product, native, body, address if native else "")
        for product, native, body, address in rows
    )
    assert len(found) + len(rejected) == len(rows)
    assert len({one.review_id for one in found}) == len(found)
