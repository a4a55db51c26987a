"""Contracts as lists show them to people, on either side of one."""

from typing import Any

from bitdust.wire.records import Contract


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
