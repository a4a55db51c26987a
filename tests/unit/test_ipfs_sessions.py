"""Sessions of the exchange against partners that are honest, silent, or lie; and whose turn it is to be served."""

from types import SimpleNamespace
from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.blocks.values import Row, State
from bitdust.ipfs.exchange.partners import Counts, Ledger, Partner
from bitdust.ipfs.exchange.serving import AT_ONCE, MOST_WAITING, STRANGERS_DAY, Serving
from bitdust.ipfs.exchange.session import MOST_FAILURES, TOGETHER, Session
from bitdust.ipfs.exchange.stream import BlockStream
from bitdust.ipfs.exchange.wire import ABSENT, LATER, MOST_BYTES, Given, split_answer
from bitdust.ipld.cid import RAW, Cid
from bitdust.ipld.errors import FormatError
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.table import Who

DATA = [b"block %d" % number for number in range(40)]
CIDS = [Cid.of(data, RAW) for data in DATA]


@define(eq=False)
class Asked:
    """One question that waits for its answer."""

    partner: Partner
    cids: list[Cid]
    answer: "Deferred[Any]" = field(factory=Deferred)

    def gives(self, *there: int) -> None:
        """The blocks with these places among all; of the others it has none."""
        self.answer.callback([self.one(cid, there) for cid in self.cids])

    def one(self, cid: Cid, there: tuple[int, ...]) -> Given:
        place = CIDS.index(cid)
        return Given(cid, len(DATA[place]), DATA[place]) if place in there else Given(cid, ABSENT)

    def fails(self) -> None:
        self.answer.errback(BitDustError("no-answer", "silence"))


class Exchange:
    """The port of a session."""

    def __init__(self) -> None:
        self.partners: list[Partner] = []
        self.asked: list[Asked] = []
        self.haves: list[Asked] = []
        self.search: Deferred[Any] = succeed(None)
        self.searches = self.duplicates = 0
        self.is_over = False

    def partners_now(self) -> list[Partner]:
        return list(self.partners)

    def request(self, partner: Partner, cids: list[Cid]) -> "Deferred[Any]":
        self.asked.append(Asked(partner, list(cids)))
        return self.asked[-1].answer

    def ask_haves(self, partner: Partner, cid: Cid) -> "Deferred[Any]":
        self.haves.append(Asked(partner, [cid]))
        return self.haves[-1].answer

    def find_providers(self, root: Cid) -> "Deferred[Any]":
        self.searches += 1
        return self.search

    def note_duplicate(self, size: int) -> None:
        self.duplicates += 1

    def over(self, session: Session) -> None:
        self.is_over = True


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.registry = Registry(self.clock, self.clock.seconds)
        self.port = Exchange()
        self.session = self.make()

    def make(self, is_patient: bool = False) -> Session:
        return Session(self.registry, self.port, CIDS[0], "root 1", is_patient)

    def tearDown(self) -> None:
        self.session.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def partner(self, name: bytes) -> Partner:
        partner = Partner((name, name), SimpleNamespace(address=name), Ledger())
        self.port.partners.append(partner)
        return partner

    def wants(self, *places: int) -> list[list[Any]]:
        found: list[list[Any]] = []
        for place in places:
            came: list[Any] = []
            found.append(came)
            self.session.fetch(CIDS[place]).addBoth(came.append)
        return found

    def last(self) -> Asked:
        return self.port.asked[-1]

    def test_one_then_several(self) -> None:
        """A partner is asked for one block first; who has given some is asked for several at once."""
        self.partner(b"a")
        came = self.wants(*range(20))
        self.assertEqual([len(one.cids) for one in self.port.asked], [1])
        self.last().gives(0)
        self.assertEqual(came[0], [DATA[0]])
        self.assertEqual([len(one.cids) for one in self.port.asked], [1, TOGETHER, 3])
        for asked in self.port.asked[1:]:
            asked.gives(*range(20))
        self.assertEqual([one[0] for one in came], DATA[:20])
        self.assertEqual(self.session.machine.state, "IDLE")

    def test_the_next_one_is_asked(self) -> None:
        """Who has a block not, or does not answer, is followed by the next, who has said meanwhile what it has."""
        for name in (b"a", b"b", b"c"):
            self.partner(name)
        (came,) = self.wants(0)
        self.assertEqual([one.partner.key[0] for one in self.port.haves], [b"b", b"c"])
        self.port.haves[0].answer.callback(False)
        self.port.haves[1].answer.callback(True)
        self.last().fails()
        self.assertEqual(self.last().partner.key[0], b"c")
        self.last().gives(0)
        self.assertEqual(came, [DATA[0]])
        self.assertEqual(len(self.port.asked), 2)

    def test_nobody(self) -> None:
        """Where nobody has it, others are looked for once, and then it is told."""
        self.partner(b"a")
        (came,) = self.wants(0)
        self.last().gives()
        self.assertEqual((came, self.port.searches), ([None], 1))
        (again,) = self.wants(1)
        self.last().gives()
        self.assertEqual((again, self.port.searches), ([None], 1))

    def test_somebody_is_found(self) -> None:
        """Who is found in the hash table is asked."""
        self.port.search = Deferred()
        (came,) = self.wants(0)
        self.assertEqual((self.port.asked, self.session.machine.state), ([], "LOOKING"))
        self.partner(b"p")
        self.port.search.callback(None)
        self.last().gives(0)
        self.assertEqual(came, [DATA[0]])

    def test_endless_haves(self) -> None:
        """Who says again and again that it has blocks, and gives none, is asked for nothing after two times."""
        liar, honest = self.partner(b"a"), self.partner(b"b")
        came = self.wants(0, 1, 2)
        rounds = 0
        while rounds < 100:
            rounds += 1
            waiting = [one for one in (*self.port.haves, *self.port.asked) if not one.answer.called]
            if not waiting:
                break
            for one in waiting:
                if one in self.port.haves:
                    one.answer.callback(True)
                elif one.partner is liar:
                    one.gives()
                else:
                    one.gives(0, 1, 2)
        self.assertLess(rounds, 20)
        self.assertEqual([one[0] for one in came], DATA[:3])
        self.assertLessEqual(sum(one.partner is liar for one in self.port.asked), MOST_FAILURES + 1)
        self.assertGreater(sum(one.partner is honest for one in self.port.asked), 0)

    def test_later_for_ever(self) -> None:
        """Who has a block always later is not asked for ever."""
        self.partner(b"a")
        (came,) = self.wants(0)
        for _ in range(MOST_FAILURES):
            self.last().answer.callback([Given(CIDS[0], LATER)])
        self.assertEqual((came, len(self.port.asked)), ([None], MOST_FAILURES))

    def test_a_partner_goes(self) -> None:
        """Blocks that were asked of a partner that goes are asked of the others."""
        first = self.partner(b"a")
        came = self.wants(*range(5))
        self.last().gives(0)
        self.partner(b"b")
        self.port.partners.remove(first)
        self.last().fails()
        while not self.last().answer.called:
            self.last().gives(*range(5))
        self.assertEqual([one[0] for one in came], DATA[:5])

    def test_patience(self) -> None:
        """Who waits on purpose has everybody asked again every two seconds, until he goes."""
        self.session = self.make(is_patient=True)
        self.partner(b"a")
        waiting = self.session.fetch(CIDS[0])
        waiting.addErrback(lambda _: None)
        for _ in range(3):
            self.last().gives()
            self.assertEqual(self.session.machine.state, "WAITING")
            self.clock.advance(2)
        self.assertEqual(len(self.port.asked), 4)
        waiting.cancel()
        self.assertEqual(self.session.wants, [])
        self.last().gives(0)
        self.assertEqual((self.port.duplicates, self.session.machine.state), (1, "IDLE"))

    def test_stop(self) -> None:
        """At its end whoever waits is told, and what was asked is taken back."""
        self.partner(b"a")
        (came,) = self.wants(0)
        self.session.stop()
        self.assertEqual((came, self.port.is_over), ([None], True))
        self.assertEqual(self.successResultOf(self.session.fetch(CIDS[1])), None)

    @given(st.lists(st.sampled_from(("give", "lack", "fail", "later", "yes", "no", "come", "go")), max_size=40))
    @settings(max_examples=80, deadline=None)
    def test_whatever_happens(self, steps: list[str]) -> None:
        """Whatever partners do, nothing waits for ever: when all have answered, each block has come or is refused."""
        self.port = Exchange()
        self.session = self.make()
        for name in (b"a", b"b", b"c"):
            self.partner(name)
        came = self.wants(0, 1, 2)
        for number, step in enumerate([*steps, *["lack"] * 10 * (3 + len(steps))]):
            questions = [one for one in self.port.asked if not one.answer.called]
            haves = [one for one in self.port.haves if not one.answer.called]
            if step == "come":
                self.partner(b"n%d" % number)
                self.session.partner_came()
            elif step == "go" and self.port.partners:
                self.port.partners.pop()
            elif step in ("yes", "no") and haves:
                haves[0].answer.callback(step == "yes")
            elif step == "give" and questions:
                questions[0].gives(0, 1, 2)
            elif step == "fail" and questions:
                questions[0].fails()
            elif step == "later" and questions:
                questions[0].answer.callback([Given(cid, LATER) for cid in questions[0].cids])
            elif questions:
                questions[0].gives()
            elif haves:
                haves[0].answer.callback(False)
        self.assertTrue(all(came), (self.session.machine.state, came))
        self.session.stop()


class AnswerTests(SynchronousTestCase):
    def test_split(self) -> None:
        """An answer is cut where its sizes say; one whose sizes say something else proves nothing."""
        found = split_answer(CIDS[:3], {"sizes": [7, ABSENT, LATER]}, b"block 0")
        self.assertEqual([(one.size, one.data) for one in found], [(7, b"block 0"), (ABSENT, b""), (LATER, b"")])
        for sizes, payload in (([7], b""), ([7, 7, 7], b"block 0"), ([0, 0, 0], b"x")):
            self.assertRaises(FormatError, split_answer, CIDS[:3], {"sizes": sizes}, payload)
        for fields in ({}, {"sizes": [-3, 0, 0]}, {"sizes": "x"}, {"sizes": [1 << 40, 0, 0]}, {"sizes": [0] * 65}):
            self.assertRaises(WireError, split_answer, CIDS[:3], fields, b"")

    def test_stream(self) -> None:
        """Blocks are read one by one while they are sent, in pieces of any size; one that has changed ends it."""
        read: list[Cid] = []

        async def one(cid: Cid) -> bytes:
            read.append(cid)
            return DATA[CIDS.index(cid)]

        for piece in (1, 3, 7, 1000):
            stream = BlockStream([(cid, len(data)) for cid, data in zip(CIDS[:5], DATA, strict=False)], one)
            whole, at = b"".join(DATA[:5]), 0
            while at < stream.size:
                data = self.successResultOf(stream.read(at, min(piece, stream.size - at)))
                self.assertEqual(data, whole[at : at + piece])
                at += len(data)
        self.assertEqual(len(read), 20)
        self.failureResultOf(BlockStream([(CIDS[0], 5)], one).read(0, 5), BitDustError)


class Store:
    """Has all blocks; each is read when the test says so."""

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.reading: list[Deferred[Any]] = []

    def rows(self, cids: list[Cid]) -> "Deferred[Any]":
        waiting: Deferred[Any] = Deferred()
        self.reading.append(waiting)
        return waiting.addCallback(lambda _: [Row(1, cid, self.size, 1, 0, State.HERE) for cid in cids])


class ServingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.store = Clock(), Store()
        self.ledgers: dict[Any, Ledger] = {}
        self.shared = "everybody"
        self.friends: set[bytes] = set()
        values = SimpleNamespace(get=lambda key: self.shared)
        self.networks: dict[bytes, str] = {}
        partners = SimpleNamespace(
            ledger=lambda key: self.ledgers.setdefault(key, Ledger()), network=lambda key: self.networks.get(key[0], "")
        )
        self.serving = Serving(self.clock, values, lambda: self.store, partners, Counts(), self.has_role)

    def has_role(self, who: Who, fingerprint: bytes) -> bool:
        return fingerprint in self.friends

    def asks(self, name: bytes, kind: str = "haves", count: int = 3) -> "Deferred[Any]":
        peer = SimpleNamespace(fingerprint=name, device=name)
        request: Any = SimpleNamespace(peer=peer, fields={"cids": [bytes(cid) for cid in CIDS[:count]]})
        return Deferred.fromCoroutine(getattr(self.serving, kind)(request))

    def code(self, answer: "Deferred[Any]") -> str:
        return str(self.failureResultOf(answer, BitDustError).value.code)

    def test_permission(self) -> None:
        """Friends are served by default, everybody or nobody where the person says so."""
        self.friends.add(b"f")
        for shared, friend, stranger in (("friends", True, False), ("everybody", True, True), ("nobody", False, False)):
            self.shared = shared
            self.assertEqual((self.serving.may_have(b"f"), self.serving.may_have(b"s")), (friend, stranger))
        self.assertEqual(self.code(self.asks(b"f")), "not-allowed")
        self.assertEqual(self.serving.refused, 1)

    def test_turns(self) -> None:
        """Of those who wait the one comes next who has had the least beside what it has given."""
        busy = [self.asks(b"greedy") for _ in range(AT_ONCE)]
        self.ledgers[b"greedy", b"greedy"].sent_bytes = 1000
        self.asks(b"greedy")
        modest = self.asks(b"modest")
        self.assertEqual(len(self.store.reading), AT_ONCE)
        self.store.reading[0].callback(None)
        self.successResultOf(busy[0])
        self.assertEqual(len(self.store.reading), AT_ONCE + 1)
        self.store.reading[-1].callback(None)
        self.successResultOf(modest)

    def test_many_requests(self) -> None:
        """So many requests of one peer wait, and no more; they do not keep out others."""
        for _ in range(AT_ONCE + MOST_WAITING):
            self.asks(b"greedy").addErrback(lambda _: None)
        self.assertEqual(self.code(self.asks(b"greedy")), "busy")
        other = self.asks(b"other")
        self.assertNoResult(other)
        other.addErrback(lambda _: None)
        self.serving.stop()

    def test_who_goes_gives_up_its_turn(self) -> None:
        """A request that is taken back waits no more."""
        for _ in range(AT_ONCE):
            self.asks(b"a")
        gone = self.asks(b"b")
        gone.addErrback(lambda _: None)
        gone.cancel()
        self.store.reading[0].callback(None)
        self.assertEqual(len(self.store.reading), AT_ONCE)

    def test_a_day_of_strangers(self) -> None:
        """Who is no friend gets so many bytes a day, and more the next day; friends get what they ask for."""
        self.store.size = MOST_BYTES
        for name in (b"stranger", b"friend"):
            self.friends = {b"friend"}
            for _ in range(int(STRANGERS_DAY / MOST_BYTES)):
                answer = self.asks(name, "blocks")
                self.store.reading[-1].callback(None)
                self.assertEqual(self.successResultOf(answer).fields["sizes"], [MOST_BYTES, LATER, LATER])
        self.assertEqual(self.code(self.asks(b"stranger", "blocks")), "busy")
        self.assertNoResult(self.asks(b"friend", "blocks"))
        self.clock.advance(3600)
        self.assertNoResult(self.asks(b"stranger", "blocks"))

    def test_keys_of_one_network(self) -> None:
        """They share the bytes of a day, the requests that wait, and a turn: one more key brings nothing more."""
        self.store.size = MOST_BYTES
        names = [f"key {number}".encode() for number in range(int(STRANGERS_DAY / MOST_BYTES) + 1)]
        self.networks = dict.fromkeys(names, "203.0.113.0/24")
        for name in names[:-1]:
            answer = self.asks(name, "blocks")
            self.store.reading[-1].callback(None)
            self.successResultOf(answer)
        self.assertEqual(self.code(self.asks(names[-1], "blocks")), "busy")
        self.assertNoResult(self.asks(b"elsewhere", "blocks"))
        for number in range(AT_ONCE - 1 + MOST_WAITING):
            self.asks(names[number]).addErrback(lambda _: None)
        self.assertEqual(self.code(self.asks(names[-1])), "busy")
        modest = self.asks(b"modest")
        self.serving._ledger((b"", b"203.0.113.0/24")).sent_bytes = 1000
        self.store.reading[-1].callback(None)
        self.store.reading[-1].callback(None)
        self.successResultOf(modest)
        self.serving.stop()
