"""Apps of phones through routers: let in by codes, at work, and shut out, on one clock."""

from random import Random
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, ensureDeferred

from bitdust.api.call import perform
from bitdust.companions.router import Client
from bitdust.testing.apps import App
from bitdust.testing.grid import GridNode
from tests.app_kit import app_factory
from tests.grid.test_main_job import NO_CUSTOMER, NO_SUPPLIER, GridCase

ROUTER = {"services/web-socket-router/enabled": True}


class CompanionsCase(GridCase):
    """The seed is a router; alice is at home, where nobody reaches her; the phone is somewhere else."""

    def setUp(self) -> None:
        super().setUp()
        self.app = App(Random(7).randbytes)
        self.phone = self.grid.network.host("10.9.9.9")

    def router(self, name: str) -> GridNode:
        node = self.grid.add(name, **NO_SUPPLIER, **NO_CUSTOMER, **ROUTER)
        node.start()
        node.create_identity()
        self.grid.until(lambda: node.is_on("web_socket_router"), 120, "the router")
        return node

    def alice(self) -> GridNode:
        node = self.grid.add("alice", **NO_SUPPLIER, **NO_CUSTOMER)
        node.start()
        node.create_identity()
        self.open_api(node)
        self.grid.until(lambda: node.is_on("nodes_lookup") and node.is_on("web_socket_communicator"), 120, "services")
        return node

    def open_api(self, node: GridNode) -> None:
        self.grid.wait(Deferred.fromCoroutine(node.node.api.start()))
        self.addCleanup(lambda: self.grid.wait(ensureDeferred(node.node.api.stop())))

    def call(self, node: GridNode, method: str, /, **given: Any) -> Any:
        row = node.node.context.table.named(method)
        envelope = self.grid.wait(perform(node.node.context, row, given))
        self.assertEqual(envelope["status"], "OK", envelope)
        return envelope.get("result")

    def connect(self, url: str, app: App | None = None) -> Any:
        """The phone's WebSocket at a router."""
        found = urlsplit(url)
        factory = app_factory(app or self.app, url, self.grid.clock)
        self.phone.client(found.hostname, found.port).connect(factory)
        self.grid.wait(factory.opened)
        return factory

    def urls(self, node: GridNode) -> list[str]:
        instance = self.call(node, "device_info", name="phone")["instance"]
        return instance["connected_routers"] if instance is not None else []

    def let_in(self, node: GridNode, url: str) -> None:
        factory = self.connect(url)
        self.app.pair()
        self.grid.until(lambda: self.app.codes, 10, "the codes")
        shown = self.call(node, "device_info", name="phone")["instance"]
        self.assertTrue(self.app.type_code(shown["server_code"]))
        state = lambda: self.call(node, "device_info", name="phone")["instance"]["state"]  # noqa: E731
        self.grid.until(lambda: state() == "CLIENT_CODE?", 10, "the code of the app")
        self.call(node, "device_authorization_client_code", name="phone", client_code=self.app.codes.device)
        self.grid.until(lambda: factory.closed, 10, "the end of the first line")
        self.assertTrue(self.app.authorized)

    def passing_on(self) -> list[bytes]:
        """What the router gets to see from now on."""
        seen: list[bytes] = []
        pass_on, put = Client.pass_on, Client.received
        self.patch(Client, "pass_on", lambda one, data, last: (seen.append(data), pass_on(one, data, last))[1])
        self.patch(Client, "received", lambda one, data: (seen.append(data), put(one, data))[1])
        return seen

    def asks(self) -> None:
        """The app is open, and is answered."""
        self.grid.until(lambda: self.app.agreed is not None, 20, "the handshake")
        number = len(self.app.heard) + 1000
        self.app.call("process_health", call_id=number)
        self.grid.until(lambda: self.app.answer(number), 10, "the answer")
        self.assertEqual(self.app.answer(number)["status"], "OK")


class RoutedTests(CompanionsCase):
    def test_a_router_that_was_away(self) -> None:
        """The way is open again soon after the only router is back from half an hour's absence."""
        away, alice = self.router("router"), self.alice()
        self.call(alice, "device_add", name="phone", routed=True, wait_listening=True)
        self.grid.until(lambda: self.urls(alice), 30, "a way")
        self.let_in(alice, *self.urls(alice))
        self.grid.network.cut = lambda one, other: (one == away.address) != (other == away.address)
        self.grid.pass_time(2000)
        self.assertEqual(self.urls(alice), [])
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: self.urls(alice), 90, "the way")

    def test_a_phone_through_a_router(self) -> None:
        """It is let in by codes, calls the API, hears events; shut out it is gone in the same moment; after its node
        has crashed and is elsewhere the app comes back under the same address."""
        self.router("router")
        alice = self.alice()
        self.call(alice, "device_add", name="phone", routed=True, wait_listening=True)
        self.grid.until(lambda: self.urls(alice), 30, "a way")
        (url,) = self.urls(alice)
        self.let_in(alice, url)
        factory = self.connect(url)
        passed = self.passing_on()
        self.app.resume()
        self.grid.until(lambda: any(said["type"] == "routes" for said in self.app.heard), 10, "the ways")
        self.asks()
        alice.rooms.around.events.send("hello", {"a": "b" * 60_000})
        heard = lambda: [s["payload"] for s in self.app.heard if s["type"] == "event"]  # noqa: E731
        self.grid.until(lambda: any(one["event_id"] == "hello" for one in heard()), 20, "the event")
        seen = b"".join(passed)
        self.assertGreater(len(seen), 60_000)
        self.assertEqual([word for word in (b"process_health", b"hello", b"bbbb", self.app.public) if word in seen], [])
        self.call(alice, "device_stop", name="phone")
        self.grid.until(lambda: factory.closed, 5, "its end")
        self.assertEqual(factory.closed[0][0], 4003)
        self.call(alice, "device_start", name="phone", wait_listening=True)
        self.assertEqual(self.urls(alice), [url])
        factory = self.connect(url)
        self.app.resume()
        self.asks()
        alice.crash()
        alice = alice.again("10.0.0.50")
        self.open_api(alice)
        self.grid.until(lambda: alice.is_on("web_socket_communicator") and self.urls(alice) == [url], 400, "the way")
        self.grid.until(lambda: factory.closed, 400, "the end of what led nowhere")
        self.connect(url)
        self.app.resume()
        self.asks()
