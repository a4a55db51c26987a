"""What is held back, at suppliers or here, that one device of mine has ordered to be destroyed or has deleted."""

from typing import Any

from bitdust.checkup.finding import Finding, few, lasting, ok, warn

CHECK = "deletions"


def deletions(rows: list[dict[str, Any]], now: float) -> list[Finding]:
    """One finding for each device that has ordered something; what this one has is nothing to worry about."""
    if not rows:
        return [ok(CHECK, "no supplier holds back a deletion")]
    return [_of_device([row for row in rows if row["device_id"] == ident], now) for ident in _devices(rows)]


def _devices(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["device_id"] for row in rows))


def _of_device(rows: list[dict[str, Any]], now: float) -> Finding:
    first = min(rows, key=lambda row: int(row["until"]))
    names = few(list(dict.fromkeys(row["supplier"] or "this node" for row in rows)))
    packs, size = sum(row["packs"] for row in rows), sum(row["bytes"] for row in rows)
    ends = sum(row["what"] == "contract-end" for row in rows)
    what = [f"the deletion of {packs} packs ({size} bytes)"] if packs else []
    what += [f"the end of {ends} contract{'s' if ends != 1 else ''}"] if ends else []
    name = first["device_id"] if first["device"] is None else first["device"]
    text = f"{' and '.join(what)} at {names} happens in {lasting(first['until'] - now)}, by the word of"
    if first["this_device"]:
        return ok(CHECK, f"{text} this device")
    hint = f"if that was not you: bitdust identity revoke {name}; to keep it all: bitdust deletion undo {name}"
    return warn(CHECK, f"{text} device {name}", hint)
