"""Heads of logs as suppliers list them: which of them count, what they say, and what may have been safe by them."""

from collections.abc import Callable, Iterable

from attrs import define, field, frozen

from bitdust.crypt.device import check_record
from bitdust.crypt.writers import GuestDevice
from bitdust.replication import places_heard
from bitdust.storage.log.access import LogAccess
from bitdust.wire.encoding import WireError
from bitdust.wire.records import Family, Head
from bitdust.wire.signed import Signed

MOST_STRANGERS = 64
"""Devices of one supplier's list that the owner's document does not name, nor any guest list."""


Place = tuple[bytes | None, int, bytes]
"""An entry of a device's log: its scope, its sequence, its hash."""


@frozen
class SeenHead:
    """A head and the suppliers that told it; ``proven`` when a device of the owner signed it, and while it counted.

    ``signer`` is the device that signed it: the log's own, or one that counts in place of one that does no more.
    ``end`` is how much counts of the log to which it leads: all of it where it is proven; of a device that went on to
    write after it was revoked, what was there before.
    """

    head: Head
    holder: bytes | None
    proven: bool
    signed: bytes = b""
    signer: bytes = b""
    end: int = 0

    @property
    def place(self) -> Place:
        """Which entry of which log of its device it names."""
        return (self.head.scope, self.head.sequence, self.head.hash)

    @property
    def is_own(self) -> bool:
        """Whether the device signed it that writes the log."""
        return self.signer == self.head.device


def read_head(data: bytes, access: LogAccess, holder: bytes) -> SeenHead | None:
    """One signed head as a supplier told it; None for one of another owner, or not signed by its device.

    In place of a device that counts no more another one signs, which may have been revoked since: that leads to the
    log, as far as that one counts, and proves nothing.
    """
    try:
        signed = Signed.from_bytes(data, Head.KIND, 4096)
        head = Head.from_body(signed.body)
        device, guest = access.device(signed.device), access.guest(head.scope, head.device)
        if guest is not None and device is None:
            return _of_guest(data, signed, head, guest, access.owner, holder)
        is_own = head.device == signed.device
        if access.is_each_for_itself and (not is_own or device is None):
            return None
        writer = access.device(head.device)
        is_ended = writer is not None and writer.revoked is not None
        if head.owner != access.owner or not (is_own or (device is not None and (device.revoked is None or is_ended))):
            return None
        if device is None:
            return SeenHead(head, holder, False, signer=signed.device)
        check_record(signed, device.key)
    except WireError:
        return None
    end = head.sequence if device.revoked is None else min(head.sequence, device.sequence or 0)
    if not is_own and device.revoked is not None and writer is not None:
        end = min(head.sequence, writer.sequence or 0)
    if guest is not None and guest.end is not None:
        end = min(end, guest.end)
    is_proven = end == head.sequence and (is_own or device.revoked is None)
    return SeenHead(head, holder, is_proven, data, signed.device, end if is_proven or (head.first or 1) <= end else 0)


def _of_guest(
    data: bytes, signed: Signed, head: Head, guest: GuestDevice, owner: bytes, holder: bytes | None
) -> SeenHead | None:
    """The head of a guest's log, which its device signs itself, and which only ever grows."""
    if head.owner != owner or head.device != signed.device or head.first is not None or head.covers is not None:
        return None
    check_record(signed, guest.key)
    end = head.sequence if guest.end is None else min(head.sequence, guest.end)
    return SeenHead(head, holder, end == head.sequence, data, signed.device, end)


def without_crowd(heads: Iterable[SeenHead], access: LogAccess) -> list[SeenHead]:
    """Heads that one supplier lists, without those of devices that nobody names beyond `MOST_STRANGERS`: a device that
    counts can sign as many as it likes for devices that it invents."""
    strangers: set[bytes] = set()
    kept = []
    for seen in heads:
        device = seen.head.device
        if access.device(device) is None and access.guest(seen.head.scope, device) is None:
            if device not in strangers and len(strangers) >= MOST_STRANGERS:
                continue
            strangers.add(device)
        kept.append(seen)
    return kept


def by_device(heads: Iterable[SeenHead]) -> dict[bytes, list[SeenHead]]:
    """Heads sorted by the device whose log they lead to."""
    found: dict[bytes, list[SeenHead]] = {}
    for seen in heads:
        found.setdefault(seen.head.device, []).append(seen)
    return found


def common(heads: Iterable[SeenHead]) -> set[Place]:
    """Entries that more than half of those name who list any head of a device: a thief of its key can sign another
    history, and have it listed by one, but it takes most of them to pass that off as the true one."""
    holders: dict[Place, set[bytes]] = {}
    for seen in heads:
        if seen.proven and seen.holder is not None:
            holders.setdefault(seen.place, set()).add(seen.holder)
    everybody = set[bytes]().union(*holders.values())
    return {place for place, some in holders.items() if 2 * len(some) > len(everybody)}


def leading(heads: Iterable[SeenHead], may_begin: Callable[[int], bool]) -> set[Place]:
    """Entries that are `common`, and read first, but where the log begins behind them, by another head, with a snapshot
    that may be safe: who was away has not heard of it, and what it leaves out was deleted. Read on top of what stood
    before, it would bring that back.
    """
    seen = list(heads)
    begins = {(one.head.scope, one.head.first) for one in seen if one.proven and one.head.first}
    later = [(scope, first) for scope, first in begins if may_begin(first)]
    return {
        place for place in common(seen) if all(place[0] != scope or first <= place[1] + 1 for scope, first in later)
    }


def told_elsewhere(heads: Iterable[SeenHead]) -> set[bytes]:
    """Devices for whose log, from its beginning on, a snapshot of another device stands.

    That one is read first: a supplier that is behind, or holds the log in another scope, may still have what was
    deleted since, and nobody tells that any more.
    """
    begins: dict[bytes, int] = {}
    covered: dict[bytes, int] = {}
    for seen in heads:
        if seen.proven:
            begins[seen.head.device] = max(begins.get(seen.head.device, 1), seen.head.first or 1)
            for one in seen.head.covers or ():
                covered[one["device"]] = max(covered.get(one["device"], 0), one["sequence"])
    return {device for device, sequence in covered.items() if begins.get(device, 1) <= sequence}


def covered(heads: Iterable[SeenHead], device: bytes) -> int:
    """Up to which entry the snapshots of others tell a device's log."""
    told = [one for seen in heads if seen.proven for one in seen.head.covers or ()]
    return max((one["sequence"] for one in told if one["device"] == device), default=0)


def highest(heads: Iterable[SeenHead], device: bytes) -> int:
    """The highest sequence of a device."""
    return max((seen.head.sequence for seen in heads if seen.head.device == device), default=0)


@define
class Heard:
    """What suppliers have answered: who did, and by key the heads that they hold."""

    suppliers: set[bytes] = field(factory=set)
    heads: dict[str, list[SeenHead]] = field(factory=dict)
    _sorted: dict[str, tuple[int, dict[bytes, list[SeenHead]]]] = field(factory=dict, init=False)

    def may_be_safe(self, family: Family | None, key: str, device: bytes, sequence: int) -> bool:
        """Whether an entry of a log was safe, perhaps: any k suppliers include one that lists it.

        Others may be on the disk of their device alone, and nobody waits for them: they are asked for again.
        """
        of_device = self._of(key).get(device, ())
        listing = {seen.holder for seen in of_device if seen.end >= sequence}
        # To the DHT nothing is brought that is not safe.
        return family is None or None in listing or places_heard(family, self.suppliers - listing, True) < family.k

    def _of(self, key: str) -> dict[bytes, list[SeenHead]]:
        heads = self.heads.get(key, [])
        count, found = self._sorted.get(key, (0, {}))
        if count != len(heads):
            found = by_device(heads)
            self._sorted[key] = (len(heads), found)
        return found
