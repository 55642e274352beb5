"""A tiny real text model and drawn photos, made here, and stores that forget."""

import io
import runpy
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

from kindling.modeling.compact import Options
from kindling.ports.classifier import TrainingTools
from kindling.ports.nodes import Nodes
from kindling.ports.registry import ModelVersion, TrainingSet
from kindling.records import (
    CONDITIONS,
    SENTIMENTS,
    ChallengeVerdict,
    Condition,
    DedupeDecision,
    Example,
    Label,
    Photo,
    Review,
    Sentiment,
    StageReport,
    Study,
    Synthesis,
)
from kindling.stages.view import Holdout, RunView
from kindling.stores.memory import MemoryObjects, MemoryRows, MemoryStanding

from .one_night import CONTEXT

WORDS: Mapping[Sentiment, Sequence[str]] = {
    "negative": ("broke", "awful", "returned", "faded"),
    "neutral": ("okay", "average", "fine", "plain"),
    "positive": ("lovely", "perfect", "sturdy", "bright"),
}
FILLER = ("the", "vase", "lamp", "colour", "is", "and", "very", "a", "bit", "looks")
STARS = {"negative": 1, "neutral": 3, "positive": 5}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One layer of 32 and a word tokenizer; words of one sentiment lie near each other, as pretraining would leave them."""
    folder = tmp_path_factory.mktemp("tiny-text-model")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *FILLER,
        *(word for some in WORDS.values() for word in some),
    ]
    tokenizer = Tokenizer(
        WordLevel({word: row for row, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    encoder = BertModel(
        BertConfig(
            vocab_size=len(words),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.1,
        ),
        add_pooling_layer=False,
    )
    with torch.no_grad():
        for some in WORDS.values():
            encoder.embeddings.word_embeddings.weight[
                [words.index(word) for word in some]
            ] += torch.randn(32)
    encoder.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny() -> Options:
    return Options(
        epochs=3,
        batch_size=16,
        max_tokens=32,
        learning_rate=3e-3,
        head_learning_rate=3e-3,
        image_epochs=8,
        image_size=32,
    )


def draw_photo(condition: Condition, rng: np.random.Generator, size: int = 48) -> bytes:
    """A coloured thing on a ground; stained: dark blots on it, torn: a light wedge into it, broken: a side gone.

    The same generator gives the same thing in the same light, whatever its condition.
    """
    rng, harm, light = rng.spawn(3)
    ground, main = (
        tuple(int(part) for part in rng.integers(90, 240, 3)) for _ in range(2)
    )
    picture = Image.new("RGB", (size, size), ground)
    pen = ImageDraw.Draw(picture)
    left, top = rng.integers(4, 10, 2)
    pen.ellipse((left, top, size - left, size - top), fill=main)
    if condition == "stained":
        for _ in range(int(harm.integers(2, 4))):
            x, y = harm.integers(15, size - 15, 2)
            pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=(40, 28, 20))
    elif condition == "torn":
        x = int(harm.integers(14, size - 14))
        pen.polygon([(x - 5, 0), (x + 5, 0), (x, size // 2)], fill=(250, 250, 250))
    elif condition == "broken":
        edge = int(harm.integers(size // 2, size - 14))
        pen.rectangle((edge, 0, size, size), fill=ground)
    noisy = np.asarray(picture).astype(int) + light.integers(-12, 12, (size, size, 3))
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def make_examples(
    n: int, split: str, seed: int, photos: dict[str, bytes], photo_share: float = 0.7
) -> list[Example]:
    """Reviews whose words and photos both speak, with noise in both; photos are put under `memory://` URIs."""
    rng = np.random.default_rng(seed)
    found = []
    for row in range(n):
        sentiment = SENTIMENTS[row % 3]
        said = sentiment if rng.random() < 0.8 else SENTIMENTS[int(rng.integers(3))]
        words = [*rng.choice(FILLER, 6), str(rng.choice(WORDS[said]))]
        uri = condition = None
        if rng.random() < photo_share:
            damaged = (
                rng.random()
                < {"negative": 0.8, "neutral": 0.3, "positive": 0.05}[sentiment]
            )
            condition = (
                ("stained", "torn")[int(rng.integers(2))] if damaged else "intact"
            )
            uri = f"memory://{split}-{row}"
            photos[uri] = draw_photo(condition, rng)  # type: ignore[arg-type]
        synthetic = split == "train" and row % 4 == 0
        found.append(
            Example(
                review_id=f"{split}-{row:04d}",
                product_id=f"{split}-p{row % 12}",
                category=("Vases", "Lamps")[row % 2],
                text=" ".join(str(word) for word in rng.permutation(words)),
                sentiment=sentiment,
                rating=STARS[sentiment],
                origin="synthetic" if synthetic else "scraped",
                split=split,  # type: ignore[arg-type]
                photo_id=uri,
                photo_uri=uri,
                condition=condition if synthetic else None,
            )
        )  # type: ignore[arg-type]
    return found


def make_studies(n: int, seed: int, photos: dict[str, bytes]) -> list[Study]:
    """n things in every condition, as the synthesize stage makes them."""
    found = []
    for row in range(n):
        uris: dict[Condition, str] = {
            condition: f"memory://study-{row}-{condition}" for condition in CONDITIONS
        }
        for condition, uri in uris.items():
            photos[uri] = draw_photo(condition, np.random.default_rng([seed, row]))
        found.append(
            Study(
                study_id=uris["intact"],
                product_id=f"train-p{row % 12}",
                base_photo_id=f"base-{row}",
                uris=uris,
            )
        )
    return found


@pytest.fixture(scope="session")
def tools(text_model: Path) -> Callable[..., TrainingTools]:
    """What a training is handed; checkpoints go where the caller says, or are forgotten."""

    def made(seed: int, objects: MemoryObjects | None = None) -> TrainingTools:
        return TrainingTools(
            objects=objects or MemoryObjects(),
            work="runs/r/checkpoints/one",
            text_model=text_model,
            threads=1,
            seed=seed,
        )

    return made


class FolderRegistry:
    """ModelRegistry over plain folders."""

    name = "folders"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._versions: list[ModelVersion] = []
        self._champion: str | None = None
        self._provisional: str | None = None
        self.metrics: dict[str, dict[str, float]] = {}
        self.params: dict[str, Mapping[str, Any]] = {}
        self.training_sets: dict[str, TrainingSet] = {}

    def register(
        self,
        run_id: str,
        directory: Path,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
    ) -> ModelVersion:
        version = str(len(self._versions) + 1)
        target = self._root / version
        shutil.copytree(directory, target)
        self._versions.append(ModelVersion(version, run_id, target.as_uri()))
        self.metrics[version], self.params[version] = dict(metrics), params
        return self._versions[-1]

    def log_metrics(self, version: str, metrics: Mapping[str, float]) -> None:
        self.metrics[version].update(metrics)

    def champion(self) -> ModelVersion | None:
        return next(
            (one for one in self._versions if one.version == self._champion), None
        )

    def candidate(self, run_id: str) -> ModelVersion | None:
        return next(
            (one for one in reversed(self._versions) if one.run_id == run_id), None
        )

    def promote(self, version: str) -> None:
        self._champion = version

    def serve_provisionally(self, version: str) -> None:
        self._provisional = version

    def serving(self) -> ModelVersion | None:
        for one in self._versions:
            if self._champion is None and one.version == self._provisional:
                return replace(one, provisional=True)
        return self.champion()

    def download(self, version: str, into: Path) -> Path:
        return Path(shutil.copytree(self._root / version, into / version))

    def keep_training_set(self, version: str, training_set: TrainingSet) -> None:
        self.training_sets[version] = training_set

    def training_set(self, version: str) -> TrainingSet | None:
        return self.training_sets.get(version)


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return FolderRegistry(tmp_path / "registry")


@pytest.fixture(scope="session")
def drawn():
    """The drawing functions, for tests that need their own sets."""
    return make_examples, draw_photo


@pytest.fixture(scope="session")
def studies():
    """The function that makes studies of conditions."""
    return make_studies


PROMPT_WORDS = (
    "user assistant : . , a customer reviewed product they bought read the review look at"
    " photo where there is one and say in word whether about"
)


@pytest.fixture(scope="session")
def save_llava() -> Callable[..., Path]:
    """The function that saves a tiny LLaVA; benches run the same file."""
    path = Path(__file__).with_name("tiny_vlm.py")
    made: Callable[..., Path] = runpy.run_path(str(path))["save_llava"]
    return made


@pytest.fixture(scope="session")
def llava_words() -> list[str]:
    """What the prompt and the reviews made here say."""
    said = (word for some in WORDS.values() for word in some)
    return [*PROMPT_WORDS.split(), *FILLER, *said]


@pytest.fixture(scope="session")
def llava(
    save_llava: Callable[..., Path],
    llava_words: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A tiny LLaVA whose answers are one token each."""
    return save_llava(tmp_path_factory.mktemp("llava"), [*llava_words, *SENTIMENTS])


@pytest.fixture
def needs(drawn, studies, text_model, registry) -> Any:
    rows, objects, photos = MemoryRows(), MemoryObjects(), {}
    made = [
        one
        for n, split, seed in (
            (180, "train", 1),
            (90, "validation", 2),
            (150, "golden", 3),
        )
        for one in drawn[0](n, split, seed, photos)
    ]
    shown = studies(60, 4, photos)
    for uri, data in photos.items():
        objects.put_named(uri.removeprefix("memory://"), data)
    records = [*shown]
    for one in made:
        records += [
            Review(
                one.review_id,
                one.product_id,
                one.category,
                "",
                one.text,
                one.rating,
                one.origin,
                one.photo_id,
            ),
            Label(one.review_id, one.sentiment, 1.0, "accept", {"stars": 1.0}),
        ]
        if one.origin == "synthetic":
            records += [
                Synthesis(one.review_id, one.sentiment, "test", (), one.condition),
                ChallengeVerdict(one.review_id, 0.5, True, ""),
            ]
        else:
            records.append(
                DedupeDecision(
                    one.review_id, one.review_id, True, "unique", 1.0, one.split
                )
            )
        if one.photo_uri:
            records.append(
                Photo(
                    one.photo_id,
                    one.product_id,
                    "review",
                    one.origin,
                    one.photo_uri,
                    48,
                    48,
                    condition=one.condition,
                )
            )
    rows.commit(StageReport("label", CONTEXT.run_id, len(made), len(made)), records, [])
    return SimpleNamespace(
        rows=rows,
        view=RunView(rows, CONTEXT.run_id),
        holdout=Holdout(rows, CONTEXT.run_id),
        objects=objects,
        registry=registry,
        text_model=text_model,
        standing=MemoryStanding(),
        threads=1,
        nodes=Nodes(),
    )
