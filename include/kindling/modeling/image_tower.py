"""A small CNN that reads a product photo for signs of its condition; trained from nothing, no published weights.

Damage is local and mostly thin, so the pooled features hold the maximum over places beside the mean.
Always float32: convolutions this small train six times slower in bfloat16 on a CPU that has it.
"""

import hashlib
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import nn

from kindling.errors import DataError

#: Pixels of a photo, before decoding, from which it is refused: a bomb, not a product photo.
MAX_PIXELS = 50_000_000
WIDTHS = (24, 48, 96, 128)


@dataclass(frozen=True)
class Preprocessing:
    """How bytes become the tower's input; its hash stands in the model's config."""

    size: int
    mean: float = 0.5
    scale: float = 0.25
    #: Whole photo squeezed into the square: cropping could cut the damage away.
    fit: str = "squeeze-bilinear"

    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def decode(data: bytes, size: int) -> np.ndarray:
    """Any picture Pillow reads -> uint8 [size, size, 3], upright; DataError when it is none or too large."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"photo of {image.width} x {image.height} pixels; at most {MAX_PIXELS} are read")
            image.draft("RGB", (2 * size, 2 * size))  # JPEG only: decodes at a fraction of the size.
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return np.asarray(upright.resize((size, size), Image.Resampling.BILINEAR))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        sha256 = hashlib.sha256(data).hexdigest()
        raise DataError(f"photo {sha256[:12]} ({len(data)} bytes) cannot be read: {error}") from error


class ImageTower(nn.Module):
    """[n, 3, size, size] -> sentiment logits [n, 3] and condition logits [n, 4]."""

    def __init__(self, sentiments: int, conditions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_block(3, WIDTHS[0], stride=2)]
        for before, after in itertools.pairwise(WIDTHS):
            layers += [_block(before, after, stride=2), _block(after, after, stride=1)]
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.sentiment = nn.Linear(2 * WIDTHS[-1], sentiments)
        self.condition = nn.Linear(2 * WIDTHS[-1], conditions)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.features(pixels)
        pooled = self.dropout(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1))
        return self.sentiment(pooled), self.condition(pooled)


def _block(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class ImageClassifier:
    """Preprocessing and tower together: pictures in, sentiment logits out."""

    def __init__(self, preprocessing: Preprocessing, tower: ImageTower) -> None:
        self.preprocessing = preprocessing
        self.tower = tower.to(memory_format=torch.channels_last)

    @classmethod
    def fresh(cls, size: int, sentiments: int, conditions: int, seed: int) -> "ImageClassifier":
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(Preprocessing(size), ImageTower(sentiments, conditions))

    def pixels(self, pictures: np.ndarray) -> torch.Tensor:
        """uint8 [n, size, size, 3] -> float32 [n, 3, size, size], channels last in memory."""
        scaled = (torch.from_numpy(pictures).float() / 255 - self.preprocessing.mean) / self.preprocessing.scale
        return scaled.permute(0, 3, 1, 2)

    def logits_of(self, pictures: np.ndarray, batch_size: int = 64) -> tuple[np.ndarray, np.ndarray]:
        """Decoded pictures -> sentiment logits [n, 3] and condition logits [n, 4], float32."""
        sentiments = np.zeros((len(pictures), self.tower.sentiment.out_features), dtype=np.float32)
        conditions = np.zeros((len(pictures), self.tower.condition.out_features), dtype=np.float32)
        self.tower.train(False)
        for start in range(0, len(pictures), batch_size):
            part = slice(start, start + batch_size)
            with torch.inference_mode():
                sentiment, condition = self.tower(self.pixels(pictures[part]))
            sentiments[part], conditions[part] = sentiment.numpy(), condition.numpy()
        return sentiments, conditions

    def logits(self, photos: Sequence[bytes]) -> np.ndarray:
        """Encoded photos -> sentiment logits, float32 [n, 3]."""
        size = self.preprocessing.size
        return self.logits_of(np.stack([decode(photo, size) for photo in photos]))[0]


def augment(pixels: torch.Tensor) -> torch.Tensor:
    """Each photo mirrored or not, shifted and scaled up to 10 %, light and tint changed; torch's generator."""
    n = pixels.shape[0]
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    zoom = 1 + 0.1 * (2 * torch.rand(n) - 1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = mirror * zoom, zoom
    theta[:, :, 2] = 0.1 * (2 * torch.rand(n, 2) - 1)
    grid = nn.functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    moved = nn.functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    gain = 1 + 0.2 * (2 * torch.rand(n, 1, 1, 1) - 1)
    tint = 0.2 * (2 * torch.rand(n, 3, 1, 1) - 1) + 0.3 * (2 * torch.rand(n, 1, 1, 1) - 1)
    return (moved * gain + tint).contiguous(memory_format=torch.channels_last)
