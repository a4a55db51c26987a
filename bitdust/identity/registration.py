"""The beginning of the local identity, new or recovered, and the key file that makes the next recovery possible."""

from typing import Any, Protocol

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.id_registrator import IdRegistrator
from bitdust.automats.id_restorer import IdRestorer
from bitdust.automats.kernel import Registry
from bitdust.config.settings import Settings
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import Hints, KeyFile
from bitdust.crypt.master import MasterKey
from bitdust.identity.awaited import note_search
from bitdust.identity.client import NETWORK_ERROR, IdentityClient, parse_servers
from bitdust.identity.creation import Creation
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.identity.publication import Publication
from bitdust.identity.recovery import Recovery, Sources
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL, USER_NAME, BadName, nameless
from bitdust.wiring import Wire
from bitdust.world import World


class CurrentHints(Protocol):
    """What a key file that is written now should name."""

    def hints(self) -> Hints:
        """DHT nodes, suppliers and heads of the catalog, as they are known now."""


class Registration:
    """I create and recover the identity, one at a time, and only where there is none.

    ``hints`` are those of the key file from which this identity was recovered in this run.
    """

    log = Logger()
    sources = Wire(Sources)
    current_hints = Wire(CurrentHints)

    def __init__(self, world: World, settings: Settings, registry: Registry, me: Me, client: IdentityClient) -> None:
        self._world = world
        self._settings = settings
        self._registry = registry
        self._me = me
        self._client = client
        self.publication = Publication(me, client)
        self._busy = self._is_stopping = False
        self._machine: IdRegistrator | IdRestorer | None = None
        self.hints = Hints()

    def create(self, username: str, preferred_servers: list[str]) -> "Deferred[IdentityDocument]":
        """Register a new identity; fails with `BitDustError` bad-name, name-taken, network-connection-error."""
        return Deferred.fromCoroutine(self._create(username, preferred_servers))

    async def _create(self, username: str, preferred_servers: list[str]) -> IdentityDocument:
        self._refuse_second()
        if USER_NAME.fullmatch(username) is None:
            raise BadName(f"{username[:60]!r} is no user name: 3 to 20 of a-z 0-9 - _, a letter or digit at both ends")
        preferred = parse_servers(",".join(preferred_servers))
        servers = list(dict.fromkeys([*preferred, *self._client.servers()]))
        creation = Creation(self._world, self._settings, self._me, self._client, username, servers)
        await self._run(IdRegistrator(self._registry, creation))
        return self._me.document

    def create_nameless(self) -> "Deferred[IdentityDocument]":
        """An identity that is known by its key alone, at no ID server; a name can be had later (`Rotation.rotate`).

        Fails with ``identity-exists``, ``busy``.
        """
        return Deferred.fromCoroutine(self._create_nameless())

    async def _create_nameless(self) -> IdentityDocument:
        self._refuse_second()
        self._busy = True
        try:
            bits = max(2048, int(self._settings.get("personal/private-key-size")))
            master = await self._world.run_in_thread(MasterKey.generate, bits)
            device = DeviceKey.generate(self._world.entropy)
            sources, devices = (nameless(master.fingerprint),), (Device(0, 1, device.public),)
            document = IdentityDocument.create(master, sources, 1, devices, self._world.wall())
            self._me.adopt(document, master, device)
        finally:
            self._busy = False
        return document

    def recover(
        self, key_file: str, passphrase: bytes | None, known_idurl: str | None, revoke_others: bool = False
    ) -> "Deferred[IdentityDocument]":
        """Recover from the text of a key file; fails with `BitDustError` that says what was tried.

        ``revoke_others`` takes their word from all devices that there were.

        It goes on for as long as somebody who may know is silent, or until another recovery takes its place.
        """
        return Deferred.fromCoroutine(self._recover(key_file, passphrase, known_idurl, revoke_others))

    async def _recover(
        self, text: str, passphrase: bytes | None, known_idurl: str | None, revoke_others: bool
    ) -> IdentityDocument:
        self._refuse_another()
        key_file = KeyFile.read(text, passphrase)
        self._give_up_search()
        self._refuse_second()
        if known_idurl:
            idurl = IDURL.parse(known_idurl)
            key_file = evolve(key_file, idurls=tuple(dict.fromkeys([idurl, *key_file.idurls]))[:6])
        if key_file.damaged_hints:
            self.log.warn("the hints of the key file are damaged: {why}", why=key_file.damaged_hints)
        self.sources.use_seeds(key_file.hints.seeds)
        # Services ask for the hints as soon as there is an identity, which is before the machine has come to its end.
        self.hints = key_file.hints
        recovery = Recovery(self._world, self._me, self._client, self.sources, self.publication, key_file)
        recovery.revokes_others = revoke_others
        folder = self._world.home / "metadata"
        note_search(folder, True)
        try:
            # Whoever becomes himself again need not wait for ID servers to hear of it, which may be silent.
            await self._run(IdRestorer(self._registry, recovery), "SEND_ID")
        finally:
            self._me.search("")
            if not self._is_stopping:
                note_search(folder, False)
            if not self._me.present:
                self.hints = Hints()
        return self._me.document

    def stop(self) -> None:
        """The node ends: nothing is searched for or published any more; the next start says what was cut off."""
        self._is_stopping = True
        self._give_up_search()

    def _give_up_search(self) -> None:
        """A recovery that still searches makes room: the person has another key file, or more to say."""
        machine = self._machine
        if isinstance(machine, IdRestorer):
            machine.send("give-up")

    def _refuse_another(self) -> None:
        if self._me.present:
            raise BitDustError("identity-exists", f"this node is already {self._me.global_id}")
        if self._me.locked_key:
            raise self._me.absence()

    def _refuse_second(self) -> None:
        self._refuse_another()
        if self._busy:
            raise BitDustError("busy", "an identity is being created or recovered already")

    async def _run(self, machine: IdRegistrator | IdRestorer, enough: str = "") -> None:
        self._busy, self._machine = True, machine
        try:
            machine.send("start")
            state = await machine.when(*machine.final, *([enough] if enough else []))
        finally:
            self._busy = False
        if state == "FAILED":
            raise machine.reason or BitDustError("network-connection-error", NETWORK_ERROR)

    @property
    def automat(self) -> dict[str, Any] | None:
        """Index and id of the machine that makes, or made last, the identity; None before the first one."""
        return {"index": self._machine.index, "id": self._machine.id} if self._machine is not None else None

    # the key file

    def backup(self, passphrase: bytes | None) -> str:
        """The text of a key file with fresh hints."""
        return self._key_file().write(passphrase)

    def kept_backup(self) -> str:
        """The text of a key file that guards the key as the home does: under its passphrase, where it has one."""
        return self._key_file().write(locked=self._me.kept_locked())

    def _key_file(self) -> KeyFile:
        document = self._me.document
        hints = evolve(self.current_hints.hints(), revision=document.revision)
        return KeyFile(document.sources, self._me.master, hints)
