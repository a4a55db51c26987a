"""What a node of the DHT answers: to whom it signs, what it keeps, and how it refuses."""

import os
import sqlite3
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey, verify
from bitdust.dht import answers as answers_module
from bitdust.dht.answers import SIGNATURES, STORES, Answers, Kit
from bitdust.dht.contact import Contact
from bitdust.dht.messages import MAX_NODES, NONCE_BYTES, pong_message
from bitdust.dht.records import DEBUG, Checker, DHTRecord, make_record
from bitdust.dht.store import RecordStore

NOW = 1_800_000_000
ASKER = ("8.8.8.8", 5)


class FakePeers:
    """Notes what it is told of, and knows one node."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def asked_by(self, query: dict[str, Any], address: tuple[str, int]) -> None:
        """A query came."""
        self.seen.append(address)

    def answered(self, contact: Contact, reply: dict[str, Any]) -> None:
        """A contact lives."""
        self.seen.append(("lives", contact))

    def silent(self, contact: Contact) -> None:
        """A contact was silent."""
        self.seen.append(("silent", contact))

    def contacts_for(self, target: int, layer: int, asker: bytes, host: str, most: int = MAX_NODES) -> bytes:
        """The node that is known."""
        return b"nodes"


class AnswersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.device = DeviceKey.generate(os.urandom)
        self.own = Contact(self.device.public, "8.8.4.4", 4)
        self.other = DeviceKey.generate(os.urandom)
        self.store = RecordStore(None, self.own.number)
        self.addCleanup(self.store.close)
        self.stored: list[bytes] = []
        self.peers = FakePeers()
        kit = Kit(
            self.clock, lambda: NOW + self.clock.seconds(), self.device, self.store, Checker(),
            lambda: {"addresses": b"record"}, self.stored.append,
        )  # fmt: skip
        self.answers = Answers(kit, self.own, self.peers)

    def record(self, value: bytes = b"value", revision: int = NOW * 1000) -> DHTRecord:
        return make_record(DEBUG, "a key", revision, NOW + 3600, value, self.other, None)

    def ask(self, name: str, shown: bool = True, host: str = ASKER[0], **fields: Any) -> dict[str, Any] | None:
        asker = Contact(self.other.public, host, 5)
        return self.answers.serve({"q": name, "n": asker.id, "k": asker.key, "l": 0, "a": 0} | fields, (host, 5), shown)

    def put(self, record: DHTRecord, **how: Any) -> dict[str, Any] | None:
        return self.ask("store", record=record.to_bytes(), **how)

    # pongs

    def test_signed_pong(self) -> None:
        """A ping with a nonce gets a signature over it and both ids; one without gets no signature."""
        nonce = bytes(NONCE_BYTES)
        reply = self.ask("ping", nonce=nonce)
        asker = Contact(self.other.public, *ASKER)
        self.assertTrue(verify(self.device.public, reply["signature"], pong_message(nonce, self.own.id, asker.id)))
        self.assertEqual(self.ask("ping"), {})

    def test_signatures_are_dear(self) -> None:
        """One host gets a bounded number of signatures, and then no answer at all until time has passed."""
        burst = int(SIGNATURES[1])
        replies = [self.ask("ping", nonce=bytes(NONCE_BYTES)) for _ in range(burst + 1)]
        self.assertEqual([reply is None for reply in replies], [False] * burst + [True])
        self.assertIsNotNone(self.ask("ping", nonce=bytes(NONCE_BYTES), host="8.8.8.9"))
        self.clock.advance(1)
        self.assertIsNotNone(self.ask("ping", nonce=bytes(NONCE_BYTES)))

    def test_strangers_share_a_limit(self) -> None:
        """All who have shown no token share one limit, so that many false addresses do not make us sign for ever."""
        self.patch(answers_module, "UNSHOWN_SIGNATURES", (0.0, 3.0))
        self.answers = Answers(self.answers._kit, self.own, self.peers)
        replies = [self.ask("ping", False, f"8.0.0.{n}", nonce=bytes(NONCE_BYTES)) for n in range(5)]
        self.assertEqual([reply is None for reply in replies], [False] * 3 + [True] * 2)
        self.assertIsNotNone(self.ask("ping", True, nonce=bytes(NONCE_BYTES)))

    # lookups

    def test_nodes_and_records(self) -> None:
        """A lookup gets nodes that are nearer, and the record if it is here."""
        key = self.record().key(0)
        self.assertEqual(self.ask("find_node", target=key), {"nodes": b"nodes"})
        self.assertEqual(self.ask("find_value", key=key), {"nodes": b"nodes"})
        self.put(self.record())
        self.assertEqual(self.ask("find_value", key=key), {"record": self.record().to_bytes(), "nodes": b"nodes"})

    def test_who_is_noticed(self) -> None:
        """Only who has shown a token is taken for somebody who is there."""
        self.ask("find_node", shown=False, target=bytes(20))
        self.assertEqual(self.peers.seen, [])
        self.ask("find_node", target=bytes(20))
        self.assertEqual(self.peers.seen, [ASKER])
        self.answers.answered(self.own, {})
        self.answers.silent(self.own)
        self.assertEqual(self.peers.seen[1:], [("lives", self.own), ("silent", self.own)])

    def test_info(self) -> None:
        """What a node says about itself goes to those alone who have shown a token."""
        self.assertEqual(self.ask("info"), {"addresses": b"record"})
        self.assertEqual(self.ask("info", shown=False), {})

    # records

    def test_stored(self) -> None:
        """A good record is kept and counted as published now; once more, it is only counted."""
        for _ in range(2):
            self.assertEqual(self.put(self.record()), {"stored": True})
        self.assertEqual((len(self.store), self.stored), (1, [self.record().key(0)] * 2))

    def test_without_a_token(self) -> None:
        """Who has shown no token stores nothing."""
        self.assertEqual(self.put(self.record(), shown=False), {"stored": False, "code": "bad-token"})
        self.assertEqual(len(self.store), 0)

    def test_too_many(self) -> None:
        """One host stores a bounded number at once."""
        replies = [self.put(self.record()) for _ in range(int(STORES[1]) + 1)]
        self.assertEqual(replies[-1], {"stored": False, "code": "busy"})
        self.assertEqual(replies[-2], {"stored": True})

    def test_refused(self) -> None:
        """A refusal says why, and which revision is here; nonsense is refused too."""
        self.put(self.record(revision=NOW * 1000))
        stale = self.put(self.record(revision=NOW * 1000 - 1))
        self.assertEqual(stale, {"stored": False, "code": "stale", "revision": NOW * 1000})
        forged = DHTRecord.from_bytes(self.record(b"other", NOW * 1000 + 1).to_bytes().replace(b"other", b"OTHER"))
        self.assertEqual(self.put(forged)["code"], "bad-signature")
        self.assertEqual(self.ask("store", record=b"nonsense")["stored"], False)
        self.assertEqual(len(self.stored), 1)

    def test_database_that_fails(self) -> None:
        """A disk that keeps nothing is no reason to fall silent."""

        def full(*_: Any) -> bool:
            raise sqlite3.OperationalError("database or disk is full")

        self.patch(self.store, "add", full)
        self.assertEqual(self.put(self.record()), {"stored": False, "code": "no-space"})
        self.assertEqual(self.stored, [])
