"""The assembly of a node: every room is built, and every wire is plugged in."""

from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.assembly import Assembly
from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.settings import Settings
from bitdust.events import Events
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import fake_world
from bitdust.wiring import WiringError, open_wires


class AssemblyTests(SynchronousTestCase):
    def assemble(self) -> Assembly:
        home = Path(self.mktemp())
        home.mkdir()
        clock = Clock()
        world = fake_world(MemoryNetwork(clock, 1), clock, "10.0.0.1", home, "alice")
        events = Events(clock, clock.seconds)
        registry = Registry(clock, clock.seconds)
        return Assembly(world, Settings(home / "config"), events, registry, Budget())

    def test_every_wire_is_plugged_in(self) -> None:
        """After the assembly no part waits for another one."""
        assembly = self.assemble()
        parts: list[Any] = list(assembly._parts())
        self.assertGreater(len(parts), 20)
        self.assertEqual([wire for part in parts for wire in open_wires(part)], [])

    def test_a_wire_that_is_forgotten(self) -> None:
        """Where the wiring leaves something out the node is not built, and the error names what is missing."""
        with mock.patch.object(Assembly, "_wire"):
            error = self.assertRaises(WiringError, self.assemble)
        self.assertIn("Recovery.services", str(error))

    def test_wiring_twice(self) -> None:
        """A wire that is plugged in already is not replaced."""
        assembly = self.assemble()
        self.assertRaises(WiringError, assembly._wire)

    def test_one_service_a_module(self) -> None:
        """Every module of services that is named for one has exactly one, with a duty of its own."""
        folder = Path(__file__).resolve().parents[2] / "bitdust" / "services"
        names = {path.stem.removeprefix("service_") for path in folder.glob("service_*.py")}
        services = {row["name"].removeprefix("service_"): row["duty"] for row in self.assemble().driver.list()}
        self.assertEqual(set(services), names)
        self.assertEqual(len(set(services.values())), len(names))
