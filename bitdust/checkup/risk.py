"""What the risk means, in words: functions over what `bitdust.risk.Risk.look` gives. No Twisted."""

from collections.abc import Mapping, Sequence
from typing import Any

from bitdust.checkup.finding import Finding, bad, called, few, lasting, ok, warn

Row = Mapping[str, Any]
REPLACE = "to replace one: bitdust supplier replace POSITION"
HINTS = {
    "full": "its owner has to make room, and it goes on by itself; " + REPLACE,
    "refuses": "it is asked again by itself; " + REPLACE,
    "silent": "it is tried again by itself; see: bitdust supplier ping",
    "not-proven": "what it lost is made again by itself; " + REPLACE,
    "no-log": "it is brought by itself while the supplier is there; see: bitdust supplier list",
    "no-key-ring": "it is brought by itself while the supplier is there; see: bitdust supplier list",
    "no-family": "it is brought by itself while the supplier is there; see: bitdust supplier list",
}
"""By the code of a problem; who is away has a finding of its own."""


def risk(row: Row, now: float) -> list[Finding]:
    """All findings; ``now`` in seconds since the epoch."""
    return [
        *_pieces(row),
        *versions(row["versions_lost"]),
        *_suppliers(row["suppliers"]),
        *_copies(row),
        *_family(row["family"]),
        *_rebuilding(row["rebuilding"], now),
        *_moving(row["moving"]["places"]),
    ]


def sentence(row: Row) -> str:
    """How many more suppliers may be lost."""
    least, most = row["may_die"], row["may_die_in_all"]
    if least is None:
        return "nothing is stored"
    if row["packs_lost"]:
        return f"{row['packs_lost']} of {row['packs']} packs cannot be given back, even if everybody comes back"
    if row["packs_unreadable"]:
        return f"{row['packs_unreadable']} of {row['packs']} packs cannot be read until suppliers are back"
    text = f"any {least} {_more(least)} may be lost before a file is" if least else "no further supplier may be lost"
    return text if most == least else f"{text}; any {most}, once everybody who is away is back"


def versions(row: Row) -> list[Finding]:
    """Those that nobody brings any more, such as what was uploaded by a computer that is lost."""
    if not row["count"]:
        return []
    named = [
        f"{one['remote_path']} {one['version']} ({one['earlier'] or 'none'} before it can)" for one in row["named"]
    ]
    text = f"{row['count']} {'version' if row['count'] == 1 else 'versions'} cannot be had: {few(named, 3)}"
    hint = (
        "a download takes the version before it; upload the file again if you have it, or keep the list short:"
        " bitdust file delete PATH/VERSION"
    )
    return [warn("versions", text, hint)]


def _more(count: int) -> str:
    return "more supplier" if count == 1 else "more suppliers"


def _pieces(row: Row) -> list[Finding]:
    weakest = row["weakest"]
    if weakest is None:
        return []
    text = sentence(row) + _of_files(weakest["remote_paths"])
    if row["packs_lost"]:
        hint = "upload these files again if you have them; else, see whether a former supplier can be switched on"
        return [bad("risk", text, f"{hint}; versions before may be whole: bitdust file versions PATH")]
    if row["packs_unreadable"]:
        return [bad("risk", text, f"have them switched on: {_away(row)}")]
    if row["may_die"] >= weakest["n"] - weakest["k"]:
        return [ok("risk", text)]
    left = [f"{count} pieces {word}" for word, count in _left(row["pieces"]) if count]
    text += f" ({', '.join(left)})" if left else ""
    hint = "missing pieces are made again by themselves while suppliers are there"
    if row["may_die_in_all"] > row["may_die"]:
        hint = f"have them switched on: {_away(row)}; " + REPLACE
    return [(warn if row["may_die"] or row["may_die_in_all"] else bad)("risk", text, hint)]


def _left(pieces: Row) -> list[tuple[str, int]]:
    words = {"away": "at suppliers that are away", "waiting": "wait on this disk", "missing": "are missing"}
    return [(text, int(pieces[name])) for name, text in words.items()]


def _of_files(paths: Sequence[str]) -> str:
    return f"; weakest: {few(list(paths), 3)}" if paths else ""


def _away(row: Row) -> str:
    names = [called(one) for one in row["suppliers"] if any(p["code"] == "away" for p in one["problems"])]
    return few(names) or "suppliers that are away"


def _suppliers(rows: Sequence[Row]) -> list[Finding]:
    """One line for each supplier that is there and not well."""
    findings = []
    for row in rows:
        troubles = [one for one in row["problems"] if one["code"] != "away"]
        if troubles and not any(one["code"] == "away" for one in row["problems"]):
            text = f"{called(row)} {' and '.join(one['text'] for one in troubles)}"
            findings.append(warn("supplier", text, HINTS[troubles[0]["code"]]))
    return findings


def _copies(row: Row) -> list[Finding]:
    words = {"catalog": "the newest of your catalog", "key_ring": "your key ring", "family": "the list of suppliers"}
    lacking = [(text, row[name]) for name, text in words.items() if not row[name]["safe"] and row[name]["needed"]]
    if not lacking:
        return []
    shown = few([f"{text} is at {one['held']} suppliers, {one['needed']} must have it" for text, one in lacking])
    return [
        warn("copies", shown, "it is brought by itself as soon as enough of them are there; keep this node running")
    ]


def _family(family: Row) -> list[Finding]:
    findings = []
    if family["spares"]:
        shown = few([f"{one['spare']} instead of {one['instead_of']}" for one in family["spares"]])
        findings.append(ok("family", f"it is another one than you left: {shown}"))
    if family["changed_by_device"] is not None:
        text = f"device {family['changed_by_device']} of yours has changed it last (revision {family['revision']})"
        findings.append(ok("family", text))
    return findings


def _rebuilding(row: Row, now: float) -> list[Finding]:
    if not row["reason"]:
        return []
    text = f"it stands still for {lasting(max(0.0, now - (row['since'] or now)))}: {row['reason']}"
    return [bad("rebuilding", text, "it goes on by itself when suppliers are back; see: bitdust supplier list")]


def _moving(places: Sequence[Row]) -> list[Finding]:
    if not places:
        return []
    shown = few([f"{one['from']} to {one['to'] or 'a new supplier'} ({_to_come(one)})" for one in places])
    return [ok("moving", f"pieces move from {shown}; who leaves keeps them until all have come")]


def _to_come(place: Row) -> str:
    if not place["left"]:
        return "all have come"
    return f"{place['left']} pieces, {place['bytes'] / 1e6:,.0f} MB, are left"
