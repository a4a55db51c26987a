"""Damage to what suppliers hold, within the promise: half of a family, rounded up, keeps honest disks at every moment.

A damaged supplier counts as dishonest until its disk holds again all that it should; who lies, until it is dismissed.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.grid.chaos import lies, rot, weak
from tests.grid.chaos.field import Field
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.truth import Truth


class Damage:
    """I damage disks, and know which are honest."""

    def __init__(self, field: Field, owners: list[Owner], truth: Truth) -> None:
        self.field = field
        self.random = field.random
        self.owners = owners
        self.truth = truth
        self.dishonest: dict[str, str] = {}

    # who may be damaged

    def review(self) -> None:
        """Who was healed, or belongs to no family any more, counts as honest."""
        if not all(owner.ready() for owner in self.owners):
            return
        for name in list(self.dishonest):
            node = self.field.suppliers[name]
            if not node.lie and not any(self.truth.lacking(owner.home, node) for owner in self.owners):
                self.field.note(f"{name} is whole again")
                del self.dishonest[name]

    def may_damage(self, node: ChaosNode) -> bool:
        """Whether everything that was promised can be restored without it, too."""
        without = {*self.dishonest, node.name}
        if not all(owner.ready() for owner in self.owners):
            return False
        for owner in self.owners:
            members = self.truth.suppliers(owner.home)
            left = [one for one in members.values() if one.name not in without]
            if node.fingerprint in members and len(left) < owner.k:
                return False
            packs = self.truth.packs(owner.home)
            if any(self.truth.good(owner.home, pack, without) < pack.record.scheme.k for pack in packs):
                return False
            ends = self.truth.own_ends(owner.home)
            if not any(self._knows(one, owner, ends) for one in left):
                return False
        return True

    def _knows(self, node: ChaosNode, owner: Owner, ends: dict[bytes, int]) -> bool:
        who = owner.fingerprint
        there = self.truth.log_ends(node, who)
        return self.truth.has_ring(node, who) and all(there.get(device, 0) >= end for device, end in ends.items())

    def _choose(self) -> ChaosNode | None:
        self.review()
        for owner in self.owners:
            for home in owner.ready():
                self.truth.check_acknowledged(home, set(self.dishonest))
        choice = [node for name, node in self.field.suppliers.items() if name not in self.dishonest]
        node = self.random.choice(choice) if choice else None
        return node if node is not None and self.may_damage(node) else None

    # what happens

    def step(self, how: str, damage: Callable[[ChaosNode], int | None]) -> None:
        """Damage somebody, if anybody may be."""
        node = self._choose()
        if node is None:
            return
        count = damage(node)
        if count != 0:
            self.dishonest[node.name] = how
            self.field.note(f"{how}: {node.name}{f', {count} pieces' if count else ''}")

    def rot(self) -> None:
        """Some pieces change, shorten or go."""

        def shorten(path: Path) -> None:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

        kinds: dict[str, Callable[[ChaosNode], int | None]] = {
            "bytes rot": lambda node: rot.rot_files(
                node, self.random, lambda path: rot_file(path, self)
            ),
            "files shorten": lambda node: rot.rot_files(node, self.random, shorten),
            "files go": lambda node: rot.rot_files(node, self.random, Path.unlink),
            "rows rot": lambda node: rot.rot_rows(node, self.random, False),
            "rows go": lambda node: rot.rot_rows(node, self.random, True),
        }
        how = self.random.choice(sorted(kinds))
        self.step(how, kinds[how])

    def lose(self) -> None:
        """A supplier's disk is lost, or a part of it; the supplier starts again over what is left."""
        kinds = {"store lost": rot.lose_store, "database lost": rot.lose_database, "pieces lost": rot.lose_pieces}
        if "logs of two devices after a loss" in weak.OPEN and any(owner.devices > 1 for owner in self.owners):
            kinds = {"pieces lost": rot.lose_pieces}
        how = self.random.choice(sorted(kinds))

        def damage(node: ChaosNode) -> None:
            was_up = node.is_up
            node.kill()
            kinds[how](node)
            if was_up:
                self.field.later(self.random.choice((1, 60, 600)), partial(self._start, node.name))

        self.step(how, damage)

    def _start(self, name: str) -> None:
        node = self.field.suppliers[name]
        if not node.is_up:
            self.field.restarted(node)

    def lie(self) -> None:
        """A supplier begins to lie."""
        how = self.random.choice(lies.KINDS)

        def damage(node: ChaosNode) -> None:
            lies.begin(node, how)

        self.step(how, damage)

    def end_lies(self) -> None:
        """Those who lied are honest suppliers with what they have left."""
        for node in list(self.field.suppliers.values()):
            if node.lie:
                node.kill()
                lies.end(node)
                self.field.restarted(node)


def rot_file(path: Path, damage: Damage) -> None:
    """One bit of a file changes."""
    path.write_bytes(rot.flip(path.read_bytes(), damage.random))
