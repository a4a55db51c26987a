"""The dependency graph of services and the driver that walks it."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.services.driver import Driver
from bitdust.services.graph import boot_order, dependents, root_distances
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.errors import BitDustError


class FakeSettings:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.watchers: list[Any] = []

    def get(self, key: str) -> Any:
        return self.values.get(key, True)

    def set(self, key: str, value: Any) -> None:
        old, self.values[key] = self.get(key), value
        if old != value:
            for watcher in list(self.watchers):
                watcher(key, old, value)

    def on_change(self, prefix: str, callback: Any) -> Any:
        self.watchers.append(callback)
        return lambda: self.watchers.remove(callback)


class FakeEvents:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def send(self, event_id: str, data: Any = None) -> int:
        self.sent.append((event_id, data))
        return len(self.sent)


class Recorded(Service):
    duty = "to be watched"

    def __init__(self, script: list[str], name: str, *needs: str, identity: bool = False) -> None:
        self.script = script
        self.name = name  # type: ignore[misc]
        self.needs = needs  # type: ignore[misc]
        self.needs_identity = identity  # type: ignore[misc]
        self.trouble = ""
        self.slow: Deferred[None] | None = None

    def start(self) -> Any:
        self.script.append(f"start {self.name}")
        return self.slow

    def stop(self) -> None:
        self.script.append(f"stop {self.name}")

    def health(self) -> None:
        if self.trouble:
            raise Unhealthy(self.trouble)


class FakeMe:
    """An identity that is there while the test says so."""

    def __init__(self, test: "DriverTests") -> None:
        self._test = test

    @property
    def present(self) -> bool:
        return self._test.identity

    def absence(self) -> str:
        return "waits for an identity: create or recover one"


class GraphTests(SynchronousTestCase):
    NEEDS = {"network": (), "gateway": ("network",), "supplier": ("gateway",), "dht": ("network",)}

    def test_needs_come_first(self) -> None:
        """A service stands in the boot order after all that it needs, and names decide between equals."""
        self.assertEqual(boot_order(self.NEEDS), ["network", "dht", "gateway", "supplier"])

    def test_distances(self) -> None:
        """The root distance is the longest way to the ground."""
        self.assertEqual(root_distances(self.NEEDS), {"network": 0, "dht": 1, "gateway": 1, "supplier": 2})

    def test_dependents(self) -> None:
        """Direct dependents are found by their needs, in the order in which needs are given."""
        self.assertEqual(dependents(self.NEEDS, "network"), ["gateway", "dht"])

    def test_circle_is_named(self) -> None:
        """Services that need each other refuse to boot, and the error names the circle."""
        error = self.assertRaises(BitDustError, boot_order, {"a": ("b",), "b": ("a",)})
        self.assertIn("a", str(error))
        self.assertIn("b", str(error))

    def test_missing_need_is_named(self) -> None:
        """A need that does not exist refuses to boot, and the error names it."""
        error = self.assertRaises(BitDustError, boot_order, {"a": ("ghost",)})
        self.assertIn("ghost", str(error))


class DriverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.registry = Registry(self.clock, self.clock.seconds)
        self.settings = FakeSettings()
        self.events = FakeEvents()
        self.script: list[str] = []
        self.identity = True
        self.network = Recorded(self.script, "network")
        self.gateway = Recorded(self.script, "gateway", "network")
        self.supplier = Recorded(self.script, "supplier", "gateway", identity=True)

    def driver(self) -> Driver:
        world = SimpleNamespace(clock=self.clock, entropy=lambda size: b"\x80" + bytes(size - 1))
        around = SimpleNamespace(
            world=world, settings=self.settings, events=self.events, registry=self.registry, me=FakeMe(self)
        )
        return Driver(around, [self.supplier, self.network, self.gateway])

    def pump(self) -> None:
        for _ in range(20):
            self.clock.advance(0)

    def states(self, driver: Driver) -> dict[str, str]:
        return {row["name"].removeprefix("service_"): row["state"] for row in driver.list()}

    def started(self) -> Driver:
        driver = self.driver()
        driver.start_all()
        self.pump()
        return driver

    def test_starts_in_order(self) -> None:
        """Every service is started once, after what it needs works."""
        driver = self.started()
        self.assertEqual(self.script, ["start network", "start gateway", "start supplier"])
        self.assertEqual(set(self.states(driver).values()), {"ON"})

    def test_waits_for_a_slow_need(self) -> None:
        """While a need is starting its dependents are DEPENDS_OFF and say so; they start when it works."""
        self.network.slow = slow = Deferred()
        driver = self.started()
        waiting = {"network": "STARTING", "gateway": "DEPENDS_OFF", "supplier": "DEPENDS_OFF"}
        self.assertEqual(self.states(driver), waiting)
        self.assertIn("network", driver.info("gateway")["reason"])
        slow.callback(None)
        self.pump()
        self.assertEqual(set(self.states(driver).values()), {"ON"})

    def test_a_starting_service_says_what_it_waits_for(self) -> None:
        """While a service starts its reason is what it waits for, not what it lacked before."""
        self.network.slow = slow = Deferred()
        self.network.waits_for = lambda: "a cable is being looked for"
        driver = self.started()
        self.assertEqual(driver.info("network")["reason"], "a cable is being looked for")
        slow.callback(None)
        self.pump()
        self.assertEqual(driver.info("network")["reason"], "")

    def test_stops_dependents_first(self) -> None:
        """Stopping a service stops what needs it before, and gives a Deferred that waits for all."""
        driver = self.started()
        del self.script[:]
        self.assertEqual(self.successResultOf(driver.stop("network")), "stopped")
        self.assertEqual(self.script, ["stop supplier", "stop gateway", "stop network"])

    def test_disabled_says_so(self) -> None:
        """A service that its setting keeps off names the setting as the reason."""
        driver = self.started()
        self.settings.set("services/supplier/enabled", False)
        self.pump()
        self.assertEqual(driver.info("supplier")["state"], "OFF")
        self.assertIn("services/supplier/enabled", driver.info("supplier")["reason"])

    def test_stop_twice_answers_twice(self) -> None:
        """A second stop while the first is under way is answered as well."""
        driver = self.started()
        first, second = driver.stop("gateway"), driver.stop("gateway")
        self.assertEqual(self.successResultOf(first), "stopped")
        self.assertEqual(self.successResultOf(second), "stopped")

    def test_dependents_come_back(self) -> None:
        """Dependents that were stopped with their need start again when it does."""
        driver = self.started()
        driver.stop("network")
        self.pump()
        driver.start("network")
        self.pump()
        self.assertEqual(set(self.states(driver).values()), {"ON"})

    def test_failure_keeps_its_reason_and_is_retried(self) -> None:
        """A service that fails is OFF with the reason, is given back, and is tried again after a growing pause."""
        self.gateway.trouble = "port 7771 is taken"
        driver = self.started()
        self.assertEqual(driver.info("gateway")["state"], "OFF")
        self.assertEqual(driver.info("gateway")["reason"], "port 7771 is taken")
        self.assertEqual(self.script, ["start network", "start gateway", "stop gateway"])
        self.gateway.trouble = ""
        self.clock.advance(1)
        self.pump()
        self.assertEqual(set(self.states(driver).values()), {"ON"})
        self.assertEqual(driver.info("gateway")["reason"], "")

    def test_a_retry_while_a_need_is_off(self) -> None:
        """A service that had failed, and was to be tried again while what it needs was off, starts with that."""
        self.gateway.trouble = "the disk is full"
        driver = self.started()
        driver.stop("network")
        self.clock.advance(2)
        self.pump()
        self.assertEqual(driver.info("gateway")["state"], "DEPENDS_OFF")
        self.gateway.trouble = ""
        driver.start("network")
        self.pump()
        self.assertEqual(set(self.states(driver).values()), {"ON"})

    def test_pauses_grow(self) -> None:
        """Each failure doubles the pause before the next try."""
        self.network.trouble = "no interface"
        self.started()
        moments = []
        for tick in range(64):
            if self.script[-2:] == ["start network", "stop network"]:
                moments.append(tick)
                del self.script[:]
            self.clock.advance(0.5)
            self.pump()
        self.assertEqual(moments, [0, 2, 6, 14, 30, 62])

    def test_on_means_healthy(self) -> None:
        """A working service whose health check fails goes OFF with the reason, dependents first."""
        driver = self.started()
        self.gateway.trouble = "the listening socket is gone"
        del self.script[:]
        self.clock.advance(30)
        self.pump()
        self.assertEqual(driver.info("gateway")["state"], "OFF")
        self.assertEqual(driver.info("gateway")["reason"], "the listening socket is gone")
        self.assertEqual(self.script[:2], ["stop supplier", "stop gateway"])

    def test_a_sign_of_trouble_is_looked_at_at_once(self) -> None:
        """`check` does not wait for the next round."""
        driver = self.started()
        self.gateway.trouble = "gone"
        driver.check("gateway")
        self.pump()
        self.assertNotEqual(driver.info("gateway")["state"], "ON")

    def test_waits_for_an_identity(self) -> None:
        """A service that needs an identity is NOT_INSTALLED without one and starts by itself when it appears."""
        self.identity = False
        driver = self.started()
        self.assertEqual(driver.info("supplier")["state"], "NOT_INSTALLED")
        self.assertIn("identity", driver.info("supplier")["reason"])
        self.identity = True
        driver.wake_all()
        self.pump()
        self.assertEqual(driver.info("supplier")["state"], "ON")

    def test_settings_start_and_stop(self) -> None:
        """Writing the enabled setting starts or stops the service at once."""
        driver = self.started()
        self.settings.set("services/gateway/enabled", False)
        self.pump()
        self.assertEqual(driver.info("gateway")["state"], "OFF")
        self.settings.set("services/gateway/enabled", True)
        self.pump()
        self.assertEqual(set(self.states(driver).values()), {"ON"})

    def test_settings_that_are_read_at_the_start(self) -> None:
        """Where a setting changes that a service reads when it starts, it starts anew, in a later turn: whoever changed
        it may be its client. One that is disabled does not."""
        self.supplier.at_start = ("services/supplier/port",)
        driver = self.started()
        self.script.clear()
        self.settings.set("services/supplier/port", 7771)
        self.assertEqual(self.script, [])
        self.pump()
        self.assertEqual(self.script, ["stop supplier", "start supplier"])
        self.assertEqual(driver.info("supplier")["state"], "ON")
        self.settings.set("services/supplier/enabled", False)
        self.pump()
        self.script.clear()
        self.settings.set("services/supplier/port", 7772)
        self.settings.set("services/gateway/port", 7773)
        self.pump()
        self.assertEqual(self.script, [])

    def test_slow_start_counts_as_failed(self) -> None:
        """A start that does not end within its time fails with a sentence about it."""
        self.gateway.slow = Deferred()
        driver = self.started()
        self.clock.advance(60)
        self.pump()
        self.assertEqual(driver.info("gateway")["state"], "OFF")
        self.assertIn("60 seconds", driver.info("gateway")["reason"])

    def test_stop_while_starting(self) -> None:
        """A stop that comes in the middle of a start ends in OFF, and the late start changes nothing."""
        self.gateway.slow = Deferred()
        driver = self.started()
        self.assertEqual(self.successResultOf(driver.stop("gateway")), "stopped")
        self.pump()
        self.assertEqual(driver.info("gateway")["state"], "OFF")

    def test_start_while_stopping(self) -> None:
        """A start that comes in the middle of a stop is remembered and carried out."""
        ended: Deferred[None] = Deferred()
        driver = self.started()
        self.supplier.stop = lambda: ended  # type: ignore[method-assign]
        driver.stop("supplier")
        self.settings.set("services/supplier/enabled", True)
        driver.start("supplier")
        ended.callback(None)
        self.pump()
        self.assertEqual(driver.info("supplier")["state"], "ON")

    def test_unknown_name(self) -> None:
        """A name that no service has is an error that says where to look."""
        error = self.assertRaises(BitDustError, self.driver().info, "ghost")
        self.assertEqual(error.code, "not-found")

    def test_shutdown_leaves_nothing(self) -> None:
        """After the shutdown no timer is left and every machine has ended."""
        driver = self.started()
        driver.shutdown()
        self.pump()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(set(self.states(driver).values()), {"CLOSED"})
