"""Offers in the hash table: found as a whole by whoever knows the holder, whatever others put beside them."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.dht.offers import Offers
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.offers import MOST_PARTS, PART, PlacedOffer, blinded
from bitdust.wire.providers import POSITIONS, subject
from bitdust.wire.signed import Signed

HOLDER = b"h" * 32


class Table:
    """A hash table in which a position is its owner's. Of what is put so many ``more`` arrive, and then none."""

    def __init__(self) -> None:
        self.running = True
        self.kept: dict[str, Any] = {}
        self.failing = ""
        self.more = 1000
        self.on_get: Any = lambda: None

    def get(self, kind: str, name: str, thorough: bool) -> Any:
        self.on_get()
        if name == self.failing:
            return fail(BitDustError("no-answer", "nobody answers"))
        return succeed(self.kept.get(name))

    def put(self, kind: str, name: str, revision: int, value: bytes, ttl: int) -> Any:
        known = self.kept.get(name)
        if known is not None and owner_of(known.value) != owner_of(value):
            return fail(WireError("taken", "somebody else has this position"))
        if known is not None and part_of(known.value).time >= part_of(value).time:
            return fail(WireError("stale", "this node has a newer record of that subject"))
        self.more -= 1
        if self.more < 0:
            return fail(WireError("not-stored", "no other node of the DHT has answered"))
        self.kept[name] = SimpleNamespace(value=value, ttl=ttl)
        return succeed(SimpleNamespace(others=3, count=3, refused={}, asked=3))


def part_of(value: bytes) -> PlacedOffer:
    return PlacedOffer.from_body(Signed.from_bytes(value, PlacedOffer.KIND).body)


def owner_of(value: bytes) -> bytes:
    try:
        return part_of(value).owner
    except WireError:
        return b""


class OfferTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Table()
        self.revoked: set[bytes] = set()
        self.alice, self.bob = self.offers(b"a"), self.offers(b"b")

    def offers(self, letter: bytes, device: bytes = b"") -> Offers:
        """An owner, at a device of his; all of them but those in ``revoked`` count."""
        key = DeviceKey((device or letter) * 32)
        document = SimpleNamespace(device=lambda ident: SimpleNamespace(revoked=1 if ident in self.revoked else None))
        me: Any = SimpleNamespace(fingerprint=letter * 32, sign=key.sign_record, document=document, device=key)
        return Offers(self.table, me)  # type: ignore[arg-type]

    def putting(self, who: Offers, sealed: bytes, time: int = 5) -> "Deferred[None]":
        return Deferred.fromCoroutine(who.put(HOLDER, sealed, time, 100))

    def put(self, who: Offers, sealed: bytes, time: int = 5) -> None:
        self.successResultOf(self.putting(who, sealed, time))

    def refused(self, who: Offers, sealed: bytes, time: int = 5) -> str:
        return str(self.failureResultOf(self.putting(who, sealed, time), BitDustError).value.code)

    def all(self) -> list[Any]:
        found: list[Any] = self.successResultOf(Deferred.fromCoroutine(self.bob.find(HOLDER)))
        return found

    def found(self) -> list[tuple[bytes, bytes]]:
        """What counts: of each owner the newest, unless that was withdrawn."""
        newest = {one.owner: one for one in reversed(self.all())}
        return sorted((one.owner[:1], one.sealed) for one in newest.values() if one.sealed)

    def test_parts(self) -> None:
        """An offer of any length that is kept comes back as it was; a longer one is refused, and nothing is written."""
        for size in (1, PART, PART + 1, MOST_PARTS * PART):
            self.put(self.alice, bytes([size % 251]) * size, size)
            self.assertEqual(self.found(), [(b"a", bytes([size % 251]) * size)])
        before = dict(self.table.kept)
        self.assertEqual(self.refused(self.alice, bytes(MOST_PARTS * PART + 1), 9), "too-large")
        self.assertEqual(self.table.kept, before)

    def test_a_part_is_missing(self) -> None:
        """Of which one part is missing, or is of another time, nothing is found."""
        self.put(self.alice, bytes(PART * 2), 5)
        name = subject(blinded(HOLDER, 1), 0)
        first = self.table.kept[name]
        del self.table.kept[name]
        self.assertEqual(self.found(), [])
        self.put(self.alice, bytes(PART * 2), 6)
        self.table.kept[name] = first
        self.assertEqual(self.found(), [])

    def test_parts_go_at_once(self) -> None:
        """No part waits for another one."""
        asked: list[Deferred[None]] = []
        put = self.table.put

        def slow(*record: Any) -> Any:
            asked.append(Deferred())
            return asked[-1].addCallback(lambda _: put(*record))

        self.patch(self.table, "put", slow)
        putting = self.putting(self.alice, bytes(PART * 3))
        self.assertEqual(len(asked), 3)
        for question in asked:
            question.callback(None)
        self.assertIsNone(self.successResultOf(putting))

    def test_written_again(self) -> None:
        """Whoever reads while an offer is written anew, or when writing has stopped in the middle, finds the one before
        as a whole, until the new one is there; so does whoever has begun to read before."""
        sizes = (3, 2, 3, 1, 3)
        offers = [bytes([number]) * PART * size for number, size in enumerate(sizes)]
        self.put(self.alice, offers[0], 1)
        for number, (before, offer) in enumerate(pairwise(offers), 1):
            for written in range(sizes[number]):
                self.table.more = written
                self.assertEqual(self.refused(self.alice, offer, 100 * number + written), "not-stored")
                self.assertEqual(self.found(), [(b"a", before)])
            self.table.more = 1000
            self.put(self.alice, offer, 100 * number + 50)
            self.assertEqual(self.found(), [(b"a", offer)])

    def test_withdrawn_before_it_is_written_again(self) -> None:
        """An offer that was withdrawn does not come back while a new one is written in parts."""
        for number in (1, 2):
            self.put(self.alice, bytes([number]), 100 * number)
        self.table.more = 1
        self.put(self.alice, b"", 300)
        self.table.more = 1
        self.assertEqual(self.refused(self.alice, b"3" * (PART + 1), 400), "not-stored")
        self.assertEqual([sealed for _, sealed in self.found() if sealed], [])

    def test_written_while_somebody_reads(self) -> None:
        """Whoever has read some parts of an offer when all of it is written anew gets the one or the other."""
        self.put(self.alice, b"1" * PART * 3, 1)
        self.put(self.alice, b"2" * PART * 3, 2)
        for number in range(1, 4 * POSITIONS):
            left = [number]

            def write(left: list[int] = left, number: int = number) -> None:
                left[0] -= 1
                if left[0] == 0:
                    self.table.on_get = lambda: None
                    self.put(self.alice, b"3" * PART * 3, 2 + number)

            self.table.on_get = write
            ((_, sealed),) = self.found()
            self.assertIn(sealed, (b"2" * PART * 3, b"3" * PART * 3))

    def test_room_for_others(self) -> None:
        """An owner has two positions while there are many, and else one: five of them find room."""
        owners = [self.offers(bytes([number])) for number in range(1, 6)]
        for time in range(1, 4):
            for owner in owners:
                self.put(owner, bytes([time]) * PART * 2, time)
        self.assertEqual(self.found(), [(bytes([number]), bytes([3]) * PART * 2) for number in range(1, 6)])

    def test_a_clock_that_was_ahead(self) -> None:
        """What was dated later than now by a clock that was ahead gives way all the same."""
        self.put(self.alice, b"before", 10**15)
        for time in (5, 6, 7):
            self.put(self.alice, b"at %d" % time, time)
            self.assertEqual(self.found(), [(b"a", b"at %d" % time)])
        self.put(self.alice, b"", 8)
        self.assertEqual(self.found(), [])

    def test_a_stolen_device(self) -> None:
        """What a device has dated as late as can be, which was revoked since, is told as that device's; what the others
        write is found beside it."""
        thief = self.offers(b"a", b"t")
        self.put(self.alice, b"before", 5)
        self.put(thief, b"of the thief", 2**63 - 1)
        self.revoked = {thief._me.device.id}
        self.put(self.alice, b"after", 6)
        self.put(self.alice, b"last", 7)
        found = [(one.sealed, one.device in self.revoked) for one in self.all()]
        self.assertEqual(found[:2], [(b"of the thief", True), (b"last", False)])

    def test_not_found_again(self) -> None:
        """Where what was written is not there afterwards that is told."""
        self.patch(self.table, "get", lambda kind, name, thorough: succeed(None))
        for sealed in (b"of Alice", b""):
            self.assertEqual(self.refused(self.alice, sealed), "not-found")

    def test_nobody_answers(self) -> None:
        """Where nobody can be asked who is at a position nothing is written, and that is told."""
        self.patch(self.table, "get", lambda kind, name, thorough: fail(BitDustError("dht-off", "the DHT is off")))
        for sealed in (b"of Alice", b""):
            self.assertEqual(self.refused(self.alice, sealed), "dht-off")
        self.assertEqual(self.table.kept, {})

    def test_several_owners(self) -> None:
        """Each has a place, and what one withdraws takes nothing of the others away."""
        self.put(self.bob, b"of Bob")
        self.put(self.alice, b"of Alice")
        self.assertEqual(self.found(), [(b"a", b"of Alice"), (b"b", b"of Bob")])
        self.put(self.bob, b"", 6)
        self.assertEqual(self.found(), [(b"a", b"of Alice")])

    def test_emptied_position(self) -> None:
        """Behind a position that somebody had for a while, or that holds what cannot be read, an offer is found too."""
        self.put(self.bob, b"of Bob")
        self.put(self.alice, bytes(PART * 2))
        first = subject(blinded(HOLDER, 0), 0)
        self.table.kept[first] = SimpleNamespace(value=b"x")
        self.assertEqual(self.found(), [(b"a", bytes(PART * 2))])
        del self.table.kept[first]
        self.assertEqual(self.found(), [(b"a", bytes(PART * 2))])

    def test_newest_of_an_owner(self) -> None:
        """Of an owner who got another position only what was put there last is found, or nothing once withdrawn."""
        self.put(self.bob, b"of Bob")
        self.put(self.alice, b"before", 5)
        del self.table.kept[subject(blinded(HOLDER, 0), 0)]
        self.put(self.alice, b"after", 6)
        self.assertEqual(self.found(), [(b"a", b"after")])
        self.put(self.alice, b"", 7)
        self.assertEqual(self.found(), [])

    def test_one_question_fails(self) -> None:
        """A position that cannot be asked about hides no other."""
        self.put(self.bob, b"of Bob")
        self.put(self.alice, b"of Alice")
        self.table.failing = subject(blinded(HOLDER, 0), 0)
        self.assertEqual(self.found(), [(b"a", b"of Alice")])

    def test_no_place(self) -> None:
        """Where all places are taken that is told, and nobody else's record is written over."""
        for number in range(POSITIONS):
            self.put(self.offers(bytes([number + 1])), b"theirs")
        self.assertEqual(self.refused(self.alice, b"mine"), "not-stored")
        self.assertEqual({one for _, one in self.found()}, {b"theirs"})

    def test_unreadable(self) -> None:
        """A record that is none counts for nothing, and a table that is off has nothing."""
        self.table.kept[subject(blinded(HOLDER, 0), 0)] = SimpleNamespace(value=b"x")
        self.assertEqual(self.found(), [])
        self.table.kept.clear()
        self.put(self.alice, b"of Alice")
        self.table.running = False
        self.assertEqual(self.found(), [])
