"""Who may call the RPC of IPFS where it asks for credentials, and which commands each may call.

The node makes every secret itself, of 192 random bits, and shows it once: what is kept is its hash, which a person who
reads the file cannot go back from, and which costs nothing to compare at each call. One file, as all that is to be
private: 0600, and small enough to be written whole.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from bitdust.crypt.files import make_private_folder, write_safely
from bitdust.wire.authorization import BASIC, BEARER, credentials
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.schema import Bytes, Choice, Int, ListOf, Struct, Text, parse

NAME = "ipfs-authorizations"
EVERYTHING = "/api/v0"
ALWAYS = f"{EVERYTHING}/version"
"""Every client looks at the version first, so who may do anything may do this."""
SECRET_BYTES = 24
MOST = 100
MOST_PATHS = 100
LONGEST_NAME = 100
LONGEST_PATH = 200
LONGEST_FILE = 1 << 20
LONGEST_HEADER = 1000
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,100}")
_PATH = re.compile(r"/api/v0(/[a-z0-9-]+)*")
_SCHEMA = Struct(
    {
        "version": Int(1, 1),
        "authorizations": ListOf(
            Struct(
                {
                    "name": Text(LONGEST_NAME),
                    "kind": Choice((BEARER, BASIC)),
                    "digest": Bytes(32, 32),
                    "paths": ListOf(Text(LONGEST_PATH), MOST_PATHS),
                }
            ),
            MOST,
        ),
    }
)


@frozen
class Authorization:
    """Somebody who may call: ``digest`` is the SHA-256 of a token, or of ``name:password``."""

    name: str
    kind: str
    digest: bytes
    paths: tuple[str, ...]

    def allows(self, path: str) -> bool:
        """Whether a path of the RPC is one of those that it may call, or lies below one."""
        return path == ALWAYS or any(path == one or path.startswith(f"{one}/") for one in self.paths)


class Credentials:
    """All authorizations of a node. Each method may read or write a small file."""

    def __init__(self, home: Path, entropy: Callable[[int], bytes]) -> None:
        self.path = home / "metadata" / NAME
        self._entropy = entropy
        self._known: dict[str, Authorization] | None = None

    def all(self) -> list[Authorization]:
        """By name. Raises `BitDustError` ``damaged-store`` or ``os-error``: nobody is let in then."""
        if self._known is None:
            self._known = {one.name: one for one in self._read()}
        return [self._known[name] for name in sorted(self._known)]

    def add(self, name: str, kind: str = BEARER, paths: tuple[str, ...] = (EVERYTHING,)) -> tuple[Authorization, str]:
        """A new one, and its secret, which is known nowhere else. Raises `BitDustError`: bad-argument, exists,
        too-many, os-error."""
        if not _NAME.fullmatch(name):
            raise BitDustError("bad-argument", "a name has 1 to 100 letters, digits or any of . _ @ -")
        if not paths or len(paths) > MOST_PATHS or not all(map(_PATH.fullmatch, paths)):
            raise BitDustError("bad-argument", f"a path is {EVERYTHING}, or a command below it, as {EVERYTHING}/pin/ls")
        before = self.all()
        if any(one.name == name for one in before):
            raise BitDustError("exists", f"{name!r} is authorized already; remove it to give it another secret")
        if len(before) >= MOST:
            raise BitDustError("too-many", f"at most {MOST} authorizations are kept")
        secret = base64.urlsafe_b64encode(self._entropy(SECRET_BYTES)).decode()
        made = Authorization(name, kind, _digest(_said(kind, name, secret)), paths)
        self._write([*before, made])
        return made, secret

    def remove(self, name: str) -> None:
        """Let it in no more. Raises `BitDustError`: not-found, os-error."""
        before = self.all()
        after = [one for one in before if one.name != name]
        if len(after) == len(before):
            raise BitDustError("not-found", f"nobody called {name[:100]!r} is authorized")
        self._write(after)

    def of(self, header: bytes | None) -> Authorization | None:
        """Whose credentials these are, as a header ``Authorization`` has them."""
        said = credentials(header, LONGEST_HEADER)
        if said is None:
            return None
        kind, words = said
        digest, found = _digest(words), None
        for one in self.all():
            if hmac.compare_digest(one.digest, digest) and one.kind == kind:
                found = one
        return found

    def _read(self) -> list[Authorization]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._trouble(error) from error
        try:
            rows = parse(data, _SCHEMA, LONGEST_FILE, "authorizations")["authorizations"]
        except WireError as error:
            text = f"{self.path} cannot be read ({error}); move it away to begin without authorizations"
            raise BitDustError("damaged-store", text) from error
        return [Authorization(row["name"], row["kind"], row["digest"], tuple(row["paths"])) for row in rows]

    def _write(self, rows: list[Authorization]) -> None:
        plain = [
            {"name": one.name, "kind": one.kind, "digest": one.digest, "paths": list(one.paths)}
            for one in sorted(rows, key=lambda one: one.name)
        ]
        try:
            make_private_folder(self.path.parent)
            write_safely(self.path, encode({"version": 1, "authorizations": plain}))
        except OSError as error:
            raise self._trouble(error) from error
        self._known = {one.name: one for one in rows}

    def _trouble(self, error: OSError) -> BitDustError:
        return BitDustError("os-error", f"{self.path}: {error.strerror or error}")


def _said(kind: str, name: str, secret: str) -> bytes:
    return (f"{name}:{secret}" if kind == BASIC else secret).encode()


def _digest(words: bytes) -> bytes:
    return hashlib.sha256(words).digest()
