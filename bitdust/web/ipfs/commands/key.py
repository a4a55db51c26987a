"""The keys that names of IPNS are made of."""

from bitdust.ipfs.names.keys import SELF, NamedKey
from bitdust.ipfs.names.store import no_key
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.errors import FormatError
from bitdust.ipld.keys import LONGEST_KEY, KeyKind, PrivateKey
from bitdust.ipld.peerid import PeerId
from bitdust.web.ipfs.arguments import BOOL, INT, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import base_of, one_file
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Row, Whole
from bitdust.wire.errors import BitDustError

BASE58 = "b58mh"
PROTOBUF, PEM = "libp2p-protobuf-cleartext", "pem-pkcs8-cleartext"
USUAL_KINDS = (KeyKind.RSA, KeyKind.ED25519)


def shown(peer: PeerId, base: str) -> str:
    """A peer id in a base: ``b58mh`` as version 0.6 shows it, or any multibase, as a CID. Raises `BadCall`."""
    if base == BASE58:
        return str(peer)
    return peer.cid.text(base_of(base).prefix)


def row(key: NamedKey, call: Call) -> Row:
    """As lists show a key."""
    return {"Name": key.name, "Id": shown(key.id, call.options["ipns-base"])}


async def generate(room: IpfsRoom, call: Call) -> Answer:
    options = call.options
    made = await room.keys.generate(call.arguments["name"], options["type"], options["size"])
    return Json(row(made, call))


async def list_keys(room: IpfsRoom, call: Call) -> Answer:
    return Json({"Keys": [row(key, call) for key in await room.keys.all()]})


async def rename(room: IpfsRoom, call: Call) -> Answer:
    was = call.arguments["name"]
    moved, overwrites = await room.keys.rename(was, call.arguments["newName"], call.options["force"])
    now = row(moved, call)
    return Json({"Was": was, "Now": now["Name"], "Id": now["Id"], "Overwrite": overwrites})


async def remove(room: IpfsRoom, call: Call) -> Answer:
    return Json({"Keys": [row(key, call) for key in await room.keys.remove(call.arguments["name"])]})


async def export(room: IpfsRoom, call: Call) -> Answer:
    name, form = call.arguments["name"], call.options["format"]
    if name == SELF:
        raise BitDustError("forbidden", f"cannot export key with name '{SELF}'")
    found = next((key for key in await room.keys.all() if key.name == name), None)
    if found is None or found.key is None:
        raise no_key(name)
    if form == PROTOBUF:
        return Whole(found.key.encode(), "application/octet-stream")
    if form == PEM:
        return Whole(found.key.to_pem(), "application/octet-stream")
    raise _unknown(form)


async def bring(room: IpfsRoom, call: Call) -> Answer:
    form = call.options["format"]
    if form not in (PROTOBUF, PEM):
        raise _unknown(form)
    data = await one_file(call, 2 * LONGEST_KEY)
    try:
        key = await room.in_thread(PrivateKey.decode if form == PROTOBUF else PrivateKey.from_pem, data)
    except FormatError as error:
        raise BitDustError("bad-argument", f"unable to unmarshall PrivateKey: {error}") from error
    if key.kind not in USUAL_KINDS and not call.options["allow-any-key-type"]:
        raise BitDustError("bad-argument", "key type is not allowed: allow-any-key-type takes it")
    return Json(row(await room.keys.bring(call.arguments["name"], key), call))


def _unknown(form: str) -> BadCall:
    return BadCall(f"unrecognized export format '{form[:100]}': use '{PROTOBUF}' or '{PEM}'")


IPNS_BASE = Option(("ipns-base",), default=BASE58)
_NAME = Argument("name")
_FORMAT = Option(("format", "f"), default=PROTOBUF)
ROWS = (
    Command(
        "key/gen",
        generate,
        (_NAME,),
        (Option(("type", "t"), default="ed25519"), Option(("size", "s"), INT), IPNS_BASE),
    ),
    Command("key/list", list_keys, options=(Option(("l",), BOOL, default=False), IPNS_BASE)),
    Command(
        "key/rename",
        rename,
        (_NAME, Argument("newName")),
        (Option(("force", "f"), BOOL, default=False), IPNS_BASE),
    ),
    Command("key/rm", remove, (Argument("name", variadic=True),), (Option(("l",), BOOL, default=False), IPNS_BASE)),
    Command("key/export", export, (_NAME,), (Option(("output", "o")), _FORMAT)),
    Command(
        "key/import",
        bring,
        (_NAME,),
        (_FORMAT, Option(("allow-any-key-type",), BOOL, default=False), IPNS_BASE),
        file="key",
    ),
)
