"""Both request shapes become one question; everything else becomes one refusal with its code."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from kindling.serving import intake
from kindling.serving.fetch import NotFetched
from kindling.serving.intake import read_analyze, read_search
from kindling.serving.questions import Analyze, Search
from kindling.serving.refusals import Refused

Make = Callable[[bytes, str], Request]


def ask_json(request_of: Make, fields: Any) -> Analyze:
    return asyncio.run(
        read_analyze(
            request_of(json.dumps(fields).encode(), "application/json; charset=utf-8"),
            (),
        )
    )


def ask_form(
    request_of: Make, fields: dict[str, str], files: dict[str, Any] | None = None
) -> Analyze:
    sent = httpx.Request("POST", "http://x/", data=fields, files=files)
    return asyncio.run(
        read_analyze(request_of(sent.read(), sent.headers["content-type"]), ())
    )


def refusal(ask: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        ask()
    assert caught.value.detail["message"]
    return caught.value.status_code, caught.value.detail["code"]


def test_the_form_shape(request_of: Make, picture: Callable[..., bytes]) -> None:
    image = picture("JPEG")
    asked = ask_form(
        request_of,
        {"text": "torn", "top_k": "3"},
        {"image": ("a.jpg", image, "image/jpeg")},
    )
    assert asked == Analyze("torn", image, None, 3)


def test_the_json_shape(request_of: Make, picture: Callable[..., bytes]) -> None:
    assert ask_json(request_of, {"query_text": "torn"}) == Analyze(
        "torn", None, None, 5
    )
    encoded = base64.b64encode(picture()).decode()
    for value in (encoded, f"data:image/png;base64,{encoded}"):
        assert ask_json(request_of, {"image_base64": value, "top_k": 0}) == Analyze(
            None, picture(), None, 0
        )


@pytest.mark.parametrize("name", ["text", "query_text"])
def test_either_name_in_either_shape(request_of: Make, name: str) -> None:
    assert (
        ask_json(request_of, {name: "torn"})
        == ask_form(request_of, {name: "torn"})
        == Analyze("torn", None, None, 5)
    )


def test_a_file_field_left_empty_is_no_image(request_of: Make) -> None:
    assert ask_form(request_of, {"text": "torn"}, {"image": ("", b"")}).image is None


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 400, "nothing_given"),
        ({"text": " \n"}, 400, "nothing_given"),
        ([], 400, "bad_json"),
        ("x", 400, "bad_json"),
        ({"text": 3}, 422, "invalid_field"),
        ({"text": ["a"]}, 422, "invalid_field"),
        ({"text": None}, 400, "nothing_given"),
        ({"text": "a", "top_k": "5"}, 422, "invalid_field"),
        ({"text": "a", "top_k": True}, 422, "invalid_field"),
        ({"text": "a", "top_k": 51}, 422, "invalid_field"),
        ({"text": "a", "top_k": -1}, 422, "invalid_field"),
        ({"text": "a", "query_text": "b"}, 422, "ambiguous_text"),
        ({"text": "a" * 20_001}, 413, "text_too_long"),
        ({"text": "a", "image_base64": "no base64!"}, 422, "bad_image"),
        (
            {"text": "a", "image_base64": base64.b64encode(b"no image").decode()},
            422,
            "bad_image",
        ),
        (
            {"text": "a", "image_base64": "AA==", "image_url": "http://x/"},
            422,
            "ambiguous_image",
        ),
        ({"text": "a", "image_url": 7}, 422, "invalid_field"),
        ({"text": "a", "image_url": "x" * 2049}, 422, "invalid_field"),
    ],
)
def test_refused_json(request_of: Make, fields: Any, status: int, code: str) -> None:
    assert refusal(lambda: ask_json(request_of, fields)) == (status, code)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"text": ' + b"9" * 5000 + b"}"]
)
def test_refused_bodies(request_of: Make, body: bytes) -> None:
    asked = request_of(body, "application/json")
    assert refusal(lambda: asyncio.run(read_analyze(asked, ()))) == (400, "bad_json")


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "image/png"]
)
def test_refused_media_types(request_of: Make, content_type: str) -> None:
    for read in (lambda r: read_analyze(r, ()), read_search):
        asked = request_of(b"{}", content_type)
        assert refusal(lambda read=read, asked=asked: asyncio.run(read(asked))) == (
            415,
            "unsupported_media_type",
        )


def test_refused_forms(request_of: Make, picture: Callable[..., bytes]) -> None:
    def upload(content: bytes, name: str = "image") -> tuple[int, str]:
        return refusal(
            lambda: ask_form(request_of, {"text": "a"}, {name: ("f", content)})
        )

    assert upload(b"no image") == (422, "bad_image")
    assert upload(picture("JPEG", (400, 400))[:900]) == (422, "bad_image")
    assert upload(b"\0" * 10_000_001) == (413, "image_too_large")
    assert upload(picture("PNG", (8000, 6000))) == (413, "image_too_large")
    assert upload(picture(), "text") == (422, "invalid_field")
    assert refusal(
        lambda: ask_form(request_of, {"text": "a", "image": "path.jpg"})
    ) == (422, "invalid_field")
    assert refusal(lambda: ask_form(request_of, {"text": "a", "top_k": "many"})) == (
        422,
        "invalid_field",
    )


@pytest.mark.parametrize(
    "charset", ["undefined", "punycode", "idna", "utf-7", "x" * 99]
)
def test_charsets_that_are_not_read(request_of: Make, charset: str) -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\ngood\r\n--B--\r\n'
    )
    asked = request_of(body, f"multipart/form-data; boundary=B; charset={charset}")
    assert refusal(lambda: asyncio.run(read_analyze(asked, ()))) == (
        415,
        "unsupported_charset",
    )
    read = request_of(body, "multipart/form-data; boundary=B; charset=UTF-8")
    assert asyncio.run(read_analyze(read, ())).text == "good"


def test_two_of_one_field_are_refused(
    request_of: Make, picture: Callable[..., bytes]
) -> None:
    files = [("image", ("a.png", picture())), ("image", ("b.png", picture("JPEG")))]
    sent = httpx.Request("POST", "http://x/", data={"text": "a"}, files=files)
    asked = request_of(sent.read(), sent.headers["content-type"])
    assert refusal(lambda: asyncio.run(read_analyze(asked, ()))) == (
        422,
        "ambiguous_image",
    )
    twice = request_of(b"text=a&text=b", "application/x-www-form-urlencoded")
    assert refusal(lambda: asyncio.run(read_analyze(twice, ()))) == (
        422,
        "invalid_field",
    )


def test_a_search_by_photo_is_refused_by_name(request_of: Make) -> None:
    body = json.dumps({"query_text": "a", "image_base64": "AA=="}).encode()
    asked = request_of(body, "application/json")
    assert refusal(lambda: asyncio.run(read_search(asked))) == (
        422,
        "photo_search_unsupported",
    )


def test_half_a_surrogate_pair_is_replaced(request_of: Make) -> None:
    asked = asyncio.run(
        read_analyze(request_of(b'{"text": "torn \\ud800"}', "application/json"), ())
    )
    assert asked.text == "torn ?"


def test_an_image_that_is_not_had_leaves_the_text(
    request_of: Make, picture: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(result: bytes | Exception) -> None:
        async def fetch(url: str, hosts: object) -> bytes:
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(intake, "fetch_image", fetch)

    answer(picture())
    assert ask_json(request_of, {"text": "a", "image_url": "http://x/"}) == Analyze(
        "a", picture(), None, 5
    )
    for result, reason in (
        (NotFetched("gone"), "gone"),
        (b"<html>", "the image cannot be read"),
    ):
        answer(result)
        asked = ask_json(request_of, {"text": "a", "image_url": "http://x/"})
        assert asked.image is None and asked.image_reason.startswith(reason)
        assert refusal(lambda: ask_json(request_of, {"image_url": "http://x/"})) == (
            422,
            "image_unavailable",
        )


def test_search(request_of: Make) -> None:
    def ask(fields: Any) -> Search:
        return asyncio.run(
            read_search(request_of(json.dumps(fields).encode(), "application/json"))
        )

    assert ask({"query_text": "zipper"}) == Search("zipper", 5, {})
    filters = {"rating": [1, 2], "category": "Dresses", "sentiment": "negative"}
    assert ask({"query_text": "zipper", "top_k": 7, "filters": filters}) == Search(
        "zipper", 7, filters
    )
    for fields in (
        {"top_k": 5},
        {"query_text": "a", "filters": {"colour": "red"}},
        {"query_text": "a", "top_k": 0},
        {"query_text": "a", "filters": {"rating": 6}},
        {"query_text": "a", "filters": {"sentiment": "fine"}},
        {"query_text": "a", "filters": {"category": "a\0"}},
        {"query_text": "a", "filters": [1]},
        {"query_text": "a", "filters": {"rating": [5] * 51}},
        {"query_text": "a", "filters": {"rating": [5] * 1_000_000}},
        {"query_text": "a", "filters": {"category": ["a"] * 51}},
    ):
        assert refusal(lambda fields=fields: ask(fields)) == (422, "invalid_field")
    assert refusal(lambda: ask({"query_text": " "})) == (400, "nothing_given")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["text", "query_text", "top_k", "image_url", "image_base64", "x"]
                )
                | st.text(),
                inner,
            )
        ),
    )
)
def test_any_json_is_answered_or_refused(body: Any) -> None:
    sent = json.dumps(body).encode()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": sent, "more_body": False}

    request = Request(
        {
            "type": "http",
            "method": "POST",
            "headers": [(b"content-type", b"application/json")],
        },
        receive,
    )

    async def fetch(url: str, hosts: object) -> bytes:
        raise NotFetched("no network in this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "fetch_image", fetch)
        try:
            assert isinstance(asyncio.run(read_analyze(request, ())), Analyze)
        except Refused as refused:
            assert 400 <= refused.status_code < 500
