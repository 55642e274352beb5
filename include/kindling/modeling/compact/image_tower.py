"""Reads a product photo for signs of its condition: frozen pretrained eyes, and a small tower that is trained.

Damage is local and mostly thin; whether an edge is a tear or a print is told by what lies around it. Hence the
eyes' levels of stride 4, 8, 16 and 32 are added up at one resolution, as in Lin et al. 2017, "Feature Pyramid
Networks", and pooled by their maximum beside their mean.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kindling.modeling import efficientnet
from kindling.modeling.device import autocast, device
from kindling.modeling.photos import decode

WIDTH = 96
#: Of channels: Wu and He 2018, "Group Normalization". A batch holds few things, each in every condition, and its
#: statistics say little of other photos: see docs/experiments/2026-11-21-image-tower.md.
GROUPS = 8
#: Pixels a side of one place of the damage map.
PLACE = 8
#: Channel difference, of 255, that is damage and not the noise of JPEG.
VISIBLE = 30


@dataclass(frozen=True)
class Preprocessing:
    """How bytes become the tower's input; its hash stands in the model's config."""

    size: int
    mean: float = efficientnet.MEAN
    scale: float = efficientnet.SCALE
    #: Whole photo squeezed into the square: cropping could cut the damage away.
    fit: str = "squeeze-bilinear"
    #: The published weights that look at it; a model folder names them and does not hold them.
    eyes: str = efficientnet.MODEL_ID

    def sha256(self) -> str:
        """Hash of all of it."""
        return hashlib.sha256(
            json.dumps(asdict(self), sort_keys=True).encode()
        ).hexdigest()


class ConditionMeaning(nn.Module):
    """Condition logits [n, 4] -> log P(s) [n, 3], the mixture of P(s | c) by how likely each condition is.

    The conditions are first recalibrated, as studies show damage far more often than reviews do. A mixture
    never says more than its surest condition: a linear layer on the logits does, and then a photo that is
    read wrongly costs more than ten read rightly gain.
    """

    def __init__(self, conditions: int, sentiments: int) -> None:
        super().__init__()
        self.log_sharpness = nn.Parameter(torch.zeros(()))
        self.shift = nn.Parameter(torch.zeros(conditions))
        #: Logits of P(s | c).
        self.table = nn.Parameter(torch.zeros(conditions, sentiments))

    def forward(self, conditions: torch.Tensor) -> torch.Tensor:
        likely = (conditions * self.log_sharpness.exp() + self.shift).log_softmax(1)
        return torch.logsumexp(likely[:, :, None] + self.table.log_softmax(1), dim=1)


class ImageTower(nn.Module):
    """Levels of the eyes -> condition logits of each place [n, 4, size / 8, size / 8] and of the photo [n, 4].

    The photo's condition is read from its features and from what its places say. Teaching the places where a
    drawn damage lies is what lets so small a network learn from some hundred photos, as in Zavrtanik et al.
    2021, "DRAEM". A sentiment is read from the condition alone: photos with stars are too few for more.
    """

    def __init__(self, sentiments: int, conditions: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv2d(channels, WIDTH, 1, bias=False)
            for channels in efficientnet.LEVELS
        )
        self.added = nn.GroupNorm(GROUPS, WIDTH)
        self.around = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
            nn.GroupNorm(GROUPS, WIDTH),
            nn.ReLU(),
        )
        self.place = nn.Conv2d(WIDTH, conditions, 1)
        self.dropout = nn.Dropout(0.2)
        self.condition = nn.Linear(2 * WIDTH + 2 * conditions, conditions)
        self.sentiment = ConditionMeaning(conditions, sentiments)

    def forward(
        self, levels: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.around(nn.functional.relu(self.added(self._sum(levels))))
        places = self.place(features)
        said = places.softmax(1)
        pooled = torch.cat(
            [
                features.mean((2, 3)),
                features.amax((2, 3)),
                said.mean((2, 3)),
                said.amax((2, 3)),
            ],
            dim=1,
        )
        return places, self.condition(self.dropout(pooled))

    def _sum(self, levels: Sequence[torch.Tensor]) -> torch.Tensor:
        """At the second level's resolution: the first is averaged, the coarser ones are enlarged."""
        near, own, far, around = (
            convolve(level) for convolve, level in zip(self.levels, levels, strict=True)
        )
        halved = nn.functional.avg_pool2d(near, 2, ceil_mode=True)
        return halved + own + _enlarged(far + _enlarged(around, far), own)


def _enlarged(level: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(
        level, size=like.shape[2:], mode="bilinear", align_corners=False
    )


class ImageClassifier:
    """Preprocessing, eyes and tower together: pictures in, sentiment logits out."""

    def __init__(self, preprocessing: Preprocessing, tower: ImageTower) -> None:
        self.preprocessing = preprocessing
        self.tower = tower.to(memory_format=torch.channels_last).to(device())
        eyes = efficientnet.load().to(memory_format=torch.channels_last)
        self.eyes = eyes.to(device())

    @classmethod
    def fresh(
        cls, size: int, sentiments: int, conditions: int, seed: int
    ) -> "ImageClassifier":
        """Published eyes under a tower that `seed` draws."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(Preprocessing(size), ImageTower(sentiments, conditions))

    @property
    def parameters(self) -> int:
        """How many weights it has, frozen ones included."""
        return sum(
            one.numel() for part in (self.eyes, self.tower) for one in part.parameters()
        )

    def pixels(self, pictures: NDArray[np.uint8]) -> torch.Tensor:
        """uint8 [n, size, size, 3] -> float32 [n, 3, size, size], channels last in memory."""
        plain = torch.from_numpy(pictures).to(device()).float()
        scaled = (plain - self.preprocessing.mean) / self.preprocessing.scale
        return scaled.permute(0, 3, 1, 2)

    def read(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels [n, 3, size, size] -> what the tower says; gradients reach the tower, not the eyes."""
        with torch.no_grad(), autocast():
            levels = self.eyes(pixels)
        places, condition = self.tower([level.float() for level in levels])
        return places, condition

    def logits_of(
        self, pictures: NDArray[np.uint8], batch_size: int = 64
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decoded pictures -> sentiment logits [n, 3] and condition logits [n, 4], float32.

        Conditions are the mean of the picture's and its mirror image's: a thing is as torn in the mirror.
        """
        sentiments = np.zeros(
            (len(pictures), self.tower.sentiment.table.shape[1]), dtype=np.float32
        )
        conditions = np.zeros(
            (len(pictures), self.tower.condition.out_features), dtype=np.float32
        )
        self.tower.train(False)
        for start in range(0, len(pictures), batch_size):
            part = slice(start, start + batch_size)
            with torch.inference_mode():
                pixels = self.pixels(pictures[part])
                seen = self.read(pixels)[1].log_softmax(1)
                mirrored = self.read(pixels.flip(3))[1].log_softmax(1)
                condition = (seen + mirrored) / 2
                sentiments[part] = self.tower.sentiment(condition).cpu().numpy()
                conditions[part] = condition.cpu().numpy()
        return sentiments, conditions

    def logits(self, photos: Sequence[bytes]) -> NDArray[np.float32]:
        """Encoded photos -> sentiment logits, float32 [n, 3]."""
        size = self.preprocessing.size
        return self.logits_of(np.stack([decode(photo, size) for photo in photos]))[0]


def damaged_places(
    pictures: NDArray[np.uint8], intact: NDArray[np.uint8]
) -> torch.Tensor:
    """Where pictures differ from the same shots without damage, both uint8 [n, size, size, 3] -> bool [n, h, w].

    The places are those of the tower's map; one counts as damaged when any of its pixels does.
    """
    apart = np.abs(pictures.astype(np.int16) - intact).max(3)
    changed = torch.from_numpy(apart).to(device()).float()
    return nn.functional.max_pool2d(changed, PLACE, ceil_mode=True) > VISIBLE


def augment(
    pixels: torch.Tensor, damage: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Half of the photos mirrored, and their places with them; light and tint changed; torch's generator (the processor's)."""
    n, to = pixels.shape[0], pixels.device
    mirrored = (torch.rand(n) < 0.5).to(to)
    pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    damage = torch.where(mirrored[:, None, None], damage.flip(2), damage)
    gain = 1 + 0.2 * (2 * torch.rand(n, 1, 1, 1) - 1)
    tint = 0.1 * (2 * torch.rand(n, 3, 1, 1) - 1)
    brightness = 0.15 * (2 * torch.rand(n, 1, 1, 1) - 1)
    lit = pixels * gain.to(to) + (tint + brightness).to(to)
    return lit.contiguous(memory_format=torch.channels_last), damage
