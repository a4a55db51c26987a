"""The IPNS keys of this node: made, listed, renamed, removed, brought in and out; each change is on the disk first."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred, DeferredLock

from bitdust.ipfs.names.book import Holder, KeyBook, holder_of
from bitdust.ipfs.names.keys import SELF, Keys, NamedKey, Published, check_name, read, settled, written
from bitdust.ipfs.peerids import my_key
from bitdust.ipld.keys import LONGEST_RSA, SHORTEST_RSA, KeyKind, PrivateKey
from bitdust.ipld.peerid import PeerId
from bitdust.outcome import shielded
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

T = TypeVar("T")
KINDS = {"rsa": KeyKind.RSA, "ed25519": KeyKind.ED25519}


class KeyStore:
    """I read the file when the first one asks, and again when this node has become another."""

    def __init__(self, around: Surroundings) -> None:
        self._me = around.me
        self._run = around.world.run_in_thread
        self._book = KeyBook(around.world.home)
        self._lock = DeferredLock()
        self._keys: Keys | None = None
        self._of: tuple[bytes, bytes] | None = None
        self.changed: Signal[[]] = Signal()
        """A key is new, gone, or called otherwise, or one has published something."""

    # reading

    async def all(self) -> list[NamedKey]:
        """Every key, that of the node first, the others by name. Raises `BitDustError`: locked, damaged-store."""
        keys = await self._locked(self._now)
        return [keys[SELF], *(keys[name] for name in sorted(keys) if name != SELF)]

    async def find(self, name: str) -> NamedKey:
        """By its name, or by the name of IPNS that it makes. Raises `BitDustError` ``no-key``."""
        keys = await self._locked(self._now)
        found = keys.get(name) or next((one for one in keys.values() if name in (str(one.id), one.id.base36)), None)
        if found is None:
            raise no_key(name)
        return found

    async def of(self, peer: PeerId) -> NamedKey | None:
        """The key that makes a name of IPNS."""
        return next((one for one in await self.all() if one.id == peer), None)

    # changing

    async def generate(self, name: str, kind: str, bits: int | None = None) -> NamedKey:
        """A new key. Raises `BitDustError`: bad-name, exists, bad-argument."""
        _check_new(name, "create")
        if kind not in KINDS:
            raise BitDustError("bad-argument", f"unrecognized key type: {kind[:100]}")
        if kind == "rsa" and bits is not None and not SHORTEST_RSA <= bits <= LONGEST_RSA:
            raise BitDustError("bad-argument", f"rsa keys have {SHORTEST_RSA} to {LONGEST_RSA} bits")
        _need_free(await self._locked(self._now), name)
        key: PrivateKey = await self._run(PrivateKey.generate, KINDS[kind], bits or SHORTEST_RSA)
        return await self.bring(name, key, "create")

    async def bring(self, name: str, key: PrivateKey, word: str = "import") -> NamedKey:
        """A key from elsewhere. Raises `BitDustError`: bad-name, exists."""
        _check_new(name, word)

        def add(keys: Keys) -> NamedKey:
            _need_free(keys, name)
            same = next((one.name for one in keys.values() if one.id == made.id), None)
            if same is not None:
                raise BitDustError("exists", f"this key is here already, with name '{same}'")
            keys[name] = made
            return made

        made = NamedKey.of(name, key)
        return await self._change(add)

    async def rename(self, old: str, new: str, force: bool = False) -> tuple[NamedKey, bool]:
        """The key under its new name, and whether another one had it, which is gone then.

        Raises `BitDustError`: bad-name, no-key, exists.
        """
        if old == SELF:
            raise BitDustError("bad-name", f"cannot rename key with name '{SELF}'")
        if new == SELF:
            raise BitDustError("bad-name", f"cannot overwrite key with name '{SELF}'")
        check_name(new)

        def move(keys: Keys) -> tuple[NamedKey, bool]:
            if old not in keys:
                raise no_key(old)
            if new != old and new in keys and not force:
                raise BitDustError("exists", "key by that name already exists, refusing to overwrite")
            moved = evolve(keys.pop(old), name=new)
            overwrites = new in keys
            keys[new] = moved
            return moved, overwrites

        return await self._change(move)

    async def remove(self, names: Sequence[str]) -> list[NamedKey]:
        """All of them or none. Raises `BitDustError`: bad-name, no-key."""
        if SELF in names:
            raise BitDustError("bad-name", f"cannot remove key with name '{SELF}'")

        def drop(keys: Keys) -> list[NamedKey]:
            missing = next((name for name in names if name not in keys), None)
            if missing is not None:
                raise no_key(missing)
            return [keys.pop(name) for name in dict.fromkeys(names)]

        return await self._change(drop)

    async def publish(self, ident: PeerId, publish: Callable[[Published | None], Published]) -> NamedKey:
        """Keep what a key publishes from now on; fires when it is on the disk. Raises `BitDustError` ``no-key``."""

        def note(keys: Keys) -> NamedKey:
            one = next((one for one in keys.values() if one.id == ident), None)
            if one is None:
                raise no_key(str(ident))
            keys[one.name] = noted = evolve(one, published=publish(one.published))
            return noted

        return await self._change(note)

    # for the copy of all of it that is kept elsewhere

    async def written(self) -> bytes:
        """All keys, and what they have published, that are not this device's own."""
        keys = await self._locked(self._now)
        return written({name: one for name, one in keys.items() if name != SELF}, None)

    async def join(self, data: bytes) -> bool:
        """Take what a copy has and what is not here; of what both have the higher sequence counts. Whether there was
        any. Raises `WireError`."""
        copied = [one for one in read(data).values() if one.key is not None and one.name != SELF]
        keys = await self._locked(self._now)
        if all(_joined(keys, one) is None for one in copied):
            return False

        def add(keys: Keys) -> None:
            for one in copied:
                taken = _joined(keys, one)
                if taken is not None:
                    keys[taken.name] = taken

        await self._change(add)
        return True

    # the file

    async def kept(self) -> list[NamedKey]:
        """As `all`, but none where no file was written yet. The node may have become another one since: then its file
        is sealed for the one that it is now."""
        return await self.all() if self._keys is not None or self._book.path.exists() else []

    def _locked(self, call: Callable[[], "Deferred[T]"]) -> "Deferred[T]":
        """One at a time, each to its end: who waits no longer stops no writing."""
        return shielded(self._lock.run(call))

    def _now(self) -> "Deferred[Keys]":
        return Deferred.fromCoroutine(self._settle())

    async def _settle(self) -> Keys:
        holder = holder_of(self._me)
        name = None if holder is None else holder.name
        if self._keys is not None and self._of == name:
            return self._keys
        kept, is_own = (self._keys, False) if self._keys is not None else await self._run(self._book.read, holder)
        keys = settled(kept, None if holder is None else my_key(self._me))
        if is_own and _shown(keys) == _shown(kept):
            self._keys, self._of = keys, name
            return keys
        return await self._keep(keys, holder)

    async def _change(self, change: Callable[[Keys], T]) -> T:
        return await self._locked(lambda: Deferred.fromCoroutine(self._changed(change)))

    async def _changed(self, change: Callable[[Keys], T]) -> T:
        keys = dict(await self._settle())
        found = change(keys)
        await self._keep(keys, holder_of(self._me))
        self.changed.emit()
        return found

    async def _keep(self, keys: Keys, holder: Holder | None) -> Keys:
        """Only what is on the disk counts."""
        own = None if holder is None else keys[SELF].id
        await self._run(self._book.write, holder, written(keys, own))
        self._keys, self._of = keys, None if holder is None else holder.name
        return keys


def _shown(keys: Keys) -> dict[str, tuple[PeerId, Published | None]]:
    return {one.name: (one.id, one.published) for one in keys.values()}


def no_key(name: str) -> BitDustError:
    """Of a name that no key has."""
    return BitDustError("no-key", f"no key named {name[:200]} was found")


def _check_new(name: str, word: str) -> None:
    if name == SELF:
        raise BitDustError("bad-name", f"cannot {word} key with name '{SELF}'")
    check_name(name)


def _need_free(keys: Keys, name: str) -> None:
    if name in keys:
        raise BitDustError("exists", f"key with name '{name}' already exists")


def _joined(keys: Keys, copied: NamedKey) -> NamedKey | None:
    """What to take of a key that a copy has; None where nothing of it is new. One whose name another key has here comes
    under the name of IPNS that it makes."""
    mine = next((one for one in keys.values() if one.id == copied.id), None)
    if mine is None:
        return copied if copied.name not in keys else evolve(copied, name=copied.id.base36)
    if copied.published is None:
        return None
    is_newer = mine.published is None or copied.published.record.rank > mine.published.record.rank
    return evolve(mine, published=copied.published) if is_newer else None
