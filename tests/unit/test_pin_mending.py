"""Segments that are gone from the suppliers: what is here is brought again, what is away is found in other segments."""

from bitdust.blocks.values import Pin, Unpin
from tests.unit.backup_kit import CAR, INDEX, BackupCase
from tests.unit.test_pin_backup import large


class MendingTests(BackupCase):
    def gone(self, *ends: str) -> None:
        """The first segment is at no supplier any more, or a file of it."""
        (name, *_) = self.shelf.names(INDEX)
        for end in ends:
            (self.shelf.folder / name.replace(INDEX, end)).unlink()

    def an_hour_passes(self) -> None:
        self.clock.advance(3600)
        self.rests()

    def test_what_is_here(self) -> None:
        """Whichever file is gone, within an hour everything is in a segment again, and pins are told again."""
        one = large("one")
        self.pin(*one)
        for ends in ((CAR,), (INDEX,), (CAR, INDEX)):
            self.gone(*ends)
            self.an_hour_passes()
            self.assertEqual(self.in_segments(), len(one))
            saved = self.saved(one[-1].cid)
            self.assertEqual((saved.blocks, saved.is_told), (0, True))
            self.counted()
        self.lose()
        self.rests()
        self.gets(*one)

    def test_a_start(self) -> None:
        """It is seen when the node starts, too."""
        self.pin(*large("one"))
        self.gone(CAR, INDEX)
        self.restart()
        self.rests()
        self.assertEqual(len(self.shelf.names(CAR)), 1)

    def test_what_is_away(self) -> None:
        """Blocks that another device has written into another segment are found there, and read."""
        one, two = large("one", 5), large("two", 1)
        self.put(*one, *two, changes=[Pin(one[-1].cid), Pin(two[-1].cid)])
        self.rests()
        before = {path: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        self.lose()
        self.rests()
        self.assertEqual(self.away(*two), [True, True])
        (old,) = self.shelf.names(CAR)
        mine = {path: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        self.keeper.stop()
        self.end(self.store)
        self.become(b"d" * 8, before)
        self.came(self.store.apply(Unpin(one[-1].cid)))
        self.collect()
        self.rests()
        self.assertEqual(len(self.shelf.names(CAR)), 2)
        self.keeper.stop()
        self.end(self.store)
        for end in (CAR, INDEX):
            (self.shelf.folder / old.replace(CAR, end)).unlink()
        self.become(b"e" * 8, mine)
        self.rests()
        self.gets(*two)
        self.counted()

    def become(self, device: bytes, files: dict) -> None:
        """The other device of this person goes on."""
        for path in list(self.folder.iterdir()):
            if path.is_file():
                path.unlink()
        for path, data in files.items():
            path.write_bytes(data)
        self.around.me.device.id = device
        self.store = self.open()
        self.keeper = self.begin()

    def test_what_is_nowhere(self) -> None:
        """What is in no segment and not on this disk is told, and its pin does not count as backed up; it comes back
        with its segment."""
        one = large("one")
        self.pin(*one)
        self.lose()
        self.rests()
        hidden = {path: path.read_bytes() for path in self.shelf.folder.iterdir() if path.suffix in (CAR, INDEX)}
        self.gone(CAR, INDEX)
        self.an_hour_passes()
        self.assertIn("at no supplier any more", next(iter(self.keeper.unreadable.values())))
        self.assertGreater(self.saved(one[-1].cid).blocks, 0)
        self.refused("not-found", self.store.get(one[0].cid))
        for path, data in hidden.items():
            path.write_bytes(data)
        self.an_hour_passes()
        self.assertEqual(self.keeper.unreadable, {})
        self.assertEqual(self.saved(one[-1].cid).blocks, 0)
        self.gets(*one)
