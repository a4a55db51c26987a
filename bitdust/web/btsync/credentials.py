"""The name and password that clients give, as HTTP's Basic scheme has them (RFC 7617).

A password may be known by its hash alone, as `crypt(3)` of this system makes and checks it.
"""

import ctypes
import ctypes.util
import hashlib
import hmac
from collections.abc import Callable
from functools import cache

from attrs import define, frozen
from twisted.internet.interfaces import IReactorTime

from bitdust.web.guard import Failures, Refusal
from bitdust.wire.authorization import BASIC, credentials
from bitdust.wire.errors import BitDustError

MAX_HEADER = 4096


@frozen(repr=False)
class Known:
    """What a client must give; with neither name nor password everybody on this machine is let in."""

    login: str
    password: str = ""
    password_hash: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.login or self.password or self.password_hash)

    @property
    def safe(self) -> bool:
        """Whether it is enough for clients of other machines."""
        return bool(self.password or self.password_hash)


@define(eq=False)
class Credentials:
    """Compares in constant time; wrong ones cost tokens. A hash is made for what was right before only once."""

    _known: Callable[[], Known]
    _failures: Failures
    _needed: bool = False
    """Whether nobody is let in without a password, be it that none is known."""
    _right: tuple[Known, bytes] | None = None

    @classmethod
    def on(cls, clock: IReactorTime, known: Callable[[], Known], needed: bool = False) -> "Credentials":
        """Those that are ``known`` at the time when somebody calls."""
        return cls(known, Failures(clock), needed)

    def refuse(self, header: bytes | None) -> Refusal | None:
        """Why who sends this header ``Authorization`` is not let in, or None."""
        known = self._known()
        if known.safe or (known.any and not self._needed):
            passes = self._matches(known, header)
        else:
            passes = not self._needed
        if passes:
            return None
        return self._failures.refuse()

    def _matches(self, known: Known, header: bytes | None) -> bool:
        said = credentials(header, MAX_HEADER)
        if said is None or said[0] != BASIC:
            return False
        given = said[1]
        if not known.password_hash:
            return hmac.compare_digest(given, f"{known.login}:{known.password}".encode())
        digest = hashlib.sha256(given).digest()
        if self._right is not None and self._right[0] == known and hmac.compare_digest(self._right[1], digest):
            return True
        login, _, password = given.partition(b":")
        if not (hmac.compare_digest(login, known.login.encode()) and matches_hash(password, known.password_hash)):
            return False
        self._right = (known, digest)
        return True


def matches_hash(password: bytes, known: str) -> bool:
    """Whether a password has this hash. Raises `BitDustError` ``no-crypt`` where this system cannot tell."""
    made = _crypt()(password, known.encode()) if b"\0" not in password else None
    return made is not None and len(made) > 2 and hmac.compare_digest(made, known.encode())


@cache
def _crypt() -> Callable[[bytes, bytes], bytes | None]:
    name = ctypes.util.find_library("crypt")
    try:
        function = ctypes.CDLL(name).crypt
    except (OSError, AttributeError) as error:
        raise BitDustError("no-crypt", "this system has no crypt(3) to check a password_hash with") from error
    function.restype, function.argtypes = ctypes.c_char_p, (ctypes.c_char_p, ctypes.c_char_p)
    found: Callable[[bytes, bytes], bytes | None] = function
    return found
