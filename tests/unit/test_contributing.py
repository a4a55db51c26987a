"""The examples of CONTRIBUTING.md: taken from the page, loaded as the files that they say they are, and used."""

import ast
import re
import sys
import unittest
from pathlib import Path
from types import ModuleType, SimpleNamespace

from bitdust.api.table import Table
from bitdust.automats.kernel.check import check_class, check_limits, check_table
from bitdust.automats.kernel.sources import Source
from bitdust.services.service import Unhealthy
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests import rows
from tests.unit.test_transport import TwoPeople

PAGE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
BLOCK = re.compile(r"^```python file=(\S+)\n(.*?)^```$", re.M | re.S)


def name_of(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


class ContributingTests(TwoPeople):
    """Each example works, in a node's own parts."""

    def setUp(self) -> None:
        super().setUp()
        self.sources = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
        self.modules: dict[str, ModuleType] = {}
        for path, text in self.sources.items():
            self.load(path, text)

    def load(self, path: str, text: str) -> None:
        self.assertFalse((PAGE.parent / path).exists(), f"{path} is an example and must not exist")
        module = ModuleType(name_of(path))
        sys.modules[module.__name__] = module
        self.addCleanup(sys.modules.pop, module.__name__)
        exec(compile(text, path, "exec"), vars(module))
        self.modules[path.rpartition("/")[2].removesuffix(".py")] = module
        self.modules[path] = module

    def greetings(self, person):
        around = SimpleNamespace(registry=person.registry, outbox=person.gateway.outbox)
        return self.modules["bitdust/peers/greetings.py"].Greetings(around)

    def serve(self, greetings) -> "object":
        service_module = self.modules["bitdust/services/service_greetings.py"]
        service = service_module.GreetingsService(SimpleNamespace(gateway=self.bob.gateway, greetings=greetings))
        self.assertRaises(Unhealthy, service.health)
        self.assertEqual([row.kind for row in service.packet_rows()], ["greeting"])
        service.start()
        service.health()
        return service

    def test_every_kind_of_part_has_an_example(self) -> None:
        """The page shows a machine with its tests, a packet row, a service, a method and a dialect."""
        folders = [path.split("/")[1] for path in self.sources if path.startswith("bitdust/")]
        self.assertEqual(folders, ["automats", "peers", "services", "api", "web"])

    def test_the_machine(self) -> None:
        """The machine passes the check of tables, its tests pass, and they need every row of it."""
        path = "bitdust/automats/greeting.py"
        kind, source = self.modules[path].Greeting, Source(name_of(path), ast.parse(self.sources[path]))
        self.assertEqual([*check_table(kind), *check_class(kind, source), *check_limits(kind, source)], [])
        tests = unittest.defaultTestLoader.loadTestsFromModule(self.modules["tests/unit/automats/test_greeting.py"])
        own = [test for test in rows._flat(tests) if type(test).__name__ == "GreetingTests"]
        self.assertEqual(len(own), 3)
        result = rows.examine(kind, own)
        self.assertEqual((result.unnoticed, result.changes > 5), ([], True))

    def test_greeting_over_a_session(self) -> None:
        """Bob's service takes the packet row, Alice's machine ends well, and both rooms report it."""
        mine, theirs = self.greetings(self.alice), self.greetings(self.bob)
        service = self.serve(theirs)
        heard, ended = [], []
        theirs.greeted.connect(lambda who, text: heard.append((who, text)))
        mine.ended.connect(lambda who, answered: ended.append(answered))
        self.wait(mine.send(self.bob.fingerprint, "good morning").when("ANSWERED"))
        self.assertEqual((heard, ended), ([(self.alice.fingerprint, "good morning")], [True]))
        service.stop()
        self.assertRaises(Unhealthy, service.health)
        self.wait(mine.send(self.bob.fingerprint, "again").when("GIVEN_UP"))
        self.assertEqual((ended, theirs.received), ([True, False], 1))

    def test_what_the_row_refuses(self) -> None:
        """A greeting that is too long never reaches the handler."""
        theirs = self.greetings(self.bob)
        self.serve(theirs)
        asked = self.alice.gateway.outbox.send(
            self.bob.fingerprint, Command.EVENT, {"kind": "greeting", "text": "x" * 201}, deadline=15.0
        )
        self.assertEqual(self.refused(asked).code, "bad-field")
        self.assertEqual(theirs.received, 0)

    def test_the_method(self) -> None:
        """The method is found by its route, checks its argument, and answers with the machine's number."""
        table = Table([self.modules["bitdust/api/greetings.py"].greeting_send])
        row = table.find("POST", "/greeting/send/v1").row
        machine = SimpleNamespace(id="greeting(00000000)", index=7)
        context = SimpleNamespace(greetings=SimpleNamespace(send=lambda who, text: machine))
        answer = row.call(context, **row.arguments(row.example_arguments()))
        self.assertEqual(answer["automat"], {"index": 7, "id": "greeting(00000000)"})
        for wrong in ("short", "z" * 64):
            self.assertRaises(BitDustError, row.call, context, wrong, "hello")
        service = self.modules["bitdust/services/service_greetings.py"].GreetingsService
        kind = self.modules["bitdust/automats/greeting.py"].Greeting
        self.assertEqual((row.service, row.becomes[0].machine), (service.name, "greeting"))
        self.assertIn(f" {row.becomes[0].event} ", kind.table)

    def test_the_dialect(self) -> None:
        """The page is read with GET, everything else gets the dialect's own refusal, other paths are not its."""
        dialect = self.modules["bitdust/web/greeting.py"].GreetingDialect(self.greetings(self.bob))
        self.assertEqual([dialect.takes(path) for path in (b"/hello", b"/hell")], [True, False])
        refusal = b"bad-verb: this page is only read\n"
        for verb, status, body in ((b"GET", 200, b"0 greetings\n"), (b"POST", 405, refusal)):
            reply = dialect.begin(SimpleNamespace(head=SimpleNamespace(method=verb)))
            self.assertEqual((reply.status, reply.body), (status, body))
