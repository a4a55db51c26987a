"""The client of ID servers: what each answer means, and servers that say too much, too late, or nonsense."""

import os
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.master import MasterKey
from bitdust.identity.client import TIMEOUT, IdentityClient, Server, parse_servers
from bitdust.identity.document import MAX_SIZE, Device, IdentityDocument
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import fake_world
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from tests import keys
from tests.unit.storage_kit import START, master_key

ALICE = IDURL.parse("http://id.example:8084/alice.xml")
PREFERRED, KNOWN = "services/identity-propagate/preferred-servers", "services/identity-propagate/known-servers"


class FakeResponse:
    """One answer; its body comes in parts, and ends as the test says."""

    def __init__(self, code: int, *parts: bytes, end: Exception | None = None, date: str = "") -> None:
        self.code = code
        self.headers = Headers({"date": [date]} if date else {})
        self._parts = parts
        self._end = end
        self.lost = False

    def deliverBody(self, protocol: Any) -> None:  # noqa: N802 - the interface's name
        """Give the parts until the reader hangs up."""
        protocol.transport = self
        for part in self._parts:
            if not self.lost:
                protocol.dataReceived(part)
        if self._end is None or not isinstance(self._end, TimeoutError):
            self.protocol = protocol
            protocol.connectionLost(Failure(ConnectionDone() if self.lost else self._end or ResponseDone()))

    def loseConnection(self) -> None:  # noqa: N802 - the interface's name
        """The reader has had enough."""
        self.lost = True


class ClientCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        network = MemoryNetwork(self.clock)
        self.world = fake_world(network, self.clock, "10.0.0.1", self.mktemp())
        self.settings: dict[str, Any] = {PREFERRED: "", KNOWN: "id.example:8084"}
        self.client = IdentityClient(self.world, self)
        self.asked: list[tuple[bytes, bytes]] = []
        self.answers: list[Any] = []
        self.client._agent = self
        self.document = self.make(master_key())

    def make(self, master: MasterKey, revision: int = 1, *sources: IDURL) -> IdentityDocument:
        devices = (Device(0, 1, DeviceKey.generate(os.urandom).public),)
        return IdentityDocument.create(master, sources or (ALICE,), revision, devices, START)

    def get(self, key: str) -> Any:
        return self.settings.get(key)

    def request(self, verb: bytes, url: bytes, headers: Any, body: Any) -> Any:
        self.asked.append((verb, url))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Deferred) else succeed(answer)

    def failed(self, asked: "Deferred[Any]", code: str, kind: type = BitDustError) -> str:
        error = self.failureResultOf(asked, kind).value
        self.assertEqual(error.code, code)
        return str(error)


class FetchTests(ClientCase):
    def fetch(self, *answers: Any, idurl: IDURL = ALICE) -> "Deferred[IdentityDocument]":
        self.answers = list(answers)
        return self.client.fetch(idurl)

    def test_document(self) -> None:
        """A document that names the place where it is comes back, in however many parts."""
        xml = self.document.xml
        found = self.successResultOf(self.fetch(FakeResponse(200, xml[:100], xml[100:])))
        self.assertEqual((found.fingerprint, self.asked), (self.document.fingerprint, [(b"GET", str(ALICE).encode())]))

    def test_another_place(self) -> None:
        """A document that does not name this place as its source is none of it."""
        other = self.make(master_key(), 1, IDURL.parse("http://other.example/alice.xml"))
        self.failed(self.fetch(FakeResponse(200, other.xml)), "wrong-source", WireError)

    def test_statuses(self) -> None:
        """What does not exist is told from a server that is broken."""
        self.failed(self.fetch(FakeResponse(404)), "not-found")
        self.assertIn("status 500", self.failed(self.fetch(FakeResponse(500)), "network-error"))
        self.assertIsNone(self.successResultOf(self.exists(FakeResponse(404))))
        self.failed(self.exists(FakeResponse(500)), "network-error")
        found = self.successResultOf(self.exists(FakeResponse(200, self.document.xml)))
        self.assertEqual(found.revision, 1)

    def exists(self, answer: Any) -> "Deferred[IdentityDocument | None]":
        self.answers = [answer]
        return self.client.exists(ALICE)

    def test_too_much(self) -> None:
        """An answer that is larger than any document is cut off while it comes."""
        response = FakeResponse(200, *[b"x" * 10_000] * 100)
        self.assertIn("too large", self.failed(self.fetch(response), "network-error"))
        self.assertTrue(response.lost)
        self.assertLess(MAX_SIZE, 1_000_000)

    def test_cut_off(self) -> None:
        """An answer that ends early is none."""
        response = FakeResponse(200, self.document.xml[:50], end=ConnectionDone())
        self.assertIn("cut off", self.failed(self.fetch(response), "network-error"))

    def test_too_late(self) -> None:
        """A server that does not answer, or whose answer does not end, is given up in time."""
        waiting = self.fetch(Deferred())
        self.clock.advance(TIMEOUT)
        self.assertIn("gave no answer", self.failed(waiting, "network-error"))
        response = FakeResponse(200, b"<", end=TimeoutError())
        waiting = self.fetch(response)
        self.clock.advance(TIMEOUT - 1)
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.assertTrue(response.lost)
        self.failed(waiting, "network-error")

    def test_unreachable(self) -> None:
        """Whatever keeps the client from a server is said with the address."""
        for error in (ConnectionRefusedError(), ValueError()):
            text = self.failed(self.fetch(error), "network-error")
            self.assertIn(f"{ALICE} cannot be reached", text)

    def test_private_hosts(self) -> None:
        """The name of somebody else leads to public addresses; one that is seen to be near to near ones as well, and a
        configured server is wherever it is."""
        near, public = self.client._agent_to_near, self.client._agent_to_public
        for host, agent in {
            "127.0.0.1": near, "10.1.2.3": near, "localhost": near, "printer.local": near, "id-a": near,
            "127.1": public, "2130706433": public, "0x7f.1": public, "db.example": public,
        }.items():  # fmt: skip
            idurl = IDURL.parse(f"http://{host}/alice.xml")
            self.assertIs(self.client._agent_for(idurl), agent, host)
            self.settings[KNOWN] = f"{host}:80"
            self.assertIs(self.client._agent_for(idurl), self.client._agent)
            self.settings[KNOWN] = ""


class PublishTests(ClientCase):
    def publish(self, *answers: Any) -> list[tuple[str, str]]:
        self.answers = list(answers)
        sources = [ALICE, *(IDURL.parse(f"http://id{n}.example/alice.xml") for n in range(len(answers) - 1))]
        outcomes = self.successResultOf(self.client.publish(self.document, sources))
        self.assertEqual(list(outcomes), sources)
        self.outcomes = list(outcomes.values())
        return [(outcome.word, outcome.text) for outcome in self.outcomes]

    def test_every_source(self) -> None:
        """Every source is asked, and each has an outcome of its own; one that fails is no failure of the others."""
        found = self.publish(FakeResponse(200), ConnectionRefusedError(), FakeResponse(500, b"full"), FakeResponse(503))
        self.assertEqual([word for word, _ in found], ["stored", "unreachable", "refused", "refused"])
        self.assertEqual([text for _, text in found[2:]], ["full", "HTTP status 503"])
        self.assertEqual([verb for verb, _ in self.asked], [b"POST"] * 4)

    def test_conflicts(self) -> None:
        """A newer document of the same key comes back; a name that belongs to another key is refused."""
        newer = self.make(master_key(), 7)
        self.assertEqual(self.publish(FakeResponse(409, newer.xml)), [("stale", "a newer document is there")])
        self.assertEqual(self.outcomes[0].document.revision, 7)
        stranger = self.make(keys.search())
        refused = ("refused", "the name belongs to another key")
        self.assertEqual(self.publish(FakeResponse(409, stranger.xml)), [refused])
        ((word, _),) = self.publish(FakeResponse(409, b"nonsense"))
        self.assertEqual(word, "unreachable")

    def test_long_reason(self) -> None:
        """A server's reason is cut, whatever it is."""
        ((_, text),) = self.publish(FakeResponse(400, b"\xff" * 1000))
        self.assertEqual(len(text), 200)


class ServerTests(ClientCase):
    SERVER = Server("id.example", 8084)

    def test_configured(self) -> None:
        """Servers are named with host and port, the preferred ones first, each once."""
        self.settings[PREFERRED] = "Mine.example:81; id.example:8084:6661"
        self.settings[KNOWN] = "id.example:8084, other.example"
        servers = [(server.host, server.port) for server in self.client.servers()]
        self.assertEqual(servers, [("mine.example", 81), ("id.example", 8084), ("other.example", 80)])
        for wrong in (":80", "host:0", "host:65536", "host:port"):
            self.assertEqual(self.assertRaises(BitDustError, parse_servers, wrong).code, "bad-value")

    def test_probe(self) -> None:
        """A server that answers lives; one that is broken or gone does not, and that is no error."""
        self.answers = [FakeResponse(200), FakeResponse(500), ConnectionRefusedError()]
        found = [self.successResultOf(self.client.probe(self.SERVER)) for _ in range(3)]
        self.assertEqual(found, [True, False, False])

    def test_greet(self) -> None:
        """A server's clock is read from its answer, if it can be."""
        date = "Fri, 15 Jan 2027 08:00:00 GMT"
        self.answers = [FakeResponse(200, date=date), FakeResponse(200), FakeResponse(503, date="yesterday")]
        found = [self.successResultOf(self.client.greet(self.SERVER)) for _ in range(3)]
        self.assertEqual(found, [(200, 1_800_000_000.0), (200, None), (503, None)])
        self.answers = [ConnectionRefusedError()]
        self.failed(self.client.greet(self.SERVER), "network-error")

    def test_read(self) -> None:
        """A page that the user named is read, or its status is said."""
        self.answers = [FakeResponse(200, b"page"), FakeResponse(404), FakeResponse(302)]
        self.assertEqual(self.successResultOf(self.client.read("http://x.example/")), b"page")
        self.failed(self.client.read("http://x.example/"), "not-found")
        self.failed(self.client.read("http://x.example/"), "network-error")
