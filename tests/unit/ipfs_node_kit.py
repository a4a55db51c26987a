"""A node as clients of IPFS see it, on a clock: settings, events, an identity perhaps, and a hash table of names."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.config.settings import Settings
from bitdust.events import Events
from bitdust.ipfs.credentials import Credentials
from bitdust.ipfs.network import Network
from bitdust.ipfs.outside import Outside
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.peerid import PeerId
from bitdust.signal import Signal
from bitdust.web.ipfs.commands import all_commands
from bitdust.web.ipfs.table import Call, Lines
from bitdust.wire.encoding import WireError
from tests.unit.ipfs_kit import IpfsCase
from tests.vectors.keys import device, master


class NameTable:
    """The hash table: what others keep, and what they say."""

    def __init__(self) -> None:
        self.online = True
        self.connected: Signal[[]] = Signal()
        self.kept: dict[PeerId, tuple[int, bytes]] = {}
        self.puts: list[tuple[PeerId, int, int]] = []
        self.gets = 0
        self.others = 20
        self.refused: dict[str, int] = {}
        self.slow: Deferred[Any] | None = None
        self.error: Exception | None = None
        self.addresses: list[str] = []
        self.asked: list[tuple[bytes, bytes]] = []

    def knows_others(self) -> bool:
        return self.online

    def put_name(self, name: PeerId, record: bytes, sequence: int, seconds: int) -> "Deferred[Any]":
        self.puts.append((name, sequence, seconds))
        if self.error is not None:
            return fail(self.error)
        if self.slow is not None:
            return self.slow
        if name in self.kept and self.kept[name][0] > sequence:
            return fail(WireError("stale", "a newer one is here"))
        if self.others:
            self.kept[name] = (sequence, record)
        return succeed(SimpleNamespace(others=self.others, refused=self.refused))

    async def name_record(self, name: PeerId, thorough: bool = True) -> bytes | None:
        self.gets += 1
        if self.slow is not None:
            await self.slow
        return self.kept[name][1] if name in self.kept else None

    async def addresses_of_device(self, fingerprint: bytes, ident: bytes) -> list[str]:
        self.asked.append((fingerprint, ident))
        return self.addresses


class NodeCase(IpfsCase):
    def setUp(self) -> None:
        super().setUp()
        self.around.settings = self.settings = Settings(Path(self.mktemp()).absolute())
        self.around.events = Events(self.clock, self.around.world.wall)
        self.around.identities = SimpleNamespace(all=list)
        self.around.world.network = SimpleNamespace(interfaces=lambda: ["192.0.2.1"])
        self.traffic = {"in": {"bytes": 0}, "out": {"bytes": 0}}
        self.stopped = 0
        self.changed: Signal[[]] = Signal()
        self.around.me.changed = self.changed
        self.table = NameTable()
        self.credentials = Credentials(self.folder, bytes)
        gateway: Any = SimpleNamespace(traffic=lambda: self.traffic)
        dht: Any = SimpleNamespace(directory=self.table, node=SimpleNamespace(knows_others=lambda: True))
        outside = Outside(Network(self.around, gateway, dht), self.credentials, self.stop)
        self.room = IpfsRoom(self.around, self, None, outside)

    def stop(self) -> None:
        self.stopped += 1

    def be_somebody(self) -> None:
        """There is an identity, which is reached at two places."""
        self.around.me = self.room.keys._me = SimpleNamespace(
            locked_key="",
            changed=self.changed,
            present=True,
            device=device(),
            held_master=None,
            public=master().public,
            addresses=["tcp://192.0.2.1:7771", "tcp://[2001:db8::1]:7771"],
        )

    def live(self, path: str, **options: str) -> Any:
        """Rows of a command as they come."""
        row, _ = all_commands().find(path) or self.fail(path)
        given = {one.names[0]: one.default for one in row.all_options.all} | options
        answer = self.run_now(row.run(self.room, Call({}, given)))
        assert isinstance(answer, Lines)
        self.assertTrue(answer.live)
        return answer.rows
