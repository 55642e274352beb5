"""Exports are read without a mapping, whatever their columns are called."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from kindling.errors import ConfigurationError
from kindling.recipe import SourceEntry
from kindling.sources.files import Options
from kindling.sources.files.collecting import Files
from kindling.sources.files.names import NAMES, folded

BODY = "Pours well and the lid sits tight and it keeps warm"

EXPORTS = {
    "Judge.me": {
        "title": "Lovely", "body": BODY, "rating": 4, "review_date": "2024-05-06 07:08:09 UTC",
        "source": "web", "curated": "ok", "reviewer_name": "A. B.", "reviewer_email": "a@b.example",
        "product_id": "77", "product_handle": "blue-teapot", "reply": "", "reply_date": "",
        "picture_urls": "https://cdn.example/1.jpg,https://cdn.example/2.jpg", "ip_address": "",
    },
    "Loox": {
        "product_handle": "77", "rating": 4, "author": "A. B.", "email": "a@b.example",
        "body": BODY, "created_at": "2024-05-06T07:08:09Z", "photo_url": "https://cdn.example/1.jpg",
        "verified_purchase": "true",
    },
    "Yotpo": {
        "Review ID": "1", "Review Title": "Lovely", "Review Content": BODY, "Review Score": 4,
        "Date": "2024-05-06", "Product ID": "77", "Product Title": "Blue teapot",
        "Product URL": "https://x.example/p", "Display Name": "A. B.", "Email": "a@b.example",
        "Published Image URL": "https://cdn.example/1.jpg",
    },
    "Okendo": {
        "productId": "77", "productName": "Blue teapot", "rating": 4, "title": "Lovely",
        "body": BODY, "name": "A. B.", "email": "a@b.example", "dateCreated": "2024-05-06T07:08:09.000Z",
        "isRecommended": "true", "imageUrls": "https://cdn.example/1.jpg", "helpfulCount": 0,
    },
    "Trustpilot": {
        "Review Id": "1", "Review Created (UTC)": "2024-05-06T07:08:09Z", "Consumer Name": "A. B.",
        "Review Title": "Lovely", "Review Content": BODY, "Review Stars": 4, "Domain": "x.example",
        "Product SKU": "77", "Company Reply": "Thank you",
    },
}  # fmt: skip


@pytest.mark.parametrize("shape", EXPORTS)
def test_an_export_is_read_without_a_mapping(survey, shape):
    row = EXPORTS[shape]
    cells = [
        f'"{value}"' if "," in str(value) else str(value) for value in row.values()
    ]
    found = survey(f"{','.join(row)}\n{','.join(cells)}\n", products="column")
    assert found.files[0].shape == shape
    [review] = found.reviews
    assert (review.body, review.rating, review.product_id) == (BODY, 4, "77")
    assert review.published == "2024-05-06"
    assert review.title == ("Lovely" if shape != "Loox" else "")
    assert "A. B." not in str(review), "names of people are not kept"
    pictures = found.rows.pictures[review.source_url]
    assert pictures[:1] == (
        ["https://cdn.example/1.jpg"] if shape != "Trustpilot" else []
    )


def test_amazon_reviews_are_joined_with_their_products(tmp_path, tools):
    picture = {
        "small_image_url": "https://m.example/s.jpg",
        "large_image_url": "https://m.example/l.jpg",
    }
    review = {
        "rating": 2.0, "title": "Leaks", "text": "It leaks at the seam after a week",
        "images": [picture], "asin": "B1", "parent_asin": "B0", "user_id": "U",
        "timestamp": 1588687728923, "helpful_vote": 0, "verified_purchase": True,
    }  # fmt: skip
    meta = {
        "main_category": "Home", "title": "Blue teapot", "average_rating": 4.1,
        "parent_asin": "B0", "images": [], "categories": ["Home", "Kitchen", "Teapots"],
    }  # fmt: skip
    (tmp_path / "Home.jsonl").write_text(json.dumps(review) + "\n")
    (tmp_path / "meta_Home.jsonl").write_text(json.dumps(meta) + "\n")
    found = Files(Options(path=str(tmp_path), products="column"), tools).survey()
    [one] = found.reviews
    assert (one.product_id, one.category, one.rating) == ("B0", "Teapots", 2)
    assert one.published == "2020-05-05"
    assert found.rows.products["B0"].name == "Blue teapot"
    assert found.rows.pictures[one.source_url] == ["https://m.example/l.jpg"]
    assert not found.rows.rejections


@pytest.mark.parametrize(
    "header",
    [
        "Bewertungstext;Sterne;Produktname;Datum;Kategorie",
        "Commentaire;Note;Nom du produit;Date de l'avis;Catégorie",
        "Comentario;Puntuación;Nombre del producto;Fecha;Categoría",
        "Recensione;Voto;Nome prodotto;Data;Categoria",
        "Recensie;Aantal sterren;Productnaam;Datum;Categorie",
        "Treść opinii;Ocena;Nazwa produktu;Data wystawienia;Kategoria",
        "Texto da avaliação;Nota;Nome do produto;Data da avaliação;Categoria",
        "Bewertung;Sternebewertung;Produkt;Erstellt am;Warengruppe",
    ],
)
def test_plain_columns_are_known_in_several_languages(survey, header):
    rows = "".join(
        f"{BODY} {n};4,0;Teekanne {n};{n}.03.2024;Kannen\n" for n in range(13, 20)
    )
    found = survey(f"{header}\n{rows}", products="column")
    assert {one.rating for one in found.reviews} == {4}
    assert found.reviews[0].product_id == "teekanne 13"
    assert found.reviews[0].category == "Kannen"
    assert {one.published for one in found.reviews} == {
        f"2024-03-{n}" for n in range(13, 20)
    }


def test_columns_without_a_known_name_are_told_by_what_they_hold(survey):
    rows = "".join(f"{n % 5 + 1}|x{n}|{BODY} {n}\n" for n in range(40))
    found = survey(f"aaa|bbb|ccc\n{rows}")
    told = {
        key: (one.name, one.how)
        for key, one in found.files[0].columns.by_meaning.items()
    }
    assert told == {"stars": ("aaa", "content"), "body": ("ccc", "content")}
    assert len(found.reviews) == 40


def test_a_file_without_a_header_is_read(survey):
    found = survey("".join(f"{n % 5 + 1},{BODY} {n}\n" for n in range(40)))
    assert len(found.reviews) == 40
    assert found.reviews[0].source_url == "file:reviews.csv#1"


def test_the_recipe_names_a_column_and_what_its_words_mean(survey):
    found = survey(
        f"aaa,verdict\n{BODY},Good\n{BODY} too,Bad\n",
        columns={"body": "aaa", "stars": "verdict"},
        stars={"good": 5, "bad": 1},
    )
    assert [one.rating for one in found.reviews] == [5, 1]


@pytest.mark.parametrize("suffix", [".parquet", ".json", ".jsonl", ".json.gz"])
def test_other_formats_hold_the_same_reviews(tmp_path: Path, tools, suffix):
    import gzip

    rows = [
        {"body": f"{BODY} {n}", "stars": n % 5 + 1, "sku": f"p{n}"} for n in range(30)
    ]
    path = tmp_path / f"reviews{suffix}"
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        text = (
            "\n".join(map(json.dumps, rows))
            if suffix == ".jsonl"
            else json.dumps({"reviews": rows})
        )
        path.write_bytes(
            gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode()
        )
    found = Files(Options(path=str(path)), tools).survey()
    assert [(one.body, one.rating, one.product_id) for one in found.reviews] == [
        (row["body"], row["stars"], row["sku"]) for row in rows
    ]


def test_a_column_of_ids_that_repeats_is_not_the_reviews_id(survey):
    rows = "".join(f"order{n % 9},{BODY} {n},4\n" for n in range(60))
    found = survey(f"id,body,rating\n{rows}")
    assert len(found.reviews) == 60
    assert "'id' repeats itself" in found.files[0].columns.notes[0]


def test_without_products_every_review_is_one_and_it_is_said(survey):
    found = survey("body,rating\n" + "".join(f"{BODY} {n},4\n" for n in range(30)))
    assert found.products == "review"
    assert len(found.rows.products) == 30


def test_names_are_written_as_they_are_compared():
    for meaning, names in NAMES.items():
        assert [folded(one) for one in names] == list(names), meaning


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"path": "x", "columns": {"bdy": "a"}},
            "unknown meaning bdy; allowed: .*body",
        ),
        ({"path": "x", "stars": {"good": 6}}, "6 is no number of stars"),
        ({"path": "x", "encoding": "klingon"}, "unknown encoding 'klingon'"),
        ({}, "path: Field required"),
        ({"path": "x", "colums": {}}, "keys of source files: .*columns"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(options, said):
    with pytest.raises(ValueError, match=said):
        SourceEntry(kind="files", **options)


def test_a_folder_without_files_is_a_configuration_error(tmp_path, tools):
    with pytest.raises(ConfigurationError, match="no file in this folder ends in"):
        Files(Options(path=str(tmp_path)), tools).survey()


def test_without_a_product_column_a_review_is_a_product_of_its_own_category(survey):
    rows = "".join(f"{('Lamps', 'Rugs')[n % 2]},5,{BODY} {n}\n" for n in range(20))
    found = survey(f"category,stars,review\n{rows}")
    assert found.products == "review"
    assert found.named_products == 0
    of_products = {one.category for one in found.rows.products.values()}
    assert of_products == {"Lamps", "Rugs"}
    for review in found.reviews:
        assert found.rows.products[review.product_id].category == review.category


def test_a_product_and_its_reviews_are_of_the_category_that_most_rows_name(survey):
    rows = "".join(
        f"p{n % 2},{'Rugs' if n < 5 else 'Lamps'},5,{BODY} {n}\n" for n in range(20)
    )
    found = survey(f"product id,category,stars,review\n{rows}", products="column")
    assert {one.category for one in found.rows.products.values()} == {"Lamps"}
    assert {one.category for one in found.reviews} == {"Lamps"}
    assert len(found.reviews) == 20
