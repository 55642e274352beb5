"""Reads pages in a process of its own, with a limit on its processor time.

Parsers take quadratic time on some documents, and native code can crash: such a page costs its budget and a
new process, not the run. Beside that, reading uses one core while fetching uses another. The budget is in
CPU seconds, for on a busy machine a page is no worse for having waited.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Self

import msgspec

from kindling.errors import KindlingError
from kindling.scraping.extract import extract
from kindling.scraping.findings import Extraction, Links
from kindling.scraping.induction import Verdict
from kindling.scraping.mapping import Mapping as CssRules
from kindling.scraping.mapping import ReviewRules
from kindling.scraping.proposals import Outline, Propose, judge, outline
from kindling.scraping.reading import SavedPage, learn_from, samples_of, with_rules

# Not fork: the process that starts this one has threads.
_SPAWN = multiprocessing.get_context("spawn")
_READY = b"ready"
#: Seconds on the wall clock. A process that does nothing for so long hangs, however busy the machine is.
_IDLE_S = 600.0
# What the process that parses hostile pages sends is decoded as findings and nothing else; no pickle.
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Extraction)
_OUTLINE_DECODER = msgspec.msgpack.Decoder(Outline)


@dataclass(frozen=True)
class _Outlined:
    """Pages whose skeleton is asked for."""

    pages: tuple[SavedPage, ...]


@dataclass(frozen=True)
class _Proposed:
    """Selectors by field that are to be judged on pages with this skeleton."""

    pages: tuple[SavedPage, ...]
    shown: Outline
    selectors: Mapping[str, str]


_Question = SavedPage | tuple[SavedPage, ...] | _Outlined | _Proposed


class Reader:
    """`extract` behind a pipe; one page at a time, `budget_s` CPU seconds each.

    `propose` is asked for rules where the pages' structure gives none.
    """

    def __init__(
        self,
        mapping: CssRules,
        budget_s: float = 20.0,
        propose: Propose | None = None,
    ) -> None:
        self._given = self._mapping = mapping
        self._budget_s, self._propose = budget_s, propose
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()

    @property
    def pid(self) -> int | None:
        """The process that reads; None before the first page."""
        return self._process.pid if self._process else None

    async def read(self, body: bytes, url: str, content_type: str = "") -> Extraction:
        """The page's findings; an empty extraction with the problem where the page cannot be read."""
        async with self._turn:
            return await asyncio.to_thread(self._ask, body, url, content_type)

    async def learn(self, pages: Sequence[SavedPage]) -> Verdict:
        """Rules that the pages' structure gives, used from now on where there are some."""
        async with self._turn:
            verdict = await asyncio.to_thread(self._ask_to_learn, tuple(pages))
            if verdict.rules is None and self._propose is not None:
                proposed = await asyncio.to_thread(self._ask_model, tuple(pages))
                why = (
                    f"{verdict.why}; a language model: {proposed.why or 'rules found'}"
                )
                verdict = replace(proposed, why=why)
            if verdict.rules is not None:
                self._mapping = with_rules(self._mapping, verdict.rules)
                # The next page starts a process that knows them.
                self._stop()
            return verdict

    def unlearn(self) -> None:
        """Read without what `learn` found."""
        self._mapping = self._given
        self._stop()

    def _ask_to_learn(self, pages: tuple[SavedPage, ...]) -> Verdict:
        return self._verdict(pages, len(pages))

    def _ask_model(self, pages: tuple[SavedPage, ...]) -> Verdict:
        """The model's choice among what repeats on the pages, judged where pages are parsed."""
        assert self._propose is not None
        budget_s = len(pages) * self._budget_s
        answer = self._exchange((_Outlined(pages), budget_s))
        if isinstance(answer, str):
            return Verdict(None, answer)
        shown = _OUTLINE_DECODER.decode(answer)
        selectors = self._propose(shown)
        if isinstance(selectors, str):
            return Verdict(None, selectors)
        return self._verdict(_Proposed(pages, shown, selectors), len(pages))

    def _verdict(self, question: _Question, pages: int) -> Verdict:
        answer = self._exchange((question, pages * self._budget_s))
        if isinstance(answer, str):
            return Verdict(None, answer)
        learnt = _LEARNT_DECODER.decode(answer)
        rules = ReviewRules.model_validate_json(learnt.rules) if learnt.rules else None
        return Verdict(rules, learnt.why, learnt.evidence)

    def _ask(self, body: bytes, url: str, content_type: str) -> Extraction:
        page = SavedPage(url, url, body, content_type)
        answer = self._exchange((page, self._budget_s))
        if isinstance(answer, str):
            return Extraction(None, (), Links(), problems=(answer,))
        return _DECODER.decode(answer)

    def _exchange(self, question: tuple[_Question, float]) -> bytes | str:
        """The process's answer, or in words why there is none."""
        pipe = self._pipe or self._start()
        try:
            pipe.send(question)
            if pipe.poll(_IDLE_S):
                return pipe.recv_bytes()
            problem = f"no answer within {_IDLE_S:g} s"
        except (EOFError, ConnectionError):
            problem = self._cause_of_death()
        self._stop()
        return problem

    def _cause_of_death(self) -> str:
        process = self._process
        if process is not None:
            process.join(10.0)
            if process.exitcode == -signal.SIGPROF:
                return f"not read within {self._budget_s:g} s of CPU time"
        return "the parser's process died"

    def _start(self) -> Connection:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=_serve, args=(theirs, self._mapping), daemon=True
        )
        with theirs:
            process.start()
        self._process, self._pipe = process, ours
        # A process that never comes up is no page's fault.
        if not ours.poll(_IDLE_S) or not self._greeted():
            self._stop()
            raise KindlingError(
                f"the page reader's process died at its start, or did nothing for {_IDLE_S:g} s"
            )
        return ours

    def _greeted(self) -> bool:
        try:
            return self._pipe is not None and self._pipe.recv_bytes() == _READY
        except (EOFError, ConnectionError):
            return False

    def _stop(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._process = self._pipe = None


class _Learnt(msgspec.Struct):
    """A verdict on its way between processes; `rules` is the JSON of ReviewRules, or empty."""

    rules: str
    why: str
    evidence: dict[str, float]


_LEARNT_DECODER = msgspec.msgpack.Decoder(_Learnt)


def _serve(pipe: Connection, mapping: CssRules) -> None:
    """Answer until the other side is gone."""
    # Ctrl-C goes to the whole group; the parent decides what becomes of this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe.send_bytes(_READY)
    while True:
        try:
            question, budget_s = pipe.recv()
        except EOFError:
            return
        # The kernel ends the process when its CPU time is used up, inside native code too.
        signal.setitimer(signal.ITIMER_PROF, budget_s)
        answer = _answer(question, mapping)
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send_bytes(answer)


def _answer(question: _Question, mapping: CssRules) -> bytes:
    if isinstance(question, SavedPage):
        page = question
        found = extract(page.body, page.url, mapping, page.content_type)
        return _ENCODER.encode(found)
    if isinstance(question, _Outlined):
        return _ENCODER.encode(outline(samples_of(question.pages, mapping)))
    if isinstance(question, _Proposed):
        samples = samples_of(question.pages, mapping)
        verdict = judge(question.selectors, question.shown, samples)
    else:
        verdict = learn_from(question, mapping)
    rules = verdict.rules.model_dump_json() if verdict.rules else ""
    return _ENCODER.encode(_Learnt(rules, verdict.why, verdict.evidence))
