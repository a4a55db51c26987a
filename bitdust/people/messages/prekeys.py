"""My prekeys: a signed one, renewed every week, and one-time prekeys that are handed out once each."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.crypt.ratchet.agreement import Prekey
from bitdust.people.messages.store import Store, StoredPrekey
from bitdust.surroundings import Surroundings
from bitdust.wire.prekeys import MOST_ONCE, ONCE_KIND, OncePrekey, Prekeys, once_body
from bitdust.wire.signed import Signed, message

DAY = 86_400
RENEWED_DAYS = 7
KEPT_DAYS = 45
"""The secret of a signed prekey is kept so long after its successor came: mailboxes keep messages for a month."""
ONCE_DAYS = 90
"""A one-time prekey that was handed out and never used is forgotten."""
MOST_HERE = 1000
"""Of those that this device hands out itself, which are forgotten after a day, so many wait for their first use."""
HERE = b""
"""The place of those that this device hands out itself."""


class MyPrekeys:
    """`load` first. A secret is on the disk before its public half leaves, and goes with its first use."""

    def __init__(self, around: Surroundings, store: Store) -> None:
        self._me = around.me
        self._world = around.world
        self._store = store
        self._keys: dict[int, StoredPrekey] = {}

    async def load(self) -> None:
        """Read them."""
        self._keys = {one.prekey.id: one for one in await self._store.prekeys()}

    @property
    def current(self) -> StoredPrekey | None:
        """The signed prekey that is shown now."""
        return next((one for one in self._keys.values() if not one.is_once and not one.retired), None)

    @property
    def is_due(self) -> bool:
        """Whether there is none to show, or it is a week old."""
        current = self.current
        return current is None or not 0 <= self._store.late.stamp() - current.made < RENEWED_DAYS * DAY

    def signed(self, ident: int) -> Prekey | None:
        """A signed prekey that was shown at some time, with its secret."""
        return self._find(ident, False)

    def once(self, ident: int) -> Prekey | None:
        """A one-time prekey that was not used yet, with its secret."""
        return self._find(ident, True)

    def _find(self, ident: int, is_once: bool) -> Prekey | None:
        found = self._keys.get(ident)
        return found.prekey if found is not None and found.is_once is is_once else None

    def renew(self) -> "Deferred[None]":
        """Another signed prekey from now on; what is too old is erased."""
        return Deferred.fromCoroutine(self._renew())

    async def _renew(self) -> None:
        now, late = self._store.late.stamp(), self._store.late.now()
        made, old = StoredPrekey(self._new(), False, now, HERE, 0), self.current
        gone = [one.prekey.id for one in self._keys.values() if _is_over(one, late)]

        def write(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM prekeys WHERE id=?", ((ident,) for ident in gone))
            database.execute("UPDATE prekeys SET retired=? WHERE kind=0 AND retired=0", (now,))
            self._insert(database, [made])

        await self._store.change(write)
        for ident in gone:
            self._keys.pop(ident, None)
        if old is not None:
            self._keys[old.prekey.id] = StoredPrekey(old.prekey, False, old.made, HERE, now)
        self._keys[made.prekey.id] = made

    def record(self, mailboxes: list[bytes]) -> Signed:
        """What is shown of the current one."""
        current = self.current
        assert current is not None
        now = int(self._world.wall() * 1000)
        key = current.prekey
        record = Prekeys(self._me.fingerprint, self._me.device.id, key.id, key.public, now, mailboxes)
        return self._me.sign(Prekeys.KIND, record.to_body())

    async def more_once(self, place: bytes, have: int) -> list[OncePrekey]:
        """New one-time prekeys for a place that has so many still, up to `MOST_ONCE`."""
        now = self._store.late.stamp()
        made = [StoredPrekey(self._new(), True, now, place, 0) for _ in range(max(0, MOST_ONCE - have))]
        await self._store.change(lambda database: self._insert(database, made))
        self._keys |= {one.prekey.id: one for one in made}
        return [self._shown(one.prekey) for one in made]

    async def hand_out(self) -> OncePrekey | None:
        """One of those that this device hands out itself, made for who asks; None while too many were not used."""
        before = self._store.late.now() - DAY
        mine = [one for one in self._keys.values() if one.is_once and one.place == HERE]
        old = [one.prekey.id for one in mine if one.made < before]
        if old:
            await self._store.change(lambda database: drop_prekeys(database, old))
            self.forget(old)
        if len(mine) - len(old) >= MOST_HERE:
            return None
        (made,) = await self.more_once(HERE, MOST_ONCE - 1)
        return made

    def _shown(self, key: Prekey) -> OncePrekey:
        body = once_body(self._me.fingerprint, key.id, key.public)
        return OncePrekey(key.id, key.public, self._me.device.sign(message(ONCE_KIND, body)))

    def _new(self) -> Prekey:
        while True:
            ident = int.from_bytes(self._world.entropy(4), "big")
            if ident not in self._keys:
                return Prekey(ident, self._world.entropy(32))

    def _insert(self, database: sqlite3.Connection, made: Iterable[StoredPrekey]) -> None:
        seal = self._store.vault.seal
        rows = ((one.prekey.id, one.is_once, seal(one.prekey.private), one.made, one.place) for one in made)
        database.executemany("INSERT INTO prekeys(id, kind, secret, made, place) VALUES(?, ?, ?, ?, ?)", rows)

    def forget(self, used: Iterable[int]) -> None:
        """These one-time prekeys were used; the caller deletes their rows as `drop_prekeys` does."""
        for ident in used:
            self._keys.pop(ident, None)

    def figures(self) -> dict[str, Any]:
        """How many there are, and how old the signed one is."""
        current = self.current
        age = int(self._world.wall()) - current.made if current is not None else None
        return {"one_time": sum(1 for one in self._keys.values() if one.is_once), "signed_age": age}


def _is_over(one: StoredPrekey, now: int) -> bool:
    if one.is_once:
        return one.made < now - ONCE_DAYS * DAY
    return bool(one.retired) and one.retired < now - KEPT_DAYS * DAY


def drop_prekeys(database: sqlite3.Connection, used: Iterable[int]) -> None:
    """Erase one-time prekeys that were used."""
    database.executemany("DELETE FROM prekeys WHERE id=?", ((ident,) for ident in used))
