"""Devices of those who may write under a key of mine."""

from typing import Any

from attrs import evolve
from twisted.logger import Logger

from bitdust.crypt.keyring import KeyRing
from bitdust.identity.cache import IdentityCache
from bitdust.identity.me import Me
from bitdust.wire.errors import BitDustError


class WritersDevices:
    """I note them in the key ring: whoever reads is to know what is theirs, without asking them."""

    log = Logger()

    def __init__(self, me: Me) -> None:
        self._me = me
        self._ring: Any = None
        """What was in the ring when it was last looked at."""
        self._without_room: dict[tuple[str, bytes], set[bytes]] = {}
        """By key and grant, devices for which that had no room."""

    def note(self, identities: IdentityCache) -> bool:
        """Note those that are known now, and save the ring. True when there was news. A key in which there is no room
        for more stays as it is, and is tried again when the ring is another one."""
        ring, news = self._me.key_ring, False
        if self._ring != _state(ring):
            self._without_room.clear()
        for key in ring.living():
            for grant in key.grants:
                document = identities.get(grant.holder) if grant.writes and not grant.revoked else None
                keys = {device.key for device in document.devices} if document is not None else set()
                if keys <= grant.devices or self._without_room.get((key.key_id, grant.id)) == keys:
                    continue
                before = ring.keys[key.key_id]
                try:
                    ring.grant(key.key_id, evolve(grant, devices=grant.devices | keys))
                except BitDustError as error:
                    self.log.warn("devices of a writer are not noted: {error}", error=error)
                if ring.keys[key.key_id] == before:
                    self._without_room[key.key_id, grant.id] = keys
                news = news or ring.keys[key.key_id] != before
        self._ring = _state(ring)
        if news:
            self._me.save_key_ring()
        return news


def _state(ring: KeyRing) -> Any:
    """What differs when the ring does; its values are never changed, so that comparing them costs little."""
    return dict(ring.keys), dict(ring.shares), ring.revoked
