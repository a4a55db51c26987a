"""What my person was let into goes to other devices of mine, in few packets."""

from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import succeed

from bitdust.crypt.keyring import KeyRing
from bitdust.shares.devices import GATHERED, AmongDevices
from bitdust.signal import Signal
from tests.hostile.test_shares import Owner
from tests.unit.test_donations import DonationsCase

OWNER = Owner()


class AmongDevicesTests(DonationsCase):
    def setUp(self) -> None:
        super().setUp()
        self.sent: list[KeyRing] = []
        session = SimpleNamespace(peer=SimpleNamespace(fingerprint=self.me.fingerprint))
        sessions: Any = SimpleNamespace(sessions=lambda: [session], on_session=lambda listener: lambda: None)
        around = evolve(self.node.connected, sessions=sessions, outbox=SimpleNamespace(send=self.send))  # type: ignore
        self.received = SimpleNamespace(changed=Signal())
        family = SimpleNamespace(current=None, changed=Signal())
        self.devices = AmongDevices(around, family, self.received)  # type: ignore[arg-type]
        self.devices.start()
        self.addCleanup(self.devices.stop)

    def send(self, to: bytes, command: Any, fields: Any, payload: bytes, **terms: Any) -> Any:
        self.sent.append(KeyRing.from_bytes(payload))
        return succeed(None)

    def receive(self, *aliases: str) -> None:
        for alias in aliases:
            self.ring.give(share := OWNER.share(self.me.fingerprint, alias=alias))
            self.received.changed.emit(share)

    def test_many_in_one_packet(self) -> None:
        """What comes at once goes to another device in one packet, and what comes later in one more."""
        self.receive("share_1", "share_2", "share_3")
        self.passes(GATHERED)
        self.assertEqual([len(ring.shares) for ring in self.sent], [3])
        self.receive("share_4")
        self.passes(GATHERED)
        self.assertEqual([len(ring.shares) for ring in self.sent], [3, 4])

    def test_stopped(self) -> None:
        """Nothing goes after the end."""
        self.receive("share_1")
        self.devices.stop()
        self.passes(GATHERED)
        self.assertEqual(self.sent, [])
