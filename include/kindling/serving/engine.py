"""What a served model runs on: its exported graphs on a processor, torch where there is a reason."""

import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindling.errors import ConfigurationError
from kindling.modeling import pretrained
from kindling.modeling.compact import int8_model
from kindling.serving.predictor import SentimentClassifier
from kindling.serving.search import Encoder

#: There where the driver of a GPU is: then torch is the faster one.
GPU_DRIVER = Path("/proc/driver/nvidia/version")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """A classifier and the encoder of queries beside it."""

    model: SentimentClassifier
    calibrated: bool
    encoder: Encoder
    #: "onnx-int8" or "torch".
    name: str
    #: Why it is torch; None where it is not.
    reason: str | None


class Engines:
    """Opens the engine of a model folder; the torch encoder is loaded once, and only if wanted."""

    def __init__(self, text_model: Path | None, threads: int) -> None:
        self._text_model, self._threads = text_model, threads
        self._torch_encoder: Any = None

    def open(self, folder: Path) -> Engine:
        """DataError when the folder holds no whole model; ConfigurationError where it wants torch
        and there is none."""
        reason = self._why_torch(folder)
        if reason is not None:
            log.info("the model runs on torch: %s", reason)
            return self._torch(folder, reason)
        model = int8_model.Int8Model.load(folder, self._threads)
        encoder = int8_model.load_encoder(folder, self._threads)
        return Engine(model, model.calibrated, encoder, "onnx-int8", None)

    def _why_torch(self, folder: Path) -> str | None:
        if GPU_DRIVER.exists():
            return "there is a GPU"
        export = int8_model.export_of(folder)
        if export is None:
            return "the model was registered without an export"
        if export.refused:
            return f"the export was refused: {export.refused}"
        found = pretrained.model_id(*pretrained.locate(self._text_model))
        if export.search_model != found:
            return f"the export searches by {export.search_model}, the index by {found}"
        return None

    def _torch(self, folder: Path, reason: str) -> Engine:
        # Here and not above: a server on exported graphs holds no torch.
        if importlib.util.find_spec("torch") is None:
            raise ConfigurationError(
                f"the champion wants torch ({reason}), which this image was built without "
                "(TORCH=none); build it with TORCH=cpu"
            )
        from kindling.extensions import load_classifier
        from kindling.modeling.device import set_threads
        from kindling.modeling.embedder import Embedder

        set_threads(self._threads)
        model = load_classifier(folder)
        if self._torch_encoder is None:
            self._torch_encoder = Embedder(self._text_model)
        return Engine(model, model.calibrated, self._torch_encoder, "torch", reason)
