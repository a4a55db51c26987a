"""What a request asks for: a path, a form of what is there, and on which conditions."""

import re
from enum import Enum
from urllib.parse import unquote_to_bytes

from attrs import frozen

from bitdust.ipfs.paths import Path, parse
from bitdust.web.dialect import Head
from bitdust.wire.errors import BitDustError

MAX_PATH = 1 << 15
MAX_QUERY = 1 << 13


class Form(Enum):
    """How content is sent: as files, or as blocks that a client can check itself."""

    FILE = "file"
    RAW = "raw"
    CAR = "car"
    TAR = "tar"


TYPES = {
    Form.RAW: "application/vnd.ipld.raw",
    Form.CAR: "application/vnd.ipld.car",
    Form.TAR: "application/x-tar",
}
_FORMS = {kind: form for form, kind in TYPES.items()}
_ETAG = re.compile(rb'(?:W/)?"[^"]*"|\*')


@frozen
class Asked:
    """One request. ``is_folder`` is a path that ends with a slash; ``filename`` is what a client wants to call it."""

    path: Path
    form: Form
    is_folder: bool
    query: bytes
    filename: str
    is_download: bool


def asked(head: Head) -> Asked:
    """Raises `BitDustError`: ``bad-path`` or ``bad-argument``."""
    if len(head.path) > MAX_PATH or len(head.query) > MAX_QUERY:
        raise BitDustError("bad-path", "this path is too long")
    text = unquote_to_bytes(head.path).decode("utf-8", "surrogateescape")
    fields = dict(_pair(field) for field in head.query.split(b"&") if field)
    if "\0" in text:
        raise BitDustError("bad-path", "a path has no zeros in it")
    return Asked(
        path=parse(text),
        form=_form(fields.get("format"), head.single(b"Accept")),
        is_folder=text.endswith("/"),
        query=head.query,
        filename=fields.get("filename", ""),
        is_download=fields.get("download") == "true",
    )


def _pair(field: bytes) -> tuple[str, str]:
    name, _, value = field.partition(b"=")
    return name.decode("latin-1"), unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")


def _form(wanted: str | None, accept: bytes | None) -> Form:
    """The query goes before the header; of a header the first form that is one counts."""
    if wanted is not None:
        try:
            return Form(wanted)
        except ValueError:
            names = ", ".join(form.value for form in TYPES)
            raise BitDustError("bad-argument", f"format is one of {names}, not {wanted[:100]!r}") from None
    for word in (accept or b"").split(b","):
        form = _FORMS.get(word.partition(b";")[0].strip().decode("latin-1").lower())
        if form is not None:
            return form
    return Form.FILE


def is_known(header: bytes | None, etag: bytes) -> bool:
    """Whether a client has this already, by its header ``If-None-Match``; strong and weak tags are the same there."""
    if header is None:
        return False
    plain = etag.removeprefix(b"W/")
    return any(tag == b"*" or tag.removeprefix(b"W/") == plain for tag in _ETAG.findall(header))
