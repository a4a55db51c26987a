"""What a person is told of the risk to stored files, by whole nodes: doctor, lists, metrics."""

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.storage.catalog.redundancy import UNDER_WAY
from bitdust.web import metrics
from tests.grid.test_figures import call
from tests.grid.test_main_job import GridCase

FOUR = {"services/customer/suppliers-number": 4}


class RiskTests(GridCase):
    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(4)
        self.alice = self.add_customer(**FOUR)
        path, _ = self.file("file")
        self.upload(self.alice, path, "file")

    def doctor(self) -> dict[str, tuple[str, str]]:
        found = call(self.grid, self.alice, "process_checkup")["findings"]
        return {row["check"]: (row["verdict"], row["found"]) for row in found}

    def test_suppliers_that_go(self) -> None:
        """The doctor, the list of suppliers, the API, an event and metrics say how many more may be lost, and who is
        away."""
        self.grid.pass_time(UNDER_WAY + 130)
        self.assertEqual(self.doctor()["risk"], ("ok", "any 2 more suppliers may be lost before a file is"))
        self.assertNotIn("copies", self.doctor())
        page = metrics.page(self.alice.node.context).decode()
        self.assertIn('bitdust_suppliers_may_die{counting="now"} 2.0', page)
        gone = self.suppliers[1]
        gone.kill()
        self.grid.pass_time(300)
        risk = call(self.grid, self.alice, "storage_risk")
        self.assertEqual((risk["may_die"], risk["may_die_in_all"], risk["catalog"]["held"]), (1, 2, 4))
        verdict, text = self.doctor()["risk"]
        self.assertEqual(verdict, "warn")
        self.assertIn("any 1 more supplier may be lost before a file is; any 2, once everybody", text)
        rows = {row["global_id"].partition("@")[0]: row for row in call(self.grid, self.alice, "suppliers_list")}
        self.assertEqual([one["code"] for one in rows[gone.name]["problems"]], ["away"])
        self.assertIsNotNone(rows[gone.name]["since"])
        self.assertEqual(rows["supplier-1"]["problems"], [])
        self.assertEqual(self.alice.node.events.counts().get("risk-changed"), 1)
        page = metrics.page(self.alice.node.context).decode()
        self.assertIn('bitdust_suppliers_may_die{counting="now"} 1.0', page)
        self.assertIn('bitdust_packs_at_risk{state="lost"} 0.0', page)
        for line in ('suppliers_in_trouble{code="away"} 1.0', 'suppliers_in_trouble{code="full"} 0.0',
                     'records_safe{record="key_ring"} 1.0', "rebuilding_stuck 0.0", "family_changed_elsewhere 0.0"):
            self.assertIn(f"\nbitdust_{line}\n", page)

    def test_an_upload_with_half_of_the_suppliers_away(self) -> None:
        """Who waits is answered after a minute with a code and names; lists and doctor say whom it waits for; with one
        supplier back it ends by itself, and comes back whole."""
        storage = self.alice.rooms.storage
        self.grid.until(lambda: storage.info("file", False, False)["versions"][0]["reliable"] == "100%", 60, "it")
        away = self.suppliers[:2]
        away[0].crash()
        away[1].kill()
        self.grid.until(lambda: self.is_away(away), 120, "their absence")
        path, data = self.file("later")
        call(self.grid, self.alice, "file_create", remote_path="later")
        arguments = {"local_path": str(path.absolute()), "remote_path": "later", "wait_result": True}
        answer = self.grid.wait(perform(self.alice.node.context, TABLE.named("file_upload_start"), arguments), 120)
        self.assertEqual((answer["status"], answer["code"]), ("ERROR", "waits-for-suppliers"))
        names = {one.name for one in away}
        self.assertEqual({name.partition("@")[0] for name in answer["waits_for"]}, names)
        (row,) = call(self.grid, self.alice, "files_uploads")["running"]
        self.assertEqual((row["state"], len(row["waits_for"])), ("SENDING", 2))
        self.assertIn("is away", self.doctor()["uploads"][1])
        self.assertEqual(self.alice.node.events.counts().get("backup-waiting"), 1)
        away[0].again("10.0.9.1")
        self.grid.until(lambda: not call(self.grid, self.alice, "files_uploads")["running"], 300, "the end")
        self.assertNotIn("uploads", self.doctor())
        self.download(self.alice, "later", self.base / "back")
        self.assertEqual((self.base / "back" / "later").read_bytes(), data)

    def is_away(self, nodes: list) -> bool:
        rows = call(self.grid, self.alice, "suppliers_list")
        shown = {row["global_id"].partition("@")[0]: row["problems"] for row in rows}
        return all(shown[one.name] for one in nodes)
