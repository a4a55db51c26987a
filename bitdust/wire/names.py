"""Names that people and programs type, and their parts.

==================  ==========================================  =====================================
IDURL               ``http://host:8084/alice.xml``              where the identity document is
global id           ``alice@host_8084``                         the same, short
key id              ``master$alice@host_8084``                  one key of that user
remote path         ``master$alice@host_8084:docs/a.txt``       a place in the catalog of that key
path id             ``0/0/1`` or ``0/0/1.2``                    its number; ``.2`` = made by device 2
version             ``F20261121034159123-0``                    UTC to the millisecond, and the device
backup id           ``master$alice@host:0/0/1/F2026…-0``        one version of one item
==================  ==========================================  =====================================
"""

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

from attrs import frozen

from bitdust.wire.encoding import WireError

MAX_REMOTE_PATH = 4096
MAX_PATH_DEPTH = 128
MAX_NAME = 255
USER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,18}[a-z0-9]")
SHARE_PREFIX, GROUP_PREFIX = "share_", "group_"
"""How aliases of keys begin that were made for a share, or for a group."""
KEY_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
HIDDEN = "hidden."
"""So the alias of a key begins that the program uses for itself: neither it nor its files are in lists."""
FOLDER_KEYS = f"{HIDDEN}folder."
"""How aliases begin that are each for one folder in sync at suppliers."""
MAX_HOST = 253
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_GLOBAL_ID = re.compile(r"([a-z0-9_-]{3,20})@([a-z0-9.-]+?)(?:_(\d{1,5}))?", re.ASCII)
_CUT_SHORT = re.compile(rf"({SHARE_PREFIX}|{GROUP_PREFIX})[0-9a-f]{{32}}@.*", re.DOTALL)
_SHARED = re.compile(rf"{SHARE_PREFIX}[0-9a-f]{{32}}\${_GLOBAL_ID.pattern}", re.ASCII)
_PATH_ID = re.compile(r"\d{1,9}(\.\d{1,15})?(/\d{1,9}(\.\d{1,15})?)*", re.ASCII)
_VERSION = re.compile(r"F(\d{17})-(\d{1,15})", re.ASCII)
_PLAIN_MOMENT = re.compile(
    r"F[12]\d{3}((0[1-9]|1[0-2])(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])(29|30))([01]\d|2[0-3])[0-5]\d[0-5]\d\d{3}-",
    re.ASCII,
)
"""Nearly all versions are such moments for sure; to look at one further takes ten times as long."""
LATEST = datetime(3000, 1, 1, tzinfo=UTC).timestamp()
"""Nobody has stored anything later: whoever says so wants that nothing could follow."""
_OLD_VERSION = re.compile(r"F(\d{8})(\d{6})(AM|PM)", re.ASCII)


def is_hidden(alias: str) -> bool:
    """Whether a key of mine is the program's own; somebody else's key is not, whatever it is called."""
    return alias.startswith(HIDDEN) and "$" not in alias


class BadName(WireError):
    """A name that is not of the form it should have; code ``bad-name``."""

    def __init__(self, text: str) -> None:
        super().__init__("bad-name", text)


NOWHERE = ".invalid"


@frozen
class IDURL:
    """Where an identity document is: ``http(s)://host[:port]/name.xml``."""

    scheme: str
    host: str
    port: int
    name: str

    @classmethod
    def parse(cls, text: str) -> "IDURL":
        """Raises `BadName` for anything but a plain http(s) URL of one ``.xml`` file."""
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError as error:
            raise BadName(f"{text[:100]!r} is not an identity URL: {error}") from error
        default = {"http": 80, "https": 443}.get(parts.scheme)
        name = parts.path[1:].removesuffix(".xml")
        plain = not (parts.query or parts.fragment or parts.username or parts.password)
        host = (parts.hostname or "").lower()
        is_host = len(host) <= MAX_HOST and _HOST.fullmatch(host) is not None
        if default is None or port == 0 or not plain or not parts.path.endswith(".xml") or not is_host:
            raise BadName(f"{text[:100]!r} is not an identity URL such as http://host/alice.xml")
        if not USER_NAME.fullmatch(name):
            raise BadName(f"{name[:100]!r} is not a user name: 3 to 20 of a-z 0-9 - _")
        return cls(parts.scheme, host, port or default, name)

    @property
    def netloc(self) -> str:
        standard = {"http": 80, "https": 443}[self.scheme]
        return self.host if self.port == standard else f"{self.host}:{self.port}"

    @property
    def global_id(self) -> str:
        standard = {"http": 80, "https": 443}[self.scheme]
        return f"{self.name}@{self.host}" + ("" if self.port == standard else f"_{self.port}")

    @property
    def is_nowhere(self) -> bool:
        """Whether no server is ever asked for it: its host is under a name that never leads anywhere (RFC 6761)."""
        return self.host.endswith(NOWHERE)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}/{self.name}.xml"


def nameless(fingerprint: bytes) -> IDURL:
    """What stands in the document of who is known by the key alone, in the place of a name at an ID server."""
    digits = fingerprint.hex()
    return IDURL("http", f"{digits[:32]}{NOWHERE}", 80, f"n-{digits[:12]}")


def is_global_id(text: str) -> bool:
    """True for ``alice@host`` and ``alice@host_8084``."""
    return _GLOBAL_ID.fullmatch(text) is not None


def check_whole(text: str) -> None:
    """Raises `BadName` for the key id of a share or group from which a shell has taken the ``$`` and what follows."""
    if _CUT_SHORT.fullmatch(text) is not None:
        text = f"{text[:100]!r} lacks what stands behind the $ of a key id: in a shell put it between 'single quotes'"
        raise BadName(text)


def idurl_of(user: str) -> IDURL:
    """The IDURL of a global id, a key id or an IDURL; plain http unless the port is 443."""
    if "://" in user:
        return IDURL.parse(user)
    check_whole(user)
    match = _GLOBAL_ID.fullmatch(user.partition("$")[2] or user)
    if match is None:
        raise BadName(f"{user[:100]!r} is neither an identity URL nor a global id such as alice@host")
    name, host, port = match.groups()
    scheme = "https" if port == "443" else "http"
    return IDURL.parse(f"{scheme}://{host}{':' + port if port else ''}/{name}.xml")


@frozen
class KeyId:
    """``alias$name@host``: one key of one user."""

    alias: str
    owner: str

    @classmethod
    def parse(cls, text: str) -> "KeyId":
        check_whole(text)
        alias, dollar, owner = text.partition("$")
        if not dollar or not KEY_ALIAS.fullmatch(alias) or not is_global_id(owner):
            raise BadName(f"{text[:100]!r} is not a key id such as master$alice@host")
        return cls(alias, owner)

    def __str__(self) -> str:
        return f"{self.alias}${self.owner}"


@frozen
class RemotePath:
    """``key_id:path``, ``key_id:path_id`` or either followed by ``/version``; ``path`` has no leading slash.

    The key id of a share alone is all of the share. Without a key it is a path of one's own. Where such a path begins
    like somebody's global id, or is one like the key id of a share, its text begins with a slash: ``/alice@host:notes``
    is a file of that name, ``alice@host:notes`` one in the catalog of alice.
    """

    key: KeyId | None
    path: str

    @classmethod
    def parse(cls, text: str) -> "RemotePath":
        """Refuses ``..``, empty parts, null characters and more than 4096 bytes; code ``bad-name``."""
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise BadName("the path is not valid UTF-8 text") from error
        if size > MAX_REMOTE_PATH:
            raise BadName(f"the path has {size} bytes; at most {MAX_REMOTE_PATH} are allowed")
        head, colon, tail = text.partition(":")
        if colon and "$" in head:
            return cls(KeyId.parse(head), clean_path(tail))
        check_whole(head)
        if _SHARED.fullmatch(text) is not None:
            return cls(KeyId.parse(text), "")
        if colon and is_global_id(head):
            return cls(KeyId("master", head), clean_path(tail))
        return cls(None, clean_path(text))

    def __str__(self) -> str:
        if self.key is not None:
            return f"{self.key}:{self.path}"
        head, colon, _ = self.path.partition(":")
        is_elsewhere = (colon and is_global_id(head)) or _SHARED.fullmatch(self.path) is not None
        return f"/{self.path}" if is_elsewhere else self.path


def shown(name: bytes) -> str:
    r"""A name of a file system, or a path, for people and for JSON: bytes that are no UTF-8 stand as ``\xNN``."""
    return name.decode("utf-8", "backslashreplace")


def clean_path(text: str) -> str:
    """A path inside a catalog without slashes around it; refuses what could lead elsewhere."""
    parts = text.strip("/").split("/") if text.strip("/") else []
    if len(parts) > MAX_PATH_DEPTH:
        raise BadName(f"the path has {len(parts)} levels; at most {MAX_PATH_DEPTH} are allowed")
    for part in parts:
        if part in ("", ".", "..") or "\0" in part:
            raise BadName("the path must not hold '..', '.', empty parts or null characters")
        if len(part.encode()) > MAX_NAME:
            raise BadName(f"a name in the path is longer than {MAX_NAME} bytes")
    return "/".join(parts)


def is_entry_name(name: bytes) -> bool:
    """Whether this is the name of something in a folder, and leads nowhere: devices write names, and one may lie."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


def is_path_id(text: str) -> bool:
    """True for ``0/0/1`` and ``0/0/1.2``."""
    return _PATH_ID.fullmatch(text) is not None


def new_version(wall: float, device_number: int) -> str:
    """The name of a version made now: sorts by time, unique over devices."""
    moment = datetime.fromtimestamp(int(wall * 1000) / 1000, UTC)
    return f"F{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}-{device_number}"


def version_time(version: str) -> float:
    """Seconds since the epoch; reads the old form ``F20160313043757PM`` as well. Raises `BadName`."""
    try:
        if match := _VERSION.fullmatch(version):
            digits = match.group(1)
            moment = datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            return moment.timestamp() + int(digits[14:]) / 1000
        if match := _OLD_VERSION.fullmatch(version):
            moment = datetime.strptime("".join(match.groups()), "%Y%m%d%I%M%S%p")
            return moment.replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise BadName(f"{version[:60]!r} names no moment in time") from error
    raise BadName(f"{version[:60]!r} is not a version such as F20261121034159123-0")


def is_moment(version: str) -> bool:
    """Whether a version names a moment that is one, in an era in which others can follow."""
    if _PLAIN_MOMENT.match(version):
        return True
    try:
        return version_time(version) < LATEST
    except BadName:
        return False


def maker_of(name: str) -> int:
    """The number that says who made a version, or an item by its path id: that of a device, or of a guest's."""
    if match := _VERSION.fullmatch(name):
        return int(match.group(2))
    return int(name.rpartition("/")[2].partition(".")[2] or "0")


def is_version(text: str) -> bool:
    """True for both forms of version names."""
    return _VERSION.fullmatch(text) is not None or _OLD_VERSION.fullmatch(text) is not None


def split_version(path: str) -> tuple[str, str | None]:
    """``0/0/1/F…-0`` → (``0/0/1``, ``F…-0``); the version is None where the last part is none."""
    head, _, tail = path.rpartition("/")
    return (head, tail) if is_version(tail) else (path, None)
