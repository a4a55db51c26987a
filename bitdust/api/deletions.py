"""Deletions that suppliers hold back: what a device has ordered, and whether it is to happen."""

from typing import Any

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method

ROW = "[{supplier, device, device_id, this_device, what, packs, bytes, until}]"
DEVICE = Param("device", help="whose orders: its number or id, as `identity_devices` shows them", example="1")
ERRORS = ("no-identity", "not-found", "not-allowed", "unreachable", "timeout")


def _rows(context: Context) -> list[dict[str, Any]]:
    return [context.held_back.row(one) for one in context.held_back.all()]


@method(Route("GET", "/deletions/list/v1"), service="employer", returns=ROW, errors=("no-identity",))
def deletions_list(context: Context) -> Envelope:
    """What devices of yours have ordered suppliers to destroy, and suppliers hold back until then.

    ``what`` is ``delete``, of so many packs and bytes, or ``contract-end``, of everything. It concerns more than a
    tenth of what a supplier keeps, or than 100 packs a day, and was not signed by your private key.
    """
    return listed(_rows(context))


@method(Route("POST", "/deletion/undo/v1"), params=(DEVICE,), service="employer", returns=ROW, errors=ERRORS)
async def deletion_undo(context: Context, device: str) -> Envelope:
    """What a device has ordered does not happen; to keep it from ordering it again, revoke it."""
    return await _decide(context, device, True)


@method(Route("POST", "/deletion/confirm/v1"), params=(DEVICE,), service="employer", returns=ROW, errors=ERRORS)
async def deletion_confirm(context: Context, device: str) -> Envelope:
    """What another device has ordered happens at once; what this one has, where it has your private key."""
    return await _decide(context, device, False)


async def _decide(context: Context, device: str, undo: bool) -> Envelope:
    count = await context.held_back.decide(context.revocations.find(device).id, undo)
    said = "keep what they have" if undo else "have deleted it"
    return ok(_rows(context), message=f"{count} supplier{'s' if count != 1 else ''} {said}")
