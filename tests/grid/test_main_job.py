"""The main job with whole nodes in memory: loss, latency, partitions, death, recovery; minutes pass in seconds."""

import os
import shutil
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.testing.grid import SEED_HOST, Grid, GridNode

NO_CUSTOMER = {"services/customer/enabled": False}
NO_SUPPLIER = {"services/supplier/enabled": False}


class GridCase(SynchronousTestCase):
    """One seed, and as many suppliers as a test asks for."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.grid = Grid(self.base)
        self.addCleanup(self._end)
        server = {"services/identity-server/enabled": True, "services/identity-server/host": SEED_HOST}
        self.seed = self.grid.add("seed", **server, **NO_CUSTOMER, **NO_SUPPLIER)
        self.seed.start()
        self.suppliers: list[GridNode] = []

    def _end(self) -> None:
        self.grid.stop()
        self.grid.run(1)
        left = [call for call in self.grid.clock.getDelayedCalls() if call.active()]
        self.assertEqual([str(call) for call in left], [])

    def add_suppliers(self, count: int, **settings) -> None:
        for _ in range(count):
            node = self.grid.add(f"supplier-{len(self.suppliers) + 1}", **NO_CUSTOMER, **settings)
            node.start()
            node.create_identity()
            self.grid.until(lambda node=node: node.is_on("supplier"), what=node.name)
            self.suppliers.append(node)

    def add_customer(self, name: str = "alice", **settings) -> GridNode:
        node = self.grid.add(name, **NO_SUPPLIER, **settings)
        node.start()
        node.create_identity()
        self.grid.until(lambda: node.is_on("my_data"), 300, "the storage")
        return node

    def upload(self, node: GridNode, local: Path, remote: str) -> None:
        storage = node.rooms.storage
        self.run_now(storage.create(remote, local.is_dir(), True, None))
        task = self.run_now(storage.upload(str(local.absolute()), remote))
        self.grid.wait(task.completion, 600)

    def download(self, node: GridNode, remote: str, target: Path) -> None:
        task = self.run_now(node.rooms.storage.download(remote, str(target.absolute()), "replace"))
        self.grid.wait(task.completion, 600)

    def run_now(self, coroutine):
        return self.grid.wait(Deferred.fromCoroutine(coroutine))

    def key_file(self, node: GridNode) -> Path:
        path = self.base / "alice.key"
        path.write_text(node.rooms.identity.registration.backup(None))
        return path

    def recover(self, key_file: Path, name: str = "alice-again") -> GridNode:
        """A node with default settings and the key file, nothing else."""
        node = self.grid.add_stranger(name)
        node.start()
        self.grid.wait(node.rooms.identity.registration.recover(key_file.read_text(), None, None), 300)
        self.grid.until(lambda: node.is_on("my_data"), 300, "the recovery")
        return node

    def file(self, name: str, size: int = 300_000) -> tuple[Path, bytes]:
        path = self.base / name
        data = os.urandom(size)
        path.write_bytes(data)
        return path, data


class MainJobTests(GridCase):
    def test_everything_comes_back(self) -> None:
        """Hired through the DHT; with half of the suppliers and the home gone a key file gives everything back."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file", 2_000_000)
        self.upload(alice, path, "file")
        key_file = self.key_file(alice)
        alice.kill()
        shutil.rmtree(alice.home)
        for supplier in self.suppliers[1:3]:
            supplier.kill()
        again = self.recover(key_file)
        self.download(again, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_no_id_server_need_live(self) -> None:
        """The same with the seed dead and a key file from before a change of the family."""
        self.add_suppliers(4)
        alice = self.add_customer()
        key_file = self.key_file(alice)
        self.add_suppliers(1)
        gone = next(one for one in self.suppliers if self.is_hired(alice, one))
        gone.kill()
        self.grid.until(lambda: not self.is_hired(alice, gone), 600, "the replacement")
        self.grid.until(lambda: alice.is_on("my_data"), 300, "the storage")
        path, data = self.file("file")
        self.upload(alice, path, "file")
        self.grid.run(5)
        alice.kill()
        self.seed.kill()
        again = self.recover(key_file)
        self.download(again, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def is_hired(self, customer: GridNode, supplier: GridNode) -> bool:
        return supplier.fingerprint in customer.rooms.suppliers.family.members

    def test_over_a_bad_network(self) -> None:
        """With 150 ms one way and every tenth datagram lost suppliers are found, and a file goes and comes."""
        self.add_suppliers(4)
        self.grid.network.latency = 0.15
        self.grid.network.loss = 0.1
        alice = self.add_customer()
        path, data = self.file("file", 1_000_000)
        self.upload(alice, path, "file")
        self.download(alice, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_a_partition_heals(self) -> None:
        """Cut off from two suppliers a customer goes on; when the cut heals, they get what they missed."""
        self.add_suppliers(4)
        alice = self.add_customer()
        away = {supplier.address for supplier in self.suppliers[:1]}
        self.grid.network.cut = lambda one, other: (one in away) != (other in away)
        path, data = self.file("file")
        self.upload(alice, path, "file")
        self.grid.run(120)
        self.assertEqual(self.reliable(alice, "file"), "75%")
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: self.reliable(alice, "file") == "100%", 600, "the missing piece")

    def reliable(self, node: GridNode, path: str) -> str:
        return str(node.rooms.storage.info(path, False, False)["versions"][-1]["reliable"])

    def test_two_and_seven_suppliers(self) -> None:
        """Families of two and of seven are hired, and any half of them gives a file back."""
        self.add_suppliers(7)
        for count in (2, 7):
            alice = self.add_customer(f"alice-{count}", **{"services/customer/suppliers-number": count})
            path, data = self.file(f"file-{count}")
            self.upload(alice, path, path.name)
            self.grid.run(5)
            self.assertEqual(len(alice.rooms.suppliers.family.members), count)
            mine = [one for one in self.suppliers if self.is_hired(alice, one)]
            away = {supplier.address for supplier in mine[: count // 2]}
            self.grid.network.cut = lambda one, other, away=away: one in away or other in away
            self.download(alice, path.name, self.base / "back")
            self.assertEqual((self.base / "back" / path.name).read_bytes(), data)
            self.grid.network.cut = lambda one, other: False
            self.grid.run(60)

    def test_candidates_are_not_needed(self) -> None:
        """Nothing in the customer's settings names a supplier: without the DHT it hires nobody."""
        self.add_suppliers(4)
        alice = self.grid.add("alice", **NO_SUPPLIER, **{"services/entangled-dht/known-nodes": "10.9.9.9:1"})
        alice.start()
        alice.create_identity()
        self.grid.run(60)
        self.assertFalse(alice.is_on("employer"))
        self.assertEqual(alice.node.settings.get("services/employer/candidates"), "")
