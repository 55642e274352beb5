"""Exports a compact model, and the search encoder beside it, to graphs of 8-bit integers.

Done when the model is trained: there the validation rows are that say whether the graphs answer
like the model, and a server that finds them ready needs no torch.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kindling.modeling import folder as files
from kindling.modeling import onnx_quantise
from kindling.modeling.compact.image_tower import ImageClassifier
from kindling.modeling.compact.int8_model import (
    EXPORT,
    FOLDER,
    IMAGE,
    SEARCH,
    SEARCH_TOKENIZER,
    TEXT,
    Export,
    Int8Model,
    load_encoder,
)
from kindling.modeling.compact.model import CompactModel
from kindling.modeling.device import device
from kindling.modeling.embedder import MAX_TOKENS, Embedder
from kindling.modeling.encoding import mean_pool
from kindling.modeling.onnx_text import TextGraph
from kindling.ports.classifier import Prediction

OPSET = 17
#: Texts that show the quantiser what activations are like.
SHOWN = 64
#: Feed-forward layers of the classifier whose second product is not rounded: with two the logits are
#: half as far off, at the speed that the norms gave (experiments/2026-11-26-where-int8-errs.md). The
#: search encoder needs none: its vectors agree to .995.
IN_FLOAT = 2
#: Texts that the logits are centred on at most, and at least.
CENTRED, CENTRED_LEAST = 200, 30
#: Rows that are compared at most; the bound keeps a night short.
COMPARED = 1000
#: Share of rows whose label is the same, at least, and nats of log-loss lost, at most.
AGREEMENT, LOSS = 0.97, 0.02
#: Cosine of a text's vector from the graph to that of the encoder, at least, on average.
COSINE = 0.98


def export(
    model: CompactModel,
    embedder: Embedder,
    folder: Path,
    rows: Sequence[tuple[str, bytes | None, int]],
) -> Export:
    """Write the graphs into the model's folder and seal it again; what they are worth.

    `rows` are validation rows: text, photo, index of the label. Where the graphs answer too
    differently they are not kept, and the export says why; the model then serves as it is.
    """
    target = folder / FOLDER
    (target / "search").mkdir(parents=True, exist_ok=True)
    _write_graphs(model, embedder, target, [text for text, _, _ in rows])
    _back_to_work(model, embedder)
    centre(model, target, [text for text, _, _ in rows[:CENTRED]])
    parity = compared(model, embedder, folder, rows[:COMPARED])
    refused = refusal(parity)
    if refused:
        for name in (TEXT, IMAGE, SEARCH):
            (target / name).unlink(missing_ok=True)
    made = Export(refused, embedder.model_id, MAX_TOKENS, parity)
    files.write_json(target / EXPORT, asdict(made))
    files.seal(folder)
    return made


def centre(model: CompactModel, target: Path, texts: Sequence[str]) -> None:
    """Take from the text graph's logits what they are off by on average; too few texts say nothing.

    Bias correction, as in Nagel et al. 2019, "Data-Free Quantization through Weight Equalization
    and Bias Correction", with data. No label is looked at.
    """
    if len(texts) < CENTRED_LEAST:
        return
    path = target / TEXT
    graph = TextGraph(path, model.text.tokenizer, torch.get_num_threads())
    off = (model.text.logits(texts) - graph(texts)).mean(axis=0)
    # What is added to every label alike changes no answer.
    onnx_quantise.shift_output(path, off - off.mean())


def refusal(parity: dict[str, Any]) -> str | None:
    """Why graphs with these figures are not used; None where they may be."""
    if not parity["rows"]:
        return "there was no validation row to compare the graphs on"
    if parity["agreement"] < AGREEMENT:
        return f"labels agree on {parity['agreement']:.3f} of rows, wanted {AGREEMENT}"
    if parity["log_loss_added"] > LOSS:
        return f"log-loss rises by {parity['log_loss_added']:.4f}, allowed {LOSS}"
    if parity["search_cosine"] < COSINE:
        return f"search vectors agree to {parity['search_cosine']:.3f}, wanted {COSINE}"
    return None


def compared(
    model: CompactModel,
    embedder: Embedder,
    folder: Path,
    rows: Sequence[tuple[str, bytes | None, int]],
) -> dict[str, Any]:
    """Label agreement, log-loss added, and cosine of search vectors, graphs against the model."""
    if not rows:
        return {"rows": 0}
    texts = [text for text, _, _ in rows]
    photos = [photo for _, photo, _ in rows]
    truth = np.array([label for _, _, label in rows])
    config = files.read_json(folder / files.CONFIG)
    threads = torch.get_num_threads()
    theirs = model.predict(texts, photos)
    ours = Int8Model.from_graphs(folder, config, threads).predict(texts, photos)
    some = texts[:SHOWN]
    vectors = _searched(folder, threads)(some)
    return {
        "rows": len(rows),
        "agreement": float(
            (theirs.probabilities.argmax(1) == ours.probabilities.argmax(1)).mean()
        ),
        "log_loss_added": _log_loss(ours, truth) - _log_loss(theirs, truth),
        "search_cosine": float((vectors * embedder.encode(some)).sum(1).mean()),
    }


def _searched(
    folder: Path, threads: int
) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    made = Export(None, "", MAX_TOKENS, {})
    files.write_json(folder / FOLDER / EXPORT, asdict(made))
    return load_encoder(folder, threads).encode


def _log_loss(answers: Prediction, truth: NDArray[np.int64]) -> float:
    given = answers.probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(given, 1e-12)).mean())


def _write_graphs(
    model: CompactModel, embedder: Embedder, target: Path, texts: Sequence[str]
) -> None:
    shown = list(texts[:SHOWN]) or ["The fabric is soft and the seams hold."]
    tower = model.text.tower
    rows = [one.ids for one in model.text.tokenizer.encode_batch(shown)]
    logits = _Logits(tower.encoder, tower.head)
    _write_text(logits, target / TEXT, rows, IN_FLOAT)
    embedder.tokenizer.save(str(target / SEARCH_TOKENIZER))
    rows = [one.ids for one in embedder.tokenizer.encode_batch(shown)]
    _write_text(_Pooled(embedder.encoder), target / SEARCH, rows, 0)
    if model.image:
        _write_image(model.image, target / IMAGE)


def _back_to_work(model: CompactModel, embedder: Embedder) -> None:
    """Attention and device as they were before the tracing."""
    for encoder in (model.text.tower.encoder, embedder.encoder):
        encoder.set_attn_implementation("sdpa")
    networks = [model.text.tower, embedder.encoder]
    if model.image:
        networks += [model.image.eyes, model.image.tower]
    for network in networks:
        network.to(device())


def _write_text(
    network: "_Pooled", target: Path, rows: Sequence[Sequence[int]], in_float: int
) -> None:
    config = network.encoder.config
    with TemporaryDirectory(prefix="kindling-export-") as scratch:
        plain, fused = Path(scratch) / "plain.onnx", Path(scratch) / "fused.onnx"
        ids = torch.tensor([list(range(5, 22)), list(range(5, 22))])
        mask = torch.ones_like(ids)
        mask[1, 10:] = 0
        named = ("ids", "mask", "found")
        axes: dict[str, dict[int, str]] = {
            name: {0: "rows"} if name == "found" else {0: "rows", 1: "tokens"}
            for name in named
        }
        _traced(network, (ids, mask), plain, named, axes)
        onnx_quantise.fused(
            plain, fused, config.num_attention_heads, config.hidden_size
        )
        onnx_quantise.quantised(fused, target, rows, in_float)


def _write_image(image: ImageClassifier, target: Path) -> None:
    """In float32: convolutions of this size are not faster in integers on a processor."""
    size = image.preprocessing.size
    pixels = torch.zeros((1, size, size, 3), dtype=torch.uint8)
    axes = {"pixels": {0: "rows"}, "found": {0: "rows"}}
    _traced(_Sentiment(image), (pixels,), target, ("pixels", "found"), axes)


def _traced(
    network: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: Path,
    names: tuple[str, ...],
    axes: dict[str, dict[int, str]],
) -> None:
    """By the tracing exporter: the newer one takes seven times as long for the same graph."""
    network = network.train(False).cpu()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            inputs,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(names[:-1]),
            output_names=[names[-1]],
            dynamic_axes=axes,
        )


class _Pooled(nn.Module):
    """Ids and mask [n, tokens] -> the encoder's mean-pooled states [n, d]."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        # The fused operator that the optimiser knows is that of plain attention.
        encoder.set_attn_implementation("eager")

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return mean_pool(hidden, mask)


class _Logits(_Pooled):
    """The same with the head on top -> [n, 3]."""

    def __init__(self, encoder: Any, head: nn.Module) -> None:
        super().__init__(encoder)
        self.head = head

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(super().forward(ids, mask))
        return logits


class _Sentiment(nn.Module):
    """uint8 [n, size, size, 3] -> sentiment logits [n, 3], as ImageClassifier.logits_of."""

    def __init__(self, image: ImageClassifier) -> None:
        super().__init__()
        self.eyes, self.tower = image.eyes, image.tower
        self.mean, self.scale = image.preprocessing.mean, image.preprocessing.scale

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        plain = ((pixels.float() - self.mean) / self.scale).permute(0, 3, 1, 2)
        both = [self._condition(one) for one in (plain, plain.flip(3))]
        logits: torch.Tensor = self.tower.sentiment((both[0] + both[1]) / 2)
        return logits

    def _condition(self, pixels: torch.Tensor) -> torch.Tensor:
        _, condition = self.tower(self.eyes(pixels))
        said: torch.Tensor = condition.log_softmax(1)
        return said
