"""The gate's criteria of photos: read, of use, and not trusted blindly."""

from kindling.evaluation.lines import gains, it_would_take
from kindling.evaluation.robustness import WRONG_PHOTO
from kindling.evaluation.verdict import Check, Evidence, Outcome, Rules


def photo_robustness(rules: Rules, evidence: Evidence) -> Check:
    code, name = "photo-robustness", "worse photos read as well"
    found = evidence.photo_robustness
    if not found:
        return Check.not_asked(code, name, "the model or the holdout has no photos")
    allowed = {
        change: rules.max_wrong_photo_loss
        if change == WRONG_PHOTO
        else rules.max_photo_loss
        for change in found
    }
    failed = [change for change, one in found.items() if one.high < -allowed[change]]
    shown = "; ".join(
        f"{change} {one}, {allowed[change]:g} may be lost"
        for change, one in found.items()
    )
    return Check(
        code,
        name,
        "fail" if failed else "pass",
        f"accuracy after minus before: {shown}",
        f"a model that trusts less in a {', '.join(failed)}" if failed else "",
    )


def photo_harm(rules: Rules, evidence: Evidence) -> Check:
    code, name = "photo-harms", "photo does no harm"
    found, loss = evidence.over_text, evidence.over_text_log_loss
    if found is None or loss is None:
        return Check.not_asked(code, name, "the model or the holdout has no photos")
    shown = found.high < 0 or loss.high < 0
    detail = f"text and photo minus text alone: macro-F1 {found}, log-loss saved {loss}"
    if evidence.golden_photos < rules.min_photos and not shown:
        return Check.not_asked(code, name, f"not enforced, {detail}")
    # Log-loss sees what macro-F1 of few photos is too coarse for.
    unharmed = loss.low >= -rules.max_temperature_cost
    kept = found.low >= -rules.tolerance or (
        unharmed and found.value >= -rules.tolerance / 2
    )
    verdict: Outcome = "fail" if shown else "pass" if kept else "cannot tell"
    return Check(
        code,
        name,
        verdict,
        detail,
        it_would_take(verdict, found, -rules.tolerance, evidence),
    )


def photo(rules: Rules, evidence: Evidence) -> Check:
    code, name = "photo-ignored", "photo not ignored"
    gain, photos = evidence.photo_gain, evidence.golden_photos
    if photos < rules.min_photos:
        return Check.not_asked(
            code,
            name,
            f"not enforced, n={photos} golden photos, {rules.min_photos} needed"
            + (f"; shuffling them costs {gain} nats" if gain else ""),
        )
    if gain is None:
        return Check(
            code,
            name,
            "fail",
            f"{photos} golden rows have a photo and the model has no image tower",
        )
    verdict = gains(gain)
    return Check(
        code,
        name,
        verdict,
        f"shuffling the photos costs {gain} nats of log-loss",
        it_would_take(verdict, gain, 0, evidence),
    )
