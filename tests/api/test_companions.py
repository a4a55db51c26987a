"""The methods of devices that are let in, over the table, and one of them at work over a real WebSocket."""

from typing import Any
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.budget import Budget
from bitdust.companions.companions import Companions
from bitdust.companions.grants import code_of
from bitdust.crypt.device import DeviceKey
from bitdust.surroundings import Connected
from bitdust.testing.apps import App
from bitdust.web.server import ApiServer
from tests.api.fakes import Anything, FakeContext
from tests.app_kit import app_factory


class DeviceCase(TestCase):
    """A node with its API open."""

    async def setUp(self) -> None:
        self.context: Any = FakeContext(reactor, self.mktemp(), reactor)
        context = self.context
        device = DeviceKey.from_seed(b"d" * 32)
        me: Any = Anything(fingerprint=b"f" * 32, device=device, global_id="alice@id.example")
        around = Connected(
            context.world, context.settings, context.events, context.registry, Budget(), me, Anything(), Anything(),
            Anything(),
        )  # fmt: skip
        context.companions = Companions(around, context.world.home / "devices")
        context.driver.states["web_socket_communicator"] = ("ON", "")
        self.server = ApiServer(context, TABLE)
        await self.server.start()
        await context.companions.start()
        self.app = App(context.world.entropy)
        self.sockets: list[Any] = []

    async def tearDown(self) -> None:
        self.context.companions.stop()
        for factory in self.sockets:
            await self.until(lambda factory=factory: factory.closed)
        await self.server.stop()
        self.context.events.stop()

    async def call(self, method: str, /, **given: Any) -> Any:
        envelope = await perform(self.context, TABLE.named(method), given)
        self.assertEqual(envelope["status"], "OK", envelope)
        return envelope.get("result")

    async def refused(self, code: str, method: str, /, **given: Any) -> None:
        envelope = await perform(self.context, TABLE.named(method), given)
        self.assertEqual(envelope.get("code"), code, envelope)

    async def until(self, condition: Any) -> None:
        while not condition():
            await deferLater(reactor, 0.005)

    async def connect(self, url: str, **headers: str) -> Any:
        factory = app_factory(self.app, url, reactor, **headers)
        await TCP4ClientEndpoint(reactor, "127.0.0.1", urlsplit(url).port).connect(factory)
        self.sockets.append(factory)
        await factory.opened
        return factory


class DeviceTests(DeviceCase):
    async def test_from_codes_to_being_shut_out(self) -> None:
        """An app is let in by codes, calls, hears events, is refused what is not for it, and is shut out."""
        row = await self.call("device_add", name="phone", web_socket_port=0)
        self.assertEqual((row["authorized"], row["instance"]["state"]), (False, "CLIENT_PUB?"))
        await self.connect(row["url"])
        self.app.pair()
        await self.until(lambda: self.app.codes)
        instance = (await self.call("device_info", name="phone"))["instance"]
        self.app.type_code(instance["server_code"])
        while (await self.call("device_info", name="phone"))["instance"]["state"] != "CLIENT_CODE?":
            await deferLater(reactor, 0.005)
        await self.refused("wrong-code", "device_authorization_client_code", name="phone", client_code="x")
        await self.call("device_authorization_client_code", name="phone", client_code=self.app.codes.device)
        await self.until(lambda: self.app.authorized and self.sockets[0].closed)
        factory = await self.connect(row["url"])
        self.app.resume()
        await self.until(lambda: self.app.agreed)
        self.app.call("process_health", 1)
        self.app.call("device_add", 2, name="other")
        self.app.call("devices_list", 3)
        await self.until(lambda: self.app.answer(3))
        codes = [self.app.answer(number).get("code", self.app.answer(number)["status"]) for number in (1, 2, 3)]
        self.assertEqual(codes, ["OK", "only-here", "OK"])
        self.assertEqual(self.app.answer(3)["result"][0]["instance"]["connections"], 1)
        self.context.events.send("hello", {})
        await self.until(lambda: any(said["payload"].get("event_id") == "hello" for said in self.app.heard))
        row = await self.call("device_stop", name="phone")
        self.assertEqual((row["active"], row["instance"]), (False, None))
        await self.until(lambda: factory.closed)
        self.assertEqual(factory.closed[0][0], 4003)

    async def test_a_foreign_page(self) -> None:
        """A page from elsewhere does not even connect."""
        row = await self.call("device_add", name="phone", web_socket_port=0)
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            connecting = ensureDeferred(self.connect(row["url"], **headers))
            await self.assertFailure(connecting, ConnectionRefusedError)

    async def test_a_key_that_was_brought(self) -> None:
        """Both ways: the app's key comes here, or is made here."""
        await self.call("device_add", name="phone", activate=False)
        key = self.app.public.hex()
        await self.refused("wrong-code", "device_authorization_request", name="phone", client_public_key=key,
                           client_code="x")  # fmt: skip
        await self.refused("bad-argument", "device_authorization_request", name="phone", client_public_key="ab",
                           client_code="x")  # fmt: skip
        code = code_of(self.app.public)
        row = await self.call("device_authorization_request", name="phone", client_public_key=key, client_code=code)
        self.assertEqual((row["authorized"], row["instance"]), (True, None))
        made = await self.call("device_authorization_generate", name="phone")
        self.assertEqual(made["instance"]["state"], "READY")
        self.assertEqual(
            made["authorization"]["client_code"], code_of(bytes.fromhex(made["meta"]["client_public_key"]))
        )
        await self.refused("device-started", "device_authorization_generate", name="phone")
        again = await self.call("device_authorization_reset", name="phone")
        self.assertEqual((again["authorized"], again["instance"]["state"]), (False, "CLIENT_PUB?"))
        await self.call("device_remove", name="phone")
        self.assertEqual(await self.call("devices_list", sort=True), [])
        await self.refused("not-found", "device_info", name="phone")

    async def test_a_port_that_is_taken(self) -> None:
        """Nothing is left of a device that could not be started."""
        row = await self.call("device_add", name="one", web_socket_port=0)
        port = urlsplit(row["url"]).port
        await self.refused("port-taken", "device_add", name="two", web_socket_port=port)
        self.assertEqual([row["name"] for row in await self.call("devices_list")], ["one"])

    async def test_the_service_is_off(self) -> None:
        """Nothing is added that could not be started."""
        self.context.driver.states["web_socket_communicator"] = ("OFF", "for a test")
        await self.refused("service-off", "device_add", name="phone")
        await self.call("device_add", name="phone", activate=False)
        await self.refused("service-off", "device_start", name="phone")

    async def test_waiting_for_a_router(self) -> None:
        """Where none is found the answer comes all the same, and says so."""
        self.context.companions.routers = Anything(find=lambda exclude: Deferred())
        self.patch(self.context.companions.add.__globals__["Routes"], "start", lambda routes: None)
        from bitdust.api import companions as module

        self.patch(module, "LISTENING_SECONDS", 0.01)
        self.patch(module, "STEP", 0.005)
        row = await self.call("device_add", name="phone", routed=True, wait_listening=True)
        self.assertEqual((row["url"], row["problem"]), (None, "no router carries it yet"))
