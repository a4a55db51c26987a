"""Friends of one person on all of its devices: what is brought to the storage, and what is joined."""

import json
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.people.friends import chosen
from bitdust.people.friends.book import Call, Called, Friend, FriendsBook, Join, Put, Take
from bitdust.people.friends.everywhere import AFTER, AGAIN, SETTING, Everywhere
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from tests.unit.kit import Settings


class Shelf:
    """The storage: files by name, with the number of their version."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, bytes]] = {}
        self.ready = True
        self.error: Exception | None = None
        self.asked: list[tuple[str, str]] = []

    def can_keep(self) -> bool:
        return self.ready

    def make_key(self) -> None:
        self.asked.append(("key", ""))

    def keep(self, name: str, source: Path) -> "Deferred[None]":
        if self.error is not None:
            return fail(self.error)
        self.asked.append(("keep", name))
        self.files[name] = (self.files.get(name, (0, b""))[0] + 1, source.read_bytes())
        return succeed(None)

    def versions(self) -> "Deferred[dict[str, str]]":
        return succeed({name: str(number) for name, (number, _) in self.files.items()})

    def bring(self, name: str, folder: Path) -> "Deferred[None]":
        self.asked.append(("bring", name))
        (folder / name).write_bytes(self.files[name][1])
        return succeed(None)


class Friends:
    """The list of one device."""

    def __init__(self, path: Path) -> None:
        self.book = FriendsBook(path, maybeDeferred)
        self.book.load()
        self.edited: Signal[[]] = Signal()
        self.renamed: Signal[[str]] = Signal()

    @property
    def chosen(self) -> Called:
        return self.book.called

    def choose(self, nickname: str) -> "Deferred[bool]":
        return self.book.change(Call(nickname)).addCallback(lambda _: self.edited.emit())

    @property
    def problem(self) -> str:
        return self.book.problem

    def all(self) -> list[Friend]:
        return list(self.book.known.values())

    def written(self) -> bytes:
        return self.book.written()

    def join(self, other) -> "Deferred[bool]":
        if self.chosen.joined(other.called).nickname != self.chosen.nickname:
            self.renamed.emit(other.called.nickname)
        return self.book.change(Join(other))

    def do(self, change) -> None:
        self.book.change(change)
        self.edited.emit()


class Both:
    """Settings that all devices have in common, and the nickname of each."""

    def __init__(self, common: Settings, own: Settings) -> None:
        self._common, self._own = common, own
        self.set, self.on_change = own.set, own.on_change

    def get(self, key):
        return (self._own if key == chosen.SETTING else self._common).get(key)


class EverywhereTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.shelf = Shelf()
        self.settings = Settings({SETTING: True})
        self.nicknames: list[Settings] = []
        self.sessions: list[SimpleNamespace] = []
        self.watchers: list = []
        self.answers: list = []
        self.devices = [self.device(b"1"), self.device(b"2")]

    def follow(self, watcher):
        self.watchers.append(watcher)
        return lambda: None

    def send(self, to, command, fields, payload, *, deadline, session):
        """To the device at the other end of a session."""
        request = SimpleNamespace(fields=fields, payload=SimpleNamespace(read_all=lambda limit: succeed(payload)))
        (row,) = session.device[1].rows()
        sending = Deferred.fromCoroutine(row.handler(request))
        self.answers.append(sending)
        return sending

    def session(self, number: int, fingerprint: bytes = b"f" * 32) -> SimpleNamespace:
        return SimpleNamespace(peer=SimpleNamespace(fingerprint=fingerprint), device=self.devices[number])

    def device(self, name: bytes) -> tuple[Friends, Everywhere]:
        home = Path(self.mktemp())
        home.mkdir()
        world = SimpleNamespace(clock=self.clock, home=home, run_in_thread=maybeDeferred)
        me = SimpleNamespace(device=SimpleNamespace(id=name * 8), fingerprint=b"f" * 32, present=True)
        friends = Friends(home / "friends")
        ends = SimpleNamespace(sessions=lambda: list(self.sessions), on_session=self.follow, send=self.send)
        self.nicknames.append(Settings({chosen.SETTING: ""}))
        settings = Both(self.settings, self.nicknames[-1])
        around = SimpleNamespace(world=world, me=me, settings=settings, sessions=ends, outbox=ends)
        everywhere = Everywhere(around, friends)
        everywhere.lists = self.shelf
        everywhere.start()
        self.addCleanup(everywhere.stop)
        return friends, everywhere

    def tearDown(self) -> None:
        for _, everywhere in self.devices:
            everywhere.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def names(self, number: int) -> list[str]:
        return sorted(friend.alias for friend in self.devices[number][0].all())

    def put(self, number: int, alias: str) -> None:
        self.devices[number][0].do(Put(Friend(alias.encode()[:1] * 32, alias, 7)))

    def look(self) -> None:
        """The catalog has news on both."""
        for _ in range(2):
            for _, everywhere in self.devices:
                everywhere.look()

    def test_the_same_on_both(self) -> None:
        """What one has changed the other has, soon after it has the news; what is equal is not written again."""
        self.put(0, "Ann")
        self.put(1, "Ben")
        self.clock.advance(AFTER)
        self.look()
        self.assertEqual((self.names(0), self.names(1)), (["Ann", "Ben"], ["Ann", "Ben"]))
        self.devices[1][0].do(Take(b"A" * 32))
        self.clock.advance(AFTER)
        self.look()
        self.assertEqual((self.names(0), self.names(1)), (["Ben"], ["Ben"]))
        asked = len(self.shelf.asked)
        self.look()
        self.assertEqual(len(self.shelf.asked), asked)

    def test_a_machine_that_was_recovered(self) -> None:
        """A device of nobody's that comes later has all of them."""
        self.put(0, "Ann")
        self.clock.advance(AFTER)
        third = self.device(b"3")
        self.devices.append(third)
        third[1].look()
        self.assertEqual([friend.alias for friend in third[0].all()], ["Ann"])

    def test_a_nickname(self) -> None:
        """Who has no friends, and a nickname, has it on each device, wherever it was chosen, and on one that was
        recovered; what is no nickname stays where it is, and so does what was chosen before a list was read."""
        self.clock.advance(AFTER)
        one, two = self.nicknames
        one.set(chosen.SETTING, "Ann")
        self.clock.advance(AFTER)
        self.look()
        self.assertEqual(two.get(chosen.SETTING), "ann")
        two.set(chosen.SETTING, "Queen of hearts")
        two.set(chosen.SETTING, "anna")
        self.clock.advance(AFTER)
        self.look()
        self.assertEqual(one.get(chosen.SETTING), "anna")
        self.devices.append(self.device(b"3"))
        self.devices[2][1].look()
        self.assertEqual(self.nicknames[2].get(chosen.SETTING), "anna")
        self.devices[0][1].stop()
        one.set(chosen.SETTING, "")
        self.devices[0][1].start()
        self.clock.advance(AFTER)
        self.look()
        self.assertEqual(two.get(chosen.SETTING), "")

    def test_the_same_device_again(self) -> None:
        """A device that has lost its list, but not its key, joins its own."""
        self.put(0, "Ann")
        self.clock.advance(AFTER)
        again = self.device(b"1")
        self.devices.append(again)
        again[1].look()
        self.assertEqual([friend.alias for friend in again[0].all()], ["Ann"])

    def test_without_friends(self) -> None:
        """Who has none brings nothing, and makes no key for it."""
        self.clock.advance(AFTER)
        self.assertEqual(self.shelf.asked, [])

    def test_without_storage(self) -> None:
        """It is tried again, and what fails on the way loses nothing."""
        self.shelf.ready = False
        self.put(0, "Ann")
        self.clock.advance(AFTER)
        self.shelf.ready = True
        self.shelf.error = BitDustError("no-supplier", "nobody is there")
        self.clock.advance(AGAIN)
        self.shelf.error = None
        self.assertEqual(self.shelf.files, {})
        self.clock.advance(AGAIN)
        self.assertEqual(list(self.shelf.files), [(b"1" * 8).hex()])
        folder = self.devices[0][1]._folder
        self.assertEqual(list(folder.iterdir()), [])

    def test_a_list_that_cannot_be_read(self) -> None:
        """It is left alone, and stops nobody else."""
        self.put(0, "Ann")
        for number, data in enumerate((b"{", b"[]", json.dumps({"version": 9}).encode(), b"x" * 5_000_000)):
            self.shelf.files[f"{number:016d}"] = (1, data)
        self.clock.advance(AFTER)
        self.look()
        self.assertEqual((self.names(0), self.names(1)), (["Ann"], ["Ann"]))

    def test_switched_off(self) -> None:
        """Where its person does not want it nothing leaves this device, and nothing is joined."""
        self.settings.set(SETTING, False)
        self.put(0, "Ann")
        self.clock.advance(AFTER)
        self.look()
        self.assertEqual(self.shelf.asked, [])

    def test_a_damaged_list(self) -> None:
        """A list that cannot be read here is not brought anywhere."""
        self.devices[0][0].book.problem = "damaged"
        self.clock.advance(AFTER)
        self.assertEqual(self.shelf.asked, [])

    def test_from_device_to_device(self) -> None:
        """Devices that meet bring each other their lists without any storage; to people nothing is brought."""
        self.shelf.ready = False
        self.put(0, "Ann")
        self.watchers[0](self.session(1, b"g" * 32), True)
        self.assertEqual(self.names(1), [])
        self.watchers[0](self.session(1), True)
        self.assertEqual(self.names(1), ["Ann"])
        self.sessions = [self.session(1)]
        self.put(0, "Bea")
        self.assertEqual(self.names(1), ["Ann", "Bea"])
        self.settings.set(SETTING, False)
        count = len(self.answers)
        self.put(0, "Cleo")
        self.assertEqual((len(self.answers), self.names(1)), (count, ["Ann", "Bea"]))

    def test_what_a_device_brings(self) -> None:
        """Nonsense is refused, and so is everything where the person wants no list of other devices."""
        good = self.devices[0][0].written()
        for data, wanted, code in ((b"{", True, "bad-field"), (b"[" * 9000, True, "bad-field"),
                                   (good, False, "not-allowed")):  # fmt: skip
            self.settings.set(SETTING, wanted)
            sending = self.send(b"", None, {}, data, deadline=1, session=self.session(1))
            self.assertEqual(self.failureResultOf(sending, BitDustError).value.code, code)
        self.settings.set(SETTING, True)

    def test_what_comes_meanwhile(self) -> None:
        """News that come while a list is being stored are followed afterwards."""
        storing: Deferred[None] = Deferred()
        keep = self.shelf.keep

        def slow(name: str, source: Path) -> "Deferred[None]":
            self.shelf.keep = keep
            return storing.addCallback(lambda _: keep(name, source))

        self.shelf.keep = slow
        self.put(0, "Ann")
        self.clock.advance(AFTER)
        self.put(0, "Bea")
        self.devices[0][1].look()
        storing.callback(None)
        self.assertIn(b"Bea", self.shelf.files[(b"1" * 8).hex()][1])
