"""Records of IPNS in the hash table: found by a hash of the name, checked by everybody who keeps one.

A value is canonical CBOR ``{name, record}``: the multihash of the name, and the signed record of IPNS. Its sequence is
the revision, so that a node which has one refuses an older one; the same value may be signed again for longer. The
record in the table ends no later than what was signed.
"""

import hmac

from bitdust.dht.messages import MAX_RECORD
from bitdust.dht.records import DHTRecord
from bitdust.ipld.errors import FormatError
from bitdust.ipld.ipns import LONGEST_RECORD, verify
from bitdust.ipld.peerid import PeerId
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import Bytes, Struct, parse

_BLIND = b"ipns"
_SECOND = 1_000_000_000
_VALUE = Struct({"name": Bytes(2, 64), "record": Bytes(1, LONGEST_RECORD)})


def blinded(name: PeerId) -> bytes:
    """The subject of a name's record, by which nobody knows the name who does not know it already."""
    return hmac.digest(_BLIND, bytes(name), "sha256")


def packed(name: PeerId, record: bytes) -> bytes:
    """The value of a record."""
    return encode({"name": bytes(name), "record": record})


def unpacked(value: bytes) -> tuple[PeerId, bytes]:
    """Name and record of IPNS. Raises `WireError`."""
    found = parse(value, _VALUE, MAX_RECORD, "ipns")
    try:
        return PeerId.from_bytes(found["name"]), found["record"]
    except FormatError as error:
        raise WireError("bad-field", f"no name of IPNS: {error}") from error


def check(record: DHTRecord, wall: float) -> None:
    """Raises `WireError` for a record that its name has not signed, or that is not what it says; with ``wall`` 0 times
    are not minded."""
    name, signed = unpacked(record.value)
    if record.subject != blinded(name):
        raise WireError("bad-subject", "this ipns record is about another name than its own")
    try:
        said = verify(signed, name, int(wall * _SECOND))
    except FormatError as error:
        raise WireError(error.code, f"a record of IPNS that proves nothing: {error}") from error
    if record.revision != said.sequence:
        raise WireError("bad-subject", "the record's revision is not the sequence of its value")
    if record.expires * _SECOND > said.expires:
        raise WireError("bad-expiry", "the record is to live longer than its name has signed it for")
