"""Hello: the first frame each way, in which a device shows whose it is."""

from typing import Any

from attrs import frozen

from bitdust.transport.frames import MAX_HELLO
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import Bytes, Int, ListOf, Struct, Text, parse

VERSION = 1
_HELLO = Struct(
    {
        "versions": ListOf(Int(1, 1000), 16, 1),
        "identity": Bytes(1, 50_000),
        "device": Bytes(8),
        "addresses": Bytes(0, 8192),
        "limits": Struct({"streams": Int(1, 2**16), "window": Int(1, 2**31)}),
        "agent": Text(64),
    }
)


@frozen
class Hello:
    """``identity`` is the XML document, ``addresses`` a signed record or empty."""

    identity: bytes
    device: bytes
    addresses: bytes
    agent: str
    streams: int
    window: int

    def to_bytes(self) -> bytes:
        """Canonical CBOR."""
        fields: dict[str, Any] = {
            "versions": [VERSION],
            "identity": self.identity,
            "device": self.device,
            "addresses": self.addresses,
            "limits": {"streams": self.streams, "window": self.window},
            "agent": self.agent,
        }
        return encode(fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Hello":
        """Raises `WireError` ``bad-hello``, or ``bad-version`` where no version is shared."""
        try:
            value = parse(data, _HELLO, MAX_HELLO, "hello")
        except WireError as error:
            raise WireError("bad-hello", str(error)) from error
        if VERSION not in value["versions"]:
            raise WireError("bad-version", f"the peer speaks versions {value['versions']}, this node speaks {VERSION}")
        limits = value["limits"]
        return cls(
            value["identity"], value["device"], value["addresses"], value["agent"], limits["streams"], limits["window"]
        )
