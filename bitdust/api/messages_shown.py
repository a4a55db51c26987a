"""Messages and conversations, as clients get them: people under the names that are known now."""

import re

from bitdust.api.context import Context, Row
from bitdust.api.people import document_of
from bitdust.people.history.values import Conversation, Stored
from bitdust.wire.messages import GROUP, INCOMING, PRIVATE

MESSAGE = "{type, dir, message_id, sender, recipient, data, time, conversation_id, number, received}"
DOCUMENT = (
    "{doc: {payload: {msg_type, message_id, time, data}, sender: {glob_id}, recipient: {glob_id}, direction, "
    "conversation_id}, number, received}"
)
CONVERSATION = (
    "{conversation_id, type, key_id, label, state, started, last_updated, last_message_id, messages, unread, "
    "index, id, name}"
)
THOUSAND = 1000
_PAIR = re.compile(r"[0-9a-f]{64}&[0-9a-f]{64}")


def key_id_of(context: Context, fingerprint: bytes, alias: str = "master") -> str:
    """``master$alice@host``; the fingerprint where no name was proven."""
    name = name_of(context, fingerprint)
    return f"{alias}${name}" if name else fingerprint.hex()


def name_of(context: Context, fingerprint: bytes) -> str:
    """The global id of somebody; empty where nobody has looked up that it is his or hers."""
    document = document_of(context, fingerprint)
    is_mine = context.me.present and fingerprint == context.me.fingerprint
    return document.global_id if document is not None and (is_mine or context.cache.is_proven(fingerprint)) else ""


def sender_of(context: Context, stored: Stored) -> str:
    """Who wrote it."""
    return key_id_of(context, stored.message.sender)


def recipient_of(context: Context, stored: Stored) -> str:
    """To whom it was written: a person's key, or a group."""
    message = stored.message
    if message.kind != PRIVATE:
        return context.groups.called(message.recipient)
    try:
        return key_id_of(context, bytes.fromhex(message.recipient), message.recipient_key)
    except ValueError:
        return message.recipient


def message_row(context: Context, stored: Stored) -> Row:
    """As `message_receive` gives it."""
    message = stored.message
    return {
        "type": message.kind,
        "dir": message.direction,
        "message_id": message.id,
        "sender": sender_of(context, stored),
        "recipient": recipient_of(context, stored),
        "data": message.data,
        "time": message.time / THOUSAND,
        "conversation_id": message.conversation,
        "number": stored.number,
        "received": stored.at / THOUSAND,
    }


def stream_payload(context: Context, stored: Stored) -> Row:
    """As it is stored, and pushed over a WebSocket."""
    message = stored.message
    return {
        "payload": {
            "msg_type": message.kind,
            "message_id": message.id,
            "time": message.time / THOUSAND,
            "data": message.data,
        },
        "sender": {"glob_id": sender_of(context, stored)},
        "recipient": {"glob_id": recipient_of(context, stored)},
        "direction": "in" if message.direction == INCOMING else "out",
        "conversation_id": message.conversation,
    }


def document_row(context: Context, stored: Stored) -> Row:
    """As `message_history` gives it."""
    return {"doc": stream_payload(context, stored), "number": stored.number, "received": stored.at / THOUSAND}


def other_of(context: Context, name: str) -> bytes | None:
    """With whom a private conversation is; None for another kind."""
    people = [bytes.fromhex(part) for part in name.split("&")] if _PAIR.fullmatch(name) else []
    mine = context.me.fingerprint if context.me.present else b""
    return next((one for one in people if one != mine), people[0] if people else None)


def conversation_row(context: Context, conversation: Conversation) -> Row:
    """As `message_conversations_list` gives it; ``index``, ``id`` and ``name`` are those of the machine that says
    whether the other one is there, and empty where there is none."""
    other = other_of(context, conversation.name) if conversation.type == PRIVATE else None
    machine = next((one for who, one in context.presence.contacts() if who == other), None) if other else None
    return {
        "conversation_id": conversation.name,
        "type": conversation.type,
        "key_id": key_id_of(context, other) if other is not None else _key_of(context, conversation),
        "label": _label(context, conversation, other),
        "state": context.presence.state(other) if other is not None else "",
        "started": conversation.started / THOUSAND,
        "last_updated": conversation.updated / THOUSAND,
        "last_message_id": conversation.last,
        "messages": conversation.total,
        "unread": conversation.unread,
        "index": machine.index if machine is not None else None,
        "id": machine.id if machine is not None else "",
        "name": machine.name if machine is not None else "",
    }


def _key_of(context: Context, conversation: Conversation) -> str:
    """The key id of a group, by which methods know it."""
    return context.groups.called(conversation.name) if conversation.type == GROUP else conversation.name


def _label(context: Context, conversation: Conversation, other: bytes | None) -> str:
    if other is None:
        key = _key_of(context, conversation)
        labels = (one.label for one in context.groups.all() if one.key_id == key) if conversation.type == GROUP else ()
        return next((label for label in labels if label), key)
    return context.people.friends.alias_of(other) or name_of(context, other) or other.hex()
