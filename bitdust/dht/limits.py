"""What a stranger must show, and how much of us he may use."""

import hmac
from collections import OrderedDict
from collections.abc import Callable

from attrs import define

from bitdust.dht.contact import network, reach
from bitdust.dht.messages import TOKEN_BYTES

ROTATION = 300.0
MAX_HOSTS = 10_000


class Tokens:
    """An address proves that it receives what is sent to it: HMAC-SHA-256 under a secret that changes every 5 minutes.

    The secret before is accepted too, so a token holds for 5 to 10 minutes, and nothing is remembered per address.
    """

    def __init__(self, entropy: Callable[[int], bytes], now: float) -> None:
        self._entropy = entropy
        self._secrets = (entropy(32), entropy(32))
        self._turned = now

    def give(self, address: tuple[str, int], now: float) -> bytes:
        """The token of an address."""
        self._turn(now)
        return _token(self._secrets[0], address)

    def holds(self, token: bytes | None, address: tuple[str, int], now: float) -> bool:
        """Whether this address was given that token lately."""
        if token is None:
            return False
        self._turn(now)
        newer, older = self._secrets
        return hmac.compare_digest(token, _token(newer, address)) or hmac.compare_digest(token, _token(older, address))

    def _turn(self, now: float) -> None:
        if now - self._turned < ROTATION:
            return
        stale = now - self._turned >= 2 * ROTATION
        self._secrets = (self._entropy(32), self._entropy(32) if stale else self._secrets[0])
        self._turned = now


def _token(secret: bytes, address: tuple[str, int]) -> bytes:
    return hmac.digest(secret, f"{address[0]}\0{address[1]}".encode(), "sha256")[:TOKEN_BYTES]


@define
class _Bucket:
    level: float
    since: float


class Rates:
    """A token bucket a host: ``rate`` a second, ``burst`` at once. Loopback is never refused.

    Of IPv6 a whole network has one: who has one address of it has as many as it likes.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._hosts: OrderedDict[str, _Bucket] = OrderedDict()

    def allow(self, host: str, now: float, cost: float = 1.0) -> bool:
        """Take ``cost`` from the host's bucket, or refuse."""
        if reach(host) == 1:
            return True
        name = network(host) if ":" in host else host
        bucket = self._hosts.get(name)
        if bucket is None:
            bucket = self._hosts[name] = _Bucket(self._burst, now)
            if len(self._hosts) > MAX_HOSTS:
                self._hosts.popitem(last=False)
        self._hosts.move_to_end(name)
        bucket.level = min(self._burst, bucket.level + (now - bucket.since) * self._rate)
        bucket.since = now
        if bucket.level < cost:
            return False
        bucket.level -= cost
        return True
