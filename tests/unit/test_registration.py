"""The beginning of an identity: created, recovered, and joined with what another device of it has published."""

from attrs import evolve
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import Hints, KeyFile, SupplierHint
from bitdust.crypt.master import MasterKey
from bitdust.identity.client import Outcome, Server
from bitdust.identity.devices import former, union, with_new_device
from bitdust.identity.document import MAX_DEVICES, MAX_REVISION, Device, IdentityDocument
from bitdust.identity.joining import join
from bitdust.identity.me import Me
from bitdust.identity.publication import PUSHES, Publication
from bitdust.identity.registration import Registration
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.revisions import MOST_AHEAD
from tests.unit.test_identity import GOOD, START, HomeCase
from tests.vectors.keys import device, master

THIS = device().public
THIRD, FOURTH = (DeviceKey.from_seed(name * 32) for name in (b"3", b"4"))
EIGHT = tuple(Device(number, number + 1, bytes([number + 1]) * 32) for number in range(MAX_DEVICES))
SERVERS = [Server(f"{name}.example", 80) for name in "abc"]
SETTINGS = {
    "services/identity-propagate/min-servers": 1,
    "services/identity-propagate/max-servers": 2,
    "personal/private-key-size": 2048,
}


def made(revision: int, devices=GOOD.devices, key: str = "master") -> IdentityDocument:
    return IdentityDocument.create(master(key), GOOD.sources, revision, devices, START)


class DevicesTests(SynchronousTestCase):
    def test_a_new_device_gets_the_next_number(self) -> None:
        """It counts from the revision that brings it."""
        devices = with_new_device(made(8, EIGHT[2:5]), b"n" * 32, 9)
        self.assertEqual(devices, (*EIGHT[2:5], Device(5, 9, b"n" * 32)))

    def test_of_eight_the_oldest_goes(self) -> None:
        """There are eight places; the newest device always has one."""
        devices = with_new_device(made(8, EIGHT), b"n" * 32, 9)
        self.assertEqual(devices, (*EIGHT[1:], Device(8, 9, b"n" * 32)))

    def test_of_eight_a_revoked_one_goes_first(self) -> None:
        """Whoever may still write is kept before one that may not."""
        revoked = (*EIGHT[:5], evolve(EIGHT[5], revoked=8, sequence=0), *EIGHT[6:])
        kept = with_new_device(made(8, revoked), b"n" * 32, 9)
        self.assertEqual([known.number for known in kept], [0, 1, 2, 3, 4, 6, 7, 8])

    def test_new_devices_of_both_are_kept(self) -> None:
        """Two devices that were added at the same time are both there, under numbers of their own."""
        mine, other = (EIGHT[0], Device(1, 2, b"m" * 32)), (EIGHT[0], Device(1, 2, b"o" * 32))
        mine, other = made(2, mine), made(2, other)
        both = (EIGHT[0], Device(1, 2, b"m" * 32), Device(2, 2, b"o" * 32))
        self.assertEqual(union(mine, other, THIS), both)
        self.assertEqual(union(other, mine, THIS), both)
        self.assertEqual(union(made(3, both), other, THIS), both)

    def test_revoked_in_one_is_revoked(self) -> None:
        """Whichever of the two documents says so, and with the last number that counts."""
        revoked = evolve(EIGHT[1], revoked=5, sequence=17)
        for mine, other in ((EIGHT[1], revoked), (revoked, EIGHT[1])):
            one, two = made(5, (EIGHT[0], mine)), made(5, (EIGHT[0], other))
            self.assertEqual(union(one, two, THIS), (EIGHT[0], revoked))

    def test_more_than_eight(self) -> None:
        """The newest eight stay, and this very device whatever its age: a home without it could not be read."""
        more = tuple(Device(number, 9, bytes([number + 1]) * 32) for number in (8, 9))
        mine, other = made(9, EIGHT), made(9, EIGHT[2:] + more)
        self.assertEqual([known.number for known in union(mine, other, THIS)], list(range(2, 10)))
        kept = union(mine, other, EIGHT[0].key)
        self.assertEqual([known.number for known in kept], [0, *range(3, 10)])

    def test_who_was_let_go(self) -> None:
        """Devices without a place are former ones, which come back to none, and whose numbers nobody gets."""
        devices = with_new_device(made(8, EIGHT), b"n" * 32, 9)
        gone = former(devices, 9, made(8, EIGHT))
        self.assertEqual(gone, (evolve(EIGHT[0], revoked=9, sequence=2**63 - 1),))
        self.assertTrue(gone[0].was_let_go)
        newer = IdentityDocument.create(master(), GOOD.sources, 9, devices, START, gone)
        self.assertEqual(IdentityDocument.parse(newer.xml), newer)
        self.assertEqual(newer.device(EIGHT[0].id), gone[0])
        self.assertFalse(newer.valid_device(EIGHT[0].key))
        self.assertEqual(union(made(8, EIGHT), newer, EIGHT[0].key), devices)
        last = made(9, (evolve(EIGHT[7], revoked=9, sequence=3),))
        gone = former(EIGHT[:2], 10, last, newer)
        self.assertEqual(gone[0], evolve(EIGHT[7], revoked=9, sequence=3))
        later = IdentityDocument.create(master(), GOOD.sources, 10, EIGHT[:2], START, gone)
        self.assertEqual(with_new_device(later, b"m" * 32, 11)[-1].number, 9)

    def test_a_document_stays_small(self) -> None:
        """Of the former devices as many are named, the newest, as leave the document room in a record of the DHT."""
        many = tuple(Device(number, number, bytes([number, 1]) * 16, number, 0) for number in range(8, 208))
        document = IdentityDocument.create(master(), GOOD.sources, 300, EIGHT, START, many)
        self.assertLessEqual(len(document.xml), 3600)
        self.assertGreater(len(document.former), 12)
        self.assertEqual(document.former[-1], many[-1])
        self.assertEqual(IdentityDocument.parse(document.xml), document)


class Client:
    """ID servers in memory: each keeps the newest document that it was given."""

    def __init__(self) -> None:
        self.kept: dict[IDURL, IdentityDocument] = {}
        self.down: set[str] = set()
        self.silent: set[str] = set()
        self.before_push = lambda: None
        self.pushes = 0
        self.forged: IdentityDocument | None = None

    def servers(self) -> list[Server]:
        return SERVERS

    def probe(self, server: Server):
        return succeed(server.host not in self.down)

    def fetch(self, idurl: IDURL):
        if idurl.host in self.silent:
            return Deferred()
        if idurl.host in self.down or idurl not in self.kept:
            return fail(BitDustError("not-found", f"{idurl} does not exist"))
        return succeed(self.forged or self.kept[idurl])

    def exists(self, idurl: IDURL):
        return succeed(self.kept.get(idurl))

    def publish(self, document: IdentityDocument):
        self.before_push()
        self.pushes += 1
        return succeed({idurl: self._push(idurl, document) for idurl in document.sources})

    def _push(self, idurl: IDURL, document: IdentityDocument) -> Outcome:
        if idurl.host in self.down:
            return Outcome("unreachable", "no answer")
        kept = self.kept.get(idurl)
        if kept is not None and kept.fingerprint != document.fingerprint:
            return Outcome("refused", "the name belongs to another key")
        if kept is not None and kept.revision >= document.revision and kept != document:
            return Outcome("stale", "a newer document is there", kept)
        self.kept[idurl] = document
        return Outcome("stored")


class MeCase(HomeCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: Clock = self.world.clock
        self.world = evolve(self.world, run_in_thread=maybeDeferred)
        self.me = Me(self.world, self.events)
        self.client = Client()


class PublicationTests(MeCase):
    def setUp(self) -> None:
        super().setUp()
        self.me.adopt(GOOD, master(), device())
        self.publication = Publication(self.me, self.client)

    def publish(self) -> dict[IDURL, Outcome]:
        return self.successResultOf(self.publication.publish())

    def keep(self, document: IdentityDocument) -> None:
        for idurl in GOOD.sources:
            self.client.kept[idurl] = document

    def test_every_source_is_told(self) -> None:
        """One push brings the document to all of them."""
        self.assertEqual({outcome.word for outcome in self.publish().values()}, {"stored"})
        self.assertEqual((self.client.pushes, set(self.client.kept.values())), (1, {GOOD}))

    def test_another_device_is_not_dropped(self) -> None:
        """What both devices wrote over the same revision is joined and published as the next one."""
        added = Device(2, 4, THIRD.public)
        mine = self.me.revise(devices=(*GOOD.devices, Device(2, 4, FOURTH.public)))
        self.me.replace_document(mine)
        self.keep(made(4, (*GOOD.devices, added)))
        self.publish()
        document = self.me.document
        self.assertEqual(document.revision, 5)
        self.assertEqual({known.key for known in document.devices},
                         {known.key for known in (*mine.devices, added)})  # fmt: skip
        self.assertEqual(set(self.client.kept.values()), {document})

    def test_a_newer_document_with_all_of_mine_is_taken(self) -> None:
        """Otherwise two devices would raise the revision over each other for ever."""
        newer = made(9, (*GOOD.devices, Device(2, 9, THIRD.public)))
        self.keep(newer)
        self.publish()
        self.assertEqual((self.me.document, self.client.pushes), (newer, 1))
        self.publish()
        self.assertEqual((self.me.document, set(self.client.kept.values())), (newer, {newer}))

    def test_a_newer_document_without_this_device(self) -> None:
        """A device that was left out puts itself in again, above that revision."""
        self.keep(made(9, (Device(5, 9, THIRD.public),)))
        self.publish()
        document = self.me.document
        self.assertEqual(document.revision, 10)
        self.assertIsNotNone(document.device(device().id))
        self.assertIsNotNone(document.device(THIRD.id))
        again = Me(self.world, self.events)
        again.load()
        self.assertEqual(again.document, document)

    def test_somebody_else_has_the_name(self) -> None:
        """A document of another key changes nothing of mine, and the outcome says so."""
        self.keep(made(9, key="other"))
        self.assertEqual({outcome.word for outcome in self.publish().values()}, {"refused"})
        self.assertEqual(self.me.document, GOOD)

    def test_a_document_of_the_last_revision(self) -> None:
        """It is refused with a word, whoever has it: after it nothing could ever be changed."""
        far = made(MAX_REVISION, GOOD.devices)
        self.assertEqual(self.assertRaises(WireError, join, self.me, far).code, "bad-field")
        self.keep(far)
        outcomes = self.publish()
        self.assertEqual({outcome.word for outcome in outcomes.values()}, {"refused"})
        self.assertIn("recover this one with the key file", next(iter(outcomes.values())).text)
        self.assertEqual(self.me.document, GOOD)

    def test_devices_that_raised_it_often(self) -> None:
        """A device that was away while others changed hundreds of things joins them."""
        newer = made(GOOD.revision + MOST_AHEAD, GOOD.devices)
        self.assertFalse(join(self.me, newer))
        self.assertEqual(self.me.document, newer)

    def test_it_ends(self) -> None:
        """Where others write faster than this device, it gives up until the next round."""
        revisions = iter(range(20, 40))

        def overtake() -> None:
            added = Device(3, 20, bytes([next(revisions)]) * 32)
            self.keep(made(next(revisions), (*GOOD.devices, added)))

        self.client.before_push = overtake
        self.me.replace_document(self.me.revise(devices=(*GOOD.devices, Device(2, 4, THIRD.public))))
        self.publish()
        self.assertEqual(self.client.pushes, PUSHES)


class RegistrationCase(MeCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(MasterKey, "generate", lambda bits: master())
        self.registry = Registry(self.clock)
        self.registration = self.next_registration()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def next_registration(self) -> Registration:
        settings = type("Values", (), {"get": staticmethod(SETTINGS.__getitem__)})()
        return Registration(self.world, settings, self.registry, self.me, self.client)

    def refused(self, work: "Deferred[IdentityDocument]") -> BitDustError:
        error = self.failureResultOf(work, BitDustError).value
        self.assertEqual(len(self.registry), 0)
        return error


class CreationTests(RegistrationCase):
    def create(self, name: str = "alice", servers: tuple[str, ...] = ()) -> "Deferred[IdentityDocument]":
        return self.registration.create(name, list(servers))

    def test_a_new_identity(self) -> None:
        """Two of three servers keep it, the preferred one first, and then it is mine; its machine is known."""
        self.assertIsNone(self.registration.automat)
        document = self.successResultOf(self.create(servers=("c.example",)))
        self.assertEqual([source.host for source in document.sources], ["c.example", "a.example"])
        self.assertEqual(self.client.kept[document.idurl], document)
        self.assertEqual((self.me.document, document.revision, len(document.devices)), (document, 1, 1))
        self.assertEqual(self.registration.automat["id"], "id_registrator")
        self.assertEqual(self.refused(self.create()).code, "identity-exists")

    def test_a_bad_name(self) -> None:
        """What is no user name is refused before anybody is asked."""
        self.assertEqual(self.refused(self.create("Alice!")).code, "bad-name")

    def test_no_server_answers(self) -> None:
        """The text is the one that programs wait for."""
        self.client.down = {server.host for server in SERVERS}
        error = self.refused(self.create())
        self.assertEqual((error.code, str(error)), ("network-connection-error", "network connection error"))
        self.assertFalse(self.me.present)

    def test_a_taken_name(self) -> None:
        """Whoever has the name at one of the servers keeps it."""
        self.client.kept[SERVERS[1].url("alice")] = GOOD
        error = self.refused(self.create())
        self.assertEqual((error.code, "b.example" in str(error)), ("name-taken", True))

    def test_a_server_that_refuses(self) -> None:
        """A name that was taken between the question and the push is told in the server's words."""
        other = made(1, key="other")
        self.client.before_push = lambda: self.client.kept.update({server.url("alice"): other for server in SERVERS})
        error = self.refused(self.create())
        self.assertEqual((error.code, str(error)[:15]), ("name-taken", "the name belong"))
        self.assertFalse(self.me.present)

    def test_servers_that_go_in_the_middle(self) -> None:
        """Nothing is kept here unless a server keeps it."""
        self.client.before_push = lambda: self.client.down.update(server.host for server in SERVERS)
        self.assertEqual(self.refused(self.create()).code, "network-connection-error")
        self.assertFalse(self.me.present)

    def test_a_server_that_lies(self) -> None:
        """What is read back must be what was stored."""
        self.client.forged = made(1)
        self.assertEqual(self.refused(self.create()).code, "not-registered")
        self.assertFalse(self.me.present)

    def test_one_at_a_time(self) -> None:
        """While an identity is being made nobody else begins with one."""
        waiting: Deferred[bool] = Deferred()
        self.client.probe = lambda server: waiting
        first = self.create()
        self.assertEqual(self.failureResultOf(self.create("bobby"), BitDustError).value.code, "busy")
        waiting.callback(True)
        self.successResultOf(first)


class RecoveryTests(RegistrationCase):
    in_file = Hints(suppliers=(SupplierHint(b"s" * 32, ("tcp://10.0.0.1:1",)),), seeds=("10.0.0.2:1",))

    def setUp(self) -> None:
        super().setUp()
        self.text = KeyFile(GOOD.sources, master(), self.in_file).write()
        self.dht: object = None
        self.supplier: object = None
        self.at_large: object = None
        self.claims: list[IdentityDocument] = []
        self.seeds: list[str] = []
        self.registration.sources = self.registration.current_hints = self

    def identity_from_dht(self, fingerprint: bytes) -> Deferred:
        return self.answer(self.dht)

    def identity_from_supplier(self, hint: SupplierHint, claim: IdentityDocument, key: DeviceKey) -> Deferred:
        return self.answer(self.supplier)

    def identity_at_large(self, claim: IdentityDocument, key: DeviceKey) -> Deferred:
        self.claims.append(claim)
        return self.answer(self.at_large)

    def use_seeds(self, seeds: tuple[str, ...]) -> None:
        self.seeds.extend(seeds)

    def hints(self) -> Hints:
        return Hints(seeds=("10.0.0.9:9",))

    def answer(self, found: object) -> Deferred:
        return found if isinstance(found, Deferred) else succeed(found)

    def recover(self) -> "Deferred[IdentityDocument]":
        return self.registration.recover(self.text, None, None)

    def test_the_newest_of_all_sources(self) -> None:
        """ID servers, DHT and suppliers are asked; the highest revision counts, and gets this device and the next."""
        self.client.kept = {idurl: made(3) for idurl in GOOD.sources}
        self.dht, self.supplier = made(5).xml, made(4).xml
        document = self.successResultOf(self.recover())
        self.assertEqual(document.revision, 6)
        self.assertEqual((len(document.devices), document.devices[-1].number), (3, 2))
        self.assertEqual(self.me.device_number, 2)
        self.assertEqual((self.registration.hints.suppliers, self.seeds), (self.in_file.suppliers, ["10.0.0.2:1"]))
        self.assertEqual(set(self.client.kept.values()), {document})

    def test_a_full_list_of_devices(self) -> None:
        """A ninth device takes the place of the oldest."""
        self.dht = made(12, EIGHT).xml
        document = self.successResultOf(self.recover())
        self.assertEqual([known.number for known in document.devices], list(range(1, 9)))

    def test_another_servers_are_gone(self) -> None:
        """Whoever has the document is enough; those who are away are told of later."""
        self.client.down = {idurl.host for idurl in GOOD.sources}
        self.supplier = made(3).xml
        self.assertEqual(self.successResultOf(self.recover()).revision, 4)
        self.assertEqual(self.client.kept, {})

    def test_a_silent_source_holds_up_nothing_for_long(self) -> None:
        """Two seconds after a document as new as the key file knows, the answers so far count."""
        self.client.silent = {GOOD.sources[0].host}
        self.dht = made(3).xml
        work = self.recover()
        self.clock.advance(1.9)
        self.assertNoResult(work)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(work).revision, 4)

    def test_an_old_document_waits_for_a_newer_one(self) -> None:
        """One that is older than the key file counts after six seconds; one that is as new ends that wait sooner."""
        self.text = KeyFile(GOOD.sources, master(), evolve(self.in_file, revision=5)).write()
        self.supplier, self.dht = Deferred(), made(3).xml
        work = self.recover()
        self.clock.advance(3)
        self.assertNoResult(work)
        self.supplier.callback(made(5).xml)
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(work).revision, 6)

    def test_nobody_has_it(self) -> None:
        """The message names every source and what came of it; the hints are of no use to anybody else."""
        error = self.refused(self.recover())
        self.assertEqual(error.code, "identity-not-found")
        for text in ("id.example/alice.xml does not exist", "the DHT has none", "supplier 73737373 has none"):
            self.assertIn(text, str(error))
        self.assertEqual(self.registration.hints, Hints())

    def test_somebody_was_not_reached(self) -> None:
        """Then it is searched for until somebody has it, and whoever asks why there is no identity is told."""
        self.supplier = fail(BitDustError("no-answer", "nobody is there"))
        work = self.recover()
        self.assertNoResult(work)
        self.assertIn("no answer yet from supplier 73737373", str(self.me.absence()))
        self.assertIn("my-identity-awaited", [event for event, _ in self.events.sent])
        self.supplier = made(3).xml
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(work).revision, 4)
        self.assertEqual(self.me.searched_because, "")

    def test_a_search_that_was_cut_off(self) -> None:
        """The key file is not in the home: the next start says that it is needed again, until a search has ended."""

        def said_next() -> str:
            me = Me(self.world, self.events)
            me.load()
            return str(me.absence())

        works = []
        for ends in (lambda: None, self.registration.stop):
            self.supplier = fail(BitDustError("no-answer", "nobody is there"))
            works.append(self.recover())
            ends()
            self.assertIn("recover with your key file again", said_next())
        for work in works:
            self.failureResultOf(work, BitDustError)
        self.registration = self.next_registration()
        self.registration.sources = self.registration.current_hints = self
        self.supplier = None
        self.refused(self.recover())
        self.assertNotIn("again", said_next())

    def test_another_key_file(self) -> None:
        """It takes the place of one that is searched for still; what is no key file does not."""
        self.supplier = fail(BitDustError("no-answer", "nobody is there"))
        first = self.recover()
        self.failureResultOf(self.registration.recover("nothing", None, None), WireError)
        self.assertNoResult(first)
        self.dht = made(3).xml
        second = self.recover()
        self.assertEqual(self.failureResultOf(first, BitDustError).value.code, "identity-not-found")
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(second).revision, 4)

    def test_a_supplier_that_nothing_names(self) -> None:
        """One of the suppliers at large has it, for whoever shows that the RSA key is in its hands."""
        self.text = KeyFile((), master()).write()
        self.at_large = made(3).xml
        self.assertEqual(self.successResultOf(self.recover()).revision, 4)
        self.assertEqual((self.claims[0].revision, self.claims[0].fingerprint), (0, GOOD.fingerprint))

    def test_what_is_somebody_elses(self) -> None:
        """A document of another key does not count, whoever gives it; nor does rubbish."""
        self.dht, self.supplier = made(3, key="other").xml, b"<identity>"
        self.assertEqual(self.refused(self.recover()).code, "identity-not-found")
        self.assertFalse(self.me.present)

    def test_a_key_file_without_names(self) -> None:
        """DHT and suppliers are asked all the same."""
        self.text = KeyFile((), master(), self.in_file).write()
        self.dht, self.supplier = made(3).xml, made(5).xml
        self.assertEqual(self.successResultOf(self.recover()).revision, 6)

    def test_hints_that_are_damaged(self) -> None:
        """The key is good without them."""
        begin = self.text.index("HINTS")
        self.text = self.text[:begin] + self.text[begin:].replace("\n", "\nAAAA", 1)
        self.dht = made(3).xml
        self.assertEqual(self.successResultOf(self.recover()).revision, 4)
        self.assertEqual(self.registration.hints, Hints())

    def test_a_home_that_is_locked(self) -> None:
        """It has an identity, which waits for its passphrase: no other one is made beside it."""
        self.me._locked_key = "locked"
        self.assertEqual(self.refused(self.recover()).code, "locked")

    def test_an_idurl_that_is_typed(self) -> None:
        """It is asked before those of the key file."""
        known = IDURL.parse("http://moved.example/alice.xml")
        document = IdentityDocument.create(master(), (known,), 7, GOOD.devices, START)
        self.client.kept[known] = document
        work = self.registration.recover(self.text, None, str(known))
        self.assertEqual(self.successResultOf(work).revision, 8)

    def test_the_next_key_file(self) -> None:
        """It has the document's sources and revision, and the hints that are known by then."""
        self.dht = made(3).xml
        self.successResultOf(self.recover())
        read = KeyFile.read(self.registration.backup(None))
        self.assertEqual((read.hints.seeds, read.hints.revision, read.idurls), (("10.0.0.9:9",), 4, GOOD.sources))
