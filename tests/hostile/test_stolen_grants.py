"""A thief lets somebody into keys of the owner: with its device that ends."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

from attrs import evolve

from bitdust.crypt.keyring import KeyRing, RingKey
from bitdust.crypt.shares import Grant
from bitdust.identity import learnt_grants
from bitdust.identity.devices import with_revoked
from bitdust.identity.learnt_grants import DAYS, LearntGrants
from bitdust.shares.distrust import Distrust
from bitdust.signal import Signal
from bitdust.wire.capability import Right
from tests.unit.test_other_devices import OtherDeviceCase

ALIAS = "share_1"
YEAR = 365 * 86_400


def grant(number: int, **changes: Any) -> Grant:
    return evolve(Grant(bytes([number]) * 16, b"f" * 32, (Right.READ,), 0, 1, 2**40), **changes)


class Rooms:
    """Grants as `Donations` has them, in the key ring of a node."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self.told = 0
        self.granted = Signal()

    def grants(self, alias: str) -> list[Grant]:
        return [one for one in self.ring.keys[alias].grants if not one.revoked]

    def revoke(self, alias: str, grants: list[Grant]) -> None:
        for one in grants:
            self.ring.grant(alias, evolve(one, revoked=True))

    def tell(self) -> None:
        self.told += 1


class GrantsTests(OtherDeviceCase):
    def setUp(self) -> None:
        super().setUp()
        self.thief = self.second()
        self.me = self.node.me
        self.me.replace_document(self.thief.me.document)
        self.ring = self.me.key_ring
        self.ring.add(RingKey(ALIAS, grants=(grant(1),)))
        self.me.save_key_ring()
        self.core.key_ring_replicas.keys_changed()
        self.node.pass_time(5)
        self.bring()
        self.rooms = Rooms(self.ring)
        around = SimpleNamespace(me=self.me, world=self.core.world)
        self.distrust = Distrust(around, self.rooms, self.rooms)

    def bring(self) -> None:
        """What the thief has goes to the suppliers, and from there to the owner's device, and back."""
        self.thief.storage.core.key_ring_replicas.keys_changed()
        self.thief.pass_time(5)
        self.core.key_ring_replicas.keys_changed()
        self.node.pass_time(5)

    def let_in(self, *grants: Grant) -> None:
        for one in grants:
            self.thief.me.key_ring.grant(ALIAS, one)
        self.bring()
        self.assertEqual({one.id for one in grants} - {one.id for one in self.ring.keys[ALIAS].grants}, set())

    def revoke(self) -> None:
        document = self.me.document
        gone = with_revoked(document, [self.thief.me.device.id])
        self.me.replace_document(self.me.revise(devices=gone.devices))

    def left(self) -> set[bytes]:
        return {one.id[:1] for one in self.rooms.grants(ALIAS)}

    def test_whom_it_let_in(self) -> None:
        """Nobody has what is new by its word, when it is revoked; whom the owner let in has it still."""
        self.distrust.start()
        self.let_in(grant(2, holder=b"a" * 32), grant(3, holder=b"b" * 32))
        self.assertEqual(self.left(), {b"\1", b"\2", b"\3"})
        self.revoke()
        self.assertEqual((self.left(), self.rooms.told), ({b"\1"}, 1))
        self.distrust.stop()

    def test_who_was_let_in_by_both(self) -> None:
        """Whom the owner let in stays so, though the thief had let in the same person."""
        self.distrust.start()
        self.let_in(grant(2))
        self.assertEqual(self.left(), {b"\1", b"\2"})
        self.revoke()
        self.assertEqual(self.left(), {b"\1"})
        self.distrust.stop()

    def test_what_the_owner_gives_as_well(self) -> None:
        """Whom a device had let in first, and the owner does at another one, stays let in; a disk that is full then
        does not keep the owner from it."""
        self.distrust.start()
        self.let_in(grant(2, holder=b"a" * 32), grant(3, holder=b"b" * 32), grant(4, holder=b"c" * 32))
        self.rooms.granted.emit(ALIAS, grant(2).id)
        with mock.patch.object(learnt_grants, "write_safely", side_effect=OSError(28, "full")):
            self.rooms.granted.emit(ALIAS, grant(4).id)
        self.revoke()
        self.assertEqual(self.left(), {b"\1", b"\2"})
        self.distrust.stop()

    def test_what_it_gave_more(self) -> None:
        """A grant of the owner that it changed is one of the thief's; one whose end it moved is not."""
        self.let_in(grant(2, holder=b"a" * 32))
        LearntGrants(self.core.world.home / "metadata", self.core.world.wall).forget(self.thief.me.device.id)
        longer = 2**40 + YEAR
        self.let_in(grant(1, ends=longer), grant(2, holder=b"e" * 32, ends=longer, rights=(Right.WRITE,)))
        self.revoke()
        self.distrust.start()
        self.assertEqual(self.left(), {b"\1"})
        self.distrust.stop()

    def test_what_was_long_ago(self) -> None:
        """A device that is only old takes nothing with it."""
        self.let_in(grant(2, holder=b"a" * 32))
        self.distrust.start()
        self.node.clock.advance(DAYS * 86_400 + 1)
        self.revoke()
        self.assertEqual(self.left(), {b"\1", b"\2"})
        self.distrust.stop()

    def test_a_disk_that_is_full(self) -> None:
        """What could not be written down is done when it can."""
        self.let_in(grant(2, holder=b"a" * 32))
        self.distrust.start()
        with mock.patch.object(learnt_grants, "write_safely", side_effect=OSError(28, "full")):
            self.revoke()
        self.me.set_addresses(["tcp://192.0.2.1:1"])
        self.assertEqual(self.left(), {b"\1"})
        self.distrust.stop()
