"""Peers and contracts as lists and events show them to people."""

from typing import Any, Protocol

from attrs import frozen

from bitdust.identity.document import IdentityDocument
from bitdust.wire.records import Contract

SHORT = 16
"""Digits of a fingerprint that stand for a peer whose name is not known."""


class Documents(Protocol):
    """The identity documents of peers; `IdentityCache` is one."""

    def get(self, fingerprint: bytes, /) -> IdentityDocument | None:
        """The newest known document of a user."""


@frozen
class Names:
    """How a peer is shown to people; empty where its document is not known."""

    idurl: str = ""
    global_id: str = ""

    @classmethod
    def of(cls, documents: Documents, fingerprint: bytes | None) -> "Names":
        """The names of a peer; empty ones for None."""
        document = documents.get(fingerprint) if fingerprint is not None else None
        return cls(str(document.idurl), document.global_id) if document is not None else cls()


def show_name(documents: Documents, fingerprint: bytes) -> str:
    """The global id of a peer, or the beginning of its fingerprint."""
    return Names.of(documents, fingerprint).global_id or fingerprint.hex()[:SHORT]


def show_idurl(documents: Documents, fingerprint: bytes) -> str:
    """The IDURL of a peer, or its fingerprint."""
    return Names.of(documents, fingerprint).idurl or fingerprint.hex()


def show_contract(contract: Contract | None) -> dict[str, Any] | None:
    """A contract as JSON; times in seconds since the epoch, sizes in bytes, days in days."""
    if contract is None:
        return None
    return {
        "contract_id": contract.contract.hex(),
        "room": contract.room,
        "position": contract.position,
        "ecc_map": f"ecc/{contract.n}x{contract.n}",
        "since": contract.since,
        "term_days": contract.term,
        "grace_days": contract.grace,
    }
