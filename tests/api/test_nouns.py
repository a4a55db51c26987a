"""Methods of each noun, over a node with a real identity and stand-ins for what lies on the network."""

import stat
from functools import cache
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.call import perform
from bitdust.api.identity import SEARCH_SECONDS
from bitdust.api.methods import TABLE
from bitdust.api.table import Method
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import KeyFile
from bitdust.crypt.master import MasterKey
from bitdust.desktop import Desktop
from bitdust.dht.sealed_family import SealedFamily
from bitdust.dht.seeds import parse_seeds
from bitdust.identity.cache import IdentityCache
from bitdust.identity.client import parse_servers
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.home_lock import HomeLock
from bitdust.identity.me import Me
from bitdust.services.service_keys_storage import CHANGES
from bitdust.storage.keeping.trouble import Code, Trouble
from bitdust.transport.outbox import NoAnswer
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.records import Family
from tests import keys
from tests.api.fakes import Anything, FakeContext, some_storage
from tests.keys import cheap_passphrases
from tests.stand_ins import ClosedStorage

KEY_FILE = "http://id.example/alice.xml\n-----BEGIN RSA PRIVATE KEY-----\n…"


@cache
def master(name: str) -> MasterKey:
    """One key a name for the whole module: making them is slow."""
    return keys.search()


def document(name: str, device: DeviceKey) -> IdentityDocument:
    source = IDURL.parse(f"http://id.example/{name}.xml")
    return IdentityDocument.create(master(name), (source,), 1, (Device(0, 1, device.public),), 1000.0)


def code_of(parse: Any, text: str) -> str:
    """With what a parser refuses a text."""
    try:
        parse(text)
    except BitDustError as error:
        return error.code
    return ""


class NounCase(SynchronousTestCase):
    """alice's node, on which every service is ON; bob is known, carol is not."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeContext(self.clock, self.mktemp())
        self.context.me = Me(self.context.world, self.context.events)
        self.context.cache = IdentityCache(self.context.world, self.context.events)
        self.context.groups = Anything(all=list, called=lambda name: name, conversation=lambda key_id: key_id)
        for row in TABLE:
            if row.service:
                self.context.driver.states[row.service] = ("ON", "")
        self.bob = document("bob", DeviceKey.from_seed(b"b" * 32))
        self.context.cache.accept(self.bob, self.bob.idurl)

    def become_alice(self, fresh: bool = True) -> None:
        device = DeviceKey.from_seed(b"a" * 32)
        self.context.me.adopt(document("alice", device), master("alice"), device, fresh)

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The envelope of a method."""
        row = TABLE.named(name)
        assert row is not None
        return self.call_row(row, arguments)

    def call_row(self, row: Method, arguments: dict[str, Any]) -> dict[str, Any]:
        return self.successResultOf(perform(self.context, row, arguments))

    def result(self, name: str, /, **arguments: Any) -> Any:
        envelope = self.call(name, **arguments)
        self.assertEqual(envelope["status"], "OK", envelope)
        return envelope.get("result")

    def code(self, name: str, /, **arguments: Any) -> str:
        envelope = self.call(name, **arguments)
        self.assertEqual(envelope["status"], "ERROR", envelope)
        self.assertTrue(envelope["errors"][0])
        return str(envelope["code"])


class ServiceOffTests(NounCase):
    def test_every_method_that_needs_a_service(self) -> None:
        """While its service is off, a method says so, with the service's own reason, before anything else."""
        for row in TABLE:
            if row.service is None:
                continue
            self.context.driver.states[row.service] = ("OFF", "its socket was taken away")
            numbers = ("INTEGER", "NUMBER", "FLAG")
            required = {p.name: 1 if p.kind.name in numbers else "x" for p in row.params if p.required}
            envelope = self.call_row(row, required)
            self.assertEqual(envelope["code"], "service-off", row.name)
            text = f"service_{row.service}() is not started: its socket was taken away"
            self.assertEqual(envelope["errors"], [text])

    def test_what_it_needs(self) -> None:
        """Where it waits for others, the answer says why the last of them is off."""
        states = self.context.driver.states
        states["backups"] = ("DEPENDS_OFF", "needs backup_db")
        states["backup_db"] = ("DEPENDS_OFF", "needs keys_storage")
        states["keys_storage"] = ("OFF", "no space is left on the disk of /home/alice")
        row = next(row for row in TABLE if row.service == "backups")
        said = self.call_row(row, {p.name: "x" for p in row.params if p.required})["errors"][0]
        self.assertIn("needs backup_db; keys_storage: no space is left on the disk", said)

    def test_disabled(self) -> None:
        """A service that was switched off says by which setting."""
        self.context.driver.states["supplier"] = ("OFF", "")
        self.assertIn("services/supplier/enabled", self.call("customers_list")["errors"][0])


class IdentityTests(NounCase):
    def test_backup_check(self) -> None:
        """A key file that is read back and good is noted; another's, a locked one and one in the home are not."""
        self.become_alice()
        cheap_passphrases(self)
        health = lambda: self.result("process_health")  # noqa: E731
        self.assertEqual(health(), {"identity": "ready", "backup_checked": None})
        where = (IDURL.parse("http://id.example/alice.xml"),)
        mine, other = (KeyFile(where, master(name)) for name in ("alice", "bob"))
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        for name, text in (("mine", mine.write()), ("other", other.write()), ("locked", mine.write(b"word"))):
            (folder / name).write_text(text)
            (self.context.world.home / name).write_text(text)
        check = "identity_backup_check"
        self.assertEqual(self.code(check), "bad-argument")
        self.assertEqual(self.code(check, source_filepath=str(folder / "other")), "wrong-key")
        self.assertEqual(self.code(check, source_filepath=str(folder / "locked")), "passphrase-needed")
        self.assertEqual(self.code(check, source_filepath=str(folder / "locked"), passphrase="w"), "wrong-passphrase")
        self.assertEqual(self.code(check, private_key_source="hello"), "not-a-key-file")
        for path in ("relative", "/with\0nul", "/a/../b"):
            self.assertEqual(self.code(check, private_key_source=mine.write(), source_filepath=path), "bad-path")
        inside = self.call(check, source_filepath=str((self.context.world.home / "mine").absolute()))
        self.assertEqual((inside["result"]["counts"], "keep another" in inside["message"]), (False, True))
        self.assertIsNone(health()["backup_checked"])
        self.assertEqual(self.code(check, source_filepath=str(folder / "locked"), passphrase="\n"), "bad-passphrase")
        found = self.result(check, source_filepath=str(folder / "locked"), passphrase="word\n")
        self.assertEqual((found["counts"], found["encrypted"], found["checked"]), (True, True, 1000.0))
        self.assertEqual(self.code(check, source_filepath=str(folder / "mine"), renew="often"), "bad-argument")
        self.result(check, source_filepath=str(folder / "mine"), renew="always")
        self.assertEqual(self.context.noted, [([], str(folder / "locked"), ""), ([], str(folder / "mine"), "always")])
        self.assertEqual(health()["backup_checked"], 1000.0)
        self.assertEqual(self.result("identity_get")["backup_checked"], 1000.0)

    def test_backup_check_of_another_meanwhile(self) -> None:
        """An identity that came while the file was read is not taken for one that has a copy."""
        self.become_alice()
        text = KeyFile((IDURL.parse("http://id.example/alice.xml"),), master("alice")).write()
        reading: Deferred[Any] = Deferred()
        self.context.world = evolve(self.context.world, run_in_thread=lambda *_: reading)
        checking = perform(self.context, TABLE.named("identity_backup_check"), {"private_key_source": text})
        device = DeviceKey.from_seed(b"b" * 32)
        self.context.me.adopt(document("bob", device), master("bob"), device)
        reading.callback(KeyFile.read(text, None))
        self.assertEqual(self.successResultOf(checking)["code"], "wrong-key")
        self.assertIsNone(self.result("process_health")["backup_checked"])

    def test_odd_digits(self) -> None:
        """What Python counts as digits and is no number of ours is refused in words, never as a mistake of the node."""
        self.become_alice()
        self.context.suppliers = Anything(list=lambda verbose=False: [], leaving=list)
        for text in ("²", "9" * 5000, "١"):
            self.assertNotEqual(self.code("supplier_change", supplier_id=text), "internal", text[:9])
            self.assertEqual(code_of(parse_servers, f"id.example:{text}"), "bad-value")
            self.assertEqual(code_of(parse_seeds, f"seed.example:{text}"), "bad-value")
        self.context.settings.set("services/entangled-dht/known-nodes", "seed.example:²")
        self.assertEqual(self.result("network_configuration")["service_entangled_dht"]["known_nodes"], [])

    def test_lock(self) -> None:
        """A locked node tells so in its health, in every answer that needs the identity, and opens by passphrase."""
        self.become_alice()
        cheap_passphrases(self)
        self.context.home_lock = HomeLock(self.context.world, self.context.me)
        self.assertEqual(self.result("identity_lock", passphrase="correct horse\r\n"), {"locked": True})
        self.context.me = Me(self.context.world, self.context.events)
        self.context.me.load()
        self.context.home_lock = HomeLock(self.context.world, self.context.me)
        self.assertEqual(self.result("process_health"), {"identity": "locked", "backup_checked": None})
        self.assertEqual(self.code("identity_get"), "locked")
        self.assertEqual(self.code("identity_create", username="other"), "locked")
        self.assertEqual(self.code("identity_unlock", passphrase="wrong horse"), "wrong-passphrase")
        self.assertEqual(self.code("identity_unlock", passphrase="correct horse"), "too-many-tries")
        self.clock.advance(1)
        self.assertEqual(self.result("identity_unlock", passphrase="correct horse", permanently=1)["name"], "alice")
        self.assertFalse(self.context.me.keeps_locked)

    def test_get(self) -> None:
        """Without an identity there is an error; with one, the fields that clients read."""
        self.assertEqual(self.code("identity_get"), "no-identity")
        self.become_alice()
        found = self.result("identity_get")
        self.assertEqual((found["idurl"], found["global_id"]), ("http://id.example/alice.xml", "alice@id.example"))
        self.assertNotIn("xml", found)
        self.assertIn("<", self.result("identity_get", include_xml_source=1)["xml"])

    def test_create(self) -> None:
        """The registration gets name and servers; a second identity is refused."""
        asked: list[Any] = []

        def create(name: str, servers: list[str]) -> "Deferred[None]":
            asked.append((name, servers))
            self.become_alice()
            return succeed(None)

        self.context.registration = Anything(create=create, automat={"index": 3, "id": "id_registrator"})
        answer = self.call("identity_create", username="alice", preferred_servers="a.example:80", join_network=1)
        self.assertEqual((answer["result"]["name"], asked), ("alice", [("alice", ["a.example:80"])]))
        self.assertEqual(answer["automat"], {"index": 3, "id": "id_registrator"})
        self.assertEqual(self.code("identity_create", username="other"), "identity-exists")

    def test_waiting_may_end_the_work_goes_on(self) -> None:
        """A client that goes away while its identity is made does not stop the making."""
        work: Deferred[None] = Deferred()
        self.context.registration = Anything(create=lambda name, servers: work, automat=None)
        calling = perform(self.context, TABLE.named("identity_create"), {"username": "alice"})
        calling.cancel()
        self.assertEqual(self.successResultOf(calling)["code"], "cancelled")
        self.assertFalse(work.called)
        self.become_alice()
        work.callback(None)

    def test_recover(self) -> None:
        """The key file comes as text or as a path; not both, not neither, no folder, no relative path."""
        asked: list[Any] = []

        def recover(text: str, passphrase: bytes | None, idurl: str | None, revoke: bool) -> "Deferred[None]":
            asked.append((text, passphrase, idurl, revoke))
            return Deferred()

        self.context.registration = Anything(recover=recover)
        path = Path(self.mktemp()).absolute()
        path.write_text(KEY_FILE)
        row = TABLE.named("identity_recover")
        perform(self.context, row, {"private_key_source": KEY_FILE, "passphrase": "x", "known_idurl": "http://a/b"})
        perform(self.context, row, {"private_key_local_file": str(path), "revoke_other_devices": "1"})
        self.assertEqual(asked, [(KEY_FILE, b"x", "http://a/b", False), (KEY_FILE, None, None, True)])
        self.assertEqual(self.code("identity_recover"), "bad-argument")
        self.assertEqual(self.code("identity_recover", private_key_local_file="alice.key"), "bad-path")
        self.assertEqual(self.code("identity_recover", private_key_local_file="/no/such/file"), "os-error")
        self.assertEqual(self.code("identity_recover", private_key_local_file=str(path.parent)), "bad-key")

    def test_recover_waits_for_nobody_too_long(self) -> None:
        """After two minutes the call says what is waited for; the search goes on, and with it the person's word."""
        searching: Deferred[None] = Deferred()
        self.context.registration = Anything(recover=lambda *_: searching)
        self.context.me.searched_because = "no answer yet from the DHT"
        row = TABLE.named("identity_recover")
        asked = perform(self.context, row, {"private_key_source": KEY_FILE, "start_over": True})
        self.context.world.clock.advance(SEARCH_SECONDS)
        envelope = self.successResultOf(asked)
        self.assertEqual(envelope["code"], "still-searching")
        self.assertIn("no answer yet from the DHT; the search goes on", envelope["errors"][0])
        self.become_alice(fresh=False)
        searching.callback(None)
        self.assertFalse(self.context.me.is_recovering)

    def test_start_over(self) -> None:
        """The person's word ends the wait of a recovered node, once; without one there is nothing to end."""
        self.become_alice(fresh=False)
        self.assertEqual(self.result("identity_recover", start_over=True)["name"], "alice")
        self.assertFalse(self.context.me.is_recovering)
        self.assertEqual(self.code("identity_recover", start_over=True), "not-recovering")

    def test_backup(self) -> None:
        """The key file is private, an older copy is replaced, anything else is left alone."""
        self.become_alice()
        self.context.registration = Anything(backup=lambda passphrase: KEY_FILE)
        path = Path(self.mktemp()).absolute()
        for _ in range(2):
            self.assertEqual(self.result("identity_backup", destination_filepath=str(path)), {"local_path": str(path)})
        self.assertEqual((path.read_text(), stat.S_IMODE(path.stat().st_mode)), (KEY_FILE, 0o600))
        path.write_text("my diary")
        self.assertEqual(self.code("identity_backup", destination_filepath=str(path)), "exists")
        self.assertEqual(path.read_text(), "my diary")
        self.result("identity_backup", destination_filepath=str(path), overwrite=True)
        self.assertEqual(self.result("identity_backup")["result"], KEY_FILE)
        for wrong in ("alice.key", "/tmp/../x", "/" + "x" * 5000):
            self.assertEqual(self.code("identity_backup", destination_filepath=wrong), "bad-path")

    def test_erase(self) -> None:
        """What became of each thing is told, and where to look for what was kept."""
        told = {"removed": ["/h/catalog.db"], "former": "/h/former/ab-1", "elsewhere": ["the DHT"]}
        asked: list[bool] = []

        def erase(erase_private_key: bool) -> Any:
            asked.append(erase_private_key)
            return succeed(told | ({"former": None} if erase_private_key else {}))

        self.context.erase_identity = erase
        self.assertEqual(self.result("identity_erase"), told)
        self.assertIn("/h/former/ab-1", self.call("identity_erase")["message"])
        self.assertIn("only a backup", self.call("identity_erase", erase_private_key="1")["message"])
        self.assertEqual(asked, [False, False, True])

    def test_cache_list(self) -> None:
        """Identities of others, without mine."""
        self.become_alice()
        self.assertEqual([row["name"] for row in self.result("identity_cache_list")], ["bob"])


class KeyTests(NounCase):
    def setUp(self) -> None:
        super().setUp()
        self.become_alice()

    def make(self, **arguments: Any) -> dict[str, Any]:
        master("another")
        self.patch(MasterKey, "generate", lambda bits=2048: master("another"))
        found: dict[str, Any] = self.result("key_create", **arguments)
        return found

    def test_life(self) -> None:
        """A key is made, listed after the master, labelled, found by id and alias, and erased."""
        made = self.make(key_alias="pictures", key_size=1024, label="Cats")
        self.assertEqual(made["key_id"], "pictures$alice@id.example")
        self.assertEqual((made["size"], made["is_public"], "private" in made), (2048, False, False))
        self.assertEqual([row["alias"] for row in self.result("keys_list")], ["master", "pictures"])
        self.call("key_label", key_id="pictures", label="Dogs")
        self.assertEqual(self.result("key_get", id="pictures$alice@id.example")["label"], "Dogs")
        self.assertIn("PRIVATE", self.result("key_get", key_id="pictures", include_private=1)["private"])
        self.call("key_state", key_id="pictures", active=0)
        self.assertFalse(self.result("key_get", key_id="pictures")["active"])
        self.call("key_erase", key_id="pictures")
        self.assertEqual(self.code("key_get", key_id="pictures"), "key-not-found")

    def test_suppliers_get_every_change(self) -> None:
        """Each method that changes the ring on this disk sends an event on which suppliers get the new one."""
        self.make(key_alias="pictures")
        seen: list[str] = []
        self.clock.advance(1)
        self.addCleanup(self.context.events.subscribe(lambda event: seen.append(event.id)))
        for name, arguments in (
            ("key_label", {"key_id": "pictures", "label": "Dogs"}),
            ("key_state", {"key_id": "pictures", "active": 0}),
            ("key_erase", {"key_id": "pictures"}),
            ("key_create", {"key_alias": "other", "key_size": 2048}),
        ):
            seen.clear()
            ring = self.context.me.key_ring.to_bytes()
            self.result(name, **arguments)
            self.clock.advance(1)
            self.assertNotEqual(self.context.me.key_ring.to_bytes(), ring, name)
            self.assertEqual((len(seen), set(seen) - set(CHANGES)), (1, set()), name)
            self.assertEqual(TABLE.named(name).becomes, (("keys_synchronizer", "keys-changed"),))

    def test_survives(self) -> None:
        """Keys are in the ring on disk when the method has answered."""
        self.make(key_alias="pictures")
        again = Me(self.context.world, self.context.events)
        again.load()
        self.assertIn("pictures", again.key_ring)

    def test_refusals(self) -> None:
        """The master key stays, aliases are checked, sizes are those that are documented."""
        self.make(key_alias="pictures")
        for name, arguments, code in (
            ("key_erase", {"key_id": "master"}, "not-allowed"),
            ("key_create", {"key_alias": "../x"}, "bad-key-id"),
            ("key_create", {"key_alias": "pictures"}, "key-exists"),
            ("key_create", {"key_alias": "hidden.messages"}, "bad-key-id"),
            ("key_erase", {"key_id": "hidden.messages$alice@id.example"}, "key-not-found"),
            ("key_create", {"key_alias": "other", "key_size": 3000}, "bad-argument"),
            ("key_get", {"key_id": "no-such"}, "key-not-found"),
            ("key_get", {"key_id": "master$not an id"}, "bad-name"),
            ("key_label", {"key_id": "pictures", "label": "x" * 201}, "bad-argument"),
            ("key_state", {"key_id": "master", "active": 0}, "not-allowed"),
            ("key_state", {"key_id": "no-such", "active": 0}, "key-not-found"),
        ):
            self.assertEqual(self.code(name, **arguments), code, name)


class ContactTests(NounCase):
    def setUp(self) -> None:
        super().setUp()
        self.become_alice()

    def test_suppliers(self) -> None:
        """My suppliers as the view shows them; those of others are for the DHT to tell."""
        rows = [{"position": 0, "idurl": str(self.bob.idurl), "fingerprint": "00", "supplier_state": "CONNECTED"}]
        self.context.suppliers = Anything(list=lambda verbose=False: rows, ping=lambda: succeed(1))
        self.context.storage = ClosedStorage()
        self.context.spares = Anything(status=lambda: {"problem": "a family of 3 does not heal"})
        self.context.hiring = Anything(reason="nobody else is known")
        full = Trouble(Code.FULL, "is full")
        self.context.risk = Anything(troubles=lambda who: [full], away_since=lambda who: 7)
        more = {"audit": None, "since": 7, "problems": [{"code": "full", "text": "is full"}]}
        self.assertEqual(self.result("suppliers_list"), [rows[0] | more])
        answer = self.call("suppliers_list")
        beside = (answer["healing"], answer["waits_for"])
        self.assertEqual(beside, ("a family of 3 does not heal", "nobody else is known"))
        self.assertEqual(self.result("suppliers_list", customer_id="alice@id.example"), [rows[0] | more])
        rows[0]["fingerprint"] = ""
        self.assertEqual(self.result("suppliers_list")[0]["problems"], [])
        rows[0]["fingerprint"] = "00"
        self.assertEqual(self.code("suppliers_list", customer_id="bob@id.example"), "not-found")
        self.assertEqual(self.result("suppliers_ping"), {"online": 1, "total": 1})

    def test_spares(self) -> None:
        """Who may stand in and who does; a person's word goes to the place that it names."""
        place = {"position": 2, "global_id": "dave@id.example", "instead_of": "bob@id.example"}
        status = {"after_days": 7, "spares": [], "ends": None, "problem": "nobody would", "places": [place]}
        said: list = []

        def decide(position: int, confirm: bool) -> dict:
            said.append((position, confirm))
            return place

        self.context.spares = Anything(status=lambda: status, decide=decide)
        self.assertEqual(self.result("suppliers_spares"), status)
        self.assertEqual(self.result("supplier_spare_confirm", position=2), place)
        self.assertEqual(self.result("supplier_spare_dismiss", position=2), place)
        self.assertEqual(said, [(2, True), (2, False)])

    def test_suppliers_in_the_dht(self) -> None:
        """My record names my suppliers, under both names of the method; that of another is sealed to its owner."""
        me, kept = self.context.me, {}
        self.context.dht = Anything(get=lambda kind, subject, thorough: succeed(kept.get(subject)))
        self.assertEqual(self.code("suppliers_list_dht"), "not-found")
        family = Family(me.fingerprint, 3, 2, 4, 1000, [self.bob.fingerprint, b"z" * 32, None, None])
        box = me.master.public.seal(me.sign(Family.KIND, family.to_body()).to_bytes())
        sealed = SealedFamily(me.fingerprint, 3, box)
        record = Anything(revision=3, value=me.sign(SealedFamily.KIND, sealed.to_body()).to_bytes())
        kept = {one.fingerprint + one.devices[0].id: record for one in (me.document, self.bob)}
        for name, arguments in (
            ("suppliers_list_dht", {}),
            ("suppliers_list_dht", {"id": "alice@id.example"}),
            ("suppliers_dht_lookup", {"customer_id": str(me.document.idurl)}),
        ):
            found = self.result(name, **arguments)
            self.assertEqual(found["customer_idurl"], "http://id.example/alice.xml")
            self.assertEqual(found["suppliers"], ["http://id.example/bob.xml", (b"z" * 32).hex(), "", ""])
            self.assertEqual((found["ecc_map"], found["revision"]), ("ecc/4x4", 3))
        self.assertEqual(self.code("suppliers_list_dht", id="bob@id.example"), "not-allowed")

    def test_replacing_a_supplier(self) -> None:
        """By position, name or IDURL, by somebody certain or anybody; the answer tells who goes and who comes."""
        self.become_alice()
        asked: list[Any] = []
        rows = [
            {"fingerprint": "", "global_id": "", "idurl": ""},
            {"fingerprint": "ab" * 32, "global_id": "bob@x", "idurl": "http://x/bob.xml"},
        ]
        self.context.suppliers = Anything(list=lambda verbose=False: rows, leaving=list)

        def replace(old: bytes, new: bytes | None) -> Any:
            asked.append((old, new))
            return Anything(index=7, id="supplier_replacement(1)")

        self.context.replacement_requests = Anything(replace=replace, try_out=lambda old, new: succeed(None))
        by_name = ({"supplier_id": "bob@x"}, {"id": "http://x/bob.xml"}, {"supplier_id": "1"})
        for given in ({"position": 1}, {"index": 1}, *by_name):
            self.assertEqual(self.result("supplier_change", **given), {"supplier": "bob@x", "new_supplier": None})
        found = self.result("supplier_change", position="1", new_idurl="bob@id.example")
        self.assertEqual(found["new_supplier"], "bob@id.example")
        answer = self.call("supplier_change", position=1)
        self.assertEqual(answer["automat"], {"index": 7, "id": "supplier_replacement(1)"})
        asked.pop()
        self.assertEqual(asked, [(b"\xab" * 32, None)] * 5 + [(b"\xab" * 32, self.bob.fingerprint)])
        self.assertEqual(self.code("supplier_change"), "bad-argument")
        self.assertEqual(self.code("supplier_change", position=0), "not-found")
        self.assertEqual(self.code("supplier_change", position=9), "not-found")

    def test_a_new_supplier_that_does_not_do(self) -> None:
        """Whoever is named is tried out first; why it does not do is the answer, and nobody is replaced. Of somebody
        unknown that is the answer at once."""
        self.become_alice()
        rows = [{"fingerprint": "ab" * 32, "global_id": "bob@x", "idurl": "http://x/bob.xml"}]
        self.context.suppliers = Anything(list=lambda verbose=False: rows, leaving=list)
        asked: list[Any] = []

        def try_out(old: bytes, new: bytes) -> Any:
            asked.append((old, new))
            return fail(BitDustError(code, "it does not do"))

        replaced = lambda old, new: self.fail("it was replaced")  # noqa: E731
        self.context.replacement_requests = Anything(replace=replaced, try_out=try_out)
        for code in ("exists", "is-customer", "unreachable", "no-space", "no-service"):
            given = {"position": 0, "new_supplier_id": "bob@id.example"}
            self.assertEqual(self.code("supplier_change", **given), code)
        self.assertEqual(asked, [(b"\xab" * 32, self.bob.fingerprint)] * 5)
        gone = BitDustError("unknown-identity", "there is nobody of that name")
        self.context.client = Anything(look_up=lambda idurl: fail(gone))
        unknown = (("cd" * 32, "unknown-user"), ("ghost@id.example", "unknown-identity"), ("ghost", "bad-name"))
        for nobody, code in unknown:
            self.assertEqual(self.code("supplier_change", position=0, new_supplier_id=nobody), code)
        self.assertEqual(len(asked), 5)

    def test_ending_contracts(self) -> None:
        """Refused while files are stored, unless said otherwise; ending all of them stops hiring. Whoever has left its
        place can be named as well, though nobody knows more of it than what is shown."""
        rows = [
            {"fingerprint": "ab" * 32, "global_id": "bob@x", "idurl": "http://x/bob.xml"},
            {"fingerprint": "cd" * 32, "global_id": "", "idurl": ""},
        ]
        left: list[dict[str, str]] = []
        ended: list[Any] = []
        data = [True]
        self.context.suppliers = Anything(list=lambda verbose=False: rows, leaving=lambda: left)
        self.context.storage = some_storage(stats=lambda: {"files": 3, "used": 5 << 20}, count=lambda: succeed(None))
        self.context.hiring = Anything(
            has_data=lambda: data[0], dismiss=lambda who: ended.append(who) or succeed(who[1:])
        )
        envelope = self.call("contracts_end")
        self.assertEqual(envelope["code"], "has-data")
        self.assertIn("3 files (5 MB)", envelope["errors"][0])
        self.assertIn("supplier_change", self.call("contracts_end", position=0)["errors"][0])
        self.assertEqual((ended, self.context.settings.get("services/employer/enabled")), ([], True))
        found = self.result("contracts_end", position=0, lose_data=1)
        self.assertEqual(found, {"ended": ["bob@x"], "not_told": []})
        left.append({"fingerprint": "ef" * 32, "global_id": "eve@x", "idurl": "http://x/eve.xml"})
        found = self.result("contracts_end", supplier_id="eve@x", lose_data=1)
        self.assertEqual((found["ended"], ended[-1]), (["eve@x"], [b"\xef" * 32]))
        left.append({"fingerprint": "0a" * 32, "global_id": "", "idurl": ""})
        for shown in ("0a" * 8, "0a" * 32):
            found = self.result("contracts_end", supplier_id=shown, lose_data=1)
            self.assertEqual((found["ended"], ended[-1]), (["0a" * 8], [b"\x0a" * 32]))
        left.clear()
        self.assertTrue(self.context.settings.get("services/employer/enabled"))
        data[0] = False
        found = self.result("contracts_end")
        self.assertEqual(found, {"ended": ["bob@x", "cd" * 8], "not_told": ["cd" * 8]})
        self.assertFalse(self.context.settings.get("services/employer/enabled"))
        self.assertEqual(self.code("contracts_end", supplier_id="bob@id.example"), "not-found")
        rows.clear()
        self.assertEqual(self.code("contracts_end"), "not-found")

    def test_rejecting_a_customer(self) -> None:
        """The message has the form of 2016 and the true number; who is no customer is refused."""
        asked: list[Any] = []

        def give_notice(who: bytes, at_once: bool) -> Any:
            asked.append((who, at_once))
            return succeed(Anything(freed=536870912 if at_once else 0, kept=0 if at_once else 536870912, until=7))

        self.context.patrol = Anything(give_notice=give_notice)
        mine = self.bob.fingerprint.hex()
        rows = [{"fingerprint": mine, "global_id": "bob@id.example", "idurl": "http://id.example/bob.xml"}]
        self.context.customers = Anything(list=lambda verbose=False: rows)
        envelope = self.call("customer_reject", customer_id="bob@id.example", erase_customer_key=1, at_once=1)
        self.assertEqual(envelope["message"], "customer rejected, 536870912 bytes were freed")
        envelope = self.call("customer_reject", idurl="http://id.example/bob.xml")
        self.assertTrue(envelope["message"].startswith("customer rejected, 0 bytes were freed; 536870912 bytes stay"))
        self.assertEqual(self.result("customer_reject", customer_id=mine)["kept"], 536870912)
        self.assertEqual(asked, [(self.bob.fingerprint, at_once) for at_once in (True, False, False)])
        rows.clear()
        self.assertEqual(self.code("customer_reject", customer_id="bob@id.example"), "not-found")
        self.assertEqual(self.code("customer_reject"), "bad-argument")

    def test_retiring(self) -> None:
        """Days are a number within ten years; the answer tells who has data here still."""
        status = {"state": "notice", "since": 1, "until": 2, "customers": [{"used": 5}], "remaining_bytes": 5 << 20}
        asked: list[float] = []
        self.context.retirement = Anything(
            retire=lambda days: asked.append(days) or succeed(None), cancel=lambda: succeed(None), status=lambda: status
        )
        envelope = self.call("supplier_retire")
        self.assertEqual(envelope["message"], "notice was given; 1 customers still have 5 MB here")
        self.assertEqual(self.result("supplier_retire", grace_days="0.5"), status)
        self.assertEqual(asked, [14, 0.5])
        for days in (-1, 4000, "soon"):
            self.assertEqual(self.code("supplier_retire", grace_days=days), "bad-argument")
        self.assertEqual(self.result("supplier_retire_status"), status)
        status.update(state="serving", customers=None)
        self.assertEqual(self.call("supplier_retire_cancel")["message"], "this node is a supplier")

    def test_customers(self) -> None:
        """My customers as the view shows them."""
        self.context.customers = Anything(list=lambda verbose=False: [{"position": 1}], ping=lambda: succeed(0))
        self.assertEqual(self.result("customers_list"), [{"position": 1}])
        self.assertEqual(self.call("customers_ping")["message"], "0 of 1 customers are online")

    def test_space(self) -> None:
        """Figures come from where they are counted."""
        self.context.space = Anything(
            donated=lambda: {"donated": 1}, consumed=lambda: {"needed": 2}, local=lambda: succeed({"total": 3})
        )
        found = [self.result(f"space_{name}") for name in ("donated", "consumed", "local")]
        self.assertEqual(found, [{"donated": 1}, {"needed": 2}, {"total": 3}])


class UserTests(NounCase):
    def setUp(self) -> None:
        super().setUp()
        self.become_alice()
        self.answers: list[Any] = []
        self.asked: list[tuple[bytes, float]] = []
        self.context.gateway = Anything(outbox=Anything(send=self.send))
        self.context.settings.set("services/gateway/p2p-timeout", 15)

    def send(self, to: bytes, command: Any, fields: Any, *, deadline: float) -> "Deferred[Any]":
        self.asked.append((to, deadline))
        waiting: Deferred[Any] = Deferred()
        if self.answers:
            answer = self.answers.pop(0)
            (waiting.errback if isinstance(answer, Exception) else waiting.callback)(answer)
        return waiting

    def test_ping(self) -> None:
        """A peer that answers is alive; one that does not answer is tried again, then told."""
        self.answers = [NoAnswer("no address answers"), object()]
        self.assertEqual(self.result("user_ping", id="bob@id.example", timeout=3)["global_id"], "bob@id.example")
        self.assertEqual(self.asked, [(self.bob.fingerprint, 3.0)] * 2)
        self.answers = [NoAnswer("no address answers")] * 2
        envelope = self.call("user_ping", user_id="bob@id.example")
        self.assertEqual(envelope["code"], "no-answer")
        self.assertIn("no address answers", envelope["errors"][0])

    def test_status(self) -> None:
        """The status of a user is what is known; checking it asks, and says when nobody is there."""
        self.context.driver.states["p2p_hookups"] = ("ON", "")
        asked: list[bytes] = []
        online = [True, False]

        def ping(fingerprint: bytes) -> "Deferred[bool]":
            asked.append(fingerprint)
            return succeed(online.pop(0))

        self.context.presence = Anything(state=lambda fingerprint: "OFFLINE", ping=ping)
        row = {"global_id": "bob@id.example", "idurl": "http://id.example/bob.xml", "contact_state": "OFFLINE"}
        self.assertEqual(self.result("user_status", user_id="bob@id.example"), row)
        self.assertEqual(asked, [])
        self.assertEqual(self.result("user_status_check", user_id="bob@id.example"), row)
        self.assertEqual(self.code("user_status_check", user_id="bob@id.example"), "not-connected")
        self.assertEqual(asked, [self.bob.fingerprint] * 2)
        self.context.presence.state = lambda fingerprint: "CONNECTED"
        self.assertEqual(self.result("user_status_check", user_id="bob@id.example")["contact_state"], "CONNECTED")
        self.assertEqual(len(asked), 2)

    def test_ping_myself(self) -> None:
        """I am there without being asked over the network."""
        self.assertEqual(self.result("user_ping", user_id="alice@id.example")["seconds"], 0.0)
        self.assertEqual(self.asked, [])

    def test_silence(self) -> None:
        """A peer that says nothing at all ends the call after its time-outs, and leaves no timer."""
        calling = perform(self.context, TABLE.named("user_ping"), {"user_id": "bob@id.example", "timeout": 3})
        self.clock.pump([3, 3])
        self.assertEqual(self.successResultOf(calling)["code"], "no-answer")
        self.context.events.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unknown(self) -> None:
        """Somebody whom a person names is fetched from his ID server and kept."""
        carol = document("carol", DeviceKey.from_seed(b"c" * 32))
        fetched: list[Any] = []

        def look_up(idurl: IDURL) -> "Deferred[IdentityDocument]":
            fetched.append(str(idurl))
            return succeed(carol)

        self.context.client = Anything(look_up=look_up)
        self.answers = [object(), object()]
        for _ in range(2):
            self.result("user_ping", user_id="carol@id.example")
        self.assertEqual(fetched, ["http://id.example/carol.xml"])
        self.assertEqual(self.code("user_ping", user_id="no name"), "bad-name")
        self.assertEqual(self.code("user_ping", user_id="00" * 32), "unknown-user")


class TreeTests(NounCase):
    def test_settings_as_a_tree(self) -> None:
        """Folders hold folders, and each leaf is one setting; the tree has as many leaves as the list has rows."""
        tree = self.result("configs_tree")
        self.assertEqual(tree["logs"]["debug-level"]["key"], "logs/debug-level")

        def leaves(place: dict) -> int:
            return 1 if "key" in place and "value" in place else sum(leaves(inner) for inner in place.values())

        self.assertEqual(leaves(tree), len(self.result("configs_list")))

    def test_streams(self) -> None:
        """Payloads under way are listed both ways with how far they are; packets without payload are none."""
        going = [{"packet_id": "aa", "items": [{"size": 100, "bytes_sent": 25, "proto": "tcp"}]}]
        going.append({"packet_id": "bb", "items": [{"size": 0, "bytes_sent": 0, "proto": "tcp"}]})
        coming = [{"packet_id": "cc", "size": 10, "bytes_received": 10, "proto": "pipe"}]
        self.context.gateway = Anything(outbox=Anything(packets=lambda: going), inbox=Anything(packets=lambda: coming))
        rows = self.result("streams_list")
        self.assertEqual(
            [(row["stream_id"], row["type"], row["progress"]) for row in rows],
            [("aa", "out", "25%"), ("cc", "in", "100%")],
        )
        self.assertEqual(self.result("streams_list", protocols="udp"), [])
        self.assertEqual([row["proto"] for row in self.result("streams_list", protocols="pipe,udp")], ["pipe"])


class NetworkTests(NounCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("gateway", "p2p_hookups"):
            self.context.driver.states[name] = ("ON", "")
        self.context.driver.when_on = lambda name: succeed("ON") if self.context.driver.is_on(name) else Deferred()

    def test_connected(self) -> None:
        """OK at once when everything is ON; otherwise the reason, after the time that was given."""
        self.assertEqual(self.call("network_connected")["reason"], "identity_not_exist")
        self.become_alice()
        self.assertEqual(self.result("network_connected")["service_gateway"], "ON")
        self.context.driver.states["gateway"] = ("OFF", "the port is taken")
        self.context.driver.wanted.add("gateway")
        calling = perform(self.context, TABLE.named("network_connected"), {"wait_timeout": "5"})
        self.assertNoResult(calling)
        self.clock.advance(5)
        envelope = self.successResultOf(calling)
        self.assertEqual((envelope["code"], envelope["reason"]), ("not-connected", "service_gateway_off"))
        self.assertIn("the port is taken", envelope["errors"][0])
        self.context.driver.wanted.clear()
        self.assertEqual(self.call("network_connected", wait_timeout=5)["reason"], "service_gateway_disabled")

    def test_status(self) -> None:
        """Only what is asked for is added."""
        self.become_alice()
        rows = [
            {"fingerprint": "00", "idurl": "x", "supplier_state": "CONNECTED"},
            {"fingerprint": "", "idurl": "", "supplier_state": "NO_SUPPLIER"},
        ]
        self.context.suppliers = Anything(list=lambda: rows)
        self.context.gateway = Anything(connected=lambda fingerprint: False)
        self.context.identity_server = None
        found = self.result("network_status", suppliers=1, cache=1)
        self.assertEqual((found["suppliers"]["connected"], found["suppliers"]["total"]), (1, 1))
        self.assertEqual(found["cache"]["total"], 1)
        self.assertNotIn("dht", found)
        self.assertEqual(found["identity_sources"], ["http://id.example/alice.xml"])

    def test_reconnect(self) -> None:
        """Every session is closed; whoever needs it builds it anew."""
        closed: list[str] = []
        session = Anything(close=lambda code, text: closed.append(code))
        self.context.gateway = Anything(sessions=lambda: [session, session])
        self.assertIn("2 sessions", self.call("network_reconnect")["message"])
        self.assertEqual(closed, ["stopping", "stopping"])


class NetworksTests(NounCase):
    def test_configuration(self) -> None:
        """The constants of the DHT and the first hosts of this node, as the settings name them."""
        self.context.settings.set("services/entangled-dht/known-nodes", "seed.example:14441, [::1]:9,genesis")
        told = self.result("network_configuration")
        self.assertEqual((told["current_network"], told["name"], told["networks"]), ("default", "default", ["default"]))
        self.assertEqual(
            told["service_entangled_dht"]["known_nodes"],
            [{"host": "seed.example", "udp_port": 14441}, {"host": "[::1]", "udp_port": 9}],
        )
        self.assertEqual(told["service_entangled_dht"]["bucket_size"], 20)

    def test_create_and_select(self) -> None:
        """A definition is read from a page or a file, its home is made, and the node starts again there."""
        definition = b'{"name": "village", "label": "V", "maintainer": "Vera"}'
        asked: list[str] = []
        self.context.client = Anything(read=lambda url: asked.append(url) or succeed(definition))
        told = self.result("network_create", url="https://village.example/network.json")
        self.assertEqual((told["name"], told["home"]), ("village", str(self.context.world.home / "networks/village")))
        self.assertEqual((asked, self.context.stops), (["https://village.example/network.json"], [True]))
        self.assertEqual(self.code("network_create", url="http://village.example/again"), "exists")
        self.assertIn("already", self.call("network_select", name="village")["message"])
        self.result("network_select", name="default")
        self.assertEqual(self.context.stops, [True, True])

    def test_refusals(self) -> None:
        """Files that are not there, pages that are no definition and unknown names change nothing."""
        self.context.client = Anything(read=lambda url: succeed(b"<html>"))
        self.assertEqual(self.code("network_create", url="http://village.example/"), "bad-network")
        self.assertEqual(self.code("network_create", url="/nothing/there"), "not-found")
        self.assertEqual(self.code("network_create", url="village.json"), "bad-path")
        self.assertEqual(self.code("network_select", name="town"), "not-found")
        self.assertEqual(self.context.stops, [])


class DhtTests(NounCase):
    def test_values(self) -> None:
        """Debugging values go to the DHT as JSON; other types are refused here; large ones too."""
        asked: list[Any] = []

        def put(key: str, text: str, expire: int | None, layer: int) -> "Deferred[dict[str, Any]]":
            asked.append((key, text, expire, layer))
            return succeed({"write": "success", "key": key, "closest_nodes": ["00"]})

        self.context.dht = Anything(debug=Anything(put=put))
        found = self.result("dht_value_set", key="abcd", value={"text": "A"}, expire=60)
        self.assertEqual((found["write"], found["closest_nodes"]), ("success", [{"dht_id": "00"}]))
        self.assertEqual(asked, [("abcd", '{"text":"A"}', 60, 0)])
        self.assertEqual(self.code("dht_value_set", key="a", value="x" * 2000), "too-large")
        self.assertEqual(self.code("dht_value_set", key="a", value=1, record_type="identity"), "bad-argument")
        self.assertEqual(self.code("dht_value_set", key="a", value=1, layer_id=99), "bad-argument")

    def test_random_users(self) -> None:
        """Different nodes, at most as many as there are; nobody is an error."""
        strangers = [Anything(fingerprint=b"s" * 32), Anything(fingerprint=self.bob.fingerprint)]

        def pick(layer: int, exclude: frozenset[bytes]) -> "Deferred[Any]":
            return succeed(next((one for one in strangers if one.fingerprint not in exclude), None))

        self.context.dht = Anything(random_node=pick)
        self.assertEqual(self.result("dht_user_random", count=5), [(b"s" * 32).hex(), str(self.bob.idurl)])
        strangers.clear()
        self.assertEqual(self.code("dht_user_random"), "not-found")

    def test_node_find(self) -> None:
        """An id must be 40 hex digits."""
        self.context.dht = Anything(id=b"i" * 20, find_node=lambda target, layer: succeed([]))
        self.assertEqual(self.result("dht_node_find", node_id_64="00" * 20)["lookup"], "00" * 20)
        for wrong in ("00", "zz" * 20, "00" * 21):
            self.assertEqual(self.code("dht_node_find", node_id_64=wrong), "bad-argument")


class FileTests(NounCase):
    def test_paths(self) -> None:
        """Local paths are absolute and plain, remote paths lead nowhere else; refused before the storage is asked."""
        self.context.storage = some_storage(upload=self.fail, download=self.fail, create=self.fail, list=self.fail)
        self.context.storage.info = self.fail
        for name, arguments, code in (
            ("file_upload_start", {"local_path": "x", "remote_path": "a"}, "bad-path"),
            ("file_upload_start", {"local_path": "/tmp/../x", "remote_path": "a"}, "bad-path"),
            ("file_upload_start", {"local_path": "/tmp/x", "remote_path": "a/../b"}, "bad-name"),
            ("file_download_start", {"remote_path": "a", "destination_folder": "x"}, "bad-path"),
            ("file_download_start", {"remote_path": "a", "policy": "guess"}, "bad-argument"),
            ("file_create", {"remote_path": "a\0b"}, "bad-name"),
            ("file_create", {"remote_path": "x" * 5000}, "bad-name"),
            ("file_info", {"remote_path": "\ud800"}, "bad-argument"),
            ("files_list", {"remote_path": ".."}, "bad-name"),
        ):
            self.assertEqual(self.code(name, **arguments), code, arguments)

    def test_either_name_for_waiting(self) -> None:
        """An upload is waited for when wait_result or wait_finish says so, also where a client gives both."""
        self.context.storage = ClosedStorage(version="F")
        upload = {"local_path": "/x", "remote_path": "a"}
        for wait, finish, waited in ((1, 0, True), (0, "true", True), ("1", True, True), (0, 0, False)):
            result = self.result("file_upload_start", **upload, wait_result=wait, wait_finish=finish)
            self.assertEqual(result == {"began": True}, not waited, (wait, finish))
            self.assertEqual("version" in result, waited, (wait, finish))

    def test_default_destination(self) -> None:
        """Without a destination, the setting paths/restore or the user's home."""
        self.context.storage = ClosedStorage()
        self.call("file_download_start", remote_path="a")
        self.context.settings.set("paths/restore", "/restored")
        self.call("file_download_start", remote_path="a")
        self.assertEqual([asked[2] for asked in self.context.storage.asked], [str(Path.home()), "/restored"])


class ExploreTests(NounCase):
    def test_explore(self) -> None:
        """The folder of a file is shown; a path that is not there and a machine without a desktop are told."""
        shown: list[list[str]] = []
        desktop = Desktop({"DISPLAY": ":0"}, {"xdg-open": "x"}.get, shown.append)
        self.context.world = evolve(self.context.world, desktop=desktop)
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "film.mp4").write_text("")
        told = self.result("file_explore", local_path=str(folder / "film.mp4"))
        self.assertEqual(told, {"local_path": str(folder / "film.mp4"), "folder": str(folder)})
        self.assertEqual(shown, [["xdg-open", str(folder)]])
        self.assertEqual(self.code("file_explore", local_path=str(folder / "gone")), "not-found")
        self.assertEqual(self.code("file_explore", local_path="film.mp4"), "bad-path")
        self.context.world = evolve(self.context.world, desktop=Desktop({}, {}.get, shown.append))
        self.assertEqual(self.code("file_explore", local_path=str(folder)), "no-desktop")


class ProcessTests(NounCase):
    def test_stop_and_restart(self) -> None:
        """The node is asked to stop, once, with or without coming back."""
        self.call("process_stop")
        self.assertEqual(self.result("process_restart"), {"restarted": True})
        self.assertEqual(self.context.stops, [False, True])

    def test_debug_needs_a_terminal(self) -> None:
        """A node without a terminal does not wait for a debugger that nobody sees."""
        from bitdust.api import process

        self.patch(process.sys, "stdin", None)
        self.assertEqual(self.code("process_debug"), "no-terminal")


class ServicesListTests(NounCase):
    def test_settings_of_a_service(self) -> None:
        """With its settings a service shows all of them, those in folders of their own too."""
        rows = {row["id"]: row for row in self.result("services_list", with_configs=True)}
        keys = [option["key"] for option in rows["network"]["configs"]]
        self.assertIn("services/network/proxy/host", keys)
        self.assertIn("services/network/enabled", keys)
