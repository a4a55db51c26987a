"""`bitdust file verify` and the column of audits in `bitdust supplier list`, without a node."""

from tests.unit.test_cli_calls import NodeCase

SUPPLIER = {"global_id": "bob@id.example", "idurl": "", "asked": 7, "proved": 5, "failed": 2, "silent": 0}
GOOD = {"verified": True, "files": 3, "packs": 7, "spare_pieces": 1, "problems": [], "suppliers": [SUPPLIER]}
BAD = GOOD | {
    "verified": False, "files_lost": 1, "packs_lost": 2, "problems": [{"path": "docs/a", "reason": "1 of its 4 pieces"}]
}  # fmt: skip


class VerifyTests(NodeCase):
    def call(self, full: bool = False):
        return ("file_verify", {"remote_path": "docs", "full": full, "wait_result": True})

    def test_what_can_come_back(self) -> None:
        """Exit code 0, how many suppliers may still fail, and a line for each of them."""
        self.answers["file_verify"] = GOOD
        output = self.asks("file verify docs", self.call())
        for part in ("docs can come back: 3 files, 7 packs; 1 more suppliers may fail", "bob@id.example"):
            self.assertIn(part, output)
        self.asks("file verify --full docs", self.call(True))
        self.prints_json("file verify docs", GOOD)

    def test_what_cannot(self) -> None:
        """Exit code 5 for people and programs, and which files are lost for which reason."""
        self.answers["file_verify"] = BAD
        output = self.asks("file verify docs", self.call(), code=5)
        for part in ("cannot come back as a whole: 2 of 7 packs, 1 files are lost", "docs/a: 1 of its 4 pieces"):
            self.assertIn(part, output)

    def test_stopping_it(self) -> None:
        """It is stopped like an upload or download."""
        for words in ("file cancel --verify docs", "file cancel verify docs"):
            self.asks(words, ("file_verify_stop", {"remote_path": "docs"}))


class SupplierTests(NodeCase):
    def test_audits(self) -> None:
        """Each supplier's line says how its audits stand, and how often it failed in a row."""
        stands = (("proven", 0), ("failed", 1), ("failed", 3), ("overdue", 0))
        audits = [{"standing": how, "failed_in_a_row": count} for how, count in stands]
        new = {"standing": "proven", "failed_in_a_row": 0, "passed": 0}
        rows = [{"position": 0, "global_id": "x", "audit": audit} for audit in (*audits, new, None)]
        self.answers["suppliers_list"] = {"result": rows}
        output = self.asks("supplier list", ("suppliers_list", {}))
        for part in ("proven", "not yet", "failed 3 times in a row", "overdue"):
            self.assertIn(part, output)
        self.assertNotIn("failed 1", output)

    def test_audit_now(self) -> None:
        """A person need not wait until it is time."""
        self.answers["suppliers_audit"] = {"message": "4 suppliers are being audited"}
        self.assertIn("4 suppliers", self.asks("supplier audit", ("suppliers_audit", {})))
