"""Friends: people whom you have accepted, and what you call them."""

from bitdust.api.arguments import Kind
from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, failed, listed, ok
from bitdust.api.keys import make_key
from bitdust.api.people import NO_PERSON, document_of, find_person, shown_person
from bitdust.api.table import Param, Route, method
from bitdust.people.friends.book import Friend
from bitdust.people.keys.person import PERSON

FRIEND = "{fingerprint, idurl, global_id, name_proven, idhost, username, alias, contact_state, since}"
NOT_WRITTEN = ("damaged-friends", "os-error")


@method(
    Route("GET", "/friend/list/v1", ("/fr/l",)),
    returns=f"[{FRIEND}]",
)
def friends_list(context: Context) -> Envelope:
    """Your friends, in the order in which you added them; their names are those of their newest documents.

    Anybody may call himself anything: without ``name_proven`` nobody has looked up whether ``global_id`` is the name of
    this ``fingerprint``. ``contact_state`` is CONNECTED, OFFLINE or PING?.
    """
    return listed([friend_row(context, friend) for friend in context.people.friends.all()])


def friend_row(context: Context, friend: Friend) -> Row:
    """A friend as JSON."""
    document = document_of(context, friend.fingerprint)
    idurl = document.idurl if document is not None else None
    return {
        "fingerprint": friend.fingerprint.hex(),
        "idurl": str(idurl or ""),
        "global_id": document.global_id if document is not None else "",
        "name_proven": context.cache.is_proven(friend.fingerprint),
        "idhost": idurl.host if idurl is not None else "",
        "username": idurl.name if idurl is not None else "",
        "alias": friend.alias,
        "contact_state": context.presence.state(friend.fingerprint),
        "since": friend.since,
    }


@method(
    Route("POST", "/friend/add/v1", ("/fr/a",)),
    params=(
        Param(
            "trusted_user_id",
            aliases=("user_id", "id", "idurl", "global_id"),
            help="global id, IDURL, key id or fingerprint",
            example="bob@id.example",
        ),
        Param("alias", default="", help="what you call this person", example="Bob from work"),
        Param("share_person_key", Kind.FLAG, True, help="give this person the public part of your key person$you"),
    ),
    service="identity_propagate",
    returns=FRIEND,
    errors=(*NO_PERSON, "bad-argument", "too-many-friends", "too-many-keys", *NOT_WRITTEN),
)
async def friend_add(context: Context, trusted_user_id: str, alias: str, share_person_key: bool) -> Envelope:
    """Accept somebody as a friend; who is one already gets the alias.

    A friend may leave messages and keys here, learns when this node is there, and is reached in private networks too.
    """
    person = await find_person(context, trusted_user_id)
    if context.me.present and person.fingerprint == context.me.fingerprint:
        return failed("not-allowed", f"{person.global_id} is you; nobody is a friend of his own")
    gives = share_person_key and context.me.present and await _need_person_key(context)
    is_new = await context.people.friends.add(person, alias, gives)
    context.people.keys.person.give(person.fingerprint)
    called = f", whom you call {alias}," if alias else ""
    word = "a new friend" if is_new else "a friend already"
    friend = next((one for one in context.people.friends.all() if one.fingerprint == person.fingerprint), None)
    row = friend_row(context, friend) if friend is not None else None
    return ok(row, message=f"{shown_person(context, person.fingerprint)}{called} is {word}")


async def _need_person_key(context: Context) -> bool:
    """Make it where there is none; whether there is one now."""
    ring = context.me.key_ring
    if PERSON not in ring and PERSON not in ring.keys:
        await make_key(context, PERSON, None, "", True)
    return PERSON in ring


@method(
    Route("DELETE", "/friend/remove/v1", ("/fr/d",)),
    Route("DELETE", "/friend/add/v1"),
    params=(
        Param(
            "user_id",
            aliases=("trusted_user_id", "id", "idurl", "global_id"),
            help="global id, IDURL, key id, fingerprint or alias",
            example="bob@id.example",
        ),
    ),
    service="identity_propagate",
    errors=(*NO_PERSON, "not-a-friend", *NOT_WRITTEN),
)
async def friend_remove(context: Context, user_id: str) -> Envelope:
    """Somebody is a friend no more; nothing that was said or stored is undone by it."""
    person = await find_person(context, user_id)
    if not await context.people.friends.remove(person.fingerprint):
        return failed("not-a-friend", f"{person.global_id} is no friend of yours; see friends_list")
    return ok(message=f"{person.global_id} is a friend no more")
