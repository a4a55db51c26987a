"""Segments of the history: sealed, bounded, read in once, and gone on with after every kind of failure."""

import shutil
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.people.history import archive as archive_module
from bitdust.people.history.archive import AFTER, AGAIN, SETTING, Archive, newest_first
from bitdust.people.history.history import History
from bitdust.wire.errors import BitDustError
from tests.unit.history_kit import BOB, CAROL, HistoryCase, message, to_group


class Shelf:
    """A storage: files by name, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.ready = True
        self.keys: list[bytes] = []
        self.kept: list[str] = []
        self.failure: Exception | None = None

    def can_keep(self) -> bool:
        return self.ready

    def secrets(self) -> list[bytes]:
        return self.keys

    def make_key(self) -> None:
        self.keys = self.keys or [b"s" * 32]

    def keep(self, name: str, source: Path) -> "Deferred[Any]":
        if self.failure is not None:
            return fail(self.failure)
        self.kept.append(name)
        shutil.copyfile(source, self.folder / name)
        return succeed(None)

    def names(self) -> "Deferred[list[str]]":
        return succeed([path.name for path in self.folder.iterdir()])

    def bring(self, name: str, folder: Path) -> "Deferred[Any]":
        shutil.copyfile(self.folder / name, folder / name)
        return succeed(None)


class ArchiveTests(HistoryCase):
    def setUp(self) -> None:
        super().setUp()
        self.settings.values[SETTING] = True
        self.shelf = Shelf(Path(self.mktemp()).absolute())
        self.archive = self.begin(self.history)

    def begin(self, history: History) -> Archive:
        archive = Archive(self.around, history)  # type: ignore[arg-type]
        archive.segments = self.shelf
        archive.start()
        self.addCleanup(archive.stop)
        return archive

    def new_home(self, device: str = "d") -> None:
        """The same person on another machine."""
        self.archive.stop()
        self.successResultOf(self.history.close())
        self.home = self.around.world.home = Path(self.mktemp()).absolute()
        self.me.device = type(self.me.device).generate(lambda size: device.encode() * size)
        self.history = self.open()
        self.archive = self.begin(self.history)

    def lines(self) -> list[str]:
        names = [path.name for path in self.shelf.folder.iterdir()]
        return [line.message.data["text"] for line in newest_first(self.shelf.folder, names, self.shelf.keys)]

    def test_by_and_by(self) -> None:
        """Ten minutes after a message what is new is in the storage, sealed; nothing is written while nothing comes."""
        self.fill(3)
        self.clock.advance(AFTER - 1)
        self.assertEqual(self.shelf.kept, [])
        self.clock.advance(1)
        self.fill(1, start=4)
        self.clock.advance(AFTER)
        self.clock.advance(AFTER)
        (name,) = set(self.shelf.kept)
        self.assertEqual(len(self.shelf.kept), 2)
        self.assertEqual(name, f"{self.me.device.id.hex()}-{1:016d}")
        self.assertNotIn(b"word", (self.shelf.folder / name).read_bytes())
        self.assertEqual(self.lines(), ["word 4", "word 3", "word 2", "word 1"])

    def test_full_segments(self) -> None:
        """A segment is full by number or by bytes; its copy goes, and the next one begins behind it."""
        self.patch(archive_module, "MOST_MESSAGES", 4)
        self.patch(archive_module, "MOST_BYTES", 1000)
        self.fill(6)
        self.add(message("long " * 300))
        self.fill(1, start=8)
        self.archive.look()
        self.assertEqual([name.partition("-")[2] for name in self.shelf.kept], [f"{n:016d}" for n in (1, 5, 8)])
        self.assertEqual(len(self.lines()), 8)
        left = [path.name for path in (self.history.file.folder / "archive").iterdir() if path.is_file()]
        self.assertEqual(left, [self.shelf.kept[-1]])

    def test_two_devices(self) -> None:
        """A new home gets what all devices have kept, in the order in which it came to them last, each message once."""
        both = to_group("both", CAROL)
        self.add(message("one"))
        self.clock.advance(10)
        self.add(both)
        self.archive.look()
        self.new_home("e")
        self.shelf.ready = False
        self.clock.advance(5)
        self.add(message("two", CAROL), both)
        self.shelf.ready = True
        self.archive.look()
        self.new_home("f")
        self.add(message("after", sequence=9))
        self.archive.look()
        self.assertEqual(self.page(), ["one", "two", "both", "after"])
        self.assertEqual(self.events.names(), ["message-history-restored"] * 2)
        self.assertEqual(self.search("one"), ["one"])
        self.assertEqual(self.history.last_sequence(message("x").conversation, BOB[:8]), 9)
        self.assertEqual(self.successResultOf(self.history.counts())["unread"], 1)
        self.archive.look()
        self.assertEqual(len(self.page()), 4)

    def test_numbers_of_another_home_are_not_kept_again(self) -> None:
        """What was read in is in the storage already."""
        self.fill(3)
        self.archive.look()
        self.new_home("e")
        self.archive.look()
        self.assertEqual(self.page(), ["word 1", "word 2", "word 3"])
        self.assertEqual(len(self.shelf.kept), 1)
        self.fill(1, start=4)
        self.archive.look()
        self.assertEqual(sorted(self.lines()), ["word 1", "word 2", "word 3", "word 4"])

    def test_a_storage_that_is_not_there(self) -> None:
        """Without suppliers, and while uploads fail, it is tried again an hour later; nothing counts as kept before."""
        self.shelf.ready = False
        self.fill(1)
        self.clock.advance(AFTER)
        self.shelf.ready, self.shelf.failure = True, BitDustError("too-few-suppliers", "nobody is there")
        self.clock.advance(AGAIN)
        self.shelf.failure = RuntimeError("a mistake")
        self.clock.advance(AGAIN)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.successResultOf(self.history.fact("archived")), 0)
        self.shelf.failure = None
        self.clock.advance(AGAIN)
        self.assertEqual(self.lines(), ["word 1"])

    def test_damaged_lines(self) -> None:
        """A line that was changed or cut off is left out, and the others come."""
        self.fill(4)
        self.archive.look()
        path = self.shelf.folder / self.shelf.kept[0]
        first, second, third, fourth = path.read_bytes().splitlines(keepends=True)
        other = b"B" if second.startswith(b"A") else b"A"
        path.write_bytes(first + other + second[1:] + b"?\n\xff\n" + third + fourth[:20])
        self.new_home()
        self.archive.look()
        self.assertEqual(self.page(), ["word 1", "word 3"])

    def test_off(self) -> None:
        """The setting keeps messages out of the storage; a closed history does nothing."""
        self.settings.set(SETTING, False)
        self.fill(1)
        self.archive.look()
        self.settings.set(SETTING, True)
        self.successResultOf(self.history.close())
        self.archive.look()
        self.assertEqual(self.shelf.kept, [])
