"""Who is meant: from what a person typed to an identity document, and waiting without owning what is waited for."""

from inspect import isawaitable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.api.context import Context
from bitdust.identity.document import IdentityDocument
from bitdust.people.names.search import Bearer
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL, BadName, check_whole, idurl_of
from bitdust.wire.nicknames import is_nickname

FINGERPRINT_DIGITS = 64
NO_PERSON = ("unknown-user", "ambiguous-user", "bad-name", "not-found", "not-allowed", "network-error", "no-answer")
"""The codes with which `find_person` fails, for the errors of methods that use it."""


async def find_person(context: Context, user: str) -> IdentityDocument:
    """The document of a global id, an IDURL, a key id, a fingerprint in hex, a friend's alias or user name, or a
    nickname; fetched where it is not known, because a person asked. Raises ``unknown-user``, ``ambiguous-user`` and
    what fetching raises.
    """
    if len(user) == FINGERPRINT_DIGITS and all(digit in "0123456789abcdef" for digit in user.lower()):
        return await _by_fingerprint(context, bytes.fromhex(user))
    friends = context.people.friends.called(user) or _friends_named(context, user)
    if len(friends) > 1:
        raise BitDustError("ambiguous-user", f"{len(friends)} friends are called {user!r}: {_listed(context, friends)}")
    if friends:
        return await _by_fingerprint(context, friends[0])
    if is_nickname(user) and context.dht.running:
        return await _by_nickname(context, user)
    check_whole(user)
    if not {"@", "/"} & set(user):
        kinds = "global id such as alice@host, identity URL, fingerprint, nickname, or alias of a friend"
        raise BadName(f"{user[:100]!r} is no {kinds}")
    idurl = idurl_of(user)
    if context.me.present and idurl in context.me.document.sources:
        return context.me.document
    return context.cache.by_idurl(idurl) or await _by_name(context, idurl)


def _friends_named(context: Context, name: str) -> list[bytes]:
    """Friends whose user name is proven to be this: whoever bears it as a nickname comes after them."""
    proven = [one.fingerprint for one in context.people.friends.all() if context.cache.is_proven(one.fingerprint)]
    return [who for who in proven if (found := context.cache.get(who)) is not None and found.name == name]


async def _by_name(context: Context, idurl: IDURL) -> IdentityDocument:
    """The document that is where the name leads."""
    try:
        found: IdentityDocument = await context.client.look_up(idurl)
    except BitDustError as error:
        if error.code != "not-found" or idurl.is_nowhere:
            raise
        text = f"nobody is called {idurl.name} at {idurl.netloc}: {error}; see how the name is written"
        raise BitDustError("not-found", text) from error
    context.cache.accept(found, idurl)
    return found


async def _by_fingerprint(context: Context, fingerprint: bytes) -> IdentityDocument:
    """The document that is known here, or that the hash table has: it proves by itself whose it is."""
    known = document_of(context, fingerprint)
    if known is not None:
        return known
    record = await context.dht.get("identity", fingerprint, thorough=True) if context.dht.running else None
    if record is None:
        text = f"nobody with the fingerprint {fingerprint.hex()} is known to this node or to the DHT"
        raise BitDustError("unknown-user", text)
    try:
        found = IdentityDocument.parse(record.value)
    except WireError as error:
        raise BitDustError("unknown-user", f"the DHT gave no document that can be read: {error}") from error
    context.cache.accept(found)
    return found


async def _by_nickname(context: Context, nickname: str) -> IdentityDocument:
    """Whoever alone bears it. Which of several is meant only a person can say."""
    found = await context.people.names.observe(nickname)
    if not found:
        raise BitDustError("unknown-user", f"nobody is called {nickname[:100]!r}, neither by you nor in the DHT")
    if len(found) > 1:
        people = _listed(context, [one.document.fingerprint for one in found])
        text = f"{len(found)} people are called {nickname!r}, name one by the fingerprint: {people}"
        raise BitDustError("ambiguous-user", text)
    return found[0].document


def bearer_row(context: Context, bearer: Bearer) -> dict[str, Any]:
    """Somebody who bears a nickname, as JSON."""
    return {
        "result": "exist",
        "nickname": bearer.nickname,
        "position": bearer.position,
        "global_id": bearer.document.global_id,
        "idurl": str(bearer.document.idurl),
        "fingerprint": bearer.document.fingerprint.hex(),
        "name_proven": context.cache.is_proven(bearer.document.fingerprint),
    }


def shown_person(context: Context, fingerprint: bytes) -> str:
    """The global id of somebody; where nobody has proved it, the fingerprint first."""
    document = document_of(context, fingerprint)
    if document is None:
        return fingerprint.hex()
    if context.cache.is_proven(fingerprint):
        return document.global_id
    return f"{fingerprint.hex()} (unproven: {document.global_id})"


def _listed(context: Context, people: list[bytes]) -> str:
    return ", ".join(shown_person(context, one) for one in people)


def document_of(context: Context, fingerprint: bytes) -> IdentityDocument | None:
    """What is known of a fingerprint."""
    if context.me.present and fingerprint == context.me.fingerprint:
        return context.me.document
    return context.cache.get(fingerprint)


def names_of(context: Context, fingerprint: bytes | None) -> dict[str, str]:
    """``idurl`` and ``global_id``, empty for somebody whose document is not known."""
    document = document_of(context, fingerprint) if fingerprint is not None else None
    return {"idurl": str(document.idurl) if document else "", "global_id": document.global_id if document else ""}


def following(done: "Deferred[Any]") -> "Deferred[Any]":
    """Ends as ``done`` does; cancelling it leaves ``done`` alone: who waits may go, the work goes on."""
    waiter: Deferred[Any] = Deferred()

    def ended(result: Any) -> Any:
        if not waiter.called:
            waiter.callback(result)
            return None
        return result

    done.addBoth(ended)
    return waiter


async def settled(value: Any) -> Any:
    """The value itself, or what the Deferred or coroutine comes to."""
    return await value if isawaitable(value) else value
