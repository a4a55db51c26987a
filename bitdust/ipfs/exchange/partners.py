"""Partners of the exchange: peers that may be asked for blocks, and what is known of each.

Asked are friends, other devices of mine, whoever a person has connected to by ``swarm/connect``, and nodes that say in
the DHT that they have something. Nobody else learns what is wanted here, although many more may be connected.
"""

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from bitdust.automats.kernel import doubled
from bitdust.nearby import network_name
from bitdust.surroundings import Connected
from bitdust.wire.table import Who

ASKED = Who.FRIEND | Who.DEVICE
BANNED_SECONDS = 3600.0
"""Who has sent a block that is none is not asked for so long."""
DEAF_SECONDS, MOST_DEAF = 5.0, 600.0
"""Who does not know the exchange is not asked for so long, the first time and in the end."""
REMEMBERED = 1024
Key = tuple[bytes, bytes]
"""Fingerprint and device id."""


@define
class Counts:
    """Since the exchange was opened."""

    blocks_received: int = 0
    data_received: int = 0
    blocks_sent: int = 0
    data_sent: int = 0
    duplicate_blocks: int = 0
    duplicate_data: int = 0
    messages: int = 0
    lies: int = 0


@define
class Ledger:
    """What went to and fro between a peer and this node; bytes of blocks, and how many of them."""

    sent_bytes: int = 0
    received_bytes: int = 0
    sent: int = 0
    received: int = 0
    messages: int = 0

    @property
    def debt(self) -> float:
        """What the peer has had of this node beside what it has given."""
        return self.sent_bytes / (self.received_bytes + 1)

    @property
    def exchanged(self) -> int:
        """Messages both ways."""
        return self.messages


@define(eq=False)
class Partner:
    """One peer device that is connected."""

    key: Key
    session: Any
    ledger: Ledger = field(factory=Ledger)
    flying: int = 0
    """Requests that it has not answered."""
    speaks: bool = True
    """Whether it permits the exchange."""
    ignorant: int = 0
    """How often it did not know the packets of the exchange: it may be starting."""
    deaf_until: float = 0.0
    """When it is asked again after that, in seconds of the reactor's clock."""


class Partners:
    """I know who may be asked, and remember what was exchanged with whom."""

    def __init__(self, around: Connected, has_role: Callable[[Who, bytes], bool]) -> None:
        self._clock: IReactorTime = around.world.clock
        self._sessions = around.sessions
        self._settings = around.settings
        self._me = around.me
        self._has_role = has_role
        self._ledgers: dict[Key, Ledger] = {}
        self._banned: dict[Key, float] = {}
        self._named: dict[Key, None] = {}
        self._known: dict[Any, Partner] = {}

    def ledger(self, key: Key) -> Ledger:
        """Of a peer; the last ones that were needed are remembered."""
        found = self._ledgers.pop(key, None) or Ledger()
        self._ledgers[key] = found
        if len(self._ledgers) > REMEMBERED:
            del self._ledgers[next(iter(self._ledgers))]
        return found

    def ledgers(self) -> dict[Key, Ledger]:
        """All that are remembered."""
        return dict(self._ledgers)

    def network(self, key: Key) -> str:
        """The network from which a stranger has come, whose keys count as one; empty for friends, and the household."""
        if self._has_role(ASKED, key[0]):
            return ""
        session = next((one for one in self._sessions.sessions() if key_of(one) == key), None)
        return network_name(self._settings, session.address) if session is not None else ""

    def name(self, key: Key) -> None:
        """A person wants this peer to be asked, as long as it stays connected."""
        self._named[key] = None
        if len(self._named) > REMEMBERED:
            del self._named[next(iter(self._named))]

    def forget_name(self, key: Key) -> None:
        """No more than others."""
        self._named.pop(key, None)

    def ban(self, partner: Partner) -> None:
        """It lies."""
        self._banned[partner.key] = self._clock.seconds() + BANNED_SECONDS
        if len(self._banned) > REMEMBERED:
            del self._banned[next(iter(self._banned))]

    def is_banned(self, key: Key) -> bool:
        return self._banned.get(key, 0.0) > self._clock.seconds()

    def connected(self) -> list[Partner]:
        """Those who may be asked now."""
        living: dict[Any, Partner] = {}
        for session in self._sessions.sessions():
            key = key_of(session)
            if session.ended is None and self.may_ask(key):
                living[session] = self._known.get(session) or Partner(key, session, self.ledger(key))
        self._known = living
        now = self._clock.seconds()
        return [one for one in living.values() if one.speaks and one.deaf_until <= now]

    def note_ignorance(self, partner: Partner) -> None:
        """It does not know the packets of the exchange now."""
        partner.deaf_until = self._clock.seconds() + doubled(DEAF_SECONDS, partner.ignorant, MOST_DEAF)
        partner.ignorant += 1

    def may_ask(self, key: Key) -> bool:
        """Whether a peer is one of those who are asked."""
        if self.is_banned(key) or (self._me.present and key[1] == self._me.device.id):
            return False
        return key in self._named or self._has_role(ASKED, key[0])


def key_of(session: Any) -> Key:
    """Who is at the other end of a proven session."""
    return session.peer.fingerprint, session.peer.device


def best_first(partners: Iterable[Partner]) -> list[Partner]:
    """Who has the fewest requests, and of them who has given most."""
    return sorted(partners, key=lambda one: (one.flying, -one.ledger.received_bytes, one.key))
