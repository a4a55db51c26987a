"""Writing into other people's shares, between whole nodes."""

import shutil

from bitdust.testing.grid import GridNode
from bitdust.wire.errors import BitDustError
from tests.grid.test_models import ModelCase
from tests.grid.test_shares import SharesCase


class WritingCase(SharesCase, ModelCase):
    """Alice owns, Bob is let in to write."""

    def open(self, **arguments) -> str:
        key = self.create()
        self.grant(key, **arguments)
        self.api(self.bob, "share_open", key_id=key)
        return key

    def sees(self, node: GridNode, key: str, *names: str) -> None:
        self.grid.until(lambda: self.names(node, key) == sorted(names), 60, f"{names} at {node.name}")

    def gets(self, node: GridNode, key: str, name: str, data: bytes) -> None:
        target = self.base / f"back-{node.name}"
        self.download(node, f"{key}:{name}", target)
        self.assertEqual((target / name).read_bytes(), data)

    def delivered(self, node: GridNode, key: str) -> list[str]:
        return [row["versions"][-1]["delivered"] for row in self.api(node, "files_list", remote_path=f"{key}:")]

    def hear(self, node: GridNode) -> list[tuple[str, str, str]]:
        heard: list[tuple[str, str, str]] = []

        def happened(event) -> None:
            heard.append((event.data["event"], event.data["remote_path"].partition(":")[2], event.data["global_id"]))

        node.node.events.subscribe(happened, "share-file-changed")
        return heard


class WritingTests(WritingCase):
    def test_a_guest_brings_a_file(self) -> None:
        """What a guest uploads is listed, told as an event, pushed and brought back at its owner's side, and the other
        way round; both see who brought what, and how much."""
        key = self.create()
        self.grant(key)
        socket = self.socket(self.bob)
        self.assertEqual(socket.call("enable_model_listener", model_name="shared_location")["status"], "OK")
        self.assertEqual(socket.call("enable_model_listener", model_name="shared_file")["status"], "OK")
        path, data = self.file("from bob")
        self.assertEqual(self.code(self.bob, "file_create", remote_path=f"{key}:from bob"), "not-found")
        self.api(self.bob, "share_open", key_id=key)
        self.api(self.bob, "file_create", remote_path=f"{key}:from bob")
        self.api(self.bob, "share_close", key_id=key)
        to = {"local_path": str(path.absolute()), "remote_path": f"{key}:from bob", "wait_result": True}
        at_alice, at_bob = self.hear(self.alice), self.hear(self.bob)
        self.api(self.bob, "file_upload_start", open_share=True, **to)
        states = [one["data"]["state"] for one in socket.take("shared_location") if one["id"] == key]
        self.assertEqual([states[0] == "CONNECTED", states[-1]], [False, "CONNECTED"])
        self.sees(self.alice, key, "from bob")
        self.gets(self.alice, key, "from bob", data)
        self.grid.until(lambda: self.delivered(self.alice, key) == ["100%"], 15, "what the suppliers say of it")
        self.assertEqual(at_alice, [("stored", "from bob", self.name(self.bob))])
        more = self.put(self.alice, key, "from alice")
        self.sees(self.bob, key, "from alice", "from bob")
        self.gets(self.bob, key, "from alice", more)
        self.assertEqual(at_bob, [("stored", "from alice", self.name(self.alice))])
        self.assertIn("from alice", [one["data"].get("name") for one in socket.take("shared_file")])
        for node in (self.alice, self.bob):
            who = {row["remote_path"].partition(":")[2]: row["global_id"] for row in self.api(node, "share_history")}
            self.assertEqual(who, {f"from {one.name}": self.name(one) for one in (self.alice, self.bob)})
        row = self.api(self.bob, "share_info", key_id=key)
        (holder,) = self.api(self.alice, "share_info", key_id=key)["holders"]
        self.assertEqual((row["quota"], row["used"]), (holder["quota"], holder["used"]))
        self.assertGreater(row["used"], len(data))

    def deletes(self, node: GridNode, key: str, name: str) -> str:
        try:
            return self.api(node, "file_delete", remote_path=f"{key}:{name}", wait_result=True)["path"]
        except BitDustError as error:
            return error.code

    def test_each_takes_back_its_own(self) -> None:
        """A guest deletes what it brought and nothing else; the owner deletes everything. A guest's version of the
        owner's file is the newest, and when the guest takes it back the owner's is again."""
        key = self.open()
        first = self.put(self.alice, key, "a")
        self.put(self.bob, key, "b")
        self.put(self.bob, key, "c")
        self.sees(self.bob, key, "a", "b", "c")
        self.sees(self.alice, key, "a", "b", "c")
        self.assertEqual(self.deletes(self.bob, key, "a"), "not-allowed")
        self.assertEqual(self.deletes(self.bob, key, "c"), "c")
        self.sees(self.alice, key, "a", "b")
        self.assertEqual(self.deletes(self.alice, key, "b"), "b")
        self.sees(self.bob, key, "a")
        second = self.put(self.bob, key, "a")
        self.grid.until(lambda: len(self.info(self.alice, key, "a")["versions"]) == 2, 60, "the version")
        self.gets(self.alice, key, "a", second)
        self.assertEqual(self.deletes(self.bob, key, "a"), "a")
        self.grid.until(lambda: len(self.info(self.alice, key, "a")["versions"]) == 1, 60, "the deletion")
        self.gets(self.alice, key, "a", first)
        self.less_than_before(key)

    def brings(self, key: str, name: str, size: int, node: GridNode | None = None) -> str:
        """The code that Bob gets, or somebody else, who brings a file."""
        path, _ = self.file(name, size)
        remote, node = f"{key}:{name}", node or self.bob
        self.api(node, "file_create", remote_path=remote, exist_ok=True)
        to = {"local_path": str(path.absolute()), "remote_path": remote, "wait_result": True}
        return self.envelope(node, "file_upload_start", **to).get("code", "")

    def less_than_before(self, key: str) -> None:
        """A smaller quota counts at once, and who may only read brings nothing: what was signed before is revoked."""
        (before,) = self.grants(key)
        self.grant(key, quota=1_000_000)
        self.grid.run(5)
        self.assertEqual(self.brings(key, "small", 300_000), "")
        self.assertEqual(self.brings(key, "large", 1_000_000), "no-space")
        self.grant(key, access="read")
        self.grid.run(5)
        self.assertEqual(self.code(self.bob, "file_create", remote_path=f"{key}:more"), "not-allowed")
        self.assertEqual(self.alice.rooms.shares.withdrawals.waiting(), 0)
        revoked = [grant.id for grant in self.grants(key) if grant.revoked]
        self.assertEqual((len(revoked), before.id in revoked), (2, True))
        self.assertEqual(self.names(self.bob, key), ["a", "large", "small"])

    def grants(self, key: str):
        return self.alice.rooms.identity.me.key_ring.get(key.partition("$")[0]).grants

    def info(self, node: GridNode, key: str, name: str) -> dict:
        return self.api(node, "file_info", remote_path=f"{key}:{name}")

    def test_the_owner_is_away(self) -> None:
        """With the owner away and one supplier dying in the middle two guests write, one of them without any storage of
        its own, and see each other's files."""
        carol = self.add_visitor("carol")
        key = self.open()
        self.api(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(carol))
        self.api(carol, "share_open", key_id=key)
        self.grid.run(5)
        self.alice.crash()
        one = self.put(self.bob, key, "from bob")
        self.suppliers[0].kill()
        two = self.put(carol, key, "from carol")
        for node in (self.bob, carol):
            self.sees(node, key, "from bob", "from carol")
            self.gets(node, key, "from bob", one)
            self.gets(node, key, "from carol", two)
        self.alice = self.alice.again("10.0.0.99")
        self.grid.until(lambda: self.alice.is_on("my_data"), 300, "the owner")
        self.sees(self.alice, key, "from bob", "from carol")
        self.gets(self.alice, key, "from carol", two)

    def test_shut_out(self) -> None:
        """Who was shut out brings nothing more, be it small or large, and hears why; what it had brought stays."""
        key, carol = self.open(), self.add_visitor("carol")
        self.api(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(carol))
        self.api(carol, "share_open", key_id=key)
        data = self.put(self.bob, key, "before")
        self.sees(self.alice, key, "before")
        for node in (self.bob, carol):
            self.api(self.alice, "share_revoke", key_id=key, trusted_user_id=self.name(node))
        self.grid.run(5)
        self.assertEqual(self.brings(key, "after", 300_000), "not-allowed")
        self.assertEqual(self.brings(key, "small", 1000, carol), "not-allowed")
        self.grid.run(60)
        self.assertEqual(self.names(self.alice, key), ["before"])
        (grant,) = (grant for grant in self.grants(key) if grant.holder == self.bob.fingerprint)
        self.assertEqual([grant.revoked, list(grant.cut.values())], [True, [2]])
        self.gets(self.alice, key, "before", data)

    def test_rows_and_recovery(self) -> None:
        """Rows say at both sides what suppliers have; a recovered owner finds what guests brought."""
        key = self.open()
        data = self.put(self.bob, key, "from bob")
        self.put(self.alice, key, "from alice")
        for node in (self.bob, self.alice):
            for name in ("from bob", "from alice"):
                self.grid.until(lambda node=node, name=name: self.standing(node, key, name) == ("100%", "100%"), 600,
                                f"{name} at {node.name}: {self.standing(node, key, name)}")  # fmt: skip
        self.grid.run(30)
        heads = self.grid.wait(self.alice.rooms.storage.core.ports.known_heads())
        self.assertEqual([head.sequence > 0 for head in heads if head.scope is not None], [True])
        key_file = self.key_file(self.alice)
        self.alice.kill()
        shutil.rmtree(self.alice.home)
        self.alice = self.recover(key_file)
        self.sees(self.alice, key, "from alice", "from bob")
        self.gets(self.alice, key, "from bob", data)

    def standing(self, node: GridNode, key: str, name: str) -> tuple[str, str]:
        try:
            version = self.info(node, key, name)["versions"][-1]
        except (BitDustError, IndexError):
            return "", ""
        return version["delivered"], version["reliable"]

    def test_after_a_snapshot(self) -> None:
        """The owner's snapshot stands for what guests wrote: they write on, and who comes later reads all of it."""
        key = self.open()
        one = self.put(self.bob, key, "one")
        self.sees(self.alice, key, "one")
        core = self.alice.rooms.storage.core
        core.compactor.least_log = 1
        core.compactor.check()
        device = self.bob.rooms.identity.me.device.id
        query = "SELECT 1 FROM bases WHERE device=?"
        self.put(self.alice, key, "mine")
        self.grid.until(lambda: core.catalog.read.execute(query, (device,)).fetchone() is not None, 600, "a snapshot")
        two = self.put(self.bob, key, "two")
        carol = self.add_visitor("carol")
        self.api(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(carol))
        self.api(carol, "share_open", key_id=key)
        self.sees(carol, key, "mine", "one", "two")
        self.gets(carol, key, "one", one)
        self.gets(carol, key, "two", two)
        three = self.put(carol, key, "three")
        self.bob.crash()
        self.bob = self.bob.again("10.0.0.98")
        self.grid.until(lambda: self.bob.is_on("shared_data"), 300, "shares")
        self.sees(self.bob, key, "mine", "one", "three", "two")
        self.gets(self.bob, key, "three", three)

    def test_killed_in_the_middle(self) -> None:
        """A guest that is killed while it brings a file goes on by itself when it is back."""
        key = self.open()
        path, data = self.file("large", 3_000_000)
        remote = f"{key}:large"
        self.api(self.bob, "file_create", remote_path=remote)
        self.api(self.bob, "file_upload_start", local_path=str(path.absolute()), remote_path=remote)
        self.grid.run(0.01)
        self.assertEqual(len(self.api(self.bob, "files_uploads")["running"]), 1)
        self.bob.crash()
        self.bob = self.bob.again("10.0.0.98")
        self.grid.until(lambda: self.bob.is_on("shared_data"), 300, "shares")
        self.grid.until(lambda: self.api(self.bob, "files_uploads")["running"] == [], 300, "the upload")
        self.grid.until(lambda: bool(self.info(self.alice, key, "large")["versions"]), 60, "the version")
        self.gets(self.alice, key, "large", data)

    def test_after_a_recovery_that_revokes(self) -> None:
        """Who was let in before all devices of the owner were lost is in still, with what was brought, whatever older
        key rings suppliers have beside the last one; and goes on to bring more."""
        key = self.create()
        self.grid.run(5)
        self.grant(key)
        self.api(self.bob, "share_open", key_id=key)
        self.put(self.bob, key, "from bob")
        self.sees(self.alice, key, "from bob")
        self.grid.run(10)
        key_file = self.key_file(self.alice)
        self.alice.kill()
        again = self.grid.add_stranger("alice-again")
        again.start()
        self.grid.wait(again.rooms.identity.registration.recover(key_file.read_text(), None, None, True), 300)
        self.grid.until(lambda: again.is_on("my_data"), 300, "the recovery")
        self.sees(again, key, "from bob")
        holders = lambda: self.api(again, "share_info", key_id=key)["holders"]  # noqa: E731
        self.assertEqual([one["fingerprint"] for one in holders()], [self.bob.fingerprint.hex()])
        self.grid.until(lambda: holders()[0]["state"] == "DELIVERED", 30, "a capability that counts")
        data = self.put(self.bob, key, "more")
        self.sees(again, key, "from bob", "more")
        self.gets(again, key, "more", data)
