"""The home folder: the disk under it, who may read it, what it says of broken settings and exceptions. No Twisted."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from bitdust.checkup.finding import Finding, bad, few, ok, warn
from bitdust.config.settings import Settings
from bitdust.config.types import SettingError
from bitdust.crypt.files import TEMPORARY, write_safely
from bitdust.disk.disk import NO_FILES
from bitdust.wire.sizes import in_words

MB = 1024 * 1024
LITTLE, NOTHING = 1024 * MB, 64 * MB
"""Free space in bytes that is worth a warning, and with which nothing can be done any more."""
RESERVE = "paths/disk-reserve-percent"
MOUNTS = Path("/proc/self/mounts")
ON_NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs"))
FLEETING = frozenset(("tmpfs", "ramfs"))
_BESIDE = ("-wal", "-shm")
PRIVATE = (
    "apisecret",
    "metadata/mykeyfile",
    "metadata/devicekey",
    "metadata/certificate",
    "metadata/keyring",
    "config/settings.json",
    "catalog.db",
    "customers.db",
    "messages/history.db",
    "messages/key",
)
"""Files that nobody but the owner may read."""


def disk(
    home: Path,
    promised: int = 0,
    reserve: int = 0,
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
    mounts: Path = MOUNTS,
) -> list[Finding]:
    """Can be written, has room, and keeps what it is given; ``promised`` bytes may still come from customers, and
    ``reserve`` percent of the disk stay free."""
    system = statvfs(home)
    free = system.f_bavail * system.f_frsize
    if system.f_flag & os.ST_RDONLY:
        return [bad("disk", f"{home} is on a read-only file system", "mount it for writing, or use another --appdir")]
    kept = system.f_blocks * system.f_frsize * reserve // 100
    findings = [*_write(home), *_room(home, free, kept, promised), *_kind(home, mounts)]
    return findings or [ok("disk", f"{in_words(free)} are free on the disk of {home}")]


def _write(home: Path) -> Iterator[Finding]:
    probe = home / f"{TEMPORARY}doctor"
    try:
        write_safely(probe, b"x" * 4096)
        probe.unlink(missing_ok=True)  # another look may have removed it
    except OSError as error:
        hint = f"make room, or make {home} writable for this user (uid {os.geteuid()})"
        if error.errno in NO_FILES:
            hint = "let this process open more files: ulimit -n 2048, or LimitNOFILE= in its service"
        yield bad("disk", f"{home} cannot be written: {error.strerror or error}", hint)


def _room(home: Path, free: int, kept: int, promised: int) -> Iterator[Finding]:
    if free < NOTHING:
        hint = "delete something, or move the home to a larger disk; uploads and customers' pieces stop meanwhile"
        yield bad("disk", f"only {in_words(free)} are free on the disk of {home}", hint)
    elif free < kept:
        text = f"{in_words(free)} are free on the disk of {home}, and {in_words(kept)} have to stay free"
        text += ": pieces, uploads and downloads are refused"
        yield bad("disk", text, f"make room, or leave less of the disk free: bitdust set {RESERVE} PERCENT")
    elif free < LITTLE:
        yield warn("disk", f"{in_words(free)} are free on the disk of {home}", "make room before the disk is full")
    if max(NOTHING, kept) <= free < promised + kept:
        text = f"customers may still bring {in_words(promised)}, but there is room for {in_words(free - kept)}"
        yield warn("disk", text, "give less: bitdust set services/supplier/donated-space SIZE, or make room")


def _kind(home: Path, mounts: Path) -> Iterator[Finding]:
    kind = file_system(home, mounts)
    if kind in ON_NETWORK:
        hint = "move the home to a local disk: locks and fsync of SQLite cannot be trusted over a network"
        yield warn("disk", f"{home} is on a network file system ({kind})", hint)
    elif kind in FLEETING:
        hint = "move the home to a disk; keys and catalog are lost when this machine stops"
        yield warn("disk", f"{home} is in memory ({kind})", hint)


def file_system(home: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system under a folder; empty where the system does not tell."""
    best, kind = "", ""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    where = os.path.realpath(home)
    for line in lines:
        parts = line.split()
        place = parts[1].replace("\\040", " ") if len(parts) > 2 else ""
        inside = where == place or where.startswith(place.rstrip("/") + "/")
        if place and inside and len(place) >= len(best):
            best, kind = place, parts[2]
    return kind


def permissions(home: Path) -> list[Finding]:
    """Keys and secrets are read by their owner alone."""
    open_to_others, foreign = [], []
    for path in (home, home / "metadata", *(home / name for name in PRIVATE)):
        try:
            status = path.stat()
        except OSError:
            continue
        if stat.S_IMODE(status.st_mode) & 0o077:
            open_to_others.append(str(path))
        if status.st_uid != os.geteuid():
            foreign.append(str(path))
    findings = []
    if open_to_others:
        hint = f"chmod go= {' '.join(open_to_others)}; if others use this machine, they may have read it"
        findings.append(bad("permissions", f"others may read {few(open_to_others)}", hint))
    if foreign:
        hint = f"run BitDust as the user who owns the home, or: chown -R {os.geteuid()} {home}"
        findings.append(bad("permissions", f"{few(foreign)} belong to another user", hint))
    return findings or [ok("permissions", "keys and secrets are private")]


def exceptions(home: Path) -> list[Finding]:
    """A healthy run leaves no ``exception_*.log``."""
    found = sorted((home / "logs").glob("exception_*.log"), key=_written)
    if not found:
        return [ok("exceptions", "nothing unexpected happened inside the node")]
    hint = "read it: bitdust log exceptions -n 1; report it, then delete the files in logs/"
    return [warn("exceptions", f"{len(found)} unexpected exceptions are logged, the last in {found[-1].name}", hint)]


def messages(home: Path) -> list[Finding]:
    """No history of messages was set aside as damaged."""
    found = sorted(path for path in (home / "messages").glob("history.db.damaged-*") if not path.name.endswith(_BESIDE))
    if not found:
        return [ok("messages", "no history of messages was damaged")]
    hint = "what could be read of it is in the new one; look at the disk, and remove the file when nothing is missing"
    return [warn("messages", f"a damaged history of messages is kept as {few([str(path) for path in found])}", hint)]


def _written(path: Path) -> float:
    """When; a file that the node has just taken away is the oldest."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def settings(home: Path) -> list[Finding]:
    """The settings can be read, and all of them are known."""
    try:
        unknown = Settings(home / "config").unknown()
    except SettingError as error:
        return [bad("settings", str(error), "correct the line that is named, or move the file away")]
    if unknown:
        hint = "they do nothing here: look for a slip of the pen (bitdust set list), or use a newer version"
        return [warn("settings", f"this version does not know {few(unknown)}", hint)]
    return [ok("settings", "all are known and in range")]
