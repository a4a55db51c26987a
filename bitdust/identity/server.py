"""The ID server: keeps identity documents for others at ``http://host:port/<name>.xml`` (formats, section 2)."""

from collections import deque
from functools import partial
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.batching import ThreadQueue
from bitdust.config.settings import Settings
from bitdust.crypt.files import make_private_folder, remove_leftovers, write_safely
from bitdust.identity.document import MAX_SIZE, IdentityDocument, compare
from bitdust.identity.name_cost import NamePrices, challenge_of, is_worked
from bitdust.identity.server_connections import Bounded
from bitdust.nearby import household
from bitdust.scopes.networks import network_of
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import USER_NAME
from bitdust.world import World

FOLDER = "identityserver"
PUSHES_A_MINUTE = 30
MAX_IDENTITIES = 100_000
MOST_NETWORKS = 10_000


class Refused(BitDustError):
    """A push that is refused; ``status`` is the HTTP status, ``body`` what goes back, ``bits`` the work that is wanted
    first."""

    bits: int | None = None

    def __init__(self, status: int, text: str, body: bytes | None = None) -> None:
        super().__init__(str(status), text)
        self.status = status
        self.body = body if body is not None else text.encode() + b"\n"


class IdentityServer:
    """Accepts a document that is whole, signed, newer, of the key that holds the name, and names this server."""

    log = Logger()

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._folder = world.home / FOLDER
        self._port: IListeningPort | None = None
        self._bounded: Bounded | None = None
        self._pushes: dict[str, deque[float]] = {}
        self._prices = NamePrices(world.clock)
        self._names = 0
        self._disk = ThreadQueue(world.run_in_thread)
        self._writing: dict[str, bytes] = {}
        """Documents that are on their way to the disk, by name."""

    def start(self) -> "Deferred[int]":
        """Open the web port; fires with its number, fails with `BitDustError` ``port-taken``."""
        make_private_folder(self._folder)
        remove_leftovers(self._folder)
        self._names = sum(1 for _ in self._folder.glob("*.xml"))
        from bitdust.identity.server_pages import Pages  # noqa: PLC0415 - of nodes that are no ID server it is a burden

        world = self._world
        self._bounded = Bounded(Pages(self, world), world.clock, partial(household, self._settings))
        port = self._settings.get("services/identity-server/web-port")
        endpoint = self._world.network.server(port, self._settings.get("services/network/interface"))

        def listening(opened: IListeningPort) -> int:
            self._port = opened
            return self.port

        def refused(failure: Failure) -> int:
            raise BitDustError("port-taken", f"TCP port {port} cannot be opened: {failure.getErrorMessage()}")

        return maybeDeferred(endpoint.listen, self._bounded).addCallbacks(listening, refused)

    def stop(self) -> "Deferred[None]":
        """Close the port and what is open on it."""
        port, self._port = self._port, None
        if self._bounded is not None:
            self._bounded.break_off()
        stopping = maybeDeferred(port.stopListening if port else lambda: None)
        return stopping.addCallback(lambda _: self._disk.when_idle())

    @property
    def port(self) -> int:
        """The web port, 0 while nothing listens."""
        return int(cast(Any, self._port.getHost()).port) if self._port is not None else 0

    @property
    def listening(self) -> bool:
        """Whether the port is open still."""
        return self._port is not None and getattr(self._port, "connected", True) is not False

    def read(self, name: str) -> bytes | None:
        """The document of a name."""
        if USER_NAME.fullmatch(name) is None:
            return None
        if name in self._writing:
            return self._writing[name]
        try:
            return (self._folder / f"{name}.xml").read_bytes()
        except FileNotFoundError:
            return None

    def accept(self, data: bytes, client: str, work: str = "") -> "Deferred[str]":
        """Fires with ``new``, ``newer`` or ``refresh`` when the document is on the disk; raises `Refused`. ``work`` is
        what was done for a new name."""
        self._count(client)
        if len(data) > MAX_SIZE:
            raise Refused(413, f"an identity document has at most {MAX_SIZE} bytes")
        try:
            document = IdentityDocument.parse(data)
        except WireError as error:
            raise Refused(400, str(error)) from error
        if document.is_claim or not any(self._is_here(source.host, source.port) for source in document.sources):
            raise Refused(403, "none of the document's sources is this server")
        return self._store(document, client, work)

    def _sell(self, document: IdentityDocument, client: str, work: str) -> None:
        """Raise `Refused` where a new name is not to be had, or not for this."""
        if self._names >= MAX_IDENTITIES:
            raise Refused(429, "this server keeps as many identities as it can")
        bits = self._prices.bits(client, household(self._settings), self._names / MAX_IDENTITIES)
        here = f"{self._settings.get('services/identity-server/host').lower()}:{self.port}"
        if bits and not is_worked(challenge_of(document.name, here, document.fingerprint), work, bits):
            refused = Refused(428, f"a new name costs work here, of {bits} bits; newer programs do it")
            refused.bits = bits
            raise refused

    def _store(self, document: IdentityDocument, client: str, work: str) -> "Deferred[str]":
        kept = self.read(document.name)
        if kept is None:
            self._sell(document, client, work)
            word = "new"
        else:
            old = IdentityDocument.parse(kept)
            if old.fingerprint != document.fingerprint:
                raise Refused(403, f"the name {document.name} belongs to another key")
            word = compare(document, old)
        if word in ("stale", "conflict", "leap"):
            raise Refused(409, "another document is kept", kept)
        if word == "new":
            self._names += 1
            self._prices.note(client, household(self._settings))
        return self._write(document, word).addCallback(lambda _: word)

    def _write(self, document: IdentityDocument, word: str) -> "Deferred[Any]":
        """In a thread, in the order in which documents came: this node waits for no disk. What is refreshed waits for
        the end of its own writing."""
        name, data = document.name, document.xml
        if word == "refresh":
            return self._disk.submit(lambda: None) if name in self._writing else succeed(None)
        self._writing[name] = data

        def written(result: Any) -> Any:
            if self._writing.get(name) is data:
                del self._writing[name]
            return result

        def failed(failure: Failure) -> None:
            failure.trap(OSError)
            self._names -= word == "new"
            self.log.error("the document of {name} cannot be written: {why}", name=name, why=failure.value)
            raise Refused(507, "this server's disk takes no more documents now")

        writing = self._disk.submit(write_safely, self._folder / f"{name}.xml", data)
        return writing.addBoth(written).addErrback(failed)

    def _is_here(self, host: str, port: int) -> bool:
        return host == self._settings.get("services/identity-server/host").lower() and port == self.port

    def _count(self, client: str) -> None:
        if client in household(self._settings):
            return
        now = self._world.clock.seconds()
        network = network_of(client)
        times = self._pushes.pop(network, deque())
        self._pushes[network] = times
        while times and now - times[0] > 60:
            times.popleft()
        if len(times) >= PUSHES_A_MINUTE:
            raise Refused(429, f"at most {PUSHES_A_MINUTE} documents a minute")
        times.append(now)
        if len(self._pushes) > MOST_NETWORKS:
            del self._pushes[next(iter(self._pushes))]
