"""The few-shot opponent: pairs that agree are pulled together, then a head is fitted.

After SetFit (Tunstall et al. 2022, "Efficient few-shot learning without prompts"): all pairs of
the few rows are trained to a cosine of 1 where their sentiments agree and 0 where not, and a
logistic regression reads the result. Here the encoder stays frozen and what learns is a linear
map above it that begins as the identity, so that a whole curve takes seconds.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cosine_similarity

from kindling.coldstart.heads import Array, linear

_STEPS = 60
_PAIRS = 256
_RATE = 2e-3


def few_shot(vectors: Array, truth: NDArray[np.int64], test: Array, seed: int) -> Array:
    """P(sentiment) [n, 3] of `test`, having seen nothing but these rows."""
    if len(np.unique(truth)) < 2:
        return linear(vectors, truth, np.ones(len(truth)), test)
    turned = _map(vectors, truth, seed)
    return linear(
        _unit(vectors @ turned), truth, np.ones(len(truth)), _unit(test @ turned)
    )


def _map(vectors: Array, truth: NDArray[np.int64], seed: int) -> Array:
    """float64 [d, d] learned from balanced pairs, as many that agree as that do not."""
    rng = np.random.default_rng(seed)
    rows = torch.from_numpy(np.asarray(vectors, np.float32))
    turned = torch.eye(rows.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([turned], lr=_RATE)
    for _ in range(_STEPS):
        left, right, same = _pairs(truth, rng)
        said = cosine_similarity(rows[left] @ turned, rows[right] @ turned)
        loss = ((said - torch.from_numpy(same)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return np.asarray(turned.detach().numpy(), np.float64)


def _pairs(
    truth: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Every sentiment is as often the left one; half of the right ones agree."""
    present = np.unique(truth)
    members = {int(one): np.flatnonzero(truth == one) for one in present}
    left_class = rng.choice(present, _PAIRS)
    agrees = rng.random(_PAIRS) < 0.5
    right_class = np.array(
        [
            one if alike else rng.choice(present[present != one])
            for one, alike in zip(left_class, agrees, strict=True)
        ]
    )
    left = np.array([rng.choice(members[int(one)]) for one in left_class])
    right = np.array([rng.choice(members[int(one)]) for one in right_class])
    return left, right, agrees.astype(np.float32)


def _unit(vectors: Array) -> Array:
    size = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(size, 1e-12))
