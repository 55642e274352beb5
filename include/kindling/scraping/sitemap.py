"""Product addresses that a shop lists for crawlers."""

from lxml import etree

from kindling.scraping.urls import absolute, same_origin

_MAX_URLS = 50_000


def locations(content: bytes, url: str) -> tuple[list[str], list[str]]:
    """(pages, further sitemaps) on the sitemap's own origin; both empty where it is no XML.

    Entities are not resolved and nothing is fetched: a sitemap is a list, whatever else it tries to be.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, recover=False, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        return [], []
    found = [absolute(url, node.text or "") for node in root.iter("{*}loc")][:_MAX_URLS]
    kept = list(dict.fromkeys(one for one in found if one and same_origin(one, url)))
    return ([], kept) if etree.QName(root).localname == "sitemapindex" else (kept, [])
