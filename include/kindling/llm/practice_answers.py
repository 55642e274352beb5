"""What the practice server says: reviews of a phrase list by the attributes that the prompt names."""

import hashlib
import json
import math
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

_OPENINGS = (
    "I bought {this} {when}",
    "I have had {this} {when}",
    "My {who} gave me {this} {when}",
    "I ordered {this} {when}",
    "We picked {this} {when}",
)
_WHO = ("sister", "neighbour", "husband", "friend", "mother", "daughter", "colleague")
_WHEN = (
    "two weeks ago",
    "for a wedding",
    "in the spring sale",
    "before our holiday",
    "last month",
    "after reading about it",
    "for everyday use",
    "as a present",
)
_PHRASES: Mapping[str, tuple[str, ...]] = {
    "positive": (
        "I love the {aspect} and get compliments every time",
        "The {aspect} is perfect and very comfortable",
        "It is great quality and the {aspect} is beautiful",
        "Very happy with the {aspect}, so soft and flattering",
        "I would buy it again, the {aspect} alone is worth it",
        "The {aspect} fits perfectly and I wear it all the time",
    ),
    "negative": (
        "I was disappointed, the {aspect} looked cheap",
        "The {aspect} is terrible and I returned it",
        "Poor quality, the {aspect} fell apart after one wash",
        "Unfortunately the {aspect} was awful and I am returning it",
        "I wanted to love it but the {aspect} is very unflattering",
        "The {aspect} is a waste of money and went back",
    ),
    "neutral": (
        "The {aspect} is nice but nothing special",
        "I like the {aspect}, however it is not worth the full price",
        "The {aspect} is pretty but it runs large",
        "It is okay, the {aspect} could be better",
        "The {aspect} is lovely, though I am not sure that I will keep it",
        "Some will like the {aspect} and some will not",
    ),
}
_STARS = {"positive": (4, 5), "negative": (1, 2), "neutral": (3, 3)}
_WORD = re.compile(r"[\w']+|[^\w\s]")


def tokens_of(text: str) -> int:
    """Words and marks: never more than the text has bytes."""
    return len(_WORD.findall(text))


def spoken(
    messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any] | None, seed: int
) -> str:
    """The answer: an object of the schema where one is given, else a review's body."""
    rng = _generator(messages, seed)
    attributes = _attributes(messages)
    if schema is None:
        return _body(attributes, rng)
    return json.dumps(_instance(schema, "", attributes | _selectors(messages), rng))


def option_odds(messages: Sequence[Mapping[str, str]], seed: int) -> dict[str, float]:
    """Log-probability of each lettered option: those that sound like the text are likelier."""
    text = messages[-1]["content"]
    letters = re.findall(r"^([A-Z])\. (.+)$", text, re.MULTILINE)
    words = set(re.findall(r"[a-z']+", text.lower()))
    rng = _generator(messages, seed)
    weights = {
        letter: 1.0 + 3.0 * _alike(option.lower(), words) + 0.1 * rng.random()
        for letter, option in letters or [("A", "")]
    }
    total = sum(math.exp(weight) for weight in weights.values())
    return {letter: weight - math.log(total) for letter, weight in weights.items()}


def _alike(option: str, words: set[str]) -> float:
    phrases = " ".join(_PHRASES.get(option, ()))
    own = set(re.findall(r"[a-z']{4,}", phrases.lower()))
    return len(own & words) / (1 + len(own))


def _generator(messages: Sequence[Mapping[str, str]], seed: int) -> random.Random:
    content = json.dumps([list(map(dict, messages)), seed], sort_keys=True)
    return random.Random(hashlib.sha256(content.encode()).hexdigest())


def _attributes(messages: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Lines such as `Sentiment: negative` of the user's turns, by lower-cased name."""
    asked = "\n".join(one["content"] for one in messages if one["role"] == "user")
    lines = re.findall(r"^-? ?(\w[\w ]{0,20}): (.+)$", asked, re.MULTILINE)
    return {name.lower(): value.strip() for name, value in lines}


def _selectors(messages: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Of a page's skeleton (`selector | 12 on 3 pages | about 80 characters, …`), what may be a review.

    Of the kinds that occur several times a page, the longest is the item and the next one its text.
    """
    rows = re.findall(
        r"^(\S+) \| (\d+) on (\d+) pages \| about (\d+) characters, (.*)$",
        messages[-1]["content"],
        re.MULTILINE,
    )
    many = sorted(
        ((int(size), key, said) for key, n, pages, size, said in rows if int(n) > int(pages)),
        reverse=True,
    )  # fmt: skip
    found = dict(zip(("item", "body"), (key for _, key, _ in many), strict=False))
    for _, key, said in many:
        for name in ("rating", "date"):
            if f"a {name}" in said:
                found[name] = key
    return {f"selector of {name}": key for name, key in found.items()}


def _body(attributes: Mapping[str, str], rng: random.Random) -> str:
    mood = attributes.get("sentiment", "positive").split()[0].lower()
    phrases = list(_PHRASES.get(mood, _PHRASES["neutral"]))
    rng.shuffle(phrases)
    number = re.search(r"\d+", attributes.get("length", "30"))
    words = int(number[0]) if number else 30
    aspect = attributes.get("aspect", "quality")
    product = attributes.get("product", "thing").lower()
    opening = rng.choice(_OPENINGS)
    first = opening.format(
        this=f"this {product}", when=rng.choice(_WHEN), who=rng.choice(_WHO)
    )
    sentences = [first]
    while phrases and sum(map(tokens_of, sentences)) < words:
        sentences.append(phrases.pop().format(aspect=aspect))
    return ". ".join(sentences) + "."


def _instance(
    schema: Mapping[str, Any],
    name: str,
    attributes: Mapping[str, str],
    rng: random.Random,
) -> Any:
    """A value that fits the schema, of the kinds that this product asks for."""
    if "enum" in schema:
        wanted = attributes.get(name) or attributes.get(f"selector of {name}")
        return wanted if wanted in schema["enum"] else rng.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        return {
            key: _instance(part, key, attributes, rng)
            for key, part in schema.get("properties", {}).items()
        }
    if kind == "array":
        count = max(1, schema.get("minItems", 1))
        return [_instance(schema["items"], name, attributes, rng) for _ in range(count)]
    if kind == "integer":
        mood = attributes.get("sentiment", "positive").split()[0].lower()
        low, high = _STARS.get(mood, (1, 5))
        lowest, highest = schema.get("minimum", low), schema.get("maximum", high)
        return min(highest, max(lowest, rng.randint(low, high)))
    if kind == "number":
        return schema.get("minimum", 0)
    if kind == "boolean":
        return rng.random() < 0.5
    body = _body(attributes, rng)
    return " ".join(body.split()[:4]).rstrip(".,") if name == "title" else body
