"""Which language a review is in, so that a model that does not know it can say so."""

import functools
import re
from typing import Any

_LETTER = re.compile(r"[^\W\d_]")
#: Letters; below this many a guess is a guess.
_MIN_LETTERS = 20


@functools.cache
def _identifier() -> Any:
    # Its model takes half a second to load.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str) -> str:
    """The ISO 639-1 code, empty where the text is too short or too mixed to tell."""
    if len(_LETTER.findall(text, 0, 400)) < _MIN_LETTERS:
        return ""
    code, probability = _identifier().classify(text[:2000])
    return str(code) if probability >= 0.7 else ""
