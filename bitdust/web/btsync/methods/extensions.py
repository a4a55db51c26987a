"""What the vendor's daemon never could. Answers of its methods keep their exact keys, so all of it has new names."""

from collections.abc import Callable
from typing import Any

from attrs import asdict

from bitdust.folders.port import FoldersPort, SuppliersRow
from bitdust.web.btsync.arguments import Arguments
from bitdust.web.btsync.table import Answer, ApiError, Method, Node, Runner

NO_FOLDER = 1
MOST_CHANGES = 1000
MOST_KB = 1_000_000


def _of_folder(work: Callable[[FoldersPort, str, Arguments], Any]) -> Runner:
    """A method of one folder: an error 1 where there is none, as `remove_folder` answers."""

    async def run(node: Node, given: Arguments) -> Answer:
        secret = given.text("secret")
        if node.folders.find(secret) is None:
            raise ApiError(NO_FOLDER, "There is no folder with this secret.")
        answer = await work(node.folders, secret, given)
        if isinstance(answer, list):
            return [one if isinstance(one, str) else asdict(one) for one in answer]
        return {"error": 0} if answer is None else answer

    return run


async def _state(folders: FoldersPort, secret: str, given: Arguments) -> Answer:
    row = folders.find(secret)
    if row is None:
        raise ApiError(NO_FOLDER, "There is no folder with this secret.")
    return {"paused": int(row.paused), "peers": row.peers, "problem": row.problem, "problem_text": row.problem_text}


async def _confirm(folders: FoldersPort, secret: str, given: Arguments) -> Answer:
    return {"error": 0, "deleted": await folders.confirm_deletes(secret)}


async def _suppliers(folders: FoldersPort, secret: str, given: Arguments) -> Answer:
    return _plain(await folders.suppliers(secret))


async def _set_suppliers(folders: FoldersPort, secret: str, given: Arguments) -> Answer:
    return _plain(await folders.set_suppliers(secret, given.flag("suppliers")))


async def _limits(folders: FoldersPort, secret: str, given: Arguments) -> Answer:
    download, upload = folders.limits(secret)
    return {"download_limit": download, "upload_limit": upload}


async def _set_limits(folders: FoldersPort, secret: str, given: Arguments) -> Answer:
    """One that is not given, or is no number, stays."""
    download, upload = folders.limits(secret)
    wanted = _number(given, "download_limit", download, MOST_KB), _number(given, "upload_limit", upload, MOST_KB)
    folders.set_limits(secret, *wanted)
    return await _limits(folders, secret, given)


def _plain(row: SuppliersRow) -> Answer:
    """As the dialect writes what is true or false."""
    return asdict(row) | {"wanted": int(row.wanted)}


def _number(given: Arguments, name: str, otherwise: int, most: int) -> int:
    text = given.text(name)
    return min(most, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _row(name: str, work: Callable[[FoldersPort, str, Arguments], Any], *more: str, changes: bool = False) -> Method:
    return Method(name, _of_folder(work), ("secret", *more), changes)


ROWS = (
    _row("ext_get_folder_state", _state),
    _row("ext_pause_folder", lambda folders, secret, given: folders.pause(secret), changes=True),
    _row("ext_resume_folder", lambda folders, secret, given: folders.resume(secret), changes=True),
    _row("ext_rescan_folder", lambda folders, secret, given: folders.rescan(secret), changes=True),
    _row("ext_get_conflicts", lambda folders, secret, given: folders.conflicts(secret)),
    _row(
        "ext_get_history",
        lambda folders, secret, given: folders.history(
            secret, given.text("path").strip("/"), _number(given, "limit", 100, MOST_CHANGES)
        ),
    ),
    _row(
        "ext_get_versions",
        lambda folders, secret, given: folders.versions(secret, given.text("path").strip("/")),
        "path",
    ),
    _row(
        "ext_restore_version",
        lambda folders, secret, given: folders.restore(secret, given.text("path").strip("/"), given.text("version")),
        "path",
        "version",
        changes=True,
    ),
    _row("ext_confirm_deletes", _confirm, changes=True),
    _row("ext_get_folder_limits", _limits),
    _row("ext_set_folder_limits", _set_limits, changes=True),
    _row("ext_get_folder_suppliers", _suppliers),
    _row("ext_set_folder_suppliers", _set_suppliers, "suppliers", changes=True),
    _row("ext_get_ignore_rules", lambda folders, secret, given: folders.ignore_rules(secret)),
    _row(
        "ext_set_ignore_rules",
        lambda folders, secret, given: folders.set_ignore_rules(secret, given.text("rules").splitlines()),
        changes=True,
    ),
)
