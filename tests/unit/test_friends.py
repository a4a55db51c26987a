"""Friends: the list on the disk, who is called and when, and what is reported of it."""

import json
import os
from pathlib import Path
from random import Random

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.peers.calls import SPREAD
from bitdust.people.friends.book import (
    DUE,
    GIVEN,
    MOST,
    MOST_AHEAD,
    Call,
    Called,
    Friend,
    FriendsBook,
    Join,
    Known,
    NoteGiven,
    Put,
    Take,
    read,
)
from bitdust.people.friends.friends import Friends
from bitdust.people.friends.greetings import FIRST, GAP, LONGEST, SHARE
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from tests.unit.family_kit import Town

MOMENT = SPREAD + 0.1


class BookTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.book = self.opened()

    def opened(self, run=maybeDeferred) -> FriendsBook:
        book = FriendsBook(self.path, run)
        book.load()
        return book

    def put(self, number: int, alias: str = "") -> bool:
        return self.successResultOf(self.book.change(Put(Friend(number.to_bytes(32, "big"), alias, 7))))

    def test_after_a_restart(self) -> None:
        """Who was added is known to the next run, in order, with alias and day; who was removed is not."""
        self.assertEqual([self.put(1, "Éve"), self.put(2), self.put(3)], [True] * 3)
        self.assertTrue(self.successResultOf(self.book.change(Take(bytes(31) + b"\2"))))
        self.assertFalse(self.successResultOf(self.book.change(Take(bytes(31) + b"\2"))))
        found = list(self.opened().known.values())
        self.assertEqual(found, [Friend(bytes(31) + b"\1", "Éve", 7), Friend(bytes(31) + b"\3", "", 7)])

    def test_twice(self) -> None:
        """Who is a friend already keeps the day, and the alias where no other one is given."""
        self.put(1, "Eve")
        self.assertFalse(self.put(1))
        self.assertEqual(self.book.known[bytes(31) + b"\1"].alias, "Eve")
        self.assertFalse(self.put(1, "Mother"))
        self.assertEqual(self.opened().known[bytes(31) + b"\1"].alias, "Mother")

    def test_it_counts_when_it_is_on_the_disk(self) -> None:
        """Until the file is written nobody is a friend; what comes meanwhile is written together."""
        writing: list[Deferred] = []

        def run(call, *arguments):
            waiting: Deferred = Deferred().addCallback(lambda _: call(*arguments))
            writing.append(waiting)
            return waiting

        book = self.opened(run)
        ones = [book.change(Put(Friend(bytes([n]) * 32))) for n in range(4)]
        self.assertEqual((len(writing), book.known), (1, {}))
        self.assertNoResult(ones[0])
        writing[0].callback(None)
        self.assertEqual((len(writing), len(book.known)), (2, 1))
        writing[1].callback(None)
        self.assertEqual([self.successResultOf(one) for one in ones], [True] * 4)
        self.assertEqual(len(self.opened().known), 4)

    def test_a_disk_that_refuses(self) -> None:
        """Where the file cannot be written the change fails, and nothing has changed."""
        self.put(1)
        self.path.unlink()
        self.path.mkdir()
        self.failureResultOf(self.book.change(Put(Friend(b"x" * 32))), OSError)
        self.assertEqual(len(self.book.known), 1)

    def test_a_damaged_list(self) -> None:
        """A file that cannot be read is reported, never written over, and takes no change until it is gone."""
        short = {"version": 1, "friends": [{"who": "00", "alias": "", "since": 1}]}
        for text in ("{", "[]", '{"version": 4, "friends": []}', '{"version": 1, "friends": [{}]}', json.dumps(short)):
            self.path.write_text(text)
            self.book = self.opened()
            self.assertIn(str(self.path), self.book.problem)
            failure = self.failureResultOf(self.book.change(Put(Friend(bytes(32)))), BitDustError)
            self.assertEqual((failure.value.code, self.path.read_text()), ("damaged-friends", text))
        self.path.unlink()
        self.assertEqual(self.opened().problem, "")

    def test_many(self) -> None:
        """The list has a bound; who is refused is refused alone."""
        known = {number.to_bytes(32, "big"): Friend(number.to_bytes(32, "big")) for number in range(MOST)}
        self.book._all = Known(known)
        one, other = self.book.change(Put(Friend(b"x" * 32))), self.book.change(Take(bytes(32)))
        self.assertEqual(self.failureResultOf(one, BitDustError).value.code, "too-many-friends")
        self.assertTrue(self.successResultOf(other))

    def test_a_key_that_is_to_be_given(self) -> None:
        """Whether a friend is to have my person key, or has it, is known to the next run, and it is given once."""
        bob, carol = (Friend(bytes([n]) * 32) for n in (1, 2))
        self.successResultOf(self.book.change(Put(evolve(bob, key=DUE))))
        self.successResultOf(self.book.change(Put(carol)))
        self.assertEqual([one.key for one in self.opened().known.values()], [DUE, ""])
        self.assertTrue(self.successResultOf(self.book.change(NoteGiven(bob.fingerprint))))
        self.assertFalse(self.successResultOf(self.book.change(NoteGiven(b"x" * 32))))
        for again in (bob, evolve(bob, key=DUE), evolve(carol, key=DUE)):
            self.successResultOf(self.book.change(Put(again)))
        self.assertEqual([one.key for one in self.opened().known.values()], [GIVEN, DUE])


class FriendsCase(SynchronousTestCase):
    """A node with a friend, `bob`, who is not here yet."""

    def setUp(self) -> None:
        self.town = Town(Path(self.mktemp()))
        self.town.world.run_in_thread = maybeDeferred
        self.presence = self.town.presence
        self.presence.start()
        self.addCleanup(self.town.registry.shutdown)
        self.addCleanup(self.town.stop)
        self.named: list[bytes] = []
        self.town.changed = Signal()
        self.friends = self.made()
        self.addCleanup(self.friends.stop)
        self.bob = self.town.supplier(0)
        self.bob.up = False

    def want(self, people) -> None:
        self.named += people

    def renamed(self, who: bytes) -> None:
        self.named.append(who)

    def made(self) -> Friends:
        friends = Friends(self.town.around, self.presence, self.town.folder / "metadata" / "friends", self)
        friends.load()
        return friends

    def add(self, peer, alias: str = "") -> bool:
        return self.successResultOf(self.friends.add(peer.person.document, alias))

    def events(self) -> list[str]:
        names = [name for name in self.town.events.names() if name.startswith("friend")]
        self.town.events.sent.clear()
        return names

    def dials(self) -> list[float]:
        """When bob is called, from now on."""
        found: list[float] = []
        real = self.town.session_to

        def session_to(fingerprint):
            found.append(self.town.clock.seconds())
            return real(fingerprint)

        self.patch(self.town, "session_to", session_to)
        return found


class JoinTests(SynchronousTestCase):
    """Lists of devices of one person."""

    def setUp(self) -> None:
        self.devices = [self.device() for _ in range(3)]

    def device(self) -> FriendsBook:
        book = FriendsBook(Path(self.mktemp()), maybeDeferred)
        book.load()
        return book

    def do(self, device: int, change) -> bool:
        return self.successResultOf(self.devices[device].change(change))

    def join(self, device: int, other: int) -> bool:
        return self.do(device, Join(read(self.devices[other].written())))

    def meet(self) -> None:
        """Each joins each, until nothing is new."""
        for _ in range(3):
            for one in range(3):
                for other in range(3):
                    self.join(one, other)

    def names(self, device: int) -> dict[bytes, str]:
        return {who[:1]: friend.alias for who, friend in self.devices[device].known.items()}

    def put(self, device: int, name: bytes, alias: str = "", key: str = "") -> None:
        self.do(device, Put(Friend(name * 32, alias, 7, key)))

    def test_nobody_is_lost(self) -> None:
        """What each device has added, called and removed is the same on all of them."""
        self.put(0, b"a", "Ann")
        self.put(1, b"b", "Ben", DUE)
        self.put(2, b"a")
        self.meet()
        self.assertEqual([self.names(number) for number in range(3)], [{b"a": "Ann", b"b": "Ben"}] * 3)
        self.do(1, Take(b"a" * 32))
        self.put(2, b"b", "Benny")
        self.do(0, NoteGiven(b"b" * 32))
        self.meet()
        self.assertEqual([self.names(number) for number in range(3)], [{b"b": "Benny"}] * 3)
        self.assertEqual({book.known[b"b" * 32].key for book in self.devices}, {GIVEN})
        self.put(0, b"a", "Anna")
        self.meet()
        self.assertEqual(self.names(1), {b"b": "Benny", b"a": "Anna"})
        self.assertFalse(self.join(0, 1))

    def test_at_the_same_time(self) -> None:
        """Where one removes whom another one calls otherwise the friend stays; of two aliases all take the same."""
        self.put(0, b"a", "Ann")
        self.meet()
        self.do(0, Take(b"a" * 32))
        self.put(1, b"a", "Anna")
        self.put(2, b"a", "Annie")
        self.meet()
        self.assertEqual([self.names(number) for number in range(3)], [{b"a": "Annie"}] * 3)

    def test_any_order(self) -> None:
        """Whoever joins whom first, all come to the same."""
        random = Random(3)
        for _ in range(40):
            self.setUp()
            for _ in range(12):
                device, name = random.randrange(3), bytes([random.randrange(97, 100)])
                choice = random.randrange(4)
                if choice == 0:
                    self.do(device, Take(name * 32))
                elif choice == 1:
                    self.join(device, random.randrange(3))
                else:
                    self.put(device, name, random.choice(("", "x", "y")), random.choice(("", DUE)))
            self.meet()
            self.assertEqual(len({repr(sorted(book.known.values(), key=repr)) for book in self.devices}), 1)

    def test_a_list_that_is_far_ahead(self) -> None:
        """A stolen device has not the last word for ever."""
        self.put(0, b"a", "Ann")
        far = Friend(b"a" * 32, "Evil", 7, "", 2**60)
        self.do(0, Join(Known({far.fingerprint: far}, {b"z" * 32: 2**60})))
        self.assertEqual(self.devices[0].known[b"a" * 32].edits, 1 + MOST_AHEAD)
        self.put(0, b"z", "Zoe")
        self.put(0, b"a", "Ann")
        self.assertEqual(self.names(0), {b"a": "Ann", b"z": "Zoe"})

    def test_a_nickname(self) -> None:
        """The nickname that was chosen last is the same on all devices; of two that were chosen at once all take one,
        and a stolen device has not the last word for ever."""
        called = lambda: [book.called for book in self.devices]  # noqa: E731
        self.assertTrue(self.do(0, Call("ann")))
        self.assertFalse(self.do(0, Call("ann")))
        self.meet()
        self.assertEqual(called(), [Called("ann", 1)] * 3)
        self.do(1, Call("anna"))
        self.do(2, Call(""))
        self.meet()
        self.assertEqual(called(), [Called("anna", 2)] * 3)
        self.do(2, Call(""))
        self.meet()
        self.assertEqual(called(), [Called("", 3)] * 3)
        self.do(0, Join(Known(called=Called("evil", 2**60))))
        self.assertEqual(self.devices[0].called, Called("evil", 3 + MOST_AHEAD))
        self.do(0, Call("ann"))
        self.meet()
        self.assertEqual(called(), [Called("ann", 4 + MOST_AHEAD)] * 3)

    def test_a_nickname_that_is_none(self) -> None:
        """A list of another device with a nickname that nobody can bear is not read."""
        for name in ("x", "No Nickname", "Ann", "-" * 99):
            data = json.dumps({"version": 3, "friends": [], "nickname": {"name": name, "edits": 1}}).encode()
            self.assertRaises(ValueError, read, data)

    def test_a_list_of_the_second_version(self) -> None:
        """Version 2 has no nickname: it is read, and written as version 3."""
        book = self.device()
        text = {"version": 2, "friends": [{"who": "61" * 32, "alias": "Ann", "since": 5, "edits": 4}]}
        book._path.write_text(json.dumps(text | {"removed": [{"who": "62" * 32, "edits": 3}]}))
        book.load()
        self.assertEqual((book.known[b"a" * 32].edits, book.called), (4, Called()))
        self.successResultOf(book.change(Call("ann")))
        written = json.loads(book._path.read_text())
        self.assertEqual((written["version"], written["nickname"]), (3, {"name": "ann", "edits": 1}))
        self.assertEqual(written["removed"], [{"who": "62" * 32, "edits": 3}])

    def test_a_list_of_before(self) -> None:
        """Version 1 has no edits: it is read, and written as version 3."""
        book = self.device()
        text = {"version": 1, "friends": [{"who": "61" * 32, "alias": "Ann", "since": 5, "key": "due"}]}
        book._path.write_text(json.dumps(text))
        book.load()
        self.assertEqual(book.known, {b"a" * 32: Friend(b"a" * 32, "Ann", 5, DUE, 1)})
        self.successResultOf(book.change(NoteGiven(b"a" * 32)))
        self.assertEqual(json.loads(book._path.read_text())["version"], 3)

    def test_too_many(self) -> None:
        """Friends for whom there is no room stay out, and nobody goes for them."""
        mine = {number.to_bytes(32, "big"): Friend(number.to_bytes(32, "big")) for number in range(MOST)}
        self.devices[0]._all = Known(dict(mine))
        self.do(0, Join(Known({b"x" * 32: Friend(b"x" * 32)})))
        self.assertEqual(self.devices[0].known, mine)


class FriendsTests(FriendsCase):
    def test_added_and_removed(self) -> None:
        """A friend has a relation, an alias, and an event when it is added and removed, each once."""
        self.assertTrue(self.add(self.bob, "Bob"))
        self.assertFalse(self.add(self.bob))
        who = self.bob.fingerprint
        self.assertTrue(self.friends.is_friend(who))
        self.assertFalse(self.friends.awaits_key(who))
        self.successResultOf(self.friends.add(self.bob.person.document, give_key=True))
        self.assertTrue(self.friends.awaits_key(who))
        self.successResultOf(self.friends.note_key_given(who))
        self.assertFalse(self.friends.awaits_key(who))
        self.assertEqual((self.friends.alias_of(who), self.friends.called("Bob")), ("Bob", [who]))
        event, data = self.town.events.sent[0]
        wanted = {"idurl": "http://id.example/supplier-0.xml", "global_id": "supplier-0@id.example", "alias": "Bob"}
        self.assertEqual((event, {name: data[name] for name in wanted}), ("friend-added", wanted))
        self.assertTrue(self.successResultOf(self.friends.remove(who)))
        self.assertFalse(self.successResultOf(self.friends.remove(who)))
        self.assertFalse(self.friends.is_friend(who))
        self.assertEqual((self.friends.alias_of(who), self.friends.called("")), ("", []))
        self.assertEqual(self.events(), ["friend-added", "friend-removed"])

    def test_aliases(self) -> None:
        """What cannot be shown in a line, or is very long, is no alias."""
        for alias in ("x" * 101, "a\nb", "\x1b[31m"):
            self.assertRaises(BitDustError, self.friends.add, self.bob.person.document, alias)

    def test_without_the_service(self) -> None:
        """While nobody keeps in touch, friends are added and known, and nobody is called."""
        dials = self.dials()
        self.add(self.bob)
        self.town.clock.advance(3600)
        self.assertEqual((dials, self.presence.follows(self.bob.fingerprint)), ([], False))

    def test_comes_and_goes(self) -> None:
        """A friend's session makes it connected, its end disconnected, whoever opened it."""
        self.add(self.bob, "Bob")
        self.friends.start()
        self.events()
        self.town.connect(self.bob.fingerprint)
        self.assertEqual(self.town.events.sent[-1][1]["new_state"], "CONNECTED")
        self.town.cut(self.bob.fingerprint)
        self.assertEqual(self.town.events.sent[-1][1]["old_state"], "CONNECTED")
        self.assertEqual(self.events(), ["friend-connected", "friend-disconnected"])
        self.town.connect(self.town.supplier(1).fingerprint)
        self.assertEqual(self.events(), [])

    def test_a_friend_who_is_here_already(self) -> None:
        """Somebody who is connected, for another reason too, is reported once when added, and once at a start."""
        for reason in ("", "customer"):
            if reason:
                self.presence.watch(self.bob.fingerprint, reason)
            self.town.connect(self.bob.fingerprint)
            self.friends.start()
            self.events()
            self.add(self.bob)
            self.assertEqual(self.events(), ["friend-added", "friend-connected"], reason)
            self.friends.stop()
            self.friends.start()
            self.assertEqual(self.events(), ["friend-connected"], reason)
            self.friends.stop()
            self.successResultOf(self.friends.remove(self.bob.fingerprint))
            self.town.cut(self.bob.fingerprint)

    def test_names_are_looked_up(self) -> None:
        """A friend's name is wanted when he is added, at each start, when he comes, and when he has another one."""
        bob = self.bob.fingerprint
        self.friends.start()
        self.add(self.bob)
        self.assertEqual(self.named, [bob])
        self.town.connect(bob)
        self.assertEqual(self.named, [bob] * 2)
        self.town.changed.emit(self.bob.person.document)
        self.town.changed.emit(self.town.supplier(1).person.document)
        self.assertEqual(self.named, [bob] * 3)
        self.friends.stop()
        self.town.changed.emit(self.bob.person.document)
        self.assertEqual(self.named, [bob] * 3)
        self.friends.start()
        self.assertIn(bob, self.named[3:])

    def test_removed_for_one_reason(self) -> None:
        """A customer that is a friend no more is a contact still."""
        self.presence.watch(self.bob.fingerprint, "customer")
        self.add(self.bob)
        self.friends.start()
        self.successResultOf(self.friends.remove(self.bob.fingerprint))
        self.assertTrue(self.presence.follows(self.bob.fingerprint))
        self.presence.forget(self.bob.fingerprint, "customer")
        self.assertFalse(self.presence.follows(self.bob.fingerprint))

    def test_neglected(self) -> None:
        """A friend whom nobody follows is counted."""
        self.add(self.bob)
        self.friends.start()
        self.assertEqual(self.friends.neglected(), 0)
        self.presence.forget(self.bob.fingerprint, "friend")
        self.assertEqual(self.friends.neglected(), 1)


class GreetingTests(FriendsCase):
    def setUp(self) -> None:
        super().setUp()
        self.add(self.bob)
        self.friends.stop()

    def test_who_comes_back_greets(self) -> None:
        """At the start, and when the network is back, every friend is called within seconds; who is new, at once."""
        carol = self.town.supplier(1)
        self.add(carol)
        self.bob.up = True
        self.friends.start()
        self.town.clock.advance(MOMENT)
        self.assertEqual(self.town.sessions, {self.bob.fingerprint, carol.fingerprint})
        self.town.cut(self.bob.fingerprint)
        self.presence.chance.emit()
        self.town.clock.advance(MOMENT)
        self.assertIn(self.bob.fingerprint, self.town.sessions)
        dora = self.town.supplier(2)
        self.add(dora)
        self.town.clock.advance(MOMENT)
        self.assertIn(dora.fingerprint, self.town.sessions)

    def test_a_line_that_failed(self) -> None:
        """A friend whose session ended is called again soon."""
        self.bob.up = True
        self.friends.start()
        self.town.clock.advance(MOMENT)
        self.town.cut(self.bob.fingerprint)
        self.town.clock.pump([1] * int(1.5 * FIRST + MOMENT + GAP))
        self.assertIn(self.bob.fingerprint, self.town.sessions)

    def test_less_and_less_often(self) -> None:
        """Whoever stays away is called in pauses that grow with the absence, up to hours, and then forever."""
        dials = self.dials()
        self.friends.start()
        self.town.clock.pump([10.0] * 8640 * 3)
        pauses = [after - before for before, after in zip(dials, dials[1:], strict=False)]
        self.assertLess(pauses[0], 1.5 * FIRST + GAP + SPREAD + 10)
        self.assertLess(len(dials), 90)
        self.assertTrue(all(pause < 1.5 * LONGEST + 20 for pause in pauses))
        self.assertGreater(pauses[-1], SHARE * 86400 / 4)

    def test_two_hundred(self) -> None:
        """One timer serves two hundred friends that are away; calls of theirs are minutes apart after a day."""
        for number in range(200):
            friend = self.town.add(f"friend-{number}")
            friend.up = False
            self.add(friend)
        self.friends.start()
        self.town.clock.pump([30.0] * 2880)
        self.assertLessEqual(len(self.town.clock.getDelayedCalls()), 2)
        dials = self.dials()
        self.town.clock.pump([30.0] * 120)
        self.assertLess(len(dials), 100)

    def test_nobody_is_left(self) -> None:
        """When the last friend is removed, or the service stops, no timer is left."""
        self.friends.start()
        self.town.clock.advance(MOMENT)
        self.successResultOf(self.friends.remove(self.bob.fingerprint))
        self.assertEqual(self.town.clock.getDelayedCalls(), [])
        self.add(self.bob)
        self.friends.stop()
        self.assertEqual(self.town.clock.getDelayedCalls(), [])
        os.unlink(self.town.folder / "metadata" / "friends")
