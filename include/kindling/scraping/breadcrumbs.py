"""The category that a page's path of links ("Home > Kitchen > Teapots > this one") names, where no data does."""

import re

from selectolax.lexbor import LexborHTMLParser

from kindling.scraping.text import shown_text

_TRAILS = (
    "nav[aria-label*=breadcrumb i], [class*=breadcrumb i], [id*=breadcrumb i], "
    "[data-testid*=breadcrumb i]"
)
#: What the first step is called; it is no category.
_HOME = re.compile(
    r"^(?:home(?:page)?|start(?:seite)?|accueil|inicio|início|strona główna|hem|forside|"
    r"shop|store|back|zurück|retour|all|alle|tous|products?|produkte|produits|[»›>/\W]*)$",
    re.IGNORECASE,
)
_MAX_NAME = 60
_MAX_STEPS = 12


def category_of(tree: LexborHTMLParser, product: str) -> str:
    """The last step that is a link and not the product itself; empty where there is no such path."""
    for trail in tree.css(_TRAILS):
        names = [" ".join(shown_text(link).split()) for link in trail.css("a[href]")]
        if len(names) > _MAX_STEPS:
            continue
        steps = [
            name.strip(" »›>/|")
            for name in names
            if not _HOME.match(name) and len(name) <= _MAX_NAME and name != product
        ]
        if steps:
            return steps[-1]
    return ""
