"""Suppliers that forge, invent and withhold; disks that are full (weaknesses 7, 8, 24, 25)."""

import errno
import os
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import KeyRing
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import Node, Reply, network, random_file, stop_quietly

MB = 1_000_000


class HostileSuppliersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.data = random_file(self.base / "file", 300_000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)

    def change(self, which: int, command: Command, kind: str | None, change) -> None:
        """One supplier's answers to a question go through ``change``."""
        supplier = self.around.suppliers[which]
        original = supplier.ask

        def ask(me, asked, fields, payload, deadline):
            answer = original(me, asked, fields, payload, deadline)
            if asked is command and fields.get("kind") == kind:
                answer.addCallback(change)
            return answer

        supplier.ask = ask

    def again(self) -> Node:
        node = Node(self.base / "again", self.around, before=self.node)
        self.addCleanup(stop_quietly, node)
        return node.start()

    def downloads(self, node: Node, name: str) -> bool:
        node.download("file", self.base / name)
        return (self.base / name / "file").read_bytes() == self.data

    def test_invented_lists_do_no_harm(self) -> None:
        """A supplier that lists nothing costs a rebuild, one that lists what it has not is found out at the restore."""
        self.change(0, Command.LIST_FILES, None, lambda reply: Reply({"more": False}, encode([])))
        everything = [[os.urandom(16), number % 4, 1000] for number in range(50)]
        invented = encode(sorted(everything))
        self.change(1, Command.LIST_FILES, None, lambda reply: Reply({"more": False}, invented))
        self.node.storage.sync()
        self.node.pass_time(20)
        self.assertTrue(self.downloads(self.node, "back"))

    def test_garbage_lists_are_refused(self) -> None:
        """Lists of another form are refused, and what the catalog knows stays."""
        for number, bad in enumerate((b"", b"\xff" * 50, encode({"a": 1}), encode([[b"x", "1", 2]]), encode([1, 2]))):
            self.change(number % 4, Command.LIST_FILES, None, lambda reply, bad=bad: Reply({"more": True}, bad))
        self.node.storage.sync()
        self.node.pass_time(20)
        self.assertEqual(self.node.info("file")["versions"][0]["delivered"], "100%")

    def test_forged_logs_are_refused(self) -> None:
        """Entries that a supplier made up, with whatever numbers, neither replace nor delete anything of mine."""
        def forge(reply):
            entries = decode(reply.payload, 16 * MB)
            return Reply(reply.fields, encode([entry[:-5] + os.urandom(5) for entry in entries]))

        self.change(0, Command.RETRIEVE, "log", forge)
        self.change(1, Command.RETRIEVE, "log", lambda reply: Reply(reply.fields, encode([os.urandom(300)])))
        self.node.kill()
        node = self.again()
        self.assertTrue(node.storage.core.log_replicas.recovered)
        self.assertTrue(self.downloads(node, "back"))

    def test_forged_heads_are_refused(self) -> None:
        """Heads of a billion entries that no device of mine signed hold nothing up and replace nothing."""
        def forge(reply):
            heads = decode(reply.payload, MB)
            return Reply(reply.fields, encode([head[:-64] + os.urandom(64) for head in heads]))

        for which in range(2):
            self.change(which, Command.RETRIEVE, "heads", forge)
        self.node.kill()
        node = self.again()
        self.assertTrue(node.storage.core.log_replicas.recovered)
        self.assertEqual([row["path"] for row in node.rows()], ["file"])

    def test_a_forged_key_ring_is_refused(self) -> None:
        """A ring that is sealed to me but signed by nobody of mine gives me no key; the honest ones count."""
        mallory = KeyRing()
        sealed = self.node.me.master.public.seal(mallory.to_bytes())
        body = encode({"owner": self.node.me.fingerprint, "revision": 99, "sealed": sealed})

        def forge(reply):
            signed = decode(reply.payload, MB)
            return Reply(reply.fields, encode([signed[0], body, signed[2], signed[3]]))

        for which in range(2):
            self.change(which, Command.RETRIEVE, "keyring", forge)
        self.node.kill()
        node = self.again()
        self.assertTrue(self.downloads(node, "back"))

    def test_pieces_of_another_size_are_refused(self) -> None:
        """Pieces that are cut off, too long or empty are not decoded; others are asked."""
        for which, change in enumerate((lambda data: data[:-1], lambda data: b"")):
            self.change(
                which, Command.RETRIEVE, "piece",
                lambda reply, change=change: Reply(reply.fields, change(reply.payload)),
            )  # fmt: skip
        self.assertTrue(self.downloads(self.node, "back"))

    def test_a_supplier_that_never_answers_holds_nothing_up(self) -> None:
        """Every task has an end: with one supplier that says nothing to anything uploads and rounds go on."""
        self.around.suppliers[0].mode = "frozen"
        for number in range(3):
            random_file(self.base / f"more-{number}", 100_000)
            self.node.upload(self.base / f"more-{number}", f"more-{number}")
        self.node.storage.sync()
        self.node.pass_time(60)
        self.assertNotEqual(self.node.storage.core.monitor.machine.state, "LIST_FILES")


class FullDiskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)

    def fails(self, code: str, call, *arguments) -> None:
        error = self.assertRaises(BitDustError, call, *arguments)
        self.assertEqual(error.code, code, str(error))
        self.assertIn("disk is full", str(error))

    def test_a_full_disk_while_uploading(self) -> None:
        """When pieces cannot be kept the upload says that the disk is full, leaves none behind, and works later."""
        data = random_file(self.base / "file", 300_000)
        spool = self.node.storage.core.spool
        original = spool._write_all

        def full(descriptor, piece):
            raise OSError(errno.ENOSPC, "No space left on device")

        spool._write_all = full
        self.fails("disk-full", self.node.upload, self.base / "file", "file")
        self.assertEqual(list((self.node.home / "spool").iterdir()), [])
        spool._write_all = original
        self.node.upload(self.base / "file", "file")
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_a_full_disk_while_restoring(self) -> None:
        """When files cannot grow the download says so, gives the room back, and keeps what was there before."""
        data = random_file(self.base / "file", 5 * MB)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)
        (self.base / "back").mkdir()
        (self.base / "back" / "file").write_bytes(b"old")
        with patch("os.pwritev", side_effect=OSError(errno.ENOSPC, "No space left on device")):
            self.fails("disk-full", self.node.download, "file", self.base / "back")
        self.assertEqual(os.listdir(self.base / "back"), ["file"])
        self.assertEqual((self.base / "back" / "file").read_bytes(), b"old")
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)


