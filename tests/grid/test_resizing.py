"""Another number of suppliers on whole nodes: 2, 4, 7, 2, with files compared at every step while only k are there."""

import shutil
import sqlite3
from pathlib import Path

from bitdust.customers.names import PieceName
from bitdust.storage.keeping.reencode_rows import MONTH
from bitdust.testing.grid import GridNode
from tests.grid.test_figures import call
from tests.grid.test_main_job import GridCase

NUMBER = "services/customer/suppliers-number"


class ResizingTests(GridCase):
    def setUp(self) -> None:
        super().setUp()
        self.data: dict[str, bytes] = {}
        self.restores = self.starts = 0
        self.addCleanup(self.grid.run, 130, 1.0)

    def family(self, node: GridNode):
        return node.rooms.suppliers.family.current

    def put(self, node: GridNode, name: str, size: int = 150_000) -> None:
        path, self.data[name] = self.file(name, size)
        self.upload(node, path, name)

    def set_number(self, node: GridNode, n: int) -> None:
        node.settings[NUMBER] = n
        node.node.settings.set(NUMBER, n)

    def until_over(self, node: GridNode, n: int, seconds: float = 400) -> None:
        """The family has the size, every pack is coded for it, and nobody is left beyond it."""
        self.grid.until(
            lambda: self.family(node).n == n and not self.family(node).is_changing, seconds, f"the family of {n}"
        )

    def compare(self, node: GridNode) -> None:
        """Every file comes back, byte for byte."""
        for name, data in self.data.items():
            self.restores += 1
            target = self.base / f"back-{self.restores}"
            self.download(node, name, target)
            self.assertEqual((target / name).read_bytes(), data)

    def compare_with_only(self, node: GridNode, there: list[bytes]) -> None:
        """The same while nobody but these suppliers can be reached."""
        reached = {one.address for one in self.suppliers if one.fingerprint in there} | {node.address}
        self.grid.network.cut = lambda one, other: node.address in (one, other) and not {one, other} <= reached
        self.grid.run(1)
        try:
            self.compare(node)
        finally:
            self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: len(node.rooms.suppliers.connectors.connected()) == self.family(node).n, 300)

    def of(self, fingerprint: bytes) -> GridNode:
        return next(one for one in self.suppliers if one.fingerprint == fingerprint)

    def contracts(self, customer: GridNode) -> list[bool]:
        """Which suppliers have a contract with the customer."""
        return [one.rooms.customers.store.contract_of(customer.fingerprint) is not None for one in self.suppliers]

    def test_two_four_seven_two(self) -> None:
        """After each step any k of n give everything back; in the end five are dismissed and keep nothing."""
        self.add_suppliers(7)
        alice = self.add_customer(**{NUMBER: 2})
        self.put(alice, "first")
        for n in (4, 7, 2):
            self.set_number(alice, n)
            self.grid.run(3)
            self.compare(alice)
            self.until_over(alice, n)
            self.put(alice, f"for-{n}", 50_000)
            k, seats = (n + 1) // 2, self.family(alice).suppliers
            self.compare_with_only(alice, seats[:k])
            self.compare_with_only(alice, seats[n - k :])
        self.grid.run(30)
        self.assertEqual(sum(self.contracts(alice)), 2)

    def test_killed_at_each_stage(self) -> None:
        """A customer that is killed while it hires, prepares, moves and dismisses goes on at its next start."""
        self.add_suppliers(4)
        alice = self.add_customer(**{NUMBER: 2})
        for number in range(3):
            self.put(alice, f"file-{number}", 60_000)
        for n in (4, 2):
            self.set_number(alice, n)
            for pause in (0.2, 1.5, 3.0, 6.0):
                self.grid.run(pause)
                alice = self.restart(alice)
                self.compare(alice)
            self.until_over(alice, n)
            self.compare_with_only(alice, self.family(alice).suppliers[-((n + 1) // 2) :])

    def restart(self, node: GridNode) -> GridNode:
        """The process dies without a word; its home starts again under another address."""
        node.crash()
        self.starts += 1
        again = node.again(f"10.0.1.{self.starts}")
        self.grid.until(lambda: again.is_on("my_data"), 300, "the storage")
        return again

    def test_recovered_in_the_middle(self) -> None:
        """With the home gone while packs move, the key file gives everything back, and the change comes to its end."""
        self.add_suppliers(4)
        alice = self.add_customer(**{NUMBER: 2, "services/data-motion/moving-limit": 20_000})
        for number in range(3):
            self.put(alice, f"file-{number}", 60_000)
        self.set_number(alice, 4)
        self.grid.until(lambda: self.family(alice).n == 4, 100)
        self.grid.run(4)
        key_file = self.key_file(alice)
        alice.crash()
        shutil.rmtree(alice.home)
        again = self.recover(key_file)
        self.compare(again)
        self.assertEqual(again.node.settings.get(NUMBER), 4)

    def test_a_supplier_is_lost_in_the_middle(self) -> None:
        """One of the four that are there goes for good while packs move: nothing is lost, and the change ends."""
        self.add_suppliers(4)
        alice = self.add_customer(**{NUMBER: 4, "services/data-motion/moving-limit": 30_000})
        for number in range(3):
            self.put(alice, f"file-{number}", 60_000)
        self.set_number(alice, 2)
        self.grid.until(lambda: self.family(alice).n == 2, 100)
        self.grid.run(3)
        self.of(self.family(alice).beyond[1]).kill()
        self.compare(alice)
        self.grid.until(lambda: self.family(alice).former is None, 400)
        self.compare_with_only(alice, self.family(alice).suppliers[:1])
        self.compare_with_only(alice, self.family(alice).suppliers[1:])

    def test_two_devices(self) -> None:
        """The other device follows: its setting, its catalog, and what it uploads; only one of them moves packs."""
        self.add_suppliers(4)
        alice = self.add_customer(**{NUMBER: 2})
        self.put(alice, "first", 60_000)
        other = self.recover(self.key_file(alice))
        self.grid.until(lambda: len(alice.rooms.identity.me.document.devices) == 2, 700)
        self.set_number(alice, 4)
        self.grid.until(lambda: not self.family(alice).is_changing, 400)
        self.grid.until(lambda: other.node.settings.get(NUMBER) == 4, 400)
        self.put(other, "second", 60_000)
        self.compare(other)
        self.grid.run(400, 0.5)
        self.compare(alice)
        for node in (alice, other):
            self.compare_with_only(node, self.family(node).suppliers[2:])
            self.assertEqual({row[0] for row in self.living(node)}, {4})

    def living(self, node: GridNode) -> list:
        query = "SELECT n FROM packs WHERE state=1"
        return list(node.rooms.storage.core.catalog.read.execute(query))

    # packs that are nowhere

    def begin_without(self, lost: int) -> GridNode:
        """Four suppliers with two files, of which so many lose their pieces of the second; two are wanted then."""
        self.add_suppliers(4)
        alice = self.add_customer(**{NUMBER: 4})
        for name in ("whole", "lost"):
            self.put(alice, name, 60_000)
        self.grid.run(5)
        catalog, item = alice.rooms.storage.core.catalog.read, alice.rooms.storage.info("lost", False, False)["path_id"]
        (pack,) = catalog.execute("SELECT pack FROM version_packs WHERE path=?", (item,)).fetchone()
        self.disks: dict[bytes, tuple[Path, Path]] = {}
        for place, who in enumerate(self.family(alice).suppliers[:lost]):
            path = PieceName(alice.fingerprint, bytes(pack), place).path(self.of(who).home / "customers")
            self.disks[who] = (path, self.base / f"disk-{place}")
            self.plug(who, *self.disks[who])
        self.set_number(alice, 2)
        return alice

    def plug(self, who: bytes, before: Path, after: Path) -> None:
        """A part of a supplier's disk is somewhere else at its next start."""
        supplier = self.of(who)
        supplier.stop()
        shutil.move(before, after)
        self.starts += 1
        again = supplier.again(f"10.0.2.{self.starts}")
        self.suppliers[self.suppliers.index(supplier)] = again
        self.grid.until(lambda: again.is_on("supplier"), 60, "the supplier")

    def nowhere(self, node: GridNode) -> dict:
        return call(self.grid, node, "storage_risk")["moving"]["reencoding"]["nowhere"]

    def a_month_later(self, node: GridNode) -> GridNode:
        """The node starts again when ten minutes of the month are left."""
        node.stop()
        with sqlite3.connect(node.home / "catalog.db") as database:
            self.assertEqual(database.execute("UPDATE nowhere SET seconds=?", (MONTH - 600,)).rowcount, 1)
        database.close()
        self.starts += 1
        again = node.again(f"10.0.1.{self.starts}")
        self.grid.until(lambda: again.is_on("my_data"), 300, "the storage")
        return again

    def state(self, node: GridNode) -> str:
        return node.rooms.suppliers.resizing.state

    def test_a_pack_that_is_nowhere(self) -> None:
        """It is named at once, and left out after a month; a disk that comes back after that gives the file back, it
        moves, and then those go who were suppliers before."""
        alice = self.begin_without(3)
        whole = self.data.pop("whole")
        lost, self.data = self.data, {"whole": whole}
        name = alice.rooms.storage.info("lost", False, False)["remote_path"]
        named = {"packs": 1, "left_out": 0, "remote_paths": [name]}
        self.grid.until(lambda: self.family(alice).n == 2 and self.nowhere(alice) == named, 300, "the word")
        self.grid.run(900, 0.5)
        self.assertEqual((self.state(alice), self.nowhere(alice)), ("MOVING", named))
        self.compare_with_only(alice, self.family(alice).suppliers[:1])
        alice = self.a_month_later(alice)
        self.assertEqual(self.state(alice), "MOVING")
        self.grid.until(lambda: self.state(alice) == "KEEPING", 1500, "the end for all others")
        self.assertEqual(self.nowhere(alice)["left_out"], 1)
        self.grid.run(120)
        self.assertEqual((self.state(alice), sum(self.contracts(alice))), ("KEEPING", 4))
        back = self.family(alice).beyond[0]
        self.plug(back, *reversed(self.disks[back]))
        self.data |= lost
        self.until_over(alice, 2, 5000)
        self.compare_with_only(alice, self.family(alice).suppliers[:1])
        self.compare_with_only(alice, self.family(alice).suppliers[1:])
        self.grid.run(30)
        self.assertEqual(sum(self.contracts(alice)), 2)

    def test_a_file_that_is_nowhere_is_deleted(self) -> None:
        """That ends the change at once, before the month or after it."""
        alice = self.begin_without(3)
        self.grid.until(lambda: self.family(alice).n == 2 and self.nowhere(alice)["packs"], 300, "the word")
        alice = self.a_month_later(alice)
        self.grid.until(lambda: self.state(alice) == "KEEPING", 1500, "the end for all others")
        self.run_now(alice.rooms.storage.delete("lost"))
        del self.data["lost"]
        self.until_over(alice, 2)
        self.compare(alice)
        self.grid.run(30)
        self.assertEqual(sum(self.contracts(alice)), 2)
