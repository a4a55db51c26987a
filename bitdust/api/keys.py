"""Keys: each has an alias, a label, an RSA key pair, and storage secrets that never leave the key ring."""

from base64 import b64decode
from typing import Any

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import HIDDEN, KEY_ALIAS, KeyId, idurl_of, is_hidden

SMALLEST = 2048
KEY_ID = Param(
    "key_id",
    aliases=("id",),
    help="such as master$alice@host, or the alias alone for a key of yours",
    example="holiday$alice@id.example",
)
INCLUDE_PRIVATE = Param("include_private", Kind.FLAG, False, help="show the private key as well")
KEY = "{key_id, alias, creator, public, private, size, is_public, label, active}"
PUSHED = [("keys_synchronizer", "keys-changed")]
"""Suppliers get the new key ring."""


@method(
    Route("GET", "/key/get/v1", ("/k/g",)),
    params=(KEY_ID, INCLUDE_PRIVATE),
    service="keys_registry",
    returns=KEY,
    errors=("key-not-found", "bad-name"),
)
def key_get(context: Context, key_id: str, include_private: bool) -> Envelope:
    """One key, of yours or of somebody else."""
    return ok(key_row(context, context.me.key_ring.get(ring_name(context, key_id)), include_private))


@method(
    Route("GET", "/key/list/v1", ("/k/l",)),
    params=(Param("sort", Kind.FLAG, False), INCLUDE_PRIVATE),
    service="keys_registry",
    returns=f"[{KEY}]",
)
def keys_list(context: Context, sort: bool, include_private: bool) -> Envelope:
    """All keys; master, your own, comes first."""
    shown = [key for key in context.me.key_ring.living() if not is_hidden(key.key_id)]
    rows = [key_row(context, key, include_private) for key in shown]
    if sort:
        rows.sort(key=lambda row: (row["alias"] != MASTER, row["key_id"]))
    return listed(rows)


@method(
    Route("POST", "/key/create/v1", ("/k/c",)),
    params=(
        Param("key_alias", aliases=("alias",), example="holiday"),
        Param("key_size", Kind.INTEGER, None, help="1024, 2048, 3072 or 4096; nothing under 2048 is made"),
        Param("label", default="", example="Holiday 2026"),
        Param("active", Kind.FLAG, True),
        INCLUDE_PRIVATE,
    ),
    service="keys_registry",
    returns=KEY,
    errors=("key-exists", "bad-key-id"),
    becomes=PUSHED,
)
async def key_create(
    context: Context, key_alias: str, key_size: int | None, label: str, active: bool, include_private: bool
) -> Envelope:
    """Make an RSA key and storage secrets of their own for files that belong together."""
    return ok(key_row(context, await make_key(context, key_alias, key_size, label, active), include_private))


async def make_key(context: Context, key_alias: str, key_size: int | None, label: str, active: bool) -> RingKey:
    """A new key of mine, in my key ring. Raises ``bad-key-id``, ``key-exists``, ``bad-argument``."""
    if not KEY_ALIAS.fullmatch(key_alias):
        raise BitDustError("bad-key-id", "an alias has 1 to 64 letters, digits, '.', '_' and '-'")
    if is_hidden(key_alias):
        raise BitDustError("bad-key-id", f"aliases that begin with {HIDDEN} are the program's own; take another one")
    if key_alias in context.me.key_ring:
        raise BitDustError("key-exists", f"key {key_alias!r} exists already")
    bits = _bits(key_size or int(context.settings.get("personal/private-key-size")))
    pair: MasterKey = await context.world.run_in_thread(MasterKey.generate, bits)
    ring = context.me.key_ring
    ring.add(RingKey(key_alias, label, active, private=pair.to_pem(), public=pair.public.to_pem()))
    ring.ensure_secret(key_alias, context.world.entropy, context.me.device_number)
    context.me.save_key_ring()
    row = key_row(context, ring.get(key_alias), False)
    context.events.send("key-generated", {name: row[name] for name in ("key_id", "label", "size")})
    return ring.get(key_alias)


def _bits(wish: int) -> int:
    if wish not in (1024, 2048, 3072, 4096):
        raise BadArgument("argument 'key_size' must be 1024, 2048, 3072 or 4096")
    return max(wish, SMALLEST)


@method(
    Route("POST", "/key/label/v1", ("/k/lb",)),
    params=(KEY_ID, Param("label", help="at most 200 characters", example="Holiday on the lake")),
    service="keys_registry",
    errors=("key-not-found",),
    becomes=PUSHED,
)
def key_label(context: Context, key_id: str, label: str) -> Envelope:
    """Give a key another label."""
    name = ring_name(context, key_id)
    context.me.key_ring.label(name, label)
    context.me.save_key_ring()
    context.events.send("key-labelled", {"key_id": key_id, "label": label})
    return ok(message=f"key {key_id} was labelled")


@method(
    Route("POST", "/key/state/v1", ("/k/st",)),
    params=(KEY_ID, Param("active", Kind.FLAG, help="whether the key is in use", example=True)),
    service="keys_registry",
    errors=("key-not-found", "not-allowed"),
    becomes=PUSHED,
)
def key_state(context: Context, key_id: str, active: bool) -> Envelope:
    """Mark a key as active or not. The master key is always active."""
    context.me.key_ring.mark(ring_name(context, key_id), active)
    context.me.save_key_ring()
    context.events.send("key-state-changed", {"key_id": key_id, "active": active})
    return ok(message=f"key {key_id} is {'active' if active else 'not active any more'}")


@method(
    Route("DELETE", "/key/erase/v1", ("/k/d",)),
    params=(KEY_ID,),
    service="keys_registry",
    errors=("key-not-found", "not-allowed"),
    becomes=PUSHED,
)
def key_erase(context: Context, key_id: str) -> Envelope:
    """Forget a key pair. The master key cannot be erased; storage secrets stay, for versions stored under them."""
    name = ring_name(context, key_id)
    is_private = context.me.key_ring.get(name).private is not None
    context.me.key_ring.erase(name)
    context.me.save_key_ring()
    context.events.send("key-erased", {"key_id": key_id, "is_private": is_private})
    return ok(message=f"key {key_id} was erased")


def ring_name(context: Context, key_id: str) -> str:
    """How the ring calls a key: the alias alone when it is mine, whatever my name was."""
    if "$" not in key_id:
        return key_id
    parsed = KeyId.parse(key_id)
    mine = idurl_of(parsed.owner) in context.me.document.sources
    return parsed.alias if mine else str(parsed)


def _size(public: str) -> int:
    """Bits of a public key in PEM."""
    lines = public.strip().splitlines()[1:-1]
    return MasterPublic.from_spki(b64decode("".join(lines))).bits


def key_row(context: Context, key: RingKey, include_private: bool) -> dict[str, Any]:
    """A key as JSON."""
    alias, _, owner = key.key_id.partition("$")
    is_master = key.key_id == MASTER
    public = context.me.public.to_pem() if is_master else key.public
    creator = owner or context.me.global_id
    row: dict[str, Any] = {
        "key_id": f"{alias}${creator}",
        "alias": alias,
        "creator": creator,
        "public": public or "",
        "size": _size(public) if public else 0,
        "is_public": key.private is None and not is_master,
        "label": key.label,
        "active": key.active,
    }
    if include_private:
        row["private"] = (context.me.master.to_pem() if is_master else key.private) or ""
    return row
