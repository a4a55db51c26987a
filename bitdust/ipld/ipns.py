"""IPNS records: what a name points to, signed by the key that the name is the hash of.

A record is a protocol buffer around a dag-cbor map. The second signature is over that map and is the one that counts;
the first one, over three fields of the buffer, is written for old readers and not believed. What both places say has
to be the same.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final

from attrs import frozen

from bitdust.ipld import dagcbor, protobuf
from bitdust.ipld.errors import FormatError, malformed, too_large, unsupported
from bitdust.ipld.keys import PrivateKey, PublicKey
from bitdust.ipld.peerid import PeerId
from bitdust.ipld.protobuf import BYTES, NUMBER

LONGEST_RECORD: Final = 10 * 1024
HIGHEST_SEQUENCE: Final = (1 << 64) - 1
_VALUE, _SIGNATURE_V1, _VALIDITY_TYPE, _VALIDITY, _SEQUENCE, _TTL, _KEY, _SIGNATURE_V2, _DATA = range(1, 10)
_KINDS: Final = {
    _VALUE: BYTES,
    _SIGNATURE_V1: BYTES,
    _VALIDITY_TYPE: NUMBER,
    _VALIDITY: BYTES,
    _SEQUENCE: NUMBER,
    _TTL: NUMBER,
    _KEY: BYTES,
    _SIGNATURE_V2: BYTES,
    _DATA: BYTES,
}
_END_OF_LIFE: Final = 0
_PREFIX: Final = b"ipns-signature:"
_SECOND: Final = 1_000_000_000
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NAMES: Final = {"Value": bytes, "Validity": bytes, "ValidityType": int, "Sequence": int, "TTL": int}


@frozen
class Record:
    """What a record says. ``expires`` and ``ttl`` are nanoseconds, since 1970 and of caching."""

    value: bytes
    sequence: int
    expires: int
    ttl: int

    @property
    def rank(self) -> tuple[int, int]:
        """Of two records of one name the one with the higher rank counts."""
        return self.sequence, self.expires


def routing_key(name: PeerId) -> bytes:
    """Under which a record is kept by peers."""
    return b"/ipns/" + bytes(name)


def make(key: PrivateKey, record: Record, with_v1: bool = True) -> bytes:
    """A signed record; its name is the peer id of the key."""
    if not 0 <= record.sequence <= HIGHEST_SEQUENCE or not 0 <= record.ttl <= HIGHEST_SEQUENCE:
        raise too_large("a sequence or a time to live of more than 64 bits")
    validity = write_moment(record.expires).encode()
    data = dagcbor.encode(
        {
            "Value": record.value,
            "Validity": validity,
            "ValidityType": _END_OF_LIFE,
            "Sequence": record.sequence,
            "TTL": record.ttl,
        }
    )
    parts = []
    if with_v1:
        parts += [
            protobuf.bytes_field(_VALUE, record.value),
            protobuf.bytes_field(_SIGNATURE_V1, key.sign(record.value + validity + b"EOL")),
            protobuf.number_field(_VALIDITY_TYPE, _END_OF_LIFE),
            protobuf.bytes_field(_VALIDITY, validity),
            protobuf.number_field(_SEQUENCE, record.sequence),
            protobuf.number_field(_TTL, record.ttl),
        ]
    if PeerId.of(key.public).key is None:
        parts.append(protobuf.bytes_field(_KEY, key.public.encode()))
    parts += [protobuf.bytes_field(_SIGNATURE_V2, key.sign(_PREFIX + data)), protobuf.bytes_field(_DATA, data)]
    made = b"".join(parts)
    if len(made) > LONGEST_RECORD:
        raise too_large(f"an IPNS record of {len(made)} bytes")
    return made


def verify(data: bytes, name: PeerId, now: int) -> Record:
    """What a record of that name says, if it is valid now (nanoseconds since 1970).

    Codes besides those of formats: ``bad-signature`` where another key signed it, or nobody, and ``expired``.
    """
    if len(data) > LONGEST_RECORD:
        raise too_large(f"an IPNS record of {len(data)} bytes")
    found: dict[int, Any] = dict(protobuf.read(data, _KINDS))
    signature, signed = found.get(_SIGNATURE_V2), found.get(_DATA)
    if not signature or not signed:
        raise FormatError("bad-signature", "an IPNS record without the second signature")
    key = PublicKey.decode(found[_KEY]) if found.get(_KEY) else name.key
    if key is None or not name.matches(key):
        raise FormatError("bad-signature", "an IPNS record without the key of its name")
    if not key.verify(signature, _PREFIX + signed):
        raise FormatError("bad-signature", "an IPNS record that its name's key has not signed")
    said = _said(signed)
    _compare(found, said)
    record = Record(said["Value"], said["Sequence"], read_moment(said["Validity"]), said["TTL"])
    if record.expires <= now:
        raise FormatError("expired", f"an IPNS record that was valid until {said['Validity'].decode()}")
    return record


def _said(signed: bytes) -> dict[str, Any]:
    """The map that was signed; it may have more than what is known here."""
    said = dagcbor.decode(signed)
    if not isinstance(said, dict):
        raise malformed("an IPNS record that is no map")
    for name, kind in _NAMES.items():
        if type(said.get(name)) is not kind:
            raise malformed(f"an IPNS record without {name}")
    if not all(0 <= said[name] <= HIGHEST_SEQUENCE for name in ("Sequence", "TTL")):
        raise malformed("an IPNS record with a number below zero")
    if said["ValidityType"] != _END_OF_LIFE:
        raise unsupported(f"an IPNS record of the validity {said['ValidityType']}")
    return said


def _compare(found: dict[int, Any], said: dict[str, Any]) -> None:
    """Refuse a buffer whose fields are not those that were signed; one that has none of them is as good."""
    if not found.get(_VALUE) and not found.get(_SIGNATURE_V1):
        return
    fields = {
        "Value": found.get(_VALUE, b""),
        "Validity": found.get(_VALIDITY, b""),
        "ValidityType": found.get(_VALIDITY_TYPE, 0),
        "Sequence": found.get(_SEQUENCE, 0),
        "TTL": found.get(_TTL, 0),
    }
    for name, value in fields.items():
        if value != said[name]:
            raise malformed(f"an IPNS record that says two things of {name}")


def write_moment(nanoseconds: int) -> str:
    """RFC 3339 in UTC, with as many digits of a second as are needed."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    try:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError) as error:
        raise malformed("a moment that no calendar has") from error
    return text + (f".{rest:09}".rstrip("0") if rest else "") + "Z"


def read_moment(data: bytes) -> int:
    """Nanoseconds since 1970."""
    match = _MOMENT.fullmatch(data.decode("ascii", "replace"))
    if match is None:
        raise malformed("a moment that is not of RFC 3339")
    whole, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
        seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError) as error:
        raise malformed("a moment that no calendar has") from error
    return seconds * _SECOND + int((fraction or "").ljust(9, "0"))
