"""Keys of other people that are given to me: taken from their owners alone, checked, and never in place of another."""

from collections.abc import Callable
from typing import Any

from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.crypt.ring_room import MAX_RING
from bitdust.identity.document import IdentityDocument
from bitdust.people.keys.giving import KIND
from bitdust.people.keys.offer import MAX_OFFER, KeyOffer, check_private, read_offer
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import is_hidden
from bitdust.wire.packet import Command
from bitdust.wire.schema import Choice, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

MOST_OF_ONE = 20
"""Keys of one owner."""
MOST_OF_STRANGERS = 20
"""Keys of all who are no friends, together; and those are public ones."""
MOST_BYTES = MAX_RING // 4
"""Of all keys of others, as the ring keeps them."""
COST = 20.0


def ring_name(alias: str, owner: bytes) -> str:
    """How the key ring calls a key of somebody else: by fingerprint, because anybody may write any name for himself."""
    return f"{alias}${owner.hex()}"


class Taking:
    """I keep them in my key ring. ``is_friend`` says who may leave private keys here."""

    def __init__(self, around: Connected, is_friend: Callable[[bytes], bool]) -> None:
        self._around = around
        self._me = around.me
        self._is_friend = is_friend

    def row(self) -> Row:
        """The row of the packet table by which an owner gives me a key."""
        fields = Struct({"kind": Choice((KIND,))})
        return Row(
            Command.KEY, KIND, fields, MAX_OFFER, Who.ANYONE, "service_key_exchange", self._take,
            gathers=True, cost=COST,
        )  # fmt: skip

    async def _take(self, request: Request) -> Answer:
        data, document = await request.payload.read_all(MAX_OFFER), request.peer.document
        offer = read_offer(data, document, self._me.fingerprint)  # type: ignore[arg-type]
        if is_hidden(offer.word.alias):
            raise WireError("not-allowed", "such a key is a program's own, and nobody's to give")
        if offer.word.alias == MASTER:
            raise WireError("not-allowed", "a master key is nobody's to give; its public part is in the identity")
        if offer.private is not None and not self._is_friend(offer.word.owner):
            raise WireError("not-allowed", "this node takes private keys of friends alone")
        if self._has(offer):
            return ack()
        self._need_place(offer)
        public, private = offer.pem, None
        if offer.private is not None:
            private = await self._around.world.run_in_thread(check_private, offer)
        self._keep(offer, public, private, document)
        return ack()

    def _has(self, offer: KeyOffer) -> bool:
        """Whether the same key is here. Another one of that name is never replaced: raises ``key-exists``."""
        name = ring_name(offer.word.alias, offer.word.owner)
        if name not in self._me.key_ring:
            return False
        known = self._me.key_ring.get(name)
        if known.public != offer.pem:
            raise BitDustError("key-exists", f"another key of yours named {offer.word.alias!r} is here already")
        return known.private is not None or offer.private is None

    def _need_place(self, offer: KeyOffer) -> None:
        """Raises `BitDustError` ``too-many-keys``."""
        ring, owner = self._me.key_ring, offer.word.owner
        name, suffix = ring_name(offer.word.alias, owner), f"${owner.hex()}"
        others = [key.key_id for key in ring.living() if "$" in key.key_id and key.key_id != name]
        if sum(one.endswith(suffix) for one in others) >= MOST_OF_ONE:
            raise BitDustError("too-many-keys", f"at most {MOST_OF_ONE} keys of one person are kept here")
        kept = sum(len(encode(ring.keys[one].as_map())) for one in others)
        if kept + len(offer.pem) + len(offer.private or "") > MOST_BYTES:
            raise BitDustError("too-many-keys", f"all keys of others have at most {MOST_BYTES} bytes here")
        if self._is_friend(owner):
            return
        if name in ring.keys and ring.keys[name].erased:
            raise BitDustError("not-allowed", "the person of this node has erased that key")
        strangers = sum(not self._is_friend(owner_of(one)) for one in others)
        if strangers >= MOST_OF_STRANGERS:
            raise BitDustError("too-many-keys", "this node keeps no more keys of people who are no friends")

    def _keep(self, offer: KeyOffer, public: str, private: str | None, document: Any) -> None:
        ring, word = self._me.key_ring, offer.word
        name = ring_name(word.alias, word.owner)
        if self._has(offer):  # it came twice at the same moment
            return
        if name in ring:
            ring.complete(name, private or "")
        else:
            ring.add(RingKey(name, word.label, private=private, public=public))
        self._me.save_key_ring()
        if isinstance(document, IdentityDocument):
            self._around.identities.keep(document)
        is_proven = self._around.identities.is_proven(word.owner)
        shown = f"{word.alias}${document.global_id if is_proven else word.owner.hex()}"
        names = {"key_id": shown, "local_key_id": name, "label": word.label, "fingerprint": word.owner.hex()}
        self._around.events.send("key-registered", names | {"is_private": private is not None})


def owner_of(name: str) -> bytes:
    """Whose key it is, by the name that the ring has for it; empty where that is no fingerprint."""
    try:
        return bytes.fromhex(name.partition("$")[2])
    except ValueError:
        return b""
