"""Rows that are read many at a time are those that are read one by one."""

import random
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.operations import Op, item_op, pack_op, version_ops
from bitdust.storage.catalog.apply import Stamp, apply_all
from bitdust.storage.catalog.database import open_catalog
from bitdust.storage.catalog.local_paths import remember
from bitdust.storage.catalog.paths import Target, by_id
from bitdust.storage.catalog.row_facts import FolderFigures
from bitdust.storage.catalog.rows import PAGE, Owner, Part, Rows
from bitdust.storage.log.routing import Router
from bitdust.wire.records import PackRecord, Scheme
from tests.unit.plain_rows import PlainRows

OWNER = b"o" * 32
DEVICES = (b"d" * 8, b"e" * 8)
NAMES = (b"a", b"b", "ü".encode(), b"latin-\xe9", b"with space", b"[brackets]", b'"quoted"', b"0", b"%s", b"same")
VERSIONS = (
    "F20160313043757PM", "F20260101000000000-0", "F20260101000000000-1", "F20260601120000000-0", "F20261121034159123-0",
)  # fmt: skip


def holders(key: str, device: bytes, sequence: int) -> int:
    """Some number of suppliers for every entry."""
    return (len(key) + device[0] + sequence) % 5


ME = Owner("alice@host", "http://host/alice.xml", 4, holders)


class Growth:
    """A catalog as years leave it: depth, several versions and devices, labels, keys, links, what is dead or gone."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._ids: list[str] = []
        self._packs = [bytes([number]) * 16 for number in range(1, 9)]

    def ops(self) -> list[Op]:
        made: list[Op] = [self._pack(number) for number in range(len(self._packs))]
        for number in range(3):
            made += self._folder(str(number), "", 4)
        made += [item_op("9", "", b"alone", "file", "other", 3), *version_ops("9", VERSIONS[1], 7, 0o600, 1)]
        for path in self._dice.sample(self._ids, len(self._ids) // 5):
            made.append({"op": "label", "path": path, "label": f"label of {path}"})
        for path in self._dice.sample(self._ids, len(self._ids) // 6):
            made.append({"op": "gone", "path": path, "version": self._dice.choice(VERSIONS)})
        return made

    def deaths(self) -> list[Op]:
        """Items, versions and packs that are deleted."""
        names = [path if self._dice.random() < 0.5 else f"{path}/{self._dice.choice(VERSIONS)}"
                 for path in self._dice.sample(self._ids, len(self._ids) // 6)]  # fmt: skip
        return [{"op": "tombstone", "names": names, "packs": [self._packs[0]], "time": 5}]

    def _pack(self, number: int) -> Op:
        n = self._dice.choice((2, 4))
        record = PackRecord(OWNER, self._packs[number], 100, Scheme(n // 2, n), [b"r" * 32] * n)
        return pack_op(record, "master", 1, bytes([number]) * 16, [100])

    def _folder(self, path: str, parent: str, depth: int) -> list[Op]:
        made = self._item(path, parent, "folder")
        for number in range(self._dice.randrange(6) if depth else 0):
            inside = f"{path}/{number}" + self._dice.choice(("", "", ".1"))
            if self._dice.random() < 0.5:
                made += self._folder(inside, path, depth - 1)
            else:
                made += self._item(inside, path, self._dice.choice(("file", "file", "link")))
        return made

    def _item(self, path: str, parent: str, kind: str) -> list[Op]:
        self._ids.append(path)
        key = "master" if self._dice.random() < 0.8 else "other"
        made = [item_op(path, parent, self._dice.choice(NAMES), kind, key, self._dice.randrange(10**12))]
        for version in self._dice.sample(VERSIONS, self._dice.choice((0, 1, 1, 2, 4))):
            size, moment = self._dice.randrange(10**6), self._dice.randrange(10**18)
            # the last one is of no pack that is known here
            packs = self._dice.sample([*self._packs, b"?" * 16], self._dice.randrange(4))
            target = b"elsewhere" if kind == "link" else None
            made += version_ops(path, version, size, 0o644, moment, [[pack, 0, 1] for pack in packs], target)
        return made


class RowsTests(SynchronousTestCase):
    def catalog(self, seed: int) -> list[str]:
        """Fill a new one; path ids of all items that are there."""
        self.database = open_catalog(Path(self.mktemp()) / "catalog.db")
        self.addCleanup(self.database.close)
        self.database.execute("PRAGMA synchronous=OFF")
        growth, dice = Growth(seed), random.Random(-seed)
        self.database.execute("BEGIN")
        for number, op in enumerate([*growth.ops(), *growth.deaths()]):
            router = Router(self.database)
            router.add([op])
            for key, ops in router.found.items():
                apply_all(self.database, ops, Stamp(OWNER, key, number, DEVICES[number % 2], number))
        for pack, n in self.database.execute("SELECT pack, n FROM packs").fetchall():
            self.database.execute("UPDATE packs SET acked=? WHERE pack=?", (dice.randrange(n + 1), pack))
        paths = [path for (path,) in self.database.execute("SELECT path FROM items WHERE dead=0 ORDER BY path")]
        for path in dice.sample(paths, len(paths) // 5):
            remember(self.database, path, f"/home/{path}/é".encode("latin-1"))
        self.database.execute("COMMIT")
        return paths

    def test_every_list(self) -> None:
        """Every list of every folder, of each key, and every single row is to the byte what the plain way gives."""
        told = 0
        for seed in range(8):
            paths = self.catalog(seed)
            plain, figures = PlainRows(self.database, ME), FolderFigures()
            targets = [Target(key, None) for key in ("", "master", "other", "none")]
            targets += [Target(item.key, item) for item in (by_id(self.database, path) for path in paths) if item]
            for target in targets:
                for recursive in (False, True):
                    expected = repr(plain.listed(target, recursive))
                    self.assertEqual(repr(Rows(self.database, ME).listed(target, recursive)), expected)
                    self.assertEqual(repr(Rows(self.database, ME, figures).listed(target, recursive)), expected)
                if target.item is not None:
                    self.assertEqual(repr(Rows(self.database, ME).one(target.item)), repr(plain.one(target.item)))
                    told += 1
        self.assertGreater(told, 300)

    def test_pages(self) -> None:
        """A long list comes in parts of a limited length, which together are the whole list."""
        self.catalog(1)
        ops = [item_op("7", "", b"many", "folder", "master", 0)]
        ops += [item_op(f"7/{number}", "7", b"%d" % number, "file", "master", 0) for number in range(2 * PAGE)]
        apply_all(self.database, ops, Stamp(OWNER, "master", 10**6, DEVICES[0], 10**6))
        everything = Target("", None)
        pages = list(Rows(self.database, ME).pages(everything, True))
        self.assertLessEqual(max(map(len, pages)), PAGE)
        self.assertEqual([row for page in pages for row in page], PlainRows(self.database, ME).listed(everything, True))

    def test_parts(self) -> None:
        """Rows after an offset, up to a limit, of one key: parts of the list that is whole otherwise."""
        self.catalog(3)
        rows, everything = Rows(self.database, ME), Target("", None)
        whole = rows.listed(everything, True)
        for offset, limit in ((0, None), (0, 3), (5, 4), (len(whole) - 1, 10), (len(whole), 1)):
            end = None if limit is None else offset + limit
            self.assertEqual(rows.listed(everything, True, Part(None, offset, limit)), whole[offset:end])
        mine = [row for row in whole if row["key_alias"] == "other"]
        self.assertEqual(rows.listed(everything, True, Part("other")), mine)
        self.assertEqual(rows.listed(everything, True, Part("other", 1, 2)), mine[1:3])
        self.assertGreater(len(mine), 3)

    def test_figures_of_folders_are_kept(self) -> None:
        """What was added up for a folder is not added up again while the same figures are used."""
        self.catalog(2)
        figures, said = FolderFigures(), list[str]()
        first = Rows(self.database, ME, figures).listed(Target("", None), False)
        self.database.set_trace_callback(said.append)
        self.assertEqual(Rows(self.database, ME, figures).listed(Target("", None), False), first)
        self.assertEqual([text for text in said if "sum(" in text], [])
