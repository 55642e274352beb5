"""A cell becomes the right value or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.sources.files import values


@pytest.mark.parametrize(
    ("cell", "stars"),
    [
        ("5", 5), (4.0, 4), ("4,0", 4), ("4.5", 5), ("5 stars", 5), ("1 star", 1), ("4/5", 4),
        ("4 out of 5", 4), ("4,5 von 5", 5), ("3 Sterne", 3), ("4 étoiles", 4), ("2 estrellas", 2),
        ("★★★★☆", 4), ("⭐⭐⭐", 3), ("8/10", 4), ("80 %", 4), ("five stars", 5), ("Rating: 3", 3),
        ("5.00 / 5.00", 5), (" 5 ", 5), ("5 ★", 5),
    ],
)  # fmt: skip
def test_stars_in_their_shapes(cell, stars):
    assert values.stars_of(cell) == stars


@pytest.mark.parametrize(
    "cell",
    ["", None, "n/a", "04-May", "4. Mai", "2024-05-04", "5.4.2024", "4-5", "4 5", "good", "$5",
     "5 of my friends", "0", "6", "-1", True, float("nan"), "1 in 100", "size 5", "5 days"],
)  # fmt: skip
def test_what_is_no_rating_or_could_be_two_gives_none(cell):
    assert values.stars_of(cell) is None


@given(st.text(max_size=40))
def test_any_text_is_one_to_five_or_nothing(text):
    assert values.stars_of(text) in {None, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("cells", "best"),
    [
        (["1", "5", "4", "3"], None),
        (["7", "10", "9", "2", "8"], 10.0),
        (["70", "100", "95"], 100.0),
        (["5"] * 99 + ["8"], None),
        (["5 stars", "4 stars"], None),
    ],
)
def test_full_marks_are_told_from_the_column(cells, best):
    assert values.best_of(cells) == best


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["13/02/2024", "01/02/2024"], "day first"),
        (["02/13/2024", "01/02/2024"], "month first"),
        (["01/02/2024", "03/04/2024"], "unknown"),
        (["01.02.2024", "03.04.2024"], "day first"),
        (["2024-01-02"], "unknown"),
        (["13/02/2024", "02/13/2024"], "unknown"),
    ],
)
def test_the_order_of_day_and_month_is_the_columns(cells, order):
    assert values.order_of(cells) == order


@pytest.mark.parametrize(
    ("cell", "category"),
    [
        ("Teapots", "Teapots"),
        ("Home > Kitchen > Teapots", "Teapots"),
        (["Home", "Teapots"], "Teapots"),
        ("['Home', 'Teapots']", "Teapots"),
        (None, ""),
        ("", ""),
    ],
)
def test_a_category_is_the_narrowest_name(cell, category):
    assert values.category_of(cell) == category


@pytest.mark.parametrize(
    ("cell", "photos"),
    [
        ("https://a.example/1.jpg", ["https://a.example/1.jpg"]),
        ("https://a.example/1.jpg,https://a.example/2.jpg", ["https://a.example/1.jpg", "https://a.example/2.jpg"]),
        ("https://a.example/1.jpg; https://a.example/2.jpg", ["https://a.example/1.jpg", "https://a.example/2.jpg"]),
        ('["https://a.example/1.jpg"]', ["https://a.example/1.jpg"]),
        ("https://a.example/c,w_200/1.jpg", ["https://a.example/c,w_200/1.jpg"]),
        ("photos/one.jpg", ["photos/one.jpg"]),
        ("no picture", []),
        (None, []),
    ],
)  # fmt: skip
def test_addresses_and_names_of_photos(cell, photos):
    assert values.photos_of(cell) == photos
