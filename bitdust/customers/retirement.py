"""Giving up being a supplier: the notice on the disk, who still has data here, and the end of the service.

``metadata/retirement`` (JSON) holds from when until when; while it is there no customer is taken and no piece. It is
written before anybody is notified, and removed when the owner of the disk changes their mind.
"""

import json
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.supplier_retirement import SupplierRetirement
from bitdust.crypt.files import remove_safely, write_safely
from bitdust.customers.contracts import Account
from bitdust.customers.promises import DAY
from bitdust.customers.store import SupplierStore
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

ENABLED = "services/supplier/enabled"
DEFAULT_DAYS = 14
MAX_FILE = 4096
SURE_AFTER = 3600.0
"""Seconds of uptime in which the time that was given must be over: a clock may jump, and be set right."""


@frozen
class Notice:
    """From when until when, in seconds since the epoch; ``over`` when the service was stopped for it."""

    since: int
    until: int
    over: bool = False


class Retirement:
    """The port of `supplier_retirement`. ``changed`` is emitted when notice was given or taken back, and after a start.

    ``notices_due`` is emitted when all customers are to be notified of what holds now.
    """

    log = Logger()

    def __init__(self, around: Surroundings, store: SupplierStore, path: Path) -> None:
        self._registry = around.registry
        self._store = store
        self._settings = around.settings
        self._events = around.events
        self._wall = around.world.wall
        self._uptime = around.world.clock.seconds
        self._over_since: float | None = None
        self._path = path
        self._notice: Notice | None = None
        self._machine: SupplierRetirement | None = None
        self.changed: Signal[[]] = Signal()
        self.notices_due: Signal[[]] = Signal()

    def load(self) -> None:
        """Read the notice. Raises `BitDustError` ``damaged-retirement``: whether customers are taken must be known."""
        try:
            found = json.loads(self._path.read_bytes()[:MAX_FILE])
            self._notice = Notice(int(found["since"]), int(found["until"]), bool(found["over"]))
        except FileNotFoundError:
            self._notice = None
        except (ValueError, TypeError, KeyError) as error:
            text = (
                f"{self._path} is damaged ({error}); remove it to stay a supplier, and give notice again if you leave"
            )
            raise BitDustError("damaged-retirement", text) from error

    @property
    def until(self) -> int:
        """Until when customers are answered; 0 while this node stays a supplier."""
        return self._notice.until if self._notice is not None else 0

    @property
    def is_retiring(self) -> bool:
        """Whether no customer and no piece is taken any more."""
        return self._notice is not None

    # the service

    def start(self) -> "Deferred[None]":
        """After the store has opened: bring contracts and customers to what the notice says."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        self._machine = SupplierRetirement(self._registry, self)
        await self._apply()
        if self.is_retiring and self._machine is not None:
            self._machine.send("retire")

    def _apply(self) -> "Deferred[None]":
        return self._store.retire() if self.is_retiring else self._store.stay()

    def stop(self) -> None:
        """The service stops; the notice stays."""
        machine, self._machine = self._machine, None
        if machine is not None and machine.state != "CLOSED":
            machine.send("shutdown")

    def customer_left(self) -> None:
        """Perhaps it was the last one."""
        if self._machine is not None:
            self._machine.send("customer-left")

    # what the owner of the disk decides

    def retire(self, days: float) -> "Deferred[None]":
        """Give notice to all customers; they have so many days to move."""
        return Deferred.fromCoroutine(self._retire(days))

    async def _retire(self, days: float) -> None:
        now = int(self._wall())
        since = self._notice.since if self._notice is not None else now
        self._write(Notice(since, now + int(days * DAY)))
        self._over_since = None
        self._events.send("supplier-retiring", {"until": self.until})
        await self._follow()

    def cancel(self) -> "Deferred[None]":
        """Stay a supplier after all. Raises `BitDustError` ``not-found`` where no notice was given."""
        if self._notice is None:
            raise BitDustError("not-found", "this node has given no notice")
        remove_safely(self._path)
        self._notice = None
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
        self.changed.emit()

    def _write(self, notice: Notice) -> None:
        text = json.dumps({"since": notice.since, "until": notice.until, "over": notice.over})
        write_safely(self._path, text.encode())
        self._notice = notice

    def status(self) -> dict[str, Any]:
        """What holds now; ``customers`` are those that still have data here, None while the service is off."""
        notice = self._notice
        left = self._remaining() if self._store.is_open else None
        return {
            "state": "serving" if notice is None else "over" if notice.over else "notice",
            "since": notice.since if notice is not None else None,
            "until": notice.until if notice is not None else None,
            "customers": None if left is None else [self._row(one) for one in left],
            "remaining_bytes": None if left is None else sum(one.used for one in left),
        }

    def _row(self, account: Account) -> dict[str, Any]:
        return {
            "idurl": account.idurl,
            "global_id": account.global_id,
            "used": account.used,
            "told": bool(account.announced),
            "keeps_until": account.purge_at or account.until,
        }

    def _remaining(self) -> list[Account]:
        return [account for account in self._store.customers() if account.used]

    # the machine's port

    def send_notices(self) -> None:
        if self._store.is_open:
            self.notices_due.emit()

    def is_over(self) -> bool:
        notice = self._notice
        if notice is None or not self._store.is_open:
            return False
        is_past, now = self._wall() >= notice.until, self._uptime()
        self._over_since = (now if self._over_since is None else self._over_since) if is_past else None
        is_sure = self._over_since is not None and now - self._over_since >= SURE_AFTER
        return is_sure or not any(account.is_here for account in self._store.customers())

    def close(self) -> None:
        notice = self._notice
        if notice is None:
            return
        left = self._remaining()
        self._write(Notice(notice.since, notice.until, over=True))
        data = {"customers": [one.global_id for one in left], "remaining_bytes": sum(one.used for one in left)}
        self._events.send("supplier-retired", data)
        self._settings.set(ENABLED, False)
