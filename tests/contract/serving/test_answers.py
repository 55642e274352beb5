"""Both request shapes against the running server, and what it says when it cannot answer."""

import base64
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from PIL import Image

from kindling.client.schemas import (
    AnalyzeAnswer,
    ErrorAnswer,
    SearchAnswer,
    ServedVersions,
)


def jpeg(size: int = 64) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (120, 20, 20)).save(buffer, "JPEG")
    return buffer.getvalue()


class Shop(BaseHTTPRequestHandler):
    """A host that serves an image, and everything that a hostile one may."""

    def do_GET(self) -> None:
        if self.path == "/image.jpg":
            self._send(200, jpeg())
        elif self.path == "/page":
            self._send(200, b"<html>no image</html>")
        elif self.path == "/large":
            self._send(200, b"\xff" * 5_000_001)
        elif self.path.startswith("/to?"):
            self._send(302, b"", self.path.split("?", 1)[1])
        else:
            self._send(404, b"")

    def _send(self, status: int, body: bytes, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    host = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    Thread(target=host.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{host.server_port}"
    host.shutdown()
    host.server_close()


@pytest.fixture(scope="module")
def server(world, shop) -> Iterator:
    # The shop by its address is let through; the same place under the name `localhost` is not.
    with world.server(TINY_IMAGE_HOSTS=shop) as running:
        yield running


def test_a_text_in_json(server) -> None:
    answer = server.post(
        "/analyze", json={"query_text": "The zipper broke", "top_k": 3}
    )
    assert answer.status_code == 200
    given = AnalyzeAnswer.model_validate_json(answer.content)
    assert (
        given.similar_reviews[0].review_id == "r4"
        and len(given.similar_reviews) == given.summary.n == 3
    )
    assert (
        given.modality,
        given.image_used,
        given.model_version,
        given.index_version,
    ) == ("text", False, "1", "v1")
    assert (
        given.confidence == max(given.probabilities.values())
        and given.processing_time_ms > 0
    )
    assert sum(given.probabilities.values()) == pytest.approx(1, abs=1e-3)


def test_text_and_image_in_a_form(server) -> None:
    answer = server.post(
        "/analyze",
        data={"text": "The zipper broke", "top_k": "2"},
        files={"image": ("a.jpg", jpeg())},
    )
    given = AnalyzeAnswer.model_validate_json(answer.content)
    assert (
        given.modality,
        given.image_used,
        given.image_reason,
        len(given.similar_reviews),
    ) == ("text+image", True, None, 2)


def test_one_question_in_each_shape_is_one_answer(server, shop) -> None:
    text, image = "Lovely, but the seam ripped", jpeg()
    answers = [
        server.post(
            "/analyze", data={"query_text": text}, files={"image": ("a.jpg", image)}
        ),
        server.post(
            "/analyze",
            json={"text": text, "image_base64": base64.b64encode(image).decode()},
        ),
        server.post(
            "/analyze",
            json={"query_text": text, "image_url": f"http://{shop}/image.jpg"},
        ),
    ]
    given = [
        {key: value for key, value in one.json().items() if key != "processing_time_ms"}
        for one in answers
    ]
    assert given[0] == given[1] == given[2]


def test_an_image_alone(server) -> None:
    given = server.post("/analyze", files={"image": ("a.jpg", jpeg())}).json()
    assert (given["modality"], given["similar_reviews"]) == ("image", [])


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("http://{shop}/gone", "status 404"),
        ("http://{shop}/page", "cannot be read"),
        ("http://{shop}/large", "more than 5 MB"),
        ("http://localhost:{port}/image.jpg", "not a public address"),
        ("http://[::1]:{port}/image.jpg", "not a public address"),
        ("http://{shop}/to?http://localhost:{port}/image.jpg", "not a public address"),
        ("http://169.254.169.254/", "not a public"),
        ("http://{shop}/to?/to?/to?/to?/image.jpg", "redirects more than 3"),
        ("http://{shop}/to?file:///etc/passwd", "http://"),
        ("file:///etc/passwd", "http://"),
        ("http://{long}/", "could not be fetched"),
    ],
)
def test_an_image_that_is_not_had_is_said_and_the_text_answered(
    server, shop, path, reason
) -> None:
    url = path.format(shop=shop, port=shop.split(":")[1], long="a" * 70)
    answer = server.post(
        "/analyze", json={"query_text": "The zipper broke", "image_url": url}
    )
    given = AnalyzeAnswer.model_validate_json(answer.content)
    assert (
        given.image_used is False
        and reason in given.image_reason
        and given.modality == "text"
    )
    alone = server.post("/analyze", json={"image_url": url})
    assert (alone.status_code, alone.json()["error"]["code"]) == (
        422,
        "image_unavailable",
    )


def test_a_redirect_within_the_allowed_host_is_followed(server, shop) -> None:
    given = server.post(
        "/analyze", json={"text": "a", "image_url": f"http://{shop}/to?/image.jpg"}
    ).json()
    assert given["image_used"] is True


def test_search_with_and_without_filters(server) -> None:
    answer = server.post(
        "/search_similar", json={"query_text": "lovely soft fabric", "top_k": 2}
    )
    found = SearchAnswer.model_validate_json(answer.content)
    assert {one.review_id for one in found.results} == {
        "r0",
        "r3",
    } and found.index_version == "v1"
    assert (
        found.results == sorted(found.results, key=lambda one: -one.score)
        and "rerank" in found.fusion
    )
    for filters, wanted in (
        ({"rating": [1]}, {"r1", "r4"}),
        ({"sentiment": "neutral", "product_id": "p0"}, {"r2"}),
        ({"category": "Hats"}, set()),
    ):
        results = server.post(
            "/search_similar", json={"query_text": "lovely", "filters": filters}
        ).json()["results"]
        assert {one["review_id"] for one in results} == wanted


@pytest.mark.parametrize(
    "text",
    [
        "' OR 1=1 --",
        "🙂🙂",
        "a\0b",
        "<script>",
        "\ud800",
        "AND OR NOT (",
        "漢字",
        "x" * 20_000,
    ],
)
def test_any_text_is_answered(server, text) -> None:
    body = httpx.Request(
        "POST",
        "http://x",
        content=__import__("json").dumps({"query_text": text}).encode(),
    ).content
    for path in ("/analyze", "/search_similar"):
        assert (
            server.post(
                path, content=body, headers={"Content-Type": "application/json"}
            ).status_code
            == 200
        )


@pytest.mark.parametrize(
    ("status", "code", "path", "arguments"),
    [
        (400, "nothing_given", "/analyze", {"json": {}}),
        (400, "bad_json", "/analyze", {"content": "{"}),
        (422, "invalid_field", "/analyze", {"json": {"text": 1}}),
        (413, "text_too_long", "/analyze", {"json": {"text": "a" * 20_001}}),
        (
            422,
            "bad_image",
            "/analyze",
            {"data": {"text": "a"}, "files": {"image": ("f", b"no image")}},
        ),
        (
            413,
            "image_too_large",
            "/analyze",
            {"data": {"text": "a"}, "files": {"image": ("f", b"0" * 10_000_001)}},
        ),
        (
            413,
            "body_too_large",
            "/analyze",
            {"data": {"text": "a"}, "files": {"image": ("f", b"0" * 15_000_001)}},
        ),
        (
            415,
            "unsupported_media_type",
            "/analyze",
            {"content": "a", "headers": {"Content-Type": "text/plain"}},
        ),
        (
            400,
            "bad_request",
            "/analyze",
            {"content": "a", "headers": {"Content-Type": "multipart/form-data"}},
        ),
        (
            415,
            "unsupported_media_type",
            "/search_similar",
            {"data": {"query_text": "a"}},
        ),
        (
            422,
            "invalid_field",
            "/search_similar",
            {"json": {"query_text": "a", "filters": {"colour": "red"}}},
        ),
        (404, "not_found", "/nowhere", {"json": {}}),
        (405, "method_not_allowed", "/models", {"json": {}}),
    ],
)
def test_errors_have_one_shape(server, status, code, path, arguments) -> None:
    if isinstance(arguments.get("content"), str) and "headers" not in arguments:
        arguments = {**arguments, "headers": {"Content-Type": "application/json"}}
    answer = server.post(path, **arguments)
    error = ErrorAnswer.model_validate_json(answer.content).error
    assert (answer.status_code, error.code) == (status, code) and error.message


def test_fifty_at_once(server) -> None:
    def ask(number: int) -> tuple[int, bool]:
        text = f"The zipper broke on day {number}"
        answer = server.post("/analyze", json={"query_text": text})
        return answer.status_code, answer.json() == {
            **answer.json(),
            "model_version": "1",
            "index_version": "v1",
            "search_reason": None,
        }

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(ask, range(100))) == {(200, True)}


def test_models_and_the_documentation(server) -> None:
    versions = ServedVersions.model_validate_json(
        server.client.get(f"{server.url}/models").content
    )
    assert (versions.model_version, versions.index_version) == ("1", "v1")
    document = server.client.get(f"{server.url}/openapi.json").json()
    analyze = document["paths"]["/analyze"]["post"]
    assert set(analyze["requestBody"]["content"]) == {
        "application/json",
        "multipart/form-data",
    }
    shown = analyze["responses"]["200"]["content"]["application/json"]["schema"]
    assert shown == {"$ref": "#/components/schemas/AnalyzeAnswer"}
    schemas = document["components"]["schemas"]
    assert "similar_reviews" in schemas["AnalyzeAnswer"]["properties"]
    assert set(schemas["SearchRequest"]["properties"]) == {
        "query_text",
        "top_k",
        "filters",
    }
    assert document["info"]["title"] == "Kindling" != document["info"]["version"]
