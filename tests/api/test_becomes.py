"""The column of the API's table that names machines and events: each exists, and both sides show the other."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust import automats
from bitdust.api.call import perform
from bitdust.api.following import kinds
from bitdust.api.methods import TABLE
from bitdust.api.openapi import document
from bitdust.api.pages import pages
from bitdust.api.reference import entry
from bitdust.api.table import Becomes, Route, Table, method
from bitdust.automats.kernel import Machine
from bitdust.automats.kernel.table import is_timer
from bitdust.cli.reference import _page
from bitdust.wire.packet import Command
from bitdust.wire.schema import Struct
from bitdust.wire.table import Row, Who
from tests.api.fakes import Anything, FakeContext

LONG_LIVED = {
    "file_upload_start": "backup",
    "file_download_start": "restore_worker",
    "file_delete": "file_deletion",
    "supplier_change": "supplier_replacement",
    "identity_recover": "id_restorer",
    "identity_create": "id_registrator",
    "identity_erase": "identity_eraser",
    "service_restart": "local_service",
    "supplier_retire": "supplier_retirement",
}


class Kettle(Machine):
    table = """
      COLD  heat  -  HOT   -
      HOT   cool  -  COLD  -
    """
    ignore = """
      COLD  cool
      HOT   heat
    """
    initial = "COLD"
    endless = True


@method(Route("POST", "/kettle/heat/v1"), becomes=[("kettle", "heat"), ("kettle", "cool")])
def kettle_heat(context: object) -> None:
    """Heat a kettle, and let it cool."""


@method(Route("POST", "/kettle/look/v1"))
def kettle_look(context: object) -> None:
    """Look at a kettle."""


def machines() -> dict[str, type[Machine]]:
    """Every kind of machine of the program, by name."""
    for module in iter_modules(automats.__path__):
        import_module(f"bitdust.automats.{module.name}")
    found: dict[str, type[Machine]] = {}
    waiting = list(Machine.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("bitdust.automats."):
            found[kind.name] = kind
    return found


class ColumnTests(SynchronousTestCase):
    def test_machines_and_events_exist(self) -> None:
        """Whatever a method becomes is an event that stands in the table of that machine, and no timer."""
        known = machines()
        for row in TABLE:
            for step in row.becomes:
                self.assertIn(step.machine, known, row.name)
                self.assertIn(step.event, known[step.machine].definition().events, row.name)
                self.assertFalse(is_timer(step.event), row.name)

    def test_long_lived_jobs(self) -> None:
        """Every method that begins what lasts names the machine that does it."""
        for name, machine in LONG_LIVED.items():
            row = TABLE.named(name)
            self.assertIn(machine, [step.machine for step in row.becomes], name)

    def test_documents(self) -> None:
        """Reference, page, OpenAPI and the terminal show the column where a method has it, and nothing where not."""
        self.assertEqual(kettle_heat.becomes, (Becomes("kettle", "heat"), Becomes("kettle", "cool")))
        self.assertEqual(entry(kettle_heat)["becomes"], [["kettle", "heat"], ["kettle", "cool"]])
        self.assertNotIn("becomes", entry(kettle_look))
        table = Table([kettle_heat, kettle_look])
        page = pages(table)[f"{kettle_heat.noun}.md"]
        wanted = "* becomes the event `heat` of [kettle](../automats/kettle.md), then `cool` of"
        self.assertEqual(page.count("becomes the event"), 1)
        self.assertIn(wanted, page)
        paths = document(table)["paths"]
        steps = [{"machine": "kettle", "event": "heat"}, {"machine": "kettle", "event": "cool"}]
        self.assertEqual(paths["/kettle/heat/v1"]["post"]["x-automat"], steps)
        self.assertEqual(paths["/kettle/look/v1"]["post"]["x-automat"], [])
        self.assertIn("  heat of kettle", "\n".join(_page(entry(kettle_heat))))
        self.assertNotIn("Becomes", "\n".join(_page(entry(kettle_look))))


class InfoTests(SynchronousTestCase):
    packets: ClassVar[list[Row]] = [
        Row(Command.DATA, "piece", Struct({}), 10, Who.ANYONE, "a", lambda request: None, becomes=("kettle", "cool")),
        Row(Command.DATA, "entry", Struct({}), 10, Who.ANYONE, "a", lambda request: None, becomes=("cup", "fill")),
        Row(Command.FILES, None, Struct({}), 10, Who.ANYONE, "a", lambda request: None),
    ]

    def test_ways_in(self) -> None:
        """automat_info tells which methods and which packets become events of a machine."""
        context = FakeContext(Clock(), self.mktemp())
        context.table = Table([kettle_heat, kettle_look])
        context.gateway = Anything(inbox=Anything(rows=lambda: self.packets))
        Kettle(context.registry)
        asking = perform(context, TABLE.named("automat_info"), {"automat_id": "kettle"})
        result = self.successResultOf(asking)["result"]
        steps = [{"method": "kettle_heat", "event": event} for event in ("heat", "cool")]
        self.assertEqual(result["methods"], steps)
        self.assertEqual(result["packets"], [{"command": "Data", "kind": "piece", "event": "cool"}])
        self.assertIn("kettle", set(kinds()))


class AddressTests(SynchronousTestCase):
    """Methods that begin something answer with the address of its machine, beside the result."""

    def setUp(self) -> None:
        self.context = FakeContext(Clock(), self.mktemp())

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        answer = self.successResultOf(perform(self.context, TABLE.named(name), arguments))
        return dict(answer)

    def test_services(self) -> None:
        """Start, stop and restart of a service name its machine, also where it does not start."""
        for name in ("service_start", "service_stop", "service_restart"):
            self.assertEqual(self.ask(name, service_name="supplier")["automat"], {"index": 1, "id": "supplier"}, name)
        self.context.driver.start = lambda name: succeed("failed")
        answer = self.ask("service_start", service_name="supplier")
        self.assertEqual((answer["code"], answer["automat"]["id"]), ("not-started", "supplier"))

    def test_where_there_is_none(self) -> None:
        """Where no such machine lives, the field is null."""
        self.context.driver.states["network"] = ("ON", "")
        self.context.gateway = Anything(sessions=list)
        self.assertIsNone(self.ask("network_reconnect")["automat"])

    def test_erasure(self) -> None:
        """The machine of an erasure is told beside the result, as everywhere."""
        told = {"removed": [], "former": None, "elsewhere": [], "automat": {"index": 7, "id": "identity_eraser"}}
        self.context.erase_identity = lambda erase: succeed(told)
        answer = self.ask("identity_erase", erase_private_key=True)
        self.assertEqual(answer["automat"], {"index": 7, "id": "identity_eraser"})
        self.assertEqual(set(answer["result"]), {"removed", "former", "elsewhere"})
