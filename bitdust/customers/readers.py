"""Who reads logs of a key here: when somebody has brought entries, the others who read there learn so at once."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall

from bitdust.outcome import Outcome, outcome
from bitdust.surroundings import Connected
from bitdust.wire.news import APPENDED
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from bitdust.wire.signed import Signed

GATHER = 0.02
"""Seconds in which entries gather for one report."""
EVERY = 0.5
"""Seconds from one report of a log to the next: where many write at once, who reads takes all of it together."""
SECONDS = 15.0
REMEMBERED = 900.0
"""Seconds after its last question for which somebody counts as a reader."""
MOST_READERS, MOST_LOGS, MOST_DEVICES = 256, 10_000, 16
Place = tuple[bytes, bytes]
"""Owner and scope."""
Device = tuple[bytes, bytes]
"""Fingerprint and device."""
Asked = OrderedDict[bytes, float]
"""Devices of somebody, the one that asked last at the end, and when each did."""


@frozen
class Queue:
    """The logs of one scope: who reads them here, and the numbers of first and last entry of each device's."""

    owner: bytes
    scope: bytes
    readers: list[bytes]
    ends: dict[bytes, tuple[int, int]]

    @property
    def parts(self) -> dict[bytes, int]:
        """How many entries are kept of each device."""
        return {device: last - first + 1 for device, (first, last) in self.ends.items()}

    @property
    def entries(self) -> int:
        """How many there are in all."""
        return sum(self.parts.values())

    @property
    def last(self) -> int:
        """How many there ever were."""
        return sum(last for _, last in self.ends.values())


class Readers:
    """I report to devices that have a session with me; whoever comes later asks anyway."""

    def __init__(
        self, around: Connected, heads: Callable[[bytes, bytes], list[bytes]], kept: Callable[[], Iterable[Place]]
    ) -> None:
        """``heads`` gives the signed heads of an owner's logs of a scope, ``kept`` all of which there are any here."""
        self._heads = heads
        self._kept = kept
        self._clock = around.world.clock
        self._sessions = around.sessions
        self._outbox = around.outbox
        self._asked: OrderedDict[Place, OrderedDict[bytes, Asked]] = OrderedDict()
        self._waiting: dict[Place, set[bytes]] = {}
        self._calls: dict[Place, IDelayedCall] = {}
        self._late: dict[tuple[Place, Device], bool] = {}
        self.is_on = False

    def start(self) -> None:
        """Report from now on; may follow a `stop`."""
        self.is_on = True

    def note(self, owner: bytes, scope: bytes, reader: bytes, device: bytes = b"") -> None:
        """Somebody who was let in has asked for the heads of a scope, from a device where that matters."""
        readers = self._asked.setdefault((owner, scope), OrderedDict())
        self._asked.move_to_end((owner, scope))
        devices = readers.setdefault(reader, OrderedDict())
        readers.move_to_end(reader)
        devices[device] = self._clock.seconds()
        devices.move_to_end(device)
        if len(devices) > MOST_DEVICES:
            devices.popitem(last=False)
        if len(readers) > MOST_READERS:
            readers.popitem(last=False)
        if len(self._asked) > MOST_LOGS:
            self._asked.popitem(last=False)

    def forget(self, owner: bytes, scope: bytes, reader: bytes, device: bytes) -> None:
        """A device of somebody reads, and wants no reports from here; another one may want them."""
        readers = self._asked.get((owner, scope), OrderedDict())
        devices = readers.get(reader, OrderedDict())
        devices.pop(device, None)
        if not devices:
            readers.pop(reader, None)

    def _of(self, place: Place) -> list[bytes]:
        """Who has asked lately, from whichever device."""
        oldest = self._clock.seconds() - REMEMBERED
        asked: Mapping[bytes, Asked] = self._asked.get(place, {})
        return [who for who, devices in asked.items() if max(devices.values()) >= oldest]

    def report(self, owner: bytes, scope: bytes, device: bytes) -> None:
        """A device has brought entries of a scope."""
        if not self.is_on:
            return
        place = (owner, scope)
        self._waiting.setdefault(place, set()).add(device)
        if place not in self._calls:
            self._calls[place] = self._clock.callLater(GATHER, self._send, place)

    def report_all(self, owner: bytes) -> None:
        """An owner has shut somebody out: who reads there asks again, and learns whether it was meant."""
        for asked, scope in list(self._asked):
            if asked == owner:
                self.report(owner, scope, b"")

    def stop(self) -> None:
        """Report nothing any more."""
        self.is_on = False
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.cancel()
        self._waiting.clear()
        self._late.clear()

    def late(self) -> int:
        """How many devices have not answered the last report yet."""
        return len(self._late)

    def queues(self) -> list[Queue]:
        """Logs of other keys than the master that are kept here, and those that somebody was let in to read."""
        found = []
        for owner, scope in dict.fromkeys([*self._asked, *self._kept()]):
            heads = [Head.from_body(Signed.from_bytes(data, Head.KIND).body) for data in self._heads(owner, scope)]
            ends = {head.device: (head.first or 1, head.sequence) for head in heads}
            found.append(Queue(owner, scope, self._of((owner, scope)), ends))
        return found

    def _send(self, place: Place) -> None:
        devices = self._waiting.pop(place, None)
        if devices is None:
            del self._calls[place]
            return
        self._calls[place] = self._clock.callLater(EVERY, self._send, place)
        readers = {*self._of(place), place[0]}
        for session in self._sessions.sessions():
            peer = session.peer
            if peer.fingerprint in readers and devices != {peer.device}:
                self._report_over(session, place)

    def _report_over(self, session: Any, place: Place) -> None:
        """A device that has not answered yet is reported to when it has."""
        key = (place, (session.peer.fingerprint, session.peer.device))
        if key in self._late:
            self._late[key] = True
            return
        self._late[key] = False
        fields = {"kind": APPENDED, "owner": place[0], "scope": place[1]}
        sending = self._outbox.send(key[1][0], Command.EVENT, fields, deadline=SECONDS, session=session)
        outcome(sending).addCallback(self._sent, key, session)

    def _sent(self, answer: Outcome, key: tuple[Place, Device], over: Any) -> None:
        """Who was gone without a word may be back over another session, and has not heard of it."""
        is_late = self._late.pop(key, False)
        for session in self._sessions.sessions():
            if (session.peer.fingerprint, session.peer.device) == key[1]:
                if (is_late and answer.error is None) or (answer.error is not None and session is not over):
                    self._report_over(session, key[0])
                return
