"""May the candidate become the champion? Every rule is checked and says why."""

from collections.abc import Sequence
from dataclasses import dataclass

from kindling.records import Estimate

#: A blind model gains nothing but the rounding of sums.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Rules:
    metric: str
    bar: float
    tolerance: float
    min_photos: int


@dataclass(frozen=True)
class Evidence:
    """What the evaluation found; differences are candidate minus the other, on the same golden rows."""

    #: The recipe's figure of the candidate.
    figure: Estimate
    #: Three-way macro-F1.
    over_baseline: Estimate
    over_constant: Estimate
    #: The recipe's figure; None while there is no other champion.
    over_champion: Estimate | None
    #: Log-loss that shuffling the photos costs; None where the model or the holdout has no photos.
    photo_gain: Estimate | None
    golden_photos: int
    #: Slices of 100 rows and more shown worse than the champion.
    worse_slices: Sequence[str] = ()


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Verdict:
    checks: tuple[Check, ...]

    @property
    def promoted(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Why not, one line a failed check."""
        return [
            f"{check.name}: {check.detail}" for check in self.checks if not check.passed
        ]


def judge(rules: Rules, evidence: Evidence) -> Verdict:
    """All rules, in the order in which a person would ask."""
    return Verdict(
        (
            _bar(rules, evidence),
            _constant(evidence),
            _baseline(evidence),
            _champion(rules, evidence),
            _slices(evidence),
            _photo(rules, evidence),
        )
    )


def _bar(rules: Rules, evidence: Evidence) -> Check:
    passed = evidence.figure.low >= rules.bar
    return Check(
        "bar",
        passed,
        f"{rules.metric} {evidence.figure}: lower bound "
        f"{'reaches' if passed else 'is below'} {rules.bar:g}",
    )


def _constant(evidence: Evidence) -> Check:
    passed = evidence.over_constant.low > ROUNDING
    return Check(
        "beats a constant",
        passed,
        f"three-way macro-F1 minus that of the most frequent class: "
        f"{evidence.over_constant}",
    )


def _baseline(evidence: Evidence) -> Check:
    passed = evidence.over_baseline.high >= 0
    return Check(
        "not worse than TF-IDF",
        passed,
        "three-way macro-F1 minus the baseline's: "
        f"{evidence.over_baseline}{'' if passed else ': shown worse'}",
    )


def _champion(rules: Rules, evidence: Evidence) -> Check:
    difference = evidence.over_champion
    if difference is None:
        return Check(
            "not worse than the champion", True, "there is no other champion yet"
        )
    passed = difference.low >= -rules.tolerance
    return Check(
        "not worse than the champion",
        passed,
        f"{rules.metric} minus the champion's: {difference}; "
        f"lower bound may not fall below -{rules.tolerance:g}",
    )


def _slices(evidence: Evidence) -> Check:
    if evidence.over_champion is None:
        return Check("no slice worse", True, "there is no other champion yet")
    worse = ", ".join(evidence.worse_slices)
    return Check(
        "no slice worse",
        not worse,
        f"shown worse than the champion: {worse}"
        if worse
        else "no slice of 100 rows and more is shown worse than the champion",
    )


def _photo(rules: Rules, evidence: Evidence) -> Check:
    gain = evidence.photo_gain
    if evidence.golden_photos < rules.min_photos:
        return Check(
            "photo not ignored",
            True,
            f"not enforced, n={evidence.golden_photos} golden photos, "
            f"{rules.min_photos} needed"
            + (f"; shuffling them costs {gain} nats" if gain else ""),
        )
    if gain is None:
        return Check(
            "photo not ignored",
            False,
            f"{evidence.golden_photos} golden rows have a photo and the model has no image tower",
        )
    return Check(
        "photo not ignored",
        gain.low > ROUNDING,
        f"shuffling the photos costs {gain} nats of log-loss",
    )
