"""Lookups and stores of the DHT among nodes that answer, are slow, silent, or lie; no clock and no socket."""

import random
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.dht.contact import Contact
from bitdust.dht.fetching import LIMIT, MAX_GRACE, Fetching, Found, Sought
from bitdust.dht.ids import number
from bitdust.dht.lookup import ALPHA, HELPERS, MAX_CANDIDATES, Goal, Lookup, Path
from bitdust.dht.publishing import Publishing, Stored
from bitdust.dht.table import K
from bitdust.wire.encoding import WireError

KEY = b"target".ljust(20, b"\0")
TARGET = number(KEY)


@define(eq=False)
class Question:
    """One question that waits for its end."""

    contact: Contact
    name: str
    fields: Mapping[str, Any]
    on_answer: Callable[[Contact, dict[str, Any]], None]
    on_failure: Callable[[Contact], None]
    on_slow: Callable[[Contact], None]


@define
class Crowd:
    """Many nodes; plays both what knows contacts and what asks them."""

    contacts: list[Contact]
    known: list[Contact] = field(factory=list)
    silent: set[int] = field(factory=set)
    asked: list[Question] = field(factory=list)
    count: int = 0
    most: int = 0

    def network(self, host: str) -> str | None:
        """Private addresses are of the household."""
        return None if host.startswith("10.") else host.rpartition(".")[0]

    def nearest(self, target: int, layer: int, most: int = K) -> list[Contact]:
        """Of those that are known from the beginning."""
        fit = [contact for contact in self.known if contact.attached(layer)]
        return sorted(fit, key=lambda contact: contact.number ^ target)[:most]

    def silent_now(self, contact: Contact) -> bool:
        """Whether it was silent a moment ago."""
        return contact.number in self.silent

    def contacts_in(self, reply: Mapping[str, Any], teller: Contact) -> Iterable[Contact]:
        """The contacts in a reply."""
        if reply.get("nodes") == "nonsense":
            raise WireError("bad-field", "nodes: not a list of compact contacts")
        return reply.get("nodes", ())

    def ask(self, contact, name, fields, on_answer, on_failure=None, on_slow=None, layer=0) -> None:  # type: ignore[no-untyped-def]
        """Wait until the test ends it."""
        self.count += 1
        self.asked.append(Question(contact, name, fields, on_answer, on_failure, on_slow))
        self.most = max(self.most, len(self.asked))

    def around(self, target: int, count: int = K) -> list[Contact]:
        """The nodes nearest to a number, of all."""
        return sorted(self.contacts, key=lambda contact: contact.number ^ target)[:count]


class CrowdCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.random = random.Random(5)
        self.crowd = Crowd([self.contact() for _ in range(200)])

    def contact(self, layers: int = 0) -> Contact:
        return Contact(self.random.randbytes(32), f"10.0.{self.random.randrange(256)}.1", 1, layers)

    def nearest(self, count: int = K) -> list[Contact]:
        return self.crowd.around(TARGET, count)

    def answer(self, **reply: Any) -> Contact:
        """The oldest question is answered with the neighbours of whoever is asked, or as the test says."""
        question = self.crowd.asked.pop(0)
        told = {"nodes": self.crowd.around(TARGET ^ (question.contact.number ^ TARGET) // 16)} | reply
        question.on_answer(question.contact, told)
        return question.contact

    def answer_all(self, **reply: Any) -> None:
        while self.crowd.asked:
            self.answer(**reply)


class LookupTests(CrowdCase):
    def setUp(self) -> None:
        super().setUp()
        self.ended: list[Lookup] = []

    def look(self, enough: int = K, layer: int = 0) -> Lookup:
        lookup = Lookup(self.crowd, self.crowd, Goal.nodes(TARGET, layer), self.ended.append, enough)
        lookup.start()
        return lookup

    def test_finds_the_nearest(self) -> None:
        """From a few far nodes it comes to the nearest of all, and asks few others."""
        self.crowd.known = sorted(self.crowd.contacts, key=lambda contact: -(contact.number ^ TARGET))[:3]
        lookup = self.look()
        self.answer_all()
        self.assertEqual(self.ended, [lookup])
        self.assertEqual(lookup.answered(), self.nearest())
        self.assertLess(lookup.asked, 2 * K)

    def test_three_at_a_time(self) -> None:
        """Three questions are on their way, and each answer makes room for one more."""
        self.crowd.known = self.nearest()
        self.look()
        self.answer_all(nodes=())
        self.assertEqual((self.crowd.most, self.crowd.count), (ALPHA, K))

    def test_nobody_known(self) -> None:
        """Who knows nobody has found nobody, at once."""
        lookup = self.look()
        self.assertEqual((self.ended, lookup.answered()), ([lookup], []))

    def test_slow_nodes_free_their_place(self) -> None:
        """A slow node is no longer waited for while others are there, and its late answer is used."""
        self.crowd.known = self.nearest(K + ALPHA)
        lookup = self.look()
        slow = list(self.crowd.asked)
        self.crowd.asked.clear()
        for question in slow:
            question.on_slow(question.contact)
        self.assertEqual(len(self.crowd.asked), ALPHA)
        while len(self.crowd.asked) > 1:
            self.answer(nodes=())
        self.assertEqual(self.ended, [])
        slow[0].on_answer(slow[0].contact, {})
        self.assertEqual(self.ended, [lookup])
        self.assertEqual(lookup.answered()[0], slow[0].contact)

    def test_slow_nodes_are_waited_for_at_the_end(self) -> None:
        """When nobody else is left to ask, slow nodes decide the end, by answering or falling silent."""
        self.crowd.known = self.nearest(2)
        lookup = self.look()
        slow, failing = self.crowd.asked
        for question in (slow, failing):
            question.on_slow(question.contact)
        failing.on_failure(failing.contact)
        self.assertEqual(self.ended, [])
        slow.on_answer(slow.contact, {})
        self.assertEqual((self.ended, lookup.answered()), ([lookup], [slow.contact]))

    def test_silent_nodes_do_not_count(self) -> None:
        """The nearest that answer are found, however many nearer ones are silent."""
        self.crowd.known = self.nearest(K + 10)
        lookup = self.look()
        for _ in range(10):
            question = self.crowd.asked.pop(0)
            question.on_failure(question.contact)
        self.answer_all(nodes=())
        self.assertEqual(len(lookup.answered()), K)
        self.assertEqual(len(lookup.candidates()), K)

    def test_silent_a_moment_ago(self) -> None:
        """Who was silent a moment ago is not asked."""
        self.crowd.known = self.nearest(3)
        self.crowd.silent = {self.crowd.known[0].number}
        lookup = self.look()
        self.answer_all(nodes=())
        self.assertEqual(lookup.answered(), self.nearest(3)[1:])

    def test_nonsense(self) -> None:
        """A node that answers with nonsense does not count among those that answered."""
        self.crowd.known = self.nearest(2)
        lookup = self.look()
        self.answer(nodes="nonsense")
        self.answer(nodes=())
        self.assertEqual((self.ended, lookup.answered()), ([lookup], self.nearest(2)[1:]))

    def test_enough(self) -> None:
        """A lookup that wants few ends when the nearest few have answered."""
        self.crowd.known = self.nearest()
        lookup = self.look(enough=5)
        self.answer_all(nodes=())
        self.assertEqual((self.crowd.count, lookup.answered()), (5, self.nearest(5)))

    def near(self, count: int, network: str) -> list[Contact]:
        """Nodes of one network that are nearer than any other."""
        nearer = [Contact(self.random.randbytes(32), f"{network}.{number}", 1) for number in range(1, count + 1)]
        for place, contact in enumerate(nearer):
            contact.number = TARGET ^ (place + 1 + (ord(network[0]) << 8))
        return nearer

    def test_two_of_a_network(self) -> None:
        """Of a public network two count among the nearest, however many are near; of the household all do."""
        sybils = self.near(10, "8.8.8") + self.near(10, "9.9.9")
        self.crowd.known = sybils + self.nearest()
        lookup = self.look()
        self.answer_all(nodes=())
        wanted = [*sybils[:2], *sybils[10:12], *self.nearest(K - 4)]
        self.assertEqual((lookup.answered(), self.crowd.count), (wanted, K))
        self.assertEqual(lookup.candidates()[:K], wanted)

    def test_a_network_alone(self) -> None:
        """Where there are few nodes all of them are asked, whatever their network, and who is silent gives place."""
        self.crowd.known = same = self.near(9, "8.8.8")
        lookup = self.look()
        silent = self.crowd.asked.pop(0)
        silent.on_failure(silent.contact)
        self.answer_all(nodes=())
        self.assertEqual(lookup.answered(), same[1:])

    def test_paths_that_share_no_node(self) -> None:
        """Two lookups of one goal ask no node twice, and find the nearest together."""
        self.crowd.known = sorted(self.crowd.contacts, key=lambda contact: -(contact.number ^ TARGET))[:6]
        goals = [Goal.value(TARGET, path) for path in Path.disjoint(2)]
        lookups = [Lookup(self.crowd, self.crowd, goal, self.ended.append) for goal in goals]
        for lookup in lookups:
            lookup.start()
        self.answer_all()
        one, other = (set(lookup.answered()) for lookup in lookups)
        self.assertFalse(one & other)
        self.assertTrue(set(self.nearest()) <= one | other)
        self.assertEqual(self.crowd.count, sum(lookup.asked for lookup in lookups))

    def test_stop(self) -> None:
        """A lookup that was stopped asks nobody any more and is told of by nobody."""
        self.crowd.known = self.nearest()
        lookup = self.look()
        lookup.stop()
        self.answer_all()
        self.assertEqual((self.ended, self.crowd.count), ([], ALPHA))

    def test_told_without_end(self) -> None:
        """A liar that tells of ever new nodes is not believed beyond a number of candidates."""
        self.crowd.known = self.nearest(1)
        lookup = self.look()
        while self.crowd.asked and self.crowd.count < 2 * MAX_CANDIDATES:
            self.answer(nodes=[self.contact() for _ in range(20)])
        self.assertLessEqual(len(lookup.candidates()), MAX_CANDIDATES)
        self.assertEqual(self.ended, [lookup])

    def test_helpers(self) -> None:
        """Whoever looks in a layer where few are known asks others who may know members, a bounded number of them."""
        members = [self.contact(layers=8) for _ in range(3)]
        self.crowd.known = self.nearest()
        lookup = self.look(layer=3)
        self.answer(nodes=members)
        self.answer_all(nodes=())
        self.assertEqual(set(lookup.answered()), set(members))
        self.assertEqual(self.crowd.count, HELPERS + len(members))


class FetchingTests(CrowdCase):
    """Values stand for records here: the first byte is the revision."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.found: list[int] = []

    def fetch(self, whole: bool, paths: int = 1) -> None:
        def check(data: bytes) -> Any:
            if not data:
                raise WireError("bad-signature", "not signed")
            return SimpleNamespace(
                revision=data[0], expires=0, fingerprint=data[1:2], key=lambda layer: KEY, to_bytes=lambda: data
            )

        def found(one: Found) -> None:
            self.found.append(one.record.revision if one.record is not None else 0)
            self.seen = one.records

        sought = Sought(KEY, 0, whole=whole, paths=paths)
        Fetching(self.clock, self.crowd, self.crowd, check, sought, found).start()

    def write_backs(self) -> list[tuple[Contact, bytes]]:
        return [(one.contact, one.fields["record"]) for one in self.crowd.asked if one.name == "store"]

    def test_three_are_enough(self) -> None:
        """What does no harm when it is old is taken from the first three, or of fewer a moment later."""
        self.crowd.known = self.nearest()
        self.fetch(whole=False)
        for revision in (b"\1", b"", b"\2", b"\1"):
            self.answer(record=revision, nodes=())
        self.fetch(whole=False)
        self.crowd.asked.clear()
        self.assertEqual(self.found, [2])
        self.fetch(whole=False)
        self.answer(record=b"\3", nodes=())
        self.clock.advance(MAX_GRACE)
        self.assertEqual(self.found, [2, 3])

    def test_the_whole_lookup(self) -> None:
        """What lasts is asked of all of the nearest, and whoever gave an older revision is brought the newest."""
        self.crowd.known = near = self.nearest()
        self.fetch(whole=True)
        for _ in range(K):
            number = near.index(self.crowd.asked[0].contact)
            self.answer(record=b"\2" if number == 17 else b"\1", nodes=())
        self.assertEqual(self.found, [2])
        behind = [contact for contact in near if contact is not near[17]]
        self.assertEqual(sorted(self.write_backs(), key=lambda one: near.index(one[0])), [(c, b"\2") for c in behind])

    def test_records_of_two_owners(self) -> None:
        """All that were seen are handed over, and nobody is brought the record of another owner than his."""
        self.crowd.known = near = self.nearest()
        self.fetch(whole=True)
        for _ in range(K):
            number = near.index(self.crowd.asked[0].contact)
            self.answer(record=b"\1B" if number % 2 else b"\2A", nodes=())
        self.assertEqual((self.found, self.write_backs()), ([2], []))
        self.assertEqual({(record.revision, record.fingerprint) for record in self.seen}, {(1, b"B"), (2, b"A")})

    def test_who_never_answers(self) -> None:
        """A search ends after some seconds with what it heard, whoever is still to be waited for."""
        self.crowd.known = self.nearest()
        self.fetch(whole=True, paths=2)
        self.answer(record=b"\5", nodes=())
        self.clock.advance(LIMIT)
        self.assertEqual(self.found, [5])
        self.assertFalse(self.clock.getDelayedCalls())
        self.answer_all(record=b"\6", nodes=())
        self.assertEqual(self.found, [5])

    def test_a_liar_on_one_path(self) -> None:
        """A node that names a crowd of its own, so that nobody else is asked, misleads one of two paths."""
        liar = Contact(self.random.randbytes(32), "7.7.7.7", 1)
        crowd = [Contact(self.random.randbytes(32), f"6.{count}.0.1", 1) for count in range(K)]
        for place, contact in enumerate(crowd):
            contact.number = TARGET ^ place
        self.crowd.known = [liar, *sorted(self.crowd.contacts, key=lambda contact: -(contact.number ^ TARGET))[:5]]
        self.fetch(whole=True, paths=2)
        holders = {contact.number for contact in self.nearest()}
        while any(one.name == "find_value" for one in self.crowd.asked):
            asked = self.crowd.asked[0].contact
            if asked is liar or asked in crowd:
                self.answer(record=b"\1", nodes=crowd)
            else:
                self.answer(**({"record": b"\2"} if asked.number in holders else {}))
        self.assertEqual(self.found, [2])


class PublishingTests(CrowdCase):
    def setUp(self) -> None:
        super().setUp()
        self.outcomes: list[Stored] = []
        self.own = Contact(bytes(32), "10.9.9.9", 9)
        self.kept_here = True

    def publish(self) -> None:
        self.crowd.known = self.nearest(2 * K)
        record = (b"record", TARGET, 0)
        Publishing(self.crowd, self.crowd, self.own, record, lambda: self.kept_here, self.outcomes.append).start()
        while self.crowd.asked and self.crowd.asked[0].name == "find_node":
            self.answer(nodes=())

    def reply(self, code: str | None = None, revision: int | None = None) -> Contact:
        return self.answer(stored=code is None, code=code, revision=revision)

    def test_stored(self) -> None:
        """A record is stored at the twenty nearest nodes."""
        self.publish()
        while self.crowd.asked:
            self.reply()
        (stored,) = self.outcomes
        self.assertEqual((stored.count, stored.asked, stored.refused), (K, K, {}))
        self.assertEqual(stored.closest, tuple(contact.id.hex() for contact in self.nearest()))

    def test_own_place(self) -> None:
        """A node that is itself among the twenty nearest keeps the record too, if its store takes it."""
        near = self.nearest(1)[0]
        self.crowd.contacts.remove(near)
        self.own = near
        self.publish()
        while self.crowd.asked:
            self.reply()
        self.assertEqual((self.outcomes[0].count, self.outcomes[0].asked), (K, K - 1))
        self.assertEqual(self.outcomes[0].closest[0], near.id.hex())
        self.kept_here = False
        self.publish()
        while self.crowd.asked:
            self.reply()
        self.assertEqual((self.outcomes[1].count, self.outcomes[1].asked), (K, K))

    def test_silent_nodes_are_replaced(self) -> None:
        """Whoever is silent is replaced by the next nearest, also after a second look for nodes."""
        self.publish()
        silent = [self.crowd.asked.pop(0) for _ in range(5)]
        for question in silent:
            question.on_failure(question.contact)
        while self.crowd.asked:
            self.reply() if self.crowd.asked[0].name == "store" else self.answer(nodes=())
        (stored,) = self.outcomes
        self.assertEqual((stored.count, stored.asked), (K, K + 5))
        self.assertFalse({question.contact.id.hex() for question in silent} & set(stored.closest))

    def test_slow_nodes(self) -> None:
        """For a slow node the next one is asked at once, and what the slow one says still counts."""
        self.publish()
        slow = self.crowd.asked.pop(0)
        slow.on_slow(slow.contact)
        self.assertEqual(len(self.crowd.asked), K)
        slow.on_answer(slow.contact, {"stored": True})
        while self.crowd.asked:
            self.reply()
        self.assertEqual(self.outcomes[0].count, K + 1)

    def test_refusals(self) -> None:
        """Refusals are counted by their codes, with the highest revision that somebody has; a refusal is no failure."""
        self.publish()
        self.reply("stale", 7)
        self.reply("stale", 9)
        self.reply("no-space")
        while self.crowd.asked:
            self.reply()
        (stored,) = self.outcomes
        self.assertEqual((stored.count, stored.refused), (K - 3, {"stale": 2, "no-space": 1}))
        self.assertEqual(stored.newest, 9)

    def test_nobody(self) -> None:
        """Without other nodes a record is kept here alone, or nowhere."""
        self.crowd.contacts.clear()
        self.publish()
        self.kept_here = False
        self.publish()
        self.assertEqual([stored.count for stored in self.outcomes], [1, 0])
