"""A whole node whose private key is in its owner's key file alone."""

from typing import Any

from bitdust.identity.document import OPEN_END
from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import NO_SUPPLIER
from tests.grid.test_two_devices import TwoDevicesCase
from tests.hostile.test_revoked_device import called


class DetachedTests(TwoDevicesCase):
    """alice's first device is detached; the other one was recovered, and has the key."""

    def setUp(self) -> None:
        super().setUp()
        self.text = self.key_file(self.alice)
        answer = self.ask(self.alice, "identity_detach", source_filepath=str(self.text.absolute()))
        self.assertEqual(answer.get("result"), {"detached": True}, answer)

    def ask(self, node: GridNode, name: str, **arguments: Any) -> dict[str, Any]:
        return dict(self.run_now(called(node, name, **arguments)))

    def restarted(self) -> GridNode:
        self.alice.stop()
        self.grid.nodes.remove(self.alice)
        again = self.grid.add(self.alice.name, **NO_SUPPLIER)
        again.start()
        self.grid.until(lambda: again.is_on("my_data"), 120, "the start")
        return again

    def test_daily_life(self) -> None:
        """It stores, follows the other device, gets its key ring, and starts again, all without the key."""
        self.new(self.alice, "from-one")
        self.run_now(called(self.other, "key_create", key_alias="work"))
        self.new(self.other, "from-two")
        self.alice = self.restarted()
        self.assertIsNone(self.alice.rooms.identity.me.held_master)
        self.assertFalse((self.alice.home / "metadata" / "mykeyfile").exists())
        self.grid.until(self.equal, 10, "the news")
        self.grid.until(lambda: "work" in self.alice.rooms.identity.me.key_ring, 30, "the key ring")
        self.new(self.alice, "later")
        self.grid.until(self.equal, 10, "the news")
        self.download(self.alice, "from-two", self.base / "back")

    def test_the_key_file_is_asked_for(self) -> None:
        """A revocation needs it, and holds the key no longer than that takes; so does a key file that is written."""
        for name, arguments in (("identity_device_revoke", {"device": "1"}), ("identity_backup", {})):
            self.assertEqual(self.ask(self.alice, name, **arguments)["code"], "key-needed")
        answer = self.ask(self.alice, "identity_device_revoke", device="1", private_key_source=self.text.read_text())
        self.assertEqual(answer["status"], "OK", answer)
        me = self.alice.rooms.identity.me
        self.grid.until(lambda: me.document.devices[1].sequence < OPEN_END and me.held_master is None, 60, "the end")
        answer = self.ask(self.alice, "identity_attach", private_key_source=self.text.read_text())
        self.assertEqual(answer["status"], "OK", answer)
        self.assertEqual(self.ask(self.alice, "identity_backup")["status"], "OK")
