"""Pictures made here, and requests without a server."""

import io
from collections.abc import Callable

import pytest
from PIL import Image
from starlette.requests import Request

MakePicture = Callable[..., bytes]


@pytest.fixture(scope="session")
def picture() -> MakePicture:
    def make(kind: str = "PNG", size: tuple[int, int] = (8, 6)) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", size, (200, 30, 30)).save(buffer, kind)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def request_of() -> Callable[[bytes, str], Request]:
    def make(body: bytes, content_type: str) -> Request:
        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        return Request(
            {"type": "http", "method": "POST", "path": "/analyze", "headers": headers},
            receive,
        )

    return make
