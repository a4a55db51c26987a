"""What is inside a seal: a message, or a notice between nodes about envelopes; each signed by the sender's device."""

from attrs import frozen

from bitdust.crypt.device import check_record
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.envelopes import MOST_IN_BATCH
from bitdust.wire.messages import MAX_BODY, PRIVATE, SIGNED_KIND, Message, conversation_of
from bitdust.wire.schema import Bytes, Choice, ListOf, Struct, parse
from bitdust.wire.signed import Signed

NOTICE_KIND = "message-notice"
RECEIVED, LOST = "received", "lost"
_LETTER, _NOTICE = b"\x01", b"\x02"
_FIELDS = Struct({"about": Choice((RECEIVED, LOST)), "envelopes": ListOf(Bytes(16), MOST_IN_BATCH, 1)})


@frozen
class Notice:
    """Envelopes that were ``received``, fetched from a mailbox and stored; or that are ``lost``: no device will ever
    open them, so that what was in them is to be sealed again."""

    about: str
    envelopes: tuple[bytes, ...]


def letter(signed: Signed) -> bytes:
    """The plain text of a message."""
    return _LETTER + signed.to_bytes()


def notice_body(notice: Notice) -> bytes:
    """What is signed of a notice."""
    return encode({"about": notice.about, "envelopes": list(notice.envelopes)})


def notice(signed: Signed) -> bytes:
    """The plain text of a notice."""
    return _NOTICE + signed.to_bytes()


def read(plain: bytes, sender: bytes, device_key: bytes, me: bytes) -> tuple[Message | Notice, bytes]:
    """What is in it, once the signature holds, and its signed body; raises `WireError`.

    ``not-allowed`` where the message is another person's or device's than it says, or is not for ``me``.
    """
    kind, raw = plain[:1], plain[1:]
    if kind == _NOTICE:
        signed = Signed.from_bytes(raw, NOTICE_KIND, MAX_BODY)
        check_record(signed, device_key)
        value = parse(signed.body, _FIELDS, MAX_BODY, NOTICE_KIND)
        return Notice(value["about"], tuple(value["envelopes"])), signed.body
    if kind != _LETTER:
        raise WireError("malformed", "neither a message nor a notice")
    signed = Signed.from_bytes(raw, SIGNED_KIND, MAX_BODY + 1024)
    check_record(signed, device_key)
    found = Message.from_body(signed.body)
    if found.sender != sender or found.sender_device != signed.device:
        raise WireError("not-allowed", "the message says that it is somebody else's")
    if found.kind != PRIVATE or not _is_mine(found, me):
        raise WireError("not-allowed", "the message is for somebody else")
    return (found.outgoing() if sender == me else found), signed.body


def _is_mine(found: Message, me: bytes) -> bool:
    """Written to me, or by another device of mine."""
    recipient = _fingerprint(found.recipient)
    if not recipient or me not in (found.sender, recipient):
        return False
    return found.conversation == conversation_of(found.sender, recipient)


def _fingerprint(text: str) -> bytes:
    """Empty for what is none."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return b""
    return found if len(found) == 32 and found.hex() == text else b""
