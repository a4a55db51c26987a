"""IPFS over the block store: files that become blocks, and what is read back of them."""

import io
import os
import tarfile
import zlib
from typing import Any

from bitdust.blocks.values import Mode, Pin, Unpin
from bitdust.ipfs import archive
from bitdust.ipfs.adding import AddOptions
from bitdust.ipfs.blocks import MOST_AHEAD, Ahead, Recent
from bitdust.ipfs.cars import export
from bitdust.ipfs.paths import parse
from bitdust.ipfs.reading import What, entries, node_of, read, resolve
from bitdust.ipfs.references import below
from bitdust.ipld.building import Recipe
from bitdust.ipld.car import CarReader
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.naming import Naming
from bitdust.wire.errors import BitDustError
from tests.unit.ipfs_kit import EMPTY_FOLDER, LAMB, Files, Given, IpfsCase


class AddingTests(IpfsCase):
    def test_one_file(self) -> None:
        """A file has the CID that it has everywhere, is pinned, and stands there after a restart."""
        self.assertEqual(self.add(Given(b"", b"Mary had a little lamb")), {LAMB: LAMB})
        self.again()
        self.assertEqual(self.cat(LAMB), b"Mary had a little lamb")
        self.assertEqual([str(pin.cid) for pin in self.all_of(self.room.pins())], [LAMB])

    def test_a_tree(self) -> None:
        """Directories come behind what is in them; those that nobody named are made; the one on top is pinned."""
        added = self.add(
            Given(b"d", kind="directory"), Given(b"d/a", b"hi"), Given(b"d/sub/deep/b", b"there"),
            Given(b"d/empty", kind="directory"), Given(b"d/l", b"a", "symlink"),
        )  # fmt: skip
        self.assertEqual(list(added), ["d/a", "d/sub/deep/b", "d/l", "d/empty", "d/sub/deep", "d/sub", "d"])
        self.assertEqual(added["d/empty"], EMPTY_FOLDER)
        self.assertEqual(self.cat(f"{added['d']}/sub/deep/b"), b"there")
        self.assertEqual([str(pin.cid) for pin in self.all_of(self.room.pins())], [added["d"]])
        link = self.run_now(node_of(self.room.blocks, self.cid(f"{added['d']}/l")))
        self.assertEqual((link.what, link.target), (What.SYMLINK, "a"))

    def test_a_directory_around(self) -> None:
        """With a directory around everything, that one alone is pinned; it has no name."""
        added = self.add(Given(b"a", b"hi"), Given(b"b", b"ho"), wrap=True)
        self.assertEqual(list(added), ["a", "b", ""])
        self.assertEqual([str(pin.cid) for pin in self.all_of(self.room.pins())], [added[""]])
        self.assertEqual(self.cat(added[""] + "/b"), b"ho")

    def test_what_is_only_named(self) -> None:
        """Without storing, the CID is the same, and nothing is kept."""
        job = self.room.add(AddOptions(), store=False)
        self.came(job.run(Files(Given(b"", b"Mary had a little lamb"))))
        self.assertEqual(str(job.rows()[0].part.cid), LAMB)
        self.assertEqual(self.here(), set())

    def test_another_recipe(self) -> None:
        """Version 1 and bare leaves are what other nodes make of these options."""
        recipe = Recipe(Naming(1), raw_leaves=True)
        (cid,) = self.add(Given(b"", b"Mary had a little lamb"), recipe=recipe).values()
        self.assertTrue(cid.startswith("bafkrei"), cid)
        self.assertEqual(self.cat(cid), b"Mary had a little lamb")

    def test_names_that_lead_out(self) -> None:
        """A name with `..`, without an end, or of both a file and a directory is refused, and nothing is pinned."""
        for names in ((b"../x",), (b"a//b",), (b"/a",), (b"a/./b",), (b"a", b"a/b"), (b"a/b", b"a")):
            job = self.room.add(AddOptions())
            self.refused("bad-name", job.run(Files(*(Given(name, b"x") for name in names))))
        self.assertEqual(self.all_of(self.room.pins()), [])
        self.collect()
        self.assertEqual(self.here(), set())

    def test_a_client_that_goes(self) -> None:
        """An add that ends early leaves nothing that stays; its machine is gone."""
        job = self.room.add(AddOptions())
        gone = BitDustError("gone", "the client has gone")
        self.refused("gone", job.run(Files(Given(b"a", os.urandom(300_000)), fail=gone)))
        self.assertEqual(len(self.registry), 0)
        self.collect()
        self.assertEqual(self.here(), set())


class ReadingTests(IpfsCase):
    def test_any_part_of_a_large_file(self) -> None:
        """From any offset, so many bytes; behind the end it is said."""
        data = os.urandom(3_000_000)
        (cid,) = self.add(Given(b"f", data)).values()
        self.assertEqual(self.cat(cid), data)
        for offset, length in ((0, 10), (262_143, 3), (2_999_999, 5), (1_000_000, 0), (3_000_000, 1)):
            self.assertEqual(self.cat(cid, offset, length), data[offset : offset + length])
        error = self.fails("bad-argument", read(self.room.blocks, self.cid(cid), 3_000_001))
        self.assertIn("offset was past end of file", str(error))

    def test_paths(self) -> None:
        """Every form of a path leads there; what leads nowhere says why."""
        added = self.add(Given(b"d/a", b"hi"))
        for path in (f"/ipfs/{added['d']}/a", f"{added['d']}/a/", added["d/a"], f"/ipfs/{added['d/a']}"):
            self.assertEqual(self.cat(path), b"hi")
        error = self.fails("no-link", resolve(self.room.blocks, parse(f"{added['d']}/b")))
        self.assertEqual(str(error), f'no link named "b" under {added["d"]}')
        self.fails("no-name", resolve(self.room.blocks, parse("/ipns/somebody")))
        self.fails("is-directory", read(self.room.blocks, self.cid(added["d"])))
        for path in ("", "/", "/what/Qm", "Qm", "a/" * 2000, "x" * (1 << 17)):
            self.assertEqual(self.assertRaises(BitDustError, parse, path).code, "bad-path")

    def test_references(self) -> None:
        """What is below a block, in order, as deep as is wanted, once each where that is wanted."""
        added = self.add(Given(b"d/a", b"hi"), Given(b"d/b", b"hi"), Given(b"d/sub/a", b"ho"))
        root = self.cid(added["d"])
        names = lambda **options: [one.name for one in self.all_of(below(self.room.blocks, [root], **options))]  # noqa: E731
        self.assertEqual(names(), ["a", "b", "sub", "a"])
        self.assertEqual(names(deepest=1), ["a", "b", "sub"])
        self.assertEqual(names(unique=True), ["a", "sub", "a"])
        self.assertEqual(names(deepest=0), [])

    def test_a_tree_as_tar(self) -> None:
        """Files, directories and symlinks come as tar, plain or compressed, with bytes and long names whole."""
        long, data = "ä" * 60, os.urandom(300_000)
        self.add(Given(b"d", kind="directory"))
        added = self.add(
            Given(f"d/{long}".encode(), data), Given(b"d/l", b"x", "symlink"), Given(b"d/e", kind="directory")
        )
        node = self.run_now(node_of(self.room.blocks, self.cid(added["d"])))
        packed = b"".join(self.all_of(archive.tar(self.room.blocks, node, "top")))
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            self.assertEqual(tar.getnames(), ["top", "top/e", "top/l", f"top/{long}"])
            self.assertEqual(tar.extractfile(f"top/{long}").read(), data)
            self.assertEqual((tar.getmember("top/l").linkname, tar.getmember("top/e").isdir()), ("x", True))
        squeezed = b"".join(self.all_of(archive.gzip(archive.tar(self.room.blocks, node, "top"), 6)))
        self.assertEqual(zlib.decompress(squeezed, 31), packed)

    def test_entries(self) -> None:
        """A directory lists by name; a file lists its parts."""
        added = self.add(Given(b"d/b", b"1"), Given(b"d/a", b"2"), Given(b"big", bytes(600_000)))
        listed = self.run_now(entries(self.room.blocks, self.cid(added["d"])))
        self.assertEqual([one.name for one in listed], ["a", "b"])
        self.assertEqual(len(self.run_now(entries(self.room.blocks, self.cid(added["big"])))), 3)


class CountedBlocks:
    """Blocks, and how often each was asked for, and how many together."""

    def __init__(self, blocks: Any) -> None:
        self.blocks = blocks
        self.asked: list[Any] = []
        self.together: list[int] = []
        self.in_thread = blocks.in_thread

    def get(self, cid: Any) -> Any:
        self.asked.append(cid)
        return self.blocks.get(cid)

    def get_some(self, cids: Any) -> Any:
        self.together.append(len(cids))
        return self.blocks.get_some(cids)


class FirstBytesTests(IpfsCase):
    full = 32 << 20

    def test_few_blocks_come_first(self) -> None:
        """One block of a file is asked for at first, then two, four, and so on: the first bytes wait for no others."""
        root = self.add(Given(b"f", bytes(range(256)) * 60_000))["f"]
        blocks = CountedBlocks(self.room.blocks)

        async def first() -> int:
            _, pieces = await read(blocks, self.cid(root))
            return len(await anext(pieces))

        self.assertEqual(self.run_now(first()), 1 << 18)
        self.assertEqual(blocks.together, [1, 2])
        self.assertEqual(len(self.cat(root)), 15_360_000)

    def test_the_last_block_is_kept(self) -> None:
        """What looks at a block several times during a call asks the store once."""
        root = self.add(Given(b"f", b"x"))["f"]
        counted = CountedBlocks(self.room.blocks)
        blocks, cid = Recent(counted), self.cid(root)
        for _ in range(3):
            self.assertEqual(self.run_now(node_of(blocks, cid)).size, 1)
        self.assertEqual(self.came(blocks.get_some([cid, cid])), [self.came(counted.get(cid))])
        self.assertEqual((len(counted.asked), counted.together), (2, []))

    def test_a_directory_is_read_ahead(self) -> None:
        """Who goes through a directory has many small files read at once, few large ones, and keeps so many bytes."""
        folder = self.add(*(Given(f"d/{number:03}".encode(), b"%d" % number) for number in range(100)))["d"]
        counted = CountedBlocks(self.room.blocks)
        root = self.run_now(node_of(self.room.blocks, self.cid(folder)))
        packed = b"".join(self.all_of(archive.tar(counted, root, "d")))
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            self.assertEqual([tar.extractfile(f"d/{number:03}").read() for number in (0, 99)], [b"0", b"99"])
        self.assertEqual((len(counted.asked), counted.together), (2, [32, 32, 32, 4]))
        large = self.add(*(Given(f"l/{number:03}".encode(), os.urandom(200_000)) for number in range(30)))["l"]
        links = self.run_now(entries(self.room.blocks, self.cid(large)))
        ahead = Ahead(counted)
        counted.together.clear()
        self.assertEqual(self.all_of(ahead.each(links)), links)
        self.assertEqual(set(counted.together), {11, 8})
        self.assertLessEqual(sum(map(len, ahead._here.values())), MOST_AHEAD)

    def test_a_car_is_read_ahead(self) -> None:
        """Small blocks of a CAR are read many at once, and stand in it in their order."""
        files = [Given(f"d/{number % 9}/{number:03}".encode(), b"%d" % number) for number in range(300)]
        folder = self.add(*files)["d"]
        counted = CountedBlocks(self.room.blocks)
        packed = b"".join(self.all_of(export(counted, self.cid(folder))))
        self.assertLess(len(counted.asked) + len(counted.together), 60)
        reader = CarReader()
        found = [block.cid for block in reader.feed(packed)]
        self.assertEqual(len(found), 310)
        self.assertEqual(found[1:], list(dict.fromkeys(one.cid for one in self.all_of(below(counted, found[:1])))))

    def test_what_is_missing_in_a_directory(self) -> None:
        """A file that is not here is told when its turn comes, and not before."""
        added = self.add(Given(b"d/a", b"a"), Given(b"d/b", b"b"), Given(b"d/c", b"c"), pin=False)
        links = self.run_now(entries(self.room.blocks, self.cid(added["d"])))
        self.came(self.store.remove(self.cid(added["d/b"])))
        ahead = Ahead(self.room.blocks)
        self.assertEqual(self.all_of(ahead.each(links)), links)
        self.assertEqual(self.run_now(node_of(ahead, links[0].cid)).size, 1)
        self.fails("not-found", node_of(ahead, links[1].cid))
        self.assertEqual(self.run_now(node_of(ahead, links[2].cid)).size, 1)


class ThreadTests(IpfsCase):
    def test_large_blocks(self) -> None:
        """A block that takes long to look at is looked at in a thread, whatever is asked of it; a small one is not."""
        added = self.add(*(Given(f"d/{number}{'n' * 200}".encode(), b"x") for number in range(400)))
        root, sizes = self.cid(added["d"]), []

        def in_thread(call: Any, *arguments: Any) -> Any:
            sizes.append(max(len(one) for one in arguments if isinstance(one, bytes)))
            return self.run_in_thread(call, *arguments)

        self.room.in_thread = in_thread
        self.run_now(entries(self.room.blocks, root))
        self.all_of(below(self.room.blocks, [root]))
        self.cid(f"{added['d']}/7{'n' * 200}")
        self.assertEqual((len(sizes), min(sizes) > 65_536), (4, True))
        sizes.clear()
        self.cat(f"{next(iter(added.values()))}")
        self.assertEqual(sizes, [])


class StoreTests(IpfsCase):
    def test_collecting(self) -> None:
        """What no pin needs goes, each block by name; what one needs stays."""
        added = self.add(Given(b"d/a", b"hi"))
        kept = self.add(Given(b"k", b"kept"))["k"]
        self.came(self.store.apply(Unpin(self.cid(added["d"]))))
        gone = {str(cid) for cid in self.all_of(self.room.collect())}
        self.assertEqual(gone, set(added.values()))
        self.assertEqual(self.all_of(self.room.every_block()), [Cid.parse(kept)])

    def test_indirect_pins(self) -> None:
        """What stays because of a pin above it is listed as such."""
        added = self.add(Given(b"d/a", b"hi"))
        self.assertEqual([str(cid) for cid in self.all_of(self.room.indirect())], [added["d/a"]])

    def test_what_is_missing_below_a_pin(self) -> None:
        """A pinned tree of which a block cannot be had names that block."""
        added = self.add(Given(b"d/a", b"hi"))
        self.assertEqual(self.run_now(self.room.bad_below(self.cid(added["d"]))), [])
        self.came(self.store.apply(Unpin(self.cid(added["d"])), Pin(self.cid(added["d"]), Mode.DIRECT)))
        self.run_now(self.room.remove(Cid.parse(added["d/a"])))
        ((cid, why),) = self.run_now(self.room.bad_below(self.cid(added["d"])))
        self.assertEqual((str(cid), "not here" in why), (added["d/a"], True))

    def test_removing_one_block(self) -> None:
        """A block that something needs is not removed; one that is not here is not found."""
        data = b"alone"
        cid = Cid.of(data)
        self.run_now(self.room.put([Block(cid, data)], Pin(cid)))
        self.fails("pinned", self.room.remove(cid))
        self.came(self.store.apply(Unpin(cid)))
        self.run_now(self.room.remove(cid))
        self.fails("not-found", self.room.remove(cid))
