"""A page's path of links names its category, where structured data does not."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from kindling.scraping.breadcrumbs import category_of


@pytest.mark.parametrize(
    ("html", "category"),
    [
        (
            "<nav class=breadcrumbs><a href=/>Home</a> › <a href=/c/1>Kitchen</a> › "
            "<a href=/c/2>Teapots</a> › <span>Pot</span></nav>",
            "Teapots",
        ),
        (
            "<ol id=breadcrumb><li><a href=/>Startseite</a><li><a href=/c>Kannen</a>"
            "<li><a href=/p>Pot</a></ol>",
            "Kannen",
        ),
        ("<div aria-label=Breadcrumb><a href=/>Accueil</a></div>", ""),
        ("<nav><a href=/c/1>Kitchen</a></nav>", ""),
        (
            "<div class=breadcrumbs>"
            + "".join(f"<a href=/c/{n}>Shelf {n}</a>" for n in range(30))
            + "</div>",
            "",
        ),
    ],
)
def test_the_last_step_before_the_product_is_the_category(html, category):
    assert category_of(LexborHTMLParser(html), "Pot") == category
