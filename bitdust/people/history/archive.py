"""The history in my storage: segments of sealed lines, which a recovered home reads in.

A segment is a file of a key of its own, which lists do not show: ``<device>-<number of its first message>``. Each line
is one message, sealed under a secret of that key (base64 of ``nonce: 12 ‖ AES-256-GCM``), so that no plain message is
on the disk on the way. The last segment of a device is written again, as a new version, until it is full.
"""

import base64
import heapq
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from attrs import asdict, frozen
from cbor2 import CBORError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.crypt.files import make_private_folder, remove_safely, write_safely
from bitdust.crypt.sealing import hkdf
from bitdust.outcome import outcome
from bitdust.people.history.history import History
from bitdust.people.history.values import Filter, Page, Stored
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import INCOMING, OUTGOING, Message
from bitdust.wiring import Wire

SETTING = "services/message-history/archive-enabled"
FOLDER, BACK = "archive", "back"
AFTER, AGAIN = 600.0, 3600.0
"""Seconds until a message goes into the storage, and between two tries."""
MOST_MESSAGES, MOST_BYTES = 5_000, 1024 * 1024
"""Of a segment; the message that goes beyond the bytes is still in it."""
FOR_GOOD = ("incomplete", "not-found")
"""Codes of a segment that nobody can give any more."""
MOST_READ = 16 * MOST_BYTES
"""Of a file that is no larger than a segment gets, sealed and written as text."""
AT_ONCE = 500
KEPT, FIRST, READ = "archived", "segment", "archive_read"
"""Facts: the last number that is in the storage, the first one of the segment that is not full, what was read in."""
_INFO = b"BitDust history segment 1"
_NONCE = 12


class Segments(Protocol):
    """Where segments are kept."""

    def can_keep(self) -> bool:
        """Whether files can be stored now, and all that there are are known."""

    def secrets(self) -> list[bytes]:
        """Secrets of the key; the last one is the newest of those that may seal. None where there is no such key."""

    def make_key(self) -> None:
        """See that there is the key. Raises `BitDustError`, `OSError`."""

    def keep(self, name: str, source: Path, /) -> "Deferred[Any]":
        """Fires when a file is stored as the newest version under a name."""

    def names(self) -> "Deferred[list[str]]":
        """Of all segments, those of other devices too."""

    def bring(self, name: str, folder: Path, /) -> "Deferred[Any]":
        """Fires when a segment is in a folder, under its name."""


@frozen
class Line:
    """A message of a segment, and when its node stored it."""

    message: Message
    at: int

    def sealed(self, cipher: AESGCM) -> bytes:
        """As it is written."""
        message = {name: _shown(value) for name, value in asdict(self.message, recurse=False).items()}
        text = json.dumps({"at": self.at, **message}, ensure_ascii=False).encode()
        nonce = os.urandom(_NONCE)
        return base64.b64encode(nonce + cipher.encrypt(nonce, text, _INFO)) + b"\n"

    @classmethod
    def opened(cls, ciphers: Sequence[AESGCM], line: bytes) -> "Line | None":
        """None for one that no secret opens, or that is no message."""
        try:
            sealed = base64.b64decode(line, validate=False)
            text = next(filter(None, (_open(cipher, sealed) for cipher in ciphers)), b"")
            value = json.loads(text)
            at = int(value.pop("at"))
            for name in ("sender", "sender_device"):
                value[name] = bytes.fromhex(value[name])
            message = Message(**value)
            return cls(Message.from_body(message.to_body(), message.direction), at) if _is_stored(message, at) else None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, CBORError):
            return None


def _is_stored(message: Message, at: int) -> bool:
    """Whether a history can have stored it then: any device of mine may have written the segment, a stolen one too."""
    return message.direction in (INCOMING, OUTGOING) and 0 <= at < 2**53


def _shown(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _open(cipher: AESGCM, sealed: bytes) -> bytes | None:
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _INFO)
    except (InvalidTag, ValueError):
        return None


def newest_first(folder: Path, names: Iterable[str], secrets: Iterable[bytes]) -> Iterator[Line]:
    """All messages of segments; one segment of each device is in memory at a time."""
    ciphers = [AESGCM(hkdf(secret, _INFO)) for secret in secrets]
    devices: dict[str, list[str]] = {}
    for name in sorted(names, reverse=True):
        devices.setdefault(name.partition("-")[0], []).append(name)
    streams = [_of_device(folder, own, ciphers) for own in devices.values()]
    return heapq.merge(*streams, key=lambda line: -line.at)


def _of_device(folder: Path, names: Iterable[str], ciphers: Sequence[AESGCM]) -> Iterator[Line]:
    for name in names:
        if (folder / name).stat().st_size > MOST_READ:
            continue
        for line in reversed((folder / name).read_bytes().splitlines()):
            opened = Line.opened(ciphers, line)
            if opened is not None:
                yield opened


class Archive:
    """I bring new messages into the storage by and by, and those of the storage into a history that has them not."""

    log = Logger()
    segments = Wire(Segments)

    def __init__(self, around: Surroundings, history: History) -> None:
        self._around = around
        self._history = history
        self._folder = history.file.folder / FOLDER
        self._timer: IDelayedCall | None = None
        self._is_busy = False
        history.stored.connect(lambda stored: self._later(AFTER))

    def start(self) -> None:
        """Look soon whether there is something to do."""
        self._later(AFTER)

    def stop(self) -> None:
        """Nothing more is begun."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _later(self, seconds: float) -> None:
        if self._timer is None and self._history.is_open:
            self._timer = self._around.world.clock.callLater(seconds, self.look)

    def look(self) -> None:
        """Do what there is to do now."""
        self.stop()
        if self._is_busy or not self._history.is_open or not self._around.settings.get(SETTING):
            return
        self._is_busy = True
        Deferred.fromCoroutine(self._round()).addErrback(self._failed)

    async def _round(self) -> None:
        try:
            if not self.segments.can_keep():
                self._later(AGAIN)
                return
            if not await self._history.fact(READ):
                await self._read_in()
            await self._around.world.run_in_thread(_clear, self._folder / BACK)
            while await self._keep_segment():
                pass
        finally:
            self._is_busy = False

    def _failed(self, failure: Any) -> None:
        if failure.check(BitDustError, OSError) is None:
            self.log.failure("the history could not be brought to the storage", failure)
        else:
            self.log.info("the history goes to the storage later: {why}", why=failure.getErrorMessage())
        self._later(AGAIN)

    # into the storage

    async def _keep_segment(self) -> bool:
        """Store the segment that is not full, with what is new; whether there is more."""
        kept = await self._history.fact(KEPT)
        first = await self._history.fact(FIRST) or kept + 1
        found = await self._history.page(Filter(), Page(MOST_MESSAGES, after=first - 1))
        found = _segment(found)
        if not found or found[-1].number <= kept:
            return False
        self.segments.make_key()
        name = f"{self._around.me.device.id.hex()}-{first:016d}"
        lines = [Line(stored.message, stored.at) for stored in found]
        await self._around.world.run_in_thread(_write, self._folder, name, lines, self.segments.secrets()[-1])
        await self.segments.keep(name, self._folder / name)
        is_full = len(found) == MOST_MESSAGES or sum(stored.size for stored in found) >= MOST_BYTES
        await self._history.note({KEPT: found[-1].number, FIRST: 0 if is_full else first})
        if is_full:
            await self._around.world.run_in_thread(remove_safely, self._folder / name)
        return is_full

    # out of the storage

    async def _read_in(self) -> None:
        names = await self.segments.names()
        count = 0
        if names:
            folder = self._folder / BACK
            await self._around.world.run_in_thread(make_private_folder, folder)
            brought = [name for name in names if await self._bring(name, folder)]
            count = await self._take(newest_first(folder, brought, self.segments.secrets()))
        await self._history.note({READ: 1})
        if count:
            self._around.events.send("message-history-restored", {"messages": count})

    async def _bring(self, name: str, folder: Path) -> bool:
        """Whether a segment could be had; one that is lost for good, or was made up, keeps no other one back."""
        brought = await outcome(self.segments.bring(name, folder))
        if brought.error is not None and brought.code not in FOR_GOOD:
            raise brought.error
        if brought.error is not None:
            self.log.warn("a part of the history does not come back: {why}", why=brought.error)
        return brought.error is None and (folder / name).is_file()

    async def _take(self, lines: Iterator[Line]) -> int:
        count = 0
        while True:
            portion: list[Line] = await self._around.world.run_in_thread(_next, lines)
            if not portion:
                return count
            count += await self._history.add_before([(line.message, line.at) for line in portion])


def _segment(found: list[Stored]) -> list[Stored]:
    """As many of them as one segment has."""
    size = 0
    for index, stored in enumerate(found):
        size += stored.size
        if size >= MOST_BYTES:
            return found[: index + 1]
    return found


def _next(lines: Iterator[Line]) -> list[Line]:
    return list(islice(lines, AT_ONCE))


def _clear(folder: Path) -> None:
    """A download that was taken up again may bring a segment once more."""
    shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, name: str, lines: Iterable[Line], secret: bytes) -> None:
    make_private_folder(folder)
    cipher = AESGCM(hkdf(secret, _INFO))
    write_safely(folder / name, b"".join(line.sealed(cipher) for line in lines))
