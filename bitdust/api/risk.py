"""How far my files are from being lost."""

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.table import Route, method
from bitdust.checkup.risk import sentence

COPIES = "{held, needed, safe}"


@method(
    Route("GET", "/storage/risk/v1"),
    service="data_motion",
    returns="{may_die, may_die_in_all, packs, packs_on_their_way, packs_unreadable, packs_lost, pieces: {there, away,"
    " waiting, missing, bad}, weakest: {packs, n, k, there, away, waiting, missing, remote_paths},"
    " versions_lost: {count, named: [{remote_path, version, earlier}]},"
    f" catalog: {COPIES}, key_ring: {COPIES}, family: {{held, needed, safe, size, vacant, revision, changed_by_device,"
    " spares: [{spare, instead_of}]}, suppliers: [{fingerprint, idurl, global_id, name_proven, since,"
    " problems: [{code, text}]}], rebuilding:"
    " {stuck_packs, since, reason}, moving: {places: [{position, from, to, state, left,"
    " bytes}], reencoding}}",
)
async def storage_risk(context: Context) -> Envelope:
    """How many more suppliers may be lost before a file is: ``may_die`` counts those that are away now as lost,
    ``may_die_in_all`` expects them back; both are null while nothing is stored. ``weakest`` are the packs with the
    fewest pieces at suppliers that are there, and files that need them where they are weaker than they should be.
    ``versions_lost`` are versions of which too few pieces are anywhere, and that nobody goes on to bring: ``named`` are
    some of them, with the ``earlier`` version that can be had. ``packs_on_their_way`` are being sent for the first
    time and do not count yet.

    ``catalog``, ``key_ring`` and ``family`` say how many suppliers have the newest of it, and how many must, so that
    any half of them gives it back. ``changed_by_device`` is the number of another device of yours where that one wrote
    the family last. ``problems`` of a supplier have the codes ``away``, ``full``, ``refuses``, ``silent``,
    ``not-proven``, ``no-log``, ``no-key-ring`` and ``no-family``; ``since`` is when one that is away was there last.
    ``moving`` has the places that change hands, with how many pieces, and how many ``bytes``, are ``left`` to come, and
    ``reencoding``: ``nowhere`` are ``packs`` of another number of suppliers that cannot be had from anybody, files that
    need them, and how many are ``left_out`` of the change after a month."""
    found = await context.risk.look()
    return ok(found, message=sentence(found))
