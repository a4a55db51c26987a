"""The devices of an identity: which there are, and ending one that was lost or stolen."""

from typing import Any

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.identity import key_secret, read_key_file
from bitdust.api.paths import local_path
from bitdust.api.table import Param, Route, method
from bitdust.crypt.keyfile import KeyFile
from bitdust.crypt.master import MasterKey
from bitdust.identity.document import OPEN_END, Device
from bitdust.identity.revocation import check_key
from bitdust.storage.catalog.figures import stored_by_device
from bitdust.wire.errors import BitDustError

DETACHED = "where this device does not keep your private key"
ELSEWHERE = "/media/alice/alice.key"
KEY_ERRORS = ("wrong-key", "passphrase-needed", "wrong-passphrase", "bad-passphrase", "bad-key", "not-a-key-file")
DEVICES = "[{number, id, since, state, revoked, entries, this_device, stored_first, stored_last}]"


@method(
    Route("GET", "/identity/devices/v1", ("/i/dv",)),
    returns=DEVICES,
    errors=("no-identity", "locked"),
)
async def identity_devices(context: Context) -> Envelope:
    """The devices of your identity.

    ``stored_first`` and ``stored_last`` are when a device has stored something, in seconds since 1970, as far as that
    is still in the catalog; null for never, and while the catalog is not open.

    ``state`` is ``counts``; ``revoked``, by the identity's revision ``revoked``: nobody takes its word any more, and
    of what it had written ``entries`` count (null: all, until this node has compared it with the suppliers); or
    ``former``: it was let go for a newer one, because eight have a place, and all that it wrote counts.
    """
    return listed(await _rows(context))


async def _rows(context: Context) -> list[dict[str, Any]]:
    document, mine = context.me.document, context.me.device.public
    devices = sorted((*document.devices, *document.former), key=lambda device: device.number)
    catalog = context.storage.core.catalog if context.storage.is_open else None
    stored = await catalog.read_in_thread(stored_by_device) if catalog is not None and catalog.is_open else {}
    return [_row(device, mine) | _times(*stored.get(device.id, (None, None))) for device in devices]


def _times(first: float | None, last: float | None) -> dict[str, float | None]:
    return {"stored_first": first, "stored_last": last}


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
    params=(
        Param("device", help="its number or id, as `identity_devices` shows them", example="1"),
        Param("private_key_source", default=None, help=f"{DETACHED}: the text of your key file", secret=True),
        Param("passphrase", default=None, help="of the key file", secret=True),
        Param("end_now", Kind.FLAG, False, help="of one that is revoked: nothing counts but what is known of it now"),
    ),
    returns=DEVICES,
    errors=("no-identity", "locked", "not-found", "not-allowed", "not-ready", "key-needed", *KEY_ERRORS),
)
async def identity_device_revoke(
    context: Context, device: str, private_key_source: str | None, passphrase: str | None, end_now: bool
) -> Envelope:
    """A device was lost or stolen: from now on nobody takes its word.

    Its sessions end wherever your newest identity document arrives, which your suppliers are brought at once. What it
    stored until now stays, and so do your other devices. Everything new is sealed under secrets that it does not know.

    How much it had stored is not known while a family of suppliers of before is looked for, or was not read: until then
    all that it writes counts. With ``end_now``, for one that is revoked already, you say that it ends here; what it had
    stored at suppliers that were not heard does not come back then.
    """
    revocations = context.revocations
    found = revocations.find(device)
    if private_key_source is not None:
        revocations.lend(await _master(context, private_key_source, passphrase))
    if end_now:
        revocations.end(found)
        return ok(await _rows(context), message="of what it wrote nothing counts but what is known now")
    revocations.revoke(found)
    if context.storage.is_open:
        await context.storage.sync()
    return ok(await _rows(context), message="it is revoked; whoever hears of it takes its word no more")


async def _master(context: Context, text: str, passphrase: str | None) -> MasterKey:
    found: KeyFile = await context.world.run_in_thread(KeyFile.read, text, key_secret(passphrase))
    check_key(context.me, found.master)
    return found.master


@method(
    Route("POST", "/identity/detach/v1", ("/i/dt",)),
    params=(
        Param("source_filepath", help="absolute path of your key file, outside of the home", example=ELSEWHERE),
        Param("passphrase", default=None, help="of the key file", secret=True),
    ),
    returns="{detached: true}",
    errors=("no-identity", "locked", "not-allowed", "bad-path", *KEY_ERRORS),
    only_here=True,
)
async def identity_detach(context: Context, source_filepath: str, passphrase: str | None) -> Envelope:
    """Take your private key out of the home, once your key file was read back: it is there alone from then on.

    The node goes on, also after a restart: this device works with a key of its own. A thief of it can be shut out, and
    cannot undo that. For a new device, a revocation or a change of ID servers the key file is asked for.
    """
    path = local_path(source_filepath, "source_filepath")
    if path.resolve().is_relative_to(context.world.home.resolve()):
        raise BitDustError("bad-path", "this copy is in the home itself and is lost with it: keep one elsewhere")
    if context.me.keeps_locked:
        text = "a passphrase protects this home by the private key; take it away first: bitdust unlock --permanently"
        raise BitDustError("not-allowed", text)
    try:
        text = read_key_file(source_filepath, "source_filepath")
    except OSError as error:
        raise BitDustError("bad-path", f"{path} cannot be read: {error.strerror}") from error
    await _master(context, text, passphrase)
    if context.me.held_master is not None:
        context.me.detach()
    return ok({"detached": True}, message="keep your key file, and take it away from this machine")


@method(
    Route("POST", "/identity/attach/v1", ("/i/at",)),
    params=(
        Param("private_key_source", help="the text of your key file", secret=True, example="-----BEGIN RSA…"),
        Param("passphrase", default=None, help="of the key file", secret=True),
        Param("permanently", Kind.FLAG, False, help="keep it in the home again; else until the node stops"),
    ),
    returns="{attached: true}",
    errors=("no-identity", "locked", *KEY_ERRORS),
    only_here=True,
)
async def identity_attach(
    context: Context, private_key_source: str, passphrase: str | None, permanently: bool
) -> Envelope:
    """Give a node whose home does not keep your private key the key file, for what needs it."""
    master = await _master(context, private_key_source, passphrase)
    if permanently and not context.me.keeps_locked:
        context.me.attach(master)
    elif context.me.held_master is None:
        context.me.hold(master)
    return ok({"attached": True})
