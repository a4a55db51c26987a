"""Shares between whole nodes: let in, read, grown, shut out, owner gone for good."""

from attrs import evolve
from twisted.internet.defer import Deferred

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.testing.grid import GridNode
from bitdust.wire.errors import BitDustError
from tests.grid.test_main_job import NO_CUSTOMER, NO_SUPPLIER, GridCase

WRONG = "not the right answer"


class PeopleCase(GridCase):
    """People who ask their nodes for something; Alice makes shares, and lets Bob in."""

    alice: GridNode
    bob: GridNode

    def envelope(self, node: GridNode, method: str, **arguments) -> dict:
        return self.grid.wait(perform(node.node.context, TABLE.named(method), arguments))

    def api(self, node: GridNode, method: str, **arguments):
        """The result of a method of the API. Raises `BitDustError` for an error of it."""
        envelope = self.envelope(node, method, **arguments)
        if envelope["status"] != "OK":
            raise BitDustError(envelope["code"], envelope["errors"][0])
        return envelope.get("result")

    def code(self, node: GridNode, method: str, **arguments) -> str:
        try:
            return f"{WRONG}: {self.api(node, method, **arguments)}"
        except BitDustError as error:
            return error.code

    def name(self, node: GridNode) -> str:
        return node.rooms.identity.me.global_id

    def create(self) -> str:
        return self.api(self.alice, "share_create", label="our wedding")["key_id"]

    def grant(self, key: str, **arguments):
        return self.api(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(self.bob), **arguments)

    def add_visitor(self, name: str) -> GridNode:
        """Somebody who has no suppliers and wants none."""
        node = self.grid.add(name, **NO_CUSTOMER, **NO_SUPPLIER)
        node.start()
        node.create_identity()
        self.grid.until(lambda: node.is_on("shared_data"), 300, "shares")
        return node

    def put(self, node: GridNode, key: str, name: str, size: int = 300_000) -> bytes:
        path, data = self.file(name, size)
        remote = f"{key}:{name}"
        self.api(node, "file_create", remote_path=remote, exist_ok=True)
        self.api(node, "file_upload_start", local_path=str(path.absolute()), remote_path=remote, wait_result=True)
        return data

    def moves(self, node: GridNode) -> list[tuple[str, str]]:
        """Kinds of machines and new states, as events tell them from now on."""
        told: list[tuple[str, str]] = []
        node.node.events.subscribe(lambda event: told.append((event.data["name"], event.data["new"])), "state-changed")
        return told

    def names(self, node: GridNode, key: str) -> list[str]:
        return [row["path"] for row in self.api(node, "files_list", key_id=key) if row["type"] == "file"]


class SharesCase(PeopleCase):
    """Both have suppliers."""

    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(4)
        self.alice = self.add_customer("alice")
        self.bob = self.add_customer("bob")
        for node in (self.alice, self.bob):
            self.grid.until(lambda node=node: node.is_on("shared_data"), 60, "shares")


class SharesTests(SharesCase):
    def test_read_by_somebody_else(self) -> None:
        """Who was let in lists the share and brings its files back from the owner's suppliers, and nothing else."""
        key = self.create()
        cake, data = self.file("cake")
        self.upload(self.alice, cake, f"{key}:cake")
        self.upload(self.alice, cake, "secret")
        at_alice, at_bob = self.moves(self.alice), self.moves(self.bob)
        row = self.grant(key, access="read")
        self.assertEqual((row["state"], row["rights"]), ("DELIVERED", ["list", "read"]))
        (given,) = self.api(self.bob, "shares_list")
        self.assertEqual((given["key_id"], given["mine"], given["state"]), (key, False, "CLOSED"))
        self.assertEqual(given["label"], "our wedding")
        opened = self.api(self.bob, "share_open", key_id=key, publish_events=True)
        self.assertEqual((opened["state"], len(opened["suppliers"])), ("CONNECTED", 4))
        self.assertEqual(at_alice[-1], ("shared_access_donor", "DELIVERED"))
        self.assertEqual(at_bob[-1], ("shared_access_coordinator", "CONNECTED"))
        self.assertEqual(self.names(self.bob, key), ["cake"])
        self.download(self.bob, f"{key}:cake", self.base / "back")
        self.assertEqual((self.base / "back" / "cake").read_bytes(), data)
        secret = f"master${self.name(self.alice)}:secret"
        self.assertEqual(self.code(self.bob, "file_info", remote_path=secret), "not-found")
        (stored,) = self.api(self.bob, "share_history", key_id=key)
        self.assertEqual((stored["event"], stored["size"]), ("stored", len(data)))
        to = {"remote_path": f"{key}:cake", "destination_path": str((self.base / "again").absolute())}
        self.api(self.bob, "file_download_start", wait_result=True, publish_events=True, **to)
        self.grid.run(0.1)
        self.assertEqual(at_bob[-1], ("restore_worker", "DONE"))
        self.assertEqual(len(self.bob.node.context.following.followed), 1)
        self.shut_out(key)

    def shut_out(self, key: str) -> None:
        """Who was shut out reads nothing that comes later; the owner goes on."""
        said = self.envelope(self.alice, "share_revoke", key_id=key, trusted_user_id=self.name(self.bob))
        self.assertEqual((said["result"]["files"], said["result"]["bytes"]), (1, 300_000))
        self.assertIn("may have been read and copied (files: 1, 293 KB)", said["message"])
        self.grid.run(5)
        self.assertEqual(self.alice.rooms.shares.withdrawals.waiting(), 0)
        seen = self.api(self.bob, "share_info", key_id=key)
        self.assertEqual(seen["state"], "DISCONNECTED")
        self.assertIn("revoked", seen["reason"])
        dance, data = self.file("dance")
        self.upload(self.alice, dance, f"{key}:dance")
        self.api(self.bob, "share_close", key_id=key)
        self.assertEqual(self.code(self.bob, "share_open", key_id=key), "not-connected")
        self.assertIn("revoked", self.api(self.bob, "share_info", key_id=key)["reason"])
        self.assertEqual(self.names(self.bob, key), ["cake"])
        self.download(self.alice, f"{key}:dance", self.base / "mine")
        self.assertEqual((self.base / "mine" / "dance").read_bytes(), data)

    def test_the_owner_is_gone(self) -> None:
        """With the owner's machine gone for good and half of the suppliers switched off the share is read, after a
        restart of the guest too."""
        key = self.create()
        cake, data = self.file("cake")
        self.upload(self.alice, cake, f"{key}:cake")
        self.grant(key)
        self.api(self.bob, "share_open", key_id=key)
        self.alice.kill()
        for supplier in self.suppliers[:2]:
            supplier.kill()
        self.bob.crash()
        self.bob = self.bob.again("10.0.0.99")
        self.grid.until(lambda: self.bob.is_on("shared_data"), 300, "shares")
        self.grid.until(lambda: self.api(self.bob, "share_info", key_id=key)["state"] == "CONNECTED", 300, "the share")
        self.download(self.bob, f"{key}:cake", self.base / "back")
        self.assertEqual((self.base / "back" / "cake").read_bytes(), data)

    def test_half_of_the_suppliers_swallow_packets(self) -> None:
        """While half of the owner's suppliers swallow every packet, a share opens at once from the others that are
        connected already."""
        key = self.create()
        cake, data = self.file("cake")
        self.upload(self.alice, cake, f"{key}:cake")
        self.grant(key)
        away = {supplier.address for supplier in self.suppliers[:2]}
        self.grid.network.cut = lambda one, other: one in away or other in away
        self.bob.crash()
        self.bob = self.bob.again("10.0.0.99")
        self.grid.until(lambda: self.bob.is_on("my_data") and self.bob.is_on("shared_data"), 60, "shares")
        begun = self.grid.clock.seconds()
        self.assertEqual(self.api(self.bob, "share_open", key_id=key)["state"], "CONNECTED")
        self.assertLess(self.grid.clock.seconds() - begun, 5)
        self.download(self.bob, f"{key}:cake", self.base / "back")
        self.assertEqual((self.base / "back" / "cake").read_bytes(), data)
        self.grid.network.cut = lambda one, other: False
        self.grid.run(20)

    def test_who_is_dialled_still_when_all_ends(self) -> None:
        """Where a share opens from enough suppliers, that others are not dialled to the end is no error."""
        key = self.create()
        self.grant(key)
        given = next(one for one in self.bob.rooms.shares.all() if one.key_id == key)
        self.api(self.bob, "share_open", key_id=key)
        opened = self.bob.rooms.shares._opened[given.place]
        dialled: list[Deferred] = []
        self.patch(opened, "reach", lambda who, hint=None: (dialled.append(Deferred()), dialled[-1])[1])
        self.successResultOf(opened.connect())
        for one in dialled:
            one.cancel()
        self.assertEqual(len(dialled), len(self.suppliers))

    def test_away_when_let_in(self) -> None:
        """Who is away gets the key when it comes back, and the answer says so."""
        key = self.create()
        name = self.name(self.bob)
        self.api(self.alice, "user_ping", user_id=name)
        self.bob.crash()
        envelope = self.envelope(self.alice, "share_grant", key_id=key, trusted_user_id=name, timeout=5)
        self.assertEqual((envelope["status"], envelope["code"]), ("ERROR", "no-answer"))
        self.bob = self.bob.again("10.0.0.99")
        self.grid.until(lambda: self.bob.is_on("shared_data"), 300, "shares")
        self.grid.until(lambda: bool(self.api(self.bob, "shares_list")), 600, "the key")

    def test_who_refuses_disturbs_nobody_else(self) -> None:
        """Somebody whose node takes no key of the owner is named, with the reason, and everything else goes on."""
        key, stopped = self.create(), list[str]()
        self.alice.node.events.subscribe(lambda event: stopped.append(event.data["name"]), "service-stopped")

        def refuse(*_: object) -> None:
            raise BitDustError("too-many-shares", "no more shares of strangers")

        self.patch(self.bob.rooms.shares.received, "_need_place", refuse)
        said = self.envelope(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(self.bob), timeout=5)
        self.assertIn("no more shares of strangers", said["errors"][0])
        self.grid.pass_time(900)
        self.assertEqual(stopped, [])
        (holder,) = self.api(self.alice, "share_info", key_id=key)["holders"]
        self.assertIn("no more shares of strangers", str(holder))

    def test_deleted_and_let_in_again(self) -> None:
        """Whoever deleted a share that was given has it again when its owner lets that person in once more, and not
        before, however often the owner brings it."""
        key = self.create()
        self.put(self.alice, key, "cake")
        self.grant(key)
        self.api(self.bob, "share_open", key_id=key)
        self.api(self.bob, "share_delete", key_id=key)
        self.grid.run(2)
        self.alice.rooms.shares.donations.stop()
        self.alice.rooms.shares.donations.start()
        self.grid.run(5)
        self.assertEqual(self.api(self.bob, "shares_list"), [])
        self.assertEqual(self.grant(key)["state"], "DELIVERED")
        (given,) = self.api(self.bob, "shares_list")
        self.assertEqual((given["key_id"], given["state"]), (key, "CLOSED"))
        self.api(self.bob, "share_open", key_id=key)
        self.assertEqual(self.names(self.bob, key), ["cake"])

    def test_an_earlier_end(self) -> None:
        """Who is let in once more until an earlier time is let in until then, and suppliers are told that what was said
        before counts no more; who is let in for longer goes on under the same word."""
        key = self.create()
        self.put(self.alice, key, "cake")
        first = self.grant(key)
        grants = lambda: self.alice.rooms.identity.me.key_ring.get(key.partition("$")[0]).grants  # noqa: E731
        tomorrow = int(self.alice.node.world.wall()) + 86_400
        self.assertEqual(self.grant(key, ends=tomorrow)["ends"], tomorrow)
        self.assertEqual(sorted(one.revoked for one in grants()), [False, True])
        self.grid.run(5)
        self.api(self.bob, "share_open", key_id=key)
        self.assertEqual(self.names(self.bob, key), ["cake"])
        self.assertGreaterEqual(self.grant(key)["ends"], first["ends"])
        self.assertEqual(len(grants()), 2)

    def test_let_in_by_two_devices(self) -> None:
        """Somebody whom two devices have let in is told once."""
        key = self.create()
        self.grant(key)
        ring = self.alice.rooms.identity.me.key_ring
        alias = key.partition("$")[0]
        (grant,) = self.alice.rooms.shares.donations.grants(alias)
        ring.grant(alias, evolve(grant, id=b"2" * 16))
        (holder,) = self.api(self.alice, "share_info", key_id=key)["holders"]
        self.assertEqual(holder["fingerprint"], grant.holder.hex())

    def test_without_storage(self) -> None:
        """Who has no suppliers may make a share, and hears that it takes no files yet; shares of others are there."""
        key = self.create()
        self.put(self.alice, key, "cake")
        dave = self.add_visitor("dave")
        made = self.envelope(dave, "share_create")
        self.assertIn("services/customer/enabled", made["message"])
        self.api(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(dave))
        self.api(dave, "share_open", key_id=key)
        (stored,) = self.api(dave, "share_history")
        self.assertEqual(stored["remote_path"].partition(":")[2], "cake")
        mine = made["result"]["key_id"]
        self.assertEqual(self.code(dave, "share_history", key_id=mine), "catalog-closed")
        info = self.api(dave, "share_info", key_id=mine)
        self.assertEqual((info["state"], info["reason"]), ("DISCONNECTED", "no suppliers are hired yet"))

    def test_each_device_of_somebody_without_storage(self) -> None:
        """Each device gets the key from the owner, also one that was added later: no storage brings it there."""
        dave = self.add_visitor("dave")
        key_file, key = self.key_file(dave), self.create()
        self.api(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(dave))
        self.assertEqual([row["key_id"] for row in self.api(dave, "shares_list")], [key])
        other = self.grid.add_stranger("dave-2", **NO_CUSTOMER, **NO_SUPPLIER)
        other.start()
        recovering = other.rooms.identity.registration.recover(key_file.read_text(), None, None)
        self.grid.wait(recovering, 120)
        self.grid.until(lambda: other.is_on("shared_data"), 300, "shares")
        self.api(other, "user_ping", user_id=self.name(self.alice))
        self.grid.until(lambda: bool(self.api(other, "shares_list")), 30, "the key at the device that came later")
        later = self.create()
        self.api(self.alice, "share_grant", key_id=later, trusted_user_id=self.name(dave))
        for node in (dave, other):
            self.grid.until(lambda node=node: len(self.api(node, "shares_list")) == 2, 30, "the key at each device")

    def test_refused(self) -> None:
        """The master key, keys of others, oneself, nobody and unknown shares are refused with a code each."""
        key = self.create()
        self.assertEqual(self.code(self.alice, "share_grant", key_id=f"master${self.name(self.alice)}",
                                   trusted_user_id=self.name(self.bob)), "not-a-share")  # fmt: skip
        self.assertEqual(self.code(self.bob, "share_open", key_id=key), "key-not-found")
        self.assertEqual(self.code(self.bob, "share_grant", key_id=key, trusted_user_id=self.name(self.alice)),
                         "key-not-found")  # fmt: skip
        self.assertEqual(self.code(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(self.alice)),
                         "not-allowed")  # fmt: skip
        self.assertEqual(self.code(self.alice, "share_revoke", key_id=key, trusted_user_id=self.name(self.bob)),
                         "not-found")  # fmt: skip
        self.assertEqual(self.code(self.alice, "share_create", owner_id=self.name(self.bob)), "not-allowed")
        self.assertEqual(self.code(self.alice, "share_info", key_id="share_none"), "key-not-found")
        self.assertEqual(self.api(self.alice, "share_delete", key_id=key)["key_id"], key)
        self.assertEqual(self.code(self.alice, "share_info", key_id=key), "key-not-found")
