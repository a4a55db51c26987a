"""Devices of one person that do not know of each other: what is erased, what counts, and what a supplier has lost."""

import os
from math import inf
from unittest import mock

from twisted.internet.defer import Deferred

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import MASTER, KeyRing, RingKey
from bitdust.formats.log_entry import Begin, Content, Entry, LogName, hash_of, head_of, seal
from bitdust.formats.operations import item_op
from bitdust.identity.document import Device
from bitdust.storage.log.missing import note_losses
from bitdust.storage.log.seen import SeenHead
from bitdust.wire.names import GROUP_PREFIX
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.unit.storage_kit import START, Node, random_file, stop_quietly
from tests.unit.test_log_replicas import LogCase


class OtherDeviceCase(LogCase):
    def second(self) -> Node:
        """Another device of this person's, of which the first does not hear."""
        node = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, node)
        node.start()
        node.pass_time(5)
        return node

    def pieces(self) -> list[int]:
        return [supplier.pieces() for supplier in self.around.suppliers]


class ErasingTests(OtherDeviceCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = random_file(self.base / "file", 200_000)
        self.node.upload(self.base / "file", "file")

    def test_a_head_of_somebody_unknown(self) -> None:
        """What another device has deduplicated stays, though my document does not name that device."""
        other = self.second()
        other.upload(self.base / "file", "theirs")
        self.node.delete("file")
        self.node.pass_time(60)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        other.download("theirs", self.base / "back")
        self.assertEqual((self.base / "back" / "theirs").read_bytes(), self.data)
        self.assertFalse(self.core.log_replicas.is_alone())

    def test_it_is_remembered(self) -> None:
        """A device that was seen once makes pieces stay after a restart, though nobody shows it any more."""
        self.second().create("theirs")
        self.node.pass_time(1)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)
        for supplier in self.around.suppliers:
            for table in ("log", "heads"):
                supplier.shop.store._writer.execute(f"DELETE FROM {table} WHERE device<>?", (self.node.me.device.id,))
        self.node.stop()
        again = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, again)
        again.start()
        again.delete("file")
        again.pass_time(60)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])

    def test_too_few_are_heard(self) -> None:
        """Nothing is erased while too few suppliers say who else there is."""
        for supplier in self.around.suppliers[:2]:
            original = supplier.ask

            def silent(me, command, fields, payload, deadline, original=original):
                if command is Command.RETRIEVE and fields.get("kind") == "heads":
                    return Deferred()
                return original(me, command, fields, payload, deadline)

            supplier.ask = silent
        self.node.delete("file")
        self.node.pass_time(60)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])


class ResizedTests(OtherDeviceCase):
    """Whether those beyond a family may go: another device may be uploading for another size for a month."""

    def setUp(self) -> None:
        super().setUp()
        random_file(self.base / "file", 200_000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(60)
        self.since = self.node.world.wall()

    def there_is_another(self) -> None:
        other = self.second()
        other.create("theirs")
        self.node.me.replace_document(other.me.document)
        self.node.pass_time(1)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)

    def pass_a_month(self) -> None:
        """And all is compared at its end."""
        for _ in range(5):
            self.node.pass_time(6.5 * 86_400, 6.5 * 86_400)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)

    def is_resized(self, since: float | None) -> bool:
        return self.node.storage.placement.is_resized(since)

    def test_alone(self) -> None:
        """Nobody waits for a device that nobody has."""
        self.assertTrue(self.is_resized(self.since))

    def test_a_month(self) -> None:
        """With another device a month must pass; where nobody is to go, nothing."""
        self.there_is_another()
        self.assertEqual((self.is_resized(self.since), self.is_resized(None)), (False, True))
        self.pass_a_month()
        self.assertTrue(self.is_resized(self.since))

    def test_a_clock_that_leaps(self) -> None:
        """A clock that is a year ahead lets nobody go, and one that was set back makes nobody stay for ever."""
        self.there_is_another()
        self.node.ahead = 366 * 86_400
        self.assertFalse(self.is_resized(self.since))
        self.node.ahead = -86_400
        self.assertFalse(self.is_resized(self.since))
        self.node.ahead = 0
        self.pass_a_month()
        self.assertTrue(self.is_resized(self.since))

    def test_a_moment_is_past(self) -> None:
        """A month is over when it was lived through, and not by a clock that is ahead."""
        is_past, later = self.node.storage.placement.is_past, self.since + 30 * 86_400
        self.node.ahead = 366 * 86_400
        self.assertFalse(is_past(later))
        self.node.ahead = 0
        self.assertFalse(is_past(later))
        for _ in range(5):
            self.node.pass_time(6.5 * 86_400, 6.5 * 86_400)
        self.assertTrue(is_past(later))


class ReadTests(OtherDeviceCase):
    """Whether all logs that a supplier holds are known here."""

    def has_read(self) -> list[bool]:
        return [self.node.storage.placement.has_read(one.fingerprint) for one in self.around.suppliers]

    def ask(self) -> list[bool]:
        """Let each supplier list what it holds; whether each has news."""
        replicas = self.core.log_replicas
        asking = [replicas._pull.ask(one.fingerprint, replicas._follow_keys()) for one in self.around.suppliers]
        return [self.node.wait(Deferred.fromCoroutine(one)).has_news for one in asking]

    def test_what_is_compared(self) -> None:
        """Nothing counts before a supplier has listed its logs, and no other device's log before it is here, whether my
        document names that device already or not."""
        self.node.pass_time(5)
        self.core.log_replicas._pull._listed.clear()
        self.assertEqual(self.has_read(), [False] * 4)
        self.assertEqual((self.ask(), self.has_read()), ([False] * 4, [True] * 4))
        other = self.second()
        other.create("theirs")
        other.pass_time(5)
        self.assertEqual((self.ask(), self.has_read()), ([False] * 4, [False] * 4))
        self.node.me.replace_document(other.me.document)
        self.assertEqual((self.ask(), self.has_read()), ([True] * 4, [False] * 4))
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)
        self.assertEqual(self.has_read(), [True] * 4)

    def test_a_log_that_nobody_here_can_name(self) -> None:
        """The log of a key whose ring is not here yet may hold anything."""
        self.node.pass_time(5)
        self.ask()
        pull, supplier = self.core.log_replicas._pull, self.around.suppliers[0].fingerprint
        self.assertFalse(pull.has_read(supplier, []))


    def test_what_is_said_in_a_group(self) -> None:
        """A log that is no part of a catalog is not waited for; that of a key which is not here yet is."""
        pull, logs = self.core.log_replicas._pull, self.core.log_replicas._follow_keys()
        supplier, mine = self.around.suppliers[0].fingerprint, self.node.me.device.id
        head = Head(self.node.me.fingerprint, mine, 5, bytes(32), START, scope=b"t" * 16)
        pull._remember(supplier, [SeenHead(head, supplier, True, signer=mine, end=5)])
        self.assertFalse(pull.has_read(supplier, logs))
        group = RingKey(f"{GROUP_PREFIX}0", scopes=frozenset({b"t" * 16}))
        ring = KeyRing({**self.node.me.key_ring.keys, group.key_id: group})
        with mock.patch.object(type(self.node.me), "key_ring", ring):
            pull._remember(supplier, [SeenHead(head, supplier, True, signer=mine, end=5)])
        self.assertTrue(pull.has_read(supplier, logs))

    def test_what_nobody_gives(self) -> None:
        """Entries that the person does without are not waited for; of another life, which may have them, they are."""
        pull, logs = self.core.log_replicas._pull, self.core.log_replicas._follow_keys()
        supplier, other = self.around.suppliers[0].fingerprint, b"o" * len(self.node.me.device.id)
        head = Head(self.node.me.fingerprint, other, 5, bytes(32), START)
        pull._remember(supplier, [SeenHead(head, supplier, False)])
        self.assertFalse(pull.has_read(supplier, logs))
        self.node.wait(self.core.catalog.change(lambda database: note_losses(database, {(MASTER, other): 5})))
        self.assertTrue(pull.has_read(supplier, logs))
        self.assertFalse(self.node.storage.placement.has_read(supplier))
        self.assertTrue(pull.names_others(supplier))

    def test_pieces_are_listed_in_each_run(self) -> None:
        """Nobody counts as having listed its pieces who was not asked since the start."""
        listed = self.node.storage.placement.has_listed
        core, who = self.core, [one.fingerprint for one in self.around.suppliers]
        core.inventory._complete.clear()
        self.assertEqual((core.log_replicas.grown_at, list(map(listed, who))), (-inf, [False] * 4))
        self.node.wait(core.inventory.refresh())
        self.assertEqual(list(map(listed, who)), [True] * 4)

    def test_whether_anything_is_stored(self) -> None:
        """Where there is another device, nobody says that nothing is, before suppliers were heard in this run."""
        other = self.second()
        other.create("theirs")
        other.pass_time(5)
        self.node.me.replace_document(other.me.document)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)
        self.assertFalse(self.core.log_replicas.is_alone() or self.node.storage.has_data())
        self.node.reunited = [self.around.suppliers[0].fingerprint]
        self.assertTrue(self.node.storage.has_data(), "another life that is not read yet may have stored something")
        self.node.reunited = []
        self.core.log_replicas._pull._listed.clear()
        self.assertTrue(self.node.storage.has_data())


class StillSendingTests(OtherDeviceCase):
    """The log of another device is read before its pieces are at the suppliers."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.second()
        self.node.me.replace_document(self.other.me.document)
        for supplier in self.around.suppliers:
            supplier.mode = "full"
        self.data = random_file(self.base / "file", 300_000)
        self.other.begin_upload(self.base / "file", "file")
        self.node.pass_time(10)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)
        self.node.wait(self.core.inventory.refresh())
        self.assertEqual(self.node.pieces()["missing"], 4)
        for supplier in self.around.suppliers:
            supplier.mode = "fine"

    def test_what_was_not_there_yet(self) -> None:
        """What suppliers did not have when they were asked, and have by now, comes back, and is known from then on."""
        self.node.pass_time(60)
        self.assertEqual(self.pieces(), [1, 1, 1, 1])
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.data)
        self.assertGreaterEqual(self.node.pieces()["acknowledged"], 2)


class ForgedTests(OtherDeviceCase):
    """A thief has the secrets of this identity, and a supplier that helps it."""

    def setUp(self) -> None:
        super().setUp()
        self.thief = DeviceKey.generate(os.urandom)

    def show(self, device: bytes, sequence: int, previous: bytes, signer: DeviceKey | None = None) -> None:
        """The supplier shows an entry that makes an item ``planted``, and perhaps a head that somebody signed."""
        logs, me = self.core.log_writer.logs, self.node.me
        epoch, secret = me.key_ring.current(MASTER)
        content = Content(99, START, [item_op("77", "", b"planted", "file", MASTER, 0)])
        entry = seal(Entry(me.fingerprint, device, sequence, previous, epoch, b""), secret, content)
        data = entry.to_bytes()
        database = self.around.suppliers[0].shop.store._writer
        row = (me.fingerprint, b"", device, sequence)
        database.execute("INSERT OR REPLACE INTO log VALUES(?, ?, ?, ?, ?, ?)", (*row, hash_of(data), data))
        if signer is not None:
            head = head_of(LogName(logs.owner, None, device), sequence, hash_of(data), START, Begin())
            signed = signer.sign_record(Head.KIND, head.to_body()).to_bytes()
            database.execute("INSERT OR REPLACE INTO heads VALUES(?, ?, ?, ?, ?)", (*row, signed))

    def names(self) -> list[str]:
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)
        self.assertTrue(self.core.log_replicas.synchronized)
        return [row["path"] for row in self.node.rows()]

    def know(self, **ended: int) -> None:
        """The thief's device is in my document, or was."""
        me = self.node.me
        device = Device(9, me.document.revision + 1, self.thief.public, **ended)
        me.replace_document(me.revise(devices=(*me.document.devices, device)))

    def test_a_device_that_nobody_knows(self) -> None:
        """Entries under the secret of a log do not count without the head of a device of mine."""
        self.show(self.thief.id, 1, bytes(32), self.thief)
        self.assertNotIn("planted", self.names())

    def test_a_device_that_was_revoked_before(self) -> None:
        """What a revoked device signed beyond the entry that the revocation names does not count."""
        self.know(revoked=self.node.me.document.revision + 1, sequence=0)
        self.show(self.thief.id, 1, bytes(32), self.thief)
        self.assertNotIn("planted", self.names())

    def test_a_device_that_counted_then(self) -> None:
        """What it signed up to there does."""
        self.know(revoked=self.node.me.document.revision + 1, sequence=1)
        self.show(self.thief.id, 1, bytes(32), self.thief)
        self.assertIn("planted", self.names())

    def test_entries_that_lead_elsewhere(self) -> None:
        """In place of entries that a device of mine has signed nobody can show others."""
        self.know()
        self.show(self.thief.id, 1, bytes(32), self.thief)
        self.show(self.thief.id, 1, b"p" * 32)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)
        self.assertNotIn("planted", [row["path"] for row in self.node.rows()])


class TakenBackTests(OtherDeviceCase):
    def lose(self, number: int) -> None:
        """A supplier has nothing of logs, key rings and families any more."""
        for table in ("log", "heads", "records"):
            self.around.suppliers[number].shop.store._writer.execute(f"DELETE FROM {table}")

    def accepted(self, number: int) -> None:
        self.core.supplier_accepted(self.around.suppliers[number].fingerprint)
        self.node.pass_time(5)

    def ring_at(self, number: int) -> bytes | None:
        return self.around.suppliers[number].shop.store.record(self.node.me.fingerprint, "keyring")

    def test_a_supplier_that_comes_without_its_disk(self) -> None:
        """It is brought log and key ring at once, as soon as its contract is made again."""
        self.lose(1)
        self.accepted(1)
        self.assertEqual((self.held_by(1), self.ring_at(1)), (self.held_by(0), self.ring_at(0)))

    def test_it_comes_while_others_are_asked(self) -> None:
        """What it holds is asked when the comparison is over, and not at the next one."""
        supplier, held = self.around.suppliers[0], list["Deferred[None]"]()

        def slow(me, command, fields, *rest, ask=supplier.ask):
            answer = ask(me, command, fields, *rest)
            if command is Command.RETRIEVE and fields.get("kind") == "heads":
                held.append(Deferred())
                return held[-1].addCallback(lambda _: answer)
            return answer

        with mock.patch.object(supplier, "ask", slow):
            self.core.log_replicas.pull_again()
            self.node.pass_time(1)
        self.lose(1)
        self.accepted(1)
        self.assertEqual(self.held_by(1), [])
        held[0].callback(None)
        self.node.pass_time(5)
        self.assertEqual((self.held_by(1), self.ring_at(1)), (self.held_by(0), self.ring_at(0)))

    def test_the_log_of_another_device(self) -> None:
        """Each device brings back the logs of the others too, once it has seen their heads."""
        other = self.second()
        other.create("theirs")
        other.pass_time(1)
        self.node.me.replace_document(other.me.document)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)
        other.stop()
        self.lose(1)
        self.accepted(1)
        self.assertEqual(self.held_by(1, other.me.device.id), self.held_by(0, other.me.device.id))
        self.assertTrue(self.held_by(1, other.me.device.id))

    def test_after_a_restart(self) -> None:
        """What was acknowledged before a restart counts no more where it is not listed."""
        self.node.stop()
        self.lose(1)
        again = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, again)
        again.start()
        again.pass_time(5)
        self.assertEqual((self.held_by(1), self.ring_at(1)), (self.held_by(0), self.ring_at(0)))

    def test_a_later_entry_is_no_beginning(self) -> None:
        """A supplier that lost a log without notice asks for its beginning, and all of it comes."""
        self.lose(1)
        self.node.create("four")
        self.node.pass_time(5)
        self.assertEqual(self.held_by(1), self.held_by(0))

    def test_a_log_counts_with_its_key_ring(self) -> None:
        """An entry is not safe where the secrets that open it are not."""
        mine = self.node.me.device.id
        replicas = self.core.log_replicas
        self.node.pass_time(1)
        self.assertEqual(replicas.holders("master", mine, 1), 4)
        self.lose(1)
        self.lose(2)
        ring = self.core.key_ring_replicas
        for number in (1, 2):
            ring._note(self.around.suppliers[number].fingerprint, [])
        self.assertEqual((replicas.holders("master", mine, 1), replicas.safe_sequence("master")), (2, 0))
        ring.suppliers_changed()
        self.node.pass_time(5)
        self.assertEqual(replicas.holders("master", mine, 1), 4)
