"""Whole nodes: a device was stolen, its owner revokes it, and the thief goes on as long as anybody listens."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.identity.document import OPEN_END
from bitdust.wire.encoding import WireError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from tests.grid.test_devices import DevicesCase


class StolenCase(DevicesCase):
    """``alice`` is the device that a thief has now; what it stored before is the owner's."""

    def setUp(self) -> None:
        super().setUp()
        path, self.data = self.file("file")
        self.upload(self.alice, path, "file")
        self.grid.run(5)
        self.stolen = self.alice.rooms.identity.me.device.id

    def asks(self, supplier: Any, command: Command, payload: bytes | None = None, **fields: Any) -> str:
        """How a supplier answers the thief: ``ok`` or a code."""
        said: list[str] = []
        outbox = self.alice.rooms.gateway.outbox
        sending = outbox.send(supplier.fingerprint, command, fields, payload, deadline=5.0)
        sending.addCallbacks(lambda _: said.append("ok"), lambda failure: said.append(failure.value.code))
        self.grid.until(lambda: bool(said), 30, "an answer")
        return said[0]

    def revoked(self, owner: Any) -> Any:
        return self.document(owner).device(self.stolen)

    def pieces(self) -> int:
        return sum(one.rooms.customers.store.usage(self.alice.fingerprint).used for one in self.suppliers)

    def assert_shut_out(self, owner: Any) -> None:
        """The thief's sessions end and no new one is had; nothing is gone; the owner stores and restores."""
        sessions = lambda: [s for one in self.suppliers for s in one.rooms.gateway.sessions()  # noqa: E731
                            if s.peer.device == self.stolen]
        self.grid.until(lambda: not sessions(), 10, "the end of the thief's sessions")
        before = self.pieces()
        for command, fields in ((Command.RETRIEVE, {"kind": "heads"}), (Command.LIST_FILES, {}),
                                (Command.CANCEL_SERVICE, {"kind": "contract-end"})):
            self.assertNotEqual(self.asks(self.suppliers[0], command, **fields), "ok")
        self.grid.run(60)
        self.assertEqual((sessions(), self.pieces()), ([], before))
        self.download(owner, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.data)
        path, _ = self.file("later", 20_000)
        self.upload(owner, path, "later")


class RecoveredTests(StolenCase):
    def test_a_recovery_shuts_the_others_out(self) -> None:
        """With the key file alone the owner comes back, takes their word from all others, and has all they stored."""
        owner = self.grid.add_stranger("owner")
        owner.start()
        text = self.key_file(self.alice).read_text()
        self.grid.wait(owner.rooms.identity.registration.recover(text, None, None, revoke_others=True), 300)
        self.assertEqual((self.revoked(owner).revoked, self.revoked(owner).sequence), (2, OPEN_END))
        self.grid.until(lambda: owner.is_on("my_data"), 300, "the recovery")
        self.grid.until(lambda: self.revoked(owner).sequence < OPEN_END, 60, "the end of what the thief may say")
        length = max(head.sequence for head in owner.rooms.storage.heads() if head.device == self.stolen)
        self.assertEqual(self.revoked(owner).sequence, length)
        self.assert_shut_out(owner)


class RevokedTests(StolenCase):
    def test_one_device_revokes_another(self) -> None:
        """By the API; all that is new is sealed under secrets that the thief has not, and the family is signed anew."""
        owner = self.recover(self.key_file(self.alice))
        self.grid.until(lambda: self.is_together(owner), 60, "peace")
        before = owner.rooms.identity.me.key_ring.current("master")
        self.leap()
        rows = self.run_now(called(owner, "identity_device_revoke", device="0"))["result"]
        self.assertEqual([(row["number"], row["state"], row["this_device"]) for row in rows],
                         [(0, "revoked", False), (1, "counts", True)])  # fmt: skip
        self.grid.until(lambda: self.revoked(owner).sequence < OPEN_END, 60, "the end of what the thief may say")
        self.assert_shut_out(owner)
        self.assertNotEqual(owner.rooms.identity.me.key_ring.current("master"), before)
        self.assertNotEqual(owner.rooms.suppliers.family.signed.device, self.stolen)
        revision = owner.rooms.suppliers.family.current.revision
        found = self.run_now(_awaited(owner.rooms.dht.directory.my_family()))
        self.assertEqual(Family.from_body(Signed.from_bytes(found, Family.KIND).body).revision, revision)
        self.assert_told()
        for wrong, code in (("1", "not-allowed"), ("9", "not-found")):
            answer = self.run_now(called(owner, "identity_device_revoke", device=wrong))
            self.assertEqual(answer["code"], code)


    def assert_told(self) -> None:
        """The revoked device says so, by the ID server and by the suppliers, and blames no supplier and no copy."""
        for checks in ({"my identity", "suppliers"}, {"suppliers"}):
            findings = self.run_now(called(self.alice, "process_checkup"))["result"]["findings"]
            told = {one["check"] for one in findings if "this device was revoked" in one["found"]}
            self.assertEqual(told, checks)
            self.assertNotIn("risk", {one["check"] for one in findings})
            self.assertNotIn("away", str(findings))
            self.seed.kill()

    def leap(self) -> None:
        """The thief gives its own family a revision that nobody can follow: suppliers and DHT refuse it."""
        rooms = self.alice.rooms
        family = evolve(rooms.suppliers.family.current, revision=2**62, time=1)
        signed = rooms.identity.me.sign(Family.KIND, family.to_body())
        for supplier in self.suppliers:
            said = self.asks(supplier, Command.CONTACTS, signed.to_bytes(), space="family")
            self.assertEqual(said, "bad-field")
        self.assertRaises(WireError, self.run_now, _awaited(rooms.dht.directory.put_family(family, signed)))


async def _awaited(waiting: Any) -> Any:
    return await waiting


async def called(node: Any, name: str, **arguments: Any) -> dict[str, Any]:
    """The envelope of a method of the API."""
    found: Deferred[Any] = perform(node.node.context, TABLE.named(name), arguments)
    return dict(await found)
