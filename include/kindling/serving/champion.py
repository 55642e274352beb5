"""Loads what serves, and follows both aliases: a promoted model or a new index is taken up while answering."""

import logging
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from kindling.errors import DataError
from kindling.extensions import load_classifier
from kindling.modeling.device import set_threads
from kindling.modeling.embedder import Embedder
from kindling.serving.intake import Analyze
from kindling.serving.predictor import Predictor
from kindling.serving.search import ReviewSearch
from kindling.stages.contract import Deps

LOOK_EVERY_S = 10.0

log = logging.getLogger(__name__)


class Champion:
    """The predictor that answers now. `predictor` is replaced whole, after the new one has answered once."""

    def __init__(self, deps: Deps, look_every_s: float = LOOK_EVERY_S) -> None:
        set_threads(deps.threads)
        self._deps, self._look_every_s = deps, look_every_s
        self._stop = threading.Event()
        champion, index = deps.registry.champion(), deps.alias.current()
        if champion is None:
            raise DataError(
                "no champion to serve yet: run the pipeline until a model passes its gate"
            )
        if index is None:
            log.warning(
                "no index serves yet: answers come without similar reviews until the index stage has run"
            )
        self._encoder = Embedder(deps.text_model)
        self.predictor = Predictor(
            **self._model(champion.version),
            search=self._search(index) if index else None,
        )
        _warm(self.predictor)
        log.info("serving %s", self.predictor.versions())

    def look(self) -> bool:
        """Take up what the aliases name now; whether anything changed. A failure leaves the predictor as it was."""
        serving = self.predictor
        champion, index = self._deps.registry.champion(), self._deps.alias.current()
        coming = serving
        if champion is not None and champion.version != serving.model_version:
            coming = replace(coming, **self._model(champion.version))
        if index is not None and index != (
            serving.search.version if serving.search else None
        ):
            coming = replace(coming, search=self._search(index))
        if coming is serving:
            return False
        _warm(coming)
        self.predictor = coming
        log.info("now serving %s", coming.versions())
        return True

    def watch(self) -> None:
        """Look again and again, in a thread, until `close`."""
        threading.Thread(target=self._watch, name="champion-watch", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def _model(self, version: str) -> dict[str, object]:
        with tempfile.TemporaryDirectory(prefix="kindling-champion-") as folder:
            model = load_classifier(self._deps.registry.download(version, Path(folder)))
        return {
            "model": model,
            "model_version": version,
            "calibrated": model.calibrated,
        }

    def _search(self, version: str) -> ReviewSearch:
        return ReviewSearch(
            self._deps.keywords,
            self._deps.vectors,
            self._deps.alias,
            self._encoder,
            version,
        )

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


def _warm(predictor: Predictor) -> None:
    """One answer before it counts: loads what loads late, and a model that cannot answer never serves."""
    predictor.analyze(Analyze("The fabric is soft and the seams hold.", None, None, 3))
