"""Shares that are open: one `shared_access_coordinator` each, for those of other people and for my own."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from bitdust.automats.shared_access_coordinator import SharedAccessCoordinator
from bitdust.crypt.shares import GivenShare
from bitdust.crypt.writers import MARK, Writer
from bitdust.formats.operations import Op
from bitdust.identity.proving import NameProver
from bitdust.outcome import outcome, outcomes
from bitdust.shares.news import News, writer_of
from bitdust.shares.ports import MyFamily, MyStorage
from bitdust.storage.log.access import SharedLogs
from bitdust.storage.shared.catalog import Shared, SharedCatalog
from bitdust.storage.shared.guest import GuestPorts
from bitdust.storage.shared.pen import Pen
from bitdust.surroundings import Connected
from bitdust.wire.capability import Right
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import idurl_of
from bitdust.wire.records import Family

_log = Logger()
Report = Callable[[str, bool], None]
"""Hears of a key id whether it can be used."""


class Openable(Protocol):
    """A share or a group, open or not."""

    @property
    def key_id(self) -> str: ...

    @property
    def place(self) -> object: ...

    @property
    def active(self) -> bool: ...

    @property
    def opened(self) -> object: ...


Kind = TypeVar("Kind", bound=Openable)


async def open_active(
    known: Callable[[], Iterable[Kind]], begin: Callable[[Kind], Coroutine[Any, Any, object]]
) -> None:
    """Open those that are to be open and are not; why one cannot be opened is in the log.

    Each is looked at again when it is its turn: the person may have opened or closed it while another one was opening.
    """
    for place in [one.place for one in known() if one.active and one.opened is None]:
        one = next((one for one in known() if one.place == place), None)
        if one is not None and one.active and one.opened is None:
            opening = await outcome(Deferred.fromCoroutine(begin(one)))
            if opening.error is not None:
                _log.warn("{key} cannot be opened: {why}", key=one.key_id, why=opening.error)


class OpenShare(ABC):
    """What both kinds have: a machine, and what it says."""

    def __init__(self, around: Connected, key_id: str, report: Report) -> None:
        self._around = around
        self.key_id = key_id
        self._report = report
        self.reason = ""
        self.is_shut_out = False
        """Whether those who hold it say that this person is not let in."""
        self.machine = SharedAccessCoordinator(around.registry, key_id, self)

    @abstractmethod
    def family(self) -> Family | None:
        """Who holds it."""

    @abstractmethod
    def connect(self) -> "Deferred[Any]":
        """See `SharedAccessPort`."""

    @abstractmethod
    def read(self) -> "Deferred[Any]":
        """See `SharedAccessPort`."""

    def why(self) -> str:
        """What stands in the way of using it, in words; nothing where that is nothing."""
        return self.reason or self._around.me.copies.why(self._around.me.device.id)

    def holders(self) -> list[bytes]:
        """All who hold pieces or logs of it."""
        family = self.family()
        return family.holders if family is not None else []

    def online(self) -> list[bytes]:
        """Those who hold it and are connected."""
        return [who for who in self.holders() if self._around.sessions.connected(who)]

    def others(self) -> list[bytes]:
        """Those who hold it, but for this node itself."""
        return [who for who in self.holders() if who != self._around.me.fingerprint]

    def reach(self, who: bytes, hint: str | None) -> "Deferred[Any]":
        """Connect to somebody; the hint is an address."""
        sessions = self._around.sessions
        if sessions.connected(who):
            return succeed(None)
        return Deferred.fromCoroutine(_either([lambda: sessions.session_to(who), *_dials(sessions, who, hint)]))

    def has_enough(self) -> bool:
        family = self.family()
        return family is not None and len(self.online()) >= family.k

    def lacks_some(self) -> bool:
        return not all(map(self._around.sessions.connected, self.others()))

    def report_open(self) -> None:
        self.reason, self.is_shut_out = "", False
        self._report(self.key_id, True)

    def report_closed(self, reason: Any) -> None:
        error = getattr(reason, "value", reason)
        if isinstance(error, BaseException):
            self.is_shut_out = getattr(error, "code", "") == "not-allowed"
        few = "too few of its suppliers can be reached" if self.family() is not None else "no suppliers are hired yet"
        self.reason = str(error) if isinstance(error, BaseException) else few
        self._report(self.key_id, False)

    def network_is_back(self) -> None:
        """Whoever holds it may be reached now."""
        self.machine.send("supplier-up")

    def session(self, fingerprint: bytes, up: bool) -> None:
        """Somebody came or went."""
        if fingerprint in self.holders():
            self.machine.send("supplier-up" if up else "supplier-down")


class MyShare(OpenShare):
    """A share of mine: my suppliers are connected anyway, and my catalog is read anyway."""

    def __init__(self, around: Connected, key_id: str, report: Report, rooms: tuple[MyFamily, MyStorage]) -> None:
        self._family, self._storage = rooms
        super().__init__(around, key_id, report)

    def family(self) -> Family | None:
        return self._family.current

    def connect(self) -> "Deferred[Any]":
        return succeed(None)

    def read(self) -> "Deferred[Any]":
        return maybeDeferred(self._storage.sync)


class Guest(OpenShare):
    """A key of somebody else, at whose suppliers I am let in."""

    def __init__(self, around: Connected, share: GivenShare, report: Report, prover: NameProver) -> None:
        self._share = share
        self._prover = prover
        super().__init__(around, share.key_id, report)
        self._ports = GuestPorts(around, share.owner, self.family, lambda: self._share.capabilities, self.shown_to)

    def shown_to(self, capability: bytes, supplier: bytes) -> bytes:
        """A capability as this supplier is to see it."""
        return capability

    def renew(self, share: GivenShare) -> None:
        """The owner gave something newer, or I changed what I say of it."""
        self._share = share
        self.machine.send("open" if self.machine.state == "DISCONNECTED" else "news")

    def follow(self, share: GivenShare) -> None:
        """The key ring has this now, perhaps from another device, to which the owner gave something newer."""
        if share != self._share:
            self.renew(share)

    def family(self) -> Family:
        return self._share.owner_family()

    def connect(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._connect())

    async def _connect(self) -> None:
        await self._know_owner()
        family = self.family()
        hints = dict(zip(family.suppliers, family.addresses or (), strict=False))
        reaching = outcomes(self.reach(who, hints.get(who)) for who in self.others())
        if self.has_enough():
            reaching.addErrback(lambda why: why.trap(CancelledError) and None)  # nobody waits for the others
        else:
            await reaching

    async def _know_owner(self) -> None:
        """A recovered node has the key of a share, and perhaps not the identity of its owner; who gave it over a
        session has not shown yet that his name is his."""
        owner = self._share.owner
        if self._around.identities.get(owner) is None:
            await self._prover.prove(owner, idurl_of(self._share.name))
        else:
            self._prover.want([owner])


class TheirShare(Guest):
    """A share of somebody else, whose catalog is a file of its own here."""

    def __init__(self, around: Connected, share: GivenShare, report: Report, prover: NameProver) -> None:
        super().__init__(around, share, report, prover)
        shared = Shared(share.alias, share.owner, self._names, self._logs, self._ports, self._pen)
        self.catalog = SharedCatalog(around, shared)
        self._news = News(around)
        self.catalog.catalog.learnt.connect(self._learnt)

    def why(self) -> str:
        return super().why() or self.catalog.own_log.why(self.key_id)

    def _learnt(self, alias: str, device: bytes, ops: Sequence[Op]) -> None:
        """Others have brought something, or taken it back; all that there is at the first reading is no news."""
        share, me = self._share, self._around.me
        document = self._around.identities.get(share.owner)
        is_owners = document is not None and document.device(device) is not None
        who = share.owner if is_owners else writer_of(share.writers, device)
        if who is not None and self.catalog.was_read and me.document.device(device) is None:
            self._news.report(self.catalog.view, self.key_id, ops, who)

    def _names(self) -> list[str]:
        document = self._around.identities.get(self._share.owner)
        present = [source.global_id for source in document.sources] if document is not None else []
        return list(dict.fromkeys([*present, self._share.name]))

    def _logs(self) -> SharedLogs:
        share = self._share
        document = self._around.identities.get(share.owner)
        if document is None:
            raise BitDustError("unknown-user", f"the identity of {share.name} is not known here")
        scopes = [grant.scope for grant in share.grants]
        writers = share.writers
        if (pen := self._pen()) is not None:
            me = self._around.me
            mine = frozenset(device.key for device in me.document.devices)
            writers = (*writers, Writer(pen.mark, me.fingerprint, mine))
        return SharedLogs(document, share.owner, {share.alias: scopes}, {share.alias: share.secrets}, writers)

    def _pen(self) -> Pen | None:
        """What I write with, as long as the owner lets me."""
        share, now = self._share, self._around.world.wall()
        for grant in share.grants:
            if now < grant.ends and grant.scope is not None and {Right.WRITE, Right.LOG} <= set(grant.rights):
                return Pen(grant.scope, *share.sealing, grant.id[:MARK], grant.quota * self.family().k)
        return None

    def is_under(self, owner: bytes, scope: bytes) -> bool:
        """Whether it is under a tag of an owner."""
        return owner == self._share.owner and any(grant.scope == scope for grant in self._share.grants)

    def session(self, fingerprint: bytes, up: bool) -> None:
        super().session(fingerprint, up)
        if fingerprint in self.holders():
            self.catalog.writing.suppliers_changed()

    def renew(self, share: GivenShare) -> None:
        super().renew(share)
        self.catalog.writing.suppliers_changed()

    def read(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._read())

    async def _read(self) -> None:
        await self.catalog.pull(self.online(), self.family().k)


def _dials(sessions: Any, who: bytes, hint: str | None) -> "Iterable[Callable[[], Deferred[Any]]]":
    return [lambda: sessions.dial(hint, who)] if hint else []


async def _either(tries: "list[Callable[[], Deferred[Any]]]") -> None:
    """One way after the other, until one leads there."""
    for attempt in tries:
        if (await outcome(attempt())).error is None:
            return
