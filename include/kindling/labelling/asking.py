"""A language model's vote: by log-probabilities, or by how often it says the same, never by what it claims."""

import logging
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kindling.errors import BudgetSpent, DataError
from kindling.ports.llm import Llm, Message
from kindling.records import SENTIMENTS

log = logging.getLogger(__name__)

#: What is asked; its version is part of what a vote is.
PROMPT = "sentiment/1"
_SYSTEM = (
    "You read customers' reviews and say how satisfied the writer is. A neutral review weighs"
    " something good against something bad, or is indifferent."
)
_WORDS = 300
#: One more of each than was said, so that no sentiment is ruled out by a few answers.
_PRIOR = 0.5


def asked(text: str) -> list[Message]:
    """The turns for one review, which cannot pose as another part of the prompt."""
    words = " ".join(text.split()[:_WORDS])
    question = f'Review: "{words}"\nIs the writer negative, neutral or positive?'
    return [Message("system", _SYSTEM), Message("user", question)]


class Voter:
    """P(sentiment) of texts by a language model.

    By the log-probabilities of the three answers, calibrated by the mean answer of the texts asked
    together; where the model gives none, by self-consistency (Wang et al. 2022): the shares of
    several answers drawn at a temperature.
    """

    def __init__(self, llm: Llm, samples: int = 5, temperature: float = 0.7) -> None:
        """`samples` answers a text where log-probabilities are missing."""
        self._llm = llm
        self._samples = samples
        self._temperature = temperature
        self._drawn = False

    @property
    def name(self) -> str:
        """Model, prompt and way of asking."""
        how = f"{self._samples} answers" if self._drawn else "log-probabilities"
        return f"{self._llm.name}, {PROMPT}, {how}"

    def votes(self, texts: Sequence[str], seed: int) -> NDArray[np.float64]:
        """float64 [n, 3]. BudgetSpent where the budget does not cover them."""
        found = np.array([self._vote(text, seed) for text in texts])
        return found if self._drawn or not texts else _batch_calibrated(found)

    def affordable(self, texts: Sequence[str], seed: int) -> NDArray[np.float64]:
        """float64 [m, 3], as answered: of the first m texts, as many as the budget covers."""
        found: list[NDArray[np.float64]] = []
        try:
            for text in texts:
                found.append(self._vote(text, seed))
        except BudgetSpent as error:
            log.warning(
                "%d of %d reviews were asked about: %s", len(found), len(texts), error
            )
        return np.array(found).reshape(-1, len(SENTIMENTS))

    def _vote(self, text: str, seed: int) -> NDArray[np.float64]:
        if not self._drawn:
            try:
                odds = self._llm.choose(asked(text), SENTIMENTS, seed=seed)
                return np.array([odds[one] for one in SENTIMENTS])
            except DataError as error:
                log.info("%s; several answers are drawn instead", error)
                self._drawn = True
        return self._consistency(text, seed)

    def _consistency(self, text: str, seed: int) -> NDArray[np.float64]:
        said: Counter[str] = Counter()
        for number in range(self._samples):
            answer = self._llm.complete(
                asked(text),
                schema=_SCHEMA,
                temperature=self._temperature,
                max_tokens=16,
                seed=seed + number,
            )
            said[str((answer.parsed or {}).get("sentiment"))] += 1
        counts = np.array([said[one] + _PRIOR for one in SENTIMENTS])
        return np.asarray(counts / counts.sum())


_SCHEMA = {
    "type": "object",
    "properties": {"sentiment": {"type": "string", "enum": list(SENTIMENTS)}},
    "required": ["sentiment"],
    "additionalProperties": False,
}


def _batch_calibrated(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each answer over the mean answer of the batch (Zhou et al. 2023, "Batch calibration"): what the
    model says of any text says nothing of this one."""
    odds = votes / np.maximum(votes.mean(0, keepdims=True), 1e-6)
    return np.asarray(odds / odds.sum(1, keepdims=True))
