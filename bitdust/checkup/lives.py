"""What is open of lives of before, of revoked devices and of logs that cannot be read, in words. No Twisted."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bitdust.checkup.finding import Finding, few, ok, warn


def unread(rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Families of before of which not all is known that was stored with them; as `SuppliersView.unread` has them."""
    return [_unread(row) for row in rows]


def _unread(row: Mapping[str, Any]) -> Finding:
    until = f", {datetime.fromtimestamp(row['until'], UTC):%Y-%m-%d} at the latest" if row["until"] else ""
    text = (
        f"what was stored with a family of before is not known yet: {few(row['suppliers'])} were not read, and"
        f" {row['needed']} of them are needed; who is to leave stays until then{until}"
    )
    hint = "it goes on when they are back; those that are gone for good can be given up: bitdust supplier end NAME"
    return warn("former family", text, hint)


def waiting(is_one: bool) -> list[Finding]:
    """Families that a revoked device has named, and for which there is no room beside my suppliers now."""
    if not is_one:
        return []
    text = "there is not room for all families of before that revoked devices have named: some wait to be read"
    hint = "it goes on by itself: each has its turn, for a day where nobody of it answers"
    return [warn("former family", text, hint)]


def open_ends(devices: Sequence[int], has_key: bool) -> list[Finding]:
    """Numbers of revoked devices of which nobody knows yet how much they had written."""
    if not devices:
        return []
    names = few([str(number) for number in devices], 3)
    text = f"how much revoked devices had written is not known yet: {names}; all that they write counts until it is"
    if has_key:
        return [ok("revoked devices", f"{text}; to wait no longer: bitdust identity revoke {devices[0]} --end-now")]
    again = f"bitdust identity revoke {devices[0]} --key-file FILE"
    return [warn("revoked devices", f"{text}, and saying it needs your private key", again)]


def not_given(devices: Sequence[str]) -> list[Finding]:
    """Devices, as they are called, of which suppliers list entries that they do not give."""
    if not devices:
        return []
    text = f"suppliers list something that these devices stored, and do not give it: {', '.join(devices)}"
    hint = "it is asked for again by itself; switch these devices on: they bring it again. If one is lost or stolen"
    return [warn("log entries", text, f"{hint}: bitdust identity revoke {devices[0]} --end-now")]


def held_up(rows: Sequence[tuple[str, int, str]]) -> list[Finding]:
    """Logs of which an entry cannot be taken over: the device, as it is called, the entry, and why."""
    if not rows:
        return []
    names = few([f"entry {sequence} of device {name} ({reason})" for name, sequence, reason in rows], 3)
    text = f"what these devices stored last is not seen here, since an entry cannot be read: {names}"
    hint = "nothing is lost, and it is tried again by itself and at each start; a newer program may be able to read it"
    return [warn("log entries", text, hint)]


def unread_shares(reasons: list[str]) -> list[Finding]:
    """Shares of others into which nothing is written before what this node wrote there is read again: why, each."""
    hint = "it is asked for again by itself; it comes sooner where more suppliers of the share are there"
    return [warn("log entries", few(reasons, 3), hint)] if reasons else []
