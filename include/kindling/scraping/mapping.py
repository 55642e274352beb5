"""CSS rules of a shop's layouts: a versioned YAML file says where each field stands."""

import re
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from kindling.errors import ConfigurationError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _selector(value: str) -> str:
    try:
        LexborHTMLParser("<p>").css(value)
    except SelectolaxError as error:
        raise ValueError(f"not a CSS selector: {error}") from None
    return value


class Rule(_Frozen):
    """A field: the first element that `css` finds (without: the item), its text or `attr`, cut by `regex`."""

    #: One selector, or several of which the first that finds something counts.
    css: tuple[str, ...] = ()
    attr: str = ""
    #: The first group is the value.
    regex: str = ""

    @field_validator("css", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("css")
    @classmethod
    def _css(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_selector, value))

    @field_validator("regex")
    @classmethod
    def _regex(cls, value: str) -> str:
        try:
            if value and re.compile(value).groups < 1:
                raise ValueError("needs a group that is the value")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value


class _Item(_Frozen):
    item: str

    @field_validator("item")
    @classmethod
    def _item(cls, value: str) -> str:
        return _selector(value)


class ProductRules(_Item):
    """One layout's product element."""

    product_id: Rule
    name: Rule | None = None


class PageRules(_Frozen):
    """Fields that stand in the same place in every layout; they fill what the others leave empty."""

    category: Rule | None = None
    photo: Rule | None = None
    stated_reviews: Rule | None = None
    stated_rating: Rule | None = None


class ReviewRules(_Item):
    """One layout's review elements."""

    name: str
    body: Rule
    rating: Rule
    review_id: Rule | None = None
    title: Rule | None = None
    author: Rule | None = None
    published: Rule | None = None
    photo: Rule | None = None


class VisibleRules(_Item):
    """Where people see the rating that structured data states too, for the cross-check."""

    review_id: Rule
    rating: Rule


class LinkRules(_Frozen):
    """Elements with an `href`, by what they lead to."""

    next: str = 'a[rel~="next"], link[rel~="next"]'
    listing: str = ""
    product: str = ""

    @field_validator("next", "listing", "product")
    @classmethod
    def _css(cls, value: str) -> str:
        return _selector(value) if value else value


class ScriptRules(_Frozen):
    """How a script-rendered page tells that it is at work, done, or failed."""

    #: The element that scripts fill.
    container: str
    busy: str
    ready: str
    failed: str = ""

    @field_validator("container", "busy", "ready", "failed")
    @classmethod
    def _css(cls, value: str) -> str:
        return _selector(value) if value else value


class Mapping(_Frozen):
    """A shop's rules; `name` and `version` are written beside every review they read."""

    name: str = Field(min_length=1)
    version: int = Field(ge=1)
    links: LinkRules = LinkRules()
    page: PageRules = PageRules()
    products: tuple[ProductRules, ...] = ()
    reviews: tuple[ReviewRules, ...] = ()
    visible: tuple[VisibleRules, ...] = ()
    script: ScriptRules | None = None

    @property
    def label(self) -> str:
        return f"{self.name} v{self.version}"


def load(name: str) -> Mapping:
    """The package's mapping of that name, or the one at that path; ConfigurationError names file and key."""
    path: Any = Path(name)
    if path.name == name:
        path = resources.files("kindling") / "mappings" / name
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: no such mapping file (recipe key scrape.css_rules)"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from None
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or '(whole file)'}: {one['msg']}"
            for one in error.errors()
        )
        raise ConfigurationError(f"{path}: {wrong}") from None
