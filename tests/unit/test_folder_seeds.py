"""Three nodes of one folder under random edits, partitions and deaths: all come to the same, and nothing is lost.

``python -m tests.unit.test_folder_seeds FIRST COUNT`` runs other seeds.
"""

import os
import random
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders.writing import Writer
from tests.unit.folder_kit import Replica, plain_secret, settle

SEEDS = 40
STEPS = 40
NAMES = ("a", "b", "c.txt", "d/a", "d/b", "d/e/f", "x/y")


class Story:
    """One seed: who did what, and what must be found at the end."""

    def __init__(self, base: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.nodes = [Replica(base, name, plain_secret()) for name in ("alice", "bob", "carol")]
        self.written = 0
        self.told: list[str] = []
        self.final: dict[bytes, str] = {}
        """What somebody wrote and nobody has replaced, moved away or deleted knowingly."""

    def run(self) -> None:
        for _ in range(STEPS):
            step = self.random.choice((self.write, self.write, self.write, self.delete, self.rename, self.meet,
                                       self.meet, self.scan, self.die))  # fmt: skip
            step(self.random.choice(self.nodes))
        settle(*self.nodes, rounds=20)

    def files(self, node: Replica) -> list[str]:
        return sorted(name for name, data in node.tree().items() if isinstance(data, bytes))

    def write(self, node: Replica) -> None:
        """New content, of which there is no other."""
        name = self.random.choice(NAMES)
        path = node.root / name
        if path.is_dir() or any(above.is_file() for above in path.parents):
            return
        if path.exists():
            self.given_up(node, path.read_bytes())
        self.written += 1
        data = f"{node.name} {self.written} ".encode() * self.random.choice((1, 10, 5000))
        moment = 1_800_000_000 + self.random.randrange(100)
        node.write(name, data, moment)
        self.final[data] = f"{node.name} wrote {name}"
        self.told.append(f"{node.name} writes {name}: {self.written}")

    def given_up(self, node: Replica, data: bytes) -> None:
        """Its person has replaced or deleted what was there: nobody need keep it, save where it was told already."""
        self.final.pop(data, None)

    def delete(self, node: Replica) -> None:
        names = self.files(node)
        if names:
            name = self.random.choice(names)
            self.given_up(node, (node.root / name).read_bytes())
            node.remove(name)
            self.told.append(f"{node.name} deletes {name}")

    def rename(self, node: Replica) -> None:
        names = self.files(node)
        new = self.random.choice(NAMES)
        target = node.root / new
        if not names or target.exists() or any(above.is_file() for above in target.parents):
            return
        name = self.random.choice(names)
        if (node.root / name) in target.parents:
            return
        node.rename(name, new)
        self.told.append(f"{node.name} renames {name} to {new}")

    def scan(self, node: Replica) -> None:
        node.scan()
        self.told.append(f"{node.name} scans")

    def meet(self, node: Replica) -> None:
        other = self.random.choice([one for one in self.nodes if one is not node])
        node.sync(other)
        self.told.append(f"{node.name} meets {other.name}")

    def die(self, node: Replica) -> None:
        """The process is killed in the middle of bringing something to the disk, and starts again."""
        other = self.random.choice([one for one in self.nodes if one is not node])
        place, left = Writer.place, [self.random.randrange(3)]

        def kill(writer: Writer, *arguments: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(5, "the process is gone")
            return place(writer, *arguments)

        Writer.place = kill
        try:
            node.sync(other)
        finally:
            Writer.place = place
        node.close()
        node.open()
        self.told.append(f"{node.name} dies")

    def close(self) -> None:
        for node in self.nodes:
            node.close()


def check(case: SynchronousTestCase, base: Path, seed: int) -> None:
    """Run one seed. Raises what the case's assertions raise."""
    story = Story(base, seed)
    try:
        story.run()
        trees = [node.tree() for node in story.nodes]
        text = f"seed {seed}\n" + "\n".join(story.told)
        case.assertEqual(trees[0], trees[1], text)
        case.assertEqual(trees[0], trees[2], text)
        kept = {data for node in story.nodes for data in everything(node.root)}
        lost = [what for data, what in story.final.items() if data not in kept]
        case.assertEqual(lost, [], text)
    finally:
        story.close()


def everything(root: Path) -> set[bytes]:
    """All content below a folder, the archive too."""
    return {path.read_bytes() for path in root.rglob("*") if path.is_file() and not path.is_symlink()}


class SeedTests(SynchronousTestCase):
    """A few seeds each time."""


def _add(seed: int) -> None:
    def test(self: SeedTests) -> None:
        check(self, Path(self.mktemp()), seed)

    test.__doc__ = f"Seed {seed}: all trees are equal at the end, and all that was written is there, or replaced."
    setattr(SeedTests, f"test_seed_{seed:04}", test)


for _seed in range(SEEDS):
    _add(_seed)


def main(arguments: list[str]) -> int:
    """Other seeds; 1 where one fails."""
    first, count = (int(one) for one in arguments)
    case, failed = SeedTests("test_seed_0000"), []
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(case, Path(folder), seed)
            except Exception as error:  # noqa: BLE001 - the next seed is run as well
                failed.append(seed)
                sys.stdout.write(f"seed {seed}: {error}\n")
    sys.stdout.write(f"{count} seeds, {len(failed)} failed: {failed}\n")
    return int(bool(failed))


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main(sys.argv[1:]))
