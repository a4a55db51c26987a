"""Names of IPNS: published, kept alive, resolved, and never taken back to an older value."""

import base64
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from bitdust.ipfs.names.keys import SECOND
from bitdust.ipfs.names.names import Names
from bitdust.ipfs.names.store import KeyStore
from bitdust.ipld.ipns import Record, make, verify
from bitdust.ipld.keys import PrivateKey
from bitdust.ipld.peerid import PeerId
from bitdust.wire.errors import BitDustError
from tests.unit.ipfs_kit import EMPTY_FOLDER, LAMB, Given
from tests.unit.ipfs_node_kit import NodeCase

ONE, OTHER = f"/ipfs/{LAMB}", f"/ipfs/{EMPTY_FOLDER}"
HOUR = 3600
DAY = 24 * HOUR


class NamesCase(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.key = PrivateKey.generate()
        self.stranger = PeerId.of(self.key.public)
        self.room.names.open()

    def tearDown(self) -> None:
        self.room.names.close()
        super().tearDown()

    def again(self) -> None:
        """The node starts once more."""
        self.room.names.close()
        self.room.keys = KeyStore(self.around)
        self.room._names = Names(self.around, self.room.keys, self.table)
        self.room.names.open()

    @property
    def now(self) -> int:
        return int(self.around.world.wall() * SECOND)

    @property
    def own(self) -> PeerId:
        return self.run_now(self.room.keys.all())[0].id

    def record(self, name: PeerId | None = None) -> Record:
        """What the hash table has."""
        name = name or self.own
        return verify(self.table.kept[name][1], name, self.now)

    def others_publish(self, value: str, sequence: int, life: int = DAY, ttl: int = 0, key: Any = None) -> str:
        """Somebody else publishes, in the hash table that this node reads."""
        key = key or self.key
        record = Record(value.encode(), sequence, self.now + life * SECOND, ttl * SECOND)
        self.table.kept[PeerId.of(key.public)] = (sequence, make(key, record))
        return str(PeerId.of(key.public))

    def states(self) -> list[str]:
        return [machine.state for machine in self.registry if machine.name == "ipns_publication"]


class PublishTests(NamesCase):
    def test_published(self) -> None:
        """What a name leads to is stored by others, signed for a day, and answered with the name."""
        self.assertEqual(self.rpc("name/publish", ONE), {"Name": str(self.own), "Value": ONE})
        record = self.record()
        self.assertEqual((record.value, record.sequence), (ONE.encode(), 0))
        self.assertEqual((record.expires, record.ttl), (self.now + DAY * SECOND, 0))
        self.assertEqual(self.table.puts, [(self.own, 0, DAY)])
        self.assertEqual(self.rpc("name/resolve"), {"Path": ONE})
        self.assertEqual(self.rpc("name/resolve", str(self.own)), {"Path": ONE})
        self.assertEqual(self.rpc("name/resolve", f"/ipns/{self.own.base36}"), {"Path": ONE})
        self.assertEqual(self.table.gets, 1)

    def test_sequences(self) -> None:
        """Each new value has the next sequence; the same value again has the same, and lives longer."""
        self.rpc("name/publish", ONE)
        self.rpc("name/publish", OTHER)
        self.assertEqual(self.record().sequence, 1)
        self.clock.advance(HOUR)
        self.rpc("name/publish", OTHER)
        self.assertEqual((self.record().sequence, self.record().expires), (1, self.now + DAY * SECOND))
        self.again()
        self.rpc("name/publish", ONE)
        self.assertEqual((self.record().sequence, self.record().value), (2, ONE.encode()))

    def test_options(self) -> None:
        """Lifetime, time to live and key are kept to; the id is shown in the base that is asked for."""
        made = self.rpc("key/gen", "mine")
        row = self.rpc("name/publish", ONE, lifetime="2h", ttl="1m30s", key="mine", **{"ipns-base": "base36"})
        name = PeerId.parse(made["Id"])
        self.assertEqual(row, {"Name": name.base36, "Value": ONE})
        record = self.record(name)
        self.assertEqual((record.expires, record.ttl), (self.now + 2 * HOUR * SECOND, 90 * SECOND))
        self.assertEqual(self.rpc("name/publish", OTHER, key=made["Id"])["Name"], made["Id"])

    def test_on_the_disk_first(self) -> None:
        """The sequence is on the disk before anybody else is told: who is killed then goes on behind it."""
        self.table.slow = Deferred()
        answer = Deferred.fromCoroutine(self.answer("name/publish", (ONE,), None, {}))
        self.assertNoResult(answer)
        self.assertEqual(len(self.table.puts), 0)
        self.table.slow.callback(None)
        self.table.slow = Deferred()
        self.clock.advance(0)
        kept = self.run_now(KeyStore(self.around).all())[0].published
        self.assertEqual((kept.value, kept.sequence, kept.brought), (ONE.encode(), 0, False))
        self.room.names.close()
        self.failureResultOf(answer)

    def test_offline(self) -> None:
        """While nobody else is there it is refused, unless the client says that it may wait; then it is brought when
        somebody comes."""
        self.table.online = False
        text = self.rpc_fails("offline", "name/publish", ONE)
        self.assertEqual(text, "can't publish while offline: pass `--allow-offline` to override")
        self.assertEqual(self.rpc_fails("no-name", "name/resolve")[:22], "could not resolve name")
        self.assertEqual(self.rpc("name/publish", ONE, allow_offline=True)["Value"], ONE)
        self.assertEqual((self.table.puts, self.rpc("name/resolve")), ([], {"Path": ONE}))
        self.table.online = True
        self.table.connected.emit()
        self.assertEqual(self.record().value, ONE.encode())
        self.assertEqual(self.states(), ["PUBLISHED"])

    def test_an_offline_call(self) -> None:
        """A call that asks for nothing to go out asks and tells nobody; what it has published is brought later."""
        visitor = self.room.visit(True, False)
        room, self.room = self.room, visitor
        self.rpc_fails("offline", "name/publish", ONE)
        self.rpc("name/publish", ONE, allow_offline=True)
        self.assertEqual((self.table.puts, self.table.gets, self.states()), ([], 0, ["WAITING"]))
        self.others_publish(OTHER, 1)
        self.rpc_fails("no-name", "name/resolve", str(self.stranger))
        self.room = room
        self.clock.advance(15)
        self.assertEqual(self.record().value, ONE.encode())

    def test_not_stored(self) -> None:
        """Where nobody keeps it that is said, unless it may wait; it is tried again, and kept here meanwhile."""
        self.table.others = 0
        self.assertIn("is not published", self.rpc_fails("not-published", "name/publish", ONE))
        self.assertEqual(self.rpc("name/publish", ONE, allow_offline=True)["Value"], ONE)
        self.assertEqual(self.rpc("name/resolve"), {"Path": ONE})
        self.assertEqual(self.room.names.problem(), "")
        self.clock.pump([15, 30, 60, 120, 240, 480, 600])
        self.assertIn("no other node", self.room.names.problem())
        self.table.others = 1
        self.clock.advance(600)
        self.assertEqual((self.room.names.problem(), self.record().value), ("", ONE.encode()))

    def test_refused(self) -> None:
        """A path that leads nowhere, a key that is not there, and times that cannot be are refused; nothing is sent."""
        self.add(Given(b"a"))
        missing = f"/ipfs/{EMPTY_FOLDER}/missing"
        self.rpc_fails("not-found", "name/publish", missing)
        self.rpc_fails("bad-path", "name/publish", "what")
        self.assertIn("no key named x", self.rpc_fails("no-key", "name/publish", ONE, key="x"))
        self.rpc_fails("bad-argument", "name/publish", ONE, lifetime="0s")
        self.rpc_fails("bad-argument", "name/publish", ONE, lifetime="900000h")
        self.rpc_fails("bad-argument", "name/publish", ONE, ttl="900000h")
        self.rpc_fails("bad-call", "name/publish", ONE, lifetime="300")
        long = f"/ipfs/{LAMB}/{'x' * 1024}"
        self.rpc_fails("bad-argument", "name/publish", long, resolve=False)
        self.assertEqual(self.table.puts, [])
        self.assertEqual(self.rpc("name/publish", missing, resolve=False)["Value"], missing)

    def test_behind_another_one(self) -> None:
        """A key that has published elsewhere goes on behind that; a value that is older gives way to it."""
        made = self.rpc("key/gen", "mine")
        key = self.run_now(self.room.keys.find("mine")).key
        self.others_publish(OTHER, 7, key=key)
        self.rpc("name/publish", ONE, key="mine")
        name = PeerId.parse(made["Id"])
        self.assertEqual((self.record(name).value, self.record(name).sequence), (ONE.encode(), 8))
        self.others_publish(OTHER, 12, key=key)
        self.clock.advance(4 * HOUR)
        self.assertEqual((self.record(name).value, self.record(name).sequence), (OTHER.encode(), 12))
        self.assertEqual(self.rpc("name/resolve", made["Id"]), {"Path": OTHER})
        self.others_publish(OTHER, 20, key=key)
        self.rpc("name/publish", ONE, key="mine")
        self.assertEqual((self.record(name).value, self.record(name).sequence), (ONE.encode(), 21))

    def test_stale_and_nothing_shown(self) -> None:
        """Others who say that they have a newer record and show none change nothing here: what was stored counts, and
        where nothing was, that is told."""
        self.rpc("name/publish", ONE)
        self.table.kept[self.own] = (5, b"what")
        self.assertIn("a newer one", self.rpc_fails("not-published", "name/publish", OTHER))
        self.table.kept.clear()
        self.table.refused = {"stale": 1}
        self.rpc("name/publish", OTHER)
        self.assertEqual((self.record().value, self.record().sequence), (OTHER.encode(), 1))


class RenewalTests(NamesCase):
    def test_renewed(self) -> None:
        """Every four hours it is signed anew and brought again, under the same sequence; after a start, too."""
        self.rpc("name/publish", ONE)
        self.clock.advance(4 * HOUR)
        self.assertEqual((self.record().sequence, self.record().expires), (0, self.now + DAY * SECOND))
        self.assertEqual(len(self.table.puts), 2)
        self.again()
        self.clock.advance(0)
        self.assertEqual((len(self.table.puts), self.states()), (3, ["PUBLISHED"]))

    def test_a_setting(self) -> None:
        """How often is a setting."""
        self.settings.set("services/ipfs/republish-hours", 1)
        self.rpc("name/publish", ONE)
        self.clock.advance(HOUR)
        self.assertEqual(len(self.table.puts), 2)

    def test_a_short_life(self) -> None:
        """A record that was to end sooner is not renewed: it ends as it was said to, here as elsewhere."""
        self.rpc("name/publish", ONE, lifetime="1m")
        self.assertEqual(self.rpc("name/resolve"), {"Path": ONE})
        self.clock.advance(61)
        self.rpc_fails("no-name", "name/resolve")
        self.clock.advance(4 * HOUR)
        self.assertEqual((len(self.table.puts), self.states()), (1, []))
        self.again()
        self.assertEqual(self.states(), [])
        self.rpc("name/publish", ONE)
        self.assertEqual((self.states(), self.record().sequence), (["PUBLISHED"], 0))

    def test_after_a_long_sleep(self) -> None:
        """A node that was away for longer than its record lived brings it again, signed anew."""
        self.rpc("name/publish", ONE)
        self.room.names.close()
        self.clock.advance(3 * DAY)
        self.again()
        self.assertEqual(self.record().expires, self.now + DAY * SECOND)

    def test_keys_that_go(self) -> None:
        """A key that is removed is brought no more; one that is renamed is."""
        self.rpc("key/gen", "a")
        self.rpc("name/publish", ONE, key="a")
        self.rpc("key/rename", "a", "b")
        self.assertEqual(self.states(), ["PUBLISHED"])
        self.rpc("key/rm", "b")
        self.assertEqual(self.states(), [])

    def test_locked(self) -> None:
        """While the home is locked nothing is kept alive; once it is opened everything is."""
        self.be_somebody()
        self.rpc("name/publish", ONE)
        self.room.names.close()
        self.around.me.locked_key = "locked"
        self.around.me.absence = lambda: BitDustError("locked", "locked")
        self.again()
        self.assertEqual(self.states(), [])
        self.assertEqual(self.rpc("name/resolve", self.others_publish(OTHER, 1)), {"Path": OTHER})
        self.rpc_fails("locked", "name/publish", ONE)
        self.around.me.locked_key = ""
        self.changed.emit()
        self.assertEqual(self.states(), ["PUBLISHED"])


class ResolveTests(NamesCase):
    def test_of_others(self) -> None:
        """The name of somebody else is asked for once, and again when its time to live is over."""
        name = self.others_publish(ONE, 1)
        self.assertEqual(self.rpc("name/resolve", name), {"Path": ONE})
        self.others_publish(OTHER, 2, ttl=10)
        self.assertEqual((self.rpc("name/resolve", name), self.table.gets), ({"Path": ONE}, 1))
        self.assertEqual(self.rpc("name/resolve", name, nocache=True), {"Path": OTHER})
        self.others_publish(ONE, 3)
        self.clock.advance(11)
        self.assertEqual((self.rpc("name/resolve", name), self.table.gets), ({"Path": ONE}, 3))
        self.rpc_fails("no-name", "name/resolve", str(PeerId.of(PrivateKey.generate().public)))

    def test_replayed(self) -> None:
        """An older record that is shown again changes nothing; nor does one that has ended, or proves nothing."""
        name = self.others_publish(ONE, 5)
        self.rpc("name/resolve", name)
        self.others_publish(OTHER, 4)
        self.assertEqual(self.rpc("name/resolve", name, nocache=True), {"Path": ONE})
        self.others_publish(OTHER, 9, life=0)
        self.assertEqual(self.rpc("name/resolve", name, nocache=True), {"Path": ONE})
        self.table.kept[self.stranger] = (9, b"what")
        self.assertEqual(self.rpc("name/resolve", name, nocache=True), {"Path": ONE})
        liar = make(PrivateKey.generate(), Record(OTHER.encode(), 9, self.now + DAY * SECOND, 0))
        self.table.kept[self.stranger] = (9, liar)
        self.assertEqual(self.rpc("name/resolve", name, nocache=True), {"Path": ONE})
        self.clock.advance(DAY)
        self.rpc_fails("no-name", "name/resolve", name)

    def test_names_of_names(self) -> None:
        """Names that lead to names are followed, as far as the client wants; those in a circle are told."""
        last = self.others_publish(f"{OTHER}/a", 1)
        self.rpc("name/publish", f"/ipns/{last}/b", resolve=False)
        self.assertEqual(self.rpc("name/resolve"), {"Path": f"{OTHER}/a/b"})
        self.assertEqual(self.rpc("name/resolve", f"/ipns/{self.own}/c"), {"Path": f"{OTHER}/a/b/c"})
        self.assertEqual(self.rpc("name/resolve", recursive=False), {"Path": f"/ipns/{last}/b"})
        self.assertEqual(self.rpc("resolve", f"/ipns/{self.own}/c", recursive=False), {"Path": f"/ipns/{last}/b/c"})
        self.others_publish(f"/ipns/{self.own}", 2)
        self.assertIn("more than 32 names", self.rpc_fails("too-many-hops", "name/resolve", nocache=True))

    def test_records_that_lead_nowhere(self) -> None:
        """A record whose value is no path is no answer."""
        for sequence, value in enumerate(("what", "/what/x", "/ipfs/what", "")):
            name = self.others_publish(value, sequence)
            answer = self.answer("name/resolve", (name,), None, {"nocache": True})
            self.failureResultOf(Deferred.fromCoroutine(answer))
        self.rpc_fails("no-name", "name/resolve", "what")

    def test_in_paths(self) -> None:
        """Every command that takes a path takes one that begins with a name."""
        cid = self.add(Given(b"d/a", b"there"), wrap=True)[""]
        name = self.others_publish(f"/ipfs/{cid}", 1)
        self.assertEqual(self.rpc("cat", f"/ipns/{name}/d/a"), b"there")
        self.assertEqual(self.rpc("ls", f"/ipns/{name}")["Objects"][0]["Links"][0]["Name"], "d")
        self.assertEqual(self.rpc("resolve", f"/ipns/{name}/d/a")["Path"], self.rpc("resolve", f"{cid}/d/a")["Path"])
        self.assertIn(name.encode(), self.rpc("get", f"/ipns/{name}")[:200])
        self.assertEqual(self.rpc("dag/resolve", f"/ipns/{name}")["Cid"], {"/": cid})
        self.assertEqual(self.rpc("pin/add", f"/ipns/{name}"), {"Pins": [cid]})

    def test_streamed(self) -> None:
        """A stream gives what is known at once, and what others say then where that is something else."""
        name = self.others_publish(ONE, 1)
        self.assertEqual(self.rpc("name/resolve", name, stream=True), [{"Path": ONE}])
        self.others_publish(OTHER, 2)
        self.assertEqual(self.rpc("name/resolve", name, stream=True), [{"Path": ONE}])
        self.clock.advance(61)
        self.assertEqual(self.rpc("name/resolve", name, stream=True), [{"Path": ONE}, {"Path": OTHER}])
        self.rpc_fails("no-name", "name/resolve", str(PeerId.of(PrivateKey.generate().public)), stream=True)

    def test_patience(self) -> None:
        """After the time that a client gives, what is known by then counts."""
        name = self.others_publish(ONE, 1)
        self.rpc("name/resolve", name)
        self.table.slow = Deferred()
        options = {"nocache": True, "dht-timeout": "5s"}
        answer = Deferred.fromCoroutine(self.answer("name/resolve", (name,), None, options))
        self.assertNoResult(answer)
        self.clock.advance(5)
        self.assertEqual(self.successResultOf(answer), {"Path": ONE})
        unknown = str(PeerId.of(PrivateKey.generate().public))
        self.table.slow = Deferred()
        answer = Deferred.fromCoroutine(self.answer("name/resolve", (unknown,), None, {"dhtt": "1s"}))
        self.clock.advance(1)
        self.failureResultOf(answer)

    def test_pubsub(self) -> None:
        """Nobody is told of new records by a topic, and that is said."""
        self.assertEqual(self.rpc("name/pubsub/state"), {"Enabled": False})
        self.assertIn("not enabled", self.rpc_fails("not-enabled", "name/pubsub/subs"))
        self.assertIn("not enabled", self.rpc_fails("not-enabled", "name/pubsub/cancel", "x"))

    def test_bounded(self) -> None:
        """No more than a thousand names of others are remembered."""
        resolver = self.room.names.resolver
        record = Record(ONE.encode(), 1, self.now + DAY * SECOND, 0)
        for number in range(1005):
            resolver._remember(PeerId(number.to_bytes(34, "big")), evolve(record, sequence=number))
        self.assertEqual(len(resolver._known), 1000)


class ValueTests(NamesCase):
    def test_out_and_in(self) -> None:
        """A record of the hash table comes out as it was signed, and is taken as that, in base 64 or as it is."""
        name = self.others_publish(ONE, 3)
        (row,) = self.rpc("dht/get", f"/ipns/{name}")
        self.assertEqual((row["Type"], row["ID"]), (5, ""))
        signed = base64.b64decode(row["Extra"])
        self.assertEqual(verify(signed, self.stranger, self.now).value, ONE.encode())
        self.table.kept.clear()
        for value in (row["Extra"], signed.decode("utf-8", "surrogateescape")):
            (told,) = self.rpc("dht/put", f"/ipns/{name}", value)
            self.assertEqual((told["Type"], told["ID"]), (5, str(self.own)))
            self.assertEqual(self.table.kept.pop(self.stranger), (3, signed))

    def test_refused(self) -> None:
        """What is no record of that name, has ended, or is older than what others have, is stored nowhere."""
        name = self.others_publish(ONE, 3)
        (row,) = self.rpc("dht/get", f"/ipns/{name}")
        self.others_publish(OTHER, 4)
        self.rpc_fails("stale", "dht/put", f"/ipns/{name}", row["Extra"])
        self.assertIn("no record", self.rpc_fails("bad-argument", "dht/put", f"/ipns/{self.own}", row["Extra"]))
        self.assertIn("no record", self.rpc_fails("bad-argument", "dht/put", f"/ipns/{name}", "test123"))
        self.rpc_fails("bad-call", "dht/put", f"{ONE}", "x")
        self.rpc_fails("bad-call", "dht/get", "/ipns/what")
        self.rpc_fails("bad-call", "dht/get", f"/ipns/{name}/a")
        self.assertEqual(self.rpc_fails("no-value", "dht/get", f"/ipns/{self.own}"), "routing: not found")
        self.table.kept[self.stranger] = (9, b"what")
        self.rpc_fails("no-value", "dht/get", f"/ipns/{name}")
        self.clock.advance(DAY)
        self.rpc_fails("bad-argument", "dht/put", f"/ipns/{name}", row["Extra"])
        self.room = self.room.visit(True, False)
        self.rpc_fails("no-value", "dht/get", f"/ipns/{name}")
        self.rpc_fails("offline", "dht/put", f"/ipns/{name}", row["Extra"])


class DnsTests(NamesCase):
    def test_nobody_is_asked(self) -> None:
        """Until the person of this node has said whom, no name server is asked, and the answer says how to."""
        for command, name in (("dns", "ipfs.io"), ("name/resolve", "ipfs.io"), ("cat", "/ipns/ipfs.io/a")):
            text = self.rpc_fails("no-dns", command, name)
            self.assertIn("bitdust set services/ipfs/dns-resolver", text)
        self.rpc_fails("no-name", "dns", "what")
        self.room = self.room.visit(True, False)
        self.rpc_fails("no-dns", "dns", "ipfs.io")
        self.rpc_fails("no-name", "name/resolve", "ipfs.io")
        self.settings.set("services/ipfs/dns-resolver", "what is this")
        self.room = self.room.visit(False, False)
        self.assertIn("is wrong", self.rpc_fails("no-dns", "dns", "ipfs.io"))
