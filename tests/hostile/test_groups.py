"""Groups in which a member, or who keeps their log, is not honest."""

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import RingKey
from bitdust.formats.log_entry import Content, Entry, hash_of, seal
from bitdust.formats.operations import Op, message_op, snapshot_op
from bitdust.groups.keeping import MOST_GIVEN, Keeping
from bitdust.groups.opened import Discussion, MyGroup, conversation_of
from bitdust.groups.ports import GroupPeople
from bitdust.groups.room import GroupsRoom
from bitdust.identity.document import Device
from bitdust.storage.log.seen import read_head
from bitdust.storage.shared import parts
from bitdust.storage.shared.member_access import MemberAccess, SharedKey
from bitdust.storage.shared.member_log import MemberLog, Said
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import GROUP, PRIVATE, Message
from bitdust.wire.records import Family, Head
from tests.unit.kit import Reply
from tests.unit.storage_kit import Neighbours, Node
from tests.unit.supplier_kit import START, FakeDocument, Person

ALIAS = "group_1"
OWNER, BOB, EVE = Person("alice"), Person("bob"), Person("eve")
SECRET, SCOPE = b"s" * 32, b"t" * 16
KEY = SharedKey(OWNER.fingerprint, ALIAS, [SCOPE], {1: (SECRET,)}, (1, SECRET))
CONVERSATION = conversation_of(OWNER.fingerprint, ALIAS)


def body(sender: Person, text: str, **changes) -> bytes:
    message = Message(os.urandom(16).hex(), GROUP, CONVERSATION, sender.fingerprint, sender.device.id, CONVERSATION,
                      ALIAS, START * 1000, 1, {"text": text})  # fmt: skip
    return evolve(message, **changes).to_body()


class Part:
    """What a supplier holds of one device: entries, and a head that somebody signed."""

    def __init__(self, device: DeviceKey, *bodies: bytes | Op, signer: DeviceKey | None = None) -> None:
        self.entries, previous = [], bytes(32)
        for number, one in enumerate(bodies, 1):
            entry = Entry(OWNER.fingerprint, device.id, number, previous, 1, b"", SCOPE)
            op = message_op(ALIAS, one) if isinstance(one, bytes) else one
            data = seal(entry, SECRET, Content(number, START * 1000, [op])).to_bytes()
            self.entries.append(data)
            previous = hash_of(data)
        self.device = device.id
        head = Head(OWNER.fingerprint, device.id, len(bodies), previous, START, scope=SCOPE)
        self.head = (signer or device).sign_record(Head.KIND, head.to_body()).to_bytes()


class Keeper:
    """Suppliers that give what they like; the holders of a log."""

    def __init__(self, **parts: list[Part]) -> None:
        self.parts = {name.encode() * 32: given for name, given in parts.items()}
        self.outbox = self
        self.asked = self.together = 0
        self.listed: list | None = None

    def send(self, to, command, fields, payload=None, **terms):
        self.asked += 1
        parts = self.parts[to]
        if fields["kind"] == "heads":
            return succeed(Reply({}, encode([part.head for part in parts])))
        if fields["kind"] == "parts":
            self.together += 1
            given = [self.given(parts, one) or [] for one in fields["parts"]]
            return succeed(Reply({}, encode(given if self.listed is None else self.listed)))
        found = self.given(parts, fields)
        return fail(BitDustError("not-found", "no such log")) if found is None else succeed(Reply({}, encode(found)))

    def given(self, parts, fields) -> list[bytes] | None:
        part = next((one for one in parts if one.device == fields.get("device")), None)
        return None if part is None else part.entries[fields["first"] - 1 :]

    def is_online(self, fingerprint: bytes) -> bool:
        return True

    def names(self, fingerprint: bytes) -> tuple[str, str]:
        return "", ""

    def family(self) -> Family | None:
        return None

    def brings_all(self) -> bool:
        return False

    def is_keeper(self) -> bool:
        return False

    def takes_from_all(self) -> bool:
        return True

    def gives_together(self) -> bool:
        return True

    def note_answer(self, supplier, reply) -> None:
        pass


class MemberCase(SynchronousTestCase):
    """A node that is a member beside Bob, and one that is none: Eve."""

    def setUp(self) -> None:
        base = Path(self.mktemp())
        around = Neighbours(base, 2)
        self.addCleanup(around.close)
        self.node = Node(base / "home", around, Clock())
        self.members = [OWNER.document, BOB.document]
        self.access = MemberAccess(lambda: self.node.me.device.id, lambda: KEY, lambda: self.members)

    def log(self, **parts: list[Part]) -> tuple[MemberLog, Keeper]:
        keeper = Keeper(**parts)
        log = MemberLog(self.node.connected, self.node.home / "groups" / f"{len(parts)}.db", self.access, keeper)
        self.now(log.open())
        self.addCleanup(lambda: self.now(log.close()))
        return log, keeper

    def now(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def said(self, log: MemberLog) -> list[bytes]:
        return [one.op["body"] for one in log.unread()]

    def claim(self, device: Device) -> None:
        """Eve is a member, the first of them, and names another's device in her document."""
        self.members = [FakeDocument("eve", {device.id: device}), OWNER.document, BOB.document]


class LogTests(MemberCase):
    def test_an_honest_one(self) -> None:
        """What a member's device signed is taken, in order, and handed on once."""
        first, second = body(BOB, "one"), body(BOB, "two")
        log, keeper = self.log(a=[Part(BOB.device, first, second)])
        self.now(log.pull(keeper.parts))
        self.assertEqual(self.said(log), [first, second])
        self.successResultOf(log.handed_on(log.unread()))
        self.now(log.pull(keeper.parts))
        self.assertEqual(self.said(log), [])

    def test_secrets_that_a_revoked_device_knows(self) -> None:
        """Where all are retired what was said is read, and what is said is sealed under another one, made for it."""
        ring = self.node.me.key_ring
        ring.add(RingKey(ALIAS, secrets={1: (SECRET,)}, retired=frozenset((SECRET,)), scopes=frozenset((SCOPE,))))
        told: list[str] = []
        events = SimpleNamespace(send=lambda event, data: told.append(event))
        around = SimpleNamespace(world=self.node.connected.world, events=events)
        donations = SimpleNamespace(refresh=lambda: told.append("refreshed"))
        mine = {"_me": self.node.me, "owner": OWNER.fingerprint, "alias": ALIAS}
        group = SimpleNamespace(**mine, _around=around, _donations=donations)
        self.access._key = lambda: MyGroup.key(group)
        log, keeper = self.log(a=[Part(BOB.device, body(BOB, "one"))])
        log.makes_secrets(partial(MyGroup._make_secret, group))
        self.now(log.pull(keeper.parts))
        self.assertEqual(len(self.said(log)), 1)
        for text in ("two", "three"):
            self.successResultOf(log.write(message_op(ALIAS, body(OWNER, text))))
        entries = [Entry.parse(log.catalog.entry(ALIAS, self.node.me.device.id, number)) for number in (1, 2)]
        self.assertRaises(WireError, entries[0].open, (SECRET,))
        self.assertEqual([len(one.open([ring.current(ALIAS)[1]]).ops) for one in entries], [1, 1])
        self.assertEqual(told, ["my-keys-renewed", "refreshed"])

    def test_nobody_writes_for_another(self) -> None:
        """The part of a device whose head another member signed, or somebody who is none, is passed over."""
        forged = Part(BOB.device, body(BOB, "never said"), signer=OWNER.device)
        stranger = Part(EVE.device, body(EVE, "let me in"))
        log, keeper = self.log(a=[forged, stranger])
        self.assertEqual([read_head(one.head, self.access, b"a" * 32) for one in (forged, stranger)], [None, None])
        self.now(log.pull(keeper.parts))
        self.assertEqual(self.said(log), [])

    def test_a_device_that_another_claims(self) -> None:
        """A member that writes another's device into its own document, as one that was revoked, silences nobody."""
        self.claim(Device(1, 2, BOB.device.public, revoked=2, sequence=0))
        log, keeper = self.log(a=[Part(BOB.device, body(BOB, "heard all the same"))])
        self.now(log.pull(keeper.parts))
        self.assertEqual(len(self.said(log)), 1)

    def test_a_snapshot_of_others(self) -> None:
        """A member that writes up to where the logs of others are told in its own stands for nothing but itself."""
        mine = self.node.me.device.id
        ends = [{"device": one, "sequence": 1000, "hash": b"h" * 32} for one in (BOB.device.id, mine)]
        said = body(BOB, "one")
        eve = Part(EVE.device, snapshot_op(ends))
        self.members.append(EVE.document)
        log, keeper = self.log(a=[eve, Part(BOB.device, said)])
        self.now(log.pull(keeper.parts))
        self.assertEqual([one.op["body"] for one in log.unread() if one.op.get("op") == "message"], [said])
        self.successResultOf(log.write(message_op(ALIAS, body(OWNER, "mine"))))
        self.assertEqual(log.end(), 1)

    def test_reordered_changed_or_dropped(self) -> None:
        """A keeper that changes the order, leaves one out or cuts one off is found out, and another one is asked."""
        whole = Part(BOB.device, *(body(BOB, text) for text in ("one", "two", "three")))
        for spoil in (lambda e: [e[1], e[0], e[2]], lambda e: [e[0], e[2]], lambda e: [e[0], e[1], e[2][:-9]]):
            lying = Part(BOB.device)
            lying.entries, lying.head = spoil(list(whole.entries)), whole.head
            log, keeper = self.log(a=[lying], b=[whole])
            self.now(log.pull(keeper.parts))
            texts = [decode(Message.from_body(one).to_body(), 10_000)["data"] for one in self.said(log)]
            self.assertEqual(texts, [b'{"text":"one"}', b'{"text":"two"}', b'{"text":"three"}'])
            (self.node.home / "groups" / "2.db").unlink()

    def test_a_keeper_who_knows_the_secrets(self) -> None:
        """Entries that lead to no signed head are not taken, whoever can seal them: a member who keeps a group can."""
        whole = Part(BOB.device, *(body(BOB, text) for text in ("one", "two", "three")))
        lying = Part(BOB.device, body(BOB, "never said"), body(BOB, "nor this"))
        lying.head = whole.head
        log, keeper = self.log(a=[lying])
        self.now(log.pull(keeper.parts))
        self.assertEqual((self.said(log), log.entries()), ([], 0))
        log, keeper = self.log(a=[lying], b=[whole])
        self.now(log.pull(keeper.parts))
        self.assertEqual(len(self.said(log)), 3)

    def test_a_part_without_end(self) -> None:
        """A part that has more bytes than one may have is not read, and takes no memory beyond that."""
        self.patch(parts, "MOST_PART", 4096)
        whole = Part(BOB.device, *(body(BOB, "x" * 400) for _ in range(9)))
        log, keeper = self.log(a=[whole])
        self.now(log.pull(keeper.parts))
        self.assertEqual(log.entries(), 0)

    def test_several_parts_in_one_answer(self) -> None:
        """What little is new of several parts comes in one answer; what is wrong in it spoils nothing else, and is
        asked for by itself, from another keeper too."""
        texts = [body(OWNER, "hello"), body(BOB, "one"), body(BOB, "two")]
        alice, bob = Part(OWNER.device, *texts[:1]), Part(BOB.device, *texts[1:])
        lying = Part(BOB.device, body(BOB, "never said"), body(BOB, "nor this"))
        lying.head = bob.head
        log, keeper = self.log(a=[alice, bob])
        self.now(log.pull(keeper.parts))
        self.assertEqual((len(self.said(log)), keeper.together, keeper.asked), (3, 1, 2))
        for listed in (None, [], [[]], [b"", b""], [alice.entries, [b"no entry"]], [bob.entries, alice.entries]):
            log, keeper = self.log(a=[alice, lying], b=[bob])
            keeper.listed = listed
            self.now(log.pull(keeper.parts))
            self.assertEqual((sorted(self.said(log)), keeper.together), (sorted(texts), 1))
            (self.node.home / "groups" / "2.db").unlink()

    def test_one_keeper_hides_something(self) -> None:
        """What one supplier does not show another one does."""
        log, keeper = self.log(a=[Part(BOB.device, body(BOB, "one"))], b=[])
        self.now(log.pull(keeper.parts))
        self.assertEqual(len(self.said(log)), 1)

    def test_all_of_them_fail(self) -> None:
        """Where nobody answers the reason is given."""
        log, keeper = self.log(a=[])
        keeper.send = lambda *arguments, **terms: fail(BitDustError("not-allowed", "this capability was revoked"))
        failed = self.failureResultOf(Deferred.fromCoroutine(log.pull(keeper.parts)))
        self.assertEqual(failed.value.code, "not-allowed")
        self.assertEqual(self.failureResultOf(Deferred.fromCoroutine(log.pull([]))).value.code, "too-few-suppliers")

    def test_one_keeper_says_no(self) -> None:
        """One supplier of four alone shuts nobody out while the others are silent; three do, and the owner does."""
        log, keeper = self.log(a=[], b=[], c=[], d=[])
        family = Family(OWNER.fingerprint, 1, 2, 4, START, [*keeper.parts])
        silent = set(keeper.parts)

        def send(to, *arguments, **terms):
            code = "no-answer" if to in silent else "not-allowed"
            return fail(BitDustError(code, "this capability was revoked"))

        keeper.send, keeper.family = send, lambda: family
        for name, code in (("a", "no-answer"), ("b", "no-answer"), ("c", "not-allowed")):
            silent.discard(name.encode() * 32)
            failed = self.failureResultOf(Deferred.fromCoroutine(log.pull(keeper.parts)))
            self.assertEqual(failed.value.code, code, name)
        silent.update(keeper.parts)
        failed = self.failureResultOf(Deferred.fromCoroutine(log.pull([OWNER.fingerprint])))
        self.assertEqual(failed.value.code, "not-allowed")
        failed = self.failureResultOf(Deferred.fromCoroutine(log.pull([b"e" * 32])))
        self.assertIn("the others who keep it are silent", str(failed.value))


class KeeperTests(MemberCase):
    """What others bring to a member who keeps the group."""

    def setUp(self) -> None:
        super().setUp()
        self.kept, _ = self.log()
        self.whole = Part(BOB.device, *(body(BOB, text) for text in ("one", "two", "three")))

    def bring(self, head: bytes, entries: list[bytes]) -> int | str:
        """The last entry that is held, or why it is not taken."""
        result: list = []
        eve = SimpleNamespace(fingerprint=EVE.fingerprint, device=EVE.device.id)
        Deferred.fromCoroutine(self.kept.take(head, entries, eve)).addBoth(result.append)
        return result[0] if isinstance(result[0], int) else result[0].value.code

    def test_what_is_signed_comes_in(self) -> None:
        """The same again changes nothing, and what follows is taken and given, with its head, in a later life too."""
        self.assertEqual([self.bring(self.whole.head, self.whole.entries) for _ in range(2)], [3, 3])
        longer = Part(BOB.device, *(body(BOB, text) for text in ("four", "five", "six", "seven")))
        self.assertEqual(self.bring(longer.head, longer.entries[3:]), "conflict")
        self.assertEqual((self.kept.heads(), self.kept.entries()), ([self.whole.head], 3))
        self.assertEqual(self.kept.give(BOB.device.id, 2, 1), self.whole.entries[1:2])
        self.assertEqual(self.kept.give(BOB.device.id, 1, 10_000), self.whole.entries)
        self.now(self.kept.close())
        self.now(self.kept.open())
        self.assertEqual(self.kept.heads(), [self.whole.head])

    def test_what_is_not_signed_stays_out(self) -> None:
        """Heads of strangers, of another device's hand, and entries that do not lead to theirs are refused."""
        forged = Part(BOB.device, body(BOB, "never said"), signer=OWNER.device)
        made_up = Part(BOB.device, *(body(BOB, "no") for _ in range(3)))
        stranger = Part(EVE.device, body(EVE, "let me in"))
        for head, entries, code in (
            (forged.head, forged.entries, "bad-signature"),
            (stranger.head, stranger.entries, "bad-signature"),
            (b"no head", [], "bad-signature"),
            (self.whole.head, made_up.entries, "broken-chain"),
            (self.whole.head, self.whole.entries[:2], "broken-chain"),
            (self.whole.head, self.whole.entries[1:], "conflict"),
            (self.whole.head, self.whole.entries[::-1], "broken-chain"),
            (self.whole.head, [b"no entry"], "malformed"),
            (self.whole.head, [], "conflict"),
        ):
            self.assertEqual(self.bring(head, entries), code)
        self.assertEqual((self.kept.entries(), self.kept.heads()), (0, []))

    def test_a_flood_of_one_member(self) -> None:
        """More than a part may have is refused, and other members still bring theirs."""
        self.patch(parts, "MOST_PART", 4096)
        flood = Part(BOB.device, *(body(BOB, "x" * 400) for _ in range(9)))
        self.assertEqual(self.bring(flood.head, flood.entries), "no-space")
        small = Part(OWNER.device, body(OWNER, "quiet"))
        self.assertEqual(self.bring(small.head, small.entries), 1)


class Talk(Discussion):
    """A discussion without suppliers."""

    def __init__(self, case: MemberCase) -> None:
        self.kept: list[Message] = []
        self.looked: list[bytes] = []
        self.pulls, self.fails_at = 0, 0
        self.catalog = SimpleNamespace(is_open=False)
        super().__init__(case.node.connected, OWNER.fingerprint, ALIAS, GroupPeople(self, self, self))
        self.access = case.access

    def key(self) -> SharedKey:
        return KEY

    def members(self) -> list[bytes]:
        return [OWNER.fingerprint, BOB.fingerprint]

    def keepers(self) -> None:
        return None

    def shut_out(self) -> list[bytes]:
        return []

    def add(self, message: Message):
        self.kept.append(message)
        return succeed(True)

    def last_sequence(self, conversation: str, device: bytes) -> int:
        return 0

    def look_up(self, fingerprint: bytes):
        self.looked.append(fingerprint)
        return succeed(None)

    async def pull(self, asked: list[bytes], least: int) -> None:
        """As of the log, which a test may put in place of it."""
        self.pulls += 1
        if self.pulls == self.fails_at:
            raise BitDustError("no-answer", "the keeper has gone")


class AskedLog:
    """Parts of five entries of 300 kB each, as a keeper has them; it counts what is read."""

    read = 0

    def give(self, device: bytes, first: int, most: int) -> list[bytes]:
        found = [bytes(300_000)] * min(5 - first + 1, max(1, most // 300_000))
        self.read += len(found)
        return found

    def end_of(self, device: bytes) -> int:
        return 5


class QuestionTests(SynchronousTestCase):
    def ask(self, *devices: bytes) -> Deferred:
        self.log = AskedLog()
        asked = {"parts": [{"device": device, "first": 1} for device in devices], "most": 10**9}
        request, group = SimpleNamespace(fields=asked), SimpleNamespace(log=self.log)
        return Deferred.fromCoroutine(Keeping._give_parts(None, request, group))

    def test_no_more_is_read_than_answered(self) -> None:
        """However many parts a member asks for at once, its keeper stops at the first entry that does not fit."""
        answer = self.successResultOf(self.ask(*(bytes([number]) * 8 for number in range(200))))
        given = decode(answer.payload, 2 * MOST_GIVEN)
        self.assertEqual((sum(map(len, given)), self.log.read, len(given)), (3, 3, 200))

    def test_one_part_again_and_again(self) -> None:
        """A part can be asked for once in a question."""
        failure = self.failureResultOf(self.ask(bytes(8), bytes(8)), BitDustError)
        self.assertIn("asked for once", str(failure.value))


class MessageTests(MemberCase):
    def setUp(self) -> None:
        super().setUp()
        self.talk = Talk(self)

    def message(self, data: bytes, device: bytes = BOB.device.id) -> Message | None:
        return self.talk._message_of(Said(device, 1, message_op(ALIAS, data)), self.access.now())

    def test_who_says_it(self) -> None:
        """A message counts when its sender is the member whose device wrote the entry; what else is said is dropped."""
        self.assertEqual(self.message(body(BOB, "hi")).data, {"text": "hi"})
        for lie in (
            body(OWNER, "I never said that"),
            body(BOB, "x", sender_device=OWNER.device.id),
            body(BOB, "x", conversation=conversation_of(OWNER.fingerprint, "group_2")),
            body(BOB, "x", kind=PRIVATE),
        ):
            self.assertIsNone(self.message(lie))
        self.assertIsNone(self.message(body(BOB, "hi"), OWNER.device.id))

    def test_a_device_of_two(self) -> None:
        """A device that two name speaks for the one whose it says it is, as far as it counts in that one's document."""
        self.claim(Device(1, 2, BOB.device.public))
        self.talk.access = self.access
        self.assertIsNotNone(self.message(body(BOB, "hi")))
        end = Device(0, 1, BOB.device.public, revoked=2, sequence=0)
        self.members[-1] = FakeDocument("bob", {end.id: end})
        self.assertIsNone(self.message(body(BOB, "stolen")))

    def test_members_that_are_nobody(self) -> None:
        """They are looked for now and then, however often somebody says that there is news."""
        for _ in range(50):
            self.successResultOf(Deferred.fromCoroutine(self.talk.know_members()))
        self.assertEqual(self.talk.looked, [OWNER.fingerprint, BOB.fingerprint])
        self.node.clock.advance(301)
        self.successResultOf(Deferred.fromCoroutine(self.talk.know_members()))
        self.assertEqual(len(self.talk.looked), 4)

    def test_new_devices_in_each_answer(self) -> None:
        """A keeper that lists a new device each time has the members looked up once a minute, as often as it calls."""
        for _ in range(50):
            self.read(os.urandom(8))
        self.assertEqual(self.talk.looked, [OWNER.fingerprint, BOB.fingerprint] * 2)
        self.assertEqual(self.talk.pulls, 51)
        self.node.clock.advance(60)
        self.read(os.urandom(8))
        self.assertEqual((len(self.talk.looked), self.talk.pulls), (6, 53))

    def test_the_hash_table_is_back(self) -> None:
        """A device that was looked for in vain for hours, as nobody could be asked, is looked for at once."""
        device = os.urandom(8)
        for _ in range(120):
            self.read(device)
            self.node.clock.advance(60)
        self.read(device)
        self.talk.looked.clear()
        self.read(device)
        self.assertEqual(self.talk.looked, [])
        waking = SimpleNamespace(wake=lambda *_: None)
        GroupsRoom.network_is_back(SimpleNamespace(_opened={b"": self.talk}, _waking=waking))  # type: ignore[arg-type]
        self.read(device)
        self.assertEqual(self.talk.looked, [OWNER.fingerprint, BOB.fingerprint])

    def test_a_second_answer_that_fails(self) -> None:
        """What was read before somebody was looked for counts, though it cannot be read again."""
        read: list[bool] = []
        self.talk.read_again.connect(lambda: read.append(True))
        self.talk.fails_at = 2
        self.read(os.urandom(8))
        self.assertEqual((self.talk.pulls, read), (2, [True]))

    def read(self, device: bytes) -> None:
        """Read the group from a keeper that lists a device of nobody's."""
        self.talk.log = self.talk
        self.talk.nameless = {device}
        self.successResultOf(Deferred.fromCoroutine(self.talk.read_from([b"k" * 32])))

    def test_what_is_no_message(self) -> None:
        """Bytes that are none, and operations of another kind, change nothing and stop nobody."""
        self.assertIsNone(self.message(b"no message at all"))
        for op in ({"op": "tombstone", "names": []}, {}):
            self.assertIsNone(self.talk._message_of(Said(BOB.device.id, 1, op), self.access.now()))

    def test_mine(self) -> None:
        """What this device wrote is outgoing."""
        me = self.node.me
        mine = SimpleNamespace(fingerprint=me.fingerprint, device=me.device)
        found = self.message(body(mine, "hello"), me.device.id)
        self.assertEqual(found.direction, "outgoing")
