"""The devices of an identity: which there are, and ending one that was lost or stolen."""

from typing import Any

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.identity.document import OPEN_END, Device

DEVICES = "[{number, id, since, state, revoked, entries, this_device}]"


@method(
    Route("GET", "/identity/devices/v1", ("/i/dv",)),
    returns=DEVICES,
    errors=("no-identity", "locked"),
)
def identity_devices(context: Context) -> Envelope:
    """The devices of your identity.

    ``state`` is ``counts``; ``revoked``, by the identity's revision ``revoked``: nobody takes its word any more, and
    of what it had written ``entries`` count (null: all, until this node has compared it with the suppliers); or
    ``former``: it was let go for a newer one, because eight have a place, and all that it wrote counts.
    """
    return listed(_rows(context))


def _rows(context: Context) -> list[dict[str, Any]]:
    document, mine = context.me.document, context.me.device.public
    devices = sorted((*document.devices, *document.former), key=lambda device: device.number)
    return [_row(device, mine) for device in devices]


def _row(device: Device, mine: bytes) -> dict[str, Any]:
    state = "former" if device.was_let_go else "counts" if device.revoked is None else "revoked"
    counted = device.sequence if state == "revoked" and device.sequence != OPEN_END else None
    return {
        "number": device.number,
        "id": device.id.hex(),
        "since": device.since,
        "state": state,
        "revoked": device.revoked,
        "entries": counted,
        "this_device": device.key == mine,
    }


@method(
    Route("POST", "/identity/device/revoke/v1", ("/i/dv/r",)),
    params=(Param("device", help="its number or id, as `identity_devices` shows them", example="1"),),
    returns=DEVICES,
    errors=("no-identity", "locked", "not-found", "not-allowed"),
)
async def identity_device_revoke(context: Context, device: str) -> Envelope:
    """A device was lost or stolen: from now on nobody takes its word.

    Its sessions end wherever your newest identity document arrives, which your suppliers are brought at once. What it
    stored until now stays, and so do your other devices. Everything new is sealed under secrets that it does not know.
    """
    revocations = context.revocations
    revocations.revoke(revocations.find(device))
    if context.storage.is_open:
        await context.storage.sync()
    return ok(_rows(context), message="it is revoked; whoever hears of it takes its word no more")
