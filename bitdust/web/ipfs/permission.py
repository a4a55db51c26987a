"""Who may call which commands of the RPC: everybody on this machine, or whoever has credentials where there are any.

With one authorization, every call needs one, on this machine as well, as with the daemons that clients know. Programs
of the owner, the command line among them, show the secret of the node's own API instead, and may do everything.
"""

import hmac
from typing import Protocol

from attrs import frozen

from bitdust.ipfs.credentials import Credentials
from bitdust.web.dialect import Head, Reply
from bitdust.web.guard import Failures
from bitdust.web.ipfs.answers import failed, refused
from bitdust.wire.errors import BitDustError

CHALLENGE = b'WWW-Authenticate: Basic realm="IPFS", charset="UTF-8"\r\nWWW-Authenticate: Bearer\r\n'
NEEDED = "this call needs credentials: bitdust ipfs authorize NAME makes some"
NOT_ALLOWED = "these credentials do not allow this command: bitdust ipfs authorizations shows what they allow"


class Caller(Protocol):
    """Somebody who is let in; `bitdust.ipfs.credentials.Authorization` is one."""

    def allows(self, path: str, /) -> bool:
        """Whether a path of the RPC may be called."""


@frozen
class Anybody:
    """May call everything."""

    def allows(self, path: str) -> bool:
        return True


ANYBODY = Anybody()


class Permission:
    """``elsewhere``: the port can be reached from other machines, so that nobody is let in without credentials."""

    def __init__(self, credentials: Credentials, secret: bytes, failures: Failures, elsewhere: bool) -> None:
        self._credentials = credentials
        self._secret = secret
        self._failures = failures
        self._elsewhere = elsewhere

    def caller(self, head: Head, headers: bytes) -> Caller | Reply:
        """Who calls, or the reply for who is not let in."""
        try:
            if not self._elsewhere and not self._credentials.all():
                return ANYBODY
            shown = head.single(b"Api_secret")
            if shown is not None and hmac.compare_digest(shown, self._secret):
                return ANYBODY
            given = head.single(b"Authorization")
            found = self._credentials.of(given)
        except BitDustError as error:
            return failed(error, headers)
        if found is not None:
            return found
        if given is None and shown is None:
            return refused(401, 4, NEEDED, headers + CHALLENGE)
        refusal = self._failures.refuse()
        return refused(refusal.status, 4, refusal.text, headers + (CHALLENGE if refusal.status == 401 else b""))
