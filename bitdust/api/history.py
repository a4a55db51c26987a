"""The history of messages: read, searched, exported, and received as they come."""

import re

from twisted.internet.defer import CancelledError

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.events import dropped
from bitdust.api.messages_shown import (
    CONVERSATION,
    DOCUMENT,
    MESSAGE,
    conversation_row,
    document_row,
    message_row,
)
from bitdust.api.paths import local_path
from bitdust.api.people import NO_PERSON, find_person, following
from bitdust.api.table import Param, Route, method
from bitdust.long_polls import MAX_UNCOLLECTED
from bitdust.people.history.export import Export
from bitdust.people.history.reading import is_cut
from bitdust.people.history.values import Filter, Notice, Page, Stored
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import GROUP, INCOMING, KINDS, OUTGOING, PRIVATE, conversation_of

SERVICE = "message_history"
MOST_ROWS = 1_000
MOST_OFFSET = 10**9
DIRECTIONS = (INCOMING, OUTGOING)
_TYPES = {kind.replace("_", ""): kind for kind in (*KINDS, "personal_message")}
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_PAIR = re.compile(r"[0-9a-f]{64}&[0-9a-f]{64}")
_CONVERSATION = re.compile(r"group_[^$@]+\$[0-9a-f]{64}")
_GROUP = re.compile(r"group_[^$@]+(\$.+)?")
_MESSAGE_ID = re.compile(r"[0-9a-fA-F]{32}")

RECIPIENT = Param(
    "recipient_id",
    default=None,
    aliases=("id", "user_id", "conversation_id"),
    help="the other person (global id, IDURL, key id, fingerprint or alias), a group's key id, or a conversation id",
    example="bob@id.example",
)
SENDER = Param("sender_id", default=None, help="messages of this person alone")
KIND = Param(
    "message_type", default=None, aliases=("type",), help=f"{PRIVATE} or {GROUP}; without it both", example=PRIVATE
)
KINDS_WANTED = Param(
    "message_types",
    Kind.LIST,
    None,
    help=f"{PRIVATE}, {GROUP}: a list, or a text with commas",
    example=[PRIVATE, GROUP],
)
OFFSET = Param("offset", Kind.INTEGER, 0, help="leave out so many", low=0, high=MOST_OFFSET)
LIMIT = Param("limit", Kind.INTEGER, 100, help="give so many at most", low=1, high=MOST_ROWS)
BEFORE = Param("before", default=None, help="only older ones than this message: its id or number")
AFTER = Param("after", default=None, help="the first ones behind this message: its id or number")
INDEXING = "older messages are still being indexed: there may be more"
MORE = "the page is full: go on with before or after, the number of its first or last message"
NO_TALK = (*NO_PERSON, "no-conversation")
NO_MESSAGE = ("no-message", "busy", "damaged-history", "disk-full", "disk-error")


@method(
    Route("GET", "/message/history/v1", ("/msg/h",)),
    params=(RECIPIENT, SENDER, KIND, OFFSET, LIMIT, BEFORE, AFTER),
    service=SERVICE,
    returns=f"[{DOCUMENT}]",
    errors=(*NO_TALK, *NO_MESSAGE, "bad-argument"),
)
async def message_history(
    context: Context,
    recipient_id: str | None,
    sender_id: str | None,
    message_type: str | None,
    offset: int,
    limit: int,
    before: str | None,
    after: str | None,
) -> Envelope:
    """What was written in one conversation, or by one person, or all of it: the newest messages, in the order in which
    they came here.

    ``offset`` counts from the newest one back. Pages that do not move while messages come go by ``before``, the first
    message of the page that is there, or by ``after``, the last one; a page has 8 MB at most, and ``message`` says so
    where it ends there. ``number`` is where a message stands on this node: it goes up with each one, and is never used
    twice. ``received`` is when it came, ``time`` what its sender says.
    """
    wanted = await filter_of(context, recipient_id, sender_id, kinds_of([message_type] if message_type else None))
    found = await _page(context, wanted, offset, limit, before, after)
    return listed([document_row(context, stored) for stored in found], message=MORE if is_cut(found) else None)


@method(
    Route("GET", "/message/conversation/v1", ("/msg/c",)),
    params=(KINDS_WANTED, OFFSET, LIMIT),
    service=SERVICE,
    returns=f"[{CONVERSATION}]",
    errors=("bad-argument", *NO_MESSAGE[1:]),
)
async def message_conversations_list(
    context: Context, message_types: list[str] | None, offset: int, limit: int
) -> Envelope:
    """Your conversations, those with the newest messages first.

    ``unread`` counts incoming messages that no program has taken (`message_receive`, or a WebSocket) and that were not
    marked as read.
    """
    found = await context.people.history.conversations(kinds_of(message_types), (), limit, offset)
    return listed([conversation_row(context, conversation) for conversation in found])


@method(
    Route("GET", "/message/search/v1", ("/msg/f",)),
    params=(
        Param("query", aliases=("text",), help='all these words; "a phrase"; begin*', example="hello"),
        RECIPIENT,
        SENDER,
        KIND,
        OFFSET,
        LIMIT,
        BEFORE,
    ),
    service=SERVICE,
    returns=f"[{DOCUMENT}]",
    errors=("bad-query", *NO_TALK, *NO_MESSAGE, "bad-argument"),
    example={"query": "hello", "recipient_id": "bob@id.example", "message_type": PRIVATE},
)
async def message_search(
    context: Context,
    query: str,
    recipient_id: str | None,
    sender_id: str | None,
    message_type: str | None,
    offset: int,
    limit: int,
    before: str | None,
) -> Envelope:
    """Messages that have all these words in their texts, the newest first; case and accents do not count.

    Where the home has a passphrase there is no index of words on the disk: messages are read one after the other, which
    takes seconds for a hundred thousand of them.
    """
    history = context.people.history
    wanted = await filter_of(context, recipient_id, sender_id, kinds_of([message_type] if message_type else None))
    place = await _number(context, wanted, before)
    found = await history.search(query, wanted, Page(limit, offset, place))
    rest = history.searched_plainly or (None if history.is_indexed else INDEXING)
    return listed([document_row(context, stored) for stored in found], message=rest)


@method(
    Route("POST", "/message/read/v1", ("/msg/rd",)),
    params=(
        Param(
            "conversation_id",
            aliases=("recipient_id", "id"),
            help="the other person, a group's key id, or a conversation id",
            example="bob@id.example",
        ),
        Param("message_id", default=None, help="up to this message: its id or number; without it all of them"),
    ),
    service=SERVICE,
    returns="{conversation_id, unread}",
    errors=(*NO_TALK, *NO_MESSAGE),
)
async def message_mark_read(context: Context, conversation_id: str, message_id: str | None) -> Envelope:
    """You have read a conversation, up to one message or to its end."""
    history = context.people.history
    wanted = await filter_of(context, conversation_id, None, ())
    number = await _number(context, wanted, message_id)
    last = await history.named([number]) if number is not None else await history.page(wanted, Page(1))
    if not last:
        raise BitDustError("no-conversation", f"nothing was written with {conversation_id[:200]!r} yet")
    await history.mark_read(last[0].message.conversation, last[0].position)
    left = await history.conversations((), (last[0].message.conversation,))
    return ok({"conversation_id": left[0].name, "unread": left[0].unread})


@method(
    Route("POST", "/message/export/v1", ("/msg/x",)),
    params=(
        Param(
            "destination_filepath",
            aliases=("destination_path", "local_path"),
            help="a new file",
            example="/home/alice/messages.jsonl",
        ),
        RECIPIENT,
        SENDER,
        KIND,
    ),
    service=SERVICE,
    returns="{local_path, messages, bytes}",
    errors=("exists", "bad-path", *NO_TALK, *NO_MESSAGE, "bad-argument"),
    local_files=True,
)
async def message_export(
    context: Context,
    destination_filepath: str,
    recipient_id: str | None,
    sender_id: str | None,
    message_type: str | None,
) -> Envelope:
    """Write messages to a new file on this machine, from old to new, one JSON object a line as `message_history` gives
    them. The file is there when all of it is; nobody but its owner can read it."""
    wanted = await filter_of(context, recipient_id, sender_id, kinds_of([message_type] if message_type else None))
    export = Export(context.world, context.people.history, lambda stored: document_row(context, stored))
    written = await following(export.write(local_path(destination_filepath, "destination_filepath"), wanted))
    return ok(written, message=f"{written['messages']} messages are in {written['local_path']}")


@method(
    Route("GET", "/message/receive/{consumer_callback_id}/v1", ("/msg/r/{consumer_callback_id}",)),
    params=(
        Param("consumer_callback_id", help="any name; it keeps its place in the stream", example="my-program"),
        Param("direction", default=INCOMING, help=f"{INCOMING}, {OUTGOING}, or any"),
        Param("message_types", Kind.LIST, None, help=f"{PRIVATE}, {GROUP}: a list, or a text with commas"),
        Param("polling_timeout", Kind.NUMBER, 60.0, ("timeout",), "seconds", low=0, high=3600, example=1),
        Param(
            "after", Kind.INTEGER, None, help="the number of the last message that this program has got", low=-(2**53)
        ),
    ),
    service=SERVICE,
    returns=f"[{MESSAGE}]; where the program was forgotten: nothing, beside dropped and after",
    errors=("bad-argument", "too-many-consumers", *NO_MESSAGE[1:]),
)
async def message_receive(
    context: Context,
    consumer_callback_id: str,
    direction: str,
    message_types: list[str] | None,
    polling_timeout: float,
    after: int | None,
) -> Envelope:
    """Messages that have come since the last call of this program; waits when there are none.

    The first call gives it a place in the stream. With ``after`` it goes on behind a message that it has got, whatever
    happened since: messages come out of the history. Who leaves 100 messages uncollected is forgotten, and told so by
    the next call: ``after`` is where to go on. Over a WebSocket messages come by themselves.
    """
    kinds = kinds_of(message_types)
    way = _direction(direction)
    polls = context.people.listeners.polls

    def wants(notice: Notice) -> bool:
        return (not way or notice.direction == way) and (not kinds or notice.kind in kinds)

    if after is None:
        lost = polls.lost(consumer_callback_id, wants)
        if lost is not None:
            return dropped(consumer_callback_id, lost.number - 1)
    waiting = polls.listen(consumer_callback_id, wants)
    if after is not None:
        found = await context.people.history.page(
            Filter(kinds=kinds, direction=way), Page(MAX_UNCOLLECTED, after=after)
        )
        if found:
            waiting.addErrback(lambda failure: failure.trap(CancelledError)).cancel()
            polls.forget(consumer_callback_id, lambda notice: notice.number <= found[-1].number)
            return _received(context, found)
    waiting.addTimeout(polling_timeout, context.world.clock, lambda *_: [])
    notices = [notice for notice in await waiting if after is None or notice.number > after]
    found = await context.people.history.named([notice.number for notice in notices])
    if is_cut(found):
        polls.put_back(consumer_callback_id, [notice for notice in notices if notice.number > found[-1].number])
    return _received(context, found)


def _received(context: Context, found: list[Stored]) -> Envelope:
    context.people.listeners.seen(found)
    return listed([message_row(context, stored) for stored in found])


# what is meant


def kinds_of(given: list[str] | None) -> tuple[str, ...]:
    """The kinds of messages: as they are called, or without their underlines, as older documents write them."""
    kinds = []
    for text in given or ():
        for name in text.split(","):
            kind = _TYPES.get(name.strip().replace("_", "").lower())
            if name.strip() and kind is None:
                raise BadArgument(f"there is no type of message {name.strip()[:80]!r}; there are {', '.join(KINDS)}")
            kinds += [kind] if kind is not None else []
    return tuple(dict.fromkeys(kinds))


def _direction(given: str) -> str:
    if given in ("any", ""):
        return ""
    if given not in DIRECTIONS:
        raise BadArgument(f"argument 'direction' must be {INCOMING}, {OUTGOING} or any")
    return given


async def filter_of(context: Context, recipient: str | None, sender: str | None, kinds: tuple[str, ...]) -> Filter:
    conversation = await _conversation(context, recipient) if recipient else ""
    who = (await _person(context, sender)) if sender else b""
    return Filter(conversation, who, kinds)


async def _conversation(context: Context, given: str) -> str:
    if _PAIR.fullmatch(given):
        return given
    if _GROUP.fullmatch(given):
        return await _group(context, given)
    return conversation_of(context.me.fingerprint, await _person(context, given))


async def _group(context: Context, given: str) -> str:
    """The conversation of a group that is known here, or of which something is in the history, be its key forgotten."""
    name: str = given if _CONVERSATION.fullmatch(given) else context.groups.conversation(given)
    if context.groups.called(name) != name:
        return name
    found: list[str] = await context.people.history.groups_called(given.partition("$")[0])
    if name in found:
        return name
    if name == given and len(found) == 1:
        return found[0]
    several = f"; several had that alias: {', '.join(found)}" if found else ""
    text = f"there is no group {given[:100]!r}, and nothing in the history that was said in it{several}"
    raise BitDustError("no-conversation", f"{text}; see groups_list")


async def _person(context: Context, given: str) -> bytes:
    """A fingerprint alone says who is meant, also of somebody whom nobody knows any more."""
    if _FINGERPRINT.fullmatch(given.lower()):
        return bytes.fromhex(given)
    return (await find_person(context, given)).fingerprint


async def _number(context: Context, wanted: Filter, given: str | None) -> int | None:
    if given is None:
        return None
    if _MESSAGE_ID.fullmatch(given):
        number = await context.people.history.number_of(bytes.fromhex(given), wanted.conversation)
        if number is None:
            raise BitDustError("no-message", f"there is no message {given}")
        return number
    try:
        number = int(given)
    except ValueError:
        raise BadArgument(f"{given[:80]!r} is neither the id of a message nor its number") from None
    if abs(number) >= 2**53:
        raise BadArgument(f"{given[:80]} is no number of a message")
    return number


async def _page(
    context: Context, wanted: Filter, offset: int, limit: int, before: str | None, after: str | None
) -> list[Stored]:
    if before is not None and after is not None:
        raise BadArgument("give before or after, not both")
    place = Page(limit, offset, await _number(context, wanted, before), await _number(context, wanted, after))
    found: list[Stored] = await context.people.history.page(wanted, place)
    return found
