"""Nicknames in a hash table of many nodes: several people bear one, and nobody takes a position of somebody else."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey, certify
from bitdust.crypt.master import MasterKey
from bitdust.dht.directory import DAY, Directory
from bitdust.dht.node import DHTNode
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import Device, IdentityDocument
from bitdust.people.names.holder import SETTING
from bitdust.people.names.names import Names
from bitdust.signal import Signal
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL, BadName
from bitdust.wire.nicknames import POSITIONS, Nickname, is_nickname, read_nickname
from tests.grid.chaos import keys
from tests.unit.kit import Events, Settings
from tests.unit.test_dht import DHTCase
from tests.unit.test_dht_records import RecordCase

URL = IDURL.parse("http://id.example/somebody.xml")


class WordsTests(SynchronousTestCase):
    def test_words(self) -> None:
        """Small letters, digits and three signs; capitals mean the same; what could be another name is none."""
        self.assertEqual(read_nickname(" Alice.B-1_x "), "alice.b-1_x")
        for word in ("al", "x" * 33, "alice@id.example", "http://id/a.xml", "master$a", "a b", ".abc", "abc-", "älice"):
            self.assertFalse(is_nickname(word), word)
            self.assertRaises(BadName, read_nickname, word)

    def test_bytes(self) -> None:
        """A record is read back the same; capitals, positions beyond the last and other fields are refused."""
        nickname = Nickname(b"o" * 32, "alice", POSITIONS - 1, 7)
        for one in (nickname, evolve(nickname, released=True)):
            self.assertEqual(Nickname.from_body(one.to_body()), one)
        for wrong in ({"nickname": "Alice"}, {"position": POSITIONS}, {"owner": b"o"}, {"nickname": "x" * 40}):
            self.assertRaises(WireError, Nickname.from_body, evolve(nickname, **wrong).to_body())


class RecordTests(RecordCase):
    def nickname(self, device: DeviceKey | None = None, **changes: Any) -> Any:
        nickname = evolve(Nickname(self.master.fingerprint, "alice", 0, 5), **changes)
        signed = (device or self.device).sign_record(nickname.KIND, nickname.to_body())
        return self.made(nickname.KIND, "alice/0", value=signed.to_bytes())

    def test_good(self) -> None:
        """What a node makes is taken, and counted to its owner."""
        record = self.nickname()
        self.assertEqual(self.checker.check(record.to_bytes(), 1_800_000_000), record)
        self.assertEqual(record.fingerprint, self.master.fingerprint)

    def test_lies(self) -> None:
        """Another owner, another nickname, position or time than the value's, and a value of another device."""
        for wrong in ({"owner": b"o" * 32}, {"nickname": "bobby"}, {"position": 1}, {"time": 6}):
            self.refused("bad-subject", self.nickname(**wrong))
        self.refused("bad-signature", self.nickname(DeviceKey.generate(os.urandom)))
        self.refused("bad-signature", evolve(self.nickname(), revision=6))


class Person:
    """Somebody with a device, on a node of the table; ``second`` is another device, which may be revoked."""

    def __init__(self, case: "NicknameCase", node: DHTNode, name: str, master: MasterKey) -> None:
        self.node, self.master, self.name = node, master, name
        self.device = node._device
        self.present = True
        self.changed: Signal[[]] = Signal()
        self.fingerprint = master.fingerprint
        self.documented()
        node.set_owner(master.public.spki, certify(master, self.device.public, 0))
        settings = Settings({SETTING: name})
        world = node.around.world
        home = Path(case.mktemp())
        home.mkdir()
        cache = IdentityCache(evolve(world, home=home), Events())
        self.around = SimpleNamespace(
            world=world, settings=settings, registry=node.around.registry, me=self, identities=cache
        )
        self.directory = Directory(node, self, cache)
        self.names = Names(self.around, self.directory)

    def documented(self, revision: int = 1, revoked: int | None = None, *more: Device) -> None:
        """My document of now."""
        device = Device(0, 1, self.device.public, revoked=revoked)
        self.document = IdentityDocument.create(self.master, (URL,), revision, (device, *more), 1000.0)

    def sign(self, kind: str, body: bytes) -> Any:
        return self.device.sign_record(kind, body)

    def found(self) -> int | None:
        return self.names.holder.standing.position


class NicknameCase(DHTCase):
    size = 12

    def setUp(self) -> None:
        super().setUp()
        self.people: list[Person] = []
        self.alice = self.person("alice")
        self.addCleanup(lambda: [one.names.stop() for one in self.people])

    def person(self, name: str) -> Person:
        node = self.grid.nodes[2 + len(self.people)]
        person = Person(self, node, name, keys.key(len(self.people)))
        self.people.append(person)
        self.grid.wait(person.directory.put_identity(person.document))
        return person

    def hold(self, person: Person, seconds: float = 5.0) -> int | None:
        person.names.start()
        self.grid.run(seconds)
        return person.found()

    def observed(self, nickname: str = "alice", by: Person | None = None) -> list[tuple[int, bytes]]:
        found = self.grid.wait((by or self.people[-1]).names.observe(nickname))
        return [(one.position, one.document.fingerprint) for one in found]


class NicknamesTests(NicknameCase):
    def test_several_of_one_name(self) -> None:
        """Three people bear one nickname, each at a position of its own, and keep it; all of them are found."""
        others = [self.person("ALICE"), self.person("alice")]
        self.assertEqual([self.hold(one) for one in (self.alice, *others)], [0, 1, 2])
        everybody = [(place, one.fingerprint) for place, one in enumerate(self.people)]
        self.assertEqual(self.observed(), everybody)
        first = self.grid.wait(others[1].names.find("Alice"))
        self.assertEqual(first[0].document, self.alice.document)
        self.assertEqual(self.observed("nobody"), [])
        self.assertRaises(BadName, self.alice.names.find, "a@b")

    def test_after_a_restart(self) -> None:
        """Who comes back has the position that it had, though one before it is free meanwhile, or is found once."""
        bob = self.person("alice")
        self.hold(self.alice)
        self.hold(bob)
        bob.names.stop()
        self.assertIsNone(bob.found())
        self.assertEqual(self.hold(bob), 1)

    def test_another_nickname(self) -> None:
        """A nickname that is given up is nobody's at once, and the next person gets its position."""
        self.hold(self.alice)
        self.alice.around.settings.set(SETTING, "alicia")
        self.assertEqual(self.alice.names.holder.standing.position, None)
        self.grid.run(10)
        self.assertEqual((self.observed("alice"), self.observed("alicia")), ([], [(0, self.alice.fingerprint)]))
        self.grid.run(3700, 1.0)
        self.assertEqual(self.hold(self.person("alice")), 0)

    def test_the_name_of_the_identity(self) -> None:
        """Where no nickname is set it is the name; without an identity there is none."""
        self.alice.around.settings.set(SETTING, "")
        self.assertEqual(self.alice.names.holder.wanted, "somebody")
        self.alice.present = False
        self.assertEqual(self.hold(self.alice), None)
        self.assertEqual(self.alice.names.holder.standing.nickname, "")

    def test_two_at_the_same_moment(self) -> None:
        """Two who want one position at once get two, or are both found at one: nobody is lost."""
        bob = self.person("alice")
        for one in self.people:
            one.names.start()
        self.grid.run(20)
        self.assertEqual({who for _, who in self.observed()}, {self.alice.fingerprint, bob.fingerprint})

    def test_kept_for_long(self) -> None:
        """The record is written again long before it expires, by a clock that was ahead once, too."""
        self.hold(self.alice)
        self.grid.run(3900, 2.0)
        record = self.grid.wait(self.grid.nodes[9].get(Nickname.KIND, "alice/0", thorough=True))
        self.assertGreater(record.expires, self.grid.wall() + 30 * DAY - 600)

    def test_a_table_that_is_off(self) -> None:
        """While the DHT is off nobody is found, and that is an error and not an answer; my own name waits."""
        self.alice.node.stop()
        failure = self.failureResultOf(self.alice.names.observe("alice"), BitDustError)
        self.assertEqual(failure.value.code, "dht-off")
        self.alice.names.start()
        self.assertIn("the DHT is not running", self.alice.names.holder.standing.why)

    def test_cancelled(self) -> None:
        """Whoever waits no longer stops the search."""
        searching: Deferred[Any] = self.alice.names.observe("alice")
        searching.addErrback(lambda _: None)
        searching.cancel()
        self.assertEqual([one.name for one in self.alice.around.registry], ["dht_connector"])


class HostileTests(NicknameCase):
    """What somebody tries who wants to be found in the place of somebody else."""

    def setUp(self) -> None:
        super().setUp()
        self.mallory = self.person("mallory")
        self.hold(self.alice)

    def claim(self, position: int = 0, time: int = 2**50, owner: Person | None = None) -> Any:
        nickname = Nickname((owner or self.mallory).fingerprint, "alice", position, time)
        return self.mallory.directory.put_claim(nickname, self.mallory.sign(nickname.KIND, nickname.to_body()))

    def test_nobody_elses_position_is_taken(self) -> None:
        """Whoever comes later does not get the position, however new his record is."""
        self.assertFalse(self.grid.wait(self.claim()))
        self.assertIn((0, self.alice.fingerprint), self.observed())

    def test_in_the_name_of_another(self) -> None:
        """A record that says it is alice's is refused where it is made, and by everybody who reads it."""
        self.assertRaises(WireError, self.grid.wait, self.claim(owner=self.alice))

    def test_all_positions(self) -> None:
        """Whoever takes all other positions under many keys pushes nobody out, and all of them are seen."""
        for position in range(1, POSITIONS):
            crowd = keys.key(20 + position)
            self.mallory.node.set_owner(crowd.public.spki, certify(crowd, self.mallory.device.public, 0))
            nickname = Nickname(crowd.fingerprint, "alice", position, 2**50)
            signed = self.mallory.sign(nickname.KIND, nickname.to_body())
            self.assertTrue(self.grid.wait(self.mallory.directory.put_claim(nickname, signed)))
        self.alice.names.stop()
        self.assertEqual(self.hold(self.alice), 0)
        bob = self.person("alice")
        self.assertIsNone(self.hold(bob))
        self.assertIn("belong to others", bob.names.holder.standing.why)
        self.assertEqual(self.observed(), [(0, self.alice.fingerprint)], "nobody else shows a document")

    def test_a_revoked_device(self) -> None:
        """What a stolen device says is worth nothing once its owner has revoked it."""
        other = Device(1, 1, DeviceKey.from_seed(b"n" * 32).public)
        self.assertEqual(self.observed(), [(0, self.alice.fingerprint)])
        self.alice.documented(2, 1, other)
        self.grid.wait(self.alice.directory.put_identity(self.alice.document))
        self.assertEqual(self.observed(), [])

    def test_a_document_of_somebody_else(self) -> None:
        """A node that gives another document than was asked for makes nobody somebody else."""
        lying = self.mallory.document.xml
        self.patch(self.mallory.directory, "identity_of", lambda fingerprint: self.answer(lying))
        self.assertEqual(self.observed(by=self.mallory), [])
        self.patch(self.mallory.directory, "identity_of", lambda fingerprint: self.answer(b"no document"))
        self.assertEqual(self.observed(by=self.mallory), [])

    def answer(self, value: Any) -> Any:
        done: Deferred[Any] = Deferred()
        done.callback(value)
        return done
