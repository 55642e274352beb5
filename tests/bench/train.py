"""The compact model on the texts of real clothing reviews, against TF-IDF and against a plain trainer.

    make bench NAME=train DATA=<folder that holds clothing/>

Each seed trains on products of its own and is judged on others: the golden products of the seeds
are disjoint, so that the differences are paired by product over all of them. TF-IDF + logistic
regression gets the same rows, and its penalty is tuned on them by product. `over_trainer` is
CPU seconds of an epoch of Hugging Face's `Trainer` with its defaults over those of the product's
training, on the same rows and one thread, in turns in one process (CPU seconds, since whatever else
runs on the machine does not change them). What a seed found is kept in `--work`, its
checkpoints too: a run that was cut goes on where it was.
"""

import argparse
import csv
import gzip
import json
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from inputs.datasets import dataset
from sklearn.model_selection import GroupKFold
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from kindling.measure.estimates import difference, estimate
from kindling.measure.metrics import POLARITY, THREE_WAY
from kindling.measure.sample import Sample
from kindling.modeling import compact, pretrained, tfidf
from kindling.modeling.compact.rows import as_reviews
from kindling.modeling.compact.text_tower import TextClassifier
from kindling.modeling.compact.trainer import _fit_text, class_weights
from kindling.modeling.device import describe, set_threads
from kindling.modeling.tfidf.model import TfidfModel
from kindling.ports.classifier import TrainingData, TrainingTools
from kindling.records import SENTIMENTS, Example, sentiment_of
from kindling.stores.memory import MemoryObjects
from kindling.stores.objects import FsspecObjects

FOLDS, GOLDEN_FOLDS = 10, 2
PENALTIES = (0.3, 1.0, 3.0, 10.0)
TIMED_ROWS, TIMED_REPEATS = 256, 3
Answers = np.ndarray


@dataclass(frozen=True)
class Judged:
    """One seed's golden rows and both models' answers [n, 3]."""

    golden: list[Example]
    ours: Answers
    theirs: Answers
    inverse_penalty: float


def read(path: Path) -> list[Example]:
    """Every review with a text, as a row of the train split."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [
            Example(
                f"r{number}",
                row["Clothing ID"],
                row["Class Name"] or "Unknown",
                f"{row['Title']}. {row['Review Text']}".removeprefix(". "),
                sentiment_of(int(row["Rating"])),
                int(row["Rating"]),
                "scraped",
                "train",
            )
            for number, row in enumerate(csv.DictReader(file))
            if row["Review Text"].strip()
        ]


def split(
    rows: Sequence[Example], seed: int, limit: int
) -> tuple[list[Example], list[Example], list[Example]]:
    """Train (at most `limit` rows), validation and golden, by product; golden differs with the seed."""
    products = sorted({one.product_id for one in rows})
    dealt = np.random.default_rng(0).permutation(len(products))
    fold_of = {
        product: int(at) % FOLDS for product, at in zip(products, dealt, strict=True)
    }
    first = GOLDEN_FOLDS * seed
    golden_folds = {(first + step) % FOLDS for step in range(GOLDEN_FOLDS)}
    validation_fold = (first + GOLDEN_FOLDS) % FOLDS
    golden = [one for one in rows if fold_of[one.product_id] in golden_folds]
    held_out = [one for one in rows if fold_of[one.product_id] == validation_fold]
    rest = [
        one
        for one in rows
        if fold_of[one.product_id] not in {*golden_folds, validation_fold}
    ]
    order = np.random.default_rng([1, seed]).permutation(len(rest))[:limit]
    return [rest[at] for at in sorted(order)], held_out, golden


def tuned_penalty(train: Sequence[Example]) -> float:
    """Of PENALTIES the one of best three-way macro-F1 over three folds of products of the train rows."""
    truth = np.array([SENTIMENTS.index(one.sentiment) for one in train])
    groups = [one.product_id for one in train]
    folds = list(GroupKFold(3).split(truth, groups=groups))

    def score(inverse_penalty: float) -> float:
        answers = np.zeros((len(train), len(SENTIMENTS)))
        for fit_on, judge_on in folds:
            model = TfidfModel.fit(
                [train[at].text for at in fit_on],
                truth[fit_on],
                np.ones(len(fit_on)),
                tfidf.Options(inverse_penalty=inverse_penalty),
            )
            answers[judge_on] = model.probabilities([train[at].text for at in judge_on])
        return THREE_WAY(truth, answers)

    return max(PENALTIES, key=score)


def judged(rows: Sequence[Example], seed: int, limit: int, work: Path) -> Judged:
    """Both models trained for the seed, or what an earlier run of the same seed and rows found."""
    train, held_out, golden = split(rows, seed, limit)
    kept = work / f"seed-{seed}-{len(train)}.npz"
    if kept.is_file():
        found = np.load(kept)
        return Judged(golden, found["ours"], found["theirs"], float(found["penalty"]))
    texts = [one.text for one in golden]
    photos: list[bytes | None] = [None] * len(golden)
    data = TrainingData(train, held_out, ())
    tools = TrainingTools(
        FsspecObjects(f"file://{work.resolve()}"),
        f"seed-{seed}-{len(train)}",
        None,
        torch.get_num_threads(),
        seed,
    )
    penalty = tuned_penalty(train)
    options = tfidf.Options(inverse_penalty=penalty)
    theirs = tfidf.train(data, options, tools).classifier.predict(texts, photos)
    trained = compact.train(data, compact.Options(), tools).classifier
    ours = trained.predict(texts, photos)
    np.savez(
        kept, ours=ours.probabilities, theirs=theirs.probabilities, penalty=penalty
    )
    return Judged(golden, ours.probabilities, theirs.probabilities, penalty)


def our_seconds(train: Sequence[Example], seed: int) -> float:
    """CPU seconds of the text tower's one epoch."""
    reviews = as_reviews(train, lambda uri: b"", 32)
    options = compact.Options()
    tools = TrainingTools(MemoryObjects(), "timed", None, 1, seed)
    folder, _ = pretrained.locate(None)
    tower = TextClassifier.fresh(folder, len(SENTIMENTS), options.max_tokens, seed)
    classes = class_weights(reviews.labels, len(SENTIMENTS))
    began = time.process_time()
    _fit_text(tower, reviews, classes, options, tools)
    return time.process_time() - began


def trainer_seconds(train: Sequence[Example], seed: int) -> float:
    """CPU seconds of one epoch of `Trainer` with its defaults on the same rows and weights."""
    folder, _ = pretrained.locate(None)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, num_labels=len(SENTIMENTS)
    )
    limit = compact.Options().max_tokens
    rows = [
        {
            **tokenizer(one.text, truncation=True, max_length=limit),
            "labels": SENTIMENTS.index(one.sentiment),
        }
        for one in train
    ]
    with tempfile.TemporaryDirectory() as folder_of_trainer:
        arguments = TrainingArguments(
            folder_of_trainer,
            num_train_epochs=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=seed,
        )
        trainer = Trainer(
            model,
            arguments,
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        began = time.process_time()
        trainer.train()
        return time.process_time() - began


def over_trainer(rows: Sequence[Example], work: Path) -> dict[str, float]:
    """The ratio of medians over the repeats; kept like a seed."""
    kept = work / "speed.json"
    if kept.is_file():
        found: dict[str, float] = json.loads(kept.read_text())
        return found
    order = np.random.default_rng(0).permutation(len(rows))[:TIMED_ROWS]
    timed = [rows[at] for at in order]
    ours, theirs = [], []
    for repeat in range(TIMED_REPEATS):
        ours.append(our_seconds(timed, repeat))
        theirs.append(trainer_seconds(timed, repeat))
        print(f"our epoch {ours[-1]:.1f} CPU s, Trainer's {theirs[-1]:.1f}", flush=True)
    found = {
        "over_trainer": round(float(np.median(theirs) / np.median(ours)), 2),
        "rows_per_cpu_second": round(TIMED_ROWS / float(np.median(ours)), 1),
    }
    kept.write_text(json.dumps(found))
    return found


def compared(seeds: Sequence[Judged]) -> dict[str, float]:
    """Figures over the golden rows of all seeds, differences paired by product."""
    # Golden products of different seeds are different products, so nothing is counted twice.
    sample = Sample.of([one for seed in seeds for one in seed.golden])
    ours = np.concatenate([seed.ours for seed in seeds])
    theirs = np.concatenate([seed.theirs for seed in seeds])
    found: dict[str, float] = {"n": len(sample)}
    for name, metric in (("polarity", POLARITY), ("three_way", THREE_WAY)):
        found[f"{name}_macro_f1"] = estimate(metric, sample, ours).value
        found[f"{name}_macro_f1_tfidf"] = estimate(metric, sample, theirs).value
        apart = difference(metric, sample, ours, theirs)
        found[f"{name}_diff"] = apart.value
        found[f"{name}_diff_low"] = apart.low
        found[f"{name}_diff_high"] = apart.high
        found[f"{name}_diff_by_seed"] = [  # type: ignore[assignment]
            round(
                difference(
                    metric, Sample.of(seed.golden), seed.ours, seed.theirs
                ).value,
                4,
            )
            for seed in seeds
        ]
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3, help="3 to 5")
    parser.add_argument("--rows", type=int, default=4000, help="train rows a seed")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--work", type=Path, default=Path("var/bench/train"))
    given = parser.parse_args()
    if not 1 <= given.seeds <= FOLDS // GOLDEN_FOLDS:
        parser.error(f"--seeds {given.seeds}; 1 to {FOLDS // GOLDEN_FOLDS}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given.work.mkdir(parents=True, exist_ok=True)
    rows = read(dataset(given.data, "clothing") / "reviews.csv.gz")
    set_threads(1)
    speed = over_trainer(rows, given.work)
    set_threads(given.threads)
    seeds = [judged(rows, seed, given.rows, given.work) for seed in range(given.seeds)]
    print(
        json.dumps(
            {
                **compared(seeds),
                **speed,
                "seeds": given.seeds,
                "train_rows": given.rows,
                "inverse_penalties": [one.inverse_penalty for one in seeds],
                "device": describe(),
            }
        )
    )


if __name__ == "__main__":
    main()
