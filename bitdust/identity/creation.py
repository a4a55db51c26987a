"""Making a new identity: what `id_registrator` acts on."""

from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from bitdust.config.settings import Settings
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.master import MasterKey
from bitdust.identity.client import NETWORK_ERROR, IdentityClient, Outcome, Server
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.identity.proxy import ProxyError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.world import World


def _network_error() -> BitDustError:
    return BitDustError("network-connection-error", NETWORK_ERROR)


def _reason(failures: list[Failure]) -> BaseException:
    """A proxy that is set wrongly is the user's to mend; all else passes by itself."""
    proxy = next((failure.value for failure in failures if failure.check(ProxyError)), None)
    return proxy if proxy is not None else _network_error()


class Creation:
    """I register one name at those of ``servers`` that answer."""

    def __init__(
        self, world: World, settings: Settings, me: Me, client: IdentityClient, name: str, servers: list[Server]
    ) -> None:
        self._world = world
        self._settings = settings
        self._me = me
        self._client = client
        self._name = name
        self._wanted = servers
        self._servers: list[Server] = []
        self._master: MasterKey | None = None
        self._document: IdentityDocument | None = None
        self._device = DeviceKey.generate(world.entropy)

    def _number(self, which: str) -> int:
        return int(self._settings.get(f"services/identity-propagate/{which}-servers"))

    def choose_servers(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._choose_servers())

    async def _choose_servers(self) -> None:
        probed = [self._client.probe(server) for server in self._wanted]
        answers: Any = await DeferredList(probed, consumeErrors=True)
        alive = [server for server, (ok, lives) in zip(self._wanted, answers, strict=True) if ok and lives]
        self._servers = alive[: self._number("max")]
        if not self._servers or len(self._servers) < self._number("min"):
            raise _reason([found for ok, found in answers if not ok])

    def check_name(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._check_name())

    async def _check_name(self) -> None:
        for server in self._servers:
            if await self._client.exists(server.url(self._name)) is not None:
                text = f"the name {self._name} is taken at {server.host}; choose another one"
                raise BitDustError("name-taken", text)

    def make_document(self) -> "Deferred[None]":
        bits = max(2048, int(self._settings.get("personal/private-key-size")))
        return self._world.run_in_thread(MasterKey.generate, bits).addCallback(self._sign)

    def _sign(self, master: MasterKey) -> None:
        sources = tuple(server.url(self._name) for server in self._servers)
        device = Device(0, 1, self._device.public)
        self._master = master
        self._document = IdentityDocument.create(master, sources, 1, (device,), self._world.wall())

    def publish(self) -> "Deferred[None]":
        assert self._document is not None
        return self._client.publish(self._document).addCallback(self._check_stored)

    def _check_stored(self, outcomes: dict[IDURL, Outcome]) -> None:
        stored = [idurl for idurl, outcome in outcomes.items() if outcome.word == "stored"]
        refused = [outcome.text for outcome in outcomes.values() if outcome.word == "refused"]
        if len(stored) < max(1, self._number("min")):
            raise BitDustError("name-taken", "; ".join(refused)) if refused else _network_error()

    def verify(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._verify())

    async def _verify(self) -> None:
        assert self._document is not None
        read = await self._client.fetch(self._document.idurl)
        if read.canonical != self._document.canonical:
            raise BitDustError("not-registered", "the ID server gives back another document than was stored")

    def save(self) -> None:
        assert self._document is not None and self._master is not None
        self._me.adopt(self._document, self._master, self._device)
