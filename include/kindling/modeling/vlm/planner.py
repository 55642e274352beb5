"""How much memory a training takes, told before it starts; what cannot fit is refused with what would.

Rajbhandari et al. 2020, "ZeRO": mixed precision keeps 2 bytes a weight, and for each trained one 2 of gradient
and 12 of optimiser (master weight and two moments in float32); a stage divides its part by the ranks.
Activations by Korthikanti et al. 2022, "Reducing Activation Recomputation": 34 bytes a token, layer and
hidden unit in half precision where all are kept, 2 where a layer's input alone is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from accelerate import init_empty_weights
from transformers import AutoConfig, AutoModelForImageTextToText

from kindling.errors import ConfigurationError
from kindling.modeling.device import device, memory_bytes, native_bf16
from kindling.modeling.vlm import weights
from kindling.modeling.vlm.options import Options

GIB = 2**30
#: Left for the allocator's gaps, kernels' workspaces and the context.
RESERVED_SHARE = 0.1
#: Tokens of a prompt besides its text and photo.
PROMPT_TOKENS = 64
MAX_RANKS = 64


@dataclass(frozen=True)
class Shape:
    """What of a model decides how much memory it takes."""

    parameters: int
    #: Of the linear layers that LoRA goes to: inputs plus outputs, summed.
    linear_sides: int
    layers: int
    hidden: int
    vocabulary: int
    image_tokens: int

    @classmethod
    def of(cls, folder: Path) -> "Shape":
        """Read from the model's configuration; no weight is loaded."""
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        with init_empty_weights():
            model = AutoModelForImageTextToText.from_config(config)  # type: ignore[no-untyped-call]
        named = dict(model.named_modules())
        sides = [named[name].weight.shape for name in weights.linear_layers(model)]
        text = getattr(config, "text_config", config)
        return cls(
            parameters=sum(one.numel() for one in model.parameters()),
            linear_sides=sum(sum(shape) for shape in sides),
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            vocabulary=text.vocab_size,
            image_tokens=_image_tokens(config),
        )


@dataclass(frozen=True)
class Plan:
    """Bytes that one rank needs at most, by part."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    ranks: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimiser + self.activations

    def __str__(self) -> str:
        parts = (
            f"{name} {getattr(self, name) / GIB:.2f}"
            for name in ("weights", "gradients", "optimiser", "activations")
        )
        return (
            f"memory of each of {self.ranks} ranks, estimated: {self.total / GIB:.2f} GiB"
            f" ({', '.join(parts)})"
        )


def estimate(shape: Shape, options: Options, ranks: int, wide: bool = False) -> Plan:
    """Of one rank; `wide` where weights are float32, as on a processor."""
    width = 4 if wide else 2
    lora = options.tuning == "lora"
    trained = options.lora_rank * shape.linear_sides if lora else shape.parameters
    held = shape.parameters + (trained if lora else 0)
    share = ranks if options.zero == 3 else 1
    # In float32 the weights themselves are the master copy of one's own part.
    return Plan(
        weights=held * width // share,
        gradients=trained * width // ranks,
        optimiser=12 * trained // ranks,
        activations=_activations(shape, options, width),
        ranks=ranks,
    )


def plan(folder: Path, options: Options, ranks: int) -> Plan:
    """The estimate for the machine at hand; ConfigurationError where it cannot fit, with what would."""
    shape = Shape.of(folder)
    wide = not (device().type == "cuda" and native_bf16())
    # On a processor all ranks share one memory.
    sharers = 1 if device().type == "cuda" else ranks
    room = int(memory_bytes() * (1 - RESERVED_SHARE)) // sharers
    return fitting(shape, options, ranks, room, wide)


def fitting(
    shape: Shape, options: Options, ranks: int, room: int, wide: bool = False
) -> Plan:
    """The estimate where it fits into `room` bytes; ConfigurationError names what would fit."""
    found = estimate(shape, options, ranks, wide)
    if found.total <= room:
        return found
    for said, changed, with_ranks in _alternatives(options, ranks):
        other = estimate(shape, changed, with_ranks, wide)
        if other.total <= room:
            way = f"it fits with {said} ({other.total / GIB:.2f} GiB)"
            break
    else:
        way = f"nothing here makes it fit, with up to {MAX_RANKS} ranks: take a smaller model"
    raise ConfigurationError(f"{found}; there are {room / GIB:.2f} GiB: {way}")


def _alternatives(options: Options, ranks: int) -> Iterator[tuple[str, Options, int]]:
    """What could be changed, the least costly first, each on top of those before."""
    said: list[str] = []
    changes: tuple[tuple[str, dict[str, object]], ...] = (
        ("activation_checkpointing: true", {"activation_checkpointing": True}),
        ("micro_batch: 1", {"micro_batch": 1}),
        ("zero: 3", {"zero": 3}),
    )
    for text, change in changes:
        if all(getattr(options, key) == value for key, value in change.items()):
            continue
        options = options.model_copy(update=change)
        said.append(text)
        yield ", ".join(said), options, ranks
    more = ranks * 2
    while more <= MAX_RANKS:
        yield ", ".join([*said, f"{more} ranks"]), options, more
        more *= 2
    if options.tuning == "full":
        lora = options.model_copy(update={"tuning": "lora"})
        yield ", ".join([*said, "tuning: lora"]), lora, ranks


def _activations(shape: Shape, options: Options, width: int) -> int:
    tokens = options.micro_batch * (
        options.text_tokens + PROMPT_TOKENS + shape.image_tokens
    )
    layer = 34 * tokens * shape.hidden * width // 2
    if options.activation_checkpointing:
        kept = tokens * shape.hidden * width * shape.layers + layer
    else:
        kept = layer * shape.layers
    # Logits of every place of the prompt, and their gradient.
    return kept + 2 * tokens * shape.vocabulary * width


def _image_tokens(config: object) -> int:
    """Tokens that one photo becomes: what the configuration says, else one for each patch."""
    said = getattr(config, "image_seq_length", None)
    if said:
        return int(said)
    eyes = getattr(config, "vision_config", None)
    size, patch = (getattr(eyes, name, 0) for name in ("image_size", "patch_size"))
    scale = getattr(config, "scale_factor", 1)
    return int((size // patch) ** 2 // scale**2) if patch else 0
