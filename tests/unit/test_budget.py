"""What a node takes of its machine: files and memory are measured once and shared out."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.budget import LEAST_FILES, MIB, WANTED_FILES, Budget, Measured, contents, memory_limit, raise_open_files
from bitdust.transport.gateway import Gateway
from bitdust.wire.addresses import Address
from bitdust.wire.errors import BitDustError
from tests.unit.supplier_kit import Pack, Person, Shop, now
from tests.unit.test_cli import run

ALICE = Person("alice")


class BudgetTests(SynchronousTestCase):
    def test_a_large_machine(self) -> None:
        """Where there is enough of everything, the limits are the fixed ones, and nothing is to be warned of."""
        measured = Measured(WANTED_FILES, 16 * 1024 * MIB)
        self.assertEqual((measured.budget(), measured.warnings()), (Budget(), []))

    def test_files_are_shared_out(self) -> None:
        """All shares together leave the node's own files, for every number of files that is accepted."""
        for files in range(LEAST_FILES, 5000, 7):
            made = Budget.of(files, 16 * 1024 * MIB)
            taken = made.sessions + made.unproven + made.pieces + made.api_connections + made.web_sockets
            self.assertLessEqual(taken, files - 120, files)
            self.assertGreater(min(made.sessions, made.unproven, made.pieces, made.api_connections), 10)
            self.assertGreater(made.web_sockets, 5)

    def test_too_few_files(self) -> None:
        """Under the least number it refuses, in words that say what to do; a small number is warned of."""
        error = self.assertRaises(BitDustError, Budget.of, LEAST_FILES - 1, 10**9)
        self.assertEqual(error.code, "too-few-files")
        self.assertIn("ulimit -n 2048", str(error))
        (warning,) = Measured(1024, 10**9).warnings()
        self.assertIn("at most 406 peers", warning)

    def test_little_memory(self) -> None:
        """With little memory fewer pieces and sessions are taken and downloads hold less; the owner is warned."""
        small = Measured(WANTED_FILES, 128 * MIB)
        made = small.budget()
        self.assertEqual((made.pieces, made.sessions, made.restoring), (16, 128, 4 * MIB))
        self.assertIn("128 MiB of memory", small.warnings()[0])
        self.assertEqual(Budget.of(WANTED_FILES, 1).restoring, MIB)


class MeasureTests(SynchronousTestCase):
    def limit(self, files: dict[str, str]) -> int:
        def read(path: str) -> str:
            if path not in files:
                raise FileNotFoundError(path)
            return files[path]

        return memory_limit(read, lambda: 1000)

    def test_groups(self) -> None:
        """The smallest of machine, own group and groups above counts, in either version; no limit is none."""
        own = {"/proc/self/cgroup": "0::/user/bitdust.service\n"}
        self.assertEqual(self.limit({}), 1000)
        self.assertEqual(self.limit(own | {"/sys/fs/cgroup/user/bitdust.service/memory.max": "max\n"}), 1000)
        self.assertEqual(self.limit(own | {"/sys/fs/cgroup/user/bitdust.service/memory.max": "700\n"}), 700)
        self.assertEqual(self.limit(own | {"/sys/fs/cgroup/user/memory.max": "600\n"}), 600)
        self.assertEqual(self.limit({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "500"}), 500)
        old = {"/proc/self/cgroup": "5:cpu:/x\n4:memory:/docker/1\nnonsense\n"}
        path = "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes"
        self.assertEqual(self.limit(old | {path: "400"}), 400)
        self.assertEqual(self.limit(old | {path: str(2**63)}), 1000)

    def test_a_group_of_any_name(self) -> None:
        """A group whose name is not ASCII, or not even UTF-8, counts like any other, and stops nothing."""
        root = Path(self.mktemp()).absolute()
        for name in ("größe".encode(), b"\xff"):
            group = os.fsencode(root) + b"/sys/fs/cgroup/" + name
            os.makedirs(group)
            Path(os.fsdecode(group + b"/memory.max")).write_text("300\n")
            (root / "proc/self").mkdir(parents=True, exist_ok=True)
            (root / "proc/self/cgroup").write_bytes(b"0::/" + name + b"\n")
            self.assertEqual(memory_limit(lambda path: contents(f"{root}{path}"), lambda: 1000), 300)

    def test_this_machine(self) -> None:
        """What is measured here is possible."""
        self.assertGreater(memory_limit(), 64 * MIB)
        self.assertGreaterEqual(raise_open_files(), min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], WANTED_FILES))

    def test_the_soft_limit_is_raised(self) -> None:
        """A process that may open more than it does by default does so; one that may not says how many."""
        code = (
            "import resource; from bitdust.budget import *\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (300, 900)); print(raise_open_files())\n"
            "print(resource.getrlimit(resource.RLIMIT_NOFILE)); print(raise_open_files())"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.split("\n")[:3], ["900", "(900, 900)", "900"])

    def test_a_node_with_too_few_files_does_not_start(self) -> None:
        """`bitdust start` ends with exit code 1 and the reason."""
        home = Path(self.mktemp()).absolute()
        run(str(home), "set", "services/network/interface", "127.0.0.1")
        command = f"ulimit -n 100; exec {sys.executable} -m bitdust --appdir {home} start"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("BitDust cannot start: this process may open 100 files", done.stderr)


class SharesTests(SynchronousTestCase):
    def test_pieces(self) -> None:
        """A supplier takes and gives as many pieces at a time as its share, says busy to more, and then goes on."""
        folder = Path(self.mktemp()) / "customers"
        folder.parent.mkdir(parents=True)
        shop = Shop(folder, pieces=8)
        shop.open()
        self.addCleanup(shop.crash)
        shop.hire(ALICE)
        packs = [Pack(ALICE, number) for number in range(4)]
        self.assertIsNone(shop.put(ALICE, packs[0]).code)
        given = [shop.get(ALICE, packs[0]) for _ in range(2)]
        self.assertEqual(shop.get(ALICE, packs[0]).code, "busy")
        self.assertIsNone(shop.put(ALICE, packs[1]).code)
        coming = [shop.store.receive(self.name(pack), pack.record, pack.signed.to_bytes()) for pack in packs[2:]]
        self.assertEqual(shop.put(ALICE, packs[1]).code, "busy")
        self.assertEqual(given.pop().bytes, packs[0].pieces[0])
        self.assertIsNone(shop.get(ALICE, packs[0]).code)
        now(coming.pop().abort())
        self.assertIsNone(shop.put(ALICE, packs[1]).code)
        now(coming.pop().abort())
        self.assertEqual(given.pop().bytes, packs[0].pieces[0])
        self.assertEqual(now(shop.store.find(self.name(packs[1]))).source.size, len(packs[1].pieces[0]))

    def name(self, pack: Pack):
        from bitdust.customers.names import PieceName

        return PieceName(ALICE.fingerprint, pack.id, 0)

    def test_sessions(self) -> None:
        """Of more connections than its share a gateway keeps the newest."""
        from tests.unit.transport_kit import Memory

        alice = Memory(Path(self.mktemp())).person("master", "alice")
        tight = Budget(unproven=2)
        gateway = Gateway(evolve(alice.around, budget=tight))
        accept = gateway._listener.accept
        made = [accept(Address("tcp", "127.0.0.1", port)) for port in (1, 2, 3)]
        self.assertEqual([session.ended is not None for session in made], [True, False, False])
        alice.registry.shutdown()
