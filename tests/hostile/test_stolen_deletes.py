"""Whole nodes: a thief has a copy of a home without the RSA key, and orders everything to be destroyed at once."""

from typing import Any

from bitdust.formats.orders import DELETE_KIND
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command
from bitdust.wire.records import ContractEnd
from tests.hostile.test_revoked_device import StolenCase, called


class StolenDeletesTests(StolenCase):
    """The owner has a second device when it happens."""

    def setUp(self) -> None:
        super().setUp()
        key = self.key_file(self.alice)
        self.run_now(called(self.alice, "identity_detach", source_filepath=str(key.absolute())))
        self.owner = self.recover(key)
        self.grid.until(lambda: self.is_together(self.owner), 60, "peace")
        self.grid.run(5)
        self.before = self.pieces()

    def destroy(self) -> None:
        """All packs are deleted and all contracts are ended, by the word of the stolen device."""
        rooms = self.alice.rooms
        packs = [bytes(pack) for (pack,) in rooms.storage.core.catalog.read.execute("SELECT pack FROM packs")]
        body = encode({"owner": self.alice.fingerprint, "packs": packs, "time": int(rooms.around.world.wall() * 1000)})
        order = rooms.identity.me.sign(DELETE_KIND, body).to_bytes()
        for supplier in self.suppliers:
            self.assertEqual(self.asks(supplier, Command.DELETE_FILE, order), "ok")
            contract = rooms.suppliers.book.of(supplier.fingerprint).contract
            end = ContractEnd(contract, self.alice.fingerprint, supplier.fingerprint)
            word = rooms.identity.me.sign(ContractEnd.KIND, end.to_body()).to_bytes()
            fields = {"service": "service_supplier", "contract": contract, "end": word}
            self.assertEqual(self.asks(supplier, Command.CANCEL_SERVICE, **fields), "ok")

    def held_back(self) -> list[Any]:
        return self.owner.rooms.suppliers.held_back.all()

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.run_now(called(self.owner, name, **arguments))

    def waiting(self) -> list[Any]:
        return [one for supplier in self.suppliers for one in supplier.rooms.customers.store.delays.of(
            self.alice.fingerprint)]  # fmt: skip

    def assert_whole(self) -> None:
        self.assertEqual((self.waiting(), self.pieces()), ([], self.before))
        self.download(self.owner, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.data)

    def test_a_revocation_undoes_it(self) -> None:
        """The owner hears of it at once, and the doctor says whose word it is; revoked, the thief has done nothing."""
        self.destroy()
        self.grid.until(lambda: len(self.held_back()) == 8, 10, "the news of four deletions and four ends")
        self.assertEqual(self.pieces(), self.before)
        rows = self.ask("deletions_list")["result"]
        self.assertEqual({(row["device"], row["what"]) for row in rows}, {(0, "delete"), (0, "contract-end")})
        answer = self.ask("process_checkup")["result"]
        (found,) = [one for one in answer["findings"] if one["check"] == "deletions"]
        self.assertEqual(found["verdict"], "warn")
        self.assertIn("device 0", found["found"])
        self.ask("identity_device_revoke", device="0")
        self.grid.until(lambda: not self.waiting(), 60, "the news of the revocation")
        self.grid.run(60)
        self.assert_whole()

    def test_another_device_undoes_it(self) -> None:
        """By the API, at all suppliers; then nobody holds anything back, and there is nothing left to undo."""
        self.destroy()
        self.grid.until(lambda: len(self.held_back()) == 8, 10, "the news")
        answer = self.ask("deletion_undo", device="0")
        self.assertEqual(answer.get("message"), "4 suppliers keep what they have")
        self.assertEqual(self.held_back(), [])
        self.assertEqual(self.ask("deletion_confirm", device="0")["code"], "not-found")
        self.assert_whole()
