"""What programs and people may ask of synchronised folders; the dialects, the API and the command line know no more.

A folder is named by any of the secrets that this machine has of it: the text that it was added with, or one that can
be told from that. Every method raises, or fails with, `BitDustError`: ``no-such-folder`` where no folder here has the
secret, and the codes that it names itself.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.folders.secrets import Secret

PREFERENCES: Mapping[str, int] = {
    "search_lan": 1,
    "selective_sync": 0,
    "use_dht": 0,
    "use_hosts": 0,
    "use_relay_server": 1,
    "use_sync_trash": 1,
    "use_tracker": 1,
}
"""What can be chosen for one folder, each 0 or 1, and what it is from the start."""
OVERWRITE = "overwrite_changes"
"""One more of them, of folders that may not be written: local changes are undone."""
Chosen = Mapping[str, int]


@frozen
class FolderRow:
    """One folder: where it is, ``secret`` as it was added, how much is in it, and with how many peers it is kept.

    ``problem`` is a stable code of what keeps it from being the same everywhere, empty where nothing does: as
    ``folder-gone``, ``not-writable``, ``disk-full``; or ``not-removed``, where something takes room for nothing.
    ``problem_text`` says it in words. ``watched`` says how changes on the disk are noticed, empty while they are not.
    """

    directory: Path
    secret: str
    files: int = 0
    size: int = 0
    indexing: bool = False
    paused: bool = False
    peers: int = 0
    problem: str = ""
    problem_text: str = ""
    watched: str = ""


@frozen
class EntryRow:
    """A file or folder in one: ``state`` is ``created`` or ``deleted``; of files, how many chunks of how many are here.

    ``download`` says whether it is wanted, None in a folder where everything is.
    """

    name: str
    kind: Literal["file", "folder"]
    state: str = "created"
    size: int = 0
    have_pieces: int = 0
    total_pieces: int = 0
    download: bool | None = None


@frozen
class PeerRow:
    """A peer of a folder: ``id`` is 28 letters of base64; ``synced`` the Unix time at which both had the same, 0 while
    they do not; ``download`` and ``upload`` bytes that are still to come and to go."""

    id: str
    name: str
    connection: Literal["direct", "relay"] = "direct"
    synced: int = 0
    download: int = 0
    upload: int = 0


@frozen
class ConflictRow:
    """A copy that was kept when two people had changed a file at the same time. ``made`` is a Unix time."""

    path: str
    original: str
    size: int
    made: int


@frozen
class ChangeRow:
    """Who did what when: ``what`` is ``created``, ``changed``, ``renamed`` or ``deleted``; ``at`` is a Unix time."""

    path: str
    what: str
    at: int
    writer: str
    size: int = 0


@frozen
class VersionRow:
    """A version that was put aside; ``version`` names it, ``replaced`` is the Unix time when another one came."""

    path: str
    version: str
    size: int
    replaced: int


@frozen
class SuppliersRow:
    """A folder at this node's suppliers: ``state`` is ``off``, ``waiting`` for them, ``reading`` what they have,
    ``keeping``, ``kept``, ``withdrawing`` while it is taken away, or ``borrowed`` while it comes from suppliers of
    somebody else; ``size`` bytes of chunks that the folder has, ``kept`` of them there, ``left`` not yet; ``told`` the
    Unix time at which they got the list of its files last, 0 for never; ``problem`` why it does not go on.
    """

    wanted: bool = False
    state: str = "off"
    size: int = 0
    kept: int = 0
    left: int = 0
    told: int = 0
    problem: str = ""


@frozen
class KeptRow:
    """A folder that suppliers hold: ``id`` as the API names folders, ``name`` what its directory was called, ``secret``
    the kind of secret that comes back with it, ``told`` the Unix time of the newest list."""

    id: str
    name: str
    secret: str
    told: int


class FoldersPort(Protocol):
    """All folders of this machine."""

    def folders(self) -> list[FolderRow]:
        """All of them, in the order in which they were added."""

    def find(self, secret: str) -> FolderRow | None:
        """The folder that has this secret."""

    def add(self, directory: Path, secret: Secret | None, selective: bool = False) -> "Deferred[FolderRow]":
        """Keep a directory the same as its peers'; without a secret it is a new folder.

        Codes: ``no-folder`` where there is no such directory, ``not-writable``, ``already-added``.
        """

    def remove(self, secret: str) -> "Deferred[None]":
        """Forget a folder; its files stay."""

    def files(self, secret: str, path: str) -> "Deferred[list[EntryRow]]":
        """What is in it at a path, "" for its root; nothing where there is no such path."""

    def choose(self, secret: str, path: str, download: bool) -> "Deferred[EntryRow | None]":
        """Whether a file or folder is wanted here; None where there is no such path. Code: ``not-selective``."""

    def peers(self, secret: str) -> list[PeerRow]:
        """Who has it too, as far as they are in touch."""

    def preferences(self, secret: str) -> Chosen:
        """All of `PREFERENCES`, and `OVERWRITE` where it can be chosen."""

    def set_preferences(self, secret: str, changes: Chosen) -> "Deferred[None]":
        """Change some of them. Code: ``bad-preference``."""

    def hosts(self, secret: str) -> Sequence[str]:
        """Where peers of it are known to be, each ``host:port``."""

    def set_hosts(self, secret: str, hosts: Sequence[str]) -> "Deferred[None]":
        """Replace them. Code: ``bad-host``."""

    def pause(self, secret: str) -> "Deferred[None]":
        """Nothing comes and goes until `resume`."""

    def resume(self, secret: str) -> "Deferred[None]":
        """Go on."""

    def rescan(self, secret: str) -> "Deferred[None]":
        """Look at all of its files now; fires when that is done."""

    def conflicts(self, secret: str) -> "Deferred[list[ConflictRow]]":
        """Copies that were kept, and are still there."""

    def history(self, secret: str, path: str, limit: int) -> "Deferred[list[ChangeRow]]":
        """The latest changes first, at most ``limit``; of everything below a path, "" for all."""

    def versions(self, secret: str, path: str) -> "Deferred[list[VersionRow]]":
        """What can be restored of a file, the latest first."""

    def restore(self, secret: str, path: str, version: str) -> "Deferred[None]":
        """Bring a version back as the newest one. Code: ``no-such-version``."""

    def confirm_deletes(self, secret: str) -> "Deferred[int]":
        """Carry out a mass deletion that is held back; fires with how many files it was, 0 where none was."""

    def ignore_rules(self, secret: str) -> "Deferred[list[str]]":
        """What is not kept the same, one rule a line."""

    def set_ignore_rules(self, secret: str, rules: Sequence[str]) -> "Deferred[None]":
        """Replace them. Code: ``bad-rule``."""

    def limits(self, secret: str) -> tuple[int, int]:
        """What may come and go, in thousands of bytes a second; 0 is no limit."""

    def set_limits(self, secret: str, download: int, upload: int) -> None:
        """Replace them."""

    def suppliers(self, secret: str) -> "Deferred[SuppliersRow]":
        """How far this node's suppliers have a folder."""

    def set_suppliers(self, secret: str, wanted: bool) -> "Deferred[SuppliersRow]":
        """Whether they keep it. Code: ``no-suppliers`` where there are none, nor an identity that could have some."""

    def kept(self) -> "Deferred[list[KeptRow]]":
        """Folders that suppliers hold, whether they are here or not. Codes: ``no-suppliers``, ``too-few-suppliers``."""

    def bring_back(self, ident: str, directory: Path) -> "Deferred[FolderRow]":
        """Add a folder that suppliers hold. Codes of `add`, and those of `kept`."""

    def device_name(self) -> str:
        """How this machine is called where peers see it."""

    def speed(self) -> tuple[int, int]:
        """Bytes a second that come and go, over all folders; exactly 0 where nothing moves."""
