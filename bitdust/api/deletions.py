"""Deletions that are held back: what a device has ordered, or written into the log, and whether it is to happen."""

from typing import Any

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.storage.keeping.held_deletions import HeldDeletions
from bitdust.wire.errors import BitDustError

ROW = "[{supplier, device, device_id, this_device, what, packs, bytes, until}]"
DEVICE = Param("device", help="whose orders: its number or id, as `identity_devices` shows them", example="1")
ERRORS = ("no-identity", "not-found", "not-allowed", "unreachable", "timeout")


async def _rows(context: Context) -> list[dict[str, Any]]:
    here = await context.storage.core.held_deletions.rows() if context.storage.is_open else []
    return [context.held_back.row(one) for one in context.held_back.all()] + here


@method(Route("GET", "/deletions/list/v1"), service="employer", returns=ROW, errors=("no-identity",))
async def deletions_list(context: Context) -> Envelope:
    """What devices of yours have ordered to be destroyed, and is held back until then.

    ``what`` is ``delete``, of so many packs and bytes, or ``contract-end``, of everything: a supplier holds it back,
    because it concerns more than a tenth of what it keeps, or than 100 packs, and was not signed by your private
    key. Or it is ``items``: another device has deleted them from your catalog, and this node (``supplier`` is null)
    goes on to keep the packs that only they need.
    """
    return listed(await _rows(context))


@method(Route("POST", "/deletion/undo/v1"), params=(DEVICE,), service="employer", returns=ROW, errors=ERRORS)
async def deletion_undo(context: Context, device: str) -> Envelope:
    """What a device has ordered does not happen, and what it has deleted from the catalog is back.

    To keep it from doing so again, revoke it: that undoes the same.
    """
    found = context.revocations.find(device).id
    return await _decided(context, found, await _held(context).undo(found) if context.storage.is_open else 0, True)


@method(Route("POST", "/deletion/confirm/v1"), params=(DEVICE,), service="employer", returns=ROW, errors=ERRORS)
async def deletion_confirm(context: Context, device: str) -> Envelope:
    """What another device has ordered happens at once; what this one has, where it has your private key."""
    found = context.revocations.find(device).id
    return await _decided(context, found, await _held(context).confirm(found) if context.storage.is_open else 0, False)


def _held(context: Context) -> HeldDeletions:
    return context.storage.core.held_deletions


async def _decided(context: Context, device: bytes, here: int, undo: bool) -> Envelope:
    """Let suppliers know it too; ``here`` is how much of the catalog was decided."""
    try:
        count = await context.held_back.decide(device, undo)
    except BitDustError as error:
        if not here or error.code != "not-found":
            raise
        count = 0
    said = "keep what they have" if undo else "have deleted it"
    parts = [f"{count} supplier{'s' if count != 1 else ''} {said}"] if count or not here else []
    parts += [f"{here} deleted versions are {'back' if undo else 'let go'}"] if here else []
    return ok(await _rows(context), message="; ".join(parts))
