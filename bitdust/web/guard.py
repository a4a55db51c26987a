"""Who may speak to the API at all: the right Host, the right Origin, the right secret."""

import hmac
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

LOCAL_HOSTS = frozenset(("localhost", "127.0.0.1", "::1"))
FAILURES = 10.0
FAILURES_PER_SECOND = 10.0 / 60.0


@frozen
class Refusal:
    """An HTTP status, a stable code and a sentence."""

    status: int
    code: str
    text: str


WRONG_HOST = Refusal(403, "wrong-host", "this Host is not allowed; see the setting interface/api/allowed-hosts")
WRONG_ORIGIN = Refusal(403, "wrong-origin", "this Origin is not allowed; see the setting interface/api/allowed-origins")
DENIED = Refusal(401, "access-denied", "access denied")
TOO_MANY = Refusal(429, "too-many-failures", "too many calls with a wrong secret; wait a minute")


class Failures:
    """Wrong secrets cost a token each, and a minute gives ten: nobody tries many of them."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._tokens = FAILURES
        self._filled = clock.seconds()

    def refuse(self) -> Refusal:
        """How to refuse one more."""
        now = self._clock.seconds()
        self._tokens = min(FAILURES, self._tokens + (now - self._filled) * FAILURES_PER_SECOND)
        self._filled = now
        if self._tokens < 1:
            return TOO_MANY
        self._tokens -= 1
        return DENIED


class Guard:
    """Judges calls before the method table. The right secret always passes, so that nobody can lock the owner out."""

    def __init__(
        self,
        clock: IReactorTime,
        secret: bytes | None,
        hosts: Callable[[], Iterable[str]],
        origins: Callable[[], Iterable[str]],
    ) -> None:
        self._secret = secret
        self._hosts = hosts
        self._origins = origins
        self._failures = Failures(clock)
        self._known_hosts: set[bytes] = set()

    def refuse(self, host: bytes | None, origin: bytes | None, site: bytes | None) -> Refusal | None:
        """Why this Host, Origin or ``Sec-Fetch-Site`` may not call, or None."""
        if host is None or (host not in self._known_hosts and not self._host_allowed(host)):
            return WRONG_HOST
        if origin is not None:
            return None if self._origin_allowed(origin) else WRONG_ORIGIN
        return WRONG_ORIGIN if site == b"cross-site" else None

    def refuse_secret(self, given: bytes | None) -> Refusal | None:
        """Why this secret does not open the API, or None; compared in constant time."""
        if self._secret is None or (given is not None and hmac.compare_digest(given, self._secret)):
            return None
        return self._failures.refuse()

    def _host_allowed(self, host: bytes) -> bool:
        name = _host_name("http://" + host.decode("latin-1"))
        if name in LOCAL_HOSTS:
            if len(self._known_hosts) < 100:
                self._known_hosts.add(host)
            return True
        return name is not None and name in self._hosts()

    def _origin_allowed(self, origin: bytes) -> bool:
        text = origin.decode("latin-1")
        if text in self._origins():
            return True
        return text.startswith(("http://", "https://")) and _host_name(text) in LOCAL_HOSTS


def _host_name(url: str) -> str | None:
    if not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        if parts.port == 0 or parts.path or parts.query or parts.fragment or parts.username is not None:
            return None
        return parts.hostname
    except ValueError:
        return None
