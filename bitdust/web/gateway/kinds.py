"""What a file is: by its name, or by how it begins where a name does not say it.

The table of names is Python's own, not that of the system: the same file has the same type on every machine.
"""

import mimetypes
from functools import cache

SAMPLE = 512
"""Bytes that are looked at where the name says nothing."""
TEXT, UNKNOWN, HTML = "text/plain; charset=utf-8", "application/octet-stream", "text/html; charset=utf-8"
BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "application/ogg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"fLaC", "audio/flac"),
)
MARKUP = (b"<!doctype html", b"<html", b"<head", b"<body")
MORE = {".md": "text/markdown", ".wasm": "application/wasm", ".webp": "image/webp", ".car": "application/vnd.ipld.car"}
_TEXTUAL = ("text/", "application/json", "application/javascript", "application/xml", "image/svg+xml")
_CONTROL = frozenset(range(32)) - set(b"\t\n\r\x0c\x1b")


@cache
def _names() -> mimetypes.MimeTypes:
    table = mimetypes.MimeTypes()
    for ending, kind in MORE.items():
        table.add_type(kind, ending)
    return table


def by_name(name: str) -> str | None:
    """The type of a file by the end of its name; None where that says nothing."""
    kind, packed = _names().guess_type(f"x/{name}", strict=False)
    if packed is not None:
        return "application/gzip" if packed == "gzip" else UNKNOWN
    if kind is None:
        return None
    return f"{kind}; charset=utf-8" if kind.startswith(_TEXTUAL) else kind


def by_sample(data: bytes) -> str:
    """The type of a file by its first bytes."""
    for beginning, kind in BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "video/mp4"
    if data.lstrip()[:20].lower().startswith(MARKUP):
        return HTML
    if _CONTROL.intersection(data):
        return UNKNOWN
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return TEXT if len(data) == SAMPLE and error.start > SAMPLE - 4 else UNKNOWN
    return TEXT
