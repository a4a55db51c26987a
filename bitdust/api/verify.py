"""Proving that files can come back."""

from bitdust.api import paths
from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.files import REMOTE
from bitdust.api.table import Param, Route, method

VERDICT = (
    "{verified, remote_path, version, full, files, files_lost, packs, packs_lost, pieces_missing, spare_pieces,"
    " suppliers: [{global_id, idurl, asked, proved, failed, silent}], problems: [{path, reason}], …}"
)


@method(
    Route("POST", "/file/verify/v1", ("/f/v",)),
    params=(
        REMOTE,
        Param("full", Kind.FLAG, False, help="bring every pack back and open it, without writing anything"),
        Param("wait_result", Kind.FLAG, False, help="answer when there is a verdict", example=True),
    ),
    service="restores",
    returns=VERDICT,
    errors=("bad-name", "not-found", "already-scheduled", "busy"),
    becomes=[("verification", "start")],
)
async def file_verify(context: Context, remote_path: str, full: bool, wait_result: bool) -> Envelope:
    """Prove that a file, a folder or one version of it can come back. Of every pack all suppliers prove a random leaf
    of their piece; with ``full`` each pack is brought back as well, opened, and every chunk compared with its name.
    ``spare_pieces`` is how many pieces more than are needed the weakest pack has; what was not proved is made again."""
    storage = context.storage
    task = storage.core.verifications.start(storage.find(paths.remote_path(remote_path)), full)
    if not wait_result:
        return ok(task.describe(), message="the verification began", automat=task.automat)
    found = await task.completion
    word = "can come back" if found["verified"] else f"cannot come back: {found['packs_lost']} packs are lost"
    return ok(found, message=f"{found['remote_path']} {word}", automat=task.automat)


@method(
    Route("GET", "/file/verify/v1"),
    service="restores",
    returns="[{backup_id, path_id, version, remote_path, full, packs_done, packs, progress, state, created, …}]",
)
def files_verifications(context: Context) -> Envelope:
    """Verifications that run."""
    return listed(context.storage.core.verifications.rows())


@method(
    Route("POST", "/file/verify/stop/v1", ("/f/v/c",)),
    params=(REMOTE,),
    service="restores",
    returns="[{backup_id, aborted}]",
    errors=("not-found",),
    becomes=[("verification", "stop")],
)
def file_verify_stop(context: Context, remote_path: str) -> Envelope:
    """Give up a verification."""
    storage = context.storage
    stopped = storage.core.verifications.stop_some(storage.find(paths.remote_path(remote_path)))
    return listed(stopped, message=f"{len(stopped)} verifications were stopped")
