"""Who votes on a row's sentiment, and the label that the votes make of it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from kindling.errors import ConfigurationError
from kindling.labelling import doubt, model, votes
from kindling.labelling.asking import Voter
from kindling.measure.estimates import estimate
from kindling.measure.metrics import ACCURACY
from kindling.measure.sample import Sample
from kindling.ports.llm import Llm
from kindling.recipe import LabelConfig
from kindling.records import Label, Review, Sentiment

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ballot:
    """Rows with what is stated of them, by stars or by a generator's intent, and the model's votes."""

    rows: Sequence[Review]
    stated: Sequence[Sentiment]
    #: "stars" or "intended", and how far it is believed.
    voter: str
    reliability: float
    #: float64 [N, 3]
    model: np.ndarray

    @property
    def texts(self) -> list[str]:
        return [row.text for row in self.rows]

    def pooled(self, prior: np.ndarray, *others: np.ndarray) -> np.ndarray:
        """How sure all voters together are of what is stated, float64 [N]."""
        own = votes.stated_vote(self.stated, self.reliability)
        return self._stated_of(votes.pool([own, self.model, *others], prior))

    def labels(
        self, prior: np.ndarray, config: LabelConfig, said: doubt.Opinion | None = None
    ) -> list[Label]:
        """The stated sentiment of each row, as sure as the pooled votes are of it."""
        own = self._stated_of(self.model)
        others = [said.beside(prior, len(self.rows))] if said else []
        asked = set(said.at.tolist()) if said else set()
        told = self._stated_of(others[0]) if others else own
        made = []
        for number, (row, sentiment, sure) in enumerate(
            zip(self.rows, self.stated, self.pooled(prior, *others), strict=True)
        ):
            by = {self.voter: self.reliability, "model": float(own[number])}
            if number in asked:
                by["llm"] = float(told[number])
            band = votes.band(sure, config.accept, config.discard)
            made.append(Label(row.review_id, sentiment, float(sure), band, by))
        return made

    def _stated_of(self, probabilities: np.ndarray) -> np.ndarray:
        """Each row's probability of what is stated of it, float64 [N] of [N, 3]."""
        at = np.arange(len(self.rows)), votes.codes(self.stated)
        return np.asarray(probabilities[at])


@dataclass
class SecondVote:
    """The language model's vote on rows that the others leave in doubt.

    It is asked about half of `label.llm_rows` at random, to learn what its answers are worth, and
    about as many of the rows in doubt, the surest first.
    """

    voter: Voter
    config: LabelConfig
    seed: int
    calibrator: LogisticRegression | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, llm: Llm | None, config: LabelConfig, seed: int) -> "SecondVote | None":
        """None where the recipe wants none. ConfigurationError where it does and no model is named."""
        if not config.llm_rows:
            return None
        if llm is None:
            raise ConfigurationError(
                f"label.llm_rows = {config.llm_rows} asks a language model, and none is named: "
                "set KINDLING_LLM_MODEL (and KINDLING_LLM_URL), or llm_rows: 0"
            )
        return cls(Voter(llm), config, seed)

    def learn(self, ballot: Ballot) -> doubt.Opinion | None:
        """Ask about a sample of rows with stars; what was said of them, calibrated."""
        stated = votes.codes(ballot.stated)
        count = self.config.llm_rows // 2
        known = doubt.trusted(self.voter, ballot.texts, stated, count, self.seed)
        self.figures = {
            "name": self.voter.name,
            "sample": len(known.at) if known else 0,
        }
        if known is None:
            log.warning(
                "label: %s gave too few answers to be believed; it does not vote",
                self.voter.name,
            )
            return None
        self.calibrator = known.calibrator
        asked = [ballot.rows[one] for one in known.at]
        self.figures |= {
            "agreement": estimate(ACCURACY, Sample.of_reviews(asked), known.raw),
            "calibrator": model.plain(known.calibrator),
        }
        return doubt.Opinion(known.at, model.calibrated(known.calibrator, known.raw))

    def decide(
        self,
        ballot: Ballot,
        prior: np.ndarray,
        known: doubt.Opinion | None = None,
    ) -> doubt.Opinion | None:
        """What it says of the rows in doubt, beside what is `known`, from what other ballots have left."""
        if self.calibrator is None or not ballot.rows:
            return known
        before = known or doubt.Opinion(np.zeros(0, np.int64), np.zeros((0, 3)))
        sure = ballot.pooled(prior, before.beside(prior, len(ballot.rows)))
        spent = self.figures.get("in_doubt", 0)
        most = self.config.llm_rows - self.config.llm_rows // 2 - spent
        at = doubt.doubtful(sure, self.config.accept, before.at, most)
        said = doubt.opinion(self.voter, ballot.texts, at, self.calibrator, self.seed)
        self.figures["in_doubt"] = spent + len(said.at)
        return doubt.Opinion(
            np.concatenate([before.at, said.at]),
            np.concatenate([before.votes, said.votes]),
        )
