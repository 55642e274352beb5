"""Damage seen on garments that no tower has seen: pretrained eyes against a tower from scratch, at equal CPU seconds.

    make bench NAME=tower DATA=<folder that holds clothing/>

Both learn from the same studies, drawn by the product's own editor; both are judged on other bases, once in
that editor's hand and once in the shop's. The tower from scratch is the one that the product had before, at 96
pixels: it goes on until it has used the CPU seconds that the other took. All damage is drawn. Intervals:
percentile bootstrap over bases of the AUC's difference, averaged over seeds.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from inputs.datasets import dataset
from PIL import Image
from scipy.stats import rankdata
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "containers" / "shop"))
from kindling.modeling.checkpoint import Checkpoint  # noqa: E402
from kindling.modeling.compact import Options, image_tower  # noqa: E402
from kindling.modeling.compact.image_tower import ImageClassifier  # noqa: E402
from kindling.modeling.compact.image_training import (  # noqa: E402
    _fit_conditions,
    condition_loss,
)
from kindling.modeling.compact.rows import Shots  # noqa: E402
from kindling.modeling.device import set_threads  # noqa: E402
from kindling.modeling.fitting import learning_rate_factor  # noqa: E402
from kindling.modeling.photos import decode  # noqa: E402
from kindling.ports.generation import Material  # noqa: E402
from kindling.records import CONDITIONS, Condition  # noqa: E402
from kindling.stores.memory import MemoryObjects  # noqa: E402
from kindling.synthesis.editors import drawn  # noqa: E402
from shop.photos.shots import another_shot  # noqa: E402

SIZE, OLD_SIZE, OLD_PLACE = 128, 96, 4
BATCH_STUDIES = 4
RESAMPLES = 1000
Pictures = np.ndarray
Bank = dict[str, Pictures]
"""Name -> uint8 [bases, 4, SIZE, SIZE, 3], conditions in the order of CONDITIONS."""


class FromScratch(nn.Module):
    """The product's tower before it had pretrained eyes."""

    def __init__(self, conditions: int) -> None:
        super().__init__()
        thin, middle, wide = 24, 48, 96
        self.near = nn.Sequential(
            _block(3, thin, 2), _block(thin, middle, 2), _block(middle, middle)
        )
        self.far = nn.Sequential(
            _block(middle, wide, 2), _block(wide, wide), _block(wide, wide)
        )
        self.around = nn.Sequential(
            _block(wide, wide, 2), _block(wide, wide), _block(wide, wide)
        )
        self.levels = nn.ModuleList(
            nn.Conv2d(channels, wide, 1, bias=False)
            for channels in (middle, wide, wide)
        )
        self.together = nn.Sequential(nn.GroupNorm(8, wide), nn.ReLU())
        self.place = nn.Conv2d(wide, conditions, 1)
        self.dropout = nn.Dropout(0.2)
        self.condition = nn.Linear(2 * wide + 2 * conditions, conditions)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        near = self.near(pixels)
        far = self.far(near)
        coarse = _enlarged(self.levels[2](self.around(far)), far)
        context = _enlarged(self.levels[1](far) + coarse, near)
        features = self.together(self.levels[0](near) + context)
        places = self.place(features)
        said = places.softmax(1)
        pooled = [
            pool(part)
            for part in (features, said)
            for pool in (lambda x: x.mean((2, 3)), lambda x: x.amax((2, 3)))
        ]
        return places, self.condition(self.dropout(torch.cat(pooled, dim=1)))


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(8, after),
        nn.ReLU(),
    )


def _enlarged(level: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(level, size=like.shape[2:], mode="bilinear")


def draw(data: Path, train: int, judged: int, threads: int) -> Bank:
    """`train` studies in the editor's hand, `judged` other bases in both hands; the draw is always the same."""
    bases = _bases(data, train + judged)
    editor = drawn.editor(drawn.Options(), Material((), (), 0))

    def own(number: int) -> Pictures:
        kind, content = bases[number]

        def shot(condition: Condition) -> bytes:
            rng = np.random.default_rng([1, number])
            return editor.edit(content, condition, rng, kind).data

        return _study(shot)

    def shop(number: int) -> Pictures:
        kind, content = bases[number]

        def shot(condition: Condition) -> bytes:
            rng = np.random.default_rng([2, number])
            return another_shot(kind, content, condition, rng)

        return _study(shot)

    others = range(train, train + judged)
    with ThreadPoolExecutor(threads) as pool:
        return {
            "train": np.stack(list(pool.map(own, range(train)))),
            "own": np.stack(list(pool.map(own, others))),
            "shop": np.stack(list(pool.map(shop, others))),
        }


def _bases(data: Path, count: int) -> list[tuple[str, bytes]]:
    """Kind of garment and bytes of `count` photos, always the same."""
    with (dataset(data, "clothing") / "photos.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    order = np.random.default_rng(0).permutation(len(rows))[:count]
    return [
        (
            rows[at]["category"],
            (dataset(data, "clothing") / rows[at]["file"]).read_bytes(),
        )
        for at in order
    ]


def _study(shot: Callable[[Condition], bytes]) -> Pictures:
    return np.stack([decode(shot(condition), SIZE) for condition in CONDITIONS])


def pretrained(bank: Bank, seed: int, epochs: int) -> tuple[dict[str, Pictures], float]:
    """P(damaged) of every judged photo [bases, 4] by hand, and the CPU seconds of training."""
    classifier = ImageClassifier.fresh(SIZE, 3, len(CONDITIONS), seed)
    studies = bank["train"]
    shots = Shots(
        _flat(studies), np.tile(np.arange(len(CONDITIONS)), len(studies)), len(studies)
    )
    began = time.process_time()
    checkpoint = Checkpoint(MemoryObjects(), "bench", every=10**9)
    _fit_conditions(classifier, shots, epochs, checkpoint, seed)
    seconds = time.process_time() - began
    return _judged(bank, lambda some: classifier.logits_of(some)[1]), seconds


def from_scratch(bank: Bank, seed: int, seconds: float) -> dict[str, Pictures]:
    """The same of the tower from scratch, trained for so many CPU seconds."""
    studies = np.stack([_smaller(study) for study in bank["train"]])
    torch.manual_seed(seed)
    tower = FromScratch(len(CONDITIONS)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(tower.parameters(), lr=1e-3, weight_decay=0.01)
    rng, began = np.random.default_rng(seed), time.process_time()
    tower.train()
    order: list[int] = []
    while (spent := time.process_time() - began) < seconds:
        order = order or rng.permutation(len(studies)).tolist()
        some = studies[[order.pop() for _ in range(min(BATCH_STUDIES, len(order)))]]
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * learning_rate_factor(int(1000 * spent / seconds), 1000)
        loss = _scratch_loss(tower, some)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
    tower.train(False)
    return _judged(bank, lambda some: _scratch_logits(tower, _smaller(some)))


def _scratch_loss(tower: FromScratch, studies: Pictures) -> torch.Tensor:
    pictures = _flat(studies)
    intact = np.repeat(studies[:, :1], len(CONDITIONS), axis=1).reshape(pictures.shape)
    apart = torch.from_numpy(np.abs(pictures.astype(np.int16) - intact).max(3)).float()
    damage = functional.max_pool2d(apart, OLD_PLACE) > image_tower.VISIBLE
    pixels, damage = image_tower.augment(_pixels(pictures), damage)
    places, condition = tower(pixels)
    truth = torch.arange(len(CONDITIONS)).repeat(len(studies))
    located = torch.ones(len(truth), dtype=torch.bool)
    return condition_loss(condition, places, truth, damage, located)


def _scratch_logits(tower: FromScratch, pictures: Pictures) -> np.ndarray:
    found = []
    for start in range(0, len(pictures), 64):
        pixels = _pixels(pictures[start : start + 64])
        with torch.inference_mode():
            seen = tower(pixels)[1].log_softmax(1)
            mirrored = tower(pixels.flip(3))[1].log_softmax(1)
        found.append(((seen + mirrored) / 2).numpy())
    return np.concatenate(found)


def _pixels(pictures: Pictures) -> torch.Tensor:
    return ((torch.from_numpy(pictures).float() - 127.5) / 63.75).permute(0, 3, 1, 2)


def _judged(
    bank: Bank, logits: Callable[[Pictures], np.ndarray]
) -> dict[str, np.ndarray]:
    intact = CONDITIONS.index("intact")
    return {
        hand: -logits(_flat(bank[hand]))[:, intact].reshape(-1, len(CONDITIONS))
        for hand in ("own", "shop")
    }


def _flat(studies: Pictures) -> Pictures:
    return studies.reshape(-1, *studies.shape[2:])


def _smaller(pictures: Pictures) -> Pictures:
    size = (OLD_SIZE, OLD_SIZE)
    return np.stack(
        [
            np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR))
            for one in pictures
        ]
    )


def auc(scores: np.ndarray) -> float:
    """Of "damaged", scores [bases, 4] with the intact shot first."""
    ranks = rankdata(scores)
    shape = scores.shape
    intact, damaged = shape[0], shape[0] * (shape[1] - 1)
    below = ranks.reshape(shape)[:, 1:].sum() - damaged * (damaged + 1) / 2
    return float(below / (intact * damaged))


def compared(new: list[np.ndarray], old: list[np.ndarray]) -> dict[str, float]:
    """Both AUCs and their difference with its interval, over bases; each list holds one [bases, 4] a seed."""
    rng = np.random.default_rng(0)

    def difference(rows: np.ndarray) -> float:
        pairs = zip(new, old, strict=True)
        return float(np.mean([auc(one[rows]) - auc(two[rows]) for one, two in pairs]))

    n = len(new[0])
    resampled = [difference(rng.integers(0, n, n)) for _ in range(RESAMPLES)]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {
        "pretrained": round(float(np.mean([auc(one) for one in new])), 4),
        "from_scratch": round(float(np.mean([auc(one) for one in old])), 4),
        "difference": round(difference(np.arange(n)), 4),
        "difference_low": round(float(low), 4),
        "difference_high": round(float(high), 4),
        "photos": n * len(CONDITIONS),
    }


def visible(bank: Bank) -> float:
    """Share of the editor's damaged photos in which some place differs visibly from the intact shot."""
    studies = np.concatenate([bank["train"], bank["own"]])
    damaged = _flat(studies[:, 1:])
    intact = np.repeat(studies[:, :1], len(CONDITIONS) - 1, axis=1)
    places = image_tower.damaged_places(damaged, intact.reshape(damaged.shape))
    return float(places.any((1, 2)).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--bases", type=int, default=300)
    parser.add_argument("--judged", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=Options().image_epochs)
    # One: a thread that waits for another would count as work.
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    set_threads(given.threads)
    bank = draw(given.data, given.bases, given.judged, given.threads)
    new, old, spent = [], [], []
    for seed in range(given.seeds):
        scores, seconds = pretrained(bank, seed, given.epochs)
        new.append(scores)
        old.append(from_scratch(bank, seed, seconds))
        spent.append(round(seconds, 1))
        for hand in ("own", "shop"):
            print(
                f"seed {seed}, {hand}: pretrained {auc(scores[hand]):.3f}, from scratch "
                f"{auc(old[-1][hand]):.3f}, {seconds:.0f} CPU s each",
                flush=True,
            )
    hands = {
        hand: compared([one[hand] for one in new], [one[hand] for one in old])
        for hand in ("own", "shop")
    }
    print(
        json.dumps(
            {
                "difference_low": min(one["difference_low"] for one in hands.values()),
                "visible_edits": round(visible(bank), 4),
                "damage_auc": hands,
                "seeds": given.seeds,
                "cpu_seconds": spent,
                "studies": given.bases,
            }
        )
    )


if __name__ == "__main__":
    main()
