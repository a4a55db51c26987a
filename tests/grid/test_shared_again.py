"""A share that is read again, from its beginning, by a guest that has written into it."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail

from bitdust.checkup import running
from bitdust.storage.log import compaction
from bitdust.storage.log.requests import LogRequests
from bitdust.testing.grid import GridNode
from bitdust.wire.errors import BitDustError
from tests.grid.test_shared_writing import WritingCase
from tests.grid.test_shares import WRONG


class ReadAgainTests(WritingCase):
    """Bob was away for so long that the owner's log begins behind what he knows of it."""

    def setUp(self) -> None:
        super().setUp()
        self.key = self.open()
        self.put(self.alice, self.key, "first")
        self.sees(self.bob, self.key, "first")
        self.hidden_from: set[bytes] = set()
        entries = LogRequests.entries

        def given(requests: LogRequests, supplier: bytes, log: Any, first: int) -> "Deferred[list[bytes]]":
            if log.device == self.device and requests.access._me.fingerprint in self.hidden_from:
                return fail(BitDustError("no-answer", "not now"))
            return entries(requests, supplier, log, first)

        self.device = self.bob.rooms.identity.me.device.id
        self.patch(LogRequests, "entries", given)

    def shared(self, node: GridNode) -> Any:
        return next(node.rooms.storage.catalogs.shared())

    def waiting(self) -> int:
        query = "SELECT count(*) FROM pieces WHERE state=0"
        return self.shared(self.bob).catalog.read.execute(query).fetchone()[0]

    def noted(self) -> int:
        """Of how many suppliers it is written down that they hold something that Bob wrote."""
        query = "SELECT count(*) FROM log_acks WHERE device=? AND sequence>0"
        return self.shared(self.bob).catalog.read.execute(query, (self.device,)).fetchone()[0]

    def shorten(self) -> None:
        """The owner's log begins with a snapshot, behind what Bob has read of it."""
        core = self.alice.rooms.storage.core
        name, device = self.key.partition("$")[0], self.alice.rooms.identity.me.device.id
        core.compactor.least_log = 1
        core.compactor.check()
        self.put(self.alice, self.key, "mine")
        begins = lambda: core.catalog.first_sequence(name, device) > 1  # noqa: E731
        self.grid.until(begins, 600, "a snapshot")
        self.put(self.alice, self.key, "more")

    def be_away(self) -> None:
        """Bob's machine is off while the owner writes a snapshot."""
        self.grid.run(301)
        self.bob.crash()
        self.put(self.alice, self.key, "meanwhile")
        self.shorten()
        self.bob = self.bob.again("10.0.0.98")
        self.grid.until(lambda: self.bob.is_on("shared_data"), 300, "shares")

    def state(self) -> tuple[str, int, bool]:
        """What Bob hears who writes, how many of his pieces wait, and whether it is said why."""
        said = self.code(self.bob, "file_create", remote_path=f"{self.key}:two", exist_ok=True)
        reason = self.api(self.bob, "share_info", key_id=self.key)["reason"]
        [found] = running.unread_shares(self.bob.rooms.storage) or [None]
        self.assertEqual(bool(reason), found is not None)
        return said.partition(":")[0], self.waiting(), "has not come back" in reason

    def test_what_it_wrote_is_not_given_yet(self) -> None:
        """Until a guest has its own log back it drops nothing that it has brought, writes nothing, and says why; then
        it goes on where it was."""
        absent = self.suppliers[3]
        absent.crash()
        self.grid.run(60)
        self.hidden_from = {self.alice.fingerprint, self.bob.fingerprint}
        one = self.put(self.bob, self.key, "one")
        before = self.waiting()
        self.assertGreater(before, 0)
        self.be_away()
        self.sees(self.bob, self.key, "first", "meanwhile", "mine", "more")
        self.assertEqual(self.state(), ("keys-not-ready", before, True))
        self.grid.run(600)
        self.assertEqual(self.state(), ("keys-not-ready", before, True))
        self.hidden_from = set()
        self.grid.until(lambda: "one" in self.names(self.bob, self.key), 600, "its log")
        self.assertEqual(self.state(), (WRONG, before, False))
        self.assertEqual(self.noted(), 3)
        two = self.put(self.bob, self.key, "two")
        self.suppliers[3] = absent.again("10.0.0.77")
        self.grid.until(lambda: self.waiting() == 0, 600, "who was away")
        carol = self.add_visitor("carol")
        self.api(self.alice, "share_grant", key_id=self.key, trusted_user_id=self.name(carol))
        self.api(carol, "share_open", key_id=self.key)
        for node in (self.alice, self.bob, carol):
            self.sees(node, self.key, "first", "meanwhile", "mine", "more", "one", "two")
            self.gets(node, self.key, "one", one)
            self.gets(node, self.key, "two", two)

    def test_who_is_shut_out_before_its_owner_has_read_it(self) -> None:
        """What a guest had brought before stays, though suppliers list it and do not give it for hours after that."""
        self.hidden_from = {self.alice.fingerprint}
        one = self.put(self.bob, self.key, "one")
        self.grid.run(60)
        self.api(self.alice, "share_revoke", key_id=self.key, trusted_user_id=self.name(self.bob))
        self.grid.run(7200)
        self.assertEqual(self.names(self.alice, self.key), ["first"])
        self.assertEqual(self.cuts(), [None])
        self.hidden_from = set()
        self.grid.until(lambda: self.names(self.alice, self.key) == ["first", "one"], 900, "what he had brought")
        self.gets(self.alice, self.key, "one", one)
        self.grid.until(lambda: self.cuts()[0] is not None, 600, "the end of the log")

    def cuts(self) -> list[Any]:
        """Where the logs of those end who were shut out."""
        ring = self.alice.rooms.identity.me.key_ring
        return [grant.cut for grant in ring.get(self.key.partition("$")[0]).grants if grant.revoked]

    def test_a_supplier_that_has_lost_it(self) -> None:
        """What a supplier does not list any more of a guest's log the guest brings it again, the owner being away."""
        self.put(self.bob, self.key, "one")
        self.grid.run(310)
        self.alice.crash()
        store = self.suppliers[0].rooms.customers.store
        heads = lambda: len(store.heads(self.alice.fingerprint))  # noqa: E731
        before = heads()
        for table in ("log", "heads"):
            store._writer.execute(f"DELETE FROM {table} WHERE device=?", (self.device,))
        self.assertEqual(heads(), before - 1)
        self.grid.until(lambda: heads() == before, 600, "its log")

    def test_what_was_deleted_while_its_own_waits(self) -> None:
        """What the owner has deleted meanwhile is gone at a guest that was away for a month, also where something that
        it had written waited for suppliers: as soon as they have it."""
        self.patch(compaction, "DEAD_FOR", 0)
        self.put(self.alice, self.key, "gone")
        self.sees(self.bob, self.key, "first", "gone")
        self.switch_off()
        self.api(self.bob, "file_create", remote_path=f"{self.key}:two")
        self.grid.run(310)
        self.bob.crash()
        self.switch_on("70")
        self.api(self.alice, "file_delete", remote_path=f"{self.key}:gone", wait_result=True)
        self.grid.run(5)
        self.shorten()
        self.switch_off()
        self.bob = self.bob.again("10.0.0.98")
        self.grid.until(lambda: self.bob.is_on("shared_data"), 300, "shares")
        self.grid.until(lambda: "more" in self.names(self.bob, self.key), 600, "what the owner has")
        self.assertIn("gone", self.names(self.bob, self.key))
        expected = ["first", "mine", "more", "two"]
        self.assertEqual(self.names(self.alice, self.key), expected)
        self.switch_on("80")
        self.grid.run(900)
        self.assertEqual(self.names(self.bob, self.key), expected)

    def switch_off(self) -> None:
        for one in self.suppliers[2:]:
            one.crash()
        self.grid.run(60)

    def switch_on(self, number: str) -> None:
        self.suppliers[2:] = [one.again(f"10.0.{place}.{number}") for place, one in enumerate(self.suppliers[2:])]
        self.grid.run(120)

    def packs_of(self, name: str) -> set[bytes]:
        """Packs that a file's versions need, as its owner has them."""
        query = "SELECT v.pack FROM version_packs v JOIN items i ON i.path=v.path WHERE i.name=?"
        rows = self.alice.rooms.storage.core.catalog.read.execute(query, (name.encode(),)).fetchall()
        return {bytes(pack) for (pack,) in rows}

    def test_another_guest_that_is_not_read(self) -> None:
        """Of packs that are given up a guest drops what waits here, though another guest's log is not read: who stores
        the same bytes builds on none of them."""
        absent, carol = self.suppliers[3], self.add_visitor("carol")
        self.api(self.alice, "share_grant", key_id=self.key, trusted_user_id=self.name(carol))
        absent.crash()
        self.grid.run(60)
        path, data = self.file("same", 300_000)
        self.uploads(self.bob, path, "of bob")
        self.device, self.hidden_from = carol.rooms.identity.me.device.id, {self.bob.fingerprint}
        self.api(carol, "share_open", key_id=self.key)
        self.sees(carol, self.key, "first", "of bob")
        self.uploads(carol, path, "of carol")
        self.assertGreater(self.waiting(), 0)
        self.sees(self.alice, self.key, "first", "of bob", "of carol")
        self.assertEqual(self.packs_of("of bob") & self.packs_of("of carol"), set())
        self.api(self.alice, "file_delete", remote_path=f"{self.key}:of bob", wait_result=True)
        self.grid.until(lambda: self.waiting() == 0, 600, "what waits to be dropped")
        self.assertEqual(self.names(self.bob, self.key), ["first"])
        self.hidden_from = set()
        self.sees(self.bob, self.key, "first", "of carol")
        self.gets(self.bob, self.key, "of carol", data)

    def uploads(self, node: GridNode, path: Path, name: str) -> None:
        remote = f"{self.key}:{name}"
        self.api(node, "file_create", remote_path=remote)
        self.api(node, "file_upload_start", local_path=str(path.absolute()), remote_path=remote, wait_result=True)
