"""Loads what serves, and follows both aliases: a promoted model or a new index is taken up while answering."""

import logging
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from kindling.errors import DataError, KindlingError
from kindling.ports.index import IndexAlias, KeywordIndex, VectorIndex
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.serving.engine import Engine, Engines
from kindling.serving.neighbours import THREADS, Found, Neighbours
from kindling.serving.predictor import Predictor
from kindling.serving.questions import Analyze
from kindling.serving.search import ReviewSearch

LOOK_EVERY_S = 10.0
WARM = Analyze("The fabric is soft and the seams hold.", None, None, 3)


class Needs(Protocol):
    """What serving is handed."""

    @property
    def registry(self) -> ModelRegistry: ...
    @property
    def alias(self) -> IndexAlias: ...
    @property
    def keywords(self) -> KeywordIndex: ...
    @property
    def vectors(self) -> VectorIndex: ...
    @property
    def text_model(self) -> Path | None: ...
    @property
    def threads(self) -> int: ...


#: The same by the names that `wiring` knows.
NEEDS = ("registry", "alias", "keywords", "vectors", "text_model", "threads")

log = logging.getLogger(__name__)


class Champion:
    """The predictor that answers now. `predictor` is replaced whole, after the new one has answered once."""

    def __init__(self, deps: Needs, look_every_s: float = LOOK_EVERY_S) -> None:
        self._deps, self._look_every_s = deps, look_every_s
        self._stop = threading.Event()
        self._searches = ThreadPoolExecutor(THREADS, thread_name_prefix="search")
        champion, index = deps.registry.serving(), self._index()
        if champion is None:
            raise DataError("no model to serve yet: run the pipeline once")
        if index is None:
            log.warning(
                "no index serves yet: answers come without similar reviews until one does"
            )
        self._engines = Engines(deps.text_model, deps.threads)
        #: What the aliases named at the last look that could read them, and when that was.
        self._named: tuple[str, str | None, float] = (
            champion.version,
            index,
            time.monotonic(),
        )
        self._engine = self._opened(champion)
        self.predictor = Predictor(
            **_fields(champion, self._engine),
            search=self._search(index, self._engine) if index else None,
        )
        _warm(self.predictor)
        log.info("serving %s", self.predictor.versions())

    def named(self) -> dict[str, Any]:
        """Fields of ServedVersions about the aliases."""
        champion, index, at = self._named
        serving = self.predictor
        search = serving.search.version if serving.search else None
        return {
            "champion_alias": champion,
            "index_alias": index,
            "in_step": (champion, index) == (serving.model_version, search),
            "looked_s_ago": round(time.monotonic() - at, 1),
        }

    def look(self) -> bool:
        """Take up what the aliases name now; whether anything changed. A failure leaves the predictor as it was."""
        serving = self.predictor
        champion, index = self._deps.registry.serving(), self._deps.alias.current()
        search = serving.search.version if serving.search else None
        model = champion.version if champion else serving.model_version
        self._named = (model, index or search, time.monotonic())
        coming, engine = serving, self._engine
        if champion is not None and model != serving.model_version:
            engine = self._opened(champion)
            coming = replace(coming, **_fields(champion, engine))
        elif champion is not None and champion.provisional != serving.provisional:
            # The provisional model has become the champion.
            coming = replace(coming, provisional=champion.provisional)
        wanted = index or search
        if wanted is not None and (wanted != search or engine is not self._engine):
            # Queries are encoded by what came with the model.
            coming = replace(coming, search=self._search(wanted, engine))
        if coming is serving:
            return False
        _warm(coming)
        self.predictor, self._engine = coming, engine
        log.info("now serving %s", coming.versions())
        return True

    def watch(self) -> None:
        """Look again and again, in a thread, until `close`."""
        threading.Thread(target=self._watch, name="champion-watch", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def _index(self) -> str | None:
        """The alias at the start; None where its store is away, which is no reason not to serve."""
        try:
            return self._deps.alias.current()
        except KindlingError as error:
            log.error("the index alias cannot be read: %s", error)
            return None

    def _opened(self, named: ModelVersion) -> Engine:
        with tempfile.TemporaryDirectory(prefix="kindling-champion-") as folder:
            return self._engines.open(
                self._deps.registry.download(named.version, Path(folder))
            )

    def _search(self, version: str, engine: Engine) -> Neighbours:
        search = ReviewSearch(
            self._deps.keywords,
            self._deps.vectors,
            self._deps.alias,
            engine.encoder,
            version,
        )
        return Neighbours(search, self._searches)

    def _watch(self) -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="champion-look") as looks:
            while not self._stop.wait(self._look_every_s):
                # Whatever goes wrong in a look, the predictor that answers is still good, and the next look may be.
                error = looks.submit(self.look).exception()
                if error is not None:
                    log.error(
                        "could not take up what the aliases name; still serving %s",
                        self.predictor.versions(),
                        exc_info=error,
                    )


def _fields(named: ModelVersion, engine: Engine) -> dict[str, Any]:
    return {
        "model": engine.model,
        "model_version": named.version,
        "provisional": named.provisional,
        "calibrated": engine.calibrated,
        "photo_size": getattr(engine.model, "photo_size", None),
        "engine": engine.name,
        "engine_reason": engine.reason,
    }


def _warm(predictor: Predictor) -> None:
    """One answer before it counts: loads what loads late, and a model that cannot answer never serves."""
    [verdict] = predictor.verdicts([WARM])
    if isinstance(verdict, DataError):
        raise verdict
    predictor.answer(WARM, verdict, Found())
    predictor.queries([WARM.text])
