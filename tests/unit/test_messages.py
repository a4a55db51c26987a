"""Private messages between devices: once each, in order, whatever is lost on the way, and whoever dies."""

import sqlite3
from contextlib import closing
from random import Random

from attrs import evolve

from bitdust.crypt.device import DeviceKey
from bitdust.identity.document import IdentityDocument
from bitdust.peers.waking import WITHIN
from bitdust.people.messages import desk as desk_module
from bitdust.people.messages.desk import FAILED, KEPT
from bitdust.people.messages.incoming import CONSUMED, GAP, STORED
from bitdust.people.messages.prekeys import DAY
from bitdust.wire.encoding import WireError
from bitdust.wire.envelopes import Envelope, unpack
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import MAX_DATA, conversation_of
from bitdust.wire.prekeys import DEPOSIT, ENVELOPES
from tests.unit.message_kit import LOST, PASSES, UNHEARD, Node, PostCase


class DirectTests(PostCase):
    def test_acknowledged_when_it_is_stored(self) -> None:
        """A message is there at once, stored by both, and acknowledged; answers go the other way."""
        sent = self.send(self.alice, self.bob)
        self.assertEqual(self.successResultOf(sent.arrived), STORED)
        (message,) = self.bob.history.messages
        self.assertEqual((message.sender, message.sender_device), (self.alice.me.fingerprint, self.alice.me.device.id))
        self.assertEqual((message.direction, message.sequence, message.recipient_key), ("incoming", 1, "master"))
        self.assertEqual(message.conversation, conversation_of(self.alice.me.fingerprint, self.bob.me.fingerprint))
        self.assertEqual(self.alice.written, ["hello"])
        self.send(self.bob, self.alice, "hello too")
        self.assertEqual(self.alice.texts, ["hello too"])
        self.assertEqual(self.alice.messages.letters.desk.rows, {})

    def test_consumed(self) -> None:
        """The sender is told when a program was listening."""
        self.bob.listeners.listening = True
        self.assertEqual(self.successResultOf(self.send(self.alice, self.bob).arrived), CONSUMED)

    def test_not_acknowledged_before_it_is_stored(self) -> None:
        """While the recipient's disk takes nothing nothing is acknowledged; it comes when the disk is well again."""
        self.bob.history.broken = True
        sent = self.send(self.alice, self.bob)
        self.assertNoResult(sent.arrived)
        self.bob.history.broken = False
        self.passes(60)
        self.assertEqual(self.bob.texts, ["hello"])
        self.assertEqual(self.alice.messages.letters.desk.rows, {})

    def test_nobody_is_followed_for_nothing(self) -> None:
        """When nothing waits for anybody no machine is left for that after an hour; the next message goes as well."""
        self.send(self.alice, self.bob, 1)
        self.office.clock.advance(3601)
        names = {machine.name for machine in self.alice.registry}
        self.assertEqual(names & {"message_courier", "message_addressee"}, set())
        self.send(self.alice, self.bob, 2)
        self.assertEqual(self.bob.texts, [1, 2])

    def test_the_network_is_back(self) -> None:
        """Devices that were away are called within seconds when the network is back, none of them in that moment."""
        others = [self.add(name) for name in ("carol", "dave")] + [self.bob]
        for other in others:
            self.office.meet(self.alice, other)
            other.stop()
            self.send(self.alice, other)
        self.passes(3600)
        called: set[bytes] = set()
        for courier in self.alice.messages.letters.desk.couriers.values():
            call, person = courier.call, courier.device[0]
            self.patch(courier, "call", lambda call=call, person=person: (called.add(person), call())[1])
        self.alice.messages.network_is_back()
        self.assertEqual(called, set())
        self.passes(WITHIN)
        self.assertEqual(called, {other.me.fingerprint for other in others})

    def test_what_is_no_message(self) -> None:
        """No JSON object, more than a megabyte, or a service that is off: an error, and nothing is sent."""
        frame = len(b'{"x":""}')
        for data, code in (("text", "bad-message"), ({"x": "a" * (MAX_DATA - frame + 1)}, "too-large")):
            failure = self.failureResultOf(self.alice.messages.send(self.bob.me.fingerprint, data), WireError)
            self.assertEqual(failure.value.code, code)
        whole = {"text": "a" * (MAX_DATA - len(b'{"text":""}'))}
        self.successResultOf(self.alice.messages.send(self.bob.me.fingerprint, whole))
        self.assertEqual([len(text) for text in self.bob.texts], [len(whole["text"])])
        self.alice.stop()
        error = self.assertRaises(BitDustError, self.alice.messages.send, self.bob.me.fingerprint, {"x": 1})
        self.assertEqual(error.code, "no-service")
        self.alice.start()

    def test_notes_to_myself(self) -> None:
        """What is written to oneself is stored, and waits for nobody."""
        sent = self.send(self.alice, self.alice, "note")
        self.assertEqual(self.successResultOf(sent.arrived), STORED)
        self.assertEqual((self.alice.written, self.alice.messages.letters.desk.rows), (["note"], {}))

    def test_both_at_once(self) -> None:
        """Two who write to each other for the first time at the same moment understand each other ever after."""
        self.office.judge = lambda sender, recipient, kind: LOST if kind == ENVELOPES else PASSES
        self.send(self.alice, self.bob, "hers")
        self.send(self.bob, self.alice, "his")
        self.office.judge = lambda *packet: PASSES
        self.passes(60)
        for number in range(3):
            self.send(self.alice, self.bob, number)
            self.send(self.bob, self.alice, number)
        self.assertEqual((self.bob.texts, self.alice.texts), (["hers", 0, 1, 2], ["his", 0, 1, 2]))

    def test_an_answer_that_is_lost(self) -> None:
        """What was stored and not acknowledged comes again, and is not there twice."""
        self.office.judge = lambda sender, recipient, kind: UNHEARD if kind == ENVELOPES else PASSES
        sent = self.send(self.alice, self.bob)
        self.assertNoResult(sent.arrived)
        self.office.judge = lambda *packet: PASSES
        self.passes(30)
        self.assertEqual(self.bob.texts, ["hello"])
        self.assertEqual(self.alice.messages.letters.desk.rows, {})

    def test_any_losses(self) -> None:
        """Whatever packets and answers are lost: all messages of both are there once, in order."""
        for seed in range(4):
            random = Random(seed)
            office, alice, bob = self.office, self.alice, self.bob
            office.judge = lambda *packet, random=random: random.choice((PASSES, LOST, UNHEARD))
            before = len(alice.texts), len(bob.texts)
            for number in range(15):
                self.send(alice, bob, number)
                self.send(bob, alice, number)
                self.passes(random.randrange(20))
            office.judge = lambda *packet: PASSES
            office.clock.advance(4000)
            self.passes(60)
            for node, count in zip((alice, bob), before, strict=True):
                self.assertEqual(node.texts[count:], list(range(15)))
                self.assertEqual(node.messages.letters.desk.rows, {})

    def test_a_gap_is_reported(self) -> None:
        """What comes before its turn waits for two seconds; then it is delivered, and the gap is reported."""
        self.send(self.alice, self.bob, 1)
        place = (conversation_of(self.alice.me.fingerprint, self.bob.me.fingerprint), self.alice.me.device.id)
        self.alice.messages.letters._sequences[place] = 3
        self.send(self.alice, self.bob, 4)
        self.assertEqual(self.bob.texts, [1])
        self.passes(3)
        self.assertEqual(self.bob.texts, [1, 4])
        gaps = [one.data for one in self.bob.events.since(0) if one.id == GAP]
        self.assertEqual([(gap["first"], gap["last"]) for gap in gaps], [(2, 3)])

    def test_somebody_unknown(self) -> None:
        """A message to somebody whose document nobody has waits, and goes when there is one."""
        carol = Node(self.office, "carol", self.office.base / "carol")
        document = self.office.documents.pop(carol.me.fingerprint)
        sent = self.send(self.alice, carol)
        self.passes(600)
        self.assertNoResult(sent.arrived)
        self.office.documents[carol.me.fingerprint] = document
        self.office.join(carol)
        self.assertEqual(self.successResultOf(sent.arrived), STORED)
        self.assertEqual(carol.texts, ["hello"])

    def test_given_up(self) -> None:
        """What nobody has acknowledged for two months is given up, and that is reported."""
        self.office.apart.add(frozenset((self.alice, self.bob)))
        sent = self.send(self.alice, self.bob)
        failed = []
        sent.arrived.addBoth(failed.append)
        for _ in range(62):
            self.office.clock.advance(DAY)
        self.assertEqual(self.alice.messages.letters.desk.rows, {})
        (event,) = [one for one in self.alice.events.since(0) if one.id == FAILED]
        self.assertEqual(event.data["message_id"], sent.message.id)


class LifeTests(PostCase):
    def test_a_sender_that_dies(self) -> None:
        """A message that `send` has taken is brought by the sender's next life."""
        self.office.apart.add(frozenset((self.alice, self.bob)))
        for number in range(3):
            self.send(self.alice, self.bob, number)
        self.alice.crash()
        self.office.apart.clear()
        self.alice.again()
        self.passes(10)
        self.assertEqual(self.bob.texts, [0, 1, 2])
        self.assertEqual(self.alice.written, [0, 1, 2])
        self.send(self.alice, self.bob, 3)
        self.assertEqual([one.sequence for one in self.bob.history.messages], [1, 2, 3, 4])

    def test_what_a_person_has_deleted_stays_so(self) -> None:
        """The history gets what was written once: a moment later the next life knows that, while it waits for somebody
        who is away, and brings it back to no history from which it was deleted."""
        self.office.apart.add(frozenset((self.alice, self.bob)))
        self.send(self.alice, self.bob, 1)
        self.passes(2)
        self.alice.crash()
        self.alice.history.messages.clear()
        self.office.apart.clear()
        self.alice.again()
        self.passes(10)
        self.assertEqual((self.bob.texts, self.alice.written), ([1], []))
        self.assertEqual(self.alice.messages.letters.desk.rows, {})

    def test_a_recipient_that_dies(self) -> None:
        """Sessions outlive both: messages before and after open, and nothing is there twice."""
        for number in range(6):
            self.send(self.alice, self.bob, number)
            node = (self.alice, self.bob)[number % 2]
            node.crash()
            node.again()
            self.send(self.bob, self.alice, number)
        self.assertEqual((self.bob.texts, self.alice.texts), ([*range(6)], [*range(6)]))

    def test_a_history_that_dies_first(self) -> None:
        """What was opened and did not get into the history comes there in the next life, before anything else."""
        self.bob.history.broken = True
        self.send(self.alice, self.bob, 1)
        self.bob.crash()
        self.bob.history.broken = False
        self.bob.again()
        self.assertEqual(self.bob.texts, [1])

    def test_a_home_from_a_copy(self) -> None:
        """A device that has lost its sessions is written to over new ones: nothing of what is on its way is lost."""
        self.send(self.alice, self.bob, "before")
        self.bob.crash()
        for path in (self.bob.home / "correspondence").iterdir():
            path.unlink()
        self.send(self.alice, self.bob, "lost session")
        self.bob.again()
        self.passes(30)
        self.assertEqual(self.bob.texts, ["before", "lost session"])
        self.send(self.bob, self.alice, "answer")
        self.passes(30)
        self.assertEqual(self.alice.texts, ["answer"])

    def test_another_device_key(self) -> None:
        """A node that takes a new device key brings what waited, and is written to under the new one."""
        self.send(self.alice, self.bob, 1)
        self.office.apart.add(frozenset((self.alice, self.bob)))
        self.send(self.alice, self.bob, 2)
        self.alice.stop()
        self.office.nodes.remove(self.alice)
        document = self.alice.me.renew_device(revoke=False)
        self.office.documents[document.fingerprint] = document
        self.office.apart.clear()
        self.alice.again()
        self.passes(10)
        self.assertEqual(self.bob.texts, [1, 2])
        self.send(self.bob, self.alice, "to the new key")
        self.passes(60)
        self.assertIn("to the new key", self.alice.texts)

    def test_a_store_of_before(self) -> None:
        """A store of the former format is brought to this one; one of a later format, or no store, is left alone."""
        self.send(self.alice, self.bob, 1)
        for name, table in (("correspondence/correspondence.db", "keepers"), ("mailboxes.db", "senders")):
            path = self.bob.home / name
            if self.bob in self.office.nodes:
                self.bob.crash()
            with closing(sqlite3.connect(path)) as database:
                database.executescript(f"DROP TABLE {table}; DROP TABLE observed; PRAGMA user_version=1;")
        self.bob.again()
        self.send(self.alice, self.bob, 2)
        self.assertEqual(self.bob.texts, [1, 2])
        self.bob.crash()
        for name, part in (("correspondence/correspondence.db", "messages"), ("mailboxes.db", "mailboxes")):
            path = self.bob.home / name
            self.bob.build()
            with closing(sqlite3.connect(path)) as database:
                database.executescript("PRAGMA user_version=9;")
            failure = self.failureResultOf(getattr(self.bob, part).start(), BitDustError)
            self.assertEqual(failure.value.code, "damaged-store")
            path.write_bytes(b"no database at all, by any means" * 100)
            self.bob.build()
            failure = self.failureResultOf(getattr(self.bob, part).start(), BitDustError)
            self.assertEqual(failure.value.code, "damaged-store")

    def test_nothing_private_is_on_the_disk(self) -> None:
        """No text and no key is in the files of the store; they are for their owner alone."""
        self.office.apart.add(frozenset((self.alice, self.bob)))
        self.send(self.alice, self.bob, "a very secret text")
        folder = self.alice.home / "correspondence"
        for path in folder.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path.name)
            data = path.read_bytes()
            self.assertNotIn(b"a very secret text", data)
            for one in self.alice.messages.prekeys._keys.values():
                self.assertNotIn(one.prekey.private, data)


class DevicesTests(PostCase):
    def setUp(self) -> None:
        super().setUp()
        self.phone = self.add("bob", DeviceKey(b"p" * 32))
        self.desk = self.add("alice", DeviceKey(b"d" * 32))
        for node in (self.alice, self.desk, self.bob, self.phone):
            document = self.office.documents[node.me.fingerprint]
            if document.goes_before(node.me.document):
                node.me.replace_document(document)
            for other in self.office.nodes:
                if other.me.fingerprint != node.me.fingerprint:
                    other.cache.accept(document)

    def test_all_devices_have_it(self) -> None:
        """Every device of the recipient has a message, and every other device of the sender, as one that it wrote."""
        self.send(self.alice, self.bob, "to all")
        self.assertEqual((self.bob.texts, self.phone.texts), (["to all"], ["to all"]))
        self.assertEqual((self.desk.texts, self.desk.written), ([], ["to all"]))
        self.send(self.phone, self.alice, "back")
        self.assertEqual((self.alice.texts, self.desk.texts, self.bob.written), (["back"], ["back"], ["back"]))

    def test_one_is_enough(self) -> None:
        """A message has arrived when one device has it; the others get it when they are there."""
        self.phone.crash()
        sent = self.send(self.alice, self.bob, "soon")
        self.assertEqual(self.successResultOf(sent.arrived), STORED)
        self.phone.again()
        self.passes(5)
        self.assertEqual(self.phone.texts, ["soon"])

    def test_a_device_that_stays_away(self) -> None:
        """Of what a person has already only the newest thousands wait for a device of hers that never comes."""
        self.phone.crash()
        for number in range(6):
            self.send(self.alice, self.bob, number)
        desk = self.alice.messages.letters.desk
        self.assertEqual((len(desk.rows), desk.by_person), (6, {}))
        self.patch(desk_module, "MOST_FOR_DEVICE", 2)
        desk.upkeep()
        self.assertEqual(len(desk.rows), 2)
        self.phone.again()
        self.passes(5)
        self.assertEqual(self.phone.texts, [4, 5])

    def test_a_device_that_never_comes(self) -> None:
        """After two months what one device of a person has is forgotten without a word; what none has is reported."""
        self.patch(desk_module, "KEPT_DAYS", 1)
        self.phone.crash()
        self.assertEqual(self.successResultOf(self.send(self.alice, self.bob, "had").arrived), STORED)
        self.bob.crash()
        never = self.send(self.alice, self.bob, "never")
        self.assertEqual(len(self.alice.messages.letters.desk.rows), 2)
        self.office.clock.advance(DAY + 3601)
        self.assertEqual(self.alice.messages.letters.desk.rows, {})
        self.assertEqual(self.successResultOf(self.alice.messages.store.outgoing()), [])
        failed = [one.data["message_id"] for one in self.alice.events.since(0) if one.id == FAILED]
        self.assertEqual(failed, [never.message.id])

    def test_the_last_device_is_revoked(self) -> None:
        """What waits for a device that is revoked is forgotten at once where the history and others have it, and on
        the disk even while that does not say yet that the history has it."""
        self.phone.crash()
        self.assertEqual(self.successResultOf(self.send(self.alice, self.bob).arrived), STORED)
        self.office.clock.advance(0.01)
        (row,) = self.successResultOf(self.alice.messages.store.outgoing())
        self.assertEqual((row.noted, row.reached, len(row.targets)), (False, True, 1))
        self.alice.cache.accept(self.without(self.bob, self.phone))
        self.assertEqual(self.alice.messages.letters.desk.rows, {})
        self.passes(3)
        self.assertEqual(self.successResultOf(self.alice.messages.store.outgoing()), [])

    def test_done_before_this_life(self) -> None:
        """A message that an earlier life has left on the disk though it was done is forgotten at the start."""
        self.phone.crash()
        self.send(self.alice, self.bob)
        self.passes(3)
        self.alice.crash()
        with closing(sqlite3.connect(self.alice.home / "correspondence" / "correspondence.db")) as database:
            database.execute("DELETE FROM targets")
            database.commit()
            left = database.execute("SELECT noted, reached FROM outgoing").fetchall()
        self.assertEqual(left, [(1, 1)])
        self.alice.again()
        self.assertEqual(self.alice.messages.letters.desk.rows, {})
        self.office.clock.advance(1)
        self.assertEqual(self.successResultOf(self.alice.messages.store.outgoing()), [])

    def without(self, one: Node, lost: Node) -> IdentityDocument:
        """The person's next document, in which a device of hers is revoked."""
        old = self.office.documents[one.me.fingerprint]
        devices = (
            evolve(each, revoked=old.revision + 1, sequence=0) if each.id == lost.me.device.id else each
            for each in old.devices
        )
        document = self.office.documents[old.fingerprint] = one.me.revise(devices=tuple(devices))
        return document

    def test_a_device_that_is_lost(self) -> None:
        """What only a lost device would have had is sealed again for those that count."""
        self.bob.crash()
        self.phone.crash()
        self.send(self.alice, self.bob, "for whom")
        third = Node(self.office, "bob", self.office.base / "third", DeviceKey(b"t" * 32))
        old = self.office.documents[third.me.fingerprint]
        gone = third.me.revise(
            devices=tuple(
                one if one.id == third.me.device.id else evolve(one, revoked=old.revision + 1, sequence=0)
                for one in old.devices
            )
        )
        third.me.replace_document(gone)
        self.office.documents[gone.fingerprint] = gone
        self.office.join(third)
        self.passes(10)
        self.assertEqual(third.texts, ["for whom"])
        self.assertEqual([row.targets for row in self.alice.messages.letters.desk.rows.values() if row.targets], [])


class MailboxCase(PostCase):
    """Carol and dave keep bob's mailboxes."""

    def setUp(self) -> None:
        super().setUp()
        self.keepers = [self.add("carol"), self.add("dave")]
        for keeper in self.keepers:
            self.befriend(self.bob, keeper)
        self.bob.keepers = list(self.keepers)
        self.bob.messages.upkeep.keepers_changed()
        self.assertEqual(len(self.bob.messages.upkeep.mailboxes), 2)

    def kept(self) -> list[int]:
        return [self.successResultOf(keeper.mailboxes.store.figures())[1] for keeper in self.keepers]

    def away(self, *texts) -> None:
        """Bob is away, and is written to."""
        self.bob.crash()
        for text in texts:
            sent = self.send(self.alice, self.bob, text)
            self.assertEqual(self.successResultOf(sent.arrived), KEPT)


class MailboxTests(MailboxCase):
    def test_kept_and_fetched(self) -> None:
        """Both mailboxes have it; on return it is there once, in order; then nobody keeps it any more."""
        self.away(1, 2, 3)
        self.assertEqual(self.kept(), [3, 3])
        self.bob.again()
        self.assertEqual(self.bob.texts, [1, 2, 3])
        self.assertEqual(self.kept(), [0, 0])
        self.assertEqual(self.alice.messages.letters.desk.rows, {})

    def test_a_sender_whom_nobody_knows(self) -> None:
        """Whoever fetches gets the documents of the senders with it: nobody need find them elsewhere."""
        self.away("from a stranger")
        self.alice.crash()
        del self.office.documents[self.alice.me.fingerprint]
        self.bob.again()
        self.assertEqual(self.bob.texts, ["from a stranger"])

    def test_the_sender_is_gone(self) -> None:
        """What mailboxes have comes without the sender, who hears of it later, over mailboxes as well."""
        self.befriend(self.alice, self.keepers[0])
        self.alice.keepers = [self.keepers[0]]
        self.alice.messages.upkeep.keepers_changed()
        self.away(1, 2)
        self.alice.crash()
        self.bob.again()
        self.assertEqual(self.bob.texts, [1, 2])
        self.bob.crash()
        self.alice.again()
        self.assertEqual(self.alice.messages.letters.desk.rows, {})

    def test_one_keeper_dies(self) -> None:
        """One of the two is enough; while one takes nothing the sender does not count it as kept."""
        self.away(1)
        self.keepers[0].crash()
        sent = self.send(self.alice, self.bob, 2)
        self.assertNoResult(sent.arrived)
        self.alice.crash()
        self.bob.again()
        self.assertEqual(self.bob.texts, [1, 2])

    def test_a_keeper_that_drops(self) -> None:
        """What one mailbox lost the other has."""
        self.away(1, 2)
        store = self.keepers[0].mailboxes.store
        self.successResultOf(store._commits.change(lambda database: database.execute("DELETE FROM kept") and None))
        self.alice.crash()
        self.bob.again()
        self.assertEqual(self.bob.texts, [1, 2])

    def test_both_drop(self) -> None:
        """What both lost the sender has still, and brings itself when it meets the recipient."""
        self.away(1, 2)
        for keeper in self.keepers:
            change = keeper.mailboxes.store._commits.change
            self.successResultOf(change(lambda database: database.execute("DELETE FROM kept") and None))
        self.bob.again()
        self.passes(5)
        self.assertEqual(self.bob.texts, [1, 2])

    def test_told_at_once(self) -> None:
        """Who is connected to a keeper and not to the sender has it at once."""
        self.office.apart.add(frozenset((self.alice, self.bob)))
        self.send(self.alice, self.bob, "round")
        self.assertEqual(self.bob.texts, ["round"])

    def test_fetched_before_both_have_it(self) -> None:
        """What a device has said that it fetched is brought to it no more, also where a mailbox takes it afterwards."""
        desk = self.add("alice", DeviceKey(b"d" * 32))
        self.alice.me.replace_document(self.office.documents[self.alice.me.fingerprint])
        desk.crash()
        self.office.apart.add(frozenset((self.alice, self.bob)))

        def met_meanwhile(sender, recipient, kind) -> str:
            if kind == DEPOSIT and recipient is self.keepers[1]:
                self.assertEqual(self.bob.texts, ["first"])
                self.office.apart.clear()
                self.office.meet(self.alice, self.bob)
            return PASSES

        self.office.judge = met_meanwhile
        self.assertEqual(self.successResultOf(self.send(self.alice, self.bob, "first").arrived), STORED)
        (row,) = self.alice.messages.letters.desk.rows.values()
        self.assertEqual(list(row.targets), [(self.alice.me.fingerprint, desk.me.device.id)])

    def test_one_time_prekeys(self) -> None:
        """Each is handed out once; when none is left sessions begin without; the owner brings more."""
        store = self.keepers[0].mailboxes.store
        bob = (self.bob.me.fingerprint, self.bob.me.device.id)
        seen = set()
        for number in range(120):
            found = self.successResultOf(store.hand_out(bob, b"%032d" % number))
            if found is not None:
                self.assertNotIn(found.id, seen)
                seen.add(found.id)
        self.assertEqual(len(seen), 100)
        self.assertIsNone(self.successResultOf(store.hand_out(bob, b"x" * 32)))
        self.away("without one")
        self.bob.again()
        self.assertEqual(self.bob.texts, ["without one"])
        self.assertIsNotNone(self.successResultOf(store.hand_out(bob, b"y" * 32)))

    def test_expiry(self) -> None:
        """A mailbox keeps a message for a month, and forgets mailboxes that nobody opens."""
        self.away(1)
        self.alice.crash()
        for _ in range(29 * 24):
            self.office.clock.advance(3600)
        self.assertEqual(self.kept(), [1, 1])
        for _ in range(2 * 24):
            self.office.clock.advance(3600)
        self.assertEqual(self.kept(), [0, 0])
        self.assertEqual(self.successResultOf(self.keepers[0].mailboxes.store.figures())[0], 1)
        for _ in range(31):
            self.office.clock.advance(DAY)
        self.assertEqual(self.successResultOf(self.keepers[0].mailboxes.store.figures())[0], 0)

    def test_prekeys_are_renewed(self) -> None:
        """Each week there is another signed prekey; the old secret opens what is under way, and is erased after 45
        days."""
        first = self.bob.messages.prekeys.current.prekey.id
        for _ in range(8):
            self.office.clock.advance(DAY)
            self.passes(60)
        prekeys = self.bob.messages.prekeys
        self.assertNotEqual(prekeys.current.prekey.id, first)
        self.assertIsNotNone(prekeys.signed(first))
        for _ in range(60):
            self.office.clock.advance(DAY)
        self.assertIsNone(prekeys.signed(first))

    def test_a_keeper_cannot_read(self) -> None:
        """No text is in what a keeper has; who wrote to whom, and when, is."""
        self.away("a very secret text")
        raw = b"".join(path.read_bytes() for path in self.keepers[0].home.glob("mailboxes.db*"))
        self.assertNotIn(b"a very secret text", raw)
        (packet,) = [one for one in self.office.packets if one[1] == DEPOSIT][:1]
        envelope = Envelope.from_bytes(unpack(packet[3])[0])
        self.assertEqual((envelope.sender, envelope.recipient), (self.alice.me.fingerprint, self.bob.me.fingerprint))
