"""One search whose trials several processes share, kept in PostgreSQL."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import psycopg
import pytest

from kindling.errors import DataError, TransientError
from kindling.modeling import tfidf
from kindling.modeling.search import ENDED, Trials, add_trials, best_of, new_study
from kindling.modeling.tfidf.model import train
from kindling.ports.classifier import Trained, TrainingData
from kindling.records import SENTIMENTS, Example
from kindling.stores.studies import SCHEMA, in_turn, outages_named

OPTIONS = {"inverse_penalty": 0.5}


def examples() -> list[Example]:
    rng = np.random.default_rng(0)
    words = {"negative": "broke", "neutral": "okay", "positive": "lovely"}
    made = []
    for row in range(240):
        sentiment = SENTIMENTS[row % 3]
        said = sentiment if rng.random() < 0.75 else SENTIMENTS[int(rng.integers(3))]
        text = f"{words[said]} {rng.choice(['vase', 'lamp'])} {row}"
        fields = ("Vases", text, sentiment, 3, "scraped", "train")
        made.append(Example(f"r{row}", f"p{row % 30}", *fields))
    return made


def fitted(data: TrainingData, options: Mapping[str, Any]) -> Trained:
    return train(data, tfidf.Options(**options))


@pytest.fixture
def trials() -> Trials:
    return Trials(examples(), (), fitted, lambda uri: b"", seed=1)


def study(url: str, name: str, seed: int = 1) -> optuna.Study:
    return in_turn(
        url, lambda storage: new_study(tfidf.SPACE, OPTIONS, seed, storage, name)
    )


def ended(one: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return one.get_trials(states=ENDED)


def test_workers_share_the_trials_and_the_recipe_is_tried_once(
    database_url: str, trials: Trials
) -> None:
    tried = []

    def work(seed: int) -> None:
        own = study(database_url, "shared", seed)
        tried.append(add_trials(own, trials, tfidf.SPACE, OPTIONS, 8))

    workers = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2, 3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    done = ended(study(database_url, "shared"))
    assert len(done) == sum(tried)
    assert 8 <= len(done) <= 8 + len(workers) - 1
    drawn = [one.params["inverse_penalty"] for one in done]
    assert drawn.count(OPTIONS["inverse_penalty"]) == 1
    assert len(set(drawn)) == len(drawn)


def test_a_worker_that_starts_again_adds_what_is_missing(
    database_url: str, trials: Trials
) -> None:
    first = study(database_url, "again")
    assert add_trials(first, trials, tfidf.SPACE, OPTIONS, 3) == 3
    again = study(database_url, "again")
    assert add_trials(again, trials, tfidf.SPACE, OPTIONS, 3) == 0
    assert add_trials(again, trials, tfidf.SPACE, OPTIONS, 5) == 2
    assert best_of(again, trials, OPTIONS).trials == 5


def test_one_worker_finds_what_a_search_in_memory_finds(
    database_url: str, trials: Trials
) -> None:
    shared, alone = study(database_url, "alone"), new_study(tfidf.SPACE, OPTIONS, 1)
    for one in (shared, alone):
        add_trials(one, trials, tfidf.SPACE, OPTIONS, 5)
    assert best_of(shared, trials, OPTIONS) == best_of(alone, trials, OPTIONS)


def test_a_database_that_goes_away_is_another_try(
    database_url: str, postgres_server: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]

    def allow(connections: str) -> None:
        with psycopg.connect(postgres_server, autocommit=True) as server:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {connections}')
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (name,),
            )

    def cut_off(data: TrainingData, options: Mapping[str, Any]) -> Trained:
        allow("false")
        return fitted(data, options)

    lost = Trials(examples(), (), cut_off, lambda uri: b"", seed=1)
    own = study(database_url, "lost")
    try:
        with pytest.raises(TransientError, match="cannot be reached"), outages_named():
            add_trials(own, lost, tfidf.SPACE, OPTIONS, 2)
    finally:
        allow("true")
    back = study(database_url, "lost")
    whole = Trials(examples(), (), fitted, lambda uri: b"", seed=1)
    assert add_trials(back, whole, tfidf.SPACE, OPTIONS, 2) == 2


def test_no_trial_is_no_verdict(database_url: str, trials: Trials) -> None:
    with pytest.raises(DataError, match="study none has no trial"):
        best_of(study(database_url, "none"), trials, OPTIONS)


def test_the_tables_are_apart_from_the_products(database_url: str) -> None:
    study(database_url, "apart")
    with psycopg.connect(database_url) as connection:
        schemas = connection.execute(
            "SELECT DISTINCT table_schema FROM information_schema.tables"
            " WHERE table_name IN ('studies', 'trials')"
        ).fetchall()
    assert schemas == [(SCHEMA,)]
