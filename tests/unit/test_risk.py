"""How many more suppliers may be lost: counted in the catalog, put into words, reported when it changes."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.checkup import risk as words
from bitdust.risk import LOOK, Risk
from bitdust.storage.catalog.redundancy import UNDER_WAY, Standing
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import Node, network, random_file


def risk_of(node: Node) -> Risk:
    """The risk of a customer whose room of suppliers is its neighbours."""
    family = node.family()
    mine = SimpleNamespace(
        current=family, members=list(family.suppliers), holders=list(family.suppliers),
        signed=SimpleNamespace(device=node.me.device.id),
    )  # fmt: skip
    suppliers: Any = SimpleNamespace(
        family=mine,
        spares=SimpleNamespace(shown=list),
        connectors=SimpleNamespace(find=lambda who: None),
        publication=SimpleNamespace(is_held_by=lambda who: True),
        absences=SimpleNamespace(since=lambda who: 7),
        view=SimpleNamespace(list=list),
    )
    return Risk(node.connected, node.storage, suppliers)


class CountingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        random_file(self.base / "file", 100_000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(UNDER_WAY + 10, 10)
        self.risk = risk_of(self.node)

    def look(self) -> dict:
        return self.node.run(self.risk.look())

    def verdicts(self) -> dict[str, str]:
        found = words.risk(self.look(), self.node.world.wall())
        for one in found:
            self.assertEqual(bool(one.hint), one.verdict != "ok", one)
        return {one.check: one.verdict for one in found}

    def miss(self, count: int) -> None:
        """So many pieces of every pack are missing."""
        change = f"UPDATE pieces SET state=2, supplier=NULL WHERE number<{count}"
        self.node.wait(self.node.storage.core.catalog.change(lambda database: database.execute(change)))

    def test_figures(self) -> None:
        """What needs all rows is counted in a thread, once for each state of the catalog, and shown from there."""
        storage, catalog, calls = self.node.storage, self.node.storage.core.catalog, []
        reads = catalog.read_in_thread
        self.patch(catalog, "read_in_thread", lambda call: calls.append(call) or reads(call))
        self.assertEqual((storage.stats()["files"], storage.stats()["pieces"]), (0, {}))
        for _ in range(2):
            self.node.run(storage.count())
        self.assertEqual((storage.stats()["files"], storage.stats()["pieces"]["due"], len(calls)), (1, 4, 1))

    def test_many_ask_at_once(self) -> None:
        """Whoever asks while the catalog is read waits for that reading, and the answer is the same."""
        readings: list[Deferred] = []
        catalog, reads = self.node.storage.core.catalog, self.node.storage.core.catalog.read_in_thread

        def read(call):
            readings.append(Deferred())
            return readings[-1].addCallback(lambda _: reads(call))

        self.patch(catalog, "read_in_thread", read)
        looks = [Deferred.fromCoroutine(self.risk.look()) for _ in range(3)]
        self.assertEqual(len(readings), 1)
        readings[0].callback(None)
        found = [self.node.wait(look) for look in looks]
        self.assertEqual((found[1:], found[0]["may_die"], len(readings)), (found[:2], 2, 1))

    def test_a_reading_that_fails_holds_up_nobody(self) -> None:
        """Who waited for a reading that failed gets what was known before; the next one reads again."""
        before = self.look()
        catalog, reads = self.node.storage.core.catalog, self.node.storage.core.catalog.read_in_thread
        reading: Deferred = Deferred()
        catalog.revision += 1
        self.patch(catalog, "read_in_thread", lambda call: reading)
        looks = [Deferred.fromCoroutine(self.risk.look()) for _ in range(2)]
        reading.errback(BitDustError("disk-error", "it cannot be read"))
        self.failureResultOf(looks[0], BitDustError)
        self.assertEqual(self.successResultOf(looks[1])["may_die"], before["may_die"])
        self.patch(catalog, "read_in_thread", reads)
        self.assertEqual(self.look(), before)

    def test_all_is_well(self) -> None:
        """Two of four may be lost, and nothing else is to be said."""
        found = self.look()
        self.assertEqual((found["may_die"], found["may_die_in_all"], found["packs"]), (2, 2, 1))
        self.assertEqual([found[name]["safe"] for name in ("catalog", "key_ring", "family")], [True] * 3)
        self.assertEqual([one["problems"] for one in found["suppliers"]], [[]] * 4)
        self.assertEqual(self.verdicts(), {"risk": "ok"})
        self.assertEqual(words.sentence(found), "any 2 more suppliers may be lost before a file is")

    def test_absent_suppliers_count_as_lost(self) -> None:
        """Who is away counts as lost, and as what may come back; the files that are the weakest are named."""
        self.around.suppliers[0].mode = "away"
        found = self.look()
        self.assertEqual((found["may_die"], found["may_die_in_all"]), (1, 2))
        self.assertEqual(found["weakest"]["remote_paths"], [self.node.rows()[0]["remote_path"]])
        self.assertEqual(found["suppliers"][0]["problems"], [{"code": "away", "text": "is away"}])
        self.assertEqual(found["suppliers"][0]["since"], 7)
        self.assertIn("any 1 more supplier may be lost before a file is; any 2, once", words.sentence(found))
        self.assertEqual(self.verdicts()["risk"], "warn")
        for supplier in self.around.suppliers[1:3]:
            supplier.mode = "away"
        found = self.look()
        self.assertEqual((found["packs_unreadable"], found["packs_lost"]), (1, 0))
        self.assertEqual(self.verdicts()["risk"], "bad")

    def test_a_lost_piece_lowers_the_figure(self) -> None:
        """A piece that is missing, and one that a supplier failed to prove, are counted."""
        self.miss(1)
        found = self.look()
        self.assertEqual((found["may_die"], found["may_die_in_all"], found["pieces"]["missing"]), (1, 1, 1))
        self.node.storage.core.audits.book.failed(self.around.suppliers[1].fingerprint)
        self.node.pass_time(1)
        found = self.look()
        self.assertEqual((found["may_die"], found["may_die_in_all"]), (0, 1))
        self.assertEqual(found["suppliers"][1]["problems"][0]["code"], "not-proven")
        self.assertIn("no further supplier may be lost", words.sentence(found))

    def test_gone_for_good(self) -> None:
        """A pack of which too few pieces are anywhere is lost, and is not said to come back."""
        self.miss(3)
        found = self.look()
        self.assertEqual((found["packs_lost"], self.verdicts()["risk"]), (1, "bad"))
        self.assertIn("cannot be given back", words.sentence(found))

    def test_what_nobody_is_known_of(self) -> None:
        """A piece of which the catalog names nobody belongs to the supplier at its place."""
        core = self.node.storage.core
        self.node.wait(core.catalog.change(lambda db: db.execute("UPDATE pieces SET supplier=NULL")))
        self.assertEqual(self.look()["may_die"], 2)
        self.around.suppliers[3].mode = "away"
        self.assertEqual(self.look()["may_die"], 1)

    def test_suppliers_that_have_not_listed_yet(self) -> None:
        """After a recovery, pieces of suppliers that have listed nothing yet may come back with them: none is lost."""
        core = self.node.storage.core
        self.miss(2)
        self.node.wait(core.catalog.change(lambda db: db.execute("DELETE FROM pieces WHERE number>1")))
        for supplier in self.around.suppliers[2:]:
            supplier.mode = "away"
        found = self.look()
        self.assertEqual((found["packs_lost"], found["packs_unreadable"]), (0, 1))
        self.assertEqual((found["pieces"]["away"], found["pieces"]["missing"]), (2, 2))
        self.assertIn("cannot be read until suppliers are back", words.sentence(found))
        for supplier in self.around.suppliers[2:]:
            supplier.mode = "fine"
        self.assertEqual(self.look()["packs_lost"], 0)

    def test_a_full_supplier_is_named(self) -> None:
        """Who is full is named with its own words, and no longer once it takes pieces again."""
        self.around.suppliers[2].mode = "full"
        random_file(self.base / "other", 50_000)
        self.node.upload(self.base / "other", "other")
        (trouble,) = self.risk.troubles(self.around.suppliers[2].fingerprint)
        self.assertEqual(trouble.code, "full")
        self.assertIn("the disk of the supplier is full", trouble.text)
        self.assertEqual(self.verdicts()["supplier"], "warn")
        self.around.suppliers[2].mode = "fine"
        self.node.pass_time(70)
        self.assertEqual(self.risk.troubles(self.around.suppliers[2].fingerprint), [])

    def test_a_supplier_without_log_and_key_ring(self) -> None:
        """Who lacks log or key ring has these codes; too few holders are a warning."""
        core = self.node.storage.core
        self.patch(core.log_replicas, "is_held_by", lambda who: False)
        self.patch(core.key_ring_replicas, "is_held_by", lambda who: who == self.around.suppliers[0].fingerprint)
        found = self.look()
        self.assertEqual([one["code"] for one in found["suppliers"][1]["problems"]], ["no-log", "no-key-ring"])
        self.assertEqual(found["catalog"], {"held": 0, "needed": 3, "safe": False})
        self.assertEqual(found["key_ring"], {"held": 1, "needed": 3, "safe": False})
        self.assertEqual((self.verdicts()["copies"], self.verdicts()["supplier"]), ("warn", "warn"))

    def test_who_refuses_its_service(self) -> None:
        """A supplier that is there and says no is no healthy one; what it says is told, and its old family record."""
        no = SimpleNamespace(state="NO_SERVICE", reason="this supplier has given notice")
        self.risk._suppliers.connectors.find = lambda who: no if who == self.around.suppliers[3].fingerprint else None
        self.risk._suppliers.publication.is_held_by = lambda who: who != self.around.suppliers[3].fingerprint
        found = self.look()["suppliers"][3]["problems"]
        self.assertEqual([one["code"] for one in found], ["refuses", "no-family"])
        self.assertIn("given notice", found[0]["text"])
        (told,) = [one for one in words.risk(self.look(), 0.0) if one.check == "supplier"]
        self.assertIn("refuses its service: this supplier has given notice and has not your newest family", told.found)

    def test_what_monitoring_counts(self) -> None:
        """How many suppliers have each trouble, which records are safe, whether rebuilding stands still, and whether
        the family is another one: without another look, and nothing before the first one."""
        self.assertEqual(self.risk.figures(), {})
        self.look()
        found = self.risk.figures()
        self.assertEqual((found["may_die"], set(found["troubles"].values())), (2, {0}))
        self.assertEqual(found["safe"], {"catalog": True, "key_ring": True, "family": True})
        self.assertEqual((found["rebuilding_stuck"], found["family_changed_elsewhere"]), (False, False))
        core = self.node.storage.core
        self.around.suppliers[0].mode = "away"
        no = SimpleNamespace(state="NO_SERVICE", reason="this supplier has given notice")
        self.risk._suppliers.connectors.find = lambda who: no if who == self.around.suppliers[3].fingerprint else None
        self.patch(core.key_ring_replicas, "is_held_by", lambda who: who == self.around.suppliers[1].fingerprint)
        self.risk._suppliers.publication.is_held_by = lambda who: False
        self.risk._suppliers.spares.shown = lambda: [SimpleNamespace(spare=b"s" * 32, gone=b"g" * 32)]
        core.rebuilder = SimpleNamespace(waits_for_suppliers={b"pack"})
        found = self.risk.figures()
        troubles = {code: count for code, count in found["troubles"].items() if count}
        self.assertEqual(troubles, {"away": 1, "refuses": 1, "no-key-ring": 3, "no-family": 4})
        self.assertEqual(found["safe"], {"catalog": True, "key_ring": False, "family": False})
        self.assertEqual((found["rebuilding_stuck"], found["family_changed_elsewhere"]), (True, True))

    def test_rebuilding_that_stands_still(self) -> None:
        """It is said since when, and why."""
        rebuilder = self.node.storage.core.rebuilder = SimpleNamespace(waits_for_suppliers=set())
        self.assertIsNone(self.look()["rebuilding"]["since"])
        rebuilder.waits_for_suppliers = {b"pack"}
        since = self.look()["rebuilding"]["since"]
        self.assertEqual(since, self.node.world.wall())
        self.node.clock.advance(7200)
        found = self.look()["rebuilding"]
        self.assertEqual((found["since"], found["stuck_packs"]), (since, 1))
        self.assertIn(
            "2 hours",
            next(one.found for one in words.risk(self.look(), self.node.world.wall()) if one.check == "rebuilding"),
        )
        rebuilder.waits_for_suppliers = set()
        self.assertEqual(self.look()["rebuilding"]["reason"], "")

    def test_a_new_pack_on_its_way(self) -> None:
        """What is being sent for the first time does not count as weak for five minutes, and does afterwards."""
        for supplier in self.around.suppliers[1:]:
            supplier.mode = "full"
        random_file(self.base / "new", 50_000)
        self.node.begin_upload(self.base / "new", "new")
        self.node.pass_time(5)
        found = self.look()
        self.assertEqual((found["packs_on_their_way"], found["may_die"]), (1, 2))
        self.node.pass_time(UNDER_WAY, 10)
        self.risk._known = None
        found = self.look()
        self.assertEqual((found["packs_on_their_way"], found["may_die"], found["packs_unreadable"]), (0, 0, 0))

    def test_only_changes_are_read(self) -> None:
        """A look at a catalog in which nothing has changed reads nothing of it."""
        self.look()
        self.patch(self.risk, "_read", lambda core, holders: self.fail("it was read again"))
        self.look()

    def test_nothing_is_stored(self) -> None:
        """Without packs there is nothing to lose."""
        database = self.node.storage.core.catalog
        self.node.wait(database.change(lambda db: db.execute("DELETE FROM packs")))
        found = self.look()
        self.assertEqual((found["may_die"], found["weakest"]), (None, None))
        self.assertEqual((words.sentence(found), self.verdicts()), ("nothing is stored", {}))

    def test_a_closed_catalog(self) -> None:
        """While no data moves the question is refused, and figures are empty."""
        self.look()
        self.node.stop()
        self.assertRaises(BitDustError, self.node.run, self.risk.look())
        self.assertEqual(self.risk.latest, {})


class EventTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        random_file(self.base / "file", 1000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(UNDER_WAY + 10, 10)
        self.risk = risk_of(self.node)

    def test_one_event_for_one_change(self) -> None:
        """A change that lasts for two looks is reported once; one that is over before the second is not."""
        self.risk.start()
        self.addCleanup(self.risk.stop)
        self.node.pass_time(3 * LOOK)
        self.assertEqual(self.node.events_of("risk-changed"), [])
        self.around.suppliers[0].mode = "away"
        self.node.pass_time(LOOK)
        self.around.suppliers[0].mode = "fine"
        self.node.pass_time(3 * LOOK)
        self.assertEqual(self.node.events_of("risk-changed"), [])
        self.around.suppliers[0].mode = "away"
        self.node.pass_time(10 * LOOK, 5)
        (told,) = self.node.events_of("risk-changed")
        self.assertEqual((told["may_die"], told["may_die_before"]), (1, 2))
        self.assertEqual(told["suppliers"], [{"global_id": told["suppliers"][0]["global_id"], "code": "away"}])
        self.around.suppliers[0].mode = "fine"
        self.node.pass_time(10 * LOOK, 5)
        self.assertEqual([one["may_die"] for one in self.node.events_of("risk-changed")], [1, 2])


class StandingTests(SynchronousTestCase):
    def test_what_is_left(self) -> None:
        """Missing pieces are those that are nowhere; a pack that waits here can be read without suppliers."""
        one = Standing(n=7, there=2, away=1, here=2, packs=1)
        self.assertEqual((one.k, one.missing, one.may_die, one.may_die_in_all), (4, 2, 0, 0))
        self.assertEqual((one.is_readable, one.is_lost), (True, False))
        self.assertTrue(Standing(n=7, there=2, away=1, here=0, packs=1).is_lost)

    def test_words_of_the_family(self) -> None:
        """A family that another device or a spare has changed is named, without alarm."""
        row = {"spares": [{"spare": "eve", "instead_of": "bob"}], "changed_by_device": 2, "revision": 9}
        found = [one.found for one in words._family(row)]
        self.assertIn("eve instead of bob", found[0])
        self.assertIn("device 2 of yours", found[1])

    def test_words_of_places_that_change_hands(self) -> None:
        """Who leaves, who comes, and how much is left to come."""
        place = {"from": "bob", "to": "carol", "left": 12, "bytes": 3_400_000}
        (moving,) = words._moving([place])
        self.assertIn("bob to carol (12 pieces, 3 MB, are left)", moving.found)
        (moving,) = words._moving([place | {"to": "", "left": 0, "bytes": 0}])
        self.assertIn("bob to a new supplier (all have come)", moving.found)
