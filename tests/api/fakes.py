"""A small node of our own for the API's tests: real kernel, real loopback, no domains."""

import os
from copy import copy
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.api.following import Following, Watching
from bitdust.api.issued_tickets import Tickets
from bitdust.api.methods import TABLE
from bitdust.api.tally import Tally
from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.settings import Settings
from bitdust.events import Consumers, Events
from bitdust.scopes.networks import Household
from bitdust.scopes.plan import Plan
from bitdust.scopes.scopes import Scopes
from bitdust.wire.errors import BitDustError
from bitdust.wire.table import Who
from bitdust.world import ReactorNetwork, World
from tests.stand_ins import FoldersAsSaid


class FakeDriver:
    """Services by name: state and reason; those that are ON or ``wanted`` are enabled. ``log`` tells what was asked."""

    def __init__(self) -> None:
        self.states: dict[str, tuple[str, str]] = {"network": ("ON", ""), "supplier": ("OFF", "no space is donated")}
        self.log: list[tuple[str, str]] = []
        self.wanted: set[str] = set()

    def _name(self, name: str) -> str:
        short = name.replace("-", "_").removeprefix("service_")
        if short not in self.states:
            raise BitDustError("not-found", f"service {name!r} does not exist")
        return short

    def info(self, name: str) -> dict[str, Any]:
        short = self._name(name)
        state, reason = self.states[short]
        return {"index": 1, "id": short, "name": f"service_{short}", "state": state, "reason": reason, "since": 0.0,
                "enabled": state == "ON" or short in self.wanted, "installed": True,
                "config_path": "services/" + short.replace("_", "-"),
                "depends": [], "root_distance": 0, "duty": ""}

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


def some_storage(**parts: Any) -> Anything:
    """A storage in which nothing is shared."""
    return Anything(**{"catalogs": Anything(is_shared=lambda name: False), **parts})


async def counted() -> None:
    """Nothing is stored."""


class FakeContext:
    """A `Context` on a given clock; ``folder`` is its home."""

    def __init__(self, clock: Any, folder: str, reactor: Any = None) -> None:
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        self.world = World(clock, ReactorNetwork(reactor), home, wall=lambda: 1000.0, entropy=os.urandom,
                           run_in_thread=lambda call, *args: succeed(call(*args)))
        self.settings = Settings(home / "config")
        self.settings.set("interface/api/rest-http-port", 0)
        self.settings.set("interface/api/web-socket-port", 0)
        self.events = Events(clock, self.world.wall, run="run-1")
        self.listener = None
        self.table = TABLE
        self.consumers = Consumers(self.events)
        self.driver = FakeDriver()
        self.registry = Registry(clock)
        self.tally = Tally(clock, self.settings)
        self.tickets = Tickets(self.world)
        self.following = Following(self.registry, self.events)
        self.watching = Watching(self.registry)
        self.me = Anything(present=False, global_id="", key_ring=None, locked_key="", backup_checked=None)
        self.cache = Anything(all=list)
        self.registration = self.suppliers = self.customers = self.space = Anything()
        self.storage = some_storage(count=counted)
        self.presence = Anything()
        self.noted: list[Any] = []
        self.key_file = Anything(note=lambda *noted: self.noted.append(noted), unnamed=0)
        self.spares = Anything(status=lambda: {"after_days": 0, "spares": [], "problem": "", "places": []})
        listeners = Anything(watch=lambda taker: lambda: None, polls=())
        friends, person = Anything(all=list, called=lambda alias: []), Anything(give=lambda friend: None)
        self.people = Anything(keys=Anything(person=person), friends=friends, listeners=listeners)
        self.outbox, self.dht = Anything(), Anything(running=False)
        self.inbox = Anything(rows=list)
        scopes = Scopes(clock, Plan.of(Budget()), lambda fingerprint: Who(0), Household([]))
        self.gateway = Anything(inbox=self.inbox, scopes=scopes)
        self.companions = Anything(desk=None)
        self.folders, self.btsync = FoldersAsSaid(), Anything(port=0)
        self.stops: list[bool] = []
        self.ill: str | None = None

    def heard_by(self, listener: Any) -> "FakeContext":
        asked = copy(self)
        asked.listener = listener
        return asked

    def stop(self, restart: bool) -> "Deferred[None]":
        self.stops.append(restart)
        return succeed(None)

    def health(self) -> dict[str, Any]:
        if self.ill:
            raise BitDustError("unhealthy", self.ill)
        return {"uptime": 1.0}
