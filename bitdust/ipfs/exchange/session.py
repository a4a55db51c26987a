"""I fetch blocks of one root from partners: whatever happens, I look at what is wanted and who may have it, and ask.

A block is asked of one partner at a time. Who answers without it, with something else, or not at all is followed by the
next one; who has given a block is asked for several at once.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from bitdust.automats.ipfs_fetch import IpfsFetch
from bitdust.automats.kernel import Registry
from bitdust.ipfs.exchange.partners import Key, Partner, best_first
from bitdust.ipfs.exchange.wire import ABSENT, LATER, Given
from bitdust.ipld.cid import Cid

AT_ONCE = 3
"""Requests of one session that a partner has not answered."""
TOGETHER = 16
"""Blocks in a request to a partner that has given some."""
MOST_FAILURES = 2
"""Requests that a partner may leave unanswered, or answer with nothing that it said it has."""


class SessionPort(Protocol):
    """What a session asks of the exchange."""

    def partners_now(self) -> Sequence[Partner]:
        """Who may be asked now."""

    def request(self, partner: Partner, cids: Sequence[Cid]) -> "Deferred[list[Given]]":
        """Ask for blocks; fires with genuine ones and with what was said of the others. Fails as `Outbox.send`."""

    def ask_haves(self, partner: Partner, cid: Cid) -> "Deferred[bool]":
        """Ask whether somebody has a block."""

    def find_providers(self, root: Cid) -> "Deferred[Any]":
        """Connect to nodes that say that they have it; fires when they are partners."""

    def note_duplicate(self, size: int) -> None:
        """A block came that nobody waits for any more."""

    def over(self, session: "Session") -> None:
        """It has ended."""


@define(eq=False)
class Want:
    """A block that somebody waits for."""

    cid: Cid
    waiting: "list[Deferred[bytes | None]]" = field(factory=list)
    lacking: set[Key] = field(factory=set)
    having: set[Key] = field(factory=set)
    flying: Key | None = None


@define(eq=False)
class Standing:
    """What this session has seen of a partner."""

    given: int = 0
    failures: int = 0
    flying: int = 0


class Session:
    """The port of one `IpfsFetch`."""

    def __init__(self, registry: Registry, port: SessionPort, root: Cid, name: str, is_patient: bool) -> None:
        self.root = root
        self._port = port
        self._is_patient = is_patient
        self._wants: dict[bytes, Want] = {}
        self._standings: dict[Key, Standing] = {}
        self._running: set[Deferred[Any]] = set()
        self._is_asking = self._has_looked = False
        self.machine = IpfsFetch(registry, name, self)

    # who waits

    @property
    def wants(self) -> list[Cid]:
        """What is wanted now."""
        return [want.cid for want in self._wants.values()]

    def fetch(self, cid: Cid) -> "Deferred[bytes | None]":
        """Fires with the block, or None where nobody has it."""
        if self.machine.state in self.machine.final:
            return succeed(None)
        want = self._wants.get(cid.multihash)
        if want is None:
            want = self._wants[cid.multihash] = Want(cid)
        waiting: Deferred[bytes | None] = Deferred(partial(self._cancelled, want))
        want.waiting.append(waiting)
        self.machine.send("wanted")
        return waiting

    def _cancelled(self, want: Want, waiting: "Deferred[bytes | None]") -> None:
        want.waiting.remove(waiting)
        if not want.waiting and self._wants.get(want.cid.multihash) is want:
            del self._wants[want.cid.multihash]
            self.machine.send("moved")

    def stop(self) -> None:
        """Nobody waits any more."""
        self.machine.send("stop")

    def partner_came(self) -> None:
        """There may be somebody more to ask."""
        self.machine.send("moved")

    # what the machine asks

    def has_wants(self) -> bool:
        return bool(self._wants)

    def has_partner(self) -> bool:
        return any(self._may_have(want, partner) for partner in self._partners() for want in self._wants.values())

    def is_patient(self) -> bool:
        return self._is_patient

    def begin_again(self) -> None:
        for want in self._wants.values():
            want.lacking.clear()
        for standing in self._standings.values():
            standing.failures = 0

    def look(self) -> "Deferred[Any]":
        if self._has_looked:
            return succeed(None)
        self._has_looked = True
        return self._port.find_providers(self.root)

    def refuse(self) -> None:
        wants, self._wants = self._wants, {}
        for want in wants.values():
            _fire(want, None)
        if self.machine.state in self.machine.final:
            for one in tuple(self._running):
                one.cancel()
            self._port.over(self)

    def ask(self) -> None:
        for partner in best_first(self._partners()):
            while self._standing(partner).flying < self._most(partner) and (batch := self._batch(partner)):
                self._request(partner, batch)
        self._ask_around()
        if self._wants and not self._running:
            self.machine.send("nobody-left")

    # whom to ask

    def _partners(self) -> list[Partner]:
        return [one for one in self._port.partners_now() if self._standing(one).failures < MOST_FAILURES]

    def _standing(self, partner: Partner) -> Standing:
        return self._standings.setdefault(partner.key, Standing())

    def _most(self, partner: Partner) -> int:
        return AT_ONCE if self._standing(partner).given else 1

    def _may_have(self, want: Want, partner: Partner) -> bool:
        return want.flying is None and partner.key not in want.lacking

    def _batch(self, partner: Partner) -> list[Want]:
        """What to ask of it: one block while it has given none, and nothing that somebody else is known to have."""
        most = TOGETHER if self._standing(partner).given else 1
        there = {one.key for one in self._partners()}
        found: list[Want] = []
        for want in self._wants.values():
            having = want.having & there
            if self._may_have(want, partner) and (not having or partner.key in having):
                found.append(want)
                if len(found) >= most:
                    break
        return found

    def _ask_around(self) -> None:
        """Where a block is on its way from one, the others say meanwhile whether they have it."""
        for want in self._wants.values():
            if want.flying is None or self._standings[want.flying].given:
                continue
            for partner in self._partners():
                standing = self._standing(partner)
                if partner.key not in want.lacking | want.having | {want.flying} and not standing.flying:
                    self._run(self._port.ask_haves(partner, want.cid), partner, self._told, want)

    def _told(self, partner: Partner, has: bool, want: Want) -> None:
        (want.having if has else want.lacking).add(partner.key)

    # what is asked

    def _request(self, partner: Partner, wants: list[Want]) -> None:
        for want in wants:
            want.flying = partner.key
        cids = [want.cid for want in wants]
        self._run(self._port.request(partner, cids), partner, self._answered, wants)

    def _run(self, work: "Deferred[Any]", partner: Partner, then: Any, about: Any) -> None:
        standing = self._standing(partner)
        standing.flying, partner.flying = standing.flying + 1, partner.flying + 1
        self._running.add(work)

        def landed(result: Any) -> Any:
            self._running.discard(work)
            standing.flying, partner.flying = standing.flying - 1, partner.flying - 1
            return result

        work.addBoth(landed)
        work.addCallbacks(lambda result: then(partner, result, about), lambda failure: self._failed(partner, about))
        work.addBoth(self._moved)

    def _moved(self, result: Any) -> Any:
        self.machine.send("moved")
        return result  # the failure of an unexpected error, which is logged when nobody takes it

    def _answered(self, partner: Partner, given: list[Given], wants: list[Want]) -> None:
        standing = self._standing(partner)
        came = 0
        for want, one in zip(wants, given, strict=True):
            want.flying = None
            if one.size >= 0:
                came += 1
                wanted = self._wants.pop(want.cid.multihash, None)
                if wanted is not None:
                    _fire(wanted, one.data)
                else:
                    self._port.note_duplicate(one.size)
            elif one.size == ABSENT:
                standing.failures += partner.key in want.having
                want.having.discard(partner.key)
                want.lacking.add(partner.key)
        standing.given += came
        if not came and any(one.size == LATER for one in given):
            standing.failures += 1

    def _failed(self, partner: Partner, about: Any) -> None:
        self._standing(partner).failures += 1
        for want in about if isinstance(about, list) else ():
            want.flying = None
            want.having.discard(partner.key)
            want.lacking.add(partner.key)


def _fire(want: Want, data: bytes | None) -> None:
    waiting, want.waiting = want.waiting, []
    for one in waiting:
        one.callback(data)
