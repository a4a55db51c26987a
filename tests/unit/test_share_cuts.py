"""Where the logs of those who were shut out end."""

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import device_id
from bitdust.crypt.keyring import RingKey
from bitdust.crypt.shares import Grant
from bitdust.shares.cuts import Cuts
from bitdust.signal import Signal
from bitdust.wire.capability import Right
from tests.unit.storage_kit import network
from tests.unit.supplier_kit import DAY, START

KEY, DEVICE = "share_1", b"d" * 32
WRITING = (Right.READ, Right.LIST, Right.WRITE, Right.LOG)


class CutsTests(SynchronousTestCase):
    def setUp(self) -> None:
        _, _, node = network(self)
        self.ring = node.me.key_ring
        self.ring.add(RingKey(KEY))
        self.waited: set[bytes] = set()
        self.known, self.ends, self.looked, self.made = 0, {device_id(DEVICE): 7}, [], []
        self.withdrawals = SimpleNamespace(told=Signal(), known_to=lambda ident, suppliers: self.known)
        self.logs = SimpleNamespace(
            compared=Signal(),
            end_of=lambda key, device, guest: self.ends.get(device) if guest not in self.waited else None,
            look_again=lambda: self.looked.append(1),
        )
        family = SimpleNamespace(current=node.family())
        self.cuts = Cuts(node.connected, family, self.withdrawals, self.logs)
        self.cuts.made.connect(lambda: self.made.append(1))
        self.cuts.start()
        self.addCleanup(self.cuts.stop)

    def shut_out(self, rights=WRITING) -> None:
        grant = Grant(b"g" * 16, b"h" * 32, rights, 0, START, START + DAY, True, frozenset([DEVICE]))
        self.ring.grant(KEY, grant)

    def cut(self):
        (grant,) = self.ring.get(KEY).grants
        return grant.cut

    def compared(self, times: int = 1) -> None:
        for _ in range(times):
            self.logs.compared.emit()

    def test_when_enough_know(self) -> None:
        """Not before n-k+1 suppliers know and were asked twice more: of the first answers some may be older."""
        self.shut_out()
        self.known = 2
        self.withdrawals.told.emit()
        self.compared(5)
        self.assertEqual((self.cut(), self.looked), (None, []))
        self.known = 3
        self.withdrawals.told.emit()
        self.compared()
        self.assertEqual((self.cut(), len(self.looked)), (None, 2))
        self.compared()
        self.assertEqual((self.cut(), len(self.made)), ({device_id(DEVICE): 7}, 1))
        self.compared(3)
        self.assertEqual((len(self.made), len(self.looked)), (1, 2))

    def test_what_is_not_known_yet(self) -> None:
        """While not all is known here that was safe, nothing is cut off; it follows when it is."""
        self.shut_out()
        self.known, self.ends = 4, {}
        self.withdrawals.told.emit()
        self.compared(3)
        self.assertIsNone(self.cut())
        self.ends = {device_id(DEVICE): 9}
        self.compared()
        self.assertEqual(self.cut(), {device_id(DEVICE): 9})

    def test_what_is_listed_and_not_given(self) -> None:
        """Nothing is cut off while it may come, and suppliers are not asked for it without a pause."""
        self.shut_out()
        self.known, self.waited = 4, {b"h" * 32}
        self.withdrawals.told.emit()
        self.compared(9)
        self.assertEqual((self.cut(), len(self.looked)), (None, 2))
        self.waited, self.ends = set(), {device_id(DEVICE): 9}
        self.compared()
        self.assertEqual(self.cut(), {device_id(DEVICE): 9})

    def test_who_only_read(self) -> None:
        """There is no log of theirs that could end."""
        self.shut_out((Right.READ, Right.LIST))
        self.known = 4
        self.withdrawals.told.emit()
        self.compared(3)
        self.assertEqual((self.cut(), self.made, self.looked), (None, [], []))
