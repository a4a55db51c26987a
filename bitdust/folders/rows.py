"""How a folder and its peers are shown."""

from base64 import urlsafe_b64encode
from hashlib import sha1

from bitdust.folders.folder import Folder
from bitdust.folders.peer import FolderPeer
from bitdust.folders.port import FolderRow, PeerRow


def folder_row(folder: Folder) -> FolderRow:
    """A folder that is open."""
    config, totals = folder.config, folder.totals
    peers = sum(1 for peer in folder.peers.values() if peer.admitted)
    code, words = _problem(folder)
    is_indexing = folder.machine.state == "SCANNING"
    return FolderRow(
        config.dir, config.text, totals.files, totals.size, is_indexing, config.paused, peers, code, words,
        folder.watched,
    )  # fmt: skip


def _problem(folder: Folder) -> tuple[str, str]:
    if folder.problem:
        return folder.problem_code, folder.problem
    held = folder.totals.held
    if held:
        return "deletes-held", f"another peer has deleted {held} files; confirm it, and they go here too"
    stuck = list(folder.store.tidying.stuck.items())
    if stuck:
        (path, why), more = stuck[0], f" and {len(stuck) - 1} more" if len(stuck) > 1 else ""
        return "not-removed", f"{path}{more}: needed no more and cannot be removed ({why})"
    path, why = next(iter(folder.warnings.items()), ("", ""))
    return ("some-left-out", f"{path}: {why}") if path else ("", "")


def peer_row(folder: Folder, peer: FolderPeer) -> PeerRow:
    """A peer that is here."""
    whose = sha1(peer.fingerprint + peer.device, usedforsecurity=False)
    ident = urlsafe_b64encode(whose.digest()).decode()
    left = folder.left()
    synced = 0 if left or peer.behind else peer.synced
    return PeerRow(ident, peer.name, "direct", synced, left, peer.behind)
