"""The diffusion editor with a tiny pipeline of random weights: every path, on the CPU, no download."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from kindling import extensions
from kindling.errors import ConfigurationError, DataError
from kindling.ports.generation import Editor, Material
from kindling.records import CONDITIONS
from kindling.synthesis.marks import SOURCE_TYPE, photo_mark
from kindling.synthesis.saliency import object_mask

WORDS = "<unk> <end> photo of badly torn fabric pristine new clean".split()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Weights this small only wait for one another on several cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(
        WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<end>",
        eos_token="<end>",
        model_max_length=64,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A pipeline and a ControlNet of a few thousand random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny")
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        norm_num_groups=4,
        attention_head_dim=4,
    )
    vae = AutoencoderKL(
        block_out_channels=[8, 8, 8, 8],
        norm_num_groups=4,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
    )
    text = CLIPTextConfig(
        hidden_size=16,
        intermediate_size=32,
        num_attention_heads=2,
        num_hidden_layers=2,
        vocab_size=len(WORDS),
        max_position_embeddings=64,
        eos_token_id=1,
        pad_token_id=1,
        bos_token_id=1,
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=tiny_tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(path / "model")
    ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=(4, 4, 4, 8)
    ).save_pretrained(path / "controlnet")
    return str(path / "model"), str(path / "controlnet")


def made(
    folders: tuple[str, str], with_edges: bool = True, **options: object
) -> Editor:
    model, controlnet = folders
    given = {
        "model": model,
        "controlnet": controlnet if with_edges else "",
        "size": 64,
        "steps": 2,
        **options,
    }
    chosen = extensions.options("editor", "diffusion", given)
    return extensions.find("editor", "diffusion").editor(chosen, Material([], [], 1))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float) / 255


@pytest.mark.parametrize("with_edges", [True, False])
def test_only_a_part_of_the_object_is_painted_and_a_seed_decides_it(
    folders: tuple[str, str], thing: Callable[..., bytes], with_edges: bool
) -> None:
    editor = made(folders, with_edges)
    one, two, other = (
        editor.edit(thing(3), "torn", np.random.default_rng(seed), "Shirts: tee")
        for seed in (1, 1, 2)
    )
    assert one == two and one.data != other.data
    assert (one.width % 8, one.height % 8) == (0, 0)
    intact = editor.edit(thing(3), "intact", np.random.default_rng(1), "Shirts: tee")
    apart = np.abs(pixels(one.data) - pixels(intact.data)).max(axis=2)
    mask = object_mask(pixels(intact.data))
    assert (apart > 0.15).mean() < 0.5 * mask.mean(), "the rest of the photo is kept"


def test_the_file_says_that_a_model_made_it(
    folders: tuple[str, str], thing: Callable[..., bytes]
) -> None:
    editor = made(folders)
    edited = editor.edit(thing(1), "stained", np.random.default_rng(0), "Teapots: pot")
    mark = photo_mark(edited.data)
    assert mark and mark["digital_source_type"] == SOURCE_TYPE
    assert mark["method"] == editor.name == "diffused-conditions/1 model"
    assert len(editor.provenance["editor_prompt_sha256"]) == 64


def test_damage_that_looks_like_its_intact_twin_is_no_label(
    folders: tuple[str, str], thing: Callable[..., bytes], tmp_path: Path
) -> None:
    """With one prompt for every condition both shots are the same: nothing can be seen."""
    path = tmp_path / "same.yaml"
    kinds = {kind: dict.fromkeys(CONDITIONS, "torn") for kind in ("cloth", "hard")}
    path.write_text(yaml.safe_dump({**kinds, "negative": "x"}))
    editor = made(folders, prompts=str(path), redraws=1)
    edited = editor.edit(thing(1), "torn", np.random.default_rng(0))
    assert (edited.visible, edited.changed, edited.attempts) == (False, 0.0, 2)


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        made((str(tmp_path), ""), with_edges=False)
    with pytest.raises(ConfigurationError, match="model: "):
        extensions.options("editor", "diffusion", {})
    with pytest.raises(ConfigurationError, match="or nothing is painted"):
        extensions.options(
            "editor", "diffusion", {"model": "m", "steps": 2, "strength": 0.1}
        )


def test_prompts_of_ones_own_are_checked(
    folders: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("negative: x\ncloth: {intact: a}\n")
    with pytest.raises(ConfigurationError, match="wanted: `negative`, and under"):
        made(folders, prompts=str(path))


def test_bytes_that_are_no_image_are_an_error(folders: tuple[str, str]) -> None:
    with pytest.raises(DataError, match="cannot be read as an image"):
        made(folders).edit(b"nothing", "torn", np.random.default_rng(0))
