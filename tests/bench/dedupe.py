"""Near-duplicates among 80,000 known and 20,000 new reviews, with rensa and datasketch beside.

    make bench NAME=dedupe DATA=<folder that holds clothing/>

Texts are recombined sentences of real reviews (about 227 characters). Half of the new ones are
planted copies of known or new texts, in equal parts: one word changed, four words changed, 2 %
of the characters mistyped, a line of boilerplate appended, retyped in capitals. One copy in ten
has the opposite stars and must not be merged. All systems hash character 5-grams to 128
permutations and call two texts copies from a similarity of 0.6; they run one after the other on
one thread. Peers that are not installed are fetched from `tests/bench/requirements.txt` into a
folder beside the temporary files.

Two texts are copies from a true similarity of 0.6: `precision` is the share of such pairs among
those that a system called copies, `recall` the share of such planted copies (same stars) that it
found. `precision_planted` and `recall_planted` go by what was planted instead, however little of
the source is left.
"""

import argparse
import csv
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from inputs.datasets import dataset

from kindling.dedupe.clusters import Clustering, cluster, cluster_texts
from kindling.dedupe.leaders import LeaderIndex
from kindling.dedupe.near import jaccards
from kindling.dedupe.shingles import fold
from kindling.dedupe.texts import Rules, read_texts
from kindling.records import Review, sentiment_of

THRESHOLD = 0.6
PERMUTATIONS = 128
#: 25 bands of 5 rows at 0.6, as at the product's own threshold of 0.8.
RULES = Rules(threshold=THRESHOLD, miss=0.14)
BOILERPLATE = "This review was collected as part of a promotion."
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


@dataclass(frozen=True)
class Corpus:
    """Known and new reviews; for every planted copy the text it was made from."""

    history: list[Review]
    batch: list[Review]
    source: dict[str, str]
    opposite: frozenset[str]


def sentences(data: Path) -> list[str]:
    """Sentences of real reviews, in order of appearance."""
    found = []
    path = dataset(data, "clothing") / "reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for part in row["Review Text"].replace("!", ".").split("."):
                if len(part) > 20:
                    found.append(part.strip() + ".")
    return found


def mutated(text: str, kind: int, rng: np.random.Generator) -> str:
    """One of the five copies that the module's description names."""
    words = text.split()
    if kind < 2:
        for place in rng.choice(len(words), min(len(words), (1, 4)[kind]), False):
            words[place] = f"x{rng.integers(10_000)}"
        return " ".join(words)
    if kind == 2:
        letters = np.array(list(text))
        hit = rng.random(len(letters)) < 0.02
        letters[hit] = rng.choice(list("abcdefghijklmnopqrstuvwxyz"), hit.sum())
        return "".join(letters)
    return f"{text} {BOILERPLATE}" if kind == 3 else text.upper().replace(".", " !!")


def corpus(pool: list[str], sizes: tuple[int, int], seed: int) -> Corpus:
    """Reviews drawn from the pool of sentences, planted copies among the new ones."""
    rng = np.random.default_rng(seed)

    def fresh() -> str:
        return " ".join(pool[n] for n in rng.integers(0, len(pool), rng.integers(2, 6)))

    def review(name: str, text: str, rating: int) -> Review:
        return Review(name, f"p{rng.integers(5_000)}", "c", "", text, rating, "scraped")

    history = [review(f"h{n:06d}", fresh(), 5) for n in range(sizes[0])]
    batch, source, opposite = [], {}, set()
    for number in range(sizes[1]):
        name = f"n{number:06d}"
        if number % 2:
            original = history[rng.integers(len(history))].body
            turned = rng.random() < 0.1
            source[name] = original
            opposite |= {name} if turned else set()
            text = mutated(original, number // 2 % 5, rng)
            batch.append(review(name, text, 1 if turned else 5))
        else:
            batch.append(review(name, fresh(), 5))
    return Corpus(history, batch, source, frozenset(opposite))


def kindling(corpus: Corpus) -> tuple[dict[str, Any], Clustering]:
    """Ours, with the index of the known ones built in their time."""
    start = time.process_time()
    known = cluster(corpus.history, RULES)
    index = LeaderIndex.empty(RULES).extended(known.leaders)
    middle = time.process_time()
    texts = read_texts(corpus.batch, RULES)
    found = cluster_texts(texts, RULES, None, index.candidates(texts))
    end = time.process_time()
    by_id = {one.review_id: one for one in (*corpus.history, *corpus.batch)}
    copies = {
        one.review_id: by_id[one.representative].body
        for one in found.members
        if not one.kept
    }
    figures = {
        "history_docs_per_s": round(len(corpus.history) / (middle - start)),
        "batch_docs_per_s": round(len(corpus.batch) / (end - middle)),
        "candidates_per_doc": round(found.candidates_verified / len(corpus.batch), 2),
        **quality(copies, corpus),
        "opposite_polarity_merges": sum(
            {sentiment_of(by_id[one.review_id].rating), sentiment_of(rating)}
            == {"negative", "positive"}
            for one in found.members
            for rating in (by_id[one.representative].rating,)
        ),
        "incremental_equals_full": equals_full(corpus, known, found),
    }
    return figures, found


def equals_full(corpus: Corpus, known: Clustering, found: Clustering) -> bool:
    """Whether both nights at once give the places that one after the other gave."""
    nights = {one.review_id: 0 for one in corpus.history}
    full = cluster([*corpus.history, *corpus.batch], RULES, nights)
    places = {
        (one.review_id, one.representative, one.similarity)
        for one in (*known.members, *found.members)
    }
    return places == {
        (one.review_id, one.representative, one.similarity) for one in full.members
    }


def quality(copies: dict[str, str], corpus: Corpus) -> dict[str, float]:
    """Precision and recall of {new review: text it was called a copy of}.

    A pair is one of copies from a true similarity of 0.6; `recall_planted` and
    `precision_planted` go by what was planted instead, however little of it is left.
    """
    body = {one.review_id: fold(one.body) for one in corpus.batch}
    called = [one for one in copies if one not in corpus.opposite]
    true = jaccards(
        [body[one] for one in called], [fold(copies[one]) for one in called], 5
    )
    planted = sorted(corpus.source.keys() - corpus.opposite)
    left = jaccards(
        [body[one] for one in planted], [fold(corpus.source[one]) for one in planted], 5
    )
    findable = [
        one for one, alike in zip(planted, left, strict=True) if alike >= THRESHOLD
    ]
    found = set(called)
    return {
        "precision": round(float((true >= THRESHOLD).mean()), 4),
        "recall": round(sum(one in found for one in findable) / len(findable), 4),
        "precision_planted": round(len(found & set(planted)) / len(found), 4),
        "recall_planted": round(len(found & set(planted)) / len(planted), 4),
    }


def peer(
    corpus: Corpus, sign: Callable[[str], Any], index: Any, alike: Callable[..., float]
) -> dict[str, Any]:
    """A library's MinHash and LSH over the same folded texts, verified by signature."""
    held: dict[str, tuple[Any, str]] = {}
    copies: dict[str, str] = {}

    def take(review: Review, look: bool) -> None:
        signature = sign(fold(review.text))
        if look:
            for name in index.query(signature):
                if alike(signature, held[name][0]) >= THRESHOLD:
                    copies[review.review_id] = held[name][1]
                    return
        index.insert(review.review_id, signature)
        held[review.review_id] = signature, review.body

    start = time.process_time()
    for review in corpus.history:
        take(review, False)
    middle = time.process_time()
    for review in corpus.batch:
        take(review, True)
    end = time.process_time()
    return {
        "history_docs_per_s": round(len(corpus.history) / (middle - start)),
        "batch_docs_per_s": round(len(corpus.batch) / (end - middle)),
        **quality(copies, corpus),
    }


class NumberedIndex:
    """rensa's index knows numbers, not names."""

    def __init__(self, index: Any) -> None:
        self._index, self._names = index, []

    def insert(self, name: str, signature: Any) -> None:
        self._index.insert(len(self._names), signature)
        self._names.append(name)

    def query(self, signature: Any) -> list[str]:
        return [self._names[number] for number in self._index.query(signature)]


def shingled(text: str) -> list[str]:
    return [text[n : n + 5] for n in range(max(1, len(text) - 4))]


def rensa_peer(corpus: Corpus) -> dict[str, Any]:
    import rensa

    def sign(text: str) -> Any:
        signature = rensa.RMinHash(num_perm=PERMUTATIONS, seed=1)
        signature.update(shingled(text))
        return signature

    lsh = rensa.RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=32)
    return peer(corpus, sign, NumberedIndex(lsh), lambda a, b: a.jaccard(b))


def datasketch_peer(corpus: Corpus) -> dict[str, Any]:
    from datasketch import MinHash, MinHashLSH

    def sign(text: str) -> Any:
        signature = MinHash(num_perm=PERMUTATIONS, seed=1)
        signature.update_batch([part.encode() for part in set(shingled(text))])
        return signature

    lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(32, 4))
    return peer(corpus, sign, lsh, lambda a, b: a.jaccard(b))


def install_peers() -> None:
    """Put the peers where Python finds them; the project's environment stays as it is."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"kindling-bench-peers-{wanted}"
    if not folder.exists():
        uv = Path(sys.executable).with_name("uv")
        tool = [str(uv), "pip"] if uv.exists() else [sys.executable, "-m", "pip"]
        command = [*tool, "install", "-q", "--no-deps", "--target", str(folder)]
        subprocess.run([*command, "-r", str(REQUIREMENTS)], check=True)
    sys.path.append(str(folder))


def on_one_thread() -> None:
    """Start again with one thread, which the libraries read when they are loaded."""
    if os.environ.get("RAYON_NUM_THREADS") != "1":
        one = dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **one})


def main() -> None:
    on_one_thread()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--history", type=int, default=80_000)
    parser.add_argument("--batch", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    install_peers()
    pool = sentences(options.data)
    sizes = options.history, options.batch
    ours, _ = kindling(corpus(pool, sizes, options.seed))
    print("kindling", ours, flush=True)
    # The peers are slower; a part of the texts tells their speed.
    part = corpus(pool, (sizes[0] // 4, sizes[1] // 4), options.seed)
    peers = {"rensa": rensa_peer(part)}
    print("rensa", peers["rensa"], flush=True)
    peers["datasketch"] = datasketch_peer(part)
    print("datasketch", peers["datasketch"], flush=True)
    print(
        json.dumps(
            {
                **ours,
                **{
                    f"{name}_docs_per_s": figures["history_docs_per_s"]
                    for name, figures in peers.items()
                },
                "peers": peers,
                "history_over_rensa": round(
                    ours["history_docs_per_s"] / peers["rensa"]["history_docs_per_s"], 2
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
