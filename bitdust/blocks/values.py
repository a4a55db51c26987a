"""What the block store takes and gives."""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.ipld.cid import Cid
from bitdust.wire.errors import BitDustError

MOST_LINKS = 200_000
"""Links of a block."""
LONGEST_NAME = 255
"""Bytes of the name of a pin or root."""
LinkReader = Callable[[Cid, bytes], Iterable[Cid]]
"""What a block links to, in order, as the codec of the CID says. Raises `FormatError`."""


class State(IntEnum):
    """What is known of a block. One that is in a segment at my suppliers counts as one that is here, wherever its bytes
    are now."""

    ABSENT = 0
    """Something links to it; it is not here."""
    HERE = 1
    WHOLE = 2
    """It is here, and so is everything below it."""


class Mode(IntEnum):
    """How a block is pinned."""

    DIRECT = 0
    RECURSIVE = 1


@frozen
class Pin:
    """A block that stays: alone, or with everything below it."""

    cid: Cid
    mode: Mode = Mode.RECURSIVE
    name: str = ""


@frozen
class Unpin:
    """A pin is wanted no more. Refused as ``not-pinned`` where there is none of this mode, or of any without one."""

    cid: Cid
    mode: Mode | None = None


@frozen
class Root:
    """A named block that stays, with everything below it that is here; None: there is no such root any more."""

    name: str
    cid: Cid | None


Change = Pin | Unpin | Root
"""What is committed together with blocks, or by itself."""


@frozen
class Row:
    """What the index knows of a block."""

    id: int
    cid: Cid
    size: int
    pack: int | None
    offset: int
    state: State

    @property
    def is_away(self) -> bool:
        """Whether its bytes are not on this disk, and can be had from my suppliers."""
        return self.pack is None and self.state is not State.ABSENT and not self.cid.is_inline


@frozen
class Stat:
    """``blocks`` that are here with so many ``bytes``; ``packed`` bytes of all packs, of which ``live`` belong to
    blocks; bytes of the ``index``; at most so many bytes are ``allowed``."""

    blocks: int
    bytes: int
    packed: int
    live: int
    index: int
    allowed: int


class BlockSource(Protocol):
    """Somebody who may have a block that is not here: suppliers, or other nodes."""

    def fetch(self, cid: Cid) -> "Deferred[bytes | None]":
        """Fires with the block, or None. It is checked by whoever asked."""


def not_here(cid: Cid) -> BitDustError:
    """Of a block that is asked for and is not stored."""
    return BitDustError("not-found", f"block {cid} is not here", cid=str(cid))


def not_now(cid: Cid) -> BitDustError:
    """Of a block that my suppliers have and did not give."""
    text = f"block {cid} is in the backup, and could not be had from the suppliers now"
    return BitDustError("not-found", text, cid=str(cid))


def not_asked(cid: Cid) -> BitDustError:
    """Of a block that my suppliers have, where they are not to be asked."""
    text = f"block {cid} is in the backup and not on this disk, and suppliers are not asked offline"
    return BitDustError("not-found", text, cid=str(cid))


def need_name(name: str) -> None:
    """Raises ``bad-argument`` for a name that is too long, or has a zero in it."""
    if len(name.encode(errors="surrogateescape")) > LONGEST_NAME or "\0" in name:
        raise BitDustError("bad-argument", f"a name has at most {LONGEST_NAME} bytes, none of them zero")
