"""Memory of a training: sums that are known, and refusals that say what would fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.errors import ConfigurationError
from kindling.modeling.vlm import Options, planner

#: LLaVA-v1.5-7B: 7.06 billion weights, 32 layers of 4096; the linear layers' sides by its published sizes.
LLAVA = planner.Shape(
    parameters=7_063_427_072,
    linear_sides=32 * (4 * 2 * 4096 + 3 * (4096 + 11008)) + 2 * (4096 + 4096),
    layers=32,
    hidden=4096,
    vocabulary=32_064,
    image_tokens=576,
)
LORA = Options(folder="llava", lora_rank=16, micro_batch=4)
FULL = Options(folder="llava", tuning="full", micro_batch=1)


def gib(plan: planner.Plan) -> float:
    return plan.total / planner.GIB


def test_lora_of_seven_billion_weights_fits_one_gpu_of_80() -> None:
    found = planner.fitting(LLAVA, LORA, ranks=1, room=72 * planner.GIB)
    assert 13.2 < found.weights / planner.GIB < 13.5
    assert gib(found) < 20


def test_full_tuning_needs_sixteen_bytes_a_weight_and_rank_sharing() -> None:
    """Rajbhandari et al. 2020, figure 1: 7.5 billion weights, 64 ranks: 120 GB, 16.6 GB, 1.9 GB."""
    shape = planner.Shape(7_500_000_000, 0, 1, 1, 1, 0)
    alone = planner.estimate(shape, FULL, ranks=1)
    shared = planner.estimate(shape, FULL, ranks=64)
    whole = FULL.model_copy(update={"zero": 3})
    assert alone.total == pytest.approx(120e9, rel=0.01)
    assert shared.total == pytest.approx(16.6e9, rel=0.01)
    assert planner.estimate(shape, whole, 64).total == pytest.approx(1.9e9, rel=0.02)


def test_a_refusal_says_what_is_needed_what_is_there_and_what_would_fit() -> None:
    with pytest.raises(
        ConfigurationError, match=r"there are 72\.00 GiB: it fits with zero: 3, 2 ranks"
    ):
        planner.fitting(LLAVA, FULL, ranks=1, room=72 * planner.GIB)


def test_the_least_costly_change_is_named_first() -> None:
    wasteful = LORA.model_copy(
        update={"activation_checkpointing": False, "micro_batch": 16}
    )
    with pytest.raises(
        ConfigurationError, match=r"fits with activation_checkpointing: true \("
    ):
        planner.fitting(LLAVA, wasteful, ranks=1, room=40 * planner.GIB)


def test_what_cannot_fit_at_all_is_said() -> None:
    with pytest.raises(ConfigurationError, match="take a smaller model"):
        planner.fitting(LLAVA, LORA, ranks=1, room=planner.GIB // 10)


@given(
    ranks=st.integers(1, 64),
    micro=st.integers(1, 16),
    zero=st.sampled_from([2, 3]),
    tuning=st.sampled_from(["lora", "full"]),
)
def test_more_ranks_and_smaller_batches_never_need_more(
    ranks: int, micro: int, zero: int, tuning: str
) -> None:
    options = Options(folder="x", tuning=tuning, zero=zero, micro_batch=micro)
    found = planner.estimate(LLAVA, options, ranks)
    assert planner.estimate(LLAVA, options, ranks + 1).total <= found.total
    larger = options.model_copy(update={"micro_batch": micro + 1})
    assert planner.estimate(LLAVA, larger, ranks).total > found.total
