"""Two nodes wrote under one device key, because a home was copied: the one that was not heard takes another key.

Entries that one supplier took from the one and others from the other one are said again too: nothing that is written
behind the last entry that both have could ever be safe. What it said has path ids that the other one may have given out
as well. So its entries are taken back, the items that they made get path ids of the new device, and everything is said
once more under its key. That a fork was found is written down first: a node that is killed on the way goes on at its
next start. The person is told, who may not have made that copy.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.identity.copies import WHY
from bitdust.identity.me import Me
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.log.renewal import Renewal
from bitdust.storage.log.replica import KeyLog
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError

FORKED, COPIED = "device-forked", "device-copied"
TAKEN = "device-taken"


@frozen
class Copied:
    """Another program has written under the key of ``device``, as was found at ``time`` (seconds since the epoch).

    ``is_open``: this one has no key of its own yet.
    """

    device: bytes
    time: int
    is_open: bool


class DeviceFork:
    """I move what nobody has heard of this node to a device key of its own."""

    def __init__(self, around: Connected, writer: LogWriter, ports: Ports) -> None:
        self._me: Me = around.me
        self._events = around.events
        self._wall = around.world.wall
        self._writer = writer
        self._ports = ports
        self.renewal = Renewal(around.me, writer, ports, lambda: around.me.device_number)
        self._is_comparing = False

    @property
    def is_open(self) -> bool:
        """Whether a fork was found and is not over yet."""
        return meta(self._writer.catalog.read, FORKED) is not None

    @property
    def can_go_on(self) -> bool:
        """Whether one is open, and this device has a key of its own already, or the RSA key is here to take one."""
        return self.is_open and (self._me.held_master is not None or self._noted()[0] != self._me.device.id)

    @property
    def copied(self) -> Copied | None:
        """The last one that was found."""
        data = meta(self._writer.catalog.read, COPIED)
        value: Any = decode(data, 100) if data is not None else None
        return Copied(value[0], value[1], self.is_open) if value is not None else None

    @property
    def writer(self) -> bytes:
        """The device as which this home has written: one of before, while not all is said again that it wrote."""
        return self.renewal.former or self._me.device.id

    async def check(self, logs: Iterable[KeyLog], lists_more: Callable[[bytes], bool]) -> None:
        """Raises ``device-taken`` where somebody ``lists_more`` of a device of this home than is here, and nobody has
        heard all that is here: who reads that first has two items of one path id. So it is while a fork is open."""
        device = self.writer
        if not (device != self._me.device.id or lists_more(device)):
            return
        for one in logs:
            end = one.end(device).sequence
            if end and end > (await self.renewal.heard(one, device))[0]:
                said = "what this node has written is said again, under a device key of its own"
                raise BitDustError(TAKEN, WHY if self.is_open and not self.can_go_on else said)

    async def look(self, logs: Iterable[KeyLog], device: bytes, is_shown: bool) -> bool:
        """Compare what suppliers show of the logs of a ``device`` of this home with what is here; whether another node
        has written under its key, which ``is_shown`` says is known: then that is written down, and gone on with, as
        with one that is open."""
        if self.can_go_on:
            await self.resume()
            return True
        if self._is_comparing or self.is_open or device != self.writer:
            return False
        self._is_comparing = True
        try:
            heard = {one: await self.renewal.heard(one, device) for one in logs}
        finally:
            self._is_comparing = False
        is_found = is_shown or any(is_parted for _, is_parted in heard.values())
        if not is_found or self.is_open or device != self.writer:
            return False
        for one in heard:
            one.holdings.forget_head(device)
        await self._found(device, {one.key: last for one, (last, _) in heard.items()})
        return True

    async def _found(self, device: bytes, heard: Mapping[str, int]) -> None:
        """Another node has written under this device's key; ``heard`` says by key up to which entry I was heard."""
        note = encode({"device": device, "heard": [[key, sequence] for key, sequence in sorted(heard.items())]})
        told = encode([device, int(self._wall())])

        def write(database: sqlite3.Connection) -> None:
            set_meta(database, FORKED, note)
            if device == self._me.device.id:
                set_meta(database, COPIED, told)

        if device == self._me.device.id:
            self._events.send("device-copied", {"device_id": device.hex()})
        await self._writer.catalog.change(write)
        if self.can_go_on:
            await self.resume()

    def _noted(self) -> tuple[bytes, dict[str, int]]:
        note: Any = decode(meta(self._writer.catalog.read, FORKED) or b"", 64 * 1024)
        return note["device"], dict(note["heard"])

    def resume(self) -> "Deferred[Any]":
        """Go on with what was found; fires when it is said again."""
        device, heard = self._noted()
        if self._me.device.id == device:
            self._ports.device_is_taken()

        def done(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM meta WHERE name=?", (FORKED,))

        return self.renewal.say_again(device, heard, done)

    async def compared(self, logs: Iterable[KeyLog]) -> None:
        """All that suppliers hold is known: what nobody heard of a former device of this home is said again."""
        if self.can_go_on:
            await self.resume()
        elif not self.is_open:
            await self.renewal.run(logs)
