"""Moving my identity to other ID servers: what `id_rotator` acts on.

Everything between people is by fingerprint, so contracts, friends and data stay; what changes is the name that leads
here. ID servers that are alive stay behind the new one, so that my former name leads here too, while there is room.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.id_rotator import IdRotator
from bitdust.automats.kernel import Registry
from bitdust.config.settings import Settings
from bitdust.events import Events
from bitdust.identity.client import IdentityClient, Outcome, Server
from bitdust.identity.document import IdentityDocument
from bitdust.identity.me import Me
from bitdust.outcome import outcome, outcomes
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.world import World

AUTOMATIC = "services/identity-propagate/automatic-rotate-enabled"
DEAD_AFTER = 86_400.0
"""Seconds after which an ID server that never answered meanwhile is given up."""


@frozen
class Rotated:
    """My ID servers before and after, and both revisions."""

    old: IdentityDocument
    new: IdentityDocument


class Rotation:
    """I move the identity when somebody asks, and when its first ID server has been dead for a day."""

    log = Logger()

    def __init__(
        self, world: World, settings: Settings, events: Events, registry: Registry, who: tuple[Me, IdentityClient]
    ) -> None:
        self.world = world
        self.settings = settings
        self.events = events
        self.registry = registry
        self.me, self.client = who
        self._running: _Move | None = None
        self._silent_since: float | None = None

    def rotate(self) -> "Deferred[Rotated]":
        """Fails with `BitDustError` ``no-id-server``, ``key-needed``, ``not-registered``; raises ``busy``."""
        if self._running is not None and not self._running.done.called:
            raise BitDustError("busy", "the identity is being moved already")
        self._running = _Move(self)
        self._running.machine.send("start")
        return self._running.done

    def stop(self) -> None:
        """Give up a move that is under way."""
        if self._running is not None:
            self._running.machine.send("stop")

    def follow(self, found: Mapping[IDURL, Outcome]) -> None:
        """What became of a publication: a first ID server that is dead for long is left, where the person lets it."""
        first = found.get(self.me.document.idurl) if self.me.present else None
        if first is None or first.word != "unreachable":
            self._silent_since = None
            return
        now = self.world.clock.seconds()
        since = self._silent_since if self._silent_since is not None else now
        self._silent_since = since
        if now - since >= DEAD_AFTER and self.settings.get(AUTOMATIC) and not self._is_moving():
            self._silent_since = None
            outcome(self.rotate()).addCallback(self._moved)

    def _is_moving(self) -> bool:
        return self._running is not None and not self._running.done.called

    def _moved(self, result: Any) -> None:
        if result.error is not None:
            self.log.info("the identity stays at an ID server that does not answer: {why}", why=str(result.error))


class _Move:
    """One move: the port of its machine."""

    def __init__(self, rotation: Rotation) -> None:
        self._rotation = rotation
        self._me, self._client = rotation.me, rotation.client
        self._old = rotation.me.document
        self._alive: list[IDURL] = []
        self._chosen: list[IDURL] = []
        self._document: IdentityDocument | None = None
        self.done: Deferred[Rotated] = Deferred(lambda _: self.machine.send("stop"))
        self.machine = IdRotator(rotation.registry, self)

    def _number(self, which: str) -> int:
        return int(self._rotation.settings.get(f"services/identity-propagate/{which}-servers"))

    def check_sources(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._check_sources())

    async def _check_sources(self) -> None:
        sources = self._old.sources
        found = await outcomes(self._client.fetch(source) for source in sources)
        self._alive = [
            source
            for source, one in zip(sources, found, strict=True)
            if one.error is None and one.value.fingerprint == self._old.fingerprint
        ]

    def choose(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._choose())

    async def _choose(self) -> None:
        others = [server for server in self._client.servers() if server.url(self._old.name) not in self._old.sources]
        probed = await outcomes(self._client.probe(server) for server in others)
        answering = [server for server, one in zip(others, probed, strict=True) if one.value]
        wanted = max(1, self._number("min") - len(self._alive))
        for server in answering:
            if len(self._chosen) < wanted and await self._is_free(server):
                self._chosen.append(server.url(self._old.name))
        if len(self._chosen) < wanted:
            text = (
                f"{len(others)} other ID servers are known, and not enough of them answer and have the name "
                f"{self._old.name} free; name more in services/identity-propagate/known-servers"
            )
            raise BitDustError("no-id-server", text)

    async def _is_free(self, server: Server) -> bool:
        found = await outcome(self._client.exists(server.url(self._old.name)))
        document = found.value
        return found.error is None and (document is None or document.fingerprint == self._old.fingerprint)

    def make_document(self) -> "Deferred[None]":
        sources = tuple([*self._chosen, *self._alive][: max(self._number("max"), len(self._chosen))])
        return self._rotation.world.run_in_thread(self._me.revise, sources).addCallback(self._made)

    def _made(self, document: IdentityDocument) -> None:
        self._document = document

    def _made_document(self) -> IdentityDocument:
        assert self._document is not None
        return self._document

    def publish(self) -> "Deferred[None]":
        return self._client.publish(self._made_document(), self._chosen).addCallback(self._check_stored)

    def _check_stored(self, found: dict[IDURL, Outcome]) -> None:
        for idurl, one in found.items():
            if one.word != "stored":
                raise BitDustError("not-registered", f"{idurl} does not take the document: {one.text or one.word}")

    def take(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._take())

    async def _take(self) -> None:
        document = self._made_document()
        read = await self._client.fetch(document.idurl)
        if read.canonical != document.canonical:
            raise BitDustError("not-registered", "the ID server gives back another document than was stored")
        if self._me.document != self._old:
            raise BitDustError("busy", "another device has changed the identity in the same moment; try again")
        self._me.replace_document(document)

    def report(self, reason: Any) -> None:
        if reason is None:
            rotated = Rotated(self._old, self._me.document)
            _send_events(self._rotation.events, rotated)
            self.done.callback(rotated)
        elif not self.done.called:
            error = reason.value if isinstance(reason, Failure) else reason
            silence = BitDustError("network-error", "the ID servers do not answer in time")
            self.done.errback(silence if isinstance(error, TimeoutError) else reason)


def _send_events(events: Events, rotated: Rotated) -> None:
    old, new = rotated.old, rotated.new
    revisions = {"old_revision": old.revision, "new_revision": new.revision, "fingerprint": new.fingerprint.hex()}
    urls = {"old_idurls": [str(url) for url in old.sources], "new_idurls": [str(url) for url in new.sources]}
    for event in ("identity-rotated", "my-identity-rotated"):
        events.send(event, urls | revisions)
    if old.idurl != new.idurl:
        names = {"old_idurl": str(old.idurl), "new_idurl": str(new.idurl)}
        for event in ("identity-url-changed", "my-identity-url-changed"):
            events.send(event, names | revisions)
    events.send("my-identity-rotate-complete", {"idurl": str(new.idurl), "global_id": new.global_id})
