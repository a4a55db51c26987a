"""What a supplier counts is what lies on its disk: after a kill at every step, and however many pieces come at once."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from bitdust.customers.names import PieceName
from bitdust.customers.quota import BESIDE
from bitdust.space import folder_size
from bitdust.wire.errors import BitDustError
from tests.unit.supplier_kit import MIB, BrokenDisk, Killed, Pack, now
from tests.unit.test_supplier_store import ALICE, BOB, ShopCase

PACKS = [Pack(ALICE, number) for number in range(24)]
SIZE = len(PACKS[0].pieces[0])


class CrashTests(ShopCase):
    def compare(self) -> None:
        """What is counted is what is there, for each customer and in all."""
        store = self.shop.store
        self.assertEqual(sum(kept.used for kept in store.customers()), folder_size(self.folder))
        for kept in store.customers():
            customer = kept.contract.customer
            self.assertEqual(kept.used, folder_size(self.folder / customer.hex()))
            self.assertEqual(store.holdings(customer), (kept.used // SIZE, 0))

    def killed_at_every_step(self, act: Callable[[], object]) -> None:
        """Do something over and over, with a kill at each step of the disk until nothing is killed any more."""
        for step in range(1, 200):
            disk = BrokenDisk()
            shop, _ = self.reopen(disk)
            shop.hire(ALICE)
            shop.hire(BOB)
            for number in range(3):
                shop.put(ALICE, PACKS[number])
            disk.calls.clear()
            disk.fail_at = step
            try:
                act()
            except Killed:
                self.reopen()
                self.compare()
                continue
            disk.fail_at = None
            self.compare()
            return
        self.fail("it never came to its end")

    def test_a_piece(self) -> None:
        """A kill while a piece is written leaves it counted and there, or neither."""
        self.killed_at_every_step(lambda: self.shop.put(ALICE, PACKS[3]))

    def test_an_end(self) -> None:
        """A kill while a contract is ended leaves nothing uncounted: what was to go is gone after the next start."""

        def end() -> None:
            name = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
            now(self.shop.store.end(ALICE.fingerprint, name))

        self.killed_at_every_step(end)

    def test_a_rejection_at_once(self) -> None:
        """The same for a customer whose pieces the owner of the disk erases."""

        def erase() -> None:
            now(self.shop.store.reject(BOB.fingerprint))
            now(self.shop.store.erase(BOB.fingerprint))

        self.killed_at_every_step(erase)


class QuotaTests(ShopCase):
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(("begin", "keep", "give up")), st.integers(0, 23)), max_size=60))
    def test_no_order_of_events_exceeds_a_quota(self, script: list[tuple[str, int]]) -> None:
        """However pieces over many streams begin, end and break off, a customer never has more than its quota."""
        room = 10 * (SIZE + BESIDE) + 3
        name = self.shop.store.contract_of(ALICE.fingerprint)
        if name is not None:
            now(self.shop.store.end(ALICE.fingerprint, name.contract.contract))
        self.shop.hire(ALICE)
        self.shop.hire(ALICE, room)
        coming: dict[int, object] = {}
        for word, number in script:
            pack = PACKS[number]
            if word == "begin" and number not in coming:
                piece = PieceName(ALICE.fingerprint, pack.id, 0)
                try:
                    coming[number] = self.shop.store.receive(piece, pack.record, pack.signed.to_bytes())
                except BitDustError as error:
                    self.assertEqual(error.code, "no-space")
            elif word != "begin" and number in coming:
                intake = coming.pop(number)
                intake.write(memoryview(pack.pieces[0]))
                now(intake.store() if word == "keep" else intake.abort())
            self.assertLessEqual(folder_size(self.folder), room)
        for number, intake in coming.items():
            intake.write(memoryview(PACKS[number].pieces[0]))
            now(intake.store())
        used = self.shop.store.contract_of(ALICE.fingerprint).used
        self.assertLessEqual(used, room)
        self.assertEqual(used, folder_size(self.folder))

    def test_a_smaller_room_destroys_nothing(self) -> None:
        """Under what is used a room cannot go; down to it, it can; what is there stays and nothing more fits."""
        self.shop.hire(ALICE, MIB)
        for number in range(4):
            self.shop.put(ALICE, PACKS[number])
        name = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        self.assertEqual(self.shop.hire(ALICE, 4 * SIZE - 1, contract=name).code, "no-space")
        self.assertIsNone(self.shop.hire(ALICE, 4 * SIZE, contract=name).code)
        self.assertEqual(self.shop.put(ALICE, PACKS[5]).code, "no-space")
        self.assertEqual(folder_size(self.folder), 4 * SIZE)
