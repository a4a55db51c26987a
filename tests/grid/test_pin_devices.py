"""Pins of two living devices of one person: neither destroys what the other one needs, whatever it removes."""

from pathlib import Path

from bitdust.blocks.backup.segments import CAR
from bitdust.blocks.values import Unpin
from bitdust.ipld.cid import Cid
from bitdust.testing.grid import GridNode
from tests.grid.test_pin_backup import SEGMENT, PinCase, noise

HALF = {SEGMENT: 1 << 20}


class TwoDevicesTests(PinCase):
    def joined(self, key_file: Path) -> GridNode:
        """Another device, which has taken over what there is."""
        other = self.begin(key_file, "alice-too")
        self.grid.until(lambda: other.is_on("my_data"), 300, "the recovery")
        self.switch_on(other)
        self.is_adopted(other)
        self.rests(other)
        return other

    def lets_go(self, node: GridNode, cid: Cid) -> None:
        """It is pinned no more, is collected, and what that leaves of segments was seen to."""
        store = node.rooms.blocks.store
        self.grid.wait(store.apply(Unpin(cid)))
        collection = store.collect()
        self.grid.wait(collection.machine.when(*collection.machine.final))
        self.backed_up(node)

    def segments(self, node: GridNode) -> set[str]:
        """Segments that suppliers have, as a device sees them."""
        versions = self.grid.wait(node.rooms.blocks.backup.shelf.versions())
        return {name for name in versions if name.endswith(CAR)}

    def test_one_lets_go_of_what_the_other_needs(self) -> None:
        """What one device unpins and collects, also by rewriting a segment that both have, stays for the other; what
        neither needs goes; what each pins afterwards the other leaves alone."""
        self.add_suppliers(2)
        alice = self.add_customer(**{"services/customer/suppliers-number": 2, **HALF})
        self.switch_on(alice)
        self.rests(alice)
        data = {"large": noise("large", 600_000), "small": noise("small", 200_000)}
        cids = self.add(alice, **data)
        self.backed_up(alice)
        other = self.joined(self.key_file(alice))
        self.assertEqual(self.pins(other), set(cids.values()))
        theirs = self.add(other, more=noise("more", 300_000))["more"]
        self.backed_up(other)
        self.lets_go(alice, cids["large"])
        self.assertEqual(self.pins(other), {*cids.values(), theirs})
        for name, cid in cids.items():
            self.assertEqual(self.cat(other, cid), data[name])
        self.lets_go(other, theirs)
        self.lets_go(other, cids["large"])
        self.run_now(alice.rooms.blocks.store.saving.drop(1 << 40))
        self.assertEqual(self.cat(alice, cids["small"]), data["small"])
        self.run_now(other.rooms.blocks.store.saving.drop(1 << 40))
        self.assertEqual(self.cat(other, cids["small"]), data["small"])
        self.grid.run(60)
        self.assertEqual(self.segments(alice), self.segments(other))
        self.assertLessEqual(len(self.segments(alice)), 2)
