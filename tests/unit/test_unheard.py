"""What others have written and this device has not read may build on what it gives up: that stays until it was read."""

import sqlite3
from types import SimpleNamespace
from typing import Any
from unittest import mock

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import MASTER
from bitdust.crypt.writers import GuestDevice, Marks
from bitdust.identity.document import OPEN_END
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.database import set_meta
from bitdust.storage.log import recovery
from bitdust.storage.log.compared import READ, Compared, unread
from bitdust.storage.log.held_up import HeldUp
from bitdust.storage.log.seen import Heard, SeenHead
from bitdust.storage.log.taking import Unusable
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.records import Family, Head
from tests.unit.storage_kit import random_file
from tests.unit.test_held_up import HeldUpCase

DAY = 86_400
STRIDE = 5
"""Days from one comparison of logs to the next."""
MINE, GUEST, NOBODY, TAG = b"m" * 8, b"g" * 8, b"n" * 8, b"t" * 16
FAMILY = Family(bytes(32), 1, 2, 4, 0, [bytes([number]) * 32 for number in range(4)])
KNOWN = SimpleNamespace(sequence=5)
KEPT, GONE = [1, 1, 1, 1], [0, 0, 0, 0]


class UnheardCase(HeldUpCase):
    """Two devices, of which the first one has stored a file."""

    def setUp(self) -> None:
        super().setUp()
        self.running = [self.node, self.other]
        self.data = random_file(self.base / "file", 200_000)
        self.node.upload(self.base / "file", "file")
        self.compare(self.other)
        self.compare()

    def unread(self, error: Exception) -> Any:
        """While this holds the first device cannot read what the other one writes from now on."""
        device, original = self.other.me.device.id, recovery.open_one
        end = self.core.catalog.end(MASTER, device).sequence

        def open_one(entry: Any, secrets: Any, known: int) -> Any:
            if entry.device == device and entry.sequence > end:
                raise error
            return original(entry, secrets, known)

        return mock.patch.object(recovery, "open_one", open_one)

    def delete(self) -> None:
        self.node.delete("file")
        self.node.pass_time(60)
        self.compare(self.other)

    def stop_other(self) -> None:
        """It has read everything, and would say itself what is to go."""
        self.other.stop()
        self.running.remove(self.other)

    def days(self, days: int) -> None:
        for past in range(0, days, STRIDE):
            self.node.clock.advance(min(STRIDE, days - past) * DAY)
            for one in self.running:
                one.storage.core.log_replicas.pull_again()
                one.pass_time(20, 5.0)
        self.node.pass_time(4000, 100.0)

    def came_back(self) -> bytes:
        self.other.download("theirs", self.base / "back")
        return (self.base / "back" / "theirs").read_bytes()


class DeletedTests(UnheardCase):
    def test_what_a_held_up_log_builds_on(self) -> None:
        """It stays for as long as the log is held up, and afterwards, since it is needed."""
        with self.unread(Unusable("bad-field", "what a newer program says")):
            self.other.upload(self.base / "file", "theirs")
            self.compare()
            self.delete()
            self.days(34)
            self.assertEqual((len(self.held()), self.pieces()), (1, KEPT))
        self.node.pass_time(7 * 3600, 600.0)
        self.days(1)
        self.assertEqual((self.held(), self.pieces(), self.came_back()), ([], KEPT, self.data))

    def test_what_is_not_given(self) -> None:
        """So it is where suppliers list what they do not give."""
        with self.unread(WireError("broken-chain", "not given")):
            self.other.upload(self.base / "file", "theirs")
            self.compare()
            self.delete()
            self.days(34)
            self.assertEqual(self.core.log_replicas.machine.state, "NO_INFO")
        self.assertEqual((self.pieces(), self.came_back()), (KEPT, self.data))

    def build_on_part(self) -> bytes:
        """Another device builds on a file of which one of four suppliers has nothing yet, and goes away. Its log is not
        read, the file is deleted, and the supplier comes back."""
        data = random_file(self.base / "part", 200_000)
        self.around.suppliers[3].mode = "away"
        self.node.begin_upload(self.base / "part", "part")
        self.node.pass_time(30)
        self.compare(self.other)
        self.other.storage.sync()
        self.other.pass_time(30)
        self.other.begin_upload(self.base / "part", "theirs")
        self.other.pass_time(30)
        self.assertEqual(self.pieces(), [2, 2, 2, 1])
        self.compare()
        self.node.delete("part")
        self.node.pass_time(60)
        self.compare(self.other)
        self.stop_other()
        self.node.storage.sync()
        self.node.pass_time(60)
        self.around.suppliers[3].mode = "fine"
        self.node.pass_time(60)
        self.node.storage.sync()
        self.node.pass_time(60)
        return data

    def test_what_waits_for_suppliers(self) -> None:
        """Pieces that wait here make up for those of suppliers that are lost before the log was read."""
        with self.unread(Unusable("bad-field", "what a newer program says")):
            data = self.build_on_part()
        for supplier in self.around.suppliers[:2]:
            supplier.mode = "away"
        self.node.pass_time(7 * 3600, 600.0)
        self.node.download("theirs", self.base / "back")
        self.assertEqual((self.base / "back" / "theirs").read_bytes(), data)

    def waiting(self) -> int:
        (count,) = self.core.catalog.read.execute("SELECT count(*) FROM pieces WHERE state=0").fetchone()
        return count

    def test_what_waits_and_nobody_may_need(self) -> None:
        """Where all logs are read it goes at once, and so does what never was in a log."""
        random_file(self.base / "part", 200_000)
        self.around.suppliers[3].mode = "away"
        self.node.begin_upload(self.base / "part", "part")
        self.node.pass_time(30)
        self.assertEqual(self.waiting(), 1)
        self.node.delete("part")
        self.node.pass_time(120)
        self.assertEqual(self.waiting(), 0)

    def test_all_was_read(self) -> None:
        """Where the log was read in the end, and needs nothing of it, it goes a month after it was given up."""
        self.write_all()
        with self.broken():
            self.delete()
            self.stop_other()
            self.days(34)
            self.assertEqual(self.pieces(), KEPT)
        self.node.pass_time(7 * 3600, 600.0)
        self.days(1)
        self.assertEqual((self.held(), self.pieces()), ([], GONE))

    def test_a_device_that_is_revoked_before_it_is_read(self) -> None:
        """What it has written until then was not read yet: nobody believes itself alone before that."""
        self.other.upload(self.base / "file", "theirs")
        self.revoke(OPEN_END)
        self.node.delete("file")
        self.node.pass_time(60)
        self.assertEqual(self.pieces(), KEPT)
        self.compare()
        self.node.pass_time(60)
        self.assertEqual((self.pieces(), self.came_back()), (KEPT, self.data))

    def test_a_device_whose_end_is_said(self) -> None:
        """What a revoked device has written behind its end is no reason to wait; where it has none yet, it is."""
        self.write_all()
        with self.broken():
            self.delete()
            self.stop_other()
            end = self.core.catalog.end(MASTER, self.other.me.device.id).sequence
            self.revoke(OPEN_END)
            self.days(34)
            self.assertEqual(self.pieces(), KEPT)
            self.revoke(end)
            self.days(1)
        self.assertEqual(self.pieces(), GONE)

    def revoke(self, sequence: int) -> None:
        document = self.node.me.document
        gone = [
            evolve(one, revoked=document.revision, sequence=sequence) if one.id == self.other.me.device.id else one
            for one in document.devices
        ]
        self.node.me._document = evolve(document, devices=tuple(gone))


class DismissedTests(UnheardCase):
    """Whether somebody who may hold what only an unread log names can go."""

    def test_a_former_supplier(self) -> None:
        """It is needed while a log is held up."""
        place = self.node.storage.placement
        who = self.around.suppliers[0].fingerprint
        self.assertFalse(place.is_needed(0, who, b"f" * 32))
        self.write_all()
        with self.broken():
            self.compare()
            self.assertEqual((place.is_needed(0, who, b"f" * 32), place.is_needed(0, who, who)), (True, False))
        self.node.pass_time(7 * 3600, 600.0)
        self.compare()
        self.assertFalse(place.is_needed(0, who, b"f" * 32))

    def test_another_size(self) -> None:
        """A month in which a log was held up says nothing of the size for which others have stored."""
        since, place = self.node.world.wall(), self.node.storage.placement
        self.write_all()
        with self.broken():
            self.compare()
            self.days(34)
            self.assertFalse(place.is_resized(since))
        self.node.pass_time(7 * 3600, 600.0)
        self.compare()
        self.assertTrue(place.is_resized(since))


class GuestTests(UnheardCase):
    """A guest of a share has written what this program cannot read, and may have done so to harm."""

    def setUp(self) -> None:
        super().setUp()
        self.place, self.who = self.node.storage.placement, self.around.suppliers[0].fingerprint
        self.write_all()
        self.late = {GUEST}
        original = Compared.note_read

        async def note_read(compared: Compared, keys: Any, unread: Any) -> None:
            await original(compared, {*keys, "shared"}, {"shared": self.late, **unread})

        self.patch(Compared, "note_read", note_read)

    def is_needed(self) -> bool:
        return self.place.is_needed(0, self.who, b"f" * 32)

    def test_nobody_is_kept_for_ever(self) -> None:
        """Who leaves a place, or has none in a family of another size, is kept for a month for that, and no longer."""
        self.compare()
        since = self.node.world.wall()
        self.days(25)
        self.assertTrue(self.is_needed())
        self.days(9)
        self.assertEqual((self.is_needed(), self.place.is_resized(since)), (False, True))

    def test_where_its_log_ends(self) -> None:
        """Who is shut out has no end of its log for as long; another one, of whom all is read, has it at once."""
        self.compare()
        self.assertEqual([self.place.end_of("shared", b"d" * 8, who) for who in (GUEST, NOBODY)], [None, 0])
        self.days(25)
        self.assertIsNone(self.place.end_of("shared", b"d" * 8, GUEST))
        self.days(9)
        self.assertEqual(self.place.end_of("shared", b"d" * 8, GUEST), 0)

    def test_another_guest_that_is_late(self) -> None:
        """It is waited for as long, whatever one who means harm has written long ago."""
        self.compare()
        self.days(34)
        self.assertFalse(self.is_needed())
        self.late = {GUEST, NOBODY}
        self.compare()
        self.days(25)
        self.assertTrue(self.is_needed())
        self.late = {GUEST}
        self.compare()
        self.assertFalse(self.is_needed())

    def test_before_anything_is_known(self) -> None:
        """Where nobody can say how late it is, it is waited for all the same, and the month begins later."""
        with mock.patch.object(Calendar, "now", lambda calendar: 0.0):
            self.compare()
            self.assertTrue(self.is_needed())
        self.compare()
        self.days(25)
        self.assertTrue(self.is_needed())

    def test_a_log_of_a_device_as_well(self) -> None:
        """Where a device of the owner's has one that is not read that is waited for, however long it takes."""
        self.compare()
        self.days(34)
        with self.unread(Unusable("bad-field", "what a newer program says")):
            self.other.upload(self.base / "file", "theirs")
            self.compare()
            self.assertTrue(self.is_needed())
            self.days(34)
            self.assertTrue(self.is_needed())

    def test_what_has_come_while_this_node_was_off(self) -> None:
        """Nobody is let go after a pause before all was compared once more: the log may be read then."""
        self.compare()
        self.days(34)
        original = Calendar.now
        with mock.patch.object(Calendar, "now", lambda calendar: original(calendar) + DAY):
            self.assertTrue(self.is_needed())
        self.assertFalse(self.is_needed())

    def test_what_it_may_build_on(self) -> None:
        """Nothing under that key is deleted meanwhile; what is under others is."""
        self.compare()
        self.days(34)
        compared = Compared(self.core.catalog, self.core.calendar)
        self.assertEqual((compared.unread_keys(), compared.read_at()["shared"]), ({"shared"}, 0))

    def test_a_supplier_that_lists_it(self) -> None:
        """All is read that a supplier holds when nobody waits for the guest's log any more; for a device's all do."""
        self.compare()
        pull, one = self.core.log_replicas._pull, SimpleNamespace(key="shared", end=lambda device: KNOWN)
        logs = SimpleNamespace(scopes=lambda key: [TAG], guest=lambda scope, ident: ident if ident == GUEST else None)
        heads = {who: Head(bytes(32), who, 6, bytes(32), 0, None, None, TAG) for who in (GUEST, MINE)}

        def has_read(*devices: bytes) -> bool:
            with mock.patch.object(pull, "_writer", SimpleNamespace(logs=logs)):
                pull._listed[bytes(32)] = [heads[who] for who in devices]
                return pull.has_read(bytes(32), [one])

        self.assertFalse(has_read(GUEST))
        self.days(34)
        self.assertEqual((has_read(GUEST), has_read(GUEST, MINE)), (True, False))

    def test_a_note_of_a_former_version(self) -> None:
        """It said nothing of since when: the month begins when it is seen."""
        self.compare()
        with sqlite3.connect(self.core.catalog.path) as database:
            set_meta(database, READ, encode([[MASTER, 1, 0], ["shared", 0, 1]]))
        self.assertTrue(self.is_needed())
        self.compare()
        self.days(25)
        self.assertTrue(self.is_needed())
        self.days(9)
        self.assertFalse(self.is_needed())


def guest(*holders: bytes) -> GuestDevice:
    return GuestDevice(bytes(32), Marks(frozenset()), None, frozenset(holders))


class UnreadTests(SynchronousTestCase):
    """Under which keys something is not read, by what four suppliers list, of whom two are enough."""

    def setUp(self) -> None:
        self.known, self.forgot_until = 5, 0
        self.guests = {GUEST: guest(b"bob")}

    def unread(self, *listed: tuple[int, SeenHead], held_up: tuple[HeldUp, ...] = ()) -> set[str]:
        return {*self.by_key(*listed, held_up=held_up)}

    def by_key(self, *listed: tuple[int, SeenHead], held_up: tuple[HeldUp, ...] = ()) -> dict[str, set[bytes]]:
        access: Any = SimpleNamespace(
            document=SimpleNamespace(forgot_until=self.forgot_until),
            device=lambda ident: ident if ident == MINE else None,
            guest=lambda scope, ident: self.guests.get(ident) if scope == TAG else None,
            scopes=lambda key: [TAG] if key == "shared" else [None],
        )
        end = SimpleNamespace(sequence=self.known)
        database = SimpleNamespace(execute=lambda *of: SimpleNamespace(fetchone=lambda: None))
        catalog: Any = SimpleNamespace(end=lambda key, device: end, read=database)
        heads: dict[str, list[SeenHead]] = {MASTER: [], "shared": []}
        for place, seen in listed:
            heads["shared" if seen.head.scope else MASTER].append(evolve(seen, holder=FAMILY.suppliers[place]))
        return unread(catalog, access, Heard(set(FAMILY.suppliers), heads), FAMILY, held_up)

    def head(self, device: bytes, sequence: int, scope: bytes | None = None, is_known: bool = True) -> SeenHead:
        head = Head(bytes(32), device, sequence, bytes(32), 0, None, None, scope)
        return SeenHead(head, None, is_known, signer=device, end=sequence if is_known else 0)

    def test_what_may_have_been_safe(self) -> None:
        """What so few list that it was never safe is nothing to wait for, nor what is known."""
        new, old = self.head(MINE, 6), self.head(MINE, 5)
        self.assertEqual(self.unread((0, new), (1, new), (2, new), (3, old)), {MASTER, "shared"})
        self.assertEqual(self.unread((0, new), (1, new), (2, old), (3, old)), set())
        self.assertEqual(self.unread((0, old), (1, old), (2, old), (3, old)), set())

    def test_a_device_that_nobody_has_named(self) -> None:
        """The log of a device that my document does not name yet is waited for; not where that names some no more."""
        new = self.head(NOBODY, 6, is_known=False)
        self.assertEqual(self.unread((0, new), (1, new), (2, new)), {MASTER, "shared"})
        self.forgot_until = 3
        self.assertEqual(self.unread((0, new), (1, new), (2, new)), set())

    def test_what_is_held_up(self) -> None:
        """It counts, whoever lists it: there it is."""
        self.assertEqual(self.unread(held_up=(HeldUp(MASTER, MINE, 6, "why"),)), {MASTER, "shared"})

    def test_a_guest(self) -> None:
        """A guest's log says something of its own key alone."""
        new, held_up = self.head(GUEST, 6, TAG), (HeldUp("shared", GUEST, 6, "why"),)
        self.assertEqual(self.unread((0, new), (1, new), (2, new)), {"shared"})
        self.assertEqual(self.unread(held_up=held_up), {"shared"})

    def test_a_guest_with_many_devices(self) -> None:
        """It is one: it may spoil the log of a new device each month."""
        self.guests |= {b"%08d" % number: guest(b"mallory") for number in range(32)}
        held_up = tuple(HeldUp("shared", device, 6, "why") for device in self.guests)
        self.assertEqual(self.by_key(held_up=held_up), {"shared": {b"bob", b"mallory"}})

    def test_a_guest_that_claims_the_device_of_another_one(self) -> None:
        """Its log is that of both: who has spoilt one long ago lets go of nothing that the other one names."""
        self.guests[GUEST] = guest(b"bob", b"mallory")
        held_up = (HeldUp("shared", GUEST, 6, "why"),)
        self.assertEqual(self.by_key(held_up=held_up), {"shared": {b"bob", b"mallory"}})
