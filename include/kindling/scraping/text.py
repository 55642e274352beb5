"""The words that an element shows, without a change to the page that is read on."""

from selectolax.lexbor import LexborNode

_NOT_SHOWN = frozenset({"script", "style", "template", "noscript", "head"})
_BREAKS = frozenset(
    "br p div li ul ol dl dt dd h1 h2 h3 h4 h5 h6 table tr td th blockquote section "
    "article header footer hr".split()
)


def shown_text(node: LexborNode) -> str:
    """The element's words: markup inside a word does not split it, a line break or block does."""
    only = node.first_child
    if only is None:
        return ""
    if only.is_text_node and only.next is None:
        return " ".join((only.text_content or "").split())
    parts: list[str] = []
    stack: list[LexborNode | None] = list(reversed(list(node.iter(include_text=True))))
    while stack:
        one = stack.pop()
        if one is None:
            parts.append(" ")
        elif one.is_text_node:
            parts.append(one.text_content or "")
        elif one.is_element_node and one.tag not in _NOT_SHOWN:
            apart = one.tag in _BREAKS
            if apart:
                parts.append(" ")
                stack.append(None)
            stack.extend(reversed(list(one.iter(include_text=True))))
    return " ".join("".join(parts).split())
