"""Giving up being a supplier: the plan on the disk, who still has data here, and the end of the service.

``metadata/retirement`` (JSON) holds from when until when; while it is there no customer is taken and no piece. It is
written before anybody is told, and goes when the owner of the disk changes their mind.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.kernel import Registry
from bitdust.automats.supplier_retirement import SupplierRetirement
from bitdust.crypt.files import remove_safely, write_safely
from bitdust.customers.patrol import DAY, Promise
from bitdust.peers.ports import Events, Settings
from bitdust.wire.errors import BitDustError

ENABLED = "services/supplier/enabled"
DEFAULT_DAYS = 14
MAX_FILE = 4096


class RetirementStore(Protocol):
    """The supplier's store, as far as retiring goes."""

    @property
    def is_open(self) -> bool: ...

    def customers(self) -> Sequence[Promise]: ...

    def retire(self) -> "Deferred[None]": ...

    def stay(self) -> "Deferred[None]": ...


@frozen
class Plan:
    """From when until when, in seconds since the epoch; ``over`` when the service was stopped for it."""

    since: int
    until: int
    over: bool = False


class Retirement:
    """I am the port of `SupplierRetirement`. ``tell`` tells all customers; ``on_plan`` is called when it changes."""

    log = Logger()

    def __init__(
        self,
        registry: Registry,
        store: RetirementStore,
        settings: Settings,
        events: Events,
        wall: Callable[[], float],
        path: Path,
    ) -> None:
        self._registry = registry
        self._store = store
        self._settings = settings
        self._events = events
        self._wall = wall
        self._path = path
        self._plan: Plan | None = None
        self._machine: SupplierRetirement | None = None
        self.tell: Callable[[], None] = lambda: None
        self.on_plan: Callable[[], None] = lambda: None

    def load(self) -> None:
        """Read the plan. Raises `BitDustError` ``damaged-retirement``: whether customers are taken must be known."""
        try:
            found = json.loads(self._path.read_bytes()[:MAX_FILE])
            self._plan = Plan(int(found["since"]), int(found["until"]), bool(found["over"]))
        except FileNotFoundError:
            self._plan = None
        except (ValueError, TypeError, KeyError) as error:
            text = (
                f"{self._path} is damaged ({error}); remove it to stay a supplier, and give notice again if you leave"
            )
            raise BitDustError("damaged-retirement", text) from error

    @property
    def until(self) -> int:
        """Until when customers are answered; 0 while this node stays a supplier."""
        return self._plan.until if self._plan is not None else 0

    @property
    def is_retiring(self) -> bool:
        """Whether no customer and no piece is taken any more."""
        return self._plan is not None

    # the service

    def start(self) -> "Deferred[None]":
        """After the store has opened: bring contracts and customers to what the plan says."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        self._machine = SupplierRetirement(self._registry, self)
        await self._apply()
        if self.is_retiring and self._machine is not None:
            self._machine.send("retire")

    def _apply(self) -> "Deferred[None]":
        return self._store.retire() if self.is_retiring else self._store.stay()

    def stop(self) -> None:
        """The service stops; the plan stays."""
        machine, self._machine = self._machine, None
        if machine is not None and machine.state != "CLOSED":
            machine.send("shutdown")

    def look(self) -> None:
        """A customer has left: perhaps it was the last."""
        if self._machine is not None:
            self._machine.send("look")

    # what the owner of the disk says

    def retire(self, days: float) -> "Deferred[None]":
        """Give notice to all customers; they have so many days to move."""
        return Deferred.fromCoroutine(self._retire(days))

    async def _retire(self, days: float) -> None:
        now = int(self._wall())
        since = self._plan.since if self._plan is not None else now
        self._keep(Plan(since, now + int(days * DAY)))
        self._events.send("supplier-retiring", {"until": self.until})
        await self._follow()

    def cancel(self) -> "Deferred[None]":
        """Stay a supplier after all. Raises `BitDustError` ``not-found`` where no notice was given."""
        if self._plan is None:
            raise BitDustError("not-found", "this node has given no notice")
        remove_safely(self._path)
        self._plan = None
        self._events.send("supplier-staying", {})
        return Deferred.fromCoroutine(self._follow())

    async def _follow(self) -> None:
        machine = self._machine
        if self._store.is_open and machine is not None:
            await self._apply()
        if machine is None or machine is not self._machine:  # The service is off, or stopped meanwhile.
            self._settings.set(ENABLED, True)
            return
        machine.send("retire" if self.is_retiring else "stay")
        self.on_plan()

    def _keep(self, plan: Plan) -> None:
        text = json.dumps({"since": plan.since, "until": plan.until, "over": plan.over})
        write_safely(self._path, text.encode())
        self._plan = plan

    def status(self) -> dict[str, Any]:
        """What holds now; ``customers`` are those that still have data here, None while the service is off."""
        plan = self._plan
        kept = self._remaining() if self._store.is_open else None
        return {
            "state": "serving" if plan is None else "over" if plan.over else "notice",
            "since": plan.since if plan is not None else None,
            "until": plan.until if plan is not None else None,
            "customers": None if kept is None else [self._row(one) for one in kept],
            "remaining_bytes": None if kept is None else sum(one.used for one in kept),
        }

    def _row(self, kept: Promise) -> dict[str, Any]:
        return {
            "idurl": kept.idurl,
            "global_id": kept.global_id,
            "used": kept.used,
            "told": bool(kept.announced),
            "keeps_until": kept.purge_at or kept.until,
        }

    def _remaining(self) -> list[Promise]:
        return [kept for kept in self._store.customers() if kept.used]

    # the machine's port

    def tell_customers(self) -> None:
        if self._store.is_open:
            self.tell()

    def is_over(self) -> bool:
        plan = self._plan
        if plan is None or not self._store.is_open:
            return False
        return self._wall() >= plan.until or not any(kept.is_here for kept in self._store.customers())

    def close(self) -> None:
        plan = self._plan
        if plan is None:
            return
        left = self._remaining()
        self._keep(Plan(plan.since, plan.until, over=True))
        data = {"customers": [kept.global_id for kept in left], "remaining_bytes": sum(kept.used for kept in left)}
        self._events.send("supplier-retired", data)
        self._settings.set(ENABLED, False)
