"""`bitdust share`: what it asks of the node, and what it prints."""

from tests.unit.test_cli_calls import NodeCase

KEY = "share_1$alice@id.example"
HOLDER = {"fingerprint": "cd" * 32, "global_id": "bob@id.example", "rights": ["list", "read"], "state": "WAITING",
          "reason": "bob@id.example did not answer", "quota": 2**30, "used": 2**20}  # fmt: skip
MINE = {"key_id": KEY, "label": "wedding", "creator": "alice@id.example", "mine": True, "state": "CONNECTED",
        "reason": "", "rights": ["list", "read", "write"], "holders": [HOLDER]}  # fmt: skip
GIVEN = {**MINE, "creator": "eve@id.example", "mine": False, "rights": ["read"], "reason": "too few", "state": "CLOSED"}
del GIVEN["holders"]


class ShareTests(NodeCase):
    def test_list(self) -> None:
        """Whose each share is, what may be done there, and whom you let in."""
        self.answers["shares_list"] = {"result": [MINE, GIVEN]}
        printed = self.asks("share", ("shares_list", {"only_active": False}))
        for text in ("you", "eve@id.example", "read and write", "bob@id.example", "CONNECTED"):
            self.assertIn(text, printed)
        self.asks("shares ls --active", ("shares_list", {"only_active": True}))
        self.prints_json("share list", [MINE, GIVEN])
        self.answers["shares_list"] = {"result": []}
        self.assertIn("bitdust share create", self.asks("share", ("shares_list", {"only_active": False})))

    def test_info(self) -> None:
        """Why it cannot be read, and what became of each person who was let in."""
        self.answers["share_info"] = {"result": MINE | {"reason": "too few of its suppliers"}}
        printed = self.asks(f"share info {KEY}", ("share_info", {"key_id": KEY}))
        for text in ("too few of its suppliers", "WAITING", "did not answer", "1 MB of 1 GB"):
            self.assertIn(text, printed)
        self.answers["share_info"] = {"result": GIVEN | {"quota": 2**30, "used": 2**20}}
        printed = self.asks(f"share show {KEY}", ("share_info", {"key_id": KEY}))
        for text in ("too few", "you have brought 1 MB of 1 GB"):
            self.assertIn(text, printed)
        self.answers["share_info"] = {"result": GIVEN}
        self.prints_json(f"share info {KEY}", GIVEN)

    def test_create(self) -> None:
        """The key id stands alone on its line, for scripts."""
        self.answers["share_create"] = {"result": MINE, "message": "made"}
        printed = self.asks("share create wedding", ("share_create", {"label": "wedding"}))
        self.assertEqual(printed.splitlines()[-1], KEY)
        self.prints_json("share create wedding", MINE)

    def test_what_is_said(self) -> None:
        """Each command hands over what it was given, and prints the node's sentence."""
        who = {"key_id": KEY, "trusted_user_id": "bob@id.example"}
        for command, method, arguments in (
            (f"share grant {KEY} bob@id.example", "share_grant", who | {"access": "write", "timeout": 45.0}),
            (f"share invite {KEY} bob@id.example --read-only --timeout 5", "share_grant",
             who | {"access": "read", "timeout": 5.0}),
            (f"share grant {KEY} bob@id.example --quota 5", "share_grant",
             who | {"access": "write", "timeout": 45.0, "quota": 5 * 2**20}),
            (f"share revoke {KEY} bob@id.example", "share_revoke", who),
            (f"share open {KEY}", "share_open", {"key_id": KEY}),
            (f"share close {KEY}", "share_close", {"key_id": KEY}),
            (f"share rm {KEY} --yes", "share_delete", {"key_id": KEY}),
        ):  # fmt: skip
            self.answers[method] = {"message": "so it is"}
            self.assertIn("so it is", self.asks(command, (method, arguments)).lower())

    def test_history(self) -> None:
        """What was stored, of one share or of all."""
        rows = [{"time": 1.0, "remote_path": f"{KEY}:cake", "size": 7, "event": "stored", "fingerprint": "cd" * 32,
                 "global_id": "bob@id.example"}]  # fmt: skip
        self.answers["share_history"] = {"result": rows}
        printed = self.asks("share history", ("share_history", {"limit": 100}))
        self.assertIn("cake", printed)
        self.assertIn("bob@id.example", printed)
        self.asks(f"share log {KEY} --limit 5", ("share_history", {"limit": 5, "key_id": KEY}))
        self.prints_json("share history", rows)
