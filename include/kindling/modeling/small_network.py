"""A small residual network for pictures of one thing, trained from scratch in minutes on two cores."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from kindling.modeling import preflight
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.device import autocast, device
from kindling.modeling.fitting import Fitted, Task, fit

Pictures = NDArray[np.uint8]
Indices = NDArray[np.int64]
#: Pixels that a picture is moved by at most, as augmentation.
SHIFT = 2
LABEL_SMOOTHING = 0.1
LEARNING_RATE = 4e-3


@dataclass(frozen=True)
class Course:
    """How it is trained."""

    epochs: int = 5
    batch_size: int = 128
    seed: int = 0


class SmallNetwork(nn.Module):
    """[n, channels, side, side] -> logits [n, classes]; four levels, each half as wide in pixels."""

    def __init__(self, channels: int, classes: int, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _Convolution(channels, width),
            nn.MaxPool2d(2),
            _Convolution(width, 2 * width),
            _Residual(2 * width),
            nn.MaxPool2d(2),
            _Convolution(2 * width, 4 * width),
            _Residual(4 * width),
        )
        self.head = nn.Linear(8 * width, classes)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        seen = self.body(pixels)
        pooled = torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], dim=1)
        logits: torch.Tensor = self.head(pooled)
        return logits


class _Convolution(nn.Sequential):
    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = _Convolution(width, width)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = seen + self.inner(seen)
        return found


def fit_network(
    pictures: Pictures,
    labels: Indices,
    classes: int,
    course: Course,
    checkpoint: Checkpoint,
) -> tuple[SmallNetwork, Fitted]:
    """The network trained on uint8 [n, side, side, channels], mirrored and moved at random.

    DataError when a loss is not finite.
    """
    with torch.random.fork_rng():
        torch.manual_seed(course.seed)
        network = SmallNetwork(pictures.shape[3], classes)
    network = network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels, truth = _pixels(pictures), torch.from_numpy(labels)

    def loss_of(batch: Indices) -> torch.Tensor:
        seen = _augmented(pixels[batch]).to(device())
        with autocast():
            logits = network(seen)
        return cross_entropy(
            logits.float(),
            truth[batch].to(device()),
            label_smoothing=LABEL_SMOOTHING,
        )

    groups = [{"params": [*network.parameters()], "lr": LEARNING_RATE}]
    task = Task("small network", network, groups, loss_of)
    plan = _plan(len(pictures), course)
    preflight.check_gradient(task.name, network.train(True), loss_of(plan[0]))
    return network, fit(task, plan, checkpoint, course.seed)


def _plan(rows: int, course: Course) -> list[Indices]:
    rng = np.random.default_rng(course.seed)
    starts = range(0, rows, course.batch_size)
    return [
        order[at : at + course.batch_size]
        for order in (rng.permutation(rows) for _ in range(course.epochs))
        for at in starts
    ]


def network_logits(
    network: SmallNetwork, pictures: Pictures, batch_size: int = 256
) -> NDArray[np.float32]:
    """float32 [n, classes], the mean of a picture's and its mirror image's."""
    found = []
    for start in range(0, len(pictures), batch_size):
        pixels = _pixels(pictures[start : start + batch_size]).to(device())
        with torch.inference_mode(), autocast():
            logits = (network(pixels) + network(pixels.flip(3))) / 2
        found.append(logits.float().cpu().numpy())
    return np.concatenate(found)


def _augmented(pixels: torch.Tensor) -> torch.Tensor:
    """Half of them mirrored, and all of the batch moved alike by up to SHIFT pixels."""
    mirrored = torch.rand(len(pixels), 1, 1, 1) < 0.5
    pixels = torch.where(mirrored, pixels.flip(3), pixels)
    down, right = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
    return pixels.roll((down, right), (2, 3))


def _pixels(pictures: Pictures) -> torch.Tensor:
    """float32 [n, channels, side, side] of about unit scale."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    scaled = (pixels.float() - 96.0) / 90.0
    return scaled.contiguous(memory_format=torch.channels_last)
