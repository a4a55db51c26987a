"""Shares: places of yours that other people may use, and places of theirs that you may."""

from typing import Any

from attrs import evolve

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, failed, listed, ok
from bitdust.api.following import PUBLISH, PUBLISH_TO_ANSWER
from bitdust.api.keys import key_row, make_key
from bitdust.api.people import NO_PERSON, find_person, names_of
from bitdust.api.table import Param, Route, method
from bitdust.crypt.writers import holder_of
from bitdust.shares.donation import delivered
from bitdust.shares.donations import READER
from bitdust.shares.opened import OpenShare, TheirShare
from bitdust.shares.room import Share
from bitdust.wire.capability import Right
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import SHARE_PREFIX, RemotePath, version_time
from bitdust.wire.sizes import in_words

SHARE = (
    "{key_id, alias, label, creator, mine, active, state, reason, suppliers, ecc_map, revision, index, id, name,"
    " rights, ends, quota?, used?, holders: [{fingerprint, global_id, idurl, rights, quota, used, since, ends, state,"
    " reason}]}"
)
KEY_ID = Param("key_id", aliases=("id",), help="share_…$alice@host, of yours or of somebody who let you in",
               example="share_7e9726e2dccf9ebe6077070e98e78082$alice@id.example")  # fmt: skip
WHO = Param(
    "trusted_user_id",
    aliases=("trusted_global_id", "trusted_id", "user_id", "remote_user_id"),
    help="global id, IDURL, key id or fingerprint",
    example="bob@id.example",
)
NO_SHARE = ("key-not-found", "bad-name", "not-a-share")
ACCESS = {"read": READER, "write": (*READER, Right.WRITE, Right.LOG)}
MB = 1024 * 1024
BECOMES = [("shared_access_coordinator", "open")]


@method(
    Route("GET", "/share/list/v1", ("/sh/l",)),
    params=(
        Param("only_active", Kind.FLAG, False, help="leave out those that are closed"),
        Param("include_mine", Kind.FLAG, True),
        Param("include_granted", Kind.FLAG, True, help="those that other people gave to you"),
    ),
    service="shared_data",
    returns=f"[{SHARE}]",
)
def shares_list(context: Context, only_active: bool, include_mine: bool, include_granted: bool) -> Envelope:
    """Your shares, then those that other people gave to you; ``state`` is CONNECTED while files can be had."""
    shares = [share for share in context.shares.all() if include_mine if share.mine is not None]
    shares += [share for share in context.shares.all() if include_granted if share.given is not None]
    return listed([share_row(context, share) for share in shares if share.active or not only_active])


@method(Route("GET", "/share/info/v1", ("/sh/i",)), params=(KEY_ID,), service="shared_data", returns=SHARE,
        errors=NO_SHARE)  # fmt: skip
def share_info(context: Context, key_id: str) -> Envelope:
    """One share: who holds it, whether its files can be had now, and who was let in where it is yours."""
    return ok(share_row(context, context.shares.find(key_id)))


@method(
    Route("POST", "/share/create/v1", ("/sh/c",)),
    params=(
        Param("owner_id", default=None, help="yourself; nobody makes shares for others"),
        Param("key_size", Kind.INTEGER, None, help="1024, 2048, 3072 or 4096; nothing under 2048 is made"),
        Param("label", default="", help="what it is about", example="my summer holidays"),
        Param("active", Kind.FLAG, True, help="open it at once"),
    ),
    service="shared_data",
    returns=SHARE,
    errors=("not-allowed", *NO_PERSON),
    becomes=BECOMES,
)
async def share_create(
    context: Context, owner_id: str | None, key_size: int | None, label: str, active: bool
) -> Envelope:
    """Make a place that you can let others into: upload to ``<key_id>:path``, then let people in with share_grant."""
    if owner_id and (await find_person(context, owner_id)).fingerprint != context.me.fingerprint:
        return failed("not-allowed", "a share belongs to the one who makes it; ask that person to make one")
    alias = SHARE_PREFIX + context.world.entropy(16).hex()
    made = await make_key(context, alias, key_size, label, False)
    share = context.shares.find(alias)
    if active:
        await context.shares.open(share)
    row = share_row(context, context.shares.find(alias))
    later = "" if row["suppliers"] else "; it takes files once suppliers are hired: set services/customer/enabled"
    return ok(key_row(context, made, False) | row, message=f"new share {row['key_id']} was made{later}")


@method(
    Route("DELETE", "/share/delete/v1", ("/sh/d",)),
    params=(KEY_ID,),
    service="shared_data",
    returns=SHARE,
    errors=NO_SHARE,
)
async def share_delete(context: Context, key_id: str) -> Envelope:
    """Give up a share: of yours everybody is shut out and the key is erased, of somebody else's it is forgotten here.

    Files in a share of yours stay until you delete them."""
    share = context.shares.find(key_id)
    row = share_row(context, share)
    await context.shares.forget(share)
    return ok(row, message=f"share {share.key_id} was given up")


@method(
    Route("PUT", "/share/grant/v1", ("/sh/g",)),
    params=(
        KEY_ID,
        WHO,
        Param("timeout", Kind.NUMBER, 45, help="seconds to wait for that person's node", low=1, high=300),
        Param("access", default="write", help="read, or write to bring files too"),
        Param("quota", Kind.INTEGER, 1024 * MB, help="bytes that this person may bring", low=0, high=2**60),
        Param("ends", Kind.INTEGER, None, help="seconds since the epoch; a year ahead and going on if left out"),
        evolve(PUBLISH_TO_ANSWER, default=True),
    ),
    service="shared_data",
    returns="{key_id, fingerprint, global_id, idurl, rights, quota, used, since, ends, state, reason}",
    errors=(*NO_SHARE, *NO_PERSON, "keys-not-ready", "bad-argument", "refused", "no-answer", "too-many-keys"),
    becomes=[("shared_access_donor", "start")],
)
async def share_grant(
    context: Context,
    key_id: str,
    trusted_user_id: str,
    timeout: float,
    access: str,
    quota: int,
    ends: int | None,
    publish_events: bool,
) -> Envelope:
    """Let somebody into a share of yours: that person's node gets the secrets and your signed permission.

    Where the node is away it gets them when it comes; the answer is an error then, and the person is let in all the
    same. Say share_revoke to take it back."""
    share = _mine(context, key_id)
    if access not in ACCESS:
        raise BadArgument(f"argument 'access' must be one of {', '.join(ACCESS)}")
    person = await find_person(context, trusted_user_id)
    if person.fingerprint == context.me.fingerprint:
        return failed("not-allowed", "you are let in already: it is your share")
    context.cache.keep(person)
    quota = quota if access == "write" else 0
    donation = context.shares.donations.grant(share.alias, person.fingerprint, ACCESS[access], quota, ends)
    context.shares.withdrawals.tell()
    with context.following.meanwhile(publish_events, donation.machine.index):
        state = await delivered(donation, context.world.clock, timeout)
    row = {"key_id": share.key_id, **_holder(context, share.alias, person.fingerprint)}
    automat = {"index": donation.machine.index, "id": donation.machine.id}
    if state == "DELIVERED":
        return ok(row, message=f"{person.global_id} was let into {share.key_id}", automat=automat)
    if state == "REFUSED":
        return failed("refused", f"{person.global_id} does not take it: {donation.problem}", **row)
    why = donation.problem or f"no answer within {timeout:g} seconds"
    text = f"{person.global_id} is let in, and gets the key as soon as its node can be reached ({why})"
    return failed("no-answer", text, **row)


@method(
    Route("DELETE", "/share/revoke/v1", ("/sh/rv",)),
    params=(KEY_ID, WHO),
    service="shared_data",
    returns="{key_id, waiting, files, bytes}",
    errors=(*NO_SHARE, *NO_PERSON, "not-found"),
)
async def share_revoke(context: Context, key_id: str, trusted_user_id: str) -> Envelope:
    """Shut somebody out of a share of yours. Your suppliers refuse that person from now on, and what is stored from
    now on has a new secret. What the person has read already cannot be taken back: ``files`` and ``bytes`` say how much
    was there. What it has brought stays until you delete it.

    ``waiting`` is how many suppliers are still to learn of it."""
    share = _mine(context, key_id)
    person = await find_person(context, trusted_user_id)
    context.shares.donations.take_back(share.alias, person.fingerprint)
    context.shares.withdrawals.tell()
    files, size = context.storage.stored_under(share.alias)
    text = (
        f"{person.global_id} is shut out of {share.key_id}: suppliers refuse it, and what is new has a new secret;"
        f" what was there before may have been read and copied (files: {files}, {in_words(size)})"
    )
    row = {"key_id": share.key_id, "waiting": context.shares.withdrawals.waiting(), "files": files, "bytes": size}
    return ok(row, message=text)


@method(
    Route("POST", "/share/open/v1", ("/sh/o",)),
    Route("PUT", "/share/open/v1"),
    params=(KEY_ID, PUBLISH),
    service="shared_data",
    returns=SHARE,
    errors=(*NO_SHARE, "damaged-catalog", "disk-full", "not-connected", "too-many-followed"),
    becomes=BECOMES,
)
async def share_open(context: Context, key_id: str, publish_events: bool) -> Envelope:
    """Connect to the suppliers of a share and read what is in it, now and after each start."""
    share = context.shares.find(key_id)
    context.following.need_room(publish_events)
    opened, state = await opened_share(context, share, publish_events)
    machine = opened.machine
    row = share_row(context, context.shares.find(share.key_id))
    automat = {"index": machine.index, "id": machine.id}
    if state != "CONNECTED":
        return failed("not-connected", f"{share.key_id} cannot be read yet, and is tried again: {opened.reason}", **row)
    return ok(row, message=f"share {share.key_id} is open", automat=automat)


async def open_share_of(context: Context, remote_path: str) -> None:
    """Open the share that a path leads into, where it is one. Raises ``not-connected``, ``key-not-found``."""
    key = RemotePath.parse(remote_path).key
    if key is None or not key.alias.startswith(SHARE_PREFIX):
        return
    share = context.shares.find(f"{key.alias}${key.owner}")
    if share.opened is None or share.opened.machine.state != "CONNECTED":
        opened, state = await opened_share(context, share)
        if state != "CONNECTED":
            raise BitDustError("not-connected", f"{share.key_id} cannot be read yet: {opened.reason}")


async def opened_share(context: Context, share: Share, follow: bool = False) -> tuple[OpenShare, str]:
    """A share that was opened, and whether it is connected: the state of its machine after the first try."""
    opened = await context.shares.open(share)
    machine = opened.machine
    if follow:
        context.following.start(machine.index)
    state = machine.state
    if state not in ("CONNECTED", "DISCONNECTED"):
        state = await machine.when("CONNECTED", "DISCONNECTED", *machine.final)
    return opened, state


@method(
    Route("DELETE", "/share/close/v1", ("/sh/cl",)),
    Route("PUT", "/share/close/v1"),
    params=(KEY_ID,),
    service="shared_data",
    returns=SHARE,
    errors=(*NO_SHARE, "not-open"),
)
async def share_close(context: Context, key_id: str) -> Envelope:
    """Disconnect from a share; what is in it stays where it is, and it can be opened again."""
    share = context.shares.find(key_id)
    await context.shares.close(share)
    return ok(share_row(context, context.shares.find(share.key_id)), message=f"share {share.key_id} is closed")


@method(
    Route("GET", "/share/history/v1", ("/sh/h",)),
    params=(
        Param("key_id", default=None, aliases=("id",), help="one share; all of them if left out"),
        Param("limit", Kind.INTEGER, 100, low=1, high=1000),
    ),
    service="shared_data",
    returns="[{key_id, time, event, remote_path, path_id, version, size, fingerprint, global_id}]",
    errors=NO_SHARE,
)
async def share_history(context: Context, key_id: str | None, limit: int) -> Envelope:
    """What was stored in shares and is still there, the newest first, and by whom; ``time`` is in seconds since the
    epoch."""
    can_be_read = [one for one in context.shares.all() if one.mine is None or context.storage.is_open]
    shares = [context.shares.find(key_id)] if key_id else can_be_read
    rows: list[Row] = []
    for share in shares:
        rows += await _stored(context, share)
    rows.sort(key=lambda row: (row["time"], row["remote_path"]), reverse=True)
    return listed(rows[:limit])


async def _stored(context: Context, share: Share) -> list[Row]:
    if share.mine is None and share.opened is None:
        return []
    items = await context.storage.list(None, share.key_id, True, False, False)
    found = [(item, version, version["backup_id"].rpartition("/")[2]) for item in items for version in item["versions"]]
    return [
        {
            "key_id": share.key_id,
            "time": version_time(name),
            "event": "stored",
            "remote_path": item["remote_path"],
            "path_id": item["path_id"],
            "version": name,
            "size": version["size"],
            **_maker(context, share, name),
        }
        for item, version, name in found
    ]


def _maker(context: Context, share: Share, version: str) -> Row:
    owner = share.given.owner if share.given is not None else context.me.fingerprint
    who = holder_of(share.writers, version) or owner
    return {"fingerprint": who.hex(), "global_id": names_of(context, who)["global_id"]}


def _mine(context: Context, key_id: str) -> Share:
    share = context.shares.find(key_id)
    if share.mine is None:
        text = f"{key_id} belongs to somebody else, who alone lets people in and shuts them out"
        raise BitDustError("not-a-share", text)
    return share


def share_row(context: Context, share: Share) -> Row:
    """A share as JSON."""
    opened, given, me = share.opened, share.given, context.me
    owner = given.owner if given is not None else me.fingerprint
    family = given.owner_family() if given is not None else context.shares.my_family()
    suppliers = [_supplier(context, who) for who in family.suppliers] if family is not None else []
    machine = opened.machine if opened is not None else None
    row: dict[str, Any] = {
        "key_id": share.key_id,
        "alias": share.alias,
        "label": share.label,
        "creator": names_of(context, owner)["global_id"] or (given.name if given is not None else ""),
        "mine": share.mine is not None,
        "active": share.active,
        "state": machine.state if machine is not None else "CLOSED",
        "reason": opened.why() if opened is not None else "",
        "suppliers": suppliers,
        "ecc_map": family.ecc_map if family is not None else "",
        "revision": family.revision if family is not None else 0,
        "index": machine.index if machine is not None else None,
        "id": machine.id if machine is not None else None,
        "name": machine.name if machine is not None else None,
        "rights": sorted(given.rights) if given is not None else sorted(Right),
        "ends": given.ends if given is not None else None,
    }
    if isinstance(opened, TheirShare) and opened.catalog.writing.logs.may_write():
        writing = opened.catalog.writing
        row |= {"quota": writing.logs.pen().quota, "used": writing.used()}
    if share.mine is not None:
        grants = context.shares.donations.grants(share.mine.key_id)
        holders = dict.fromkeys(grant.holder for grant in grants)
        row["holders"] = [_holder(context, share.mine.key_id, holder) for holder in holders]
    return row


def _supplier(context: Context, who: bytes | None) -> str:
    return (names_of(context, who)["global_id"] or who.hex()) if who is not None else ""


def _holder(context: Context, alias: str, holder: bytes) -> Row:
    donations = context.shares.donations
    grant = donations.grant_of(alias, holder)
    donation = next((one for one in donations.of(alias) if one.holder == holder), None)
    return {
        "fingerprint": holder.hex(),
        **names_of(context, holder),
        "rights": sorted(grant.rights) if grant is not None else [],
        "quota": grant.quota if grant is not None else 0,
        "used": context.storage.sealed_under(grant.writer.mark) if grant is not None and grant.writes else 0,
        "since": grant.since if grant is not None else None,
        "ends": grant.ends if grant is not None else None,
        "state": donation.machine.state if donation is not None else "CLOSED",
        "reason": donation.problem if donation is not None else "",
    }
