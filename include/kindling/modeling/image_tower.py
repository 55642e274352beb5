"""A small CNN that reads a product photo for signs of its condition; trained from nothing, no published weights.

Damage is local and mostly thin: features keep a quarter of the photo's resolution, and are pooled by their
maximum beside their mean. Whether an edge is a tear or a print is told by what lies around it: hence two coarser
levels, whose features are added to those of every place, as in Lin et al. 2017, "Feature Pyramid Networks".
Always float32: convolutions this small train six times slower in bfloat16 on a CPU that has it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn

from kindling.errors import DataError
from kindling.pictures import PictureError, read_picture

WIDTHS = (24, 48, 96)
#: Of channels: Wu and He 2018, "Group Normalization". A batch holds few things, each in every condition, and its
#: statistics say little of other photos: see docs/experiments/2026-11-21-image-tower.md.
GROUPS = 8
#: Pixels a side of one place of the damage map.
PLACE = 4
#: Channel difference, of 255, that is damage and not the noise of JPEG.
VISIBLE = 30


@dataclass(frozen=True)
class Preprocessing:
    """How bytes become the tower's input; its hash stands in the model's config."""

    size: int
    mean: float = 0.5
    scale: float = 0.25
    #: Whole photo squeezed into the square: cropping could cut the damage away.
    fit: str = "squeeze-bilinear"

    def sha256(self) -> str:
        return hashlib.sha256(
            json.dumps(asdict(self), sort_keys=True).encode()
        ).hexdigest()


def decode(data: bytes, size: int) -> np.ndarray:
    """Any picture -> uint8 [size, size, 3], upright; DataError when it is none or too large."""
    try:
        seen = read_picture(data, at_least=2 * size)
    except PictureError as error:
        sha256 = hashlib.sha256(data).hexdigest()
        raise DataError(f"photo {sha256[:12]}: {error}") from error
    return np.asarray(seen.resize((size, size), Image.Resampling.BILINEAR))


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
    """[n, 3, size, size] -> condition logits of each place [n, 4, size / 4, size / 4] and of the photo [n, 4].

    The photo's condition is read from its features and from what its places say. Teaching the places where a
    drawn damage lies is what lets so small a network learn from some hundred photos, as in Zavrtanik et al.
    2021, "DRAEM". A sentiment is read from the condition alone: photos with stars are too few for more.
    """

    def __init__(self, sentiments: int, conditions: int) -> None:
        super().__init__()
        thin, middle, wide = WIDTHS
        self.near = nn.Sequential(
            _block(3, thin, stride=2),
            _block(thin, middle, stride=2),
            _block(middle, middle),
        )
        self.far = nn.Sequential(
            _block(middle, wide, stride=2), _block(wide, wide), _block(wide, wide)
        )
        self.around = nn.Sequential(
            _block(wide, wide, stride=2), _block(wide, wide), _block(wide, wide)
        )
        self.from_near = nn.Conv2d(middle, wide, 1, bias=False)
        self.from_far, self.from_around = (
            nn.Conv2d(wide, wide, 1, bias=False),
            nn.Conv2d(wide, wide, 1, bias=False),
        )
        self.together = nn.Sequential(nn.GroupNorm(GROUPS, wide), nn.ReLU())
        self.place = nn.Conv2d(wide, conditions, 1)
        self.dropout = nn.Dropout(0.2)
        self.condition = nn.Linear(2 * wide + 2 * conditions, conditions)
        self.sentiment = ConditionMeaning(conditions, sentiments)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        near = self.near(pixels)
        far = self.far(near)
        context = self.from_far(far) + _enlarged(
            self.from_around(self.around(far)), far
        )
        features = self.together(self.from_near(near) + _enlarged(context, near))
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


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(GROUPS, after),
        nn.ReLU(),
    )


def _enlarged(level: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(
        level, size=like.shape[2:], mode="bilinear", align_corners=False
    )


class ImageClassifier:
    """Preprocessing and tower together: pictures in, sentiment logits out."""

    def __init__(self, preprocessing: Preprocessing, tower: ImageTower) -> None:
        self.preprocessing = preprocessing
        self.tower = tower.to(memory_format=torch.channels_last)

    @classmethod
    def fresh(
        cls, size: int, sentiments: int, conditions: int, seed: int
    ) -> "ImageClassifier":
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(Preprocessing(size), ImageTower(sentiments, conditions))

    def pixels(self, pictures: np.ndarray) -> torch.Tensor:
        """uint8 [n, size, size, 3] -> float32 [n, 3, size, size], channels last in memory."""
        scaled = (
            torch.from_numpy(pictures).float() / 255 - self.preprocessing.mean
        ) / self.preprocessing.scale
        return scaled.permute(0, 3, 1, 2)

    def logits_of(
        self, pictures: np.ndarray, batch_size: int = 64
    ) -> tuple[np.ndarray, np.ndarray]:
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
                condition = (
                    self.tower(pixels)[1].log_softmax(1)
                    + self.tower(pixels.flip(3))[1].log_softmax(1)
                ) / 2
                sentiments[part], conditions[part] = (
                    self.tower.sentiment(condition).numpy(),
                    condition.numpy(),
                )
        return sentiments, conditions

    def logits(self, photos: Sequence[bytes]) -> np.ndarray:
        """Encoded photos -> sentiment logits, float32 [n, 3]."""
        size = self.preprocessing.size
        return self.logits_of(np.stack([decode(photo, size) for photo in photos]))[0]


def damaged_places(pictures: np.ndarray, intact: np.ndarray) -> torch.Tensor:
    """Where pictures differ from the same shots without damage, both uint8 [n, size, size, 3] -> bool [n, h, w].

    The places are those of the tower's map; one counts as damaged when any of its pixels does.
    """
    apart = torch.from_numpy(np.abs(pictures.astype(np.int16) - intact).max(3)).float()
    return nn.functional.max_pool2d(apart, PLACE, ceil_mode=True) > VISIBLE


def augment(
    pixels: torch.Tensor, damage: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Half of the photos mirrored, and their places with them; light and tint changed; torch's generator."""
    n = pixels.shape[0]
    mirrored = torch.rand(n) < 0.5
    pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    damage = torch.where(mirrored[:, None, None], damage.flip(2), damage)
    gain = 1 + 0.2 * (2 * torch.rand(n, 1, 1, 1) - 1)
    tint = 0.2 * (2 * torch.rand(n, 3, 1, 1) - 1) + 0.3 * (
        2 * torch.rand(n, 1, 1, 1) - 1
    )
    return (pixels * gain + tint).contiguous(memory_format=torch.channels_last), damage
