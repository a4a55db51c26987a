"""Crashes, new machines, several devices: whatever was called safe comes back, and nothing lacks in silence."""

import shutil
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.identity.awaited import CATALOG, STARTED_OVER
from bitdust.transport.streams import BytesSource
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import Node, network, random_file, stop_quietly

MB = 1_000_000


class RecoveryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)

    def stored(self, name: str = "file", size: int = 300_000) -> bytes:
        data = random_file(self.base / name, size)
        self.node.upload(self.base / name, name)
        self.node.pass_time(1)
        return data

    def again(self, name: str = "new-home", before: Node | None = None, start: bool = True) -> Node:
        """A node with a home of its own, that was given the keys of the identity and nothing else."""
        node = Node(self.base / name, self.around, before=before or self.node)
        self.addCleanup(stop_quietly, node)
        if start:
            node.start()
        return node

    def set_modes(self, *modes: str) -> None:
        for supplier, mode in zip(self.around.suppliers, modes, strict=True):
            supplier.mode = mode


class NewMachineTests(RecoveryCase):
    def test_half_of_the_suppliers_are_enough(self) -> None:
        """With the home and any two of four suppliers gone a node with the master key has the catalog and the files."""
        data = self.stored()
        self.node.kill()
        shutil.rmtree(self.node.home)
        for number, gone in enumerate(((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))):
            self.set_modes(*("away" if index in gone else "fine" for index in range(4)))
            node = self.again(f"home-{number}")
            self.assertTrue(node.storage.core.log_replicas.recovered)
            target = self.base / f"back-{number}"
            node.download("file", target)
            self.assertEqual((target / "file").read_bytes(), data)
            node.stop()

    def test_nothing_is_served_before_suppliers_were_heard(self) -> None:
        """With fewer than k suppliers in reach the recovered catalog is not called complete, and goes on trying."""
        self.stored()
        self.node.kill()
        self.set_modes("away", "away", "away", "fine")
        node = self.again()
        self.assertFalse(node.storage.core.log_replicas.recovered)
        self.assertFalse(node.storage.core.key_ring_replicas.ready)
        self.set_modes("away", "away", "fine", "fine")
        node.storage.core.suppliers_changed()
        node.storage.core.log_replicas.pull_again()
        node.pass_time(2)
        self.assertTrue(node.storage.core.log_replicas.recovered)
        self.assertEqual([row["path"] for row in node.rows()], ["file"])

    def test_keys_come_back(self) -> None:
        """A key that was made, and files under it, come back with the ring."""
        self.node.me.key_ring.add(RingKey("photos", "my photos"))
        data = random_file(self.base / "picture", 1000)
        key_id = f"photos${self.node.me.document.global_id}"
        self.node.upload(self.base / "picture", f"{key_id}:picture")
        self.node.pass_time(1)
        self.assertIn("my-keys-synchronized", self.node.event_names())
        self.node.kill()
        node = self.again()
        self.assertIn("photos", node.me.key_ring)
        node.download(f"{key_id}:picture", self.base / "back")
        self.assertEqual((self.base / "back" / "picture").read_bytes(), data)

    def test_two_secrets_of_one_name(self) -> None:
        """Packs and log entries of either of two secrets that have one name are opened."""
        stored = {"one": self.stored("one", 3000)}
        self.node.create("before")
        key = self.node.me.key_ring.keys[MASTER]
        (first,) = key.secrets[1]
        key.secrets[1] = (first, b"\xff" * 32)
        self.node.me.save_key_ring()
        self.node.storage.core.key_ring_replicas.keys_changed()
        self.node.pass_time(1)
        self.assertNotEqual(self.node.me.key_ring.current(MASTER)[1], first)
        stored["two"] = self.stored("two", 3000)
        self.node.kill()
        node = self.again()
        for name, data in stored.items():
            node.download(name, self.base / "back")
            self.assertEqual((self.base / "back" / name).read_bytes(), data)

    def test_suppliers_that_hold_entries_back_are_found_out(self) -> None:
        """When heads promise entries that nobody gives, the node says which are missing instead of going on."""
        self.stored("one")
        self.stored("two")
        self.node.kill()
        for supplier in self.around.suppliers:
            original = supplier.ask

            def ask(me, command, fields, payload, deadline, original=original):
                answer = original(me, command, fields, payload, deadline)
                if command is Command.RETRIEVE and fields.get("kind") == "log":
                    answer.addCallback(partial(self._cut, fields))
                return answer

            supplier.ask = ask
        node = self.again()
        index = node.storage.core.log_replicas
        self.assertFalse(index.recovered)
        self.assertIn("log entries are missing", index.reason)

    def _cut(self, fields, reply):
        from bitdust.wire.encoding import decode, encode

        entries = decode(reply.payload, 16 * MB)
        reply.payload = encode(entries[: max(0, 3 - fields["first"])])
        return reply

    def test_a_head_in_the_dht_counts(self) -> None:
        """A supplier that serves an old log as if it were all is found out by the head that the DHT has."""
        self.stored("one")
        last = self.last_entry()
        old = [supplier.shop.store.heads(self.node.me.fingerprint) for supplier in self.around.suppliers]
        self.stored("two")
        self.node.pass_time(700)
        self.node.kill()
        for supplier, heads in zip(self.around.suppliers, old, strict=True):
            self.hide(supplier, heads, last)
        node = self.again()
        self.assertFalse(node.storage.core.log_replicas.recovered)

    def test_nobody_waits_for_what_only_the_home_had(self) -> None:
        """A home that is lost before a supplier has its last entries has named them to nobody: neither to the DHT nor
        to a key file, so that a recovery is not one that waits for ever."""
        self.stored("one")
        self.set_modes("fine", "frozen", "frozen", "frozen")
        self.node.create("two")
        self.node.pass_time(3)
        known, safe = self.node.storage.heads(), self.node.storage.heads(only_safe=True)
        self.assertEqual((known[0].sequence, safe[0].sequence), (self.last_entry(), self.last_entry() - 1))
        self.node.kill()
        self.set_modes("away", "fine", "fine", "fine")
        self.around.heads += safe
        node = self.again()
        self.assertTrue(node.storage.core.log_replicas.recovered)
        self.assertEqual([row["path"] for row in node.rows()], ["one"])

    def test_a_head_follows_the_acknowledgements(self) -> None:
        """The DHT gets the head when enough suppliers hold the log, without waiting for the next entry."""
        self.stored("one")
        self.node.pass_time(60)
        before = self.around.heads[-1].sequence
        self.set_modes("frozen", "frozen", "frozen", "fine")
        self.node.create("two")
        self.node.pass_time(3)
        self.assertEqual(self.around.heads[-1].sequence, before)
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.pass_time(30)
        self.assertEqual((before + 1, before + 1), (self.around.heads[-1].sequence, self.last_entry()))

    def last_entry(self) -> int:
        return self.node.storage.core.catalog.end("master", self.node.me.device.id).sequence

    def hide(self, supplier, heads: list[bytes], last: int) -> None:
        """The supplier serves an old log as if it were all."""
        full = supplier.shop.store.entries

        def entries(who: bytes, device: bytes, first: int, *more) -> BytesSource:
            source = full(who, device, first, *more)
            kept = decode(source.read(0, source.size), source.size)[: max(0, last - first + 1)]
            given = BytesSource(encode(kept))
            given.count = len(kept)
            return given

        supplier.shop.store.heads = lambda *_: heads
        supplier.shop.store.entries = entries

    def rolled_back(self) -> Node:
        """Recovered while one supplier that never had the file two, and one that hides it, are there alone."""
        self.stored("one")
        liar, absent = self.around.suppliers[:2]
        old, last = liar.shop.store.heads(self.node.me.fingerprint), self.last_entry()
        self.set_modes("fine", "away", "fine", "fine")
        self.stored("two")
        self.node.kill()
        self.around.heads.clear()
        self.hide(liar, old, last)
        self.set_modes("fine", "fine", "away", "away")
        return self.again()

    def test_a_liar_among_the_first_rolls_nothing_back_unseen(self) -> None:
        """Who has heard k suppliers alone reads only, and says so; whoever comes later is heard at once."""
        node = self.rolled_back()
        self.assertEqual([row["path"] for row in node.rows()], ["one"])
        node.download("one", self.base / "back")
        error = self.assertRaises(BitDustError, node.create, "three")
        self.assertEqual(error.code, "read-only")
        self.assertIn("newer states of your files may exist", str(error))
        self.assertTrue(node.storage.has_data())
        self.set_modes("fine", "fine", "fine", "away")
        node.storage.core.suppliers_changed()
        node.pass_time(1)
        self.assertEqual(sorted(row["path"] for row in node.rows()), ["one", "two"])
        node.create("three")

    def test_the_head_of_the_dht_is_enough(self) -> None:
        """With k suppliers there a node writes at once, where the DHT knows no newer entry than it has."""
        self.stored("one")
        self.node.kill()
        self.set_modes("fine", "fine", "away", "away")
        node = self.again()
        self.assertFalse(node.me.awaits(CATALOG))
        node.create("two")

    def test_the_person_waits_no_longer(self) -> None:
        """On the person's word the catalog goes on as it is known, also without entries that nobody has."""
        node = self.rolled_back()
        node.me.start_over()
        node.create("three")
        self.assertEqual(sorted(row["path"] for row in node.rows()), ["one", "three"])

    def test_the_person_does_without_what_is_missing(self) -> None:
        """A catalog that waits for entries which nobody gives goes on at that word, and waits for lost ones again."""
        self.stored("one")
        self.node.kill()
        for supplier in self.around.suppliers:
            supplier.shop.store.heads = lambda *_: []
        node = self.again()
        self.assertFalse(node.storage.core.log_replicas.recovered)
        node.me.start_over()
        node.pass_time(1)
        self.assertTrue(node.storage.core.log_replicas.recovered)
        self.assertFalse(node.me.awaits(STARTED_OVER))

    def test_the_recovered_node_goes_on(self) -> None:
        """After a recovery new uploads work, and the next recovery has both devices' files."""
        one = self.stored("one")
        self.node.kill()
        second = self.again()
        two = random_file(self.base / "two", 100_000)
        second.upload(self.base / "two", "two")
        second.pass_time(1)
        second.kill()
        third = self.again("third", before=second)
        third.download(f"{third.me.document.global_id}:", self.base / "back")
        self.assertEqual((self.base / "back" / "one").read_bytes(), one)
        self.assertEqual((self.base / "back" / "two").read_bytes(), two)

    def test_pieces_are_known_again(self) -> None:
        """A recovered node learns from its suppliers which pieces they hold, and mends what is missing."""
        self.stored()
        self.node.kill()
        self.around.suppliers[3].shop.store._commits.change(lambda database: database.execute("DELETE FROM pieces"))
        node = self.again()
        node.pass_time(20)
        self.assertEqual(node.info("file")["versions"][0]["delivered"], "100%")
        listed = self.around.suppliers[3].shop.store.listing(node.me.fingerprint, b"", 10).pieces
        self.assertEqual(len(listed), 1)


class CrashTests(RecoveryCase):
    def restart(self) -> Node:
        node = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, node)
        return node.start()

    def test_an_upload_goes_on_after_a_crash_at_any_moment(self) -> None:
        """Killed after any number of packets, the next start finishes the upload and sends little twice."""
        self.node.settings.set("services/backups/block-size", 256 * 1024)
        data = random_file(self.base / "file", 900_000)
        for number, packets in enumerate((0, 1, 2, 3, 5, 8, 12, 16)):
            name = f"file-{number}"
            (self.base / name).write_bytes(bytes([number]) * 1000 + data[number * 777 :])
            before = sum(supplier.received for supplier in self.around.suppliers)
            self.node.create(name)
            self.node.cut_after = self.node.sent + packets
            self.node.begin_upload(self.base / name, name)
            self.node.pass_time(1, 0.1)
            self.node.kill()
            self.node = self.restart()
            self.node.pass_time(20)
            self.assertEqual(self.node.storage.uploads(), {"running": [], "pending": []})
            self.node.download(name, self.base / "back")
            self.assertEqual((self.base / "back" / name).read_bytes(), (self.base / name).read_bytes())
            sent = sum(supplier.received for supplier in self.around.suppliers) - before
            self.assertLess(sent, 2 * 900_000 * 1.6, packets)

    def test_a_download_goes_on_after_a_crash(self) -> None:
        """Killed in the middle of a restore, the next start finishes it, and fetches only what was missing."""
        data = self.stored(size=12 * MB)
        self.node.cut_after = self.node.sent + 4
        self.node.begin_download("file", self.base / "back")
        self.node.pass_time(1, 0.1)
        self.node.kill()
        given = sum(supplier.given for supplier in self.around.suppliers)
        self.assertGreater(given, 3 * MB)
        self.node = self.restart()
        self.node.pass_time(20)
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)
        self.assertLess(sum(supplier.given for supplier in self.around.suppliers), 12 * MB * 1.2)
        self.assertEqual(self.node.storage.downloads(), [])

    def test_a_clean_stop_goes_on_too(self) -> None:
        """Stopped in the middle of an upload, a node takes nothing back and goes on at its next start."""
        for supplier in self.around.suppliers[:3]:
            supplier.mode = "frozen"
        data = random_file(self.base / "file", 300_000)
        self.node.begin_upload(self.base / "file", "file")
        self.node.pass_time(1)
        self.node.stop()
        self.set_modes("fine", "fine", "fine", "fine")
        self.node = self.restart()
        self.node.pass_time(20)
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_a_lost_spool_loses_no_version(self) -> None:
        """Pieces that vanish from the spool before anybody has them are read from the file again."""
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        data = random_file(self.base / "file", 300_000)
        self.node.begin_upload(self.base / "file", "file")
        self.node.kill()
        shutil.rmtree(self.node.home / "spool", ignore_errors=True)
        self.set_modes("fine", "fine", "fine", "fine")
        self.node = self.restart()
        self.node.pass_time(20)
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_a_damaged_catalog_is_refused_with_words(self) -> None:
        """A catalog that is no database is named, with what to do; moved away, it is rebuilt from the suppliers."""
        data = self.stored()
        self.node.stop()
        for leftover in self.node.home.glob("catalog.db-*"):
            leftover.unlink()
        (self.node.home / "catalog.db").write_bytes(b"this is no database " * 1000)
        node = Node(self.node.home, self.around, self.node.clock)
        error = self.assertRaises(BitDustError, node.start)
        self.assertEqual(error.code, "damaged-catalog")
        self.assertIn("move it away", str(error))
        (self.node.home / "catalog.db").unlink()
        self.node = self.restart()
        self.node.pass_time(2)
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)


class DevicesTests(RecoveryCase):
    def test_two_devices_see_each_others_files(self) -> None:
        """What one device stores appears on the other with its next look."""
        self.stored("one")
        second = self.again("second")
        random_file(self.base / "two", 1000)
        second.upload(self.base / "two", "two")
        second.pass_time(1)
        self.node.me.replace_document(second.me.document)
        self.node.storage.sync()
        self.node.pass_time(10)
        self.assertEqual([row["path"] for row in self.node.rows()], ["one", "two"])

    def test_a_copied_home_takes_a_device_of_its_own(self) -> None:
        """Two nodes that write under one device key: the one that is behind takes a new key, and no entry is lost."""
        self.stored("one")
        self.node.stop()
        shutil.copytree(self.node.home, self.base / "copy")
        original = Node(self.node.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, original)
        copy = Node(self.base / "copy", self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, copy)
        random_file(self.base / "two", 1000)
        original.upload(self.base / "two", "two")
        original.pass_time(1)
        random_file(self.base / "three", 1000)
        copy.create("three")
        copy.pass_time(100)
        self.assertGreaterEqual(copy.taken, 1)
        self.assertNotEqual(copy.me.device.id, original.me.device.id)
        original.me.replace_document(copy.me.document)
        random_file(self.base / "four", 1000)
        original.upload(self.base / "four", "four")
        original.storage.sync()
        original.pass_time(10)
        self.assertEqual([row["path"] for row in original.rows()], ["four", "one", "three", "two"])
