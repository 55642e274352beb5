"""Multipart and urlencoded bodies: what a browser or curl sends, and what only an attacker does."""

from email.message import Message

from fastapi import Request
from starlette.datastructures import UploadFile

from kindling.serving.images import MAX_BYTES
from kindling.serving.refusals import Refused

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
#: Others make the parser raise (undefined), or decode in quadratic time (punycode).
CHARSETS = frozenset(
    {"", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1"}
)


async def read_form(request: Request) -> tuple[dict[str, str], bytes | None]:
    """Text fields, and the bytes of the file `image` (None where the field was left empty)."""
    _check_charset(request)
    fields: dict[str, str] = {}
    files: list[UploadFile] = []
    async with request.form(
        max_files=4, max_fields=20, max_part_size=2_000_000
    ) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                _check_name(name)
                # A field left empty is a file of no bytes.
                files += [value] if value.size else []
            elif name == "image" and value:
                raise Refused(422, "invalid_field", "image: must be a file")
            elif value and name in fields:
                raise Refused(422, "invalid_field", f"{name}: given twice")
            elif value:
                fields[name] = value
        if len(files) > 1:
            raise Refused(
                422, "ambiguous_image", f"one image is read, given were {len(files)}"
            )
        upload = await files[0].read(MAX_BYTES + 1) if files else b""
    return fields, upload or None


def _check_name(name: str) -> None:
    if name != "image":
        raise Refused(
            422,
            "invalid_field",
            f"{name}: no file is read here; the image's field is `image`",
        )


def _check_charset(request: Request) -> None:
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    charset = str(header.get_param("charset", "")).strip().lower()
    if charset not in CHARSETS:
        raise Refused(
            415,
            "unsupported_charset",
            f"charset {charset[:40]!r} is not read; utf-8 is",
        )
