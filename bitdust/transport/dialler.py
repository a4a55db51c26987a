"""Finds the way to peers: one machine for each peer that somebody wants a session with and that has none."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.python.failure import Failure

from bitdust.automats import dialler as automat
from bitdust.automats.kernel import Registry
from bitdust.outcome import answer
from bitdust.signal import Disconnect
from bitdust.transport.outbox import NoAnswer
from bitdust.transport.session import Session

MOST_ADDRESSES = 32
"""Addresses of one peer that are dialled; who tells more is not believed to be at all of them."""
Resolver = Callable[[bytes], "Deferred[list[str]]"]


class DialPort(Protocol):
    """The gateway, as far as dialling goes."""

    def dial(self, address: str, expect: bytes | None) -> "Deferred[Session]":
        """A session with whoever is expected at an address."""

    def session_with(self, fingerprint: bytes) -> Session | None:
        """The session with a peer that is up."""

    def known_addresses(self, fingerprint: bytes) -> list[str]:
        """Addresses that the peer told itself."""

    def name_of(self, fingerprint: bytes) -> str:
        """How people call a peer."""


class Dials:
    """I ask the peer's own addresses first, then every resolver that was added, side by side."""

    def __init__(self, registry: Registry, port: DialPort) -> None:
        self._registry = registry
        self.port = port
        self._resolvers: dict[object, Resolver] = {}
        self._ways: dict[bytes, _Way] = {}

    def add_resolver(self, resolver: Resolver) -> Disconnect:
        """Ask ``resolver`` for addresses of a fingerprint from now on; the answer takes it back."""
        key = object()
        self._resolvers[key] = resolver

        def remove() -> None:
            self._resolvers.pop(key, None)

        return remove

    def session_to(self, fingerprint: bytes) -> "Deferred[Session]":
        """The session with a peer, dialled when there is none; fails with `NoAnswer` when no address answers."""
        session = self.port.session_with(fingerprint)
        if session is not None:
            return succeed(session)
        way = self._ways.get(fingerprint)
        if way is not None:
            return way.wait()
        way = self._ways[fingerprint] = _Way(self, self._registry, fingerprint)
        waiting = way.wait()
        way.machine.send("run")
        return waiting

    def session_up(self, session: Session, up: bool) -> None:
        """A session has come, or gone."""
        way = self._ways.get(session.peer.fingerprint) if up and session.peer is not None else None
        if way is not None:
            way.machine.send("session-up", session)

    def resolve(self, fingerprint: bytes) -> "Deferred[list[str]]":
        """What the resolvers know. One that fails keeps no other from being heard; fails where all do."""
        asked = [maybeDeferred(resolver, fingerprint) for resolver in self._resolvers.values()]
        failures: list[Failure] = []

        def joined(answers: list[Any]) -> Any:
            if failures and len(failures) == len(answers):
                return failures[0]
            return list(dict.fromkeys(address for answer in answers for address in answer or ()))

        for one in asked:
            one.addErrback(failures.append)
        found: Deferred[list[str]] = gatherResults(asked).addCallback(joined)
        return found

    def over(self, fingerprint: bytes) -> None:
        """A way has come to its end."""
        self._ways.pop(fingerprint, None)

    def stop(self) -> None:
        """Give up every dial; who waits is told."""
        for way in list(self._ways.values()):
            way.machine.send("stop", NoAnswer("this node stops"))


class _Way:
    """The way to one peer: the port of its `dialler` machine."""

    def __init__(self, dialler: Dials, registry: Registry, fingerprint: bytes) -> None:
        self._dialler = dialler
        self._fingerprint = fingerprint
        self._open = list(dict.fromkeys(dialler.port.known_addresses(fingerprint)))[:MOST_ADDRESSES]
        self._dialled: set[str] = set()
        self._waiting: list[Deferred[Session]] = []
        self.machine = automat.Dialler(registry, dialler.port.name_of(fingerprint), self)

    def wait(self) -> "Deferred[Session]":
        """Fires with the session once there is one; cancelling waits no more."""
        waiting: Deferred[Session] = Deferred(self._forget)
        self._waiting.append(waiting)
        return waiting

    def _forget(self, waiting: "Deferred[Session]") -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def has_address(self) -> bool:
        return bool(self._open)

    def dial(self) -> "Deferred[Session]":
        address = self._open.pop(0)
        self._dialled.add(address)
        return self._dialler.port.dial(address, self._fingerprint)

    def resolve(self) -> "Deferred[None]":
        return self._dialler.resolve(self._fingerprint).addCallback(self._resolved)

    def _resolved(self, found: list[str]) -> None:
        new = [address for address in dict.fromkeys(found) if address not in self._dialled]
        self._open = new[: MOST_ADDRESSES - len(self._dialled)]

    def hand_over(self) -> None:
        session = self._dialler.port.session_with(self._fingerprint)
        if session is None:
            self.give_up(NoAnswer("the session ended at once"))
            return
        answer(self._end(), session)

    def nobody_answers(self) -> None:
        self.give_up(NoAnswer(f"no address of {self._dialler.port.name_of(self._fingerprint)} answers"))

    def give_up(self, reason: "Failure | Exception") -> None:
        answer(self._end(), reason if isinstance(reason, Failure) else Failure(reason))

    def _end(self) -> "list[Deferred[Session]]":
        self._dialler.over(self._fingerprint)
        waiting, self._waiting = self._waiting, []
        return waiting
