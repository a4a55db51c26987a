"""What the person of a node carries to an app that was let in without codes: keys and address, signed by the node."""

import hashlib
import json

from attrs import frozen

from bitdust.companions.book import Record
from bitdust.crypt.comparison import DIGITS
from bitdust.identity.me import Me

DOMAIN = b"BitDust device grant 1"


def code_of(key: bytes) -> str:
    """Six digits of an app's public key, by which a mistake in copying it is seen."""
    made = int.from_bytes(hashlib.sha256(b"BitDust device key 1" + key).digest()[:8], "big")
    return f"{made % 10**DIGITS:0{DIGITS}d}"


@frozen
class Grant:
    """``auth_info`` names who let in whom; ``signature`` is that of the node's device key over it."""

    auth_info: str
    signature: str
    server_public_key: str

    @classmethod
    def of(cls, me: Me, record: Record) -> "Grant":
        """For the app of a record."""
        said = {
            "version": 1,
            "name": record.name,
            "global_id": me.global_id,
            "device": me.device.id.hex(),
            "client_public_key": record.app_key.hex(),
            "server_public_key": record.node_public.hex(),
            "authorized": record.authorized,
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return cls(text, me.device.sign(DOMAIN + text.encode()).hex(), record.node_public.hex())
