"""Keys: each has an alias, a label, an RSA key pair, and storage secrets that never leave the key ring."""

from base64 import b64encode
from typing import Any

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, listed, ok
from bitdust.api.people import FINGERPRINT_DIGITS, NO_PERSON, document_of, find_person, shown_person
from bitdust.api.table import Param, Route, method
from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.identity.ring_change import ring_change
from bitdust.people.keys.audits import Question
from bitdust.people.keys.giving import Gift
from bitdust.people.keys.pem import spki_of
from bitdust.people.keys.taking import owner_of
from bitdust.people.keys.taking import ring_name as name_of_theirs
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import HIDDEN, IDURL, KEY_ALIAS, KeyId, idurl_of, is_hidden

SMALLEST = 2048
KEY_ID = Param(
    "key_id",
    aliases=("id",),
    help="such as master$alice@host, or the alias alone for a key of yours",
    example="holiday$alice@id.example",
)
INCLUDE_PRIVATE = Param("include_private", Kind.FLAG, False, help="show the private key as well", only_here=True)
KEY = (
    "{key_id, alias, creator, fingerprint, name_proven, public, private, size, is_public, label, active, signature?,"
    " signature_pubkey?}"
)
SIGNATURE_DOMAIN = b"BitDust key signature 1\0"
PUSHED = [("keys_synchronizer", "keys-changed")]
"""Suppliers get the new key ring."""


@method(
    Route("GET", "/key/get/v1", ("/k/g",)),
    params=(
        KEY_ID,
        INCLUDE_PRIVATE,
        Param("include_signature", Kind.FLAG, False, help="sign the public part by your master key; of yours alone"),
        Param("generate_signature", Kind.FLAG, False, help="the same"),
    ),
    service="keys_registry",
    returns=KEY,
    errors=("key-not-found", "bad-name", "ambiguous-user", "key-needed"),
)
async def key_get(
    context: Context, key_id: str, include_private: bool, include_signature: bool, generate_signature: bool
) -> Envelope:
    """One key, of yours or of somebody else.

    ``signature`` (base64, RSASSA-PSS with SHA-256) covers "BitDust key signature 1", a null byte, the alias, a null
    byte and the public key in DER; ``signature_pubkey`` checks it.
    """
    key = context.me.key_ring.get(ring_name(context, key_id))
    row = key_row(context, key, include_private)
    if (include_signature or generate_signature) and "$" not in key.key_id:
        message = SIGNATURE_DOMAIN + key.key_id.encode() + b"\0" + spki_of(row["public"])
        signature = await context.world.run_in_thread(context.me.master.sign, message)
        row |= {"signature": b64encode(signature).decode(), "signature_pubkey": context.me.public.to_pem()}
    return ok(row)


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
    with ring_change(context.me) as ring:
        ring.add(RingKey(key_alias, label, active, private=pair.to_pem(), public=pair.public.to_pem()))
        ring.ensure_secret(key_alias, context.world.entropy, context.me.device_number)
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


TRUSTED = Param(
    "trusted_user_id",
    aliases=("user_id", "trusted_global_id"),
    help="global id, IDURL, nickname, fingerprint or alias of a friend",
    example="bob@id.example",
)


@method(
    Route("PUT", "/key/share/v1", ("/k/s",)),
    params=(
        KEY_ID,
        TRUSTED,
        Param(
            "include_private", Kind.FLAG, False, help="give the private part as well; the person must be your friend"
        ),
        Param("include_signature", Kind.FLAG, False, help="taken; what is given is always signed"),
        Param("include_label", Kind.FLAG, False, help="what you call it"),
        Param("timeout", Kind.NUMBER, 30, help="seconds to wait for that person's node", low=0.1, high=300),
    ),
    service="key_exchange",
    returns="{key_id, fingerprint, global_id, include_private}",
    errors=("key-not-found", "not-private", "refused", "no-answer", *NO_PERSON),
    becomes=[("key_share", "start")],
)
async def key_share(
    context: Context,
    key_id: str,
    trusted_user_id: str,
    include_private: bool,
    include_signature: bool,
    include_label: bool,
    timeout: float,
) -> Envelope:
    """Give somebody the public part of a key of yours, or the private part too: whoever has that has the key.

    It goes to the person's node alone, over an encrypted session, signed by you; a key that is there already is never
    replaced. Private keys go from friend to friend alone: each of you must have accepted the other."""
    name, person = ring_name(context, key_id), await find_person(context, trusted_user_id)
    context.me.key_ring.get(name)
    if include_private and not context.people.friends.is_friend(person.fingerprint):
        stranger = shown_person(context, person.fingerprint)
        return failed("not-allowed", f"{stranger} is no friend of yours; private keys are given to friends alone")
    await context.people.keys.share(Gift(name, person.fingerprint, include_private, include_label), timeout)
    part = "private and public part" if include_private else "public part"
    row = {"key_id": f"{name}${context.me.global_id}", "include_private": include_private}
    who = {"fingerprint": person.fingerprint.hex(), "global_id": person.global_id}
    return ok(row | who, message=f"{shown_person(context, person.fingerprint)} has the {part} of {name} now")


@method(
    Route("POST", "/key/audit/v1", ("/k/a",)),
    params=(
        KEY_ID,
        Param(
            "untrusted_user_id",
            aliases=("user_id",),
            help="global id, IDURL, nickname, fingerprint or alias of a friend",
            example="bob@id.example",
        ),
        Param("is_private", Kind.FLAG, False, help="whether the private part is there"),
        Param("timeout", Kind.NUMBER, None, help="seconds to wait for that person's node", low=0.1, high=300),
    ),
    service="key_exchange",
    returns="[true or false]",
    errors=("key-not-found", "refused", "no-answer", *NO_PERSON),
    becomes=[("key_audit", "start")],
)
async def key_audit(
    context: Context, key_id: str, untrusted_user_id: str, is_private: bool, timeout: float | None
) -> Envelope:
    """Find out whether somebody really has a key that is known here: the answer is a proof over a fresh random number.

    A node says which keys it has to friends, and to the owner of a key."""
    person = await find_person(context, untrusted_user_id)
    owner, alias = await _whose(context, key_id)
    question = Question(owner, alias, person.fingerprint, is_private)
    found = await context.people.keys.audit(question, timeout or 30.0)
    has = "has" if found else "does not have"
    part = "private part" if is_private else "public part"
    return ok(found, message=f"{shown_person(context, person.fingerprint)} {has} the {part} of {key_id}")


async def _whose(context: Context, key_id: str) -> tuple[bytes, str]:
    """Owner and alias of a key. A master key is in the identity of its owner, and in no ring but his."""
    alias, _, owner = key_id.partition("$")
    if owner and alias == MASTER:
        return (await find_person(context, owner)).fingerprint, MASTER
    name = ring_name(context, key_id)
    theirs = owner_of(name) if "$" in name else context.me.fingerprint
    return theirs, name.partition("$")[0]


def ring_name(context: Context, key_id: str) -> str:
    """How the ring calls a key: the alias alone when it is mine, whatever my name was. Raises `BitDustError`."""
    if is_hidden(key_id.partition("$")[0]):
        raise BitDustError("key-not-found", f"{key_id[:100]} is a key that the program keeps for itself")
    if "$" not in key_id:
        return key_id
    alias, _, owner = key_id.partition("$")
    if len(owner) == FINGERPRINT_DIGITS and KEY_ALIAS.fullmatch(alias) and owner_of(f"${owner}"):
        fingerprint = bytes.fromhex(owner)
        return alias if fingerprint == context.me.fingerprint else name_of_theirs(alias, fingerprint)
    parsed = KeyId.parse(key_id)
    idurl = idurl_of(parsed.owner)
    if idurl in context.me.document.sources:
        return parsed.alias
    known = [key.key_id for key in context.me.key_ring.living() if key.key_id.startswith(f"{parsed.alias}$")]
    called = [name for name in known if _is_called(context, owner_of(name), idurl)]
    proven = [name for name in called if context.cache.is_proven(owner_of(name))]
    if len(proven or called) > 1:
        text = f"several people call themselves {parsed.owner}; name the key by a fingerprint: {', '.join(called)}"
        raise BitDustError("ambiguous-user", text)
    return (proven or called or [str(parsed)])[0]


def _is_called(context: Context, owner: bytes, idurl: IDURL) -> bool:
    document = document_of(context, owner) if owner else None
    return document is not None and idurl in document.sources


def _creator(context: Context, name: str) -> dict[str, Any]:
    """Whose key it is; a name that nobody has looked up gives way to the fingerprint."""
    if "$" not in name:
        return {"creator": context.me.global_id, "fingerprint": context.me.fingerprint.hex(), "name_proven": True}
    owner = owner_of(name)
    if not owner:
        return {"creator": name.partition("$")[2], "fingerprint": "", "name_proven": False}
    document, is_proven = document_of(context, owner), context.cache.is_proven(owner)
    creator = document.global_id if document is not None and is_proven else owner.hex()
    return {"creator": creator, "fingerprint": owner.hex(), "name_proven": is_proven}


def _size(public: str) -> int:
    """Bits of a public key in PEM."""
    return MasterPublic.from_spki(spki_of(public)).bits


def key_row(context: Context, key: RingKey, include_private: bool) -> dict[str, Any]:
    """A key as JSON."""
    alias, is_master = key.key_id.partition("$")[0], key.key_id == MASTER
    public = context.me.public.to_pem() if is_master else key.public
    whose = _creator(context, key.key_id)
    row: dict[str, Any] = {
        "key_id": f"{alias}${whose['creator']}",
        "alias": alias,
        **whose,
        "public": public or "",
        "size": _size(public) if public else 0,
        "is_public": key.private is None and not is_master,
        "label": key.label,
        "active": key.active,
    }
    if include_private:
        row["private"] = (context.me.master.to_pem() if is_master else key.private) or ""
    return row
