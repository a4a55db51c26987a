"""Commands of the RPC that change or read several things at once, and what they answer where something is wrong."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.web.ipfs.commands.repo import _verified
from tests.unit.ipfs_kit import LAMB, Given, IpfsCase

LAMB_BYTES = b"Mary had a little lamb"


class PinTests(IpfsCase):
    def pinned(self) -> set[str]:
        return set(self.rpc("pin/ls", type="recursive")["Keys"])

    def test_several_go_together(self) -> None:
        """Of several paths all pins go or none; one that is named twice goes once."""
        added = self.add(Given(b"a", b"a"), Given(b"b", b"b"), Given(b"d/c", b"c"))
        everything = {added[name] for name in ("a", "b", "d")}
        self.assertIn("not pinned", self.rpc_fails("not-pinned", "pin/rm", added["a"], LAMB))
        below = self.rpc_fails("not-pinned", "pin/rm", added["a"], added["d/c"])
        self.assertIn(f"{added['d/c']} is pinned indirectly under {added['d']}", below)
        self.assertEqual(self.pinned(), everything)
        gone = [added["a"], f"{added['d']}", added["a"]]
        self.assertEqual(self.rpc("pin/rm", *gone), {"Pins": gone})
        self.assertEqual(self.pinned(), {added["b"]})

    def test_several_come_together(self) -> None:
        """Of several paths all are pinned or none."""
        added = self.add(Given(b"a", b"a"), Given(b"b", b"b"), pin=False)
        self.rpc_fails("not-found", "pin/add", added["a"], LAMB)
        self.assertEqual(self.pinned(), set())
        changes: list[int] = []
        self.store.changed.connect(lambda found: changes.append(len(found)))
        self.rpc("pin/add", added["a"], added["b"])
        self.assertEqual((self.pinned(), changes), (set(added.values()), [2]))


class AddTests(IpfsCase):
    def test_how_much_is_told(self) -> None:
        """A client that wants to hear nothing hears nothing; one that wants to hear little, of the last alone."""
        (row,) = self.rpc("add", body=LAMB_BYTES)
        self.assertEqual(row["Hash"], LAMB)
        self.assertEqual(self.rpc("add", body=LAMB_BYTES, silent=True), [])
        self.assertEqual(self.rpc("add", body=LAMB_BYTES, quieter=True, wrap_with_directory=True)[0]["Name"], "")


class VerifyTests(IpfsCase):
    def test_all_is_well(self) -> None:
        """Blocks are counted while they are read; at the end it is said that all of them can be."""
        self.add(Given(b"a", bytes(600_000)))
        *counts, last = self.verified()
        self.assertEqual([row["Progress"] for row in counts][-1:], [self.rpc("repo/stat")["NumObjects"]])
        self.assertEqual(last, {"Msg": "verify complete, all blocks validated.", "Progress": 0})

    def test_a_damaged_block(self) -> None:
        """A block that cannot be read is named, and the answer ends as an error, not as one that is well."""
        added = self.add(Given(b"a", LAMB_BYTES))
        (pack,) = self.folder.glob("*.pack")
        pack.write_bytes(pack.read_bytes().replace(b"lamb", b"lamp"))
        rows: list[Any] = []
        self.refused("damaged-block", self.verifying(rows))
        self.assertIn(f"block {added['a']} was corrupt", rows[-1]["Msg"])

    def test_who_stops_reading(self) -> None:
        """A client that goes ends the check that it has asked for."""
        self.store.read_again = lambda after, only: Deferred()
        rows = self.room.verify()
        check = self.run_now(anext(rows))
        self.assertEqual(check.machine.state, "READING")
        self.run_now(rows.aclose())
        self.assertEqual(check.machine.state, "STOPPED")

    def verified(self) -> list[Any]:
        rows: list[Any] = []
        self.came(self.verifying(rows))
        return rows

    def verifying(self, rows: list[Any]) -> "Deferred[None]":
        """The command runs to its end, with the turns of the reactor that it waits for."""

        async def gather() -> None:
            async for row in _verified(self.room):
                rows.append(row)

        running = Deferred.fromCoroutine(gather())
        for _ in range(20):
            self.clock.advance(0)
        return running


class PeerTests(IpfsCase):
    def test_no_peer(self) -> None:
        """Whoever names no peer is told what was taken for one, by every command that takes one."""
        for command in ("ping", "dht/query", "bitswap/ledger", "swarm/disconnect"):
            self.assertIn("invalid peer id 'foo'", self.rpc_fails("bad-call", command, "foo"))


class PathTests(IpfsCase):
    def test_a_cid_that_was_cut(self) -> None:
        """A CID of version 0 that has lost a letter is told by its length."""
        for text in (LAMB[:-1], LAMB + "a", "QmNope"):
            self.assertIn(f"has 46 letters, not {len(text)}", self.rpc_fails("bad-path", "cat", text))
