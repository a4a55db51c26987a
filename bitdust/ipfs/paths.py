"""Paths to content: ``/ipfs/CID/a/b``, the same without ``/ipfs/``, or ``/ipns/NAME/a``."""

from attrs import frozen

from bitdust.ipld.cid import Cid
from bitdust.wire.errors import BitDustError

LONGEST = 1 << 16
MOST_SEGMENTS = 1024


@frozen
class Path:
    """Where a path begins, and the names behind it. ``name`` is that of an IPNS path, whose ``root`` is not known."""

    root: Cid | None
    segments: tuple[str, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        start = f"/ipfs/{self.root}" if self.root is not None else f"/ipns/{self.name}"
        return "/".join((start, *self.segments))


def parse(text: str) -> Path:
    """Raises `BitDustError` ``bad-path``."""
    if len(text) > LONGEST:
        raise bad_path(text, f"a path has at most {LONGEST} letters")
    space, start, segments = _split(text)
    if not start:
        raise bad_path(text, "it names nothing")
    if len(segments) > MOST_SEGMENTS:
        raise bad_path(text, f"a path has at most {MOST_SEGMENTS} names")
    if space == "ipns":
        return Path(None, segments, start)
    try:
        return Path(Cid.parse(start), segments)
    except BitDustError as error:
        raise bad_path(text, str(error)) from None


def _split(text: str) -> tuple[str, str, tuple[str, ...]]:
    """The name space, what is named there, and the names behind it."""
    parts = [part for part in text.split("/") if part]
    if text.startswith("/"):
        space, *parts = parts or [""]
        if space not in ("ipfs", "ipns"):
            raise bad_path(text, "it must begin with /ipfs/ or /ipns/")
    else:
        space = "ipfs"
    start, *segments = parts or [""]
    return space, start, tuple(segments)


def bad_path(text: str, why: str) -> BitDustError:
    """Of a path that cannot lead anywhere."""
    return BitDustError("bad-path", f'invalid path "{text[:200]}": {why}')
