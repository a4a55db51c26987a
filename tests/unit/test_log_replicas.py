"""Logs and key rings at suppliers that are behind, that contradict, or that change; and writing while keys are away."""

import os
import shutil
from functools import partial
from types import SimpleNamespace
from unittest import mock

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.crypt.boxes import open_box
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import MASTER, KeyRing, RingKey
from bitdust.formats.log_entry import LogName
from bitdust.formats.log_packet import LogPacket
from bitdust.formats.operations import item_op
from bitdust.identity.document import Device
from bitdust.replication import Replicas, is_safe, members
from bitdust.storage.catalog.catalog import LogEnd
from bitdust.storage.log import replica
from bitdust.storage.log.writer import Marks
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from tests.unit.storage_kit import Node, PeerFailed, network, stop_quietly
from tests.unit.supplier_kit import START, log_of

FOUR = [bytes([number]) * 32 for number in range(4)]


class LogCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        for name in ("one", "two", "three"):
            self.node.create(name)

    @property
    def core(self):
        return self.node.storage.core

    def held_by(self, number: int, device: bytes | None = None) -> list[int]:
        """Sequences of a device's log that one supplier holds."""
        database = self.around.suppliers[number].shop.store._writer
        query = "SELECT sequence FROM log WHERE device=? ORDER BY sequence"
        return [row[0] for row in database.execute(query, (device or self.node.me.device.id,))]

    def states(self, key: str = MASTER) -> list[str]:
        """Of the replicas of a key's log, in order of suppliers."""
        found = self.core.log_replicas._replicas[key].states()
        return [found[supplier.fingerprint] for supplier in self.around.suppliers]


class BehindTests(LogCase):
    def test_a_supplier_that_lost_the_end_of_the_log(self) -> None:
        """A supplier that was set back to an older copy is brought everything behind it; my device key stays."""
        database = self.around.suppliers[2].shop.store._writer
        database.execute("DELETE FROM log WHERE sequence>1")
        database.execute("DELETE FROM heads")
        self.node.create("four")
        self.node.pass_time(5)
        self.assertEqual(self.held_by(2), self.held_by(0))
        self.assertEqual((self.node.taken, self.states()), (0, ["CURRENT"] * 4))

    def test_a_supplier_that_contradicts_is_not_argued_with(self) -> None:
        """It is asked again once a minute; the log is safe by the others, and becomes whole when it comes to reason."""
        supplier = self.around.suppliers[3]
        sent: list[Command] = []
        original = supplier.ask

        def contradict(me, command, fields, payload, deadline):
            if (command, fields.get("kind")) != (Command.DATA, "log"):
                return original(me, command, fields, payload, deadline)
            sent.append(command)
            return fail(PeerFailed({"code": "conflict", "text": "no", "sequence": 99, "hash": bytes(32)}))

        supplier.ask = contradict
        self.node.create("four")
        self.node.pass_time(30)
        self.assertEqual((self.states()[3], len(sent), self.core.log_replicas.synchronized), ("DISAGREES", 1, True))
        supplier.ask = original
        self.node.pass_time(60)
        self.assertEqual((self.states()[3], self.held_by(3)), ("CURRENT", self.held_by(0)))

    def test_a_supplier_that_takes_no_entries(self) -> None:
        """For how long it does not is known, so that a place which it has got can go to another one."""
        supplier, placement = self.around.suppliers[3], self.node.storage.placement
        original = supplier.ask

        def refuse(me, command, fields, payload, deadline):
            if (command, fields.get("kind")) != (Command.DATA, "log"):
                return original(me, command, fields, payload, deadline)
            return fail(PeerFailed({"code": "no-space", "text": "the catalog log is full"}))

        supplier.ask = refuse
        self.node.create("four")
        self.node.pass_time(650)
        self.assertGreater(placement.refusing_for(supplier.fingerprint), 600)
        self.assertEqual(placement.refusing_for(self.around.suppliers[2].fingerprint), 0)
        supplier.ask = original
        self.node.pass_time(70)
        self.assertEqual(placement.refusing_for(supplier.fingerprint), 0)

    def test_silence(self) -> None:
        """Pauses after a silent supplier grow, so that it is not asked all the time."""
        supplier = self.around.suppliers[3]
        original, asked = supplier.ask, []

        def silent(me, command, fields, payload, deadline):
            if (command, fields.get("kind")) != (Command.DATA, "log"):
                return original(me, command, fields, payload, deadline)
            asked.append(self.node.clock.seconds())
            return fail(BitDustError("no-answer", "nothing was said"))

        supplier.ask = silent
        self.node.create("four")
        self.node.pass_time(64)
        pauses = [later - earlier for earlier, later in zip(asked, asked[1:], strict=False)]
        self.assertEqual([round(pause) for pause in pauses], [2, 4, 8, 16, 32])


class ComingTests(LogCase):
    def test_suppliers_that_come_one_by_one(self) -> None:
        """After a start suppliers come one after the other; those who come while the first is asked count at once."""
        first, *others = self.around.suppliers
        self.node.stop()
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        self.node.start()
        self.node.pass_time(1)
        self.assertEqual(self.core.log_replicas.machine.state, "NO_INFO")
        original = first.ask

        def come(me, command, fields, payload, deadline):
            answer = original(me, command, fields, payload, deadline)
            for supplier in others:
                supplier.mode = "fine"
            return answer

        first.mode, first.ask = "fine", come
        self.core.suppliers_changed()
        self.node.pass_time(1)
        self.assertTrue(self.core.log_replicas.synchronized)
        self.assertTrue(self.core.key_ring_replicas.synchronized)

    def test_why_it_is_not_in_sync(self) -> None:
        """Reading that takes too long, suppliers that are away, and those that lack entries are told apart."""
        pull = self.core.log_replicas._pull
        with mock.patch.object(pull, "_recover", lambda *arguments: Deferred()):
            self.core.log_replicas.pull_again()
            self.node.pass_time(901)
        self.assertEqual(self.core.log_replicas.machine.state, "NO_INFO")
        self.assertIn("could not be read in 15 minutes", self.core.log_replicas.reason)
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        self.core.log_replicas.pull_again()
        self.node.pass_time(1)
        self.assertEqual(self.core.log_replicas.reason, "too few suppliers were heard")
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.core.suppliers_changed()
        self.node.pass_time(5)
        self.assertEqual((self.core.log_replicas.machine.state, self.core.log_replicas.reason), ("IN_SYNC!", ""))
        with mock.patch.object(self.core.log_replicas, "is_safe", lambda: False):
            self.core.log_replicas.suppliers_changed()
            self.assertEqual(self.core.log_replicas.reason, "too few suppliers hold all of it")

    def test_those_who_are_no_suppliers_any_more(self) -> None:
        """Where the log of a former supplier was cut off is forgotten at the next comparison."""
        noted, log = self.core.log_replicas._pull._noted, LogName(self.node.me.fingerprint, None, bytes(8))
        former, present = b"f" * 32, self.around.suppliers[0].fingerprint
        for who in (former, present):
            noted.note_cut((who, log), (1, LogEnd()), (1, LogEnd()), [LogEnd(3, b"h" * 32)])
        self.core.log_replicas.pull_again()
        self.node.pass_time(2)
        self.assertEqual([who for who, _ in noted.cut], [present])


class KeyRingTests(LogCase):
    def test_a_ring_that_is_contradicted(self) -> None:
        """A supplier that holds another ring of the same revision makes me compare, and both become the next one."""
        supplier, original = self.around.suppliers[0], self.around.suppliers[0].ask
        refused: list[Command] = []

        def once(me, command, fields, payload, deadline):
            if (command, fields.get("kind")) != (Command.DATA, "keyring") or refused:
                return original(me, command, fields, payload, deadline)
            refused.append(command)
            return fail(PeerFailed({"code": "conflict", "text": "another keyring is kept"}))

        supplier.ask = once
        self.node.me.key_ring.add(RingKey("photos"))
        self.core.key_ring_replicas.keys_changed()
        self.node.pass_time(5)
        self.assertEqual((len(refused), self.core.key_ring_replicas.synchronized), (1, True))
        self.assertTrue(all(self.core.key_ring_replicas.is_held_by(one.fingerprint) for one in self.around.suppliers))

    def test_a_log_follows_the_secrets_that_open_it(self) -> None:
        """Where a ring with new secrets has not come yet, nothing is brought that they alone open: a home that is lost
        then leaves a recovery that reads what was before, and not one that waits for a key which nobody has."""
        self.node.pass_time(5)
        before, me, asks = self.held_by(0), self.node.me, [supplier.ask for supplier in self.around.suppliers]
        silent = self.around.suppliers[0]._say_nothing

        def ask(number: int, *asked):
            is_ring = asked[1] is Command.DATA and asked[2].get("kind") == "keyring"
            return silent(self.node.clock, asked[4]) if is_ring else asks[number](*asked)

        for number, supplier in enumerate(self.around.suppliers):
            supplier.ask = partial(ask, number)
        me.key_ring.renew_secrets(os.urandom, me.device_number)
        me.save_key_ring()
        self.core.key_ring_replicas.keys_changed()
        self.node.create("four")
        self.node.pass_time(5)
        self.assertEqual([self.held_by(number) for number in range(4)], [before] * 4)
        for number, supplier in enumerate(self.around.suppliers):
            supplier.ask = asks[number]
        again = Node(self.base / "again", self.around, Clock(), before=self.node)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(5)
        self.assertEqual([row["path"] for row in again.rows()], ["one", "three", "two"])
        self.node.pass_time(60)
        self.assertEqual(self.held_by(0), self.held_by(3))
        self.assertGreater(len(self.held_by(0)), len(before))

    def test_two_devices_unite_their_rings(self) -> None:
        """What another device has added meanwhile is in the ring that I bring, and comes back to it."""
        second = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, second)
        second.start()
        self.node.me.replace_document(second.me.document)
        for node, name in ((second, "theirs"), (self.node, "mine")):
            node.me.key_ring.add(RingKey(name))
            node.storage.core.key_ring_replicas.keys_changed()
            node.pass_time(5)
        self.assertIn("theirs", self.node.me.key_ring)
        second.storage.core.key_ring_replicas.keys_changed()
        second.pass_time(5)
        self.assertIn("mine", second.me.key_ring)

    def test_a_device_that_is_revoked_before_the_ring_is_back(self) -> None:
        """It knows the secrets of a ring that others had: what a recovered node seals is sealed under new ones."""
        self.node.pass_time(5)
        again = Node(self.base / "again", self.around, Clock(), before=self.node)
        self.addCleanup(stop_quietly, again)
        me, stolen = again.me, self.node.me.key_ring.current(MASTER)
        gone = Device(7, 1, bytes(32), me.document.revision + 1, 0)
        me.replace_document(me.revise(devices=(*me.document.devices, gone)))
        again.start().pass_time(5)
        self.assertIn(stolen, me.key_ring.get(MASTER).named)
        self.assertNotIn(stolen, me.key_ring.get(MASTER).usable)
        self.assertTrue(again.storage.core.key_ring_replicas.synchronized)
        self.assertEqual([row["path"] for row in again.rows()], ["one", "three", "two"])

    def signed_ring(self, device: DeviceKey, revision: int, **secrets: bytes) -> bytes:
        """A ring of this identity's that some device signed; secrets of the master key by name, as ``n7``."""
        ring = KeyRing()
        ring.add(RingKey(MASTER, secrets={int(name[1:]): (secret,) for name, secret in secrets.items()}))
        sealed = self.node.me.master.public.seal(ring.to_bytes())
        body = encode({"owner": self.node.me.fingerprint, "revision": revision, "sealed": sealed})
        return device.sign_record("keyring", body).to_bytes()

    def rings_at(self, number: int) -> list[KeyRing]:
        """What a supplier keeps, the newest first."""
        store, me = self.around.suppliers[number].shop.store, self.node.me
        keys = me.device, me.master
        kept = [store.record(me.fingerprint, "keyring", back) for back in range(12)]
        return [
            KeyRing.from_bytes(open_box(decode(Signed.from_bytes(data, "keyring").body, 2**20)["sealed"], *keys))
            for data in kept
            if data is not None
        ]

    def test_strangers_have_no_ring(self) -> None:
        """A recovered node that hears of no ring makes none and writes none, says so, and goes on when it is there."""
        true = self.node.me.key_ring.current(MASTER)
        self.node.kill()
        rows = []
        for supplier in self.around.suppliers:
            writer = supplier.shop.store._writer
            rows.append(writer.execute("SELECT * FROM records").fetchall())
            writer.execute("DELETE FROM records")
        again = Node(self.base / "again", self.around, Clock(), before=self.node)
        self.addCleanup(stop_quietly, again)
        replicas = again.start().storage.core.key_ring_replicas
        again.pass_time(60)
        self.assertEqual((replicas.ready, again.me.key_ring.keys), (False, {}))
        self.assertIn("start over", replicas.reason)
        self.assertEqual([self.rings_at(number) for number in range(4)], [[]] * 4)
        one = self.around.suppliers[2].shop.store._writer
        one.executemany("INSERT INTO records VALUES(?, ?, ?, ?, ?, ?)", rows[2])
        again.pass_time(30)
        self.assertEqual(again.me.key_ring.current(MASTER), true)
        self.assertTrue(replicas.synchronized)
        self.assertEqual([self.rings_at(number)[0] for number in range(4)], [again.me.key_ring] * 4)

    def test_starting_over(self) -> None:
        """On the person's word a recovered node makes secrets of its own; a true ring that comes later is united."""
        true = self.node.me.key_ring.current(MASTER)
        self.node.kill()
        for supplier in self.around.suppliers[:3]:
            supplier.shop.store._writer.execute("DELETE FROM records")
        self.around.suppliers[3].mode = "away"
        again = Node(self.base / "again", self.around, Clock(), before=self.node)
        self.addCleanup(stop_quietly, again)
        replicas = again.start().storage.core.key_ring_replicas
        again.me.start_over()
        again.pass_time(30)
        mine = again.me.key_ring.current(MASTER)
        self.assertTrue(replicas.synchronized)
        self.around.suppliers[3].mode = "fine"
        replicas.suppliers_changed()
        replicas.keys_changed()
        again.pass_time(30)
        self.assertEqual(dict(again.me.key_ring.get(MASTER).named), dict((true, mine)))
        self.assertEqual([self.rings_at(number)[0] for number in range(4)], [again.me.key_ring] * 4)

    def test_a_ring_that_comes_late_is_read_before_mine_takes_its_place(self) -> None:
        """However many keys were made meanwhile: mine is the newer one, and the true one is united with it first."""
        true = self.node.me.key_ring.current(MASTER)
        self.node.kill()
        for supplier in self.around.suppliers[:3]:
            supplier.shop.store._writer.execute("DELETE FROM records")
        self.around.suppliers[3].mode = "away"
        again = Node(self.base / "again", self.around, Clock(), before=self.node)
        self.addCleanup(stop_quietly, again)
        replicas = again.start().storage.core.key_ring_replicas
        again.me.start_over()
        again.pass_time(30)
        for name in ("photos", "songs", "films"):
            again.me.key_ring.add(RingKey(name, "made meanwhile"))
            again.me.save_key_ring()
            replicas.keys_changed()
            again.pass_time(5)
        mine = again.me.key_ring.current(MASTER)
        self.around.suppliers[3].mode = "fine"
        replicas.suppliers_changed()
        again.pass_time(30)
        self.assertEqual(dict(again.me.key_ring.get(MASTER).named), dict((true, mine)))
        self.assertEqual([self.rings_at(number)[0] for number in range(4)], [again.me.key_ring] * 4)

    def test_all_rings_are_united(self) -> None:
        """A recovering node takes in every ring that a supplier keeps, also those before the newest."""
        device, (name, secret) = self.node.me.device, self.node.me.key_ring.current(MASTER)
        self.node.kill()
        store = self.around.suppliers[1].shop
        for revision, more in ((11, {"n7": b"7" * 32}), (12, {"n1": b"8" * 32})):
            said = store.ask(self.node.person(), Command.DATA, "keyring", self.signed_ring(device, revision, **more))
            self.assertEqual(said.command, Command.ACK)
        again = Node(self.base / "again", self.around, Clock(), before=self.node)
        self.addCleanup(stop_quietly, again)
        again.start()
        again.pass_time(5)
        ring = again.me.key_ring
        self.assertEqual(ring.secrets(MASTER, 7), (b"7" * 32,))
        self.assertEqual(ring.secrets(MASTER, name), tuple(sorted((secret, b"8" * 32))))
        self.assertEqual([self.rings_at(number)[0] for number in range(4)], [ring] * 4)

    def test_a_ring_of_a_revoked_device(self) -> None:
        """What a revoked device's ring brings opens old things, seals nothing new, and is replaced by mine."""
        before, me = self.node.me.key_ring.current(MASTER), self.node.me
        stolen = DeviceKey.generate(os.urandom)
        revision = me.document.revision + 1
        devices = (*me.document.devices, Device(9, revision, stolen.public, revoked=revision, sequence=0))
        for supplier in self.around.suppliers:
            supplier.shop.store._writer.execute(
                "INSERT INTO records(customer, kind, revision, device, signed) VALUES(?, 'keyring', ?, ?, ?)",
                (me.fingerprint, 2**62, stolen.id, self.signed_ring(stolen, 2**62, n999999=b"t" * 32)),
            )
        me.replace_document(me.revise(devices=devices))
        self.core.key_ring_replicas.keys_changed()
        self.node.pass_time(5)
        self.assertTrue(self.core.key_ring_replicas.synchronized)
        self.assertEqual(me.key_ring.secrets(MASTER, 999999), (b"t" * 32,))
        self.assertEqual(me.key_ring.current(MASTER), before)
        self.assertEqual([self.rings_at(number)[0] for number in range(4)], [me.key_ring] * 4)

    def test_another_secret_of_one_name(self) -> None:
        """A ring that has one secret of a name opens nothing that another one of that name has sealed."""
        replicas, ring, who = self.core.key_ring_replicas, self.node.me.key_ring, self.around.suppliers[0].fingerprint
        self.assertTrue(replicas.opens_at(who, MASTER))
        name, secret = ring.current(MASTER)
        ring.keys[MASTER] = evolve(ring.keys[MASTER], secrets={name: (secret, b"x" * 32)})
        self.assertFalse(replicas.opens_at(who, MASTER))
        self.node.me.save_key_ring()
        replicas.keys_changed()
        self.node.pass_time(5)
        self.assertTrue(replicas.opens_at(who, MASTER))

    def test_garbage_is_nobody_heard(self) -> None:
        """Suppliers that give something else in place of my ring do not count as heard."""
        replicas = self.core.key_ring_replicas
        for supplier in self.around.suppliers[:3]:
            supplier.shop.store._writer.execute("UPDATE records SET signed=x'00' WHERE kind='keyring'")
        replicas.keys_changed()
        self.assertEqual((replicas.machine.state, replicas.synchronized), ("NO_INFO", False))
        self.assertIn("too few suppliers", replicas.reason)


class FormerDevicesTests(LogCase):
    def setUp(self) -> None:
        super().setUp()
        self.node.pass_time(5)

    def again(self) -> Node:
        """A recovered node whose document has it alone; the first device is a former one there."""
        self.node.kill()
        node = Node(self.base / "again", self.around, Clock(), before=self.node)
        self.addCleanup(stop_quietly, node)
        mine = node.me.document.device(node.me.device.id)
        node.me.replace_document(node.me.revise(devices=(mine,)))
        return node.start()

    def wipe(self, number: int) -> None:
        """A supplier has nothing of logs and key rings any more."""
        for table in ("log", "heads", "records"):
            self.around.suppliers[number].shop.store._writer.execute(f"DELETE FROM {table}")

    def signers(self, number: int) -> set[bytes]:
        """Who signed the heads that a supplier holds."""
        heads = self.around.suppliers[number].shop.store.heads(self.node.me.fingerprint)
        return {Signed.from_bytes(head, "head").device for head in heads}

    def ring_signer(self, number: int) -> bytes:
        """Who signed the newest key ring that a supplier holds."""
        record = self.around.suppliers[number].shop.store.record(self.node.me.fingerprint, "keyring")
        return Signed.from_bytes(record, "keyring").device

    def test_heads_are_signed_again(self) -> None:
        """Soon after a recovery no supplier holds a head, or has a newest key ring, that depends on a former device."""
        self.assertEqual(self.signers(0), {self.node.me.device.id})
        node = self.again()
        node.pass_time(30)
        self.assertEqual([self.signers(number) for number in range(4)], [{node.me.device.id}] * 4)
        self.assertEqual([self.ring_signer(number) for number in range(4)], [node.me.device.id] * 4)
        self.assertEqual([row["path"] for row in node.rows()], ["one", "three", "two"])
        self.assertTrue(node.storage.core.log_replicas.synchronized)

    def assert_log_is_at(self, number: int, node: Node) -> None:
        """A supplier holds all that the first device wrote, and another recovery reads it there."""
        node.pass_time(30)
        self.assertEqual(self.held_by(number, self.node.me.device.id), self.held_by(3, self.node.me.device.id))
        self.assertTrue(node.storage.core.log_replicas.is_held_by(self.around.suppliers[number].fingerprint))
        for supplier in self.around.suppliers[1:3]:
            supplier.mode = "away"
        node.kill()
        last = Node(self.base / "last", self.around, Clock(), before=node)
        self.addCleanup(stop_quietly, last)
        last.start()
        last.pass_time(5)
        self.assertEqual([row["path"] for row in last.rows()], ["one", "three", "two"])

    def test_a_new_supplier_gets_the_log_of_a_former_device(self) -> None:
        """It is brought to one that has nothing, so that a place can change hands."""
        self.wipe(0)
        self.assert_log_is_at(0, self.again())

    def test_a_new_supplier_gets_the_log_of_a_device_that_is_forgotten(self) -> None:
        """The same for a device that the document does not name any more."""
        node = self.again()
        node.pass_time(30)
        node.me.replace_document(node.me.revise(gone=()))
        self.assertIsNone(node.me.document.device(self.node.me.device.id))
        self.wipe(0)
        for one in node.storage.core.log_replicas._logs.values():
            for device in one.devices():
                one.holdings.set(self.around.suppliers[0].fingerprint, device, 0)
        node.storage.core.log_replicas.pull_again()
        node.storage.core.key_ring_replicas.keys_changed()
        self.assert_log_is_at(0, node)

    def test_who_may_sign_for_another(self) -> None:
        """A device that counts vouches for the log of another one; one that does not count signs its own alone."""
        store, me = self.around.suppliers[0].shop, self.node.me
        other = DeviceKey.generate(os.urandom)
        data = log_of(store.store, me.fingerprint, me.device.id)[-1]
        heads = [Signed.from_bytes(head, "head") for head in store.store.heads(me.fingerprint)]
        packet = LogPacket((data,), ()).to_bytes()
        devices = (*me.document.devices, Device(5, 2, other.public))
        for revoked, word in ((None, Command.ACK), (2, Command.FAIL)):
            living = evolve(devices[-1], revoked=revoked, sequence=0 if revoked else None)
            me.replace_document(me.revise(devices=(*devices[:-1], living)))
            signed = other.sign_record("head", heads[0].body).to_bytes()
            said = store.ask(self.node.person(), Command.DATA, "log", packet, head=signed)
            self.assertEqual(said.command, word)
        self.assertEqual(self.signers(0), {other.id})


class ForkTests(LogCase):
    def copied(self, more: bool = True) -> tuple[Node, Node]:
        """This home and a copy of it, both running; the original has written ``more``."""
        self.node.stop()
        shutil.copytree(self.node.home, self.base / "copy")
        original, copy = (
            Node(home, self.around, self.node.clock).start() for home in (self.node.home, self.base / "copy")
        )
        for node in (original, copy):
            self.addCleanup(stop_quietly, node)
        if more:
            original.create("four")
        original.pass_time(1)
        return original, copy

    def assert_all_is_there(self, original: Node, copy: Node) -> None:
        self.assertNotEqual(copy.me.device.id, original.me.device.id)
        original.me.replace_document(copy.me.document)
        original.storage.sync()
        original.pass_time(10)
        names = ["five", "four", "one", "three", "two"]
        self.assertEqual([row["path"] for row in original.rows()], names)
        self.assertTrue(copy.storage.core.log_replicas.synchronized)

    def test_a_copy_that_was_cut_off(self) -> None:
        """One that was cut off amid a long log has left entries that lead to no head; the other home goes on."""
        original, copy = self.copied(more=False)
        self.patch(replica, "MOST_ENTRIES", 1)
        end = original.storage.core.catalog.end(MASTER, original.me.device.id).sequence
        with mock.patch.object(original.storage.core.log_replicas, "push"):
            for number in range(3):
                original.create(f"more-{number}")
        for number, supplier in enumerate(self.around.suppliers):

            def ask(me, command, fields, *more, answer=supplier.ask, number=number):
                is_log = (command, fields.get("kind")) == (Command.DATA, "log")
                is_cut = is_log and me is original and self.held_by(number)[-1] > end
                return Deferred() if is_cut else answer(me, command, fields, *more)

            supplier.ask = ask
        original.storage.core.log_replicas.push()
        original.pass_time(3)
        self.assertEqual([self.held_by(number)[-1] for number in range(4)], [end + 1] * 4)
        original.kill()
        self.assertEqual(copy.taken, 0)
        copy.create("five")
        copy.pass_time(600)
        self.assertEqual((copy.taken, copy.storage.core.log_replicas.synchronized), (1, True))
        self.assertEqual([row["path"] for row in copy.rows()], ["five", "one", "three", "two"])

    def test_killed_before_the_new_key(self) -> None:
        """Killed when the fork is only written down, the copy takes its own key at its next start; nothing is lost."""
        original, copy = self.copied()
        copy.storage.core.log_replicas._fork.resume = Deferred
        copy.create("five")
        copy.pass_time(5)
        self.assertTrue(copy.storage.core.log_replicas._fork.is_open)
        self.assertEqual(copy.taken, 0)
        self.assertEqual([one["device_id"] for one in copy.events_of("device-copied")], [copy.me.device.id.hex()])
        copy.kill()
        copy = Node(copy.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, copy)
        copy.pass_time(100)
        self.assertFalse(copy.storage.core.log_replicas._fork.is_open)
        self.assertEqual(copy.taken, 1)
        told = copy.storage.core.log_replicas.copied
        self.assertEqual((told.device, told.is_open), (original.me.device.id, False))
        self.assert_all_is_there(original, copy)

    def test_killed_behind_the_new_key(self) -> None:
        """Killed with a new key and nothing said under it, the copy says it at its next start, and takes no third."""
        original, copy = self.copied()
        fork = copy.storage.core.log_replicas._fork
        writer = fork.renewal._writer
        fork.renewal._writer = SimpleNamespace(catalog=writer.catalog, logs=writer.logs, write=lambda *_: Deferred())
        copy.create("five")
        copy.pass_time(5)
        self.assertEqual((copy.taken, fork.is_open), (1, True))
        copy.kill()
        copy = Node(copy.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, copy)
        copy.pass_time(100)
        self.assertEqual(copy.taken, 0)
        self.assert_all_is_there(original, copy)


class WriterTests(LogCase):
    def test_keys_that_are_not_back(self) -> None:
        """Before the key ring has come back every write is refused with its code; later ones are written."""
        writer, me = self.core.log_writer, self.node.me
        ring, me._ring = me.key_ring, KeyRing()
        op = item_op("9", "", b"late", "file", MASTER, 0)
        waiting = [writer.write([op]), writer.write(lambda database: [op])]
        for one in waiting:
            self.assertEqual(self.failureResultOf(one, BitDustError).value.code, "keys-not-ready")
        me._ring = ring
        self.assertGreater(self.successResultOf(writer.write([op])), 0)
        self.assertIn("late", [row["path"] for row in self.node.rows()])

    def test_a_refused_write_does_not_disturb_the_others(self) -> None:
        """Of writes that share a transaction each has its own end; nothing to say is no entry."""
        writer = self.core.log_writer
        held: list = []
        change = writer.catalog.change
        writer.catalog.change = lambda call: held.append((call, Deferred())) or held[-1][1]

        def refuse(database):
            raise BitDustError("exists", "it exists already")

        first = writer.write([item_op("8", "", b"first", "file", MASTER, 0)])
        bad, good = writer.write(refuse), writer.write([item_op("9", "", b"good", "file", MASTER, 0)])
        writer.catalog.change = change
        call, done = held[0]
        change(call).chainDeferred(done)
        self.assertEqual(self.failureResultOf(bad, BitDustError).value.code, "exists")
        self.assertGreater(self.successResultOf(good), self.successResultOf(first))
        self.assertEqual(self.successResultOf(writer.write([])), 0)

    def test_what_a_refused_write_has_changed(self) -> None:
        """Nothing of it stays: who takes back what it says again, as after a fork, would say it no more."""
        writer, ring, made = self.core.log_writer, self.node.me.key_ring, []
        ring.add(RingKey("other", secrets={1: (b"s" * 32,)}, scopes=frozenset({b"t" * 16})))
        ring.keys["other"] = ring.keys["other"].all_retired()

        def again(database):
            names = [name for (name,) in database.execute("DELETE FROM seen RETURNING path").fetchall()]
            return [item_op("9", "", name.encode(), "file", "other", 0) for name in names]

        def refused(database):
            again(database)
            raise BitDustError("too-many-keys", "there is no room for a secret")

        note = "INSERT INTO seen VALUES('said again', '', 0, 0, 0, 0, 0)"
        self.successResultOf(self.core.catalog.change(lambda database: database.execute(note)))
        self.failureResultOf(writer.write(refused), BitDustError)
        make_secret = writer.make_secret
        writer.make_secret = lambda key: (made.append(key), make_secret(key))
        self.assertGreater(self.successResultOf(writer.write(again)), 0)
        self.assertEqual(made, ["other"])
        self.assertIn("said again", [row["path"] for row in self.node.rows()])

    def test_a_catalog_that_is_closed(self) -> None:
        """Whoever writes behind the end is told so."""
        self.core.catalog.drop()
        failed = self.core.log_writer.write([item_op("9", "", b"late", "file", MASTER, 0)])
        self.assertEqual(self.failureResultOf(failed, BitDustError).value.code, "catalog-closed")


class MarkTests(SynchronousTestCase):
    def test_in_order(self) -> None:
        """A mark is safe when everything up to it is, whichever logs it went to."""
        marks, safe = Marks(), {"a": 0, "b": 0}
        first, second = marks.add({"a": 3}), marks.add({"a": 4, "b": 1})
        self.assertEqual((marks.add({}), first < second), (0, True))

        def states() -> list[bool]:
            return [marks.is_safe(mark, safe.__getitem__) for mark in (0, first, second)]

        self.assertEqual(states(), [True, False, False])
        safe["a"] = 4
        self.assertEqual(states(), [True, True, False])
        safe["b"] = 1
        self.assertEqual(states(), [True, True, True])


class Notebook:
    """A record whose suppliers are given to it by the test."""

    def __init__(self) -> None:
        self.held: set[bytes] = set()
        self.asked: list[bytes] = []

    def is_held_by(self, supplier: bytes) -> bool:
        return supplier in self.held

    def deliver(self, supplier: bytes) -> Deferred:
        self.asked.append(supplier)
        return Deferred()

    def compare(self, supplier: bytes, error: BaseException) -> Deferred:
        return succeed(False)


class ReplicasTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.record = Notebook()
        self.online = set(FOUR)
        self.clock = Clock()
        self.replicas = Replicas(Registry(self.clock, lambda: 0.0), "note", self.record, self.online.__contains__)
        self.addCleanup(self.replicas.stop)

    def test_those_who_leave_are_left_alone(self) -> None:
        """A supplier that is no longer to hold the record has no machine any more; the others go on."""
        self.replicas.place_at(FOUR)
        self.replicas.place_at(FOUR[1:])
        self.assertEqual(self.replicas.states(), dict.fromkeys(FOUR[1:], "SENDING"))
        self.assertEqual(self.record.asked, FOUR)

    def test_only_what_can_be_reached_is_asked(self) -> None:
        """Who is away waits, and is asked when it comes; who holds the record is not asked."""
        self.online.discard(FOUR[0])
        self.record.held.add(FOUR[1])
        self.replicas.place_at(FOUR[:2])
        self.assertEqual((self.record.asked, list(self.replicas.states().values())), ([], ["BEHIND", "CURRENT"]))
        self.online.add(FOUR[0])
        self.replicas.place_at(FOUR[:2])
        self.record.held.discard(FOUR[1])
        self.replicas.update()
        self.assertEqual(self.record.asked, FOUR[:2])

    def test_for_how_long_a_supplier_takes_nothing(self) -> None:
        """From its first refusal, or silence, until it takes something again; not while it is away."""
        refusing = FOUR[0]
        self.record.deliver = lambda supplier: fail(BitDustError("no-space", "no room for records"))
        self.replicas.place_at(FOUR[:1])
        self.clock.pump([10.0] * 12)
        self.assertEqual(self.replicas.refusing_for(refusing), 120)
        self.online.discard(refusing)
        self.assertEqual(self.replicas.refusing_for(refusing), 0)
        self.online.add(refusing)
        self.record.deliver = lambda supplier: self.record.held.add(supplier) or succeed(None)
        self.clock.advance(60)
        self.assertEqual(self.replicas.refusing_for(refusing), 0)

    def test_how_many_are_enough(self) -> None:
        """Any k suppliers that come back include one that holds a safe record."""
        family = Family(b"c" * 32, 1, 2, 4, START, [*FOUR[:3], None])
        self.assertEqual(members(family), FOUR[:3])
        self.assertEqual(members(None), [])
        for count, safe in ((2, False), (3, True)):
            self.assertIs(is_safe(family, FOUR[:count].__contains__), safe)
        self.assertFalse(is_safe(None, FOUR.__contains__))
