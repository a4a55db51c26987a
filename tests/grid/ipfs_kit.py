"""Whole nodes with IPFS on one clock; clients speak to the dialect of each, without sockets."""

import json
import random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.ipfs.adding import AddOptions
from bitdust.ipfs.peerids import my_id
from bitdust.ipfs.room import IpfsRoom
from bitdust.testing.grid import GridNode
from bitdust.web.dialect import Reply
from bitdust.web.ipfs.commands import all_commands
from bitdust.web.ipfs.dialect import IpfsDialect
from bitdust.web.ipfs.guard import RpcGuard
from bitdust.web.ipfs.port import visit
from bitdust.web.programs import Programs
from tests.grid.test_friends import PeopleCase
from tests.unit.ipfs_kit import Files, Given
from tests.unit.test_ipfs_rpc import Everybody, Talk, form

IPFS = {"services/block-store/enabled": True, "services/ipfs/enabled": True, "services/ipfs/api-port": 0}
FILE = b'Content-Disposition: form-data; name="file"; filename="f"'
EVERYBODY = {"services/ipfs/share-with": "everybody"}


class Call:
    """A call of a client that may go on; ``reply`` has its head, ``received`` what has come of the body."""

    def __init__(self, node: GridNode, path: str, query: str, body: bytes | None = None) -> None:
        guard, room = RpcGuard(Programs(list, list)), node.rooms.ipfs.room
        dialect = IpfsDialect(visit(room), all_commands(), guard, Everybody(), node.clock)
        self.received: list[bytes] = []
        self.ended: Any = None
        self.talk = Talk(dialect, f"/api/v0/{path}", query, body)
        self.reading: Deferred[Any] | None = None

    @property
    def reply(self) -> Reply | None:
        return self.talk.reply

    def is_over(self) -> bool:
        """Whether the whole answer has come, or it was cut off."""
        if self.reply is not None and self.reading is None:
            self.reading = Deferred.fromCoroutine(self._read(self.reply.body))
            self.reading.addBoth(self._over)
        return self.ended is not None

    async def _read(self, body: Any) -> None:
        if isinstance(body, bytes):
            self.received.append(body)
            return
        async for piece in body:
            self.received.append(piece)

    def _over(self, result: Any) -> None:
        self.ended = result if isinstance(result, Failure) else True

    def leave(self) -> None:
        """The client closes its connection."""
        if self.reading is not None:
            self.reading.cancel()
        self.talk.sink.gone()

    def rows(self) -> list[Any]:
        """Lines of JSON that have come."""
        self.is_over()
        return [json.loads(line) for line in b"".join(self.received).splitlines()]


class IpfsNodesCase(PeopleCase):
    def ipfs(self, name: str, **settings: Any) -> GridNode:
        """A node with IPFS, which is started and has an identity."""
        node = self.person(name, **(IPFS | settings))
        self.grid.until(lambda: node.is_on("ipfs"), 60, name)
        return node

    def room(self, node: GridNode) -> IpfsRoom:
        return node.rooms.ipfs.room

    def peer(self, node: GridNode) -> str:
        return str(my_id(node.rooms.identity.me))

    def address(self, node: GridNode) -> str:
        return f"/ip4/{node.address}/tcp/{node.rooms.gateway.port()}/p2p/{self.peer(node)}"

    def began(self, node: GridNode, path: str, *arguments: str, body: bytes | None = None, **options: Any) -> Call:
        """A call that has begun."""
        query = [f"arg={one}" for one in arguments] + [f"{name.replace('_', '-')}={options[name]}" for name in options]
        return Call(node, path, "&".join(query), form((FILE, body)) if body is not None else None)

    def ended(self, call: Call, seconds: float = 120.0) -> bytes:
        """The whole answer. Raises `AssertionError` for an error, or one that was cut off."""
        self.grid.until(call.is_over, seconds, "the answer")
        assert call.reply is not None
        data = b"".join(call.received)
        self.assertEqual(call.reply.status, 200, data)
        self.assertIs(call.ended, True)
        return data

    def asks(self, node: GridNode, path: str, *arguments: str, **options: Any) -> Any:
        """The bytes, the value or the rows of an answer."""
        call = self.began(node, path, *arguments, **options)
        data = self.ended(call)
        assert call.reply is not None
        if b"application/json" not in call.reply.headers:
            return data
        return call.rows() if b"X-Chunked-Output: 1" in call.reply.headers else json.loads(data)

    def refused(self, node: GridNode, path: str, *arguments: str, **options: Any) -> str:
        """The text of an error."""
        call = self.began(node, path, *arguments, **options)
        self.grid.until(call.is_over, 120, "the answer")
        assert call.reply is not None
        self.assertIn(call.reply.status, (400, 500))
        return str(json.loads(b"".join(call.received))["Message"])

    def adds(self, node: GridNode, data: bytes, name: str = "f", **options: Any) -> str:
        """The CID of a file that is added."""
        job = self.room(node).add(AddOptions(**options))
        self.grid.wait(job.run(Files(Given(name.encode(), data))))
        return str(job.rows()[0].part.cid)

    def connects(self, node: GridNode, other: GridNode) -> None:
        """A person of one node types the address of another."""
        told = self.asks(node, "swarm/connect", self.address(other))
        self.assertEqual(told, {"Strings": [f"connect {self.peer(other)} success"]})


def some_bytes(size: int, seed: int = 1) -> bytes:
    """Bytes that are no two blocks alike, and the same in every run."""
    return random.Random(seed).randbytes(size)
