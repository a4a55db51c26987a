"""Becoming an identity on a disk that takes a part of it: the next try, and the next start, find nothing broken."""

import errno

from bitdust.crypt.keyring import RingKey
from bitdust.identity.me import Me
from bitdust.testing.faulty_disk import Change, Fault, FaultyDisks
from tests.unit.test_identity import GOOD, HomeCase, device, master


class AdoptingTests(HomeCase):
    def setUp(self) -> None:
        super().setUp()
        self.full_for = ""
        self.disks = FaultyDisks()
        self.disks.watch(self.home, self.judge)
        self.me = Me(self.world, self.events)
        self.ring = self.home / "metadata" / "keyring"

    def judge(self, change: Change) -> Fault | None:
        full = self.full_for and change.path.name.endswith(f"-{self.full_for}")
        return Fault(OSError(errno.ENOSPC, "no space")) if full else None

    def adopt(self, full_for: str = "", fresh: bool = True) -> None:
        self.full_for = full_for
        with self.disks.installed():
            self.me.adopt(GOOD, master(), device(), fresh)

    def again(self) -> Me:
        me = Me(self.world, self.events)
        me.load()
        return me

    def test_nobody_is_in_the_way_of_the_next_try(self) -> None:
        """Whichever file a full disk does not take, this node is nobody afterwards, and can become somebody."""
        for name in ("mykeyfile", "devicekey", "username", "keyring", "localidentity"):
            self.assertRaises(OSError, self.adopt, name)
            self.assertFalse(self.me.present or self.again().present, name)
        self.adopt()
        self.assertEqual(self.again().document, GOOD)

    def test_a_ring_that_the_disk_does_not_take(self) -> None:
        """No secret counts that the next start would not know: who asks again gets one that is on the disk."""
        self.adopt()
        self.me.key_ring.add(RingKey("photos"))
        self.full_for = "keyring"
        with self.disks.installed():
            self.me.key_ring.ensure_secret("photos", self.world.entropy, self.me.device_number)
            self.assertRaises(OSError, self.me.save_key_ring)
        self.assertEqual(self.me.key_ring.to_bytes(), self.again().key_ring.to_bytes())
        self.me.key_ring.add(RingKey("photos"))
        self.assertTrue(self.me.key_ring.ensure_secret("photos", self.world.entropy, self.me.device_number))

    def test_the_ring_of_nobody_goes(self) -> None:
        """A ring that no key opens, of an identity that never came to be, does not break the one that is recovered."""
        self.ring.parent.mkdir(exist_ok=True)
        self.ring.write_bytes(b"sealed to a key that is gone")
        self.adopt(fresh=False)
        self.assertFalse(self.ring.exists())
        self.assertTrue(self.again().present)

    def test_the_own_ring_stays(self) -> None:
        """What an earlier try has left of the own ring is kept."""
        self.assertRaises(OSError, self.adopt, "localidentity")
        kept = self.ring.read_bytes()
        self.adopt(fresh=False)
        self.assertEqual(self.ring.read_bytes(), kept)
        self.assertEqual(self.me.key_ring.to_bytes(), self.again().key_ring.to_bytes())
