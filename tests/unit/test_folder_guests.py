"""Folders at suppliers of somebody else: all who offer one are heard, and nothing that goes wrong ends the looking."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders.backup import guests
from bitdust.folders.backup.guests import AGAIN, CHECK, LATEST, SOON, GuestCopy, Guests


class Copy:
    """A copy whose state a test sets."""

    def __init__(self, folder: Any, borrowed: Any, home: Path) -> None:
        if borrowed.is_broken:
            raise OSError("the disk is full")
        self.borrowed = borrowed
        self.machine = SimpleNamespace(state="WAITING")
        self.is_running = False

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False

    def forget(self) -> None:
        pass


class Files:
    """What somebody lets the holder read."""

    def __init__(self) -> None:
        self.is_broken = self.is_begun = False
        self.begins: Any = lambda: succeed(None)

    def begin(self) -> Any:
        self.is_begun = True
        return self.begins()

    def end(self) -> Any:
        self.is_begun = False
        return succeed(None)


class GuestsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(guests, "GuestCopy", Copy)
        self.clock = Clock()
        self.asked = 0
        self.offered = [Files(), Files()]
        config = SimpleNamespace(text="secret", suppliers=False, wants=lambda name: True)
        self.folder: Any = SimpleNamespace(
            around=SimpleNamespace(world=SimpleNamespace(clock=self.clock)), config=config, peers={}, beyond=[],
            is_meeting=True, machine=SimpleNamespace(state="IN_SYNC"),
            store=SimpleNamespace(keys=SimpleNamespace(holder=object())),
        )  # fmt: skip
        self.guests = Guests(lambda: self)
        self.guests.begin(self.folder, Path())

    async def borrow(self, holder: Any) -> Any:
        self.asked += 1
        return self.offered

    @property
    def running(self) -> list[Any]:
        return [copy for copy in self.folder.beyond if copy.is_running]


class GuestsTests(GuestsCase):
    def test_all_are_heard(self) -> None:
        """While one that offers the folder was not read yet another one, who has less of it, ends nothing."""
        self.clock.advance(SOON)
        one, other = self.running
        one.machine.state = "KEPT"
        self.clock.advance(CHECK)
        self.assertEqual(self.running, [one, other])
        other.machine.state = "KEPT"
        self.clock.advance(CHECK)
        self.assertEqual((self.running, self.folder.beyond), ([], []))
        self.clock.advance(AGAIN)
        self.assertEqual(self.asked, 2)

    def test_something_fails(self) -> None:
        """What nobody has foreseen does not end the looking."""
        self.offered[0].is_broken = True
        self.clock.advance(SOON)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.offered[0].is_broken = False
        self.clock.advance(LATEST)
        self.assertEqual(len(self.running), 2)

    def test_who_cannot_be_reached(self) -> None:
        """Whoever is not reached for an hour is looked for anew, since it may have other suppliers by now."""
        self.clock.advance(SOON)
        before = self.running
        before[0].machine.state = "KEPT"
        self.clock.pump([CHECK] * int(AGAIN / CHECK - 1))
        self.assertEqual((self.asked, self.running), (1, before))
        self.clock.pump([CHECK, SOON])
        self.assertEqual((self.asked, len(self.running)), (2, 2))
        self.assertFalse(any(copy.is_running for copy in before))

    def test_ended_while_one_begins(self) -> None:
        """When the folder is closed while others' suppliers are sought, none of what was found is left open."""
        waiting: Deferred[None] = Deferred()
        self.offered[0].begins = lambda: waiting
        self.clock.advance(SOON)
        self.guests.end(self.folder)
        waiting.callback(None)
        self.assertEqual((self.folder.beyond, [one.is_begun for one in self.offered]), ([], [False, False]))

    def test_leaves_what_others_put_together(self) -> None:
        """A copy at suppliers of somebody else removes no file that is on the way to own ones."""
        home = Path(self.mktemp())
        home.mkdir()
        path = home / "label-segment.chunks"
        path.write_bytes(b"chunks")
        copy: Any = GuestCopy.__new__(GuestCopy)
        copy._home, copy._label = home, "label"
        copy._clear()
        self.assertTrue(path.exists())
