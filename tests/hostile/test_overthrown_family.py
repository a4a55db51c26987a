"""A stolen device writes a family of accomplices: the former suppliers are kept, and come back when it is revoked."""

from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.family_before import DAY, DAYS, HELD_DAYS
from bitdust.suppliers.family_merge import SizeChange
from bitdust.wire.records import MAX_SUPPLIERS, Family
from tests.unit.family_kit import Me
from tests.unit.supplier_kit import START, FakeDevice

A, B, C, D, W, X, Y, Z = (bytes([number]) * 32 for number in range(1, 9))
HONEST, EVIL = [A, B, C, D], [W, X, Y, Z]


class OverthrownTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = float(START)
        keys = [DeviceKey.from_seed(name * 32) for name in (b"1", b"2")]
        self.devices = {key.id: Named(key.public) for key in keys}
        self.owner, self.thief = self.device(b"1"), self.device(b"2")
        self.owner.write(HONEST, [None] * 4)
        self.thief.adopt(self.owner.signed)

    def device(self, name: bytes) -> MyFamily:
        me = Me("customer")
        me.device = DeviceKey.from_seed(name * 32)
        me.document.devices = self.devices
        folder = Path(self.mktemp())
        folder.mkdir()
        world = SimpleNamespace(wall=lambda: self.now)
        return MyFamily(SimpleNamespace(world=world, me=me), folder / "family")

    def steal(self, *seats: list[bytes]) -> None:
        for suppliers in seats:
            self.thief.write(suppliers, [None] * len(suppliers))
            self.owner.adopt(self.thief.signed)
            self.assertEqual(self.owner.current.suppliers, suppliers)

    def revoke(self) -> None:
        me = self.thief._me.device.id
        self.devices[me] = Named(self.devices[me].key, revoked=2)
        self.owner.confirm()

    def test_at_once(self) -> None:
        """All four are others: the former have their places again, and who came in their stead leaves."""
        self.steal(EVIL)
        self.assertTrue(self.owner.is_doubtful)
        self.revoke()
        self.assertEqual((self.owner.current.suppliers, self.owner.current.leaving), (HONEST, EVIL))
        self.assertEqual(self.owner.signed.device, self.owner._me.device.id)
        self.assertFalse(self.owner.is_doubtful)
        self.owner.write([A, B, C, Z], [None] * 4)
        self.owner.confirm()
        self.assertEqual(self.owner.current.suppliers, [A, B, C, Z])

    def test_who_left_a_place_then(self) -> None:
        """Those who left places, or stood beyond them, and hold what nobody else has, are known again, and so is who
        leaves a place now."""
        also, beyond = bytes([11]) * 32, bytes([12]) * 32
        change = SizeChange(beyond=(beyond,), former=4)
        self.owner.write(HONEST, [None] * 4, [bytes([10]) * 32, None, None, None], change, also=[(0, also)])
        before = self.owner.current
        self.thief.adopt(self.owner.signed)
        self.thief.write(EVIL, [None] * 4, [bytes([13]) * 32, None, None, None], SizeChange(), also=())
        self.owner.adopt(self.thief.signed)
        self.revoke()
        self.assertEqual(self.owner.current.suppliers, HONEST)
        self.assertLessEqual({*before.holders, *EVIL, bytes([13]) * 32}, {*self.owner.current.holders})
        self.assertEqual(self.owner.current.former, 4)

    def test_as_another_life(self) -> None:
        """A record that pretends to be of another life is joined with mine, and my suppliers are kept all the same."""
        self.owner.write(HONEST, [None] * 4)
        low = [bytes(31) + bytes([number]) for number in range(4)]
        self.thief._sign(Family(self.owner.current.customer, 9, 2, 4, START, low, roots=[b"thief..."]))
        self.assertTrue(self.owner.adopt(self.thief.signed))
        self.assertEqual((self.owner.current.suppliers, self.owner.current.leaving), (low, HONEST))
        self.assertTrue(self.owner.is_doubtful)
        self.revoke()
        self.assertEqual((self.owner.current.suppliers, self.owner.current.leaving), (HONEST, low))

    def test_as_another_life_with_no_place_left(self) -> None:
        """Where no place were left for mine beside those whom the thief names, nothing is taken; and mine hold their
        places as long as there is one."""
        self.owner.write(HONEST, [None] * 4)
        low, junk, more = ([bytes([first]) + bytes([number]) * 31 for number in range(8)] for first in (0, 250, 251))
        also = [{"place": number % 4, "supplier": who} for number, who in enumerate(more)]
        for named, is_taken in ((also, False), (None, True)):
            body = Family(self.owner.current.customer, 9, 2, 4, START, low[:4], None, junk[:4], roots=[b"thief..."])
            self.thief._sign(evolve(body, also=named))
            self.assertEqual(self.owner.adopt(self.thief.signed), is_taken)
            self.assertLessEqual({*HONEST}, {*self.owner.current.holders})
            if not is_taken:
                self.assertEqual(self.owner.current.suppliers, HONEST)

    def test_one_after_the_other(self) -> None:
        """It makes no difference in how many steps, and whether this device has gone on from one of them."""
        self.steal([W, B, C, D], [W, X, C, D])
        self.owner.write([W, X, C, D], [None] * 4, [A, B, None, None])
        self.thief.adopt(self.owner.signed)
        self.steal([W, X, Y, D])
        self.assertTrue(self.owner.is_doubtful)
        self.revoke()
        self.assertEqual((self.owner.current.suppliers, self.owner.current.leaving), (HONEST, [W, X, Y, None]))

    def test_a_family_of_another_size(self) -> None:
        """One of two accomplices as well."""
        self.steal([W, X])
        self.revoke()
        self.assertEqual((self.owner.current.suppliers, self.owner.current.leaving), (HONEST, [W, X, None, None]))

    def joined(self, suppliers: list[bytes]) -> None:
        """A third device, which counts, has started over, and its family is joined."""
        key = DeviceKey.from_seed(b"3" * 32)
        self.devices[key.id] = Named(key.public)
        n = len(suppliers)
        life = Family(self.owner.current.customer, 7, (n + 1) // 2, n, START, suppliers, roots=[key.id])
        self.assertTrue(self.owner.adopt(key.sign_record(life.KIND, life.to_body())))

    def write_as_thief(self, family: Family) -> None:
        signed = self.thief._me.device.sign_record(family.KIND, family.to_body())
        self.assertTrue(self.owner.adopt(signed))

    def test_a_larger_life_that_was_joined_meanwhile(self) -> None:
        """Those who have places there that the former family has not stay beyond it, where nobody is hired, until
        nothing of another size is left."""
        self.steal(EVIL)
        others = [bytes([number]) * 32 for number in range(60, 67)]
        self.joined(others)
        self.revoke()
        now = self.owner.current
        self.assertEqual((now.suppliers, now.former, now.wanted), (HONEST, 4, None))
        self.assertLessEqual({*others, *EVIL}, {*now.holders})
        self.assertEqual(now.seats[4:MAX_SUPPLIERS // 2], [None] * (MAX_SUPPLIERS // 2 - 4))

    def test_made_up_leavers(self) -> None:
        """They do not take the room of one who left a place before, and are waited for beyond the family."""
        left = bytes([11]) * 32
        self.owner.write(HONEST, [None] * 4, [None, None, None, bytes([10]) * 32], also=[(3, left)])
        self.thief.adopt(self.owner.signed)
        self.thief.write(EVIL, [None] * 4, [None] * 4, also=())
        made_up = [bytes([number]) * 32 for number in range(100, 108)]
        also = [{"place": 0, "supplier": who} for who in made_up]
        self.write_as_thief(evolve(self.thief.current, leaving=[bytes([120]) * 32, None, None, None], also=also))
        self.revoke()
        now = self.owner.current
        self.assertEqual((now.suppliers, now.leavers(3)), (HONEST, [bytes([10]) * 32, left, Z]))
        self.assertLessEqual({*EVIL, *made_up, bytes([120]) * 32}, {*now.holders})

    def test_as_many_as_a_record_can_name(self) -> None:
        """They take half of all places, and none of those of another life."""
        made_up = [bytes([number]) * 32 for number in range(150, 150 + MAX_SUPPLIERS)]
        self.steal(made_up)
        others = [bytes([number]) * 32 for number in range(60, 67)]
        self.joined(others)
        self.revoke()
        now = self.owner.current
        self.assertEqual(now.suppliers, HONEST)
        self.assertLessEqual({*others}, {*now.holders})
        self.assertEqual(now.seats[4:MAX_SUPPLIERS // 2], [None] * (MAX_SUPPLIERS // 2 - 4))

    def test_what_an_honest_device_has_changed(self) -> None:
        """A device that has replaced few, or did it long ago, takes nothing with it when it is revoked."""
        self.steal([W, X, C, D])
        self.assertFalse(self.owner.is_doubtful)
        self.revoke()
        self.assertEqual((self.owner.current.suppliers, self.owner.current.leaving), ([W, X, C, D], None))

    def test_long_ago(self) -> None:
        """For two days nobody is let go; for a month a revocation gives places back."""
        self.steal(EVIL)
        self.now += HELD_DAYS * DAY + 1
        self.assertFalse(self.owner.is_doubtful)
        self.now += DAYS * DAY
        self.revoke()
        self.assertEqual(self.owner.current.suppliers, EVIL)

    def test_a_file_that_is_damaged(self) -> None:
        """It counts for nothing."""
        self.steal(EVIL)
        for text in ("", "{}", "[1]", '[{"device": "x", "time": 1e20, "record": "zz"}]'):
            self.owner._before._path.write_text(text)
            self.owner.confirm()
            self.assertFalse(self.owner.is_doubtful)
        self.revoke()
        self.assertEqual(self.owner.current.suppliers, EVIL)


class Named(FakeDevice):
    """A device that was not let go for another one."""

    was_let_go = False

