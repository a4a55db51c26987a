"""Who this node is: the identity document, the RSA key, this device's key, and the key ring, as the home keeps them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve

from bitdust.crypt.boxes import seal_for
from bitdust.crypt.device import DeviceKey, certify
from bitdust.crypt.files import make_private_folder, remove_safely, write_safely
from bitdust.crypt.keyfile import is_locked
from bitdust.crypt.keyring import MASTER, KeyRing, RingKey
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.events import Events
from bitdust.identity.awaited import ALL, CUT_OFF, KEY_RING, read_awaited, was_cut_off, write_awaited
from bitdust.identity.backup_mark import OwnMark
from bitdust.identity.device_file import CERTIFICATE, kept_device, read_certificate, read_device
from bitdust.identity.devices import former, with_new_device
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.ring_file import left_ring, read_ring, save_ring
from bitdust.identity.waiting import Waiting
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.records import DeviceAddresses, DeviceCertificate
from bitdust.wire.signed import Signed
from bitdust.world import World

T = TypeVar("T")
NEXT_DEVICE = "devicekey.next"
LOCKED = "locked: run bitdust unlock"
KEY_NEEDED = "this needs your private key, which is in your key file alone: bitdust identity attach FILE"


class Me(Waiting):
    """The local identity; absent until it is created or recovered. Files are private and written safely.

    ``changed`` reports a change of the identity, its document, or this device's addresses.
    """

    def __init__(self, world: World, events: Events) -> None:
        super().__init__(events, world.home / "metadata")
        self._world = world
        self._document: IdentityDocument | None = None
        self._master: MasterKey | None = None
        self._device: DeviceKey | None = None
        self._certificate: DeviceCertificate | None = None
        self._addresses: list[str] = []
        self._ring = KeyRing()
        self._mark = OwnMark(self._folder)
        self._locked_key = ""
        self.locked_because = ""
        """Why the passphrase that the node was given for its start did not open the keys."""
        self._keeps_locked = False

    def load(self) -> None:
        """Read the home; raises `BitDustError` ``broken-identity`` that names the file when one is damaged.

        Where the keys are locked, the identity stays absent until `open`.
        """
        if not (self._folder / "localidentity").exists():
            self.searched_because = CUT_OFF if was_cut_off(self._folder) else ""
            return
        if (self._folder / CERTIFICATE).exists() and not (self._folder / "mykeyfile").exists():
            self.open(None)
            return
        key = self._read("mykeyfile", Path.read_text)
        if is_locked(key):
            self._locked_key = key
        else:
            self.open(self._read("mykeyfile", lambda path: MasterKey.from_pem(key, own=True)))

    def open(self, master: MasterKey | None) -> None:
        """Take the key of this home, None where it keeps none, and read what else it keeps; raises as `load` does."""
        document = self._read("localidentity", lambda path: IdentityDocument.parse(path.read_bytes()))
        device = self._read("devicekey", lambda path: read_device(path, master))
        device = self._read(NEXT_DEVICE, lambda path: self._finish_renewal(path, document, master)) or device
        ring = self._read("keyring", lambda path: read_ring(path, device, master))
        known = document.device(device.id)
        if known is None or (master is not None and document.fingerprint != master.fingerprint):
            text = f"the keys in {self._folder} do not belong to its identity; recover from your key file"
            raise BitDustError("broken-identity", text)
        self._master, self._device, self._document, self._ring = master, device, document, ring
        self._awaited = read_awaited(self._folder)
        if master is not None:
            self._certificate = certify(master, device.public, known.number)
        else:
            self._certificate = self._read(CERTIFICATE, lambda path: read_certificate(path, document.key))
        self._keeps_locked, self._locked_key = bool(self._locked_key), ""

    def _read(self, name: str, read: Callable[[Path], T]) -> T:
        path = self._folder / name
        try:
            return read(path)
        except (OSError, ValueError) as error:
            text = f"{path} is missing or damaged ({error}); bring it back from a copy, or recover from your key file"
            raise BitDustError("broken-identity", text) from error

    def _finish_renewal(self, path: Path, document: IdentityDocument, master: MasterKey | None) -> DeviceKey | None:
        """The key of a renewal that a crash cut off, if its document was written; else that key never counted."""
        if not path.exists():
            return None
        device = read_device(path, master)
        counts = document.valid_device(device.public)
        if counts:
            write_safely(self._folder / "devicekey", path.read_bytes())
        remove_safely(path)
        return device if counts else None

    @property
    def locked_key(self) -> str:
        """The key of this home as it is kept, while it waits for its passphrase; empty at any other time."""
        return self._locked_key

    @property
    def keeps_locked(self) -> bool:
        """Whether the home keeps my keys under a passphrase."""
        return self._keeps_locked or bool(self._locked_key)

    def kept_locked(self) -> str:
        """My master key as the home keeps it under a passphrase; empty where it keeps it without one."""
        return self._read("mykeyfile", Path.read_text) if self.keeps_locked else ""

    def keep_locked(self, key: str) -> None:
        """From now on the home keeps my keys under a passphrase; ``key`` is my master key, locked.

        The device's key goes first, sealed to the master key: whenever this is cut off, the home can be read.
        """
        write_safely(self._folder / "devicekey", kept_device(self.device, self.public))
        write_safely(self._folder / "mykeyfile", key.encode())
        self._keeps_locked = True

    def keep_open(self) -> None:
        """From now on the home keeps my keys as they are."""
        write_safely(self._folder / "mykeyfile", self.master.to_pem().encode())
        self._keeps_locked = False
        write_safely(self._folder / "devicekey", self._kept_device(self.device))

    def _kept_device(self, device: DeviceKey) -> bytes:
        return kept_device(device, self.public if self._keeps_locked else None)

    @property
    def backup_checked(self) -> float | None:
        """When a copy of my key file was last read back and found good (seconds since 1970), or None."""
        return self._mark.when(self.fingerprint)

    def note_backup(self) -> None:
        """A copy of my key file was just read back and is good."""
        self._mark.write(self.fingerprint, self._world.wall())

    @property
    def present(self) -> bool:
        """Whether there is an identity."""
        return self._document is not None

    def absence(self) -> BitDustError:
        """Why there is no identity to work with."""
        if self._locked_key:
            return BitDustError("locked", LOCKED + (f" ({self.locked_because})" if self.locked_because else ""))
        return BitDustError("no-identity", self.searched_because or "there is no identity yet: create or recover one")

    def _need(self, value: Any) -> Any:
        if value is None:
            raise self.absence()
        return value

    @property
    def document(self) -> IdentityDocument:
        """My newest document; raises `BitDustError` ``no-identity`` while there is none, as all of these do."""
        document: IdentityDocument = self._document or self._need(None)
        return document

    @property
    def master(self) -> MasterKey:
        """My RSA key. Raises `BitDustError` ``key-needed`` where the home does not keep it."""
        if self._master is None and self.present:
            raise BitDustError("key-needed", KEY_NEEDED)
        master: MasterKey = self._need(self._master)
        return master

    @property
    def held_master(self) -> MasterKey | None:
        """My RSA key where it is here."""
        return self._master

    @property
    def public(self) -> MasterPublic:
        """The public half of my RSA key."""
        return self.document.public

    def hold(self, master: MasterKey | None) -> None:
        """Have the RSA key at hand from now on, or no more; the home does not change by that."""
        self._master = master
        self.changed.emit()

    def detach(self) -> None:
        """The home keeps the RSA key no more: this device works with its own key and the RSA key's word for it.

        That word is on the disk before the key goes: whenever this is cut off, the home can be read.
        """
        write_safely(self._folder / CERTIFICATE, self.certificate.to_body())
        self.save_key_ring()
        remove_safely(self._folder / "mykeyfile")
        self.hold(None)

    def attach(self, master: MasterKey) -> None:
        """The home keeps the RSA key again."""
        write_safely(self._folder / "mykeyfile", master.to_pem().encode())
        remove_safely(self._folder / CERTIFICATE)
        self.hold(master)

    @property
    def device(self) -> DeviceKey:
        """This device's key."""
        device: DeviceKey = self._device or self._need(None)
        return device

    @property
    def certificate(self) -> DeviceCertificate:
        """The master key's word for this device."""
        certificate: DeviceCertificate = self._need(self._certificate)
        return certificate

    @property
    def device_number(self) -> int:
        """This device's number in the document."""
        device = self.document.device(self.device.id)
        return device.number if device else 0

    @property
    def fingerprint(self) -> bytes:
        """My internal name."""
        return self.document.fingerprint

    @property
    def global_id(self) -> str:
        """``alice@host``."""
        return self.document.global_id

    @property
    def key_ring(self) -> KeyRing:
        """My keys and storage secrets; after a change call `save_key_ring`."""
        self._ring.revoked = self._document.revoked_devices if self._document is not None else 0
        return self._ring

    def save_key_ring(self) -> None:
        """Seal the ring and write it safely; raises `OSError`, and then nothing has changed."""
        save_ring(self._folder / "keyring", self._ring, self.sealed_key_ring(), self.device, self._master)

    def sealed_key_ring(self) -> bytes:
        """The ring in a box that the master key opens, and each of my devices that counts."""
        return self._ring_for(self.document)

    def _ring_for(self, document: IdentityDocument, others: Sequence[bytes] = ()) -> bytes:
        devices = [device.key for device in document.devices if device.revoked is None]
        return seal_for(self.public, dict.fromkeys([*devices, *others]), self._ring.to_bytes())

    @property
    def addresses(self) -> list[str]:
        """Where this device can be reached: ``tcp://host:port``."""
        return list(self._addresses)

    def set_addresses(self, addresses: list[str]) -> None:
        """Tell where this device listens now."""
        if addresses != self._addresses:
            self._addresses = list(addresses)
            self.changed.emit()

    def addresses_record(self, least: int = 0) -> Signed:
        """The signed record that others read, dated no earlier than ``least`` (milliseconds)."""
        now = max(int(self._world.wall() * 1000), least)
        record = DeviceAddresses(self.fingerprint, self.device.id, self.addresses, now)
        return self.sign(record.KIND, record.to_body())

    def sign(self, kind: str, body: bytes) -> Signed:
        """Sign a record's body with this device's key."""
        return self.device.sign_record(kind, body)

    def adopt(self, document: IdentityDocument, master: MasterKey, device: DeviceKey, fresh: bool = True) -> None:
        """Become this identity; the keys are on the disk before the document is.

        ``fresh`` makes a first key ring; a recovered identity waits for the one that its suppliers keep, and its key
        file has just shown that it is good.
        """
        known = document.device(device.id)
        if document.fingerprint != master.fingerprint or known is None:
            raise WireError("wrong-key", "the document does not belong to these keys")
        make_private_folder(self._folder)
        write_safely(self._folder / "mykeyfile", master.to_pem().encode())
        remove_safely(self._folder / CERTIFICATE)
        write_safely(self._folder / "devicekey", device.seed.hex().encode())
        if fresh:
            self._mark.remove()
        else:
            self._mark.write(master.fingerprint, self._world.wall())
        self._awaited = frozenset() if fresh else ALL
        write_awaited(self._folder, self._awaited)
        write_safely(self._folder / "username", document.name.encode())
        self._master, self._device, self._document = master, device, document
        self._certificate = certify(master, device.public, known.number)
        self._ring = KeyRing() if fresh else left_ring(self._folder / "keyring", device, master)
        try:
            if fresh:
                self.ensure_master_secret()
            write_safely(self._folder / "localidentity", document.xml)
        except BaseException:
            self._be_nobody()
            raise
        self._keeps_locked, self._locked_key = False, ""
        self._appeared("local-identity-set")

    def _be_nobody(self) -> None:
        """The disk did not take the identity: whoever tries again finds nobody in the way."""
        self._master = self._device = self._document = self._certificate = None
        self._ring, self._awaited = KeyRing(), frozenset()

    def unlock(self, master: MasterKey) -> None:
        """`open` a home that was locked, and report that there is an identity; raises as `load` does."""
        self.open(master)
        self._appeared("local-identity-unlocked")

    def _appeared(self, event: str) -> None:
        self._events.send(event, {"idurl": str(self.document.idurl), "revision": self.document.revision})
        self.changed.emit()

    def ensure_master_secret(self) -> bool:
        """Give the master key its first storage secret, in a ring that was saved; True when there was none.

        Never where a ring with the true ones is still to come back.
        """
        if self.awaits(KEY_RING):
            return False
        if MASTER not in self._ring:
            self._ring.add(RingKey(MASTER, "my master key"))
        return self.ensure_secret(MASTER)

    def ensure_secret(self, alias: str) -> bool:
        """Give a key of the ring its first storage secret, in a ring that was saved; True when there was none."""
        made = self.key_ring.ensure_secret(alias, self._world.entropy, self.device_number)
        if made:
            self.save_key_ring()
        return made

    def replace_document(self, document: IdentityDocument) -> None:
        """Take a newer document of mine, or one of the same revision that goes before mine."""
        if document.fingerprint != self.fingerprint or not document.goes_before(self.document):
            raise WireError("stale", "only a newer document of the same key replaces mine")
        write_safely(self._folder / "localidentity", document.xml)
        self._adopt(document)

    def _adopt(self, document: IdentityDocument) -> None:
        old, number = self.document, self.device_number
        self._document = document
        if self.device_number != number and self._master is not None:
            self._certificate = certify(self.master, self.device.public, self.device_number)
        self._events.send("local-identity-modified", {"old": old.revision, "new": document.revision})
        self.changed.emit()

    def revise(
        self,
        sources: tuple[IDURL, ...] | None = None,
        devices: tuple[Device, ...] | None = None,
        revision: int = 0,
        gone: tuple[Device, ...] | None = None,
    ) -> IdentityDocument:
        """The next revision, signed but not yet taken. Devices that lose their places become former ones (``gone``)."""
        document = self.document
        revision, devices = max(revision, document.revision + 1), devices or document.devices
        gone = former(devices, revision, document) if gone is None else gone
        sources = sources or document.sources
        return IdentityDocument.create(self.master, sources, revision, devices, self._world.wall(), gone)

    def renew_device(self, revoke: bool = True) -> IdentityDocument:
        """A new device key for this node; the new document.

        The old key's word counts no more, unless ``revoke`` is False: a copy of this home goes on under it.
        """
        new = DeviceKey.generate(self._world.entropy)
        revision, mine = self.document.revision + 1, self.device.id
        devices = tuple(
            evolve(device, revoked=revision, sequence=0) if revoke and device.id == mine else device
            for device in self.document.devices
        )
        document = self.revise(devices=with_new_device(evolve(self.document, devices=devices), new.public, revision))
        certificate = certify(self.master, new.public, document.devices[-1].number)
        # Both keys are there until the document says which of them counts: a crash at any moment leaves a whole home.
        write_safely(self._folder / "keyring", self._ring_for(document, [self.device.public]))
        write_safely(self._folder / NEXT_DEVICE, self._kept_device(new))
        write_safely(self._folder / "localidentity", document.xml)
        write_safely(self._folder / "devicekey", self._kept_device(new))
        remove_safely(self._folder / NEXT_DEVICE)
        if (self._folder / CERTIFICATE).exists():
            write_safely(self._folder / CERTIFICATE, certificate.to_body())
        self._device, self._certificate = new, certificate
        self._adopt(document)
        return document

    def __repr__(self) -> str:
        return f"<Me {self.global_id if self.present else 'nobody'}>"
