"""Folders in sync of which something keeps this machine from having all of it. No Twisted."""

from collections.abc import Sequence

from bitdust.checkup.finding import Finding, ok, warn
from bitdust.folders.port import FolderRow

CHECK = "folders in sync"
HINTS = {
    "disk-full": "make room on its disk; it goes on by itself, and what is there is given to peers meanwhile",
    "folder-gone": "mount its disk, or bring the directory back; it goes on by itself",
    "not-writable": "let this user write there; it goes on by itself",
    "not-removed": "let this user remove it; it is tried again by itself",
    "deletes-held": "bitdust sync confirm FOLDER, or bring the files back",
}


def folders(rows: Sequence[FolderRow]) -> list[Finding]:
    """One finding for each folder that has a problem; those that their person has paused rest."""
    if not rows:
        return []
    troubled = [row for row in rows if row.problem and not row.paused]
    if not troubled:
        return [ok(CHECK, f"{len(rows)} folders, and nothing keeps them from being the same everywhere")]
    return [_of(row) for row in troubled]


def _of(row: FolderRow) -> Finding:
    hint = HINTS.get(row.problem, "it is tried again by itself; see bitdust sync status")
    return warn(CHECK, f"{row.directory}: {row.problem_text}", hint)
