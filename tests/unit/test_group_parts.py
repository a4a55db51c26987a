"""Parts of a group's log at its members, on one clock: lost and late packets, partitions, restarts, and short parts."""

import os
import random
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from attrs import evolve
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.automats.shared_access_coordinator import SharedAccessCoordinator
from bitdust.formats.log_entry import Entry, LogName, hash_of
from bitdust.formats.log_packet import LogPacket
from bitdust.formats.operations import message_op
from bitdust.outcome import Outcome, outcome
from bitdust.storage.log import requests
from bitdust.storage.log.seen import SeenHead
from bitdust.storage.shared import parts, shortening
from bitdust.storage.shared.member_access import MemberAccess, SharedKey
from bitdust.storage.shared.member_log import MemberLog
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family, Head
from tests.unit.kit import Reply
from tests.unit.supplier_kit import START, Person

ALIAS, SECRET, SCOPE = "group_1", b"s" * 32, b"t" * 16


class Member:
    """One member with its log, who keeps the group or reads it only; also the way to the others."""

    def __init__(self, net: "Net", name: str, keeps: bool) -> None:
        self.net, self.keeps = net, keeps
        self.person = person = Person(name)
        self.fingerprint, self.device = person.fingerprint, person.device
        self.me = SimpleNamespace(
            fingerprint=self.fingerprint, device=self.device, document=person.document, sign=self.device.sign_record
        )
        self.world = SimpleNamespace(
            home=net.folder, clock=net.clock, wall=lambda: START + net.clock.seconds(), entropy=os.urandom,
            run_in_thread=maybeDeferred,
        )  # fmt: skip
        self.outbox = self
        self.heard: list[tuple[bytes, bytes]] = []
        self.gaps: list[tuple[int, int]] = []
        net.members[self.fingerprint] = self
        self.born()

    def born(self) -> None:
        """Begin, or begin again over the same file."""
        self.is_reading = False
        around = SimpleNamespace(world=self.world, me=self.me, registry=Registry(self.net.clock, self.world.wall))
        access = MemberAccess(lambda: self.device.id, self.net.key, self.net.documents)
        self.log = MemberLog(around, self.net.folder / f"{self.person.name}.db", access, self)
        self.net.now(self.log.open())
        self.log.place()

    def again(self) -> None:
        self.net.now(self.log.close())
        self.born()

    # as `PartHolders`

    def is_online(self, who: bytes) -> bool:
        return self.net.reaches(self.fingerprint, who)

    def family(self) -> Family:
        keepers = [one.fingerprint for one in self.net.members.values() if one.keeps]
        seats = [*keepers, None, None][: max(2, len(keepers))]
        return Family(self.net.owner.fingerprint, 1, 1, len(seats), START, seats)

    def brings_all(self) -> bool:
        return False

    def is_keeper(self) -> bool:
        return self.keeps

    def takes_from_all(self) -> bool:
        return True

    def gives_together(self) -> bool:
        return True

    def names(self, who: bytes) -> tuple[str, str]:
        return "", ""

    def note_answer(self, supplier: bytes, reply: Reply) -> None:
        pass

    def send(self, to: bytes, command: Command, fields: dict, payload: bytes | None = None, **terms) -> Deferred:
        return self.net.carry(self, to, lambda keeper: keeper.answer(command, fields, payload, self.fingerprint), terms)

    async def answer(self, command: Command, fields: dict, payload: bytes | None, bringer: bytes) -> Reply:
        if command == Command.DATA:
            packet = LogPacket.parse(payload or b"")
            peer = SimpleNamespace(fingerprint=bringer, device=b"somebody")
            return Reply({"sequence": await self.log.take(fields["head"], packet.entries, peer)})
        if fields["kind"] == "heads":
            return Reply({}, encode(self.log.heads()))
        if fields["kind"] == "parts":
            return Reply({}, encode([self.log.give(one["device"], one["first"], 2000) for one in fields["parts"]]))
        return Reply({}, encode(self.log.give(fields["device"], fields["first"], 2000)))

    # what a person does

    def say(self, text: bytes) -> None:
        self.net.now(self.log.write(message_op(ALIAS, text)))

    def read(self) -> None:
        online = [one.fingerprint for one in self.net.members.values() if one.keeps and self.is_online(one.fingerprint)]
        if self.log.catalog.is_open and not self.is_reading:
            self.is_reading = True
            outcome(Deferred.fromCoroutine(self.log.pull(online, 0))).addCallback(self.has_read)

    def has_read(self, ended: Outcome) -> None:
        self.is_reading = False

    def listen(self) -> None:
        """As a conversation does: what was said goes to the history, once."""
        while said := self.log.unread():
            self.heard += [(one.device, one.op["body"]) for one in said if one.op["op"] == "message"]
            self.gaps += [(gap.first, gap.last) for gap in self.net.now(self.log.handed_on(said))]

    def of(self, other: "Member") -> list[bytes]:
        return [text for device, text in self.heard if device == other.device.id]


class Net:
    """Members, and what is between them."""

    def __init__(self, case: SynchronousTestCase, seed: int) -> None:
        self.case, self.clock, self.chance = case, Clock(), random.Random(seed)
        self.folder = Path(case.mktemp())
        self.members: dict[bytes, Member] = {}
        self.away: set[bytes] = set()
        self.sides: list[set[bytes]] = []
        self.loss = 0.0

    def add(self, name: str, keeps: bool = True) -> Member:
        made = Member(self, name, keeps)
        self.case.addCleanup(lambda: self.now(made.log.close()))
        return made

    @property
    def owner(self) -> Member:
        return next(iter(self.members.values()))

    def key(self) -> SharedKey:
        return SharedKey(self.owner.fingerprint, ALIAS, [SCOPE], {1: (SECRET,)}, (1, SECRET))

    def documents(self) -> list:
        return [one.person.document for one in self.members.values()]

    def now(self, work):
        return self.case.successResultOf(Deferred.fromCoroutine(work) if hasattr(work, "send") else work)

    def reaches(self, one: bytes, other: bytes) -> bool:
        if one == other or {one, other} & self.away:
            return False
        return all((one in side) == (other in side) for side in self.sides)

    def carry(self, sender: Member, to: bytes, ask, terms: dict) -> Deferred:
        """There and back, each late by chance or lost."""
        done: Deferred = Deferred()

        def arrive() -> None:
            if done.called or not self.reaches(sender.fingerprint, to) or self.chance.random() < self.loss:
                return
            answer = outcome(Deferred.fromCoroutine(ask(self.members[to])))
            answer.addCallback(lambda found: self.clock.callLater(self.chance.uniform(0, 0.5), back, found))

        def back(found) -> None:
            if not done.called and self.chance.random() >= self.loss:
                timeout.cancel()
                done.callback(found.value) if found.error is None else done.errback(found.error)

        def silence() -> None:
            done.errback(BitDustError("timeout", "no answer"))

        timeout = self.clock.callLater(terms["deadline"], silence)
        self.clock.callLater(self.chance.uniform(0, 0.5), arrive)
        return done

    def run(self, seconds: float) -> None:
        """Let time pass; everybody reads now and then, at its own pace."""
        for _ in range(int(seconds * 4)):
            self.clock.advance(0.25)
            for one in self.members.values():
                if self.chance.random() < 0.2 and one.fingerprint not in self.away:
                    one.read()
                if one.log.catalog.is_open:
                    one.listen()

    def mend(self) -> None:
        self.loss, self.sides, self.away = 0.0, [], set()
        for one in self.members.values():
            one.log.place()


class RevokedTests(SynchronousTestCase):
    def test_heard_since_a_device_was_revoked(self) -> None:
        """Who was heard before it was, or while nobody else could be, says nothing of what it has said."""
        net = Net(self, 2)
        alice, bob, carl = [net.add(name) for name in ("alice", "bob", "carl")]
        gone = b"g" * 8
        net.run(20)
        alice.read()
        alice.me.document = evolve(alice.me.document, open_ends=frozenset({gone}))
        net.clock.advance(1)
        net.clock.advance(1)
        self.assertFalse(alice.log.knows_end_of(gone))
        net.away = {bob.fingerprint, carl.fingerprint}
        net.run(20)
        self.assertFalse(alice.log.knows_end_of(gone))
        net.mend()
        net.run(20)
        self.assertTrue(alice.log.knows_end_of(gone))

    def test_what_was_listed_and_not_given(self) -> None:
        """Where it was cut off behind the lists, more may have been said than is here: nothing is known then."""
        net = Net(self, 2)
        bob, carl, alice = [net.add(name, name != "alice") for name in ("bob", "carl", "alice")]
        net.away = {alice.fingerprint}
        bob.say(b"before it was revoked")
        net.run(20)
        alice.me.document = evolve(alice.me.document, open_ends=frozenset({bob.device.id}))
        answers = {one: one.answer for one in (bob, carl)}

        async def cut(command: Command, fields: dict, payload: bytes | None, bringer: bytes, one: Member) -> Reply:
            if fields["kind"] in ("log", "parts"):
                raise BitDustError("no-answer", "cut")
            return await answers[one](command, fields, payload, bringer)

        for one in answers:
            one.answer = partial(cut, one=one)  # type: ignore[method-assign]
        net.mend()
        net.run(20)
        self.assertFalse(alice.log.knows_end_of(bob.device.id))
        for one, answer in answers.items():
            one.answer = answer  # type: ignore[method-assign]
        net.run(20)
        self.assertTrue(alice.log.knows_end_of(bob.device.id))
        self.assertEqual(alice.of(bob), [b"before it was revoked"])


class LostFileTests(SynchronousTestCase):
    """A member's file was lost: until what it said before is back it would say something in the place of that."""

    def setUp(self) -> None:
        self.net = net = Net(self, 2)
        self.bob, self.carl, self.dave = (net.add(name, name != "dave") for name in ("bob", "carl", "dave"))
        self.assertFalse(self.dave.log.lacks_mine(False))
        self.dave.say(b"before")
        net.run(20)
        self.assertFalse(self.dave.log.lacks_mine(True))

    def lose(self) -> None:
        self.net.now(self.dave.log.close())
        for path in self.net.folder.glob("dave.db*"):
            path.unlink()
        self.dave.born()

    def lacks(self) -> bool:
        return self.dave.log.lacks_mine(True)

    def test_until_it_is_back(self) -> None:
        """It lacks its own part before anybody was heard, and while those who list it are cut off; not after that."""
        self.lose()
        self.assertEqual((self.lacks(), self.dave.log.lacks_mine(False)), (True, False))
        with mock.patch.object(Member, "answer", cut_off(Member.answer)):
            self.net.run(20)
            self.assertTrue(self.lacks())
        self.net.run(20)
        self.assertEqual((self.lacks(), self.dave.log.end()), (False, 1))

    def test_a_keeper_that_has_nothing(self) -> None:
        """One of four who lists nothing of it says nothing of the others, and half of them who do are enough."""
        for name in ("erin", "frank"):
            self.net.add(name)
        erin, frank = list(self.net.members.values())[3:]
        self.net.away = {one.fingerprint for one in (self.bob, self.carl, frank)}
        self.lose()
        self.net.run(20)
        self.assertTrue(self.lacks())
        self.net.away.discard(frank.fingerprint)
        self.net.run(20)
        self.assertFalse(self.lacks())

    def test_a_keeper_that_lost_it(self) -> None:
        """What a keeper does not list any more it does not hold: it is brought all of it again, though nothing is said
        meanwhile, by whoever has it."""
        erin = self.net.add("erin", False)
        self.net.run(100)
        self.net.away = {self.bob.fingerprint}
        for gone in ((), (self.dave.fingerprint,)):
            self.net.away |= {*gone}
            self.net.now(self.carl.log.close())
            for path in self.net.folder.glob("carl.db*"):
                path.unlink()
            self.carl.born()
            self.net.run(130)
            self.assertEqual((self.carl.log.end_of(self.dave.device.id), erin.of(self.dave)), (1, [b"before"]))

    def test_a_keeper_that_is_behind(self) -> None:
        """Who keeps the beginning alone, and is heard alone later, says nothing of what another one has listed."""
        self.net.away = {self.bob.fingerprint}
        self.dave.say(b"more")
        self.net.run(20)
        self.lose()
        with mock.patch.object(self.carl, "answer", partial(cut_off(Member.answer), self.carl)):
            self.net.away = set()
            self.net.run(20)
            self.assertEqual((self.dave.log.end(), self.lacks()), (1, True))
            self.net.away = {self.carl.fingerprint}
            self.net.run(20)
            self.assertTrue(self.lacks())
        self.net.away = set()
        self.net.run(20)
        self.assertEqual((self.dave.log.end(), self.lacks()), (2, False))

    def test_it_never_comes(self) -> None:
        """Whoever lists it and never gives it keeps nobody silent for more than a day."""
        self.lose()
        with mock.patch.object(Member, "answer", cut_off(Member.answer)):
            self.net.run(20)
            self.net.clock.advance(86_000)
            self.net.run(20)
            self.assertTrue(self.lacks())
            self.net.clock.advance(400)
            self.assertFalse(self.lacks())


class OtherLogsTests(SynchronousTestCase):
    """Suppliers list to their owner all logs that they keep, of other groups and of its catalog too."""

    def test_they_say_nothing_of_this_one(self) -> None:
        """What a keeper holds of a group is not less, nor more, for what it lists of others."""
        net = Net(self, 2)
        alice, bob = net.add("alice", False), net.add("bob")
        for text in (b"one", b"two"):
            alice.say(text)
        net.run(20)
        self.assertEqual(alice.log.holders_of(2), 1)
        listed, other = bob.log.heads, Head(alice.fingerprint, alice.device.id, 1, bytes(32), 0, None, None, b"o" * 16)

        def show(*heads: bytes) -> None:
            bob.log.heads = lambda: list(heads)  # type: ignore[method-assign]
            self.net_read(net, alice)

        self.patch(alice.log, "place", lambda: None)
        for sequence in (1, 500):
            signed = alice.person.sign(evolve(other, sequence=sequence)).to_bytes()
            show(*listed(), signed)
            self.assertEqual(alice.log.holders_of(2), 1)
            show(signed)
            self.assertEqual(alice.log.holders_of(1), 0)
            show(*listed())

    def net_read(self, net: Net, member: Member) -> None:
        member.read()
        net.clock.pump([0.25] * 12)


class AnotherHistoryTests(SynchronousTestCase):
    """Somebody has the key of a member's device, signs another part in place of its own, and one keeper gives that."""

    def steal(self, more: int, said: list[bytes]) -> None:
        """Dave has said this while Alice was away, and evil gives another part of his, which has more entries."""
        net = self.net = Net(self, 2)
        forged = Net(self, 3)
        names = ("bob", "carl", "evil", "dave", "alice")
        self.bob, self.carl, self.evil, self.dave, self.alice = (
            self.net.add(name, name in ("bob", "carl", "evil")) for name in names
        )
        dave, evil = self.dave, self.evil
        net.away = {self.alice.fingerprint}
        for text in said:
            dave.say(text)
        self.bob.say(b"beside")
        net.run(20)
        thief = forged.add("thief")
        forged.key, forged.documents = net.key, net.documents  # type: ignore[method-assign]
        thief.me, thief.device, thief.fingerprint = dave.me, dave.device, dave.fingerprint
        thief.again()
        for number in range(len(said) + more):
            thief.say(b"false %d" % number)
        true_answer = evil.answer

        async def lie(command: Command, fields: dict, payload: bytes | None, bringer: bytes) -> Reply:
            if command == Command.DATA or fields["kind"] not in ("heads", "parts", "log"):
                return await true_answer(command, fields, payload, bringer)
            return await thief.answer(command, fields, payload, bringer)

        evil.answer = lie  # type: ignore[method-assign]
        net.away = set()

    def give_slowly(self, each: float, *members: Member) -> None:
        """They give one answer of entries in so many seconds, and are cut off after that."""
        next_at = {one.fingerprint: 0.0 for one in members}

        async def slow(one: Member, answer, command: Command, fields: dict, *more) -> Reply:
            if command == Command.RETRIEVE and fields["kind"] != "heads":
                if fields["kind"] == "parts" or self.net.clock.seconds() < next_at[one.fingerprint]:
                    raise BitDustError("no-answer", "cut")
                next_at[one.fingerprint] = self.net.clock.seconds() + each
            return await answer(command, fields, *more)

        for one in members:
            one.answer = partial(slow, one, one.answer)  # type: ignore[method-assign]

    def hours(self, hours: float) -> None:
        for _ in range(int(hours * 15)):
            while self.alice.is_reading:
                self.net.clock.advance(0.25)
            self.net.clock.advance(238)
            self.net.run(2)

    def read(self, more: int, together: bool, cut: bool = False) -> None:
        said = [b"true %d" % number for number in range(3)]
        self.steal(more, said)
        net, alice = self.net, self.alice
        alice.gives_together = lambda: together  # type: ignore[method-assign]

        async def fail(answer, command: Command, fields: dict, *more) -> Reply:
            if command == Command.RETRIEVE and fields["kind"] != "heads":
                raise BitDustError("no-answer", "cut")
            return await answer(command, fields, *more)

        if cut:
            with (
                mock.patch.object(self.bob, "answer", partial(fail, self.bob.answer)),
                mock.patch.object(self.carl, "answer", partial(fail, self.carl.answer)),
            ):
                net.run(30)
                self.assertEqual(alice.of(self.dave), [])
        net.run(30)
        self.assertEqual([text for text in alice.of(self.dave) if text in said], said)

    def test_over_a_slow_line(self) -> None:
        """A part that takes hours, as its keepers are cut off again and again, is not given up for what contradicts
        it."""
        said = [b"%d" % number * 300 for number in range(40)]
        self.steal(5, said)
        self.give_slowly(300, self.bob, self.carl)
        self.hours(2)
        self.assertEqual(self.alice.of(self.dave), [])
        self.hours(6)
        self.assertEqual(self.alice.of(self.dave), said)

    def test_an_answer_at_a_time(self) -> None:
        """Keepers who list a part, give a little of it now and then and never all, delay another one by a day."""
        said = [b"%d" % number * 300 for number in range(100)]
        self.steal(0, said)
        self.give_slowly(3300, self.bob, self.carl)
        self.hours(23)
        self.assertEqual(self.alice.of(self.dave), [])
        self.hours(2)
        self.assertEqual(self.alice.of(self.dave), [b"false %d" % number for number in range(100)])

    def test_a_longer_one(self) -> None:
        """What most keepers list is read first, and nothing that contradicts it afterwards."""
        self.read(5, False)

    def test_while_the_others_are_cut_off(self) -> None:
        """Where those who list the true one fail to give it, that is waited for."""
        self.read(5, False, cut=True)

    def test_those_who_never_give_it(self) -> None:
        """That has an end: keepers who list a part and fail for more than an hour keep nobody from what another has."""
        net = Net(self, 2)
        bob, carl, evil, alice = (net.add(name, name != "alice") for name in ("bob", "carl", "evil", "alice"))
        net.away = {alice.fingerprint}
        bob.say(b"first")
        net.run(20)
        net.away |= {carl.fingerprint, evil.fingerprint}
        bob.say(b"second")
        net.run(5)

        async def fail(answer, command: Command, fields: dict, *more) -> Reply:
            if command == Command.DATA or fields["kind"] != "heads":
                raise BitDustError("no-answer", "cut")
            return await answer(command, fields, *more)

        for one in (carl, evil):
            one.answer = partial(fail, one.answer)  # type: ignore[method-assign]
            one.log.place = one.read = lambda: None  # type: ignore[method-assign]
        net.away = set()
        for _ in range(5):
            net.clock.advance(1000)
            net.run(5)
        self.assertEqual(alice.of(bob), [b"first", b"second"])

    def test_one_as_long(self) -> None:
        """So it is where it is as long as the true one, and where several parts are asked for in one go."""
        self.read(0, False)
        self.read(0, True)

    def test_together(self) -> None:
        """So it is with a longer one."""
        self.read(5, True)


def cut_off(answer):
    """An answer in place of a member's, that gives no entries."""

    async def none(one: Member, command: Command, fields: dict, *more) -> Reply:
        if command == Command.RETRIEVE and fields["kind"] != "heads":
            raise BitDustError("no-answer", "cut")
        return await answer(one, command, fields, *more)

    return none


def cut_after(count: int):
    """An answer in place of a member's, that fails from so many questions on."""
    left = [count]

    async def answer(real, command: Command, *more) -> Reply:
        left[0] -= command == Command.RETRIEVE
        if left[0] < 0:
            raise BitDustError("no-answer", "cut")
        return await real(command, *more)

    return answer


async def never_whole(last: int, real, command: Command, fields: dict, *more) -> Reply:
    """An answer in place of a member's, that never comes to the last entry."""
    if fields.get("first", 0) >= last > 0:
        raise BitDustError("no-answer", "cut")
    return await real(command, fields, *more)


class SlowTests(SynchronousTestCase):
    def test_one_answer(self) -> None:
        """At 20 kB/s one answer comes within the time that a reading has: else none would ever be gone on with."""
        self.assertIn("READING       timer-1min", SharedAccessCoordinator.table)
        self.assertLess(requests.MOST_FETCHED / 20_000, 60)

    def test_a_line_that_is_too_slow_for_one_reading(self) -> None:
        """A reading that is cut off, or takes too long and is given up, is gone on with by the next one."""
        self.read_slowly()

    def test_another_keeper_is_read_meanwhile(self) -> None:
        """So it is where the next one asks somebody else."""
        self.read_slowly(between=True)

    def test_a_keeper_that_never_comes_to_an_end(self) -> None:
        """What another one gives without end takes the room of nobody else."""
        self.patch(parts, "MOST_BEGUN", 30_000)
        self.patch(parts, "MOST_BEGUN_BY_ALL", 120_000)
        self.read_slowly(beside=14)

    def test_short_entries_without_end(self) -> None:
        """What is remembered of a part, however short its entries are and however often its giver fails to answer, is
        no more than a part may be, and so it is of all parts of one giver; after a day it is forgotten."""
        for name, size in (("MOST_PART", 30_000), ("MOST_BEGUN", 90_000), ("MOST_BEGUN_BY_ALL", 180_000)):
            self.patch(parts, name, size)
        net = Net(self, 2)
        bob, alice = net.add("bob"), net.add("alice", False)
        bob.say(b"hello")
        net.clock.pump([0.25] * 8)
        own, left = alice.log.parts, [0]
        made, last = list[bytes](), bytes(32)
        for sequence in range(1, 2000):
            made.append(Entry(own._access.owner, bob.device.id, sequence, last, 1, b"x" * 40, SCOPE).to_bytes())
            last = hash_of(made[-1])

        def fetch(holder: bytes, log: LogName, first: int) -> Deferred:
            left[0] -= 1
            return succeed(made[first - 1 : first + 49]) if left[0] >= 0 else fail(BitDustError("no-answer", "cut"))

        holders = [bytes([number]) * 32 for number in range(6)]
        for holder in holders * 8:
            left[0] = 2
            head = Head(own._access.owner, bob.device.id, 10**9, bytes(32), 0, None, None, SCOPE)
            seen = SeenHead(head, holder, True, signer=bob.device.id, end=10**9)
            net.now(own._read_from(seen, fetch))
            by_holder = {place[0]: begun for place, begun in own._begun.items()}
            sizes = {who: sum(len(one.to_bytes()) for one in begun.entries) for who, begun in by_holder.items()}
            self.assertLessEqual(max(sizes.values(), default=0), 30_000)
            self.assertEqual(sizes, {who: begun.size for who, begun in by_holder.items()})
            self.assertLessEqual(sum(begun.weight for begun in own._begun.values()), 180_000)
        self.assertTrue(own._begun)
        net.clock.advance(parts.BEGUN_FOR - 60)
        net.now(own.read([], fetch))
        self.assertTrue(own._begun)
        net.clock.advance(120)
        net.now(own.read([], fetch))
        self.assertEqual(own._begun, {})

    def read_slowly(self, beside: int = 0, between: bool = False) -> None:
        net = Net(self, 2)
        bob, carl, alice = net.add("bob"), net.add("carl"), net.add("alice", False)
        pair = {bob.fingerprint, carl.fingerprint}
        net.reaches = lambda one, other: {one, other} != pair  # type: ignore[method-assign]
        for _ in range(beside):
            carl.say(os.urandom(1500))
        said = [os.urandom(1500) for _ in range(12)]
        for text in said:
            bob.say(text)
        net.clock.pump([0.25] * 8)

        with mock.patch.object(carl, "answer", partial(never_whole, beside, carl.answer)):
            Deferred.fromCoroutine(alice.log.pull([carl.fingerprint], 0))
            net.clock.pump([0.25] * 80)
        for number in range(12):
            asked = [carl.fingerprint, bob.fingerprint] if beside else [bob.fingerprint]
            with (
                mock.patch.object(bob, "answer", partial(cut_after(3), bob.answer)),
                mock.patch.object(carl, "answer", partial(never_whole, beside, carl.answer)),
            ):
                reading = Deferred.fromCoroutine(alice.log.pull(asked, 0))
                net.clock.pump([0.25] * 12)
                if number % 2 and not beside:
                    reading.addErrback(lambda _: None)
                    reading.cancel()
                net.clock.pump([0.25] * 60)
                if between:
                    Deferred.fromCoroutine(alice.log.pull([carl.fingerprint], 0))
                    net.clock.pump([0.25] * 20)
        alice.listen()
        self.assertEqual(alice.of(bob), said)


class LinesTests(SynchronousTestCase):
    def test_losses_partitions_and_restarts(self) -> None:
        """Whatever is lost, late, cut off or begun again: in the end all have all, once, each member's in its order."""
        net = Net(self, 1)
        people = [net.add(name, name != "dave") for name in ("alice", "bob", "carl", "dave")]
        said: dict[bytes, list[bytes]] = {one.device.id: [] for one in people}
        net.loss = 0.2
        for number in range(24):
            who = net.chance.choice(people)
            text = b"%d" % number
            who.say(text)
            said[who.device.id].append(text)
            if number == 8:
                net.sides = [{people[0].fingerprint, people[3].fingerprint}]
            if number == 16:
                net.sides, net.away = [], {people[1].fingerprint}
            if number in (12, 20):
                net.chance.choice(people).again()
            net.run(net.chance.uniform(0, 3))
        net.mend()
        net.run(120)
        late = net.add("eve", False)
        for one in people:
            one.log.place()
        net.run(20)
        for reader in (*people, late):
            for one in people:
                self.assertEqual(reader.of(one), said[one.device.id], (reader.person.name, one.person.name))
            self.assertEqual((reader.gaps, reader.log.dropped()), ([], 0))


class GoneTests(SynchronousTestCase):
    def test_a_member_brings_what_nobody_else_has(self) -> None:
        """When who wrote and all who kept it are gone, another member brings it to a new keeper, and nobody does while
        it is on its way."""
        net = Net(self, 2)
        alice, bob, carl, dave = (net.add(name, name == "alice") for name in ("alice", "bob", "carl", "dave"))
        net.away.add(bob.fingerprint)
        carl.say(b"one")
        carl.log.place()
        net.run(20)
        self.assertEqual((dave.of(carl), bob.of(carl)), ([b"one"], []))
        self.assertEqual(dave.log._part.devices(), [dave.device.id])
        net.away = {alice.fingerprint, carl.fingerprint}
        alice.keeps, bob.keeps = False, True
        dave.log.place()
        net.run(30)
        self.assertEqual(bob.of(carl), [])
        net.run(60)
        self.assertEqual(bob.of(carl), [b"one"])
        net.run(5)
        self.assertEqual(dave.log._part.devices(), [dave.device.id])


class ShortTests(SynchronousTestCase):
    """Parts that are made shorter."""

    def setUp(self) -> None:
        self.patch(shortening, "STRETCH", 4096)
        self.patch(shortening, "MOST_WAITING", 8192)
        self.patch(parts, "MOST_PART", 32768)
        self.net = Net(self, 3)
        self.alice, self.bob, self.carl = (self.net.add(name, name != "bob") for name in ("alice", "bob", "carl"))

    def say(self, count: int, first: int = 0) -> None:
        for number in range(first, first + count):
            self.bob.say(b"%d" % number)
            self.net.run(0.5)

    def size(self, member: Member) -> int:
        return member.log.catalog.bytes_of(ALIAS, self.bob.device.id, 1)

    def test_bounded_and_said(self) -> None:
        """A part has two stretches, here and at keepers; who was away or comes late gets these, and hears of the rest.
        Who was there has all."""
        self.net.away = {self.carl.fingerprint}
        self.say(40)
        self.net.run(5)
        for member in (self.alice, self.bob):
            self.assertLess(self.size(member), 3 * 4096)
        self.net.mend()
        late = self.net.add("dave", False)
        self.net.run(60)
        texts = [b"%d" % number for number in range(40)]
        self.assertEqual(self.alice.of(self.bob), texts)
        self.assertEqual(self.alice.gaps, [])
        for member in (self.carl, late):
            kept = member.of(self.bob)
            self.assertTrue(4 < len(kept) < 20, len(kept))
            self.assertEqual(kept, texts[-len(kept) :])
            self.assertEqual(len(member.gaps), 1)
            first, last = member.gaps[0]
            self.assertEqual((first, member.log.dropped()), (1, last))
        self.say(5, 40)
        self.net.run(10)
        self.assertEqual(self.carl.of(self.bob)[-5:], [b"%d" % number for number in range(40, 45)])
        for one in (self.bob, late):
            one.again()
        self.say(3, 45)
        self.net.run(10)
        self.assertEqual(late.of(self.bob)[-8:], [b"%d" % number for number in range(40, 48)])

    def test_nothing_is_dropped_that_nobody_holds(self) -> None:
        """Who reaches no keeper may write so much and no more; all of it arrives later."""
        self.net.away = {self.bob.fingerprint}
        count = 0
        with self.assertRaises(BitDustError) as caught:
            while count < 100:
                self.bob.say(b"%d" % count)
                count += 1
        self.assertEqual(caught.exception.code, "busy")
        self.assertGreater(count, 7)
        self.net.mend()
        self.net.run(60)
        self.assertEqual(self.alice.of(self.bob), [b"%d" % number for number in range(count)])
        self.say(1, count)
