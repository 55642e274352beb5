"""One question to the served champion, and whether what it answers is an answer."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from kindling_local.errors import SupervisorError

SAMPLE_TEXT = "It came with a tear along the side and the colour is nothing like the picture. Sending it back."
SENTIMENTS = {"negative", "neutral", "positive"}
FIELDS = {
    "sentiment",
    "confidence",
    "probabilities",
    "modality",
    "image_used",
    "model_version",
    "similar_reviews",
    "summary",
    "processing_time_ms",
}
SWAP_WAIT_S = 90.0


@dataclass(frozen=True)
class Question:
    """A text, and the bytes of a photo where there is one."""

    text: str
    photo: bytes | None = None


def of_catalogue(catalogue: Path) -> Question:
    """A text with a photo of the bundled shop."""
    photo = min((catalogue / "photos").glob("*.jpg"), default=None)
    if photo is None:
        raise SupervisorError(f"{catalogue / 'photos'}: no photo to ask about")
    return Question(SAMPLE_TEXT, photo.read_bytes())


def ask(url: str, question: Question, champion: str) -> dict[str, Any]:
    """POST /analyze with the question; SupervisorError when the answer is not one.

    Waits for the champion to be the one served: a server that was up already notices a new one by itself.
    """
    asked: dict[str, Any] = {"json": {"query_text": question.text}}
    if question.photo is not None:
        photo = ("photo", question.photo, "application/octet-stream")
        asked = {"data": {"text": question.text}, "files": {"image": photo}}
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        _wait_for_version(http, champion)
        try:
            answer = http.post("/analyze", **asked)
        except httpx.TransportError as error:
            raise SupervisorError(f"POST {url}/analyze: {error!r}") from error
    if answer.status_code != 200:
        raise SupervisorError(
            f"POST {url}/analyze answers {answer.status_code}: {answer.text[:2000]}"
        )
    body: dict[str, Any] = answer.json()
    if problems := faults(body, champion):
        raise SupervisorError(
            f"POST {url}/analyze answers, but {'; '.join(problems)}: {json.dumps(body)[:2000]}"
        )
    return body


def faults(body: dict[str, Any], champion: str) -> list[str]:
    """What keeps `body` from being the champion's answer; empty when nothing does."""
    if missing := FIELDS - set(body):
        return [f"without {', '.join(sorted(missing))}"]
    found = []
    probabilities = body["probabilities"]
    if set(probabilities) != SENTIMENTS or abs(sum(probabilities.values()) - 1) > 0.01:
        found.append(
            "its probabilities are not a distribution over the three sentiments"
        )
    elif body["sentiment"] != max(probabilities, key=probabilities.get):
        found.append("its sentiment is not the likeliest")
    if not 0 <= body["confidence"] <= 1:
        found.append("its confidence is no probability")
    if str(body["model_version"]) != champion:
        found.append(f"its model is not the champion, version {champion}")
    return found


def _wait_for_version(http: httpx.Client, champion: str) -> None:
    deadline = time.monotonic() + SWAP_WAIT_S
    while True:
        try:
            served = str(http.get("/models").json().get("model_version"))
        except (httpx.TransportError, ValueError) as error:
            served = repr(error)
        if served == champion:
            return
        if time.monotonic() > deadline:
            raise SupervisorError(
                f"{http.base_url} serves {served}, not the champion {champion}, after {SWAP_WAIT_S:.0f} s"
            )
        time.sleep(1)
