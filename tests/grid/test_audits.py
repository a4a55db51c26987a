"""Suppliers that threw everything away while they say that they have it: whole nodes find out, say so, and mend it."""

from pathlib import Path

from attrs import evolve

from bitdust.testing.grid import GridNode
from bitdust.web import metrics
from tests.grid.test_figures import call
from tests.grid.test_main_job import GridCase

SIX = {"services/customer/suppliers-number": 6}


def files_of(node: GridNode) -> list[Path]:
    """The files of a supplier's pieces."""
    return [path for path in (node.home / "customers").rglob("*") if path.is_file() and len(path.name) > 32]


class AuditTests(GridCase):
    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(6)
        self.alice = self.add_customer(**SIX, **{"services/backups/block-size": 256 * 1024})
        self.path, self.data = self.file("file", 1_000_000)
        self.upload(self.alice, self.path, "file")
        self.grid.until(lambda: self.version()["reliable"] == "100%", 60, "the last piece")

    def version(self) -> dict:
        return self.alice.rooms.storage.info("file", False, False)["versions"][-1]

    def share(self) -> int:
        return int(self.version()["reliable"].rstrip("%"))

    def findings(self) -> list[dict[str, str]]:
        return call(self.grid, self.alice, "process_checkup")["findings"]

    def doctor(self) -> dict[str, str]:
        return {row["check"]: row["verdict"] for row in self.findings()}

    def test_three_of_six_unlink_every_piece(self) -> None:
        """Within one round reliable falls, events and the doctor name them, and all is made again while k hold."""
        self.assertEqual(self.doctor()["audits"], "ok")
        liars = self.suppliers[:3]
        before = [len(files_of(liar)) for liar in liars]
        for liar in liars:
            for path in files_of(liar):
                path.unlink()
        self.assertEqual(self.share(), 100)
        audits = self.alice.rooms.storage.core.audits
        audits.now()
        self.grid.until(lambda: self.share() <= 50, 20, "the truth")
        events = self.alice.node.events
        self.grid.until(lambda: events.counts().get("supplier-audit-failed") == 3, 20, "events")
        said = self.doctor()
        self.assertEqual((said["audits"], said["last backup"]), ("bad", "bad"))
        rows = call(self.grid, self.alice, "suppliers_list")
        standings = {row["global_id"].partition("@")[0]: row["audit"]["standing"] for row in rows}
        self.assertEqual(standings, {one.name: "failed" if one in liars else "proven" for one in self.suppliers})
        page = metrics.page(self.alice.node.context).decode()
        self.assertIn('bitdust_audited_suppliers{standing="failed"} 3.0', page)
        self.assertIn('bitdust_audit_rounds{result="failed"} 3.0', page)
        self.grid.until(lambda: [len(files_of(liar)) for liar in liars] == before, 120, "pieces that are made again")
        self.grid.run(30)
        audits.now()
        self.grid.until(lambda: self.share() == 100, 60, "proofs")
        self.assertEqual(self.doctor()["audits"], "ok")
        for honest in self.suppliers[3:]:
            honest.kill()
        self.download(self.alice, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.data)

    def test_who_fails_audits_again_and_again_is_replaced(self) -> None:
        """Somebody else gets place and pieces of a supplier that cannot keep any; the doctor says who goes, and why."""
        liar = self.suppliers[1]
        self.alice.node.settings.set("services/employer/replace-after-failed-audits", 2)
        audits, family = self.alice.rooms.storage.core.audits, self.alice.rooms.suppliers.family
        for failed in (1, 2):
            for path in files_of(liar):
                path.unlink()
            audits.now()
            self.grid.until(lambda: audits.row(liar.fingerprint)["failed"] == failed, 60, "the audit")  # noqa: B023
            self.grid.run(15)
        (said,) = [found for found in self.findings() if found["check"] == "suppliers"]
        self.assertEqual(said["verdict"], "warn")
        going = said["found"].partition("; to be replaced: ")[2]
        self.assertIn(liar.name, going)
        self.assertTrue(going.endswith("(it failed its audits)"), said)
        self.add_suppliers(1)
        self.grid.until(lambda: liar.fingerprint not in family.current.holders, 300, "the replacement")
        self.assertIn(self.suppliers[6].fingerprint, family.members)
        self.assertEqual(self.alice.node.events.counts().get("supplier-distrusted"), 1)
        for other in self.suppliers[:3]:
            other.kill()
        self.download(self.alice, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.data)

    def test_who_stays_away_is_doubted(self) -> None:
        """A supplier that has proved nothing for a whole period counts no longer, until it proves something: within a
        minute of its return, though its services answer only after it is there."""
        away, book = self.suppliers[0], self.alice.rooms.storage.core.audits.book
        self.grid.network.cut = lambda one, other: away.address in (one, other)
        self.grid.until(lambda: not self.alice.rooms.peers.presence.is_online(away.fingerprint), 300, "its absence")
        known = book.of(away.fingerprint)
        book._write(away.fingerprint, evolve(known, since=known.since - 73 * 3600))
        self.grid.run(5)
        self.assertEqual((self.version()["delivered"], self.version()["doubted"] > 0), ("100%", True))
        self.assertEqual((self.share(), self.doctor()["audits"]), (83, "warn"))
        self.assertEqual(self.alice.rooms.storage.core.audits.row(away.fingerprint)["failed"], 0)
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: self.alice.rooms.peers.presence.is_online(away.fingerprint), 300, "its return")
        self.grid.until(lambda: self.share() == 100, 60, "the proof")

    def test_a_supplier_reports_its_own_rot(self) -> None:
        """A piece that rots on a supplier's disk is reported by its own walk, and made again before anybody reads."""
        rotten = self.suppliers[2]
        path = files_of(rotten)[0]
        path.write_bytes(b"?" + path.read_bytes()[1:])
        counts = self.alice.node.events.counts
        self.grid.until(lambda: counts().get("pieces-lost"), 120, "the report")
        self.grid.until(lambda: self.share() == 100, 60, "the piece")
        self.assertEqual(self.alice.rooms.storage.core.audits.row(rotten.fingerprint)["standing"], "proven")
        self.grid.run(5)
        rotten.rooms.customers.scrubber.rewind()
        self.grid.run(90)
        self.assertEqual((counts()["pieces-lost"], self.share()), (1, 100))

    def test_a_person_verifies(self) -> None:
        """Over the whole node, by audits and in full: the verdict, and whose pieces failed."""
        liar = self.suppliers[4]
        for path in files_of(liar):
            path.unlink()
        found = call(self.grid, self.alice, "file_verify", remote_path="file", wait_result=True)
        self.assertEqual((found["verified"], found["spare_pieces"]), (True, 2))
        failed = {row["global_id"].partition("@")[0]: row["failed"] for row in found["suppliers"] if row["failed"]}
        self.assertEqual(list(failed), [liar.name])
        found = call(self.grid, self.alice, "file_verify", remote_path="file", full=True, wait_result=True)
        self.assertEqual((found["verified"], found["packs_lost"]), (True, 0))
        self.assertEqual(call(self.grid, self.alice, "files_verifications"), [])
