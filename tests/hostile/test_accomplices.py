"""Whole nodes: a stolen device has put accomplices in the places of all suppliers, who give nothing back."""

from tests.hostile.test_revoked_device import StolenCase, called


class AccomplicesTests(StolenCase):
    def test_a_revocation_brings_all_back(self) -> None:
        """The owner's node follows the thief's family for a while; then it has its suppliers again, and its files."""
        owner = self.recover(self.key_file(self.alice))
        self.grid.until(lambda: self.is_together(owner), 60, "peace")
        before = owner.rooms.suppliers.family.members
        evil = [bytes([200 + number]) * 32 for number in range(len(before))]
        thief = self.alice.rooms.suppliers.family
        thief.write(evil, [None] * len(evil))
        owner.rooms.suppliers.family.adopt(thief.signed)
        self.assertEqual(owner.rooms.suppliers.family.members, evil)
        self.grid.run(120)
        self.run_now(called(owner, "identity_device_revoke", device="0"))
        self.grid.until(lambda: owner.rooms.suppliers.family.members == before, 60, "the former family")
        self.download(owner, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.data)
