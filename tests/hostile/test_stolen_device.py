"""Somebody has a copy of a device's home, and writes what it likes into the logs of its owner."""

import os
import stat
from typing import Any
from unittest import mock

from twisted.internet.defer import fail

from bitdust.crypt.keyring import MASTER
from bitdust.events import Events
from bitdust.formats import log_entry
from bitdust.formats.log_entry import NOTHING_BEFORE, Content, Entry, seal
from bitdust.formats.operations import earlier_op, item_op
from bitdust.identity.document import OPEN_END
from bitdust.identity.revocation import Revocations
from bitdust.storage.catalog.catalog import LogEnd
from bitdust.storage.log.recovery import LogRecovery
from bitdust.storage.log.seen import read_head
from bitdust.storage.restore.tree import Blocked, Destination, Tree
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head
from tests.unit.storage_kit import Node, random_file, stop_quietly
from tests.unit.test_file_kinds import KindCase
from tests.unit.test_other_devices import OtherDeviceCase

TRAPS = (b"../../planted", b"..", b".", b"a/b", b"a\0b")


class NameTests(OtherDeviceCase):
    """Names that lead out of the folder into which things are restored."""

    def test_such_names_are_never_written(self) -> None:
        """No entry with such a name is sealed, alone or among what is told of an earlier log."""
        unsealed = Entry(b"o" * 32, b"d" * 8, 1, bytes(32), 1, b"")
        for name in TRAPS:
            trap = item_op("0", "", name, "file", MASTER, 1)
            for op in (trap, earlier_op(1, b"d" * 8, 1, [trap])):
                error = self.assertRaises(WireError, seal, unsealed, b"s" * 32, Content(1, 1, [op]))
                self.assertEqual(error.code, "bad-field")

    def test_such_names_are_never_read(self) -> None:
        """Of what a stolen device has written they are left out, and all the rest comes into the catalog."""
        thief = self.second()
        self.node.me.replace_document(thief.me.document)
        self.patch(log_entry, "check_names", lambda ops: None)
        ops = [item_op(f"{number + 5}", "", name, "file", MASTER, 1) for number, name in enumerate((*TRAPS, b"good"))]
        thief.wait(thief.storage.core.log_writer.write(lambda database: ops))
        thief.pass_time(5)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)
        self.assertEqual([row["name"] for row in self.node.rows()], ["good", "one", "three", "two"])

    def test_such_names_are_never_made(self) -> None:
        """Nothing gets such a name on the disk, wherever it comes from."""
        tree = Tree(os.fsencode(self.base / "tree" / "inner"))
        tree.prepare()
        (self.base / "tree" / "inner" / "part").write_text("evil")
        for name in TRAPS:
            place = Destination((), name)
            self.assertRaises(Blocked, tree.give_name, place, b"part")
            self.assertRaises(Blocked, tree.make_link, place, b"target", 0, b"other")
            self.assertRaises(Blocked, tree.make_folder, (b"folder", name))
        self.assertEqual([path.name for path in (self.base / "tree").iterdir()], ["inner"])


class RevokedCase(OtherDeviceCase):
    """A second device was stolen, and is known here."""

    def setUp(self) -> None:
        super().setUp()
        self.thief = self.second()
        self.node.me.replace_document(self.thief.me.document)
        self.thief.create("before")
        self.compare()
        self.me, world = self.node.me, self.core.world
        self.revocations = Revocations(world, Events(world.clock, world.wall), self.me)
        self.revocations.logs = self.node.storage

    def compare(self) -> None:
        self.thief.pass_time(5)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)

    def names(self) -> list[str]:
        return [row["path"] for row in self.node.rows()]

    def revoke(self) -> None:
        self.revocations.revoke(self.me.document.device(self.thief.me.device.id))

    def end(self) -> int | None:
        return self.me.document.device(self.thief.me.device.id).sequence


class RevokedLogTests(RevokedCase):
    """A device was revoked, and a supplier goes on to take what it writes."""

    def test_what_it_writes_later_counts_for_nothing(self) -> None:
        """Neither a new item nor a tombstone; what it wrote before stays, also for who comes back later."""
        self.revoke()
        self.compare()
        self.revocations.settle()
        self.thief.create("after")
        self.thief.delete("before")
        self.compare()
        self.assertEqual(self.names(), ["before", "one", "three", "two"])
        again = Node(self.base / "again", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(5)
        self.assertEqual([row["path"] for row in again.rows()], ["before", "one", "three", "two"])

    def test_nothing_is_lost_before_it_is_known(self) -> None:
        """What it wrote and this device has not read yet counts, until both have been compared."""
        self.thief.create("unread")
        self.revoke()
        self.thief.pass_time(5)
        self.assertNotIn("unread", self.names())
        self.compare()
        self.assertIn("unread", self.names())
        self.revocations.settle()
        self.assertLess(self.me.document.device(self.thief.me.device.id).sequence, OPEN_END)
        self.thief.create("after")
        self.compare()
        self.assertNotIn("after", self.names())

    def test_only_what_was_compared_since(self) -> None:
        """A comparison that began before the revocation, or in an earlier run, does not say where its log ends."""
        pull = self.core.log_replicas._pull
        compare = pull.run

        async def revoked_meanwhile(*arguments: Any) -> Any:
            pulled = await compare(*arguments)
            self.revoke()
            return pulled

        with mock.patch.object(pull, "run", revoked_meanwhile):
            self.core.log_replicas.pull_again()
            self.node.pass_time(1)
        self.revocations.settle()
        self.assertEqual(self.end(), OPEN_END)
        self.thief.create("unread")
        self.compare()
        self.node.run(self.node.storage.close())
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        self.node.run(self.node.storage.open())
        self.revocations.settle()
        self.assertEqual(self.end(), OPEN_END)

    def test_an_end_on_the_persons_word(self) -> None:
        """While a family of before is searched for the end stays open; the owner may fix it, once it was compared."""
        self.node.reunited = [b"supplier of before"]
        self.thief.create("unread")
        self.revoke()
        device = lambda: self.me.document.device(self.thief.me.device.id)  # noqa: E731
        refused = self.assertRaises(BitDustError, self.revocations.end, device())
        self.assertEqual(refused.code, "not-ready")
        self.compare()
        self.revocations.settle()
        self.assertEqual(self.end(), OPEN_END)
        self.revocations.end(device())
        self.assertLess(self.end(), OPEN_END)
        self.thief.create("after")
        self.compare()
        self.assertIn("unread", self.names())
        self.assertNotIn("after", self.names())
        refused = self.assertRaises(BitDustError, self.revocations.end, device())
        self.assertEqual(refused.code, "not-allowed")

    def test_where_it_says_that_its_log_begins(self) -> None:
        """A head of the same height that hides what was before goes behind one of a device that counts."""
        self.revoke()
        self.compare()
        self.revocations.settle()
        heads = [self.head(self.thief, 3), self.head(self.node, None)]
        access = self.core.log_writer.logs
        seen = [read_head(head, access, b"s" * 32) for head in heads]
        asked: list[int] = []

        def fetch(holder: bytes, log: Any, first: int) -> Any:
            asked.append(first)
            return fail(BitDustError("no-answer", "nothing"))

        recovery = LogRecovery(Empty(), access, MASTER, fetch)
        self.node.run(recovery.recover([one for one in seen if one is not None]))
        self.assertEqual(asked[0], 1)

    def head(self, signer: Node, first: int | None) -> bytes:
        """A head of the thief's log, of the height that counts."""
        device = self.thief.me.device.id
        sequence = self.me.document.device(device).sequence
        head = Head(self.me.fingerprint, device, sequence, b"h" * 32, 1, first)
        return signer.me.sign(Head.KIND, head.to_body()).to_bytes()


class Empty:
    """A catalog that knows nothing."""

    def end(self, key: str, device: bytes) -> LogEnd:
        return LogEnd(0, NOTHING_BEFORE)

    def scope(self, key: str, device: bytes) -> bytes | None:
        return None


class SpecialBitTests(KindCase):
    """A mode by which a program runs as its owner, as its group, or keeps others from removing it."""

    def setUp(self) -> None:
        super().setUp()
        random_file(self.folder / "program", 100)
        (self.folder / "program").chmod(0o6755)
        self.folder.chmod(0o1777)
        self.assertEqual(self.upload()["problems"], [])

    def modes(self, **options: Any) -> tuple[list[str], list[int]]:
        problems = self.download(**options)["problems"]
        paths = (self.back, self.back / "program")
        return [one["path"] for one in problems], [stat.S_IMODE(path.stat().st_mode) for path in paths]

    def test_they_are_left_out(self) -> None:
        """They do not come back, and that is told."""
        told, modes = self.modes()
        self.assertEqual((sorted(told), modes), (["folder", "folder/program"], [0o777, 0o755]))

    def test_they_are_asked_for(self) -> None:
        """They come back where the person asks for them, in the call or by the setting."""
        self.assertEqual(self.modes(special_bits=True), ([], [0o1777, 0o6755]))
        self.node.settings.set("services/restores/special-bits-enabled", True)
        self.assertEqual(self.modes(), ([], [0o1777, 0o6755]))
