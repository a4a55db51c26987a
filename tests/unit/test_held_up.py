"""An entry that cannot be taken over holds up the log that it is in: nothing before it, and nothing beside it."""

import sqlite3
from typing import Any
from unittest import mock

from attrs import evolve

from bitdust.crypt.keyring import MASTER
from bitdust.customers import logs
from bitdust.formats import log_entry
from bitdust.formats.operations import item_op
from bitdust.storage.catalog import apply, catalog
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.log import held_up
from bitdust.storage.log.held_up import MOST_ROWS, NOTE, HeldUp
from bitdust.wire.schema import Int, Struct
from tests.unit.storage_kit import Node, stop_quietly
from tests.unit.test_other_devices import OtherDeviceCase

EVENT = "log-entry-held-up"
MISTAKE = TypeError("nobody has thought of this")
OURS = ["one", "three", "two"]


class HeldUpCase(OtherDeviceCase):
    """A second device has written what the first one cannot apply, between things that are as they should be."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.second()
        self.node.me.replace_document(self.other.me.document)

    def write(self, *ops: Any) -> None:
        """The other one's own catalog takes nothing of it."""
        with mock.patch.object(catalog, "apply_all"):
            self.other.wait(self.other.storage.core.log_writer.write(lambda database: list(ops)))
        self.other.pass_time(5)

    def write_all(self, label: bool = True) -> None:
        self.write(item_op("20", "", b"before", "file", MASTER, 1))
        if label:
            self.write({"op": "label", "path": "20", "label": "x"})
        self.write(item_op("21", "", b"behind", "file", MASTER, 1))

    def broken(self, error: Exception = MISTAKE) -> Any:
        """While this holds the program has a mistake."""
        return mock.patch.dict(apply._APPLY, {"label": mock.Mock(side_effect=error)})

    def compare(self, node: Node | None = None) -> None:
        node = node or self.node
        node.storage.core.log_replicas.pull_again()
        node.pass_time(5)

    def names(self, node: Node | None = None) -> list[str]:
        return [row["path"] for row in (node or self.node).rows()]

    def held(self, node: Node | None = None) -> list[HeldUp]:
        return (node or self.node).storage.core.log_replicas.held_up.rows()

    def told(self) -> list[dict]:
        return [data for name, data in self.node.events if name == EVENT]


class HeldUpTests(HeldUpCase):
    def test_what_comes_before_it(self) -> None:
        """What stands before it in the same answer is taken, and what stands behind it is not."""
        self.write_all()
        with self.broken():
            self.compare()
        self.assertEqual(self.names(), ["before", *OURS])

    def test_content_that_the_database_refuses(self) -> None:
        """So it is where the database says that an entry contradicts what is there."""
        self.write_all()
        with self.broken(sqlite3.IntegrityError("UNIQUE constraint failed")):
            self.compare()
        self.assertEqual(self.names(), ["before", *OURS])
        self.assertEqual(self.core.log_replicas.machine.state, "IN_SYNC!")

    def test_a_disk_that_fails(self) -> None:
        """A disk that does not take an entry is no fault of the entry."""
        self.write_all()
        with self.broken(sqlite3.OperationalError("disk I/O error")):
            self.compare()
        self.assertEqual((self.core.log_replicas.machine.state, self.held()), ("NO_INFO", []))

    def test_i_go_on_writing(self) -> None:
        """Suppliers are brought what this device writes, though an entry of another one is held up."""
        self.write_all()
        with self.broken():
            self.compare()
            self.node.create("mine")
            self.node.pass_time(5)
        self.assertEqual(self.core.log_replicas.machine.state, "IN_SYNC!")
        self.assertEqual(self.held_by(0)[-1], self.core.catalog.end(MASTER, self.node.me.device.id).sequence)

    def test_a_recovered_home(self) -> None:
        """Somebody who comes back has everything but what is held up, and may write."""
        self.write_all()
        with self.broken():
            again = Node(self.base / "third", self.around, self.node.clock, before=self.other)
            self.addCleanup(stop_quietly, again)
            again.start().pass_time(60)
            again.create("of today")
        self.assertEqual(self.names(again), ["before", "of today", *OURS])

    def test_it_is_named(self) -> None:
        """It is told once, with its device and place, and known after a restart before anything was read."""
        self.write_all()
        ident, sequence = self.other.me.device.id, self.other.storage.core.catalog.end(
            MASTER, self.other.me.device.id).sequence - 1  # fmt: skip
        with self.broken():
            self.compare()
            self.node.pass_time(1200, 5.0)
        [row] = self.held()
        self.assertEqual((row.key, row.device, row.sequence), (MASTER, ident, sequence))
        self.assertIn("nobody has thought of this", row.reason)
        expected = {"device_id": ident.hex(), "key": MASTER, "sequence": sequence, "reason": row.reason}
        self.assertEqual(self.told(), [expected])
        self.node.stop()
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        again = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, again)
        again.start()
        self.assertEqual(self.held(again), [row])

    def test_tried_again(self) -> None:
        """It is tried again with pauses that grow, and everything behind it comes when the program knows better."""
        self.write_all()
        with self.broken() as applies:
            self.compare()
            self.node.pass_time(86_400, 300.0)
            self.assertLess(applies["label"].call_count, 30)
            self.assertGreater(applies["label"].call_count, 4)
        self.node.pass_time(6 * 3600 + 600, 300.0)
        self.assertEqual((self.names(), self.held()), (["before", "behind", *OURS], []))

    def test_the_next_program(self) -> None:
        """The next start tries it at once."""
        self.write_all()
        with self.broken():
            self.compare()
            self.node.pass_time(86_400, 300.0)
        self.node.stop()
        again = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(5)
        self.assertEqual((self.names(again), self.held(again)), (["before", "behind", *OURS], []))

    def test_a_revoked_device(self) -> None:
        """Nothing is erased as if nobody else had stored anything, while the log of a device is held up: what it
        stored may be in what was not read."""
        self.write_all()
        with self.broken():
            self.compare()
        document = self.node.me.document
        gone = [evolve(one, revoked=document.revision + 1) if one.id == self.other.me.device.id else one
                for one in document.devices]  # fmt: skip
        self.node.me._document = evolve(document, devices=tuple(gone))
        self.assertTrue(self.core.log_replicas.others.is_alone())
        self.assertFalse(self.core.log_replicas.is_alone())

    def test_a_newer_program(self) -> None:
        """What a newer program has written holds up that log alone as well, and is called so."""
        seal, newer = catalog.seal, Struct(log_entry.ENTRY.fields | {"version": Int(2, 99)})
        with mock.patch.object(log_entry, "ENTRY", newer), mock.patch.object(logs, "ENTRY", newer):
            self.write(item_op("20", "", b"before", "file", MASTER, 1))
            with mock.patch.object(catalog, "seal", lambda entry, *more: seal(evolve(entry, version=99), *more)):
                self.write(item_op("22", "", b"new", "file", MASTER, 1))
            self.write(item_op("21", "", b"behind", "file", MASTER, 1))
        self.compare()
        self.node.create("mine")
        self.node.pass_time(5)
        self.assertEqual(self.names(), ["before", "mine", *OURS])
        self.assertEqual(self.core.log_replicas.machine.state, "IN_SYNC!")
        [row] = self.held()
        self.assertIn("newer program", row.reason)

    def test_a_place_far_ahead(self) -> None:
        """One that claims a place in the order far ahead of all that is known keeps this device from nothing."""
        self.write(item_op("20", "", b"before", "file", MASTER, 1))
        with mock.patch.object(catalog, "lamport", lambda database, key: 2**40):
            self.write(item_op("22", "", b"far", "file", MASTER, 1))
        self.compare()
        self.node.create("mine")
        self.node.pass_time(5)
        self.assertEqual(self.names(), ["before", "mine", *OURS])
        self.assertEqual(self.core.log_replicas.machine.state, "IN_SYNC!")
        self.assertEqual(len(self.held()), 1)


class NoteTests(HeldUpCase):
    def note(self, *found: HeldUp) -> None:
        self.node.run(self.core.log_replicas.held_up.note(found, found))

    def row(self, key: str = MASTER, device: bytes | None = None, sequence: int = 50) -> HeldUp:
        return HeldUp(key, device or self.other.me.device.id, sequence, "\u1234" * held_up.MOST_WORDS)

    def test_too_many(self) -> None:
        """However many logs are held up all that is noted can be read, and the owner's own devices are in it."""
        made_up = [self.row(device=b"%08d" % number) for number in range(MOST_ROWS * 3)]
        self.note(*made_up, self.row())
        self.assertEqual(len(self.held()), MOST_ROWS)
        self.assertIn(self.row(), self.held())
        self.assertLess(len(meta(self.core.catalog.read, NOTE) or b""), held_up.MAX_NOTE)

    def test_a_note_that_cannot_be_read(self) -> None:
        """It holds nobody up: the next comparison finds what it had to say."""
        for data in (bytes(held_up.MAX_NOTE + 1), b"\xff"):
            self.node.wait(self.core.catalog.change(lambda database, data=data: set_meta(database, NOTE, data)))
            self.assertEqual(self.held(), [])
            self.note(self.row())
            self.assertEqual(self.held(), [self.row()])
            self.note(self.row(sequence=51))

    def test_what_nobody_asks_for_any_more(self) -> None:
        """A key that is in the ring no more, or a device that nobody names, holds nothing up that is not met again."""
        self.note(self.row(key="gone"), self.row(device=b"nobody's"), self.row())
        self.assertEqual(len(self.held()), 3)
        self.note()
        self.assertEqual(self.held(), [self.row()])
