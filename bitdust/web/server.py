"""The node's own listeners: REST with the documents beside it, WebSockets, and the file that names their ports."""

import json
from collections.abc import Iterator
from typing import Any

from bitdust.api.context import Context
from bitdust.api.table import Table
from bitdust.budget import Budget
from bitdust.config.types import words
from bitdust.crypt.files import make_private_folder, write_safely
from bitdust.scopes.reservations import Role
from bitdust.web.access import Access
from bitdust.web.answers import Answers
from bitdust.web.companions import CompanionDesk
from bitdust.web.documents import MetricsDialect, OpenApiDialect
from bitdust.web.engine import MAX_CONNECTIONS, Engine
from bitdust.web.guard import Guard
from bitdust.web.later import Later
from bitdust.web.listeners import Answering, Listener, Listeners
from bitdust.web.rest import RestDialect
from bitdust.web.secret import api_secret
from bitdust.web.talk import Talks


def rest_engine(
    context: Context, table: Table, guard: Guard, most: int = MAX_CONNECTIONS, answers: Answers | None = None
) -> Engine:
    """What answers at the port of REST."""
    clock = context.world.clock
    answers = answers or Answers.alone(clock)
    access = Access(guard, clock)
    dialects = (
        MetricsDialect(context, access),
        OpenApiDialect(table, access),
        RestDialect(context, table, access, answers),
    )
    return Engine(clock, dialects, most, answers)


class ApiServer:
    """Owns the listeners of the API. The ports that were really bound are in ``<home>/metadata/apiports``.

    A dialect with a port of its own is one more `Listener` here, with two settings.
    """

    def __init__(self, context: Context, table: Table, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._context = context
        self._table = table
        self.listeners = Listeners(context.world.network, context.settings)
        self._desk: CompanionDesk | None = None

    async def start(self) -> dict[str, int]:
        """Bind what the settings enable; the ports by ``rest`` and ``websocket``. Raises `BitDustError` with code
        ``port-taken``."""
        home = self._context.world.home
        make_private_folder(home)
        guard = self._guard()
        answers = Answers(self._context.world.clock, self._context.gateway.scopes.roles[Role.PROGRAM])
        await self.listeners.open(self._rows(guard, answers))
        self._desk = CompanionDesk(Talks(self._context, self._table, answers), guard)
        self._context.companions.desk = self._desk
        write_safely(home / "metadata" / "apiports", json.dumps(self.ports, sort_keys=True).encode(), 0o600)
        return self.ports

    def _rows(self, guard: Guard, answers: Answers) -> Iterator[Listener]:
        context, table, budget = self._context, self._table, self._budget
        most = min(MAX_CONNECTIONS, budget.api_connections)
        yield Listener(
            "rest",
            "interface/api/rest-http-enabled",
            "interface/api/rest-http-port",
            lambda: rest_engine(context, table, guard, most, answers),
        )
        yield Listener(
            "websocket",
            "interface/api/web-socket-enabled",
            "interface/api/web-socket-port",
            lambda: Later(lambda: _sockets(context, table, guard, answers, budget)),
        )

    def _guard(self) -> Guard:
        settings, world = self._context.settings, self._context.world
        secret = api_secret(world)
        return Guard(
            world.clock,
            secret if settings.get("interface/api/auth-secret-enabled") else None,
            lambda: _words(settings.get("interface/api/allowed-hosts")),
            lambda: _words(settings.get("interface/api/allowed-origins")),
        )

    @property
    def ports(self) -> dict[str, int]:
        """The ports that were really bound."""
        return dict(self.listeners.ports)

    async def stop(self) -> None:
        """Give the ports back and close every connection, after what was answered is sent."""
        desk, self._desk, self._context.companions.desk = self._desk, None, None
        if desk is not None:
            desk.close()
        await self.listeners.close()
        (self._context.world.home / "metadata" / "apiports").unlink(missing_ok=True)


def _sockets(context: Context, table: Table, guard: Guard, answers: Answers, budget: Budget) -> Answering:
    from bitdust.web.sockets import SocketFactory  # noqa: PLC0415 - autobahn is a twentieth of a start and of the memory

    return SocketFactory(context, table, guard, answers, budget)


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return words(value)
    return list(value or ())
