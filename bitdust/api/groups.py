"""Groups: people who write to all of each other."""

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from bitdust.api.arguments import Kind
from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, failed, listed, ok
from bitdust.api.following import PUBLISH, PUBLISH_TO_ANSWER
from bitdust.api.keys import key_row, make_key
from bitdust.api.messages import check_text
from bitdust.api.people import NO_PERSON, find_person, names_of
from bitdust.api.table import Param, Route, method
from bitdust.groups.group import Group
from bitdust.shares.donation import delivered
from bitdust.wire.capability import Right
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import GROUP_PREFIX
from bitdust.wire.records import Family

GROUP = (
    "{group_key_id, alias, label, creator, participant_id, mine, active, state, reason, members: [global id],"
    " joint_postman: suppliers or members, keepers: [global id], active_queue_id, active_supplier_id,"
    " active_supplier_pos, dropped, last_sequence_id, sequence_head, sequence_tail, sequence_count, index, id, name}"
)
KEY_ID = Param("group_key_id", aliases=("key_id", "id"), help="group_…$alice@host",
               example="group_95d0fedc46308e2254477fcb96364af9$alice@id.example")  # fmt: skip
WHO = Param(
    "trusted_user_id",
    aliases=("trusted_global_id", "trusted_id", "user_id", "remote_user_id"),
    help="global id, IDURL, key id or fingerprint",
    example="bob@id.example",
)
NO_GROUP = ("key-not-found", "bad-name", "not-a-group")
NOT_SAID = ("bad-message", "too-large", "busy", "disk-full", "disk-error")
MEMBER = (Right.READ, Right.LIST, Right.LOG)
QUOTA = 256 * 1024 * 1024
"""Bytes that one member may write."""
CACHE = Param("use_dht_cache", Kind.FLAG, True, obsolete=True, help="the group's suppliers come with its key")
BECOMES = [("shared_access_coordinator", "open")]


@method(
    Route("GET", "/group/list/v1", ("/gr/l",)),
    params=(
        Param("only_active", Kind.FLAG, False, help="leave out those that are not joined"),
        Param("include_mine", Kind.FLAG, True),
        Param("include_granted", Kind.FLAG, True, help="those that other people made"),
    ),
    service="private_groups",
    returns=f"[{GROUP}]",
)
def groups_list(context: Context, only_active: bool, include_mine: bool, include_granted: bool) -> Envelope:
    """Your groups, then those that other people let you into; ``state`` is CONNECTED while what is said comes."""
    wanted = [one for one in context.groups.all() if (include_mine if one.mine is not None else include_granted)]
    return listed([group_row(context, one) for one in wanted if one.active or not only_active])


@method(Route("GET", "/group/info/v1", ("/gr/i",)), params=(KEY_ID,), service="private_groups", returns=GROUP,
        errors=NO_GROUP)  # fmt: skip
def group_info(context: Context, group_key_id: str) -> Envelope:
    """One group. ``last_sequence_id`` is -1 before anything was said, then how many entries its log has.

    ``joint_postman`` says who keeps that log, suppliers of its creator or members, and ``keepers`` names them;
    ``dropped`` is how many entries were gone there before this node could read them."""
    return ok(group_row(context, context.groups.find(group_key_id)))


@method(
    Route("GET", "/group/info/dht/v1", ("/gr/dht",)),
    params=(
        Param("group_creator_id", default=None, aliases=("creator_id", "id"), help="who made groups; you if left out"),
    ),
    service="private_groups",
    returns="[{position, broker_id, broker_idurl, group_key_id}]",
    errors=NO_PERSON,
)
async def group_info_dht(context: Context, group_creator_id: str | None) -> Envelope:
    """Who keeps the groups of somebody that are known to this node: suppliers of that person, or members.

    Older nodes had brokers for it, and found them in the DHT; here the key of a group names its keepers."""
    creator = context.me.document if group_creator_id is None else await find_person(context, group_creator_id)
    rows: list[Row] = []
    for group in (one for one in context.groups.all() if one.owner == creator.fingerprint):
        seats = _keepers(context, group)
        named = [(place, names_of(context, who)) for place, who in enumerate(seats) if who is not None]
        rows += [
            {"position": place, "broker_id": name["global_id"], "broker_idurl": name["idurl"],
             "group_key_id": group.key_id}
            for place, name in named
        ]  # fmt: skip
    return listed(rows)


@method(
    Route("POST", "/group/create/v1", ("/gr/c",)),
    params=(
        Param("creator_id", default=None, help="yourself; nobody makes groups for others"),
        Param("key_size", Kind.INTEGER, None, help="1024, 2048, 3072 or 4096; nothing under 2048 is made"),
        Param("label", default="", help="what it is about", example="chat with my friends"),
        Param("timeout", default=None, obsolete=True, help="nobody has to be waited for"),
    ),
    service="private_groups",
    returns=GROUP,
    errors=("not-allowed", *NO_PERSON),
)
async def group_create(context: Context, creator_id: str | None, key_size: int | None, label: str) -> Envelope:
    """Make a group: say group_join to write in it, and group_share to let people in.

    Your suppliers keep its log; while you have none, you and up to four members do, see ``keepers`` in group_info."""
    if creator_id and (await find_person(context, creator_id)).fingerprint != context.me.fingerprint:
        return failed("not-allowed", "a group belongs to the one who makes it; ask that person to make one")
    made = await make_key(context, GROUP_PREFIX + context.world.entropy(16).hex(), key_size, label, False)
    row = group_row(context, context.groups.find(made.key_id))
    return ok(key_row(context, made, False) | row, message=f"new group {row['group_key_id']} was made")


@method(
    Route("POST", "/group/join/v1", ("/gr/j",)),
    params=(KEY_ID, PUBLISH, CACHE, Param("wait_result", Kind.FLAG, True, help="answer when it is open, or cannot be")),
    service="private_groups",
    returns=GROUP,
    errors=(*NO_GROUP, "not-connected", "damaged-catalog", "disk-full", "too-many-followed"),
    becomes=BECOMES,
)
async def group_join(context: Context, group_key_id: str, publish_events: bool, wait_result: bool) -> Envelope:
    """Open a group, now and after each start: what was said comes, and you can write."""
    group = context.groups.find(group_key_id)
    context.following.need_room(publish_events)
    machine = (await context.groups.join(group)).machine
    if publish_events:
        context.following.start(machine.index)
    if wait_result and machine.state not in ("CONNECTED", "DISCONNECTED"):
        await machine.when("CONNECTED", "DISCONNECTED", *machine.final)
    row = group_row(context, context.groups.find(group.key_id))
    if wait_result and row["state"] != "CONNECTED":
        return failed("not-connected", f"{group.key_id} cannot be read yet, and is tried again: {row['reason']}", **row)
    return ok(row, message=f"group {group.key_id} is joined", automat={"index": machine.index, "id": machine.id})


@method(
    Route("DELETE", "/group/leave/v1", ("/gr/lv",)),
    params=(KEY_ID, Param("erase_key", Kind.FLAG, False, help="forget its key too: of yours nobody gets in any more")),
    service="private_groups",
    returns=GROUP,
    errors=(*NO_GROUP, "not-open"),
)
async def group_leave(context: Context, group_key_id: str, erase_key: bool) -> Envelope:
    """Close a group; what was said stays in your history."""
    group = context.groups.find(group_key_id)
    await context.groups.leave(group, erase_key)
    row = group_row(context, evolve(group, opened=None)) | {"active": False}
    return ok(row, message=f"group {group.key_id} was left")


@method(
    Route("PUT", "/group/reconnect/v1", ("/gr/r",)),
    params=(KEY_ID, CACHE),
    service="private_groups",
    returns=GROUP,
    errors=(*NO_GROUP, "not-open", "not-connected"),
    becomes=[("shared_access_coordinator", "news")],
)
async def group_reconnect(context: Context, group_key_id: str) -> Envelope:
    """Look again at once what was said."""
    group = context.groups.find(group_key_id)
    if group.opened is None:
        return failed("not-open", f"the group {group.key_id} is not joined; see group_join")
    machine = group.opened.machine
    context.groups.look_again(group.opened)
    if machine.state not in ("CONNECTED", "DISCONNECTED"):
        await machine.when("CONNECTED", "DISCONNECTED", *machine.final)
    row = group_row(context, group)
    if row["state"] != "CONNECTED":
        return failed("not-connected", f"{group.key_id} cannot be read: {row['reason']}", **row)
    return ok(row)


@method(
    Route("PUT", "/group/share/v1", ("/gr/sh",)),
    params=(
        KEY_ID,
        WHO,
        Param("timeout", Kind.NUMBER, 45, help="seconds to wait for that person's node", low=1, high=300),
        PUBLISH_TO_ANSWER,
    ),
    service="private_groups",
    returns="{group_key_id, global_id, idurl, state}",
    errors=(*NO_GROUP, *NO_PERSON, "keys-not-ready", "refused", "no-answer", "too-many-keys"),
    becomes=[("shared_access_donor", "start")],
)
async def group_share(
    context: Context, group_key_id: str, trusted_user_id: str, timeout: float, publish_events: bool
) -> Envelope:
    """Let somebody into a group of yours; that person's node gets the key, and joins when its person says so.

    Where the node is away it gets the key when it comes; the answer is an error then."""
    group = _mine(context, group_key_id)
    person = await find_person(context, trusted_user_id)
    if person.fingerprint == context.me.fingerprint:
        return failed("not-allowed", "you are let in already: it is your group")
    context.cache.keep(person)
    donation = context.shares.donations.grant(group.alias, person.fingerprint, MEMBER, QUOTA, None)
    with context.following.meanwhile(publish_events, donation.machine.index):
        state = await delivered(donation, context.world.clock, timeout)
    row = {"group_key_id": group.key_id, "global_id": person.global_id, "idurl": str(person.idurl), "state": state}
    if state == "DELIVERED":
        return ok(row, message=f"{person.global_id} was let into {group.key_id}")
    if state == "REFUSED":
        return failed("refused", f"{person.global_id} does not take it: {donation.problem}", **row)
    why = donation.problem or f"no answer within {timeout:g} seconds"
    text = f"{person.global_id} is let in, and gets the key as soon as its node can be reached ({why})"
    return failed("no-answer", text, **row)


@method(
    Route("DELETE", "/group/remove/v1", ("/gr/rm",)),
    params=(KEY_ID, WHO),
    service="private_groups",
    returns="{group_key_id, waiting}",
    errors=(*NO_GROUP, *NO_PERSON, "not-found"),
)
async def group_remove(context: Context, group_key_id: str, trusted_user_id: str) -> Envelope:
    """Shut somebody out of a group of yours: suppliers refuse that person, and what is said from now on has a new
    secret. What was said before may have been kept."""
    group = _mine(context, group_key_id)
    person = await find_person(context, trusted_user_id)
    context.shares.donations.take_back(group.alias, person.fingerprint)
    context.shares.withdrawals.tell()
    waiting = context.shares.withdrawals.waiting()
    return ok({"group_key_id": group.key_id, "waiting": waiting}, message=f"{person.global_id} is shut out")


@method(
    Route("POST", "/message/send/group/v1", ("/msg/sg",)),
    params=(KEY_ID, Param("data", Kind.JSON, help="a JSON object of at most 600 KB", example={"message": "Hola!"})),
    service="private_groups",
    returns="{message_id}",
    errors=(*NO_GROUP, "not-open", "not-connected", "not-allowed", *NOT_SAID),
)
async def message_send_group(context: Context, group_key_id: str, data: Any) -> Envelope:
    """Write to all members of a group. It is on the disk here when the answer comes, and goes to the suppliers of the
    group's creator from there; who is away reads it later."""
    check_text(data)
    message = await context.groups.say(context.groups.find(group_key_id), data)
    return ok({"message_id": message.id}, message="message sent")


def _mine(context: Context, key_id: str) -> Group:
    group = context.groups.find(key_id)
    if group.mine is None:
        text = f"{key_id} belongs to somebody else, who alone lets people in and shuts them out"
        raise BitDustError("not-a-group", text)
    return group


def group_row(context: Context, group: Group) -> Row:
    """A group as JSON."""
    opened, given = group.opened, group.given
    joint, seats = context.groups.joint(group), _keepers(context, group)
    machine = opened.machine if opened is not None else None
    count = opened.log.entries() if opened is not None else 0
    present = [place for place, who in enumerate(seats) if who is not None and _is_there(context, who)]
    kept = [names_of(context, who)["global_id"] or who.hex() for who in seats if who is not None]
    place = present[0] if present else None
    keeper = seats[place] if place is not None else None
    return {
        "group_key_id": group.key_id,
        "alias": group.alias,
        "label": group.label,
        "creator": names_of(context, group.owner)["global_id"] or (given.name if given is not None else ""),
        "participant_id": context.me.global_id,
        "mine": group.mine is not None,
        "active": group.active,
        "state": machine.state if machine is not None else "DISCONNECTED",
        "reason": opened.reason if opened is not None else "",
        "members": [names_of(context, who)["global_id"] or who.hex() for who in context.groups.members(group)],
        "joint_postman": ("members" if joint is not None else "suppliers") if kept else None,
        "keepers": kept,
        "active_queue_id": queue_id(opened.key().scopes[0], group.owner) if opened is not None and keeper else None,
        "active_supplier_id": names_of(context, keeper)["global_id"] if keeper is not None else None,
        "active_supplier_pos": place,
        "dropped": opened.log.dropped() if opened is not None else 0,
        "last_sequence_id": count or -1,
        "sequence_head": 1 if count else -1,
        "sequence_tail": count or -1,
        "sequence_count": count,
        "index": machine.index if machine is not None else None,
        "id": machine.id if machine is not None else None,
        "name": machine.name if machine is not None else None,
    }


def _keepers(context: Context, group: Group) -> Sequence[bytes | None]:
    """Who keeps it, by position; None for a place that nobody has."""
    joint, given = context.groups.joint(group), group.given
    family: Family | None
    if joint is not None:
        family = joint.as_family()
    else:
        family = given.owner_family() if given is not None else context.shares.my_family()
    return family.suppliers if family is not None else []


def _is_there(context: Context, who: bytes) -> bool:
    return who == context.me.fingerprint or context.gateway.connected(who)


def queue_id(scope: bytes, owner: bytes) -> str:
    """How a log is called where it is kept: its tag, and whose suppliers keep it."""
    return f"{scope.hex()}&{owner.hex()}"
