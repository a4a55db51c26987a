"""What is offered to whoever has a key that follows from a secret: it lies in the hash table, sealed to that key.

Nobody can bring it to people who are not known; so each offer is a record there (`bitdust.wire.offers`), which is
written again each day, and whenever something in it changes.
"""

from bitdust.crypt.boxes import seal_to
from bitdust.crypt.shares import Grant
from bitdust.shares.ports import OfferRecords
from bitdust.wire.names import FOLDER_KEYS
from bitdust.world import World

DAY = 86_400


def is_published(alias: str) -> bool:
    """Whether those who are let into a key of mine are holders of a key, and no persons."""
    return alias.startswith(FOLDER_KEYS)


class Publishing:
    """I write and withdraw offers of mine."""

    def __init__(self, world: World) -> None:
        self._world = world

    def digest(self, offer: bytes, revision: int) -> bytes:
        """What is to be in the table, by a digest that is another one each day: ``offer`` is that of its content.

        It is another one with each ``revision`` of my identity as well: what a device has written says nothing any more
        once it is revoked, and another one of mine has perhaps written nothing since.
        """
        return offer + b"".join(one.to_bytes(8, "big") for one in (int(self._world.wall()) // DAY, revision))

    async def publish(self, records: OfferRecords, grant: Grant, offer: bytes) -> None:
        """Put it there until the grant ends; none is nothing in its stead. Fails as `put` does."""
        now = self._world.wall()
        sealed = seal_to(grant.holder, offer) if offer else b""
        await records.put(grant.holder, sealed, int(now * 1000), max(1, int(grant.ends - now)))
