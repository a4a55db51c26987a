"""A stolen device signs heads for devices that it invents, and holds its own log up; nothing of that stays for ever."""

from functools import partial
from typing import Any

from bitdust.crypt.keyring import MASTER
from bitdust.storage.catalog.catalog import LAMPORT
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.log import compared, seen
from bitdust.storage.log.compared import BEHIND
from bitdust.wire.encoding import decode, encode
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.hostile.test_stolen_device import RevokedCase
from tests.unit.kit import Reply

MOST = 16 * 2**20
MANY = 200


class MadeUpDeviceTests(RevokedCase):
    def setUp(self) -> None:
        super().setUp()
        self.liar = self.around.suppliers[3]
        self.truth = self.liar.ask
        self.liar.ask = partial(self.lie, self.heads())  # type: ignore[method-assign]

    def heads(self) -> list[bytes]:
        owner, sign = self.me.fingerprint, self.thief.me.device.sign_record
        heads = [Head(owner, b"made-%03d" % number, 1, b"h" * 32, 0) for number in range(MANY)]
        return [sign(Head.KIND, head.to_body()).to_bytes() for head in heads]

    def lie(self, made_up: list[bytes], me: Any, command: Command, fields: Any, *rest: Any) -> Any:
        answer = self.truth(me, command, fields, *rest)
        if command is not Command.RETRIEVE or fields.get("kind") != "heads":
            return answer
        return answer.addCallback(lambda one: Reply(one.fields, encode([*decode(one.payload, MOST), *made_up])))

    def test_more_than_a_note_holds(self) -> None:
        """One supplier lists more invented devices than a note could hold: comparisons go on, now and after the device
        was revoked."""
        self.patch(compared, "MAX_NOTE", 2048)
        self.compare()
        self.assertEqual(self.core.log_replicas.machine.state, "IN_SYNC!")
        self.compare()
        self.assertEqual(self.core.log_replicas.reason, "")
        self.revoke()
        self.liar.ask = self.truth  # type: ignore[method-assign]
        self.thief.create("after")
        self.compare()
        self.assertEqual(self.core.log_replicas.reason, "")
        self.assertEqual(self.names(), ["after", "before", "one", "three", "two"])

    def test_few_of_them_are_asked_about(self) -> None:
        """Of devices that nobody names no more than some of each supplier are believed to be there."""
        self.compare()
        noted = decode(meta(self.core.catalog.read, BEHIND), MOST)
        self.assertEqual(len(noted), seen.MOST_STRANGERS)


class EndedLogTests(RevokedCase):
    def test_what_was_held_up_in_a_log_that_was_ended(self) -> None:
        """The person's word that a log ends before what was held up in it ends that too: this device is alone."""
        catalog = self.thief.storage.core.catalog
        self.thief.wait(catalog.change(lambda database: set_meta(database, LAMPORT + MASTER, b"%d" % 2**40)))
        self.thief.create("ahead")
        self.compare()
        replicas = self.core.log_replicas
        self.assertEqual(len(replicas.held_up.rows()), 1)
        self.revoke()
        self.compare()
        self.assertEqual((len(replicas.held_up.rows()), replicas.is_alone()), (1, False))
        self.revocations.settle()
        self.revocations.end(self.me.document.device(self.thief.me.device.id))
        self.compare()
        self.assertEqual((replicas.held_up.rows(), replicas.is_alone()), ([], True))
