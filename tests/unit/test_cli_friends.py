"""`bitdust friend`: what it asks of the node, and what it prints."""

from tests.unit.test_cli_calls import NodeCase

BOB = {
    "fingerprint": "ab" * 32, "idurl": "http://id.example/bob.xml", "global_id": "bob@id.example", "alias": "Bob",
    "name_proven": True, "contact_state": "CONNECTED", "idhost": "id.example", "username": "bob", "since": 1,
}  # fmt: skip


class FriendTests(NodeCase):
    def test_list(self) -> None:
        """Friends with alias and state; a name that nobody has proved comes behind the fingerprint."""
        self.answers["friends_list"] = {"result": [BOB, BOB | {"name_proven": False, "alias": ""}]}
        printed = self.asks("friend", ("friends_list", {}))
        self.assertIn("Bob", printed)
        self.assertIn("abababababababab (unproven: bob@id.example)", printed)
        self.prints_json("friend list", [BOB, BOB | {"name_proven": False, "alias": ""}])
        self.answers["friends_list"] = {"result": []}
        self.assertIn("bitdust friend add", self.asks("buddy ls", ("friends_list", {})))

    def test_add_and_remove(self) -> None:
        """Who and the alias are handed over, and the node's sentence is printed."""
        self.answers["friend_add"] = self.answers["friend_remove"] = {"message": "so it is"}
        wanted = {"trusted_user_id": "bob@id.example", "alias": "Bob"}
        self.assertIn("So it is", self.asks("friend add bob@id.example Bob", ("friend_add", wanted)).capitalize())
        self.asks("friend add bob@id.example", ("friend_add", wanted | {"alias": ""}))
        self.asks("friend rm Bob", ("friend_remove", {"user_id": "Bob"}))

    def test_search(self) -> None:
        """Everybody who bears a nickname, the fingerprint first where the name is not proven."""
        row = {name: BOB[name] for name in ("fingerprint", "idurl", "global_id")}
        self.answers["user_observe"] = {"result": [row | {"position": 2, "name_proven": False, "nickname": "bobby"}]}
        printed = self.asks("friend search bobby", ("user_observe", {"nickname": "bobby"}))
        self.assertIn("abababababababab (unproven: bob@id.example)", printed)
        self.answers["user_observe"] = {"result": []}
        self.assertIn("nobody is called bobby", self.asks("friend find bobby", ("user_observe", {"nickname": "bobby"})))
        self.prints_json("friend search bobby", [])

    def test_nickname(self) -> None:
        """My own: which, and where the DHT has it, or why it has it nowhere; another one is set."""
        mine = {"nickname": "alice", "position": 0, "reason": ""}
        self.answers["nickname_get"] = {"result": mine}
        self.assertEqual(self.asks("friend nickname", ("nickname_get", {})), "alice: position 0\n")
        self.prints_json("friend nickname", mine | {"message": "alice: position 0"})
        self.answers["nickname_get"] = {"result": mine | {"position": None, "reason": "no DHT"}}
        self.assertEqual(self.cli("friend", "nickname").output, "alice: no DHT\n")
        self.answers["nickname_set"] = {"result": mine, "message": "your nickname is alice"}
        printed = self.asks("friend nickname alice", ("nickname_set", {"nickname": "alice"}))
        self.assertEqual(printed, "your nickname is alice\n")

    def test_status(self) -> None:
        """Somebody is asked for a sign of life."""
        row = {"global_id": "bob@id.example", "idurl": BOB["idurl"], "contact_state": "CONNECTED"}
        self.answers["user_status_check"] = {"result": row}
        printed = self.asks("friend status Bob", ("user_status_check", {"user_id": "Bob"}))
        self.assertEqual(printed, "bob@id.example is CONNECTED\n")
        self.asks("friend status Bob --timeout 3", ("user_status_check", {"user_id": "Bob", "timeout": 3.0}))
        self.prints_json("friend status Bob", row)


class KeyTests(NodeCase):
    def test_share(self) -> None:
        """The private part is given after a question alone; the node's sentence is printed."""
        self.answers["key_share"] = {"message": "bob has it now"}
        wanted = {"key_id": "k", "trusted_user_id": "bob", "include_private": False, "include_label": False}
        self.assertIn("bob has it now", self.asks("key share k bob", ("key_share", wanted)))
        private = wanted | {"include_private": True}
        self.asks("key send k bob --private --yes", ("key_share", private))
        self.asks("key share k bob --private", ("key_share", private), input="y\n")
        self.cli("key", "share", "k", "bob", "--private", input="n\n", code=1)
        self.asks("key share k bob --label", ("key_share", wanted | {"include_label": True}))

    def test_audit(self) -> None:
        """Whether somebody has a key, in words and for programs."""
        self.answers["key_audit"] = {"result": [False], "message": "bob does not have it"}
        wanted = {"key_id": "k", "untrusted_user_id": "bob", "is_private": True}
        self.assertIn("bob does not have it", self.asks("key audit k bob --private", ("key_audit", wanted)))
        self.prints_json("key audit k bob", {"message": "bob does not have it", "has_key": False})
