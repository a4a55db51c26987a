"""Offers in the hash table: found as a whole by whoever knows the holder, whatever others put beside them."""

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
    """A hash table in which a position is its owner's."""

    def __init__(self) -> None:
        self.running = True
        self.kept: dict[str, Any] = {}
        self.failing = ""

    def get(self, kind: str, name: str, thorough: bool) -> Any:
        if name == self.failing:
            return fail(BitDustError("no-answer", "nobody answers"))
        return succeed(self.kept.get(name))

    def put(self, kind: str, name: str, revision: int, value: bytes, ttl: int) -> Any:
        known = self.kept.get(name)
        if known is not None and owner_of(known.value) != owner_of(value):
            return fail(WireError("taken", "somebody else has this position"))
        self.kept[name] = SimpleNamespace(value=value, ttl=ttl)
        return succeed(SimpleNamespace(others=3, count=3, refused={}, asked=3))


def owner_of(value: bytes) -> bytes:
    return PlacedOffer.from_body(Signed.from_bytes(value, PlacedOffer.KIND).body).owner


class OfferTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Table()
        self.alice, self.bob = self.offers(b"a"), self.offers(b"b")

    def offers(self, letter: bytes) -> Offers:
        key = DeviceKey(letter * 32)
        me: Any = SimpleNamespace(fingerprint=letter * 32, sign=key.sign_record)
        return Offers(self.table, me)  # type: ignore[arg-type]

    def put(self, who: Offers, sealed: bytes, time: int = 5) -> None:
        self.successResultOf(Deferred.fromCoroutine(who.put(HOLDER, sealed, time, 100)))

    def found(self) -> list[tuple[bytes, bytes]]:
        found = self.successResultOf(Deferred.fromCoroutine(self.bob.find(HOLDER)))
        return [(one.owner[:1], one.sealed) for one in found]

    def test_parts(self) -> None:
        """An offer of any length that is kept comes back as it was; a longer one is refused, and nothing is written."""
        for size in (1, PART, PART + 1, MOST_PARTS * PART):
            self.put(self.alice, bytes([size % 251]) * size, size)
            self.assertEqual(self.found(), [(b"a", bytes([size % 251]) * size)])
        before = dict(self.table.kept)
        putting = Deferred.fromCoroutine(self.alice.put(HOLDER, bytes(MOST_PARTS * PART + 1), 9, 100))
        self.assertEqual(self.failureResultOf(putting, BitDustError).value.code, "too-large")
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
        """No part waits for another one, and one that finds no place keeps no other away."""
        asked: list[Deferred[None]] = []
        get = self.table.get

        def slow(*question: Any) -> Any:
            asked.append(Deferred())
            return asked[-1].addCallback(lambda _: get(*question, thorough=True))

        self.table.failing = subject(blinded(HOLDER, 0), 0)
        self.patch(self.table, "get", lambda kind, name, thorough: slow(kind, name))
        putting = Deferred.fromCoroutine(self.alice.put(HOLDER, bytes(PART * 3), 5, 100))
        self.assertEqual(len(asked), 3)
        for question in asked:
            question.callback(None)
        self.assertEqual(self.failureResultOf(putting, BitDustError).value.code, "no-answer")
        self.assertEqual(set(self.table.kept), {subject(blinded(HOLDER, part), 0) for part in (1, 2)})

    def test_several_owners(self) -> None:
        """Each has a place, and what one withdraws takes nothing of the others away."""
        self.put(self.bob, b"of Bob")
        self.put(self.alice, b"of Alice")
        self.assertEqual(self.found(), [(b"b", b"of Bob"), (b"a", b"of Alice")])
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
        putting = Deferred.fromCoroutine(self.alice.put(HOLDER, b"mine", 5, 100))
        self.assertEqual(self.failureResultOf(putting, BitDustError).value.code, "not-stored")
        self.assertEqual({one for _, one in self.found()}, {b"theirs"})

    def test_unreadable(self) -> None:
        """A record that is none counts for nothing, and a table that is off has nothing."""
        self.table.kept[subject(blinded(HOLDER, 0), 0)] = SimpleNamespace(value=b"x")
        self.assertEqual(self.found(), [])
        self.table.kept.clear()
        self.put(self.alice, b"of Alice")
        self.table.running = False
        self.assertEqual(self.found(), [])
