"""What was said in a group by devices that nobody names at the moment."""

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from bitdust.groups.held_back import LONGEST, HeldBack
from bitdust.storage.shared.member_log import Said


class HeldBackTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 1000.0
        self.named = {b"known"}
        self.held = HeldBack(lambda: self.now)
        self.said = [Said(device, 1, {}) for device in (b"known", b"mine", b"forgotten")]

    def ready(self) -> list[bytes]:
        access = SimpleNamespace(device=lambda ident: object() if ident in self.named else None)
        return [one.device for one in self.held.ready(self.said, access, b"mine")]

    def test_until_it_is_named(self) -> None:
        """It waits while nobody names its device; mine, and what others say, do not."""
        self.assertEqual(self.ready(), [b"known", b"mine"])
        self.named.add(b"forgotten")
        self.assertEqual(self.ready(), [b"known", b"mine", b"forgotten"])

    def test_not_for_ever(self) -> None:
        """After ten minutes it is judged all the same; the wait begins anew where it was named meanwhile."""
        self.ready()
        self.now += LONGEST - 1
        self.assertEqual(self.ready(), [b"known", b"mine"])
        self.now += 1
        self.assertEqual(self.ready(), [b"known", b"mine", b"forgotten"])
        self.named.add(b"forgotten")
        self.ready()
        self.named.clear()
        self.assertEqual(self.ready(), [b"mine"])
