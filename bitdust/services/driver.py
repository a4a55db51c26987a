"""The driver: starts services when what they need is ON, stops dependents first, retries what failed."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed

from bitdust.automats.kernel import doubled
from bitdust.automats.local_service import LocalService
from bitdust.services.graph import boot_order, dependents, root_distances
from bitdust.services.service import Service, Unhealthy
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

RESTING = ("OFF", "NOT_INSTALLED", "DEPENDS_OFF", "CLOSED")
SETTLED = ("ON", *RESTING)
FIRST_RETRY = 1.0


class ServiceHandle:
    """Joins one `Service` with its machine: the `ServicePort` of that machine."""

    def __init__(self, driver: "Driver", service: Service) -> None:
        self._driver = driver
        self.service = service
        self.machine = LocalService(driver.registry, service.name, self)

    def missing(self) -> str | None:
        return self._driver.identity_missing() if self.service.needs_identity else None

    def needs_off(self) -> str | None:
        off = [name for name in self.service.needs if not self._driver.is_on(name)]
        return f"needs {', '.join(off)}" if off else None

    def start(self) -> "Deferred[Any]":
        started = maybeDeferred(self.service.start)
        started.addCallback(lambda _: maybeDeferred(self.service.health))
        started.addErrback(self._give_back)
        if self.service.start_timeout is not None:
            started.addTimeout(self.service.start_timeout, self._driver.clock, self._too_slow)
        return started

    def _give_back(self, failure: Any) -> Any:
        return maybeDeferred(self.service.stop).addBoth(lambda _: failure)

    def _too_slow(self, failure: Any, seconds: float) -> Any:
        raise Unhealthy(f"did not work after {seconds:.0f} seconds: {failure.getErrorMessage()}")

    def stop(self) -> "Deferred[Any]":
        return maybeDeferred(self.service.stop)

    def stop_dependents(self) -> "Deferred[Any]":
        return self._driver.stop_dependents(self.service.name)

    def check(self) -> "Deferred[Any]":
        return maybeDeferred(self.service.health)

    def retry(self, failures: int) -> "Deferred[Any]":
        pause = doubled(FIRST_RETRY, failures - 1, self.service.longest_retry)
        delay = pause * (0.75 + self._driver.jitter() / 2)
        waiting: Deferred[Any] = Deferred(lambda _: call.cancel() if call.active() else None)
        call = self._driver.clock.callLater(delay, waiting.callback, None)
        return waiting

    def outcome(self, word: str) -> None:
        self._driver.outcome(self.service.name, word)

    def describe(self) -> dict[str, Any]:
        """One row of `services_list`."""
        service, machine = self.service, self.machine
        described = self._driver.registry.describe(machine)
        return {
            "index": machine.index,
            "id": machine.id,
            "name": f"service_{service.name}",
            "state": machine.state,
            "reason": self._reason(),
            "since": described["since"],
            "enabled": self._driver.is_enabled(service.name),
            "installed": self.missing() is None,
            "config_path": service.config_path,
            "depends": [f"service_{name}" for name in service.needs],
            "root_distance": self._driver.distance(service.name),
            "duty": service.duty,
        }

    def _reason(self) -> str:
        if self.machine.state == "STARTING":
            return self.service.waits_for()
        if self.machine.state == "OFF" and not self._driver.is_enabled(self.service.name):
            return f"it is disabled by the setting {self.service.config_path}/enabled"
        return self.machine.reason


class Driver:
    """Owns all services of a node; those that need an identity wait while there is none."""

    def __init__(self, around: Surroundings, services: Iterable[Service]) -> None:
        self.registry = around.registry
        self.clock = around.world.clock
        self._me = around.me
        self._entropy = around.world.entropy
        self._settings = around.settings
        self._events = around.events
        found = {service.name: service for service in services}
        self._order = boot_order({name: service.needs for name, service in found.items()})
        self._needs = {name: found[name].needs for name in self._order}
        self._distances = root_distances(self._needs)
        self._handles = {name: ServiceHandle(self, found[name]) for name in self._order}
        self._forget = around.settings.on_change("services/", self._setting_changed)
        self._running = False

    def identity_missing(self) -> str | None:
        """Why services that need an identity cannot run, in words; None when they can."""
        return None if self._me.present else str(self._me.absence())

    def jitter(self) -> float:
        """A random number from 0 to 1."""
        return int.from_bytes(self._entropy(4), "big") / 2**32

    @property
    def running(self) -> bool:
        """From `start_all` to `stop_all`."""
        return self._running

    def start_all(self) -> "Deferred[None]":
        """Start what is enabled, in boot order; fires when nothing is on its way any more."""
        self._running = True
        for name in self._order:
            self._wake(name)
        return self.settled()

    def stop_all(self) -> "Deferred[None]":
        """Stop everything, dependents first; fires when all has stopped."""
        self._running = False
        for name in reversed(self._order):
            self._machine(name).send("stop")
        waiting = [self._machine(name).when(*RESTING) for name in self._order]
        return DeferredList(waiting, consumeErrors=True).addCallback(lambda _: None)

    def shutdown(self) -> "Deferred[None]":
        """`stop_all`, and the end of the machines."""
        self._forget()

        def close(_: object) -> None:
            for name in reversed(self._order):
                self._machine(name).send("shutdown")

        return self.stop_all().addCallback(close)

    def settled(self) -> "Deferred[None]":
        """Fires when no service is starting or stopping."""
        for name in self._order:
            machine = self._machine(name)
            if machine.state not in SETTLED and self._handles[name].service.start_timeout is not None:
                return machine.when(*SETTLED).addBoth(lambda _: self.settled())
        return succeed(None)

    def wake_all(self) -> None:
        """Try again whatever waits, for example because an identity has appeared."""
        for name in self._order:
            self._wake(name)

    def _wake(self, name: str) -> None:
        if self._running and self.is_enabled(name) and self._machine(name).state not in ("ON", "STARTING"):
            self._machine(name).send("start")

    def _wake_waiting(self, name: str) -> None:
        """What has failed is tried again after a pause, unless that was over while a service that it needs was off."""
        machine = self._machine(name)
        if not machine.failures or machine.state == "DEPENDS_OFF":
            self._wake(name)

    def start(self, name: str) -> "Deferred[str]":
        """Enable and start; fires with the outcome. Raises `BitDustError` for a name that does not exist."""
        handle = self._handle(name)
        self._settings.set(handle.service.config_path + "/enabled", True)
        for needed in self._all_needs(handle.service.name):
            self._wake(needed)
        self._machine(handle.service.name).send("start")
        return self._outcome_of(handle.service.name)

    def stop(self, name: str) -> "Deferred[str]":
        """Disable and stop, dependents first; fires with the outcome."""
        handle = self._handle(name)
        self._settings.set(handle.service.config_path + "/enabled", False)
        handle.machine.send("stop")
        return handle.machine.when(*RESTING).addCallback(lambda _: "stopped")

    def restart(self, name: str) -> "Deferred[list[dict[str, bool]]]":
        """Stop and start again without touching the settings; fires with both outcomes."""
        machine = self._handle(name).machine
        machine.send("stop")

        def start(_: object) -> "Deferred[list[dict[str, bool]]]":
            machine.send("start")
            return self._outcome_of(machine_name).addCallback(
                lambda word: [{"stopped": True}, {word: word == "started"}]
            )

        machine_name = self._handle(name).service.name
        return machine.when(*RESTING).addCallback(start)

    def _outcome_of(self, name: str) -> "Deferred[str]":
        words = {"ON": "started", "OFF": "failed", "NOT_INSTALLED": "not_installed", "DEPENDS_OFF": "depends_off"}
        return self._machine(name).when(*SETTLED).addCallback(lambda state: words.get(state, "stopped"))

    def health(self, name: str) -> "Deferred[bool]":
        """Run the health check now; fires True, or fails with `Unhealthy`."""
        handle = self._handle(name)
        if handle.machine.state != "ON":
            raise Unhealthy(f"service_{handle.service.name} is {handle.machine.state}: {handle.machine.reason}")
        return handle.check().addCallback(lambda _: True)

    def check(self, name: str) -> None:
        """Somebody saw a sign of trouble: check the health at once instead of at the next round."""
        self._machine(name).send("check")

    def is_on(self, name: str) -> bool:
        """True while the service works."""
        return self._machine(name).state == "ON"

    def is_enabled(self, name: str) -> bool:
        """What the settings say."""
        return bool(self._settings.get(self._handles[name].service.config_path + "/enabled"))

    def distance(self, name: str) -> int:
        """Layers between the service and the ground."""
        return self._distances[name]

    def when_on(self, name: str) -> "Deferred[str]":
        """Fires when the service works."""
        return self._machine(name).when("ON")

    def info(self, name: str) -> dict[str, Any]:
        """One of them; accepts supplier, service_supplier and service-supplier."""
        return self._handle(name).describe()

    def stop_dependents(self, name: str) -> "Deferred[Any]":
        """Stop all that needs ``name``; fires when it has stopped."""
        waiting = []
        for other in reversed(dependents(self._needs, name)):
            machine = self._machine(other)
            if machine.state not in RESTING:
                machine.send("stop", f"stopped because service_{name} stopped")
                waiting.append(machine.when(*RESTING))
        return DeferredList(waiting, consumeErrors=True)

    def outcome(self, name: str, word: str) -> None:
        """A machine tells how it went: announce it, and wake or stop who depends on it."""
        if word in ("started", "stopped", "failed"):
            event = "service-started" if word == "started" else "service-stopped"
            self._events.send(event, {"name": f"service_{name}", "outcome": word})
        if word == "started":
            for other in dependents(self._needs, name):
                self.clock.callLater(0, partial(self._wake_waiting, other))

    def _setting_changed(self, key: str, old: Any, new: Any) -> None:
        name = key.removeprefix("services/").removesuffix("/enabled").replace("-", "_")
        if key.endswith("/enabled") and name in self._handles and self._running:
            if new:
                for needed in (*self._all_needs(name), name):
                    self._wake(needed)
            else:
                self._machine(name).send("stop")
        for handle in self._handles.values():
            if key in handle.service.at_start and self._running and self.is_enabled(handle.service.name):
                self.clock.callLater(0, self.restart, handle.service.name)

    def _all_needs(self, name: str) -> list[str]:
        found: set[str] = set()
        waiting = list(self._needs[name])
        while waiting:
            other = waiting.pop()
            if other not in found:
                found.add(other)
                waiting.extend(self._needs[other])
        return [other for other in self._order if other in found]

    def _machine(self, name: str) -> LocalService:
        return self._handles[name].machine

    def _handle(self, name: str) -> ServiceHandle:
        short = name.replace("-", "_").removeprefix("service_")
        handle = self._handles.get(short)
        if handle is None:
            raise BitDustError("not-found", f"service {name[:80]!r} does not exist; see services_list")
        return handle

    def list(self) -> list[dict[str, Any]]:
        """All services in boot order, as `services_list` shows them."""
        return [self._handles[name].describe() for name in self._order]
