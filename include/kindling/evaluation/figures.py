"""What evaluate hands to gate, report, summary and page: written once, read by attribute."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kindling.errors import DataError
from kindling.evaluation.controls import Latency, PhotoControl
from kindling.evaluation.evaluator import Evaluation
from kindling.evaluation.niche import GroupFinding
from kindling.evaluation.sealed import SealedFigures
from kindling.records import Estimate

Estimates = Mapping[str, Estimate]
#: Whose own figures are handed on; of constant and random only the differences matter.
SYSTEMS = ("candidate", "champion", "baseline")
#: Key of a difference: this before the other system's name.
MINUS = "minus_"


@dataclass(frozen=True)
class Beside:
    """What is measured beside the evaluation of the gate's rows."""

    robustness: Estimates = field(default_factory=dict)
    photo_robustness: Estimates = field(default_factory=dict)
    #: Empty: the candidate's own.
    reference_version: str = ""
    opened: Collection[str] = ()
    sealed: SealedFigures = SealedFigures()


#: Fields that hold metric -> estimate.
_FLAT = (
    "robustness",
    "photo_robustness",
    "sealed",
    "sealed_champion",
    "sealed_over_baseline",
)


@dataclass(frozen=True)
class EvaluationFigures:
    """One holdout, one candidate. Of `systems` and `differences` see `Evaluation`."""

    candidate_version: str
    #: None while there is no other champion.
    champion_version: str | None
    golden_rows: int
    golden_products: int
    golden_photos: int
    data_sha256: str
    #: Sentiment -> golden rows.
    class_rows: Mapping[str, int]
    systems: Mapping[str, Estimates]
    differences: Mapping[str, Estimates]
    temperature_cost: Estimate
    photo: PhotoControl | None
    #: Slices shown worse than the champion, or on the first night than the baseline.
    worse_slices: tuple[str, ...]
    #: Whether the run has a niche; `niche` is empty where no golden row belongs to it.
    niche_asked: bool
    niche: tuple[GroupFinding, ...]
    #: Golden rows whose text or photo the candidate was trained on.
    leaked_rows: int
    latencies: Mapping[str, Latency]
    #: Change of the texts -> accuracy after minus before.
    robustness: Estimates
    #: The same of the photos, texts unchanged.
    photo_robustness: Estimates
    #: Golden rows that the champion was trained on: left out of the comparison with it.
    champion_saw: int
    #: Whether there is a champion that could be compared with.
    compared: bool
    #: Version of the model that every night is measured beside.
    reference_version: str
    #: Products of the gate's rows that no gate had read before.
    opened: tuple[str, ...]
    sealed_rows: int
    sealed_products: int
    #: Of rows that no gate has read, in this order: the candidate's, the champion's, the
    #: candidate's minus TF-IDF's. Empty where such rows are too few.
    sealed: Estimates
    sealed_champion: Estimates
    sealed_over_baseline: Estimates

    @classmethod
    def of(
        cls,
        found: Evaluation,
        versions: tuple[str, str | None],
        latencies: Mapping[str, Latency],
        beside: "Beside | None" = None,
        leaked_rows: int = 0,
    ) -> "EvaluationFigures":
        """`versions` are the candidate's and the champion's, None while there is no other."""
        candidate_version, champion_version = versions
        more = beside or Beside()
        return cls(
            candidate_version=candidate_version,
            champion_version=champion_version,
            golden_rows=found.rows,
            golden_products=found.products,
            golden_photos=found.photos,
            data_sha256=found.data_sha256,
            class_rows=found.class_rows,
            systems={
                name: one for name, one in found.systems.items() if name in SYSTEMS
            },
            differences=found.differences,
            temperature_cost=found.temperature_cost,
            photo=found.photo,
            worse_slices=tuple(
                f"{one.group}: {one.name}" for one in found.slices if one.worse
            ),
            niche_asked=found.niche_asked,
            niche=tuple(found.niche),
            leaked_rows=leaked_rows,
            latencies=latencies,
            robustness=more.robustness,
            photo_robustness=more.photo_robustness,
            champion_saw=found.champion_saw,
            compared=found.compared,
            reference_version=more.reference_version or candidate_version,
            opened=tuple(sorted(more.opened)),
            sealed_rows=more.sealed.rows,
            sealed_products=more.sealed.products,
            sealed=more.sealed.candidate,
            sealed_champion=more.sealed.champion,
            sealed_over_baseline=more.sealed.over_baseline,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; systems and differences stand at the top, under their names."""
        stored = asdict(self)
        systems, differences = stored.pop("systems"), stored.pop("differences")
        minus = {f"{MINUS}{name}": by_metric for name, by_metric in differences.items()}
        return {**stored, **systems, **minus}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "EvaluationFigures":
        """What `to_dict` made, also after JSON. DataError where a part is missing."""
        fields = dict(stored)
        try:
            systems = {name: fields.pop(name) for name in SYSTEMS if name in fields}
            minus = [name for name in fields if name.startswith(MINUS)]
            differences = {name.removeprefix(MINUS): fields.pop(name) for name in minus}
            photo = fields.pop("photo")
            return cls(
                **fields
                | {
                    "systems": _nested(systems),
                    "differences": _nested(differences),
                    "temperature_cost": Estimate(**fields["temperature_cost"]),
                    "photo": PhotoControl(**_flat(photo)) if photo else None,
                    **{name: _flat(fields[name]) for name in _FLAT},
                    "opened": tuple(fields["opened"]),
                    "worse_slices": tuple(fields["worse_slices"]),
                    "niche": tuple(GroupFinding(**one) for one in fields["niche"]),
                    "latencies": {
                        name: Latency(**one)
                        for name, one in fields["latencies"].items()
                    },
                }
            )
        except (KeyError, TypeError) as error:
            raise DataError(
                f"the evaluation's figures are not what this version writes ({error}); "
                "run evaluate again"
            ) from error


def _flat(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, Estimate]:
    return {name: Estimate(**one) for name, one in stored.items()}


def _nested(
    stored: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> dict[str, Estimates]:
    return {name: _flat(by_metric) for name, by_metric in stored.items()}
