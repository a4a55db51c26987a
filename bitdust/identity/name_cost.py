"""What a new name costs at an ID server: some work, a little for a person, and more for each further name.

Keys cost nothing, so without it one network takes all names of a server in an hour. Whoever registers a name looks for
a number whose hash, together with name, server and key, begins with so many zero bits; the server checks it with one
hash. The first names of a network in a day cost a blink. Those of the household, and every change of a document that is
there already, cost nothing.
"""

import hashlib
from collections import deque
from itertools import count

from twisted.internet.interfaces import IReactorTime

from bitdust.scopes.networks import Household, network_of

HEADER = "X-BitDust-Work"
"""Of an answer 428: how many bits are wanted; of a request: the number that was found."""
CHEAPEST, DEAREST = 14, 26
NAMES_AT_A_PRICE = 4
"""Each bit doubles the work: so many names of one network in a day have the same price."""
DAY = 86_400.0
MOST_NETWORKS = 10_000
_DOMAIN = b"BitDust name 1\0"


def is_worked(challenge: bytes, number: str, bits: int) -> bool:
    """Whether the work was done."""
    if not number.isascii() or not number.isdigit() or len(number) > 20:
        return False
    return _hash(challenge, int(number)) >> (256 - bits) == 0


def work(challenge: bytes, bits: int) -> str:
    """Look for the number. Long on purpose: use a thread."""
    return next(str(number) for number in count() if _hash(challenge, number) >> (256 - bits) == 0)


def challenge_of(name: str, server: str, fingerprint: bytes) -> bytes:
    """What the work is about; ``server`` is ``host:port``."""
    return _DOMAIN + f"{name}\0{server}\0".encode() + fingerprint


def _hash(challenge: bytes, number: int) -> int:
    return int.from_bytes(hashlib.sha256(challenge + number.to_bytes(16, "big")).digest(), "big")


class NamePrices:
    """I know how many names each network has taken within a day."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._taken: dict[str, deque[float]] = {}

    def bits(self, host: str, household: Household, fill: float) -> int:
        """What the next name costs somebody at ``host``; the last names of a server, by its ``fill``, are dear."""
        if host in household:
            return 0
        taken = len(self._of(network_of(host)))
        return min(DEAREST, CHEAPEST + taken // NAMES_AT_A_PRICE + int(8 * fill))

    def note(self, host: str, household: Household) -> None:
        """A name was taken."""
        if host in household:
            return
        network = network_of(host)
        times = self._of(network)
        times.append(self._clock.seconds())
        self._taken.pop(network, None)
        self._taken[network] = times
        if len(self._taken) > MOST_NETWORKS:
            del self._taken[next(iter(self._taken))]

    def _of(self, network: str) -> deque[float]:
        times = self._taken.get(network, deque())
        while times and self._clock.seconds() - times[0] > DAY:
            times.popleft()
        return times
