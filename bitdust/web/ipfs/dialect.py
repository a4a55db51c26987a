"""The RPC of IPFS over the engine of HTTP: a request finds its command, and its answer goes out as the row says."""

from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import Any, Protocol

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.web.dialect import BodySink, Exchange, Head, Limits, Reply
from bitdust.web.guard import Refusal
from bitdust.web.ipfs.answers import failed, refused, reply_to, text
from bitdust.web.ipfs.arguments import BadCall, fields, read_arguments, read_options
from bitdust.web.ipfs.guard import RpcGuard
from bitdust.web.ipfs.permission import NOT_ALLOWED, Permission
from bitdust.web.ipfs.table import BASE, Answer, Call, Command, Commands, Data, Lines, Row
from bitdust.web.ipfs.upload import Upload, upload_of
from bitdust.wire.errors import BitDustError

MAX_STRAY = 1 << 16
"""Bytes of a body that a command does not want."""
SHORT_TARGET, MOST_KNOWN = 256, 512
"""Bytes of the path and query of a call, and how many such calls are kept as they were read."""
SHORT_BODY = 1 << 14
"""Bytes of a body that are given to its command together."""
PREFIX = f"{BASE}/".encode()
LATE = "context deadline exceeded"
OFFLINE = "this action must be run in online mode, and offline=true asks nobody"
BROKEN = "the command failed inside the node; logs/stdout.log tells more"
_log = Logger()


class Visits(Protocol):
    """Who lets calls use the node."""

    def __call__(self, options: Row, /) -> "tuple[Any, Callable[[], None]]":
        """What a call with these options may use, and what to call when it is over; several times perhaps."""


class IpfsDialect:
    """Every path of its port. ``visit`` gives each call what it may use of the node."""

    limits = Limits()

    def __init__(
        self, visit: Visits, commands: Commands, guard: RpcGuard, permission: Permission, clock: IReactorTime
    ) -> None:
        self._visit = visit
        self._commands = commands
        self._guard = guard
        self._permission = permission
        self._clock = clock
        self._known = lru_cache(MOST_KNOWN)(self._read)
        """Programs ask for the same again and again."""

    def takes(self, path: bytes) -> bool:
        """All of them."""
        return True

    def begin(self, exchange: Exchange) -> BodySink | Reply:
        """Let the client in, find its command, and begin it where it takes a body."""
        head = exchange.head
        admitted = self._guard.admit(head)
        if isinstance(admitted, Reply):
            return admitted
        caller = self._permission.caller(head, admitted)
        if isinstance(caller, Reply):
            return caller
        try:
            found = self._found(head)
            if found is None:
                return text(404, "404 page not found", admitted)
            command, call = found
        except BadCall as error:
            return failed(error, admitted)
        if not caller.allows(f"{BASE}/{command.path}"):
            return refused(403, 4, NOT_ALLOWED, admitted)
        node, leave = self._visit(call.options)
        return _Running(node, self._noted(command, call, leave), command, call, exchange, admitted, self._clock)

    def _noted(self, command: Command, call: Call, leave: Callable[[], None]) -> Callable[[], None]:
        """Note that a call begins; what says that it is over."""
        calls, clock = self._commands.calls, self._clock
        number = calls.begin(command.path, call.arguments, call.options, clock.seconds())

        def over() -> None:
            leave()
            calls.end(number, clock.seconds())

        return over

    def _found(self, head: Head) -> tuple[Command, Call] | None:
        is_short = len(head.path) + len(head.query) <= SHORT_TARGET
        found = (self._known if is_short else self._read)(head.path, head.query)
        if found is None:
            return None
        command, arguments, options = found
        call = Call(_copied(arguments), _copied(options))
        if command.file is not None or command.may_have_file:
            call.upload = upload_of(head.single(b"Content-Type"))
            if call.upload is None and command.file is not None:
                raise BadCall(f"file argument '{command.file}' is required")
        return command, call

    def _read(self, path: bytes, query: bytes) -> tuple[Command, Row, Row] | None:
        if not path.startswith(PREFIX):
            return None
        found = self._commands.find(_path(path[len(PREFIX) :]))
        if found is None:
            return None
        command, first = found
        given = fields(query)
        arguments = read_arguments([*first, *(value for name, value in given if name == "arg")], command.arguments)
        return command, arguments, read_options([pair for pair in given if pair[0] != "arg"], command.all_options)

    def refusal(self, refusal: Refusal, head: Head | None) -> Reply:
        """As everything that is refused."""
        return refused(refusal.status, 0 if refusal.status >= 500 else 1, refusal.text)


def _copied(values: Row) -> Row:
    """Commands may change what is theirs."""
    return {name: [*value] if isinstance(value, list) else value for name, value in values.items()}


def _path(quoted: bytes) -> str:
    (pair,) = fields(quoted.replace(b"+", b"%2B").replace(b"&", b"%26").replace(b"=", b"%3D")) or [("", "")]
    return pair[0]


@define(eq=False)
class _Running:
    """One call that is answered. Its body goes to the command while that runs."""

    _node: Any
    _leave: Callable[[], None]
    _command: Command
    _call: Call
    _exchange: Exchange
    _headers: bytes
    _clock: IReactorTime
    _stray: int = 0
    _step: "Deferred[Any] | None" = None
    _timer: IDelayedCall | None = None
    _is_late: bool = False
    _begun: list[bytes] = field(factory=list)
    """A short body, as far as it has come: to look at each of its pieces costs more than to look at it once."""

    @property
    def _upload(self) -> Upload | None:
        return self._call.upload

    # the body

    def received(self, data: bytes) -> "Deferred[None] | None":
        """To the command that takes it; what nobody wants is dropped, within reason."""
        if self._upload is None:
            self._stray += len(data)
            if self._stray > MAX_STRAY >= self._stray - len(data):
                self._exchange.answer(failed(BadCall("this command takes no body"), self._headers))
            return None
        if self._step is None:
            self._begun.append(data)
            if sum(map(len, self._begun)) <= SHORT_BODY:
                return None
            self._begin()
            data = self._gathered()
        return self._upload.feed(data)

    def _gathered(self) -> bytes:
        begun, self._begun = self._begun, []
        return b"".join(begun)

    def finished(self) -> None:
        """The body is whole."""
        if self._upload is not None:
            if self._begun:
                self._upload.feed(self._gathered())
            self._upload.end()
        if self._step is None:
            self._begin()

    def gone(self) -> None:
        """Nobody waits for it any more."""
        self._over()
        if self._upload is not None:
            self._upload.fail(BadCall("the client has gone"))
        if self._step is not None:
            self._step.cancel()

    # the command

    def _begin(self) -> None:
        seconds = self._call.options["timeout"]
        if seconds:
            self._timer = self._clock.callLater(seconds, self._late)
        self._step = Deferred.fromCoroutine(self._run())
        self._step.addErrback(self._broken).addCallback(self._exchange.answer)

    async def _run(self) -> Reply:
        try:
            if self._command.asks_peers and self._call.options["offline"]:
                raise BitDustError("offline", OFFLINE)
            answer = await self._command.run(self._node, self._call)
            return await reply_to(self._timed(answer), self._headers)
        except CancelledError:
            self._over()
            return failed(_late(), self._headers)
        except BitDustError as error:
            self._over()
            return failed(error, self._headers)

    def _timed(self, answer: Answer) -> Answer:
        """The time limit holds until the last byte."""
        if isinstance(answer, Lines):
            return evolve(answer, rows=self._until_late(answer.rows))
        if isinstance(answer, Data):
            return evolve(answer, pieces=self._until_late(answer.pieces))
        self._over()
        return answer

    async def _until_late(self, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            while True:
                self._step = Deferred.fromCoroutine(_next(items))
                found = await self._step
                if not found:
                    return
                yield found[0]
                if self._is_late:
                    raise _late()
        except CancelledError:
            if self._is_late:
                raise _late() from None
            raise
        finally:
            self._over()
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    def _late(self) -> None:
        self._timer, self._is_late = None, True
        if self._step is not None:
            self._step.cancel()

    def _over(self) -> None:
        """The call needs nothing any more; may be called again."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._leave()

    def _broken(self, failure: Failure) -> Reply:
        self._over()
        _log.failure("the command {path} failed", failure=failure, path=self._command.path)
        return failed(BitDustError("internal", BROKEN), self._headers)


def _late() -> BitDustError:
    return BitDustError("timeout", LATE)


async def _next(items: AsyncIterator[Any]) -> list[Any]:
    async for item in items:
        return [item]
    return []
