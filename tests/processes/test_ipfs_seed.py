"""Seed 004: every method of the reference, called through two versions of the unmodified client."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.ipfs_seed import older
from tests.ipfs_seed.running import EXAMPLES, NOT_THERE, signatures
from tests.ipfs_seed.shapes import Alone, Exactly, Fails, Like, WithIdentity
from tests.processes.ipfs_kit import IpfsCase

ROOT = Path(__file__).parents[2]


class SeedTests(IpfsCase):
    async def test_every_method(self) -> None:
        """Each printed example of what this node has runs in both clients, and answers in the printed shape."""
        self.start()
        await deferToThread(self.run_with, version("ipfshttpclient"), ROOT)
        if not older.FOLDER.is_dir():
            raise SkipTest(older.MISSING)
        await deferToThread(self.run_with, older.VERSION, older.FOLDER)

    def run_with(self, wanted: str, folder: Path) -> None:
        """In a process of its own, since one process can have one of the versions. The last example of a run before
        has switched IPFS off."""
        port = self.node.client.call("ipfs_enable")["port"]
        path = os.pathsep.join((str(folder), str(ROOT)))
        command = [sys.executable, "-m", "tests.ipfs_seed", str(port)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": path}, cwd=self.base, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(found["version"], wanted)
        self.assertEqual([row["name"] for row in found["methods"]], list(signatures()))
        self.assertEqual(wrong_ones(found["methods"]), {})


def wrong_ones(methods: list[dict[str, Any]]) -> dict[str, str]:
    """What is wrong with methods that the daemon has."""
    return {row["name"]: row["wrong"] for row in methods if row["wrong"] not in ("", NOT_THERE)}


class ShapeTests(SynchronousTestCase):
    def test_every_method_has_an_example(self) -> None:
        """All 83 methods of the reference have an example that is run, and no example is of anything else."""
        self.assertEqual(len(signatures()), 83)
        self.assertEqual(set(signatures()), {one.method for one in EXAMPLES})

    def test_like(self) -> None:
        """Names that are printed must be there with values of the same kind; more names, and other values, may be."""
        shape = Like({"Keys": {"Qm": {"Type": "x"}}, "List": [{"a": 1}], "n": 5})
        self.assertEqual(shape.wrong({"Keys": {"a": {"Type": "y"}}, "List": [{"a": 2, "b": 3}], "n": 1, "x": 0}), "")
        self.assertEqual(shape.wrong({"Keys": {}, "List": [], "n": 1}), "")
        self.assertIn(".n is str", shape.wrong({"Keys": {}, "List": [], "n": "1"}))
        self.assertIn(".List is missing", shape.wrong({"Keys": {}}))
        self.assertIn(".Type is missing", shape.wrong({"Keys": {"a": {}}, "List": [], "n": 1}))
        self.assertIn("not a list", shape.wrong({"Keys": {}, "List": {}, "n": 1}))
        self.assertIn(".a is missing", shape.wrong({"Keys": {}, "List": [{}], "n": 1}))
        self.assertIn("NoneType", shape.wrong(None))

    def test_exactly_and_errors(self) -> None:
        """What follows from content must be the same; an error has the printed words, and must be one."""
        self.assertEqual(Exactly({"a": 1}).wrong({"a": 1, "b": 2}), "")
        self.assertIn("instead of", Exactly({"a": 1}).wrong({"a": 2}))
        self.assertIn("instead of", Exactly(b"x").wrong(b"y"))
        self.assertEqual(Fails("is not pinned").told(ValueError("x is not pinned")), "")
        self.assertNotEqual(Fails("is not pinned").told(ValueError("x")), "")
        self.assertNotEqual(Fails("is not pinned").wrong({}), "")
        self.assertEqual(Alone([]).told(ValueError("routing: not found")), "")
        self.assertNotEqual(Alone([]).told(ValueError()), "")
        self.assertEqual(WithIdentity([]).told(ValueError("there is no identity yet: create one")), "")
        self.assertNotEqual(WithIdentity([]).told(ValueError("routing: not found")), "")
