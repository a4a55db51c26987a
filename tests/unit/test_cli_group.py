"""`bitdust group`: what it asks of the node, and what it prints."""

from tests.unit.test_cli_calls import NodeCase

KEY = "group_1$alice@id.example"
ROW = {"group_key_id": KEY, "label": "friends", "creator": "alice@id.example", "state": "CONNECTED", "reason": "",
       "members": ["alice@id.example", "bob@id.example"], "sequence_count": 3,
       "joint_postman": "members", "keepers": ["alice@id.example"], "dropped": 7}  # fmt: skip


class GroupTests(NodeCase):
    def test_list(self) -> None:
        """Who made each group, how many are in it, and how much was said."""
        self.answers["groups_list"] = {"result": [ROW]}
        printed = self.asks("group", ("groups_list", {"only_active": False}))
        for text in (KEY, "friends", "alice@id.example", "2", "3", "CONNECTED"):
            self.assertIn(text, printed)
        self.asks("groups ls --active", ("groups_list", {"only_active": True}))
        self.prints_json("group list", [ROW])
        self.answers["groups_list"] = {"result": []}
        self.assertIn("bitdust group create", self.asks("group", ("groups_list", {"only_active": False})))

    def test_info(self) -> None:
        """Members, state and who keeps what is said."""
        self.answers["group_info"] = {"result": ROW | {"state": "DISCONNECTED", "reason": "too few"}}
        printed = self.asks(f"group show {KEY}", ("group_info", {"group_key_id": KEY}))
        for text in ("DISCONNECTED too few", "bob@id.example", "kept by members: alice@id.example", "7 entries"):
            self.assertIn(text, printed)
        self.prints_json(f"group info {KEY}", ROW | {"state": "DISCONNECTED", "reason": "too few"})

    def test_create(self) -> None:
        """A new group is joined, and its key id stands alone on its line, for scripts."""
        self.answers["group_create"], self.answers["group_join"] = {"result": ROW}, {"result": ROW}
        made, joined = ("group_create", {"label": "friends"}), ("group_join", {"group_key_id": KEY})
        self.assertEqual(self.asks("group create friends", made, joined), f"{KEY}\n")
        self.prints_json("group create friends", ROW)

    def test_reconnect(self) -> None:
        """What was said is looked for at once, and the state is told."""
        self.answers["group_reconnect"] = {"result": ROW}
        printed = self.asks(f"group reconnect {KEY}", ("group_reconnect", {"group_key_id": KEY}))
        self.assertEqual(printed, f"{KEY} is CONNECTED\n")

    def test_what_is_said(self) -> None:
        """Each command hands over what it was given, and prints the node's sentence."""
        key, who = {"group_key_id": KEY}, {"group_key_id": KEY, "trusted_user_id": "bob@id.example"}
        for command, method, arguments in (
            (f"group share {KEY} bob@id.example", "group_share", who | {"timeout": 45.0}),
            (f"group kick {KEY} bob@id.example", "group_remove", who),
            (f"group join {KEY}", "group_join", key),
            (f"group leave {KEY}", "group_leave", key | {"erase_key": False}),
            (f"group leave {KEY} --erase-key", "group_leave", key | {"erase_key": True}),
            (f"group send {KEY} hello all", "message_send_group", key | {"data": {"message": "hello all"}}),
            (f'group say {KEY} {{"a":1}} --object', "message_send_group", key | {"data": {"a": 1}}),
        ):
            self.answers[method] = {"message": "so it is"}
            self.assertIn("so it is", self.asks(command, (method, arguments)).lower())

    def test_no_object(self) -> None:
        """What is no JSON is refused before anything is asked."""
        self.asked.clear()
        self.refuses(f"group send {KEY} nonsense --object", "no JSON", 2)
        self.assertEqual(self.asked, [])
