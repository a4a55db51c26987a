"""What figures mean: each function takes plain values and gives findings, whether the node runs or not. No Twisted."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from bitdust.checkup.finding import Finding, bad, called, few, lasting, ok, warn
from bitdust.wire.addresses import host_of
from bitdust.wire.errors import REVOKED
from bitdust.wire.sizes import in_words

CLOCK_WARN, CLOCK_BAD = 30.0, 300.0
OLD_BACKUP, OLD_COPY = 7 * 86_400.0, 365 * 86_400.0
MAKE_BACKUP = "bitdust file upload FOLDER NAME"
SERVERS = "services/identity-propagate/known-servers"
TOLD_FOR = 30 * 86_400
"""Seconds in which the return of a former key ring is news."""


@frozen
class Seen:
    """An ID server's answer: HTTP status (0: none), its clock (seconds since 1970), and how long it took."""

    name: str
    status: int = 0
    date: float | None = None
    seconds: float = 0.0
    error: str = ""


@frozen
class Held:
    """Bytes of donated space that a customer has taken, and that are promised to it besides."""

    name: str
    taken: int
    unfilled: int


def customers(held: Sequence[Held], donated: int) -> list[Finding]:
    """Who has what of the space that is given; promises that nobody fills must not keep others out."""
    taken, unfilled = sum(one.taken for one in held), sum(one.unfilled for one in held)
    text = f"{len(held)} have {in_words(taken)} of {in_words(donated)}, and {in_words(unfilled)} are promised to them"
    if unfilled * 2 <= donated:
        return [ok("customers", text)]
    most = sorted(held, key=lambda one: -one.unfilled)
    names = few([f"{one.name} {in_words(one.unfilled)}" for one in most if one.unfilled], 3)
    hint = "it is given to others when it stays unfilled for the days of services/supplier/promise-days"
    return [warn("customers", f"{text} and not used: {names}", f"{hint}; see: bitdust customer list")]


def clock(differences: Sequence[float]) -> list[Finding]:
    """Seconds that others' clocks are ahead of this one; the middle one counts, because one of them may be wrong."""
    if not differences:
        hint = "an ID server that answers is needed to compare it; meanwhile see: timedatectl"
        return [warn("clock", "nobody answered whose clock this one could be compared with", hint)]
    middle = sorted(differences)[len(differences) // 2]
    hint = "let the clock be set: timedatectl set-ntp true"
    word = "behind" if middle > 0 else "ahead of"
    text = f"this clock is {lasting(abs(middle))} {word} that of {_others(differences)}"
    if abs(middle) > CLOCK_BAD:
        return [bad("clock", f"{text}; what you sign looks outdated or not yet valid", hint)]
    if abs(middle) > CLOCK_WARN:
        return [warn("clock", text, hint)]
    return [ok("clock", f"within {max(2.0, abs(middle)):.0f} seconds of that of {_others(differences)}")]


def _others(differences: Sequence[float]) -> str:
    return "the only one that answered" if len(differences) == 1 else f"{len(differences)} others"


def id_servers(seen: Sequence[Seen]) -> list[Finding]:
    """The configured ones answer."""
    if not seen:
        hint = f"bitdust set {SERVERS} HOST:PORT"
        return [warn("ID servers", "no ID server is set; others cannot look you up by name", hint)]
    answering = [one for one in seen if one.status == 200]
    silent = [_named(one.name, one.error or f"HTTP status {one.status}") for one in seen if one.status != 200]
    hint = f"look whether they run and the network lets you through, or take others: bitdust set {SERVERS} HOST:PORT"
    if not answering:
        return [bad("ID servers", f"none of {len(seen)} answers: {few(silent)}", hint)]
    if silent:
        return [warn("ID servers", f"{len(silent)} of {len(seen)} do not answer: {few(silent)}", hint)]
    return [ok("ID servers", f"{len(seen)} answer, the slowest after {max(one.seconds for one in seen):.2f} s")]


def _named(name: str, error: str) -> str:
    """The name with the reason, which often names it by itself."""
    return error if name in error else f"{name} ({error})"


RECOVER = "where that was not meant: bitdust identity recover FILE, with your key file, in a new home"


@frozen
class Copy:
    """What is at one source of my identity: its revision, or why there is none."""

    idurl: str
    revision: int | None = None
    mine: bool = True
    error: str = ""
    revokes_me: bool = False
    """Whether it says that this device speaks for its owner no more."""


def my_identity(revision: int, copies: Sequence[Copy]) -> list[Finding]:
    """At each source is my newest document."""
    foreign = [copy.idurl for copy in copies if copy.revision is not None and not copy.mine]
    missing = [_named(copy.idurl, copy.error) for copy in copies if copy.revision is None]
    other = [copy for copy in copies if copy.mine and copy.revision not in (None, revision)]
    again = "it is sent again by itself within minutes, or at once by: bitdust service restart identity_propagate"
    findings = []
    if any(copy.revokes_me for copy in copies if copy.mine):
        findings.append(bad("my identity", "this device was revoked: nobody takes its word any more", RECOVER))
        other = []
    if foreign:
        hint = "the name belongs to another key there: take that server out of the settings, and keep your key file"
        findings.append(bad("my identity", f"somebody else's document is at {few(foreign)}", hint))
    if missing:
        verdict = bad if len(missing) == len(copies) else warn
        findings.append(verdict("my identity", f"not found: {few(missing)}", again))
    newer = [f"{copy.idurl} (revision {copy.revision})" for copy in other if (copy.revision or 0) > revision]
    older = [f"{copy.idurl} (revision {copy.revision})" for copy in other if (copy.revision or 0) < revision]
    if newer:
        hint = "another copy of this home may be running: stop one of them, and restart this node"
        findings.append(warn("my identity", f"a newer one than revision {revision} is at {few(newer)}", hint))
    if older:
        findings.append(warn("my identity", f"revision {revision} has not come to {few(older)}", again))
    return findings or [ok("my identity", f"revision {revision} is at {len(copies)} source{'s' * (len(copies) != 1)}")]


def key_backup(checked: float | None, now: float, unnamed: int = 0) -> list[Finding]:
    """When a copy of the key file was last read back, in seconds since 1970; how many suppliers it does not name."""
    hint = "bitdust identity backup FILE, on another disk: without a copy of it, a lost disk is the end of all files"
    if checked is None:
        return [bad("key backup", "no copy of your key was ever checked", hint)]
    if unnamed:
        text = f"suppliers have changed: {unnamed} of them are not named in your key file, which finds them more slowly"
        return [warn("key backup", text, "bitdust identity backup FILE --overwrite; with --renew the node does so")]
    if now - checked > OLD_COPY:
        return [warn("key backup", f"your copy of the key was last checked {lasting(now - checked)} ago", hint)]
    return [ok("key backup", f"a copy of your key was checked {lasting(max(0.0, now - checked))} ago")]


def last_backup(files: int, reliable: float | None, waiting: int, now: float) -> list[Finding]:
    """``reliable``: when the newest version was made of which every piece is at its supplier."""
    if not files:
        return [warn("last backup", "nothing is backed up", MAKE_BACKUP)]
    if reliable is None:
        hint = "see what is on its way: bitdust transfers; and whether suppliers are online: bitdust supplier list"
        return [bad("last backup", f"none of {files} files is whole at your suppliers yet", hint)]
    text = f"the newest version that is whole at your suppliers is {lasting(max(0.0, now - reliable))} old"
    if now - reliable > OLD_BACKUP:
        return [warn("last backup", text, "upload what has changed: bitdust file upload FOLDER NAME")]
    if waiting:
        hint = "nothing to do if it goes down; see: bitdust transfers"
        return [warn("last backup", f"{text}; {waiting} pieces wait for their suppliers", hint)]
    return [ok("last backup", text)]


def services(rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What is enabled is ON. Only the root of a trouble is bad; what merely waits for it is named once."""
    wanted = [row for row in rows if row["enabled"] and row["state"] != "ON"]
    failed = [row for row in wanted if row["state"] == "OFF"]
    waiting = [row for row in wanted if row["state"] != "OFF"]
    findings = [
        bad("services", f"{row['name']} is OFF: {row['reason'] or 'it gave no reason'}", _advice(row)) for row in failed
    ]
    lacking = [row for row in waiting if row["state"] == "NOT_INSTALLED"]
    busy = [
        f"{row['name']} ({row['reason'] or row['state']})"
        for row in waiting
        if row["state"] in ("STARTING", "STOPPING")
    ]
    stuck = [row["name"].removeprefix("service_") for row in waiting if row["state"] == "DEPENDS_OFF"]
    if busy:
        hint = "if it stays so, see: bitdust services --health, and bitdust log --level warn"
        findings.append(warn("services", f"still starting: {few(busy)}", hint))
    if lacking:
        hint = "create or recover an identity: bitdust identity create NAME, or bitdust identity recover FILE"
        why = str(lacking[0]["reason"])
        findings.append(warn("services", f"{len(lacking)} wait: {why}", "bitdust unlock" if "unlock" in why else hint))
    disabled = [row["name"].removeprefix("service_") for row in rows if not row["enabled"]]
    also = f"; switched off: {few(disabled)}" if disabled else ""
    also += f"; off, because they need one of those: {few(stuck)}" if stuck else ""
    count = sum(row["state"] == "ON" for row in rows)
    return findings or [ok("services", f"{count} are ON{also}")]


def _advice(row: Mapping[str, Any]) -> str:
    name = row["name"].removeprefix("service_")
    return f"it is tried again by itself; after the cause is gone at once by: bitdust service restart {name}"


_WHY = {
    "notice": "it gave notice",
    "asked": "you have asked for it",
    "away": "it was away for too long",
    "audits": "it failed its audits",
    "refuses": "it does not take what belongs to its place",
}


def suppliers(rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Enough of my suppliers are online: half of them give everything back, all of them take uploads."""
    rows = [row for row in rows if not row.get("beyond")]
    places, hired = len(rows), [row for row in rows if row["idurl"]]
    online = [row for row in hired if row["contact_state"] == "CONNECTED"]
    leaving = [f"{called(row)} ({_WHY[row['notice']['why']]})" for row in hired if row.get("notice")]
    away = [called(row) for row in hired if row["contact_state"] != "CONNECTED"]
    if not hired:
        hint = "see why: bitdust service info employer; there must be nodes that give space in your network"
        return [bad("suppliers", "no supplier is hired", hint)]
    revoked = [called(row) for row in hired if str(row.get("reason", "")).endswith(REVOKED)]
    if revoked and not online and len(revoked) * 2 >= places:  # one of them may lie, and hide what else is the matter
        return [bad("suppliers", f"{REVOKED}, as they say: {few(revoked)}", RECOVER)]
    if len(online) * 2 < places:
        hint = "your files cannot be read until more are back; ask them: bitdust supplier ping"
        said = f"; {REVOKED}, as some say: {few(revoked)}" if revoked else ""
        return [bad("suppliers", f"{len(online)} of {places} are online; away: {few(away)}{said}", hint)]
    if len(online) < places:
        text = f"{len(online)} of {places} are online" + (f"; away: {few(away)}" if away else "; places are vacant")
        hint = "files can be read; a supplier that stays away can be replaced: bitdust supplier replace POSITION"
        if leaving:
            text += f"; to be replaced: {few(leaving)}"
        return [warn("suppliers", text, hint)]
    if leaving:
        hint = "it goes on by itself; see how far it has come: bitdust supplier list"
        return [warn("suppliers", f"all {places} are online; to be replaced: {few(leaving)}", hint)]
    return [ok("suppliers", f"all {places} are online")]


def resizing(change: str, beyond: Sequence[Mapping[str, Any]], progress: Mapping[str, Any]) -> list[Finding]:
    """``change`` says in words what is being done about another number of suppliers, ``progress`` how far packs are."""
    lost = _nowhere(progress.get("nowhere") or {})
    if not change:
        return lost
    left, waits = int(progress.get("left", 0)), list(progress.get("waits_for", ()))
    text = change
    if left:
        text += f"; {left} packs ({progress['bytes'] / 1e6:,.0f} MB) are left"
    going = [called(row) for row in beyond if row["beyond"] == "to go"]
    if going:
        text += f"; still needed until then: {few(going)}"
    if waits:
        hint = "it goes on when they are back; to replace one: bitdust supplier replace POSITION"
        return [warn("number of suppliers", f"{text}; it waits for {few(waits)}", hint), *lost]
    if progress.get("reason"):
        return [warn("number of suppliers", f"{text}; {progress['reason']}", "it is tried again every minute"), *lost]
    return [ok("number of suppliers", text), *lost]


def _nowhere(found: Mapping[str, Any]) -> list[Finding]:
    """Packs of another size of which too few pieces are anywhere: a change of size waits for them, and not for ever."""
    packs, left_out = int(found.get("packs", 0)), int(found.get("left_out", 0))
    if not packs:
        return []
    files = list(found["remote_paths"])
    text = f"{packs} packs can be had from nowhere" + (f", of: {few(files)}" if files else "")
    if left_out:
        text += f"; {left_out} of them are left out, and who may have pieces is kept"
    if left_out < packs:
        text += "; it is waited for them, for 30 days in which suppliers are there and do not have them"
    return [warn("packs not moved", text, "they move when a lost disk comes back; or: bitdust file delete PATH")]


def healing(status: Mapping[str, Any]) -> list[Finding]:
    """Whether my suppliers could replace one that is lost while I am away, and whether they have."""
    if status["places"]:
        shown = [f"{row['global_id']} instead of {row['instead_of']}" for row in status["places"]]
        hint = "it is decided by itself once all is known; or see: bitdust supplier spares"
        return [warn("healing", f"spares stand in for suppliers: {few(shown)}", hint)]
    if status["problem"]:
        return [ok("healing", str(status["problem"]))]
    days = status["after_days"]
    text = f"{len(status['spares'])} nodes may stand in for a supplier, {days} days after it and you were here last"
    return [ok("healing", text)] if days else []


def audits(rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Suppliers that hold files prove again and again that they do; ``audit`` of each row says how that stands."""
    known = [row for row in rows if row["audit"] is not None and row["audit"]["standing"] != "off"]
    failed = [row for row in known if row["audit"]["standing"] == "failed"]
    overdue = [row for row in known if row["audit"]["standing"] == "overdue"]
    findings = []
    if failed:
        shown = [f"{called(row)} ({row['audit']['failed_in_a_row']} times in a row)" for row in failed]
        text = f"{len(failed)} of {len(rows)} suppliers did not prove that they have your pieces: {few(shown)}"
        hint = "what they lost is made again by itself; to replace one: bitdust supplier replace POSITION"
        findings.append(bad("audits", text, hint))
    if overdue:
        names = few([called(row) for row in overdue])
        text = f"{len(overdue)} of {len(rows)} suppliers have proved nothing for long: {names}"
        hint = "their pieces do not count as reliable until they are back; see: bitdust supplier list"
        findings.append(warn("audits", text, hint))
    if not known:
        return []
    return findings or [ok("audits", f"{len(known)} suppliers have proved that they have your pieces, or are new")]


@frozen
class Reached:
    """``addresses`` of mine as ``tcp://host:port``; peers that came by themselves; whether I reach my own port."""

    addresses: Sequence[str]
    visitors: int
    own_port_open: bool = True


def reachability(seen: Reached) -> list[Finding]:
    """Whether peers come through to me. Only a peer that came proves it."""
    hosts = [host_of(address) for address in seen.addresses]
    ports = sorted({address.rpartition(":")[2] for address in seen.addresses})
    if not hosts:
        hint = "see: bitdust service info tcp_connections, and bitdust network status"
        return [bad("reachability", "this node has no address that peers could be given", hint)]
    if seen.visitors:
        return [ok("reachability", f"{seen.visitors} peers have come to {few(list(seen.addresses))}")]
    if not seen.own_port_open:
        hint = f"open TCP port {few(ports)} in the firewall of this machine"
        return [bad("reachability", f"not even this machine gets through to {few(list(seen.addresses))}", hint)]
    if all(host in ("localhost", "::1") or host.startswith("127.") for host in hosts):
        hint = "unless that is meant: bitdust set services/network/interface ''"
        return [warn("reachability", f"only programs of this machine get through to {few(list(seen.addresses))}", hint)]
    if not any(map(_is_public, hosts)):
        hint = f"forward TCP port {few(ports)} of your router to this machine, or use IPv6; you can reach others anyway"
        return [warn("reachability", f"only the local network knows the way to {few(list(seen.addresses))}", hint)]
    hint = "ask somebody outside to try: bitdust ping YOUR_GLOBAL_ID; if it fails, look at firewall and router"
    return [warn("reachability", f"no peer has come to {few(list(seen.addresses))} yet", hint)]


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return True


def dht(nodes: int, seeds: int, trip: str, seconds: float = 0.0) -> list[Finding]:
    """``trip``: empty when a value came back that was put, else why not."""
    if not nodes:
        hint = "bitdust set services/entangled-dht/known-nodes HOST:PORT"
        if not seeds:
            return [warn("DHT", "no other node is known, and no first one is set", hint)]
        hint = f"look whether UDP gets through to them and they run; others: {hint}"
        return [bad("DHT", f"none of {seeds} first nodes answers", hint)]
    if trip:
        hint = "the others may be gone or the network drops UDP; see: bitdust network status, bitdust network reconnect"
        return [bad("DHT", f"{nodes} nodes are known, but a value did not come back: {trip}", hint)]
    return [ok("DHT", f"{nodes} nodes are known; a value went there and back in {seconds:.2f} s")]


def recovery(waits_for: Sequence[str], can_start_over: bool) -> list[Finding]:
    """What a recovery has not found yet, in words; nothing to say where there is none."""
    if not waits_for:
        return []
    hint = "it goes on by itself, as soon as machines that know more are switched on"
    if can_start_over:
        hint += "; to wait no longer, and lose what only they know: bitdust identity recover --start-over"
    return [warn("recovery", "; ".join(waits_for), hint)]


def other_life(files: int | None, age: float) -> list[Finding]:
    """A key ring was found that the person had started over without, ``age`` seconds ago; how many files it brought."""
    if age > TOLD_FOR or files == 0:
        return []
    back = "what it opens is being read" if files is None else f"{files} files of before are back"
    return [ok("former key ring", f"the former key ring was found: {back}")]


def copied(number: int, is_open: bool, age: float) -> list[Finding]:
    """Another program used the key of a device of mine, ``age`` seconds ago; ``is_open``: this one has none instead."""
    if age > TOLD_FOR:
        return []
    text = f"another program uses the key of device {number}: somebody has a copy of this home"
    own = "give this one a key of its own, by: bitdust identity attach FILE, with your key file; " if is_open else ""
    return [warn("copied home", text, f"{own}if that copy is not yours: bitdust identity revoke {number}")]


def identity(present: bool, global_id: str, locked: bool = False) -> list[Finding]:
    """Whether there is one, and its keys are open."""
    if locked:
        return [bad("identity", "the keys are locked; the node waits for their passphrase", "bitdust unlock")]
    if present:
        return [ok("identity", global_id)]
    hint = "bitdust identity create NAME, or bitdust identity recover FILE"
    return [warn("identity", "there is no identity yet", hint)]


def without_consequences(findings: Sequence[Finding]) -> list[Finding]:
    """Of a device that was revoked only that: nothing else that it says of its files and suppliers is any help."""
    if not any(one.hint == RECOVER for one in findings):
        return list(findings)
    return [one for one in findings if one.hint == RECOVER or one.check not in _FOLLOW]


_FOLLOW = ("services", "suppliers", "risk", "audits", "healing", "number of suppliers", "last backup", "uploads")
