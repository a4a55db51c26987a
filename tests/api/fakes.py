"""A small node of our own for the API's tests: real kernel, real loopback, no domains."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed

from bitdust.api.consumers import Consumers
from bitdust.automats.kernel import Registry
from bitdust.wire.errors import BitDustError
from bitdust.world import ReactorNetwork, World

DEFAULTS: dict[str, Any] = {
    "interface/api/auth-secret-enabled": True,
    "interface/api/rest-http-enabled": True,
    "interface/api/rest-http-port": 0,
    "interface/api/web-socket-enabled": True,
    "interface/api/web-socket-port": 0,
    "interface/api/allowed-hosts": "",
    "interface/api/allowed-origins": "",
    "logs/api-enabled": False,
    "logs/debug-level": 0,
    "services/supplier/enabled": True,
    "services/supplier/donated-space": 8_000_000_000,
}


class FakeSettings:
    def __init__(self) -> None:
        self.values = dict(DEFAULTS)

    def keys(self) -> list[str]:
        return list(self.values)

    def get(self, key: str) -> Any:
        if key not in self.values:
            raise BitDustError("unknown-setting", f"there is no setting {key!r}")
        return self.values[key]

    def set(self, key: str, value: Any) -> None:
        self.get(key)
        self.values[key] = value

    def describe(self, key: str) -> dict[str, Any]:
        value = self.get(key)
        return {"key": key, "value": value, "type": type(value).__name__, "label": key, "readonly": False,
                "default": DEFAULTS[key], "info": "a setting"}


@frozen
class FakeEvent:
    event_id: str
    data: dict[str, Any]
    seq: int
    time: float


class FakeEvents:
    def __init__(self) -> None:
        self.sequence = 0
        self.sent: list[FakeEvent] = []
        self.callbacks: list[Any] = []

    def send(self, event_id: str, data: dict[str, Any] | None = None) -> int:
        self.sequence += 1
        event = FakeEvent(event_id, data or {}, self.sequence, 1000.0)
        self.sent.append(event)
        for callback in list(self.callbacks):
            callback(event)
        return self.sequence

    def subscribe(self, callback: Any, event_id: str | None = None) -> Any:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def counters(self) -> dict[str, int]:
        return dict(Counter(event.event_id for event in self.sent))


class FakeDriver:
    """Services by name: state and reason. ``log`` tells what was asked."""

    def __init__(self) -> None:
        self.states: dict[str, tuple[str, str]] = {"network": ("ON", ""), "supplier": ("OFF", "no space is donated")}
        self.log: list[tuple[str, str]] = []

    def _name(self, name: str) -> str:
        short = name.replace("-", "_").removeprefix("service_")
        if short not in self.states:
            raise BitDustError("not-found", f"service {name!r} does not exist")
        return short

    def info(self, name: str) -> dict[str, Any]:
        short = self._name(name)
        state, reason = self.states[short]
        return {"index": 1, "id": short, "name": f"service_{short}", "state": state, "reason": reason, "since": 0.0,
                "enabled": state == "ON", "installed": True, "config_path": f"services/{short}", "depends": [],
                "root_distance": 0, "duty": ""}

    def list(self) -> list[dict[str, Any]]:
        return [self.info(name) for name in self.states]

    def is_on(self, name: str) -> bool:
        return self.states.get(name, ("OFF", ""))[0] == "ON"

    def _act(self, word: str, name: str, state: str) -> "Deferred[Any]":
        short = self._name(name)
        self.log.append((word, short))
        self.states[short] = (state, "")
        return succeed("started" if state == "ON" else "stopped")

    def start(self, name: str) -> "Deferred[Any]":
        return self._act("start", name, "ON")

    def stop(self, name: str) -> "Deferred[Any]":
        return self._act("stop", name, "OFF")

    def restart(self, name: str) -> "Deferred[Any]":
        self._act("restart", name, "ON")
        return succeed([{"stopped": True}, {"started": True}])

    def health(self, name: str) -> "Deferred[bool]":
        if self.is_on(self._name(name)):
            return succeed(True)
        return fail(BitDustError("unhealthy", f"{name} is OFF"))


class Anything:
    """Stands for a domain object; what a test needs of it is set as an attribute."""

    def __init__(self, **parts: Any) -> None:
        vars(self).update(parts)


class FakeContext:
    """A `Context` on a given clock; ``folder`` is its home."""

    def __init__(self, clock: Any, folder: str, reactor: Any = None) -> None:
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        self.world = World(clock, ReactorNetwork(reactor), home, wall=lambda: 1000.0, entropy=os.urandom,
                           run_in_thread=lambda call, *args: succeed(call(*args)))
        self.settings = FakeSettings()
        self.events = FakeEvents()
        self.consumers = Consumers(clock, self.events)
        self.driver = FakeDriver()
        self.registry = Registry(clock)
        self.me = Anything(present=False, global_id="", key_ring=None)
        self.cache = Anything(all=list)
        self.registration = self.storage = self.suppliers = self.customers = self.space = Anything()
        self.gateway = self.inbox = self.outbox = self.dht = Anything()
        self.stops: list[bool] = []
        self.ill: str | None = None

    def stop(self, restart: bool) -> "Deferred[None]":
        self.stops.append(restart)
        return succeed(None)

    def health(self) -> dict[str, Any]:
        if self.ill:
            raise BitDustError("unhealthy", self.ill)
        return {"uptime": 1.0}
