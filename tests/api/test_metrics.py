"""``GET /metrics``: who may read it, what happens without the library, and what the tally counts."""

import importlib
from pathlib import Path
from unittest import mock

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, readBody
from twisted.web.http_headers import Headers

from bitdust.api.methods import TABLE
from bitdust.api.tally import BOUNDS, Tally
from bitdust.config.settings import Settings
from bitdust.web.metrics import OPEN
from bitdust.web.server import ApiServer
from tests.api.fakes import FakeContext


class PageTests(TestCase):
    async def setUp(self) -> None:
        self.context = FakeContext(reactor, self.mktemp(), reactor)
        self.server = ApiServer(self.context, TABLE)
        self.port = (await self.server.start())["rest"]
        self.secret = (Path(self.context.world.home) / "apisecret").read_text()

    async def tearDown(self) -> None:
        await self.server.stop()
        self.context.events.stop()

    async def ask(self, path: str, secret: str | None = None, verb: bytes = b"GET") -> tuple[int, str, str]:
        headers = Headers({"api_secret": [secret]} if secret else {})
        response = await Agent(reactor).request(verb, f"http://127.0.0.1:{self.port}{path}".encode(), headers)
        body: Deferred[bytes] = readBody(response)
        return response.code, (await body).decode(), response.headers.getRawHeaders("content-type", [""])[0]

    async def test_who_may_read(self) -> None:
        """The secret opens it; without one the setting does, at once; a wrong secret never does."""
        self.assertEqual((await self.ask("/metrics"))[0], 401)
        code, text, kind = await self.ask("/metrics", self.secret)
        self.assertEqual((code, kind.split(";")[0]), (200, "text/plain"))
        self.assertIn('bitdust_service_up{service="service_network"} 1.0', text)
        self.context.settings.set(OPEN, True)
        self.assertEqual((await self.ask("/metrics"))[0], 200)
        self.assertEqual((await self.ask("/metrics", "a wrong secret"))[0], 401)
        self.assertEqual((await self.ask("/process/info/v1"))[0], 401)
        self.assertEqual((await self.ask("/metrics", self.secret, b"POST"))[0], 405)

    async def test_without_the_library(self) -> None:
        """Without prometheus_client the answer says what to install, and everything else goes on."""
        load = importlib.import_module

        def missing(name: str) -> object:
            if name.startswith("prometheus_client"):
                raise ImportError(name)
            return load(name)

        with mock.patch("importlib.import_module", missing):
            code, text, _ = await self.ask("/metrics", self.secret)
        self.assertEqual(code, 501)
        self.assertIn("bitdust[metrics]", text)
        self.assertEqual((await self.ask("/event/list/v1", self.secret))[0], 200)

    async def test_calls_are_counted(self) -> None:
        """By method and outcome, those that fail too."""
        await self.ask("/process/health/v1", self.secret)
        await self.ask("/process/health/v1", self.secret)
        await self.ask("/config/get/v1?key=no/such", self.secret)
        _, text, _ = await self.ask("/metrics", self.secret)
        self.assertIn('bitdust_api_request_seconds_count{method="process_health",status="OK"} 2.0', text)
        self.assertIn('bitdust_api_request_seconds_count{method="config_get",status="ERROR"} 1.0', text)


class TallyTests(SynchronousTestCase):
    def test_spans(self) -> None:
        """A call counts in the first span that it does not exceed; sums are kept by method and outcome."""
        clock = Clock()
        tally = Tally(clock, Settings(Path(self.mktemp())))
        for seconds in (0.0, BOUNDS[0], BOUNDS[-1] + 1):
            started = tally.now()
            clock.advance(seconds)
            tally.ended({"status": "OK"}, "a", started)
        tally.ended({"status": "ERROR"}, "a", tally.now())
        found = {(name, status): times for name, status, times in tally}
        self.assertEqual(found["a", "OK"].spans, [2, *[0] * (len(BOUNDS) - 1), 1])
        self.assertAlmostEqual(found["a", "OK"].seconds, BOUNDS[0] + BOUNDS[-1] + 1)
        self.assertEqual(sum(found["a", "ERROR"].spans), 1)
