"""Creating, recovering, publishing and backing up the local identity."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.id_registrator import IdRegistrator
from bitdust.automats.id_restorer import IdRestorer
from bitdust.automats.kernel import Registry
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import Hints, KeyFile, SupplierHint
from bitdust.crypt.master import MasterKey
from bitdust.identity.client import NETWORK_ERROR, IdentityClient, Outcome, Server, parse_servers
from bitdust.identity.document import MAX_DEVICES, Device, IdentityDocument, compare
from bitdust.identity.me import Me
from bitdust.identity.proxy import ProxyError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL, USER_NAME, BadName
from bitdust.world import World

T = TypeVar("T")
PUSHES = 3
ASK_SECONDS = 15.0
FindInDHT = Callable[[bytes], "Deferred[bytes | None]"]
AskSupplier = Callable[[SupplierHint, IdentityDocument, DeviceKey], "Deferred[bytes | None]"]


def _network_error() -> BitDustError:
    return BitDustError("network-connection-error", NETWORK_ERROR)


def _why(failures: list[Failure]) -> BaseException:
    """A proxy that is set wrongly is the user's to mend; all else passes by itself."""
    proxy = next((failure.value for failure in failures if failure.check(ProxyError)), None)
    return proxy if proxy is not None else _network_error()


class _Creation:
    """One registration: the port of its `IdRegistrator`."""

    def __init__(self, owner: "Registration", name: str, servers: list[Server]) -> None:
        self._owner = owner
        self._name = name
        self._wanted = servers
        self._servers: list[Server] = []
        self._document: IdentityDocument | None = None
        self._master: MasterKey | None = None
        self._device = DeviceKey.generate(owner.world.entropy)

    def choose_servers(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._choose())

    async def _choose(self) -> None:
        get = self._owner.settings.get
        least, most = (get(f"services/identity-propagate/{name}-servers") for name in ("min", "max"))
        answers: Any = await DeferredList(
            [self._owner.client.probe(server) for server in self._wanted], consumeErrors=True
        )
        self._servers = [s for s, (ok, lives) in zip(self._wanted, answers, strict=True) if ok and lives][:most]
        if not self._servers or len(self._servers) < least:
            raise _why([found for ok, found in answers if not ok])

    def check_name(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._check_name())

    async def _check_name(self) -> None:
        for server in self._servers:
            if await self._owner.client.exists(server.url(self._name)) is not None:
                text = f"the name {self._name} is taken at {server.host}; choose another one"
                raise BitDustError("name-taken", text)

    def make_document(self) -> "Deferred[Any]":
        bits = max(2048, int(self._owner.settings.get("personal/private-key-size")))
        return self._owner.world.run_in_thread(MasterKey.generate, bits).addCallback(self._made)

    def _made(self, master: MasterKey) -> None:
        sources = tuple(server.url(self._name) for server in self._servers)
        device = Device(0, 1, self._device.public)
        self._master = master
        self._document = IdentityDocument.create(master, sources, 1, (device,), self._owner.world.wall())

    def publish(self) -> "Deferred[Any]":
        assert self._document is not None
        return self._owner.client.publish(self._document).addCallback(self._published)

    def _published(self, outcomes: dict[IDURL, Outcome]) -> None:
        assert self._document is not None and self._master is not None
        stored = tuple(idurl for idurl, outcome in outcomes.items() if outcome.word == "stored")
        refused = [outcome.text for outcome in outcomes.values() if outcome.word == "refused"]
        if len(stored) < max(1, self._owner.settings.get("services/identity-propagate/min-servers")):
            raise BitDustError("name-taken", "; ".join(refused)) if refused else _network_error()

    def verify(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._verify())

    async def _verify(self) -> None:
        assert self._document is not None
        read = await self._owner.client.fetch(self._document.idurl, trusted=True)
        if read.canonical != self._document.canonical:
            raise BitDustError("not-registered", "the ID server gives back another document than was stored")

    def save(self) -> None:
        assert self._document is not None and self._master is not None
        self._owner.me.adopt(self._document, self._master, self._device)


class _Recovery:
    """One recovery: the port of its `IdRestorer`."""

    def __init__(self, owner: "Registration", key_file: KeyFile) -> None:
        self._owner = owner
        self._file = key_file
        self._device = DeviceKey.generate(owner.world.entropy)
        self._document: IdentityDocument | None = None
        self._tried: list[str] = []

    def find_document(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._find())

    async def _find(self) -> IdentityDocument:
        asked = [self._from_server(idurl) for idurl in self._file.idurls]
        asked.append(self._read("the DHT", self._owner.find_in_dht(self._file.master.fingerprint)))
        claim = self._claim()
        if claim is not None:
            asked += [self._from_supplier(hint, claim) for hint in self._file.hints.suppliers]
        results = await DeferredList(asked, consumeErrors=True)
        found = [document for ok, document in results if ok and isinstance(document, IdentityDocument)]
        mine = [document for document in found if document.fingerprint == self._file.master.fingerprint]
        if not mine:
            tried = "; ".join(self._tried) or "the key file names no ID server and no supplier"
            raise BitDustError("identity-not-found", f"no document of this key was found: {tried}")
        return max(mine, key=lambda document: document.revision)

    def _from_server(self, idurl: IDURL) -> "Deferred[IdentityDocument | None]":
        return self._noted(str(idurl), self._owner.client.fetch(idurl, trusted=True))

    def _from_supplier(self, hint: SupplierHint, claim: IdentityDocument) -> "Deferred[IdentityDocument | None]":
        who = f"supplier {hint.fingerprint.hex()[:8]}"
        return self._read(who, self._owner.ask_supplier(hint, claim, self._device))

    def _read(self, who: str, asked: "Deferred[bytes | None]") -> "Deferred[IdentityDocument | None]":
        return self._noted(who, asked.addCallback(lambda xml: IdentityDocument.parse(xml) if xml else None))

    def _noted(self, who: str, asked: "Deferred[Any]") -> "Deferred[IdentityDocument | None]":
        def failed(failure: Any) -> None:
            self._tried.append(f"{who}: {failure.getErrorMessage()}")

        def nothing(found: Any) -> Any:
            if found is None:
                self._tried.append(f"{who} has none")
            return found

        asked.addTimeout(ASK_SECONDS, self._owner.world.clock)
        return asked.addCallbacks(nothing, failed)

    def _claim(self) -> IdentityDocument | None:
        if not self._file.idurls:
            return None
        device = Device(0, 0, self._device.public)
        return IdentityDocument.create(self._file.master, self._file.idurls, 0, (device,), self._owner.world.wall())

    def add_device(self, document: Any) -> "Deferred[Any]":
        revision = document.revision + 1
        number = max(device.number for device in document.devices) + 1
        kept = _room_for_one(document.devices, revision)
        self._document = IdentityDocument.create(
            self._file.master,
            document.sources,
            revision,
            (*kept, Device(number, revision, self._device.public)),
            self._owner.world.wall(),
        )
        return succeed(self._document)

    def save(self) -> None:
        assert self._document is not None
        self._owner.hints = self._file.hints
        self._owner.me.adopt(self._document, self._file.master, self._device, fresh=False)

    def publish(self) -> "Deferred[Any]":
        return self._owner.publish()


def _room_for_one(devices: tuple[Device, ...], revision: int) -> tuple[Device, ...]:
    """Keep the newest devices; where all eight places are taken the oldest one goes, revoked ones first."""
    if len(devices) < MAX_DEVICES:
        return devices
    order = sorted(devices, key=lambda device: (device.revoked is None, device.number))
    return tuple(device for device in devices if device is not order[0])


class Registration:
    """The identity's life. ``find_in_dht`` and ``ask_supplier`` are set by the services that can."""

    log = Logger()

    def __init__(self, world: World, settings: Any, registry: Registry, me: Me, client: IdentityClient) -> None:
        self.world = world
        self.settings = settings
        self.registry = registry
        self.me = me
        self.client = client
        self.hints = Hints()
        self.find_in_dht: FindInDHT = lambda fingerprint: succeed(None)
        self.ask_supplier: AskSupplier = lambda hint, claim, device: succeed(None)
        self.seed_hints: Callable[[Iterable[str]], None] = lambda seeds: None
        self.make_hints: Callable[[], Hints] = Hints
        self._busy = False

    def create(self, username: str, preferred_servers: list[str]) -> "Deferred[IdentityDocument]":
        """Register a new identity; fails with `BitDustError` bad-name, name-taken, network-connection-error."""
        return Deferred.fromCoroutine(self._create(username, preferred_servers))

    async def _create(self, username: str, preferred_servers: list[str]) -> IdentityDocument:
        self._refuse_second()
        if USER_NAME.fullmatch(username) is None:
            raise BadName(f"{username[:60]!r} is no user name: 3 to 20 of a-z 0-9 - _, a letter or digit at both ends")
        preferred = parse_servers(",".join(preferred_servers))
        servers = list(dict.fromkeys([*preferred, *self.client.servers()]))
        machine = IdRegistrator(self.registry, _Creation(self, username, servers))
        await self._run(machine)
        return self.me.document

    def recover(self, key_file: str, passphrase: bytes | None, known_idurl: str | None) -> "Deferred[IdentityDocument]":
        """Recover from the text of a key file; fails with `BitDustError` that says what was tried."""
        return Deferred.fromCoroutine(self._recover(key_file, passphrase, known_idurl))

    async def _recover(self, text: str, passphrase: bytes | None, known_idurl: str | None) -> IdentityDocument:
        self._refuse_second()
        key_file = KeyFile.read(text, passphrase)
        if known_idurl:
            idurl = IDURL.parse(known_idurl)
            key_file = evolve(key_file, idurls=tuple(dict.fromkeys([idurl, *key_file.idurls]))[:6])
        if key_file.damaged_hints:
            self.log.warn("the hints of the key file are damaged: {why}", why=key_file.damaged_hints)
        self.seed_hints(key_file.hints.seeds)
        await self._run(IdRestorer(self.registry, _Recovery(self, key_file)))
        return self.me.document

    def _refuse_second(self) -> None:
        if self.me.present:
            raise BitDustError("identity-exists", f"this node is already {self.me.global_id}")
        if self.me.locked_key:
            raise self.me.absence()
        if self._busy:
            raise BitDustError("busy", "an identity is being created or recovered already")

    async def _run(self, machine: IdRegistrator | IdRestorer) -> None:
        self._busy = True
        try:
            machine.send("start")
            state = await machine.when(*machine.final)
        finally:
            self._busy = False
        if state == "FAILED":
            raise machine.reason or BitDustError("internal", "the identity could not be made")

    def publish(self) -> "Deferred[dict[IDURL, Outcome]]":
        """Bring my document to every source; what another device of mine published meanwhile is merged, three times."""
        return Deferred.fromCoroutine(self._publish())

    async def _publish(self) -> dict[IDURL, Outcome]:
        outcomes: dict[IDURL, Outcome] = {}
        for _ in range(PUSHES):
            outcomes = await self.client.publish(self.me.document)
            newer = [outcome.document for outcome in outcomes.values() if outcome.document is not None]
            merged = [self._merge(document) for document in newer]
            if not any(merged):
                break
        return outcomes

    def _merge(self, other: IdentityDocument) -> bool:
        """Take over another device's changes; True when there is something new to publish."""
        mine = self.me.document
        if other.fingerprint != mine.fingerprint or compare(other, mine) == "refresh":
            return False
        devices = _merged_devices(mine.devices, other.devices)
        self.me.replace_document(self.me.revise(devices=devices, revision=max(mine.revision, other.revision) + 1))
        return True

    def backup(self, passphrase: bytes | None) -> str:
        """The text of a key file with fresh hints."""
        return self._key_file().write(passphrase)

    def kept_backup(self) -> str:
        """The text of a key file that guards the key as the home does: under its passphrase, where it has one."""
        return self._key_file().write(locked=self.me.kept_locked())

    def _key_file(self) -> KeyFile:
        document = self.me.document
        hints = evolve(self.make_hints(), revision=document.revision)
        return KeyFile(document.sources, self.me.master, hints)


def _merged_devices(mine: tuple[Device, ...], other: tuple[Device, ...]) -> tuple[Device, ...]:
    """The union by key, revoked wins; numbers stay unique, the newest eight are kept."""
    found = {device.key: device for device in other}
    for device in mine:
        known = found.get(device.key)
        if known is None:
            taken = {other_device.number for other_device in found.values()}
            number = device.number if device.number not in taken else max(taken) + 1
            found[device.key] = evolve(device, number=number)
        elif device.revoked is not None and known.revoked is None:
            found[device.key] = device
    return tuple(sorted(found.values(), key=lambda device: device.number)[-MAX_DEVICES:])
