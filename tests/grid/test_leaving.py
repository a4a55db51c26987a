"""Suppliers and customers that part: places change hands while the pieces move, and nothing is lost on the way."""

import shutil
from itertools import pairwise

from bitdust.storage.keeping import rebuild
from bitdust.storage.keeping.handovers import REPORT
from bitdust.testing.grid import GridNode
from tests.grid.test_figures import call
from tests.grid.test_main_job import GridCase


class LeavingCase(GridCase):
    def by_place(self, customer: GridNode, place: int) -> GridNode:
        """The supplier at a place of a customer's family."""
        wanted = customer.rooms.suppliers.family.current.suppliers[place]
        return next(one for one in self.suppliers if one.fingerprint == wanted)

    def restart(self, node: GridNode) -> GridNode:
        """Kill a process and its host without a word, and start it again over the same home."""
        node.crash()
        self.grid.run(1)
        again = GridNode(self.grid, node.name, f"10.0.1.{len(self.grid.nodes)}", node.settings)
        self.grid.nodes.append(again)
        again.start()
        return again

    def kept_at(self, supplier: GridNode, customer: GridNode) -> int:
        """Bytes of a customer at a supplier."""
        kept = supplier.rooms.customers.store.contract_of(customer.fingerprint)
        return kept.used if kept is not None else 0

    def moved(self, customer: GridNode, old: GridNode) -> bool:
        """Whether a supplier has nothing to do with a customer any more."""
        return old.fingerprint not in customer.rooms.suppliers.family.holders


class ReplacingTests(LeavingCase):
    def test_a_place_changes_hands_with_its_pieces(self) -> None:
        """The new supplier gets piece, log and key ring; then the old one is dismissed and frees the space."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file", 2_000_000)
        self.upload(alice, path, "file")
        self.add_suppliers(1)
        old, fresh = self.by_place(alice, 1), self.suppliers[4]
        before = self.kept_at(old, alice)
        self.assertGreater(before, 900_000)
        alice.rooms.suppliers.requests.replace(old.fingerprint, None)
        self.grid.until(lambda: self.by_place(alice, 1) is fresh, 60, "the new supplier")
        self.assertEqual(self.kept_at(old, alice), before)
        self.grid.until(lambda: self.moved(alice, old), 300, "the move")
        self.grid.run(5)
        self.assertEqual(self.kept_at(fresh, alice), before)
        self.assertEqual(self.kept_at(old, alice), 0)
        self.assertEqual(list(old.rooms.customers.store.folder.glob("*/*/*")), [])
        self.assertIsNone(alice.rooms.suppliers.book.of(old.fingerprint))
        for supplier in (old, *[self.by_place(alice, place) for place in (0, 2)]):
            supplier.kill()
        self.download(alice, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_a_supplier_that_never_comes_back(self) -> None:
        """Its place goes to another by itself, with pieces made of the others' and of no word of its own."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file", 1_000_000)
        self.upload(alice, path, "file")
        absences = alice.rooms.suppliers.absences
        absences.away = absences.watched = 60
        lost = self.by_place(alice, 1)
        before = self.kept_at(lost, alice)
        self.add_suppliers(1)
        self.grid.run(30)
        self.assertEqual(alice.rooms.suppliers.departures.suppliers(), [])
        lost.kill()
        self.grid.until(lambda: self.moved(alice, lost), 600, "the move")
        self.assertIs(self.by_place(alice, 1), self.suppliers[4])
        self.assertEqual(self.kept_at(self.suppliers[4], alice), before)
        self.assertTrue(alice.rooms.suppliers.book.is_released(lost.fingerprint))
        for place in (2, 3):
            self.by_place(alice, place).kill()
        self.download(alice, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_killed_in_the_middle_it_goes_on(self) -> None:
        """A customer that is killed while the pieces move goes on; the old supplier keeps them until all have moved."""
        self.add_suppliers(4)
        alice = self.add_customer()
        for number in range(6):
            path, _ = self.file(f"file-{number}", 400_000)
            self.upload(alice, path, f"file-{number}")
        data = path.read_bytes()
        self.add_suppliers(1)
        old, fresh = self.by_place(alice, 2), self.suppliers[4]
        before = self.kept_at(old, alice)
        alice.rooms.suppliers.requests.replace(old.fingerprint, fresh.fingerprint)
        self.grid.until(lambda: self.kept_at(fresh, alice) > 0, 120, "the first piece")
        self.assertLess(self.kept_at(fresh, alice), before)
        alice = self.restart(alice)
        self.assertEqual(self.kept_at(old, alice), before)
        self.grid.until(lambda: self.moved(alice, old), 600, "the move")
        self.grid.run(5)
        self.assertEqual((self.kept_at(fresh, alice), self.kept_at(old, alice)), (before, 0))
        for supplier in (old, self.by_place(alice, 0), self.by_place(alice, 1)):
            supplier.kill()
        self.download(alice, "file-5", self.base / "back")
        self.assertEqual((self.base / "back" / "file-5").read_bytes(), data)

    def test_how_far_it_has_come(self) -> None:
        """While pieces move, the API, the doctor and an event every few seconds say how many are left, and how much."""
        self.add_suppliers(4)
        alice = self.add_customer()
        for number in range(6):
            path, _ = self.file(f"file-{number}", 400_000)
            self.upload(alice, path, f"file-{number}")
        self.add_suppliers(1)
        old, fresh = self.by_place(alice, 2), self.suppliers[4]
        whole = self.kept_at(old, alice)
        alice.node.settings.set("services/data-motion/moving-limit", 20_000)
        alice.rooms.suppliers.requests.replace(old.fingerprint, fresh.fingerprint)
        self.grid.until(lambda: self.kept_at(fresh, alice) > whole / 2, 600, "half of the pieces")
        self.grid.run(1)
        (place,) = call(self.grid, alice, "storage_risk")["moving"]["places"]
        self.assertEqual((place["position"], place["state"]), (2, "MOVING"))
        self.assertEqual([place[name].partition("@")[0] for name in ("from", "to")], [old.name, fresh.name])
        self.assertIn(place["left"], range(1, 6))
        self.assertEqual(place["bytes"], whole - self.kept_at(fresh, alice))
        findings = call(self.grid, alice, "process_checkup")["findings"]
        (moving,) = [one["found"] for one in findings if one["check"] == "moving"]
        self.assertIn(f"({place['left']} pieces, {place['bytes'] / 1e6:,.0f} MB, are left)", moving)
        self.grid.until(lambda: self.moved(alice, old), 600, "the move")
        told = [event for event in alice.node.events.since(0) if event.id == "replacement-progress"]
        data = [event.data for event in told]
        self.assertEqual({(one["position"], one["from"], one["to"]) for one in data}, {(2, place["from"], place["to"])})
        self.assertEqual([one["left"] for one in data], sorted({one["left"] for one in data}, reverse=True))
        self.assertIn((place["left"], place["bytes"]), [(one["left"], one["bytes"]) for one in data])
        self.assertGreaterEqual(len(data), 3)
        self.assertEqual({one["moved"] + one["left"] for one in data}, {6})
        times = [event.time for event in told]
        self.assertTrue(all(later - earlier >= REPORT for earlier, later in pairwise(times)), times)

    def test_many_packs_move_in_one_go(self) -> None:
        """A place with more packs than one look finds is moved without waiting for the next round."""
        self.patch(rebuild, "AT_A_TIME", 10)
        self.add_suppliers(2)
        small = {"services/backups/block-size": 65536, "services/customer/suppliers-number": 2}
        alice = self.add_customer(**small)
        path, data = self.file("file", 4_000_000)
        self.upload(alice, path, "file")
        self.add_suppliers(1)
        old, fresh = self.by_place(alice, 0), self.suppliers[2]
        before = self.kept_at(old, alice)
        alice.rooms.suppliers.requests.replace(old.fingerprint, None)
        self.grid.until(lambda: self.moved(alice, old), 120, "the move")
        pieces = fresh.rooms.customers.store.holdings(alice.fingerprint)[0]
        self.assertGreater(pieces, 2 * rebuild.AT_A_TIME)
        self.assertEqual(self.kept_at(fresh, alice), before)
        for supplier in {old, self.by_place(alice, 1)}:
            supplier.kill()
        self.download(alice, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_recovered_in_the_middle_the_old_supplier_still_counts(self) -> None:
        """A home that is lost while pieces move comes back with the leaving supplier as one of the k that are left."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file", 300_000)
        self.upload(alice, path, "file")
        self.add_suppliers(1)
        self.grid.run(5)
        old, fresh = self.by_place(alice, 3), self.suppliers[4]
        alice.rooms.suppliers.requests.replace(old.fingerprint, None)
        self.grid.until(lambda: self.by_place(alice, 3) is fresh, 60, "the new supplier")
        self.grid.run(1)
        self.assertEqual(self.kept_at(fresh, alice), 0)
        key_file = self.key_file(alice)
        alice.kill()
        shutil.rmtree(alice.home)
        fresh.kill()
        others = [self.by_place(alice, place) for place in (0, 1)]
        again = self.recover(key_file)
        self.grid.run(10)
        for supplier in others:
            supplier.kill()
        self.download(again, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)


class RetiringTests(LeavingCase):
    def status(self, supplier: GridNode) -> dict:
        return supplier.rooms.customers.retirement.status()

    def test_a_supplier_retires_and_nothing_is_lost(self) -> None:
        """Customers, one away and one killed in the middle, move; the service stops; files come back without it."""
        self.add_suppliers(4)
        alice, bob = self.add_customer(), self.add_customer("bob")
        files = {}
        for node in (alice, bob):
            for number in range(3):
                path, files[node.name, number] = self.file(f"{node.name}-{number}", 400_000)
                self.upload(node, path, f"file-{number}")
        self.add_suppliers(1)
        leaver, fresh = self.suppliers[0], self.suppliers[4]
        self.grid.run(5)
        self.grid.network.cut = lambda one, other: bob.address in (one, other)
        self.grid.run(60)
        self.grid.wait(leaver.rooms.customers.retirement.retire(14))
        self.assertEqual(
            {row["global_id"].partition("@")[0] for row in self.status(leaver)["customers"]}, {"alice", "bob"}
        )
        self.grid.until(lambda: self.kept_at(fresh, alice) > 0, 120, "the first piece")
        alice = self.restart(alice)
        self.grid.until(lambda: not self.kept_at(leaver, alice), 600, "alice's move")
        self.assertEqual(self.status(leaver)["state"], "notice")
        self.assertGreater(self.kept_at(leaver, bob), 500_000)
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: self.status(leaver)["state"] == "over", 900, "bob's move")
        self.grid.run(5)
        self.assertFalse(leaver.is_on("supplier"))
        self.assertEqual(list((leaver.home / "customers").glob("*/*/*")), [])
        leaver.kill()
        for node in (alice, bob):
            family = node.rooms.suppliers.family.current
            self.assertIsNone(family.leaving)
            other = next(one for one in self.suppliers[1:4])
            self.grid.network.cut = lambda one, two, other=other: other.address in (one, two)
            for number in range(3):
                self.download(node, f"file-{number}", self.base / f"back-{node.name}")
                self.assertEqual(
                    (self.base / f"back-{node.name}" / f"file-{number}").read_bytes(), files[node.name, number]
                )
            self.grid.network.cut = lambda one, two: False
            self.grid.run(30)

    def test_time_is_over(self) -> None:
        """A customer that does not come keeps its data on the disk; the service stops, and staying starts it again."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file")
        self.upload(alice, path, "file")
        leaver = self.suppliers[0]
        used = self.kept_at(leaver, alice)
        alice.kill()
        self.grid.run(60)
        self.grid.wait(leaver.rooms.customers.retirement.retire(0.01))
        self.grid.run(600)
        self.assertEqual(self.status(leaver)["state"], "notice")
        self.grid.until(lambda: self.status(leaver)["state"] == "over", 4200, "the end")
        self.grid.run(5)
        self.assertFalse(leaver.is_on("supplier"))
        kept = [path for path in (leaver.home / "customers").glob("*/*/*") if not path.parents[1].is_symlink()]
        self.assertEqual(sum(path.stat().st_size for path in kept), used)
        self.grid.wait(leaver.rooms.customers.retirement.cancel())
        self.grid.until(lambda: leaver.is_on("supplier"), 60, "the service")
        self.assertEqual(self.status(leaver)["state"], "serving")
        self.assertEqual(self.kept_at(leaver, alice), used)

    def test_a_notice_survives_a_restart_and_can_be_taken_back(self) -> None:
        """The plan outlives the process, nobody new is taken meanwhile, and customers hear when it is off."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, _ = self.file("file")
        self.upload(alice, path, "file")
        leaver = self.suppliers[0]
        fingerprint = leaver.fingerprint
        self.grid.wait(leaver.rooms.customers.retirement.retire(30))
        self.grid.until(lambda: alice.rooms.suppliers.departures.of(fingerprint), 30, "the notice")
        leaver = self.restart(leaver)
        self.assertEqual(self.status(leaver)["state"], "notice")
        row = next(row for row in alice.rooms.suppliers.view.list() if row["fingerprint"] == fingerprint.hex())
        self.assertEqual(row["notice"], {"why": "notice", "until": self.status(leaver)["until"]})
        bob = self.grid.add("bob", **{"services/supplier/enabled": False})
        bob.start()
        bob.create_identity()
        self.grid.run(60)
        self.assertNotIn(fingerprint, bob.rooms.suppliers.family.members)
        self.assertEqual(len(bob.rooms.suppliers.family.members), 3)
        self.grid.wait(leaver.rooms.customers.retirement.cancel())
        self.grid.until(lambda: alice.rooms.suppliers.departures.of(fingerprint) is None, 60, "the other notice")
        self.grid.until(lambda: bob.is_on("my_data"), 700, "bob's family")
        self.assertIn(fingerprint, alice.rooms.suppliers.family.members)
        path, _ = self.file("second")
        self.upload(alice, path, "second")
        self.grid.until(lambda: self.reliable(alice, "second") == "100%", 120, "its piece")

    def reliable(self, node: GridNode, path: str) -> str:
        return str(node.rooms.storage.info(path, False, False)["versions"][-1]["reliable"])


class EndingTests(LeavingCase):
    def test_a_rejected_customer_moves(self) -> None:
        """It is told, its pieces stay until it has moved, it is not taken again, and its files come back."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file")
        self.upload(alice, path, "file")
        self.add_suppliers(1)
        host = self.suppliers[1]
        used, mine = self.kept_at(host, alice), alice.fingerprint
        rejection = self.grid.wait(host.rooms.customers.patrol.give_notice(mine, False))
        self.assertEqual((rejection.freed, rejection.kept), (0, used))
        self.assertEqual(self.kept_at(host, alice), used)
        self.grid.until(lambda: self.moved(alice, host), 600, "the move")
        self.grid.run(5)
        self.assertEqual(self.kept_at(host, alice), 0)
        self.assertEqual(host.rooms.customers.store.contract_of(mine).state, "rejected")
        self.assertEqual(self.kept_at(self.suppliers[4], alice), used)

    def test_a_customer_rejected_at_once_mends_itself(self) -> None:
        """The freed bytes are those that lay there; a customer that was away hears, and makes its pieces anew."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file")
        self.upload(alice, path, "file")
        self.add_suppliers(1)
        host, mine = self.suppliers[1], alice.fingerprint
        used = self.kept_at(host, alice)
        self.grid.network.cut = lambda one, other: {one, other} == {host.address, alice.address}
        self.grid.run(40)
        rejection = self.grid.wait(host.rooms.customers.patrol.give_notice(mine, True))
        self.grid.network.cut = lambda one, other: False
        self.assertEqual((rejection.freed, rejection.kept), (used, 0))
        self.assertEqual([path for path in host.rooms.customers.store.folder.glob("*/*/*") if path.is_file()], [])
        self.grid.until(lambda: self.moved(alice, host), 600, "the move")
        self.assertEqual(self.kept_at(self.suppliers[4], alice), used)

    def test_contracts_end_on_the_customers_word(self) -> None:
        """All suppliers free the space at once; one that is away does when it is back; nobody is hired again."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, _ = self.file("file")
        self.upload(alice, path, "file")
        away = self.suppliers[2]
        self.grid.network.cut = lambda one, other: {one, other} == {away.address, alice.address}
        self.grid.run(40)
        alice.node.settings.set("services/employer/enabled", False)
        members = list(alice.rooms.suppliers.family.members)
        missed = self.grid.wait(alice.rooms.suppliers.hiring.dismiss(members))
        self.assertEqual(missed, [away.fingerprint])
        self.assertEqual([self.kept_at(one, alice) > 0 for one in self.suppliers], [False, False, True, False])
        self.grid.network.cut = lambda one, other: False
        self.grid.run(30)
        alice = self.restart(alice)
        self.grid.until(lambda: not alice.rooms.suppliers.book.suppliers(), 120, "the word")
        self.assertEqual(self.kept_at(away, alice), 0)
        self.assertEqual((alice.rooms.suppliers.family.members, alice.rooms.suppliers.book.suppliers()), ([], []))
