"""The creator's record of who keeps a group: its signature counts."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.defer import succeed

from bitdust.groups import keepers
from bitdust.groups.keepers import KEEPERS, KeeperList
from tests.unit.test_donations import DonationsCase


class KeeperListTests(DonationsCase):
    def setUp(self) -> None:
        super().setUp()
        self.kept: bytes | None = None
        patched = mock.patch.object(keepers, "meta", lambda database, name: self.kept if name == KEEPERS else None)
        patched.start()
        self.addCleanup(patched.stop)

    def listed(self) -> KeeperList:
        catalog: Any = SimpleNamespace(read=None, change=lambda change: succeed(None))
        found = KeeperList(self.node.connected, "group_1", catalog)
        found.load([self.me.fingerprint], [])
        assert found.signed is not None
        self.kept = found.signed.to_bytes()
        return found

    def test_its_device_is_revoked(self) -> None:
        """A record of a device that was revoked is signed again, after a start and without one, and dated later."""
        self.listed()
        self.me.renew_device(revoke=True)
        found = self.listed()
        assert found.signed is not None and found.record is not None
        before = found.record.time
        self.assertEqual(found.signed.device, self.me.device.id)
        self.me.renew_device(revoke=True)
        found.follow([self.me.fingerprint], [])
        self.assertEqual(found.signed.device, self.me.device.id)
        self.assertGreater(found.record.time, before)

    def test_of_another_device(self) -> None:
        """A record of another device that counts stays as it is: else two would sign in turns for ever."""
        self.listed()
        before, signer = self.kept, self.me.device.id
        self.me.renew_device(revoke=False)
        found = self.listed()
        assert found.signed is not None
        self.assertEqual((self.kept, found.signed.device), (before, signer))
