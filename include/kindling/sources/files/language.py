"""The language of a text, where there is enough of it to tell."""

from functools import cache
from typing import Any

#: Letters below which a text is not told: short ones are mostly told wrong.
MIN_LETTERS = 40
MIN_PROBABILITY = 0.9


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str) -> str:
    """ISO 639-1 code; empty where the text is too short or could be several languages."""
    if sum(one.isalpha() for one in text[:2000]) < MIN_LETTERS:
        return ""
    language, probability = _identifier().classify(text[:2000])
    return str(language) if probability >= MIN_PROBABILITY else ""
