"""The passphrase of the keys in the home: they are locked with it, and opened again after each start."""

import os
from collections.abc import Mapping
from pathlib import Path

from bitdust.crypt.files import readable_by
from bitdust.crypt.keyfile import lock_key, unlock_key
from bitdust.crypt.master import MasterKey
from bitdust.identity.me import Me
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from bitdust.world import World

LEAST = 8
MOST = 1000
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
CREDENTIAL = "bitdust-passphrase"
"""Name of the systemd credential (systemd.exec(5), LoadCredential=)."""


class HomeLock:
    """I lock and open the keys that ``me`` keeps. After a wrong passphrase I take the next one only after a pause,
    which doubles from one second to a minute."""

    def __init__(self, world: World, me: Me) -> None:
        self._world = world
        self._me = me
        self._wrong = 0
        self._next_try = 0.0
        self._busy = False
        self.changed: Signal[[]] = Signal()
        """The home keeps its keys under a passphrase now, or no more."""

    async def unlock(self, passphrase: str) -> None:
        """Open the keys; raises `BitDustError` wrong-passphrase, too-many-tries, not-locked, broken-identity."""
        if not self._me.locked_key:
            raise BitDustError("not-locked", "the keys of this node are not locked")
        self._me.unlock(await self._opened(self._me.locked_key, passphrase))

    async def lock(self, passphrase: str) -> None:
        """Keep the keys under this passphrase, now and from each start on; the node goes on working meanwhile.

        Raises `BitDustError` bad-passphrase, no-identity, locked, wrong-key.
        """
        if not LEAST <= len(passphrase) <= MOST:
            raise BitDustError("bad-passphrase", f"a passphrase has {LEAST} to {MOST} characters")
        master = self._me.master
        pem = master.to_pem()
        locked: str = await self._world.run_in_thread(lock_key, pem, passphrase.encode())
        if await self._world.run_in_thread(unlock_key, locked, passphrase.encode()) != pem:
            raise BitDustError("internal", "the locked key does not open again; nothing was changed")
        if self._me.fingerprint != master.fingerprint:
            raise BitDustError("wrong-key", "the identity of this node has changed meanwhile; nothing was locked")
        self._me.keep_locked(locked)
        self.changed.emit()

    async def remove(self, passphrase: str) -> None:
        """Keep the keys as they are, as a home without a lock does; raises as `unlock` does."""
        if not self._me.keeps_locked:
            raise BitDustError("not-locked", "the keys of this home are not locked")
        if self._me.locked_key:
            await self.unlock(passphrase)
        else:
            await self._opened(self._me.kept_locked(), passphrase)
        self._me.keep_open()
        self.changed.emit()

    async def _opened(self, locked: str, passphrase: str) -> MasterKey:
        now = self._world.clock.seconds()
        if self._busy or now < self._next_try:
            wait = max(1, round(self._next_try - now))
            text = f"wait {wait} s before the next passphrase"
            raise BitDustError("too-many-tries", text, seconds=wait)
        self._busy = True
        try:
            pem = await self._world.run_in_thread(unlock_key, locked, passphrase.encode())
        except BitDustError as error:
            self._note(error)
            raise _wrong() if error.code == "wrong-passphrase" else self._broken(error) from error
        finally:
            self._busy = False
        self._wrong = 0
        return MasterKey.from_pem(pem)

    def _broken(self, error: BitDustError) -> BitDustError:
        path = self._world.home / "metadata" / "mykeyfile"
        return BitDustError("broken-identity", f"{path} is damaged ({error}); recover from your key file")

    def _note(self, error: BitDustError) -> None:
        if error.code == "wrong-passphrase":
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._wrong)
            self._wrong = min(self._wrong + 1, 10)
            self._next_try = self._world.clock.seconds() + pause


def _wrong() -> BitDustError:
    return BitDustError("wrong-passphrase", "this passphrase does not open the keys of this home; nothing was changed")


def find_passphrase(configured: str, environment: Mapping[str, str]) -> str | None:
    """The passphrase that a node was told for its start: the setting's file, $BITDUST_PASSPHRASE_FILE, or the systemd
    credential ``bitdust-passphrase``; None where there is none. Raises `BitDustError` ``bad-passphrase-file``."""
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    credential = Path(credentials) / CREDENTIAL if credentials else None
    told = configured or environment.get("BITDUST_PASSPHRASE_FILE")
    path = Path(told).expanduser() if told else credential
    if path is None or (path is credential and not path.exists()):
        return None
    return read_passphrase(path, of_systemd=path is credential)


def read_passphrase(path: Path, of_systemd: bool = False) -> str:
    """The first line of a file that only its owner can read. What ``of_systemd`` wrote has an access list in the place
    of an owner, and a list that names one user looks like a group."""
    try:
        with path.open("rb") as stream:
            state = os.fstat(stream.fileno())
            text = stream.read(4 * MOST + 2).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BitDustError("bad-passphrase-file", f"the passphrase file {path} cannot be read: {error}") from error
    others = readable_by(state)
    if others and not (of_systemd and others == "its group"):
        raise BitDustError("bad-passphrase-file", f"{others} can read {path}: chmod 600 {path}")
    return text.splitlines()[0] if text else ""
