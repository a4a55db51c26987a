"""Devices of those who may write under a key of mine."""

from attrs import evolve
from twisted.logger import Logger

from bitdust.identity.cache import IdentityCache
from bitdust.identity.me import Me
from bitdust.wire.errors import BitDustError

_log = Logger()


def note_devices(me: Me, identities: IdentityCache) -> bool:
    """Note those that are known now, and save the ring: whoever reads is to know what is theirs, without asking them.
    True when there was news. A key in which there is no room for more stays as it is."""
    ring, news = me.key_ring, False
    for key in ring.living():
        for grant in key.grants:
            document = identities.get(grant.holder) if grant.writes and not grant.revoked else None
            keys = {device.key for device in document.devices} if document is not None else set()
            if keys <= grant.devices:
                continue
            before = ring.keys[key.key_id]
            try:
                ring.grant(key.key_id, evolve(grant, devices=grant.devices | keys))
            except BitDustError as error:
                _log.warn("devices of a writer are not noted: {error}", error=error)
            news = news or ring.keys[key.key_id] != before
    if news:
        me.save_key_ring()
    return news
