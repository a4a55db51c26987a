"""Keeping my identity document known to ID servers and to the DHT: what `identity_propagator` acts on."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.identity_propagator import IdentityPropagator
from bitdust.automats.kernel import Registry
from bitdust.config.settings import Settings
from bitdust.identity.client import Outcome
from bitdust.identity.document import IdentityDocument
from bitdust.identity.me import Me
from bitdust.identity.publication import Publication
from bitdust.signal import Signal
from bitdust.wire.names import IDURL
from bitdust.wiring import Wire

INTERVAL = "services/identity-propagate/health-check-interval-seconds"


class Directory(Protocol):
    """Where documents are found by fingerprint."""

    def put_identity(self, document: IdentityDocument, /) -> "Deferred[Any]":
        """Bring a document to the DHT; fails when no node keeps it."""


class Propagation:
    """I publish my document from `start` to `stop`."""

    directory = Wire(Directory)

    def __init__(self, registry: Registry, settings: Settings, me: Me, publication: Publication) -> None:
        self._registry = registry
        self._settings = settings
        self._me = me
        self._publication = publication
        self.pushed: Signal[[dict[IDURL, Outcome]]] = Signal()
        """What each ID server has answered."""
        self._disconnect: Callable[[], None] = lambda: None
        self.machine = IdentityPropagator(registry, self)

    def start(self) -> "Deferred[str]":
        """Publish now, at every change, and regularly; fires when the DHT has it, or does not take it.

        ID servers may be silent for long, and nobody need wait for them. May follow a `stop`.
        """
        if self.machine.state == "CLOSED":
            self.machine = IdentityPropagator(self._registry, self)
        self._disconnect = self._me.changed.connect(lambda: self.machine.send("document-changed"))
        self.machine.send("start")
        return self.machine.when("ID_SERVERS?", "KNOWN", "UNSTORED", "UNKNOWN", "CLOSED")

    def network_is_back(self) -> None:
        """Others are there again: what nobody has taken is brought to them now."""
        self.machine.send("network-back")

    def stop(self) -> None:
        """Publish no more; what was stored expires by itself."""
        self._disconnect()
        self.machine.send("shutdown")

    @property
    def problem(self) -> str:
        """Why nobody has the newest revision; empty where somebody has it, or is just being given it again."""
        if self._me.present and all(source.is_nowhere for source in self._me.document.sources):
            return ""  # known by the key alone: nobody need find it by a name
        return self.machine.reason if self.machine.state in ("UNKNOWN", "CLOSED") else ""

    # the port of identity_propagator

    def revision(self) -> int:
        return self._me.document.revision if self._me.present else 0

    def store(self) -> "Deferred[Any]":
        return self.directory.put_identity(self._me.document)

    def push(self) -> "Deferred[str]":
        return self._publication.publish().addCallback(self._judge)

    def _judge(self, outcomes: dict[IDURL, Outcome]) -> str:
        self.pushed.emit(outcomes)
        return _why_unknown(outcomes)

    def interval(self) -> float:
        return float(self._settings.get(INTERVAL))


def _why_unknown(outcomes: dict[IDURL, Outcome]) -> str:
    if any(outcome.word in ("stored", "stale") for outcome in outcomes.values()):
        return ""
    reasons = [f"{idurl}: {outcome.text or outcome.word}" for idurl, outcome in outcomes.items()]
    return "; ".join(reasons) or "the document names no ID server"
