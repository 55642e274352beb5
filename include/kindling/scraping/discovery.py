"""Where a shop's links lead, told by its structure: products, listings, next pages; no rule for a named shop."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kindling.scraping.findings import Links
from kindling.scraping.structure import ancestors
from kindling.scraping.urls import absolute, same_site

_PRODUCT_PATH = re.compile(
    r"/(?:p|pd|dp|ip|products?|prod|produits?|produkte?|productos?|prodotti|prodotto|produtos?|item|items|artikel|"
    r"article|shop/[^/]+)/[^/]+/?(?:\.html?)?$|-p-?\d+(?:\.html?)?/?$|/[^/]+-p\d{3,}|_P\d{4,}",
    re.IGNORECASE,
)
_LISTING_PATH = re.compile(
    r"/(?:c|cat|category|categories|collections?|kategorien?|categorie|categories|categoria|"
    r"product-category|rayon|departments?|browse|brand|brands|shop|store|catalog|catalogue|all)(?:/|$)",
    re.IGNORECASE,
)
#: Pages that sell and show nothing, or act when they are asked for.
_USELESS = re.compile(
    r"/(?:cart|basket|warenkorb|panier|carrito|checkout|kasse|account|konto|compte|login|log-in|signin|"
    r"sign-in|register|logout|wishlist|wish-list|merkzettel|compare|contact|kontakt|about|impressum|"
    r"datenschutz|privacy|terms|agb|legal|faq|help|hilfe|blog|news|press|jobs|career|newsletter|feed|"
    r"wp-admin|wp-json|wp-login|search|suche|recherche)(?:[/.?]|$)"
    r"|[?&](?:add-to-cart|add_to_wishlist|action|orderby|sort|order|dir|filter\w*|min_price|max_price|q|s)=",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|svg|ico|css|js|pdf|zip|xml|json|mp4|woff2?)$",
    re.IGNORECASE,
)
_NEXT = re.compile(
    r"^(?:next(?: page)?|older|weiter|nächste(?: seite)?|suivante?|page suivante|siguiente|próxima|"
    r"seguinte|successiv[ao]|avanti|volgende|następn[ay]|další|nästa|næste|sonraki|次へ?|下一页|다음|[›»→>])\s*[›»→>]?$",
    re.IGNORECASE,
)
_PRICE = re.compile(
    r"[$€£¥₹]\s?\d|\d[\d.,]*\s?(?:€|zł|kr|kč|₽|руб|usd|eur|gbp)", re.IGNORECASE
)
_PAGE_PARAMETERS = {"page", "p", "paged", "seite", "pagina", "pg", "offset", "start"}
#: Links of one shape that make a list.
_MIN_ALIKE = 3
_CARD_LEVELS = 4
_MAX_CARD_TEXT = 600


def links(tree: LexborHTMLParser, url: str) -> Links:
    """The page's links within the shop, by what their place and shape say that they lead to."""
    found: dict[str, list[LexborNode]] = defaultdict(list)
    for node in tree.css("a[href]"):
        if "hidden" in node.attributes or "nofollow" in (
            node.attributes.get("rel") or ""
        ):
            continue
        address = absolute(url, node.attributes.get("href") or "")
        if address and address != url and same_site(address, url):
            found[address].append(node)
    following = _next_page(tree, found, url)
    useful = {
        address: nodes
        for address, nodes in found.items()
        if address != following
        and not _USELESS.search(address)
        and not _FILE.search(urlsplit(address).path)
    }
    products = _products(useful, url)
    listings = [
        one for one in useful if one not in products and _is_listing(one, useful[one])
    ]
    taken = {following, *products, *listings}
    return Links(
        next=following,
        listings=tuple(listings),
        products=tuple(products),
        others=tuple(one for one in found if one not in taken),
    )


def _next_page(
    tree: LexborHTMLParser, found: dict[str, list[LexborNode]], url: str
) -> str:
    for node in tree.css('a[rel~="next"][href], link[rel~="next"][href]'):
        address = absolute(url, node.attributes.get("href") or "")
        if address and address != url and same_site(address, url):
            return address
    for address, nodes in found.items():
        for node in nodes:
            label = node.attributes.get("aria-label") or node.attributes.get("title")
            words = " ".join(node.text().split())
            marked = "next" in (node.attributes.get("class") or "").lower().split()
            if marked or _NEXT.match(words) or _NEXT.match((label or "").strip()):
                return address
    return _counted_on(found, url)


def _counted_on(found: Iterable[str], url: str) -> str:
    """The link that differs from the page in a page number alone, one higher."""
    here = _numbered(url)
    for address in found:
        there = _numbered(address)
        if there[0] == here[0] and there[1] == here[1] + 1:
            return address
    return ""


def _numbered(url: str) -> tuple[str, int]:
    """The address without its page number, and the number; 1 where it has none."""
    parts = urlsplit(url)
    number, kept = 1, []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name.lower() in _PAGE_PARAMETERS and value.isdigit() and len(value) < 6:
            number = int(value)
        else:
            kept.append((name, value))
    path = parts.path
    if match := re.search(r"/page/(\d{1,5})/?$", path):
        number, path = int(match[1]), path[: match.start()] or "/"
    return f"{parts.netloc}{path.rstrip('/')}?{kept}", number


def _products(found: dict[str, list[LexborNode]], url: str) -> list[str]:
    """Addresses shaped as products' are, and cards with a picture and a price that come in numbers."""
    by_path = [one for one in found if _PRODUCT_PATH.search(urlsplit(one).path)]
    cards = [one for one, nodes in found.items() if any(map(_is_card, nodes))]
    shapes = Counter(map(_shape, cards))
    alike = {one for one in cards if shapes[_shape(one)] >= _MIN_ALIKE}
    return [one for one in found if one in alike or one in set(by_path)]


def _is_card(link: LexborNode) -> bool:
    """Whether the link, or a small element around it, shows a picture and a price."""
    for node in (link, *ancestors(link, _CARD_LEVELS)):
        text = node.text()
        if (
            len(text) > 4 * _MAX_CARD_TEXT
            or len(" ".join(text.split())) > _MAX_CARD_TEXT
        ):
            return False
        if _PRICE.search(text) and node.css_first("img, picture, svg, [style*=url]"):
            return True
    return False


def _shape(url: str) -> tuple[str, ...]:
    """The address with what differs from product to product left out."""
    segments = urlsplit(url).path.strip("/").split("/")
    return (*segments[:-1][:2], str(len(segments)))


def _is_listing(address: str, nodes: list[LexborNode]) -> bool:
    if _LISTING_PATH.search(urlsplit(address).path):
        return True
    if _numbered(address)[1] > 1:
        return True
    return any(
        above.tag == "nav"
        or re.search(
            r"(?:^|[\s_-])(?:nav|menu|categor|breadcrumb|pagination)",
            f"{above.attributes.get('class') or ''} {above.attributes.get('id') or ''}",
            re.IGNORECASE,
        )
        for node in nodes
        for above in ancestors(node, 6)
        if above.tag != "footer"
    )
