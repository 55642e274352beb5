"""A vision-language model from a local folder, and what of it is trained."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging as transformers_logging

from kindling.errors import ConfigurationError
from kindling.modeling.device import device, native_bf16
from kindling.modeling.vlm.options import Options

#: Parts of a name that say that a layer belongs to the eyes, or turns hidden states into words.
_EYES = ("vision", "visual", "image_tower")
_HEAD = "lm_head"
LORA_DROPOUT = 0.0


def locate(folder: Path) -> str:
    """Name of the model in a folder, with the hash of its weights' list; ConfigurationError without one."""
    config = folder / "config.json"
    weights = sorted(folder.glob("*.safetensors"))
    if not config.is_file() or not weights:
        raise ConfigurationError(
            f"vision-language model folder {folder}: wanted config.json and *.safetensors,"
            " as save_pretrained writes them"
        )
    digest = hashlib.sha256(config.read_bytes())
    for one in weights:
        with one.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    kind = json.loads(config.read_text("utf-8")).get("model_type", "vlm")
    return f"{kind}@{digest.hexdigest()[:12]}"


def load(folder: Path) -> tuple[nn.Module, Any]:
    """Model and processor; no code that lies in the folder is run.

    bfloat16 on a GPU that has it, float32 on the processor.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    on_gpu = device().type == "cuda" and native_bf16()
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
            dtype="bfloat16" if on_gpu else "float32",
        )
        processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{folder} holds no vision-language model with its processor: {error}"
        ) from error
    return model, processor


def trainable(model: nn.Module, options: Options, seed: int) -> nn.Module:
    """The model with what the options train, and only that, left to be trained."""
    if options.activation_checkpointing:
        model.gradient_checkpointing_enable(  # type: ignore[operator]
            gradient_checkpointing_kwargs={"use_reentrant": False}
        )
    if options.tuning == "full":
        return model.requires_grad_(True)
    layers = linear_layers(model)
    if not layers:
        raise ConfigurationError("the model has no linear layer that LoRA could go to")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LoraConfig(
            r=options.lora_rank,
            lora_alpha=2 * options.lora_rank,
            lora_dropout=LORA_DROPOUT,
            target_modules=layers,
        )
        adapted: nn.Module = get_peft_model(model, config)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(next(model.parameters()).dtype)
    return adapted


def merged(model: nn.Module) -> nn.Module:
    """The model with LoRA's matrices added to the weights that they lie beside."""
    if hasattr(model, "merge_and_unload"):
        plain: nn.Module = model.merge_and_unload()  # type: ignore[operator]
        return plain
    return model


def linear_layers(model: nn.Module) -> list[str]:
    """Names of the linear layers outside the eyes and the output: the language model's and the connector's."""
    return [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear)
        and not any(part in name for part in _EYES)
        and not name.endswith(_HEAD)
    ]
