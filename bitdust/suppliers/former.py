"""The family of before, which nobody knew when the person started over: it is searched for quietly, and read in beside.

Its suppliers may have been off, or this machine cut off. They keep what they have for as long as contracts last, and so
long they are asked for, in rounds that grow rarer up to one a day. What is found joins the family of today
(`MyFamily.adopt`); then key ring and logs come back from those suppliers by themselves.

A record of a device that was revoked since may be the true one, or whoever stole that device has made it up. Where no
other one is found for two days its suppliers are read beside those of today (`MyFamily.take_guests`), and the search
goes on: one that was made up hides no true one.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from attrs import Factory, define
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.family_search import FamilySearch
from bitdust.crypt.files import remove_safely, write_safely
from bitdust.identity.awaited import FAMILY, STARTED_OVER
from bitdust.observed import WORTH_WRITING, Reading
from bitdust.suppliers.again import Again
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.family_before import DAY, HELD_DAYS, MAX_RECORD
from bitdust.suppliers.family_merge import is_joined, is_of_another_life
from bitdust.suppliers.finding import Answer, FamilyFinding, is_newest, who_know
from bitdust.suppliers.life import TERM
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import MAX_SUPPLIERS, Family
from bitdust.wire.signed import Signed

NOTE = "former-family"
MAX_NOTE = 64 * 1024
MOST_DOUBTFUL = 16
"""Records of revoked devices that are remembered; of more the first ones, until they are taken, and those that my
suppliers have given."""
MOST_TAKEN = 1024
"""Records that were taken, and have made room: they are not taken again in this run."""
UNHEARD = 7 * DAY
"""Seconds after which a record that nobody gave makes room for another one."""
MOST_ASKED = 4 * MAX_SUPPLIERS
PATIENCE = 3
"""Rounds after which the newest record that was found counts, though too few of its suppliers were heard."""


@define
class Candidate:
    """The newest record that is known of one life, which its roots tell from others; who was heard in this round to
    have which revision of it, and for how many rounds it was waited."""

    signed: Signed
    family: Family
    heard: dict[bytes | None, int] = Factory(dict)
    rounds: int = 0


class FormerFamily:
    """I am the port of one `family_search`, from the moment when the person started over with no family found, or when
    this device has come to the family of one that had done so."""

    log = Logger()

    def __init__(self, around: Connected, family: MyFamily, finding: FamilyFinding) -> None:
        self._around = around
        self._me = around.me
        self._family = family
        self._finding = finding
        self._path: Path = around.world.home / "metadata" / NOTE
        self._since: float | None = None
        self._reading, self._at, self._written = Reading(0.0, 0.0), 0.0, 0.0
        """Observed time, since when that is read, and what is noted of it: no clock that leaps ends a search."""
        self._suppliers: list[bytes] = []
        self._has_found = self._is_over = False
        self._joining: tuple[frozenset[bytes], int] | None = None
        """Roots and revision of a record that is being joined: a crash may come before it is noted that it was."""
        self._candidates: dict[frozenset[bytes], Candidate] = {}
        self._doubtful: dict[str, int] = {}
        self._guests: dict[str, tuple[Signed, Family, set[bytes | None]]] = {}
        self._vouched: set[str] = set()
        self._given_at: dict[str, float] = {}
        self._taken: set[str] = set()
        self._without: set[bytes] = set()
        self._is_asking = False
        self._machine: FamilySearch | None = None
        self._forget: Callable[[], None] = lambda: None
        self._again = Again(around.world.clock, self._look)

    def start(self) -> None:
        """Go on with a search that the disk remembers, or begin one when the person starts over."""
        self._load()
        self._forget = self._me.changed.connect(self._look)
        self._look()

    def stop(self) -> None:
        """Search no more; what is noted stays."""
        self._forget()
        self._again.stop()
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.send("shutdown")

    def hurry(self) -> None:
        """Those who could not be reached a moment ago may be reached now: nobody waits for the end of a long pause."""
        if self._machine is not None:
            self._machine.send("hurry")

    @property
    def is_searching(self) -> bool:
        """Whether the family of before is searched for."""
        return self._machine is not None

    @property
    def awaited(self) -> frozenset[bytes]:
        """Those who may have the family of before and have not said that they have none: each keeps the pieces of a
        place there, and whoever gave it another one today would find them no more."""
        if self._since is None or self._has_found:
            return frozenset()
        return frozenset(self._suppliers) - self._without

    def _load(self) -> None:
        """A note that cannot be read begins the search again."""
        try:
            with self._path.open("rb") as stream:
                noted: Any = json.loads(stream.read(MAX_NOTE))
            self._is_over = bool(noted.get("over"))
            self._since = None if self._is_over else float(noted["since"])
            self._begin(*noted.get("reading", (self._around.world.wall(), noted["since"])))
            self._suppliers = [bytes.fromhex(who) for who in noted["suppliers"]][:MAX_SUPPLIERS]
            self._doubtful = {str(digest): int(since) for digest, since in noted.get("doubtful", {}).items()}
            self._has_found = bool(noted.get("found")) or self._is_joined(noted.get("joining"))
        except FileNotFoundError:
            self._since = None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.log.warn("{path} cannot be read: {error}", path=self._path, error=error)
            self._since, self._suppliers = self._around.world.wall(), []
            self._begin(self._since, self._since)

    def _begin(self, wall: float, observed: float) -> None:
        self._reading, self._at = Reading(wall, observed), self._around.world.clock.seconds()
        self._written = observed

    def _observed(self) -> float:
        now = self._around.world.clock.seconds()
        self._reading, self._at = self._reading.after(now - self._at, self._around.world.wall()), now
        return self._reading.observed

    def _is_joined(self, joining: Any) -> bool:
        """Whether what was to be joined, as roots and revision, is in my record: there a crash came between both."""
        family = self._family.current
        if joining is None or family is None:
            return False
        roots, revision = joining
        return {bytes.fromhex(root) for root in roots} <= {*(family.roots or ())} and revision < family.revision

    def _look(self) -> None:
        """Whether somebody has just started over without a family."""
        if self._machine is not None:
            return
        if self._since is None and self._may_lack_one():
            try:
                self._note()
            except OSError as error:
                self._again.after(error)
                return
        if self._since is not None and not self._me.awaits(FAMILY):
            self._machine = FamilySearch(self._around.registry, self)
            self._machine.send("start")

    def _may_lack_one(self) -> bool:
        """Whether the person starts over without a family, or with one while suppliers of the key file, who may have
        another, were not heard; or a device since may have begun another life. So it is with a family that another
        device had hired who started over, and who knew not the families of all devices before it: the search went with
        its home, or is the business of every home that follows it.
        """
        family, starts_over = self._family.current, self._me.awaits(STARTED_OVER)
        if family is None or starts_over and self._finding.unheard(family):
            return starts_over
        roots, mine, document = family.roots or (), self._me.device.id, self._me.document
        if starts_over and document.newer_than(roots) - {mine}:
            return True
        is_followed = (self._family.inherited or mine not in roots) and not self._me.awaits(FAMILY)
        return (starts_over or is_followed and not self._is_over) and bool(document.passed_over(roots) - {mine})

    def _note(self) -> None:
        suppliers, since = list(self._finding.sources.hinted_suppliers), self._around.world.wall()
        self._is_over = False
        self._begin(since, since)
        self._write(since, suppliers, {})
        self._since, self._suppliers = since, suppliers

    def _write(self, since: float, suppliers: Iterable[bytes], doubtful: dict[str, int]) -> None:
        names = [who.hex() for who in suppliers]
        noted = {"since": since, "suppliers": names, "doubtful": doubtful, "found": self._has_found}
        noted["reading"] = [int(self._reading.wall), int(self._reading.observed)]
        if self._is_over:
            noted["over"] = True
        if self._joining is not None:
            roots, revision = self._joining
            noted["joining"] = [sorted(root.hex() for root in roots), revision]
        write_safely(self._path, json.dumps(noted).encode() + b"\n")
        self._doubtful, self._written = doubtful, self._reading.observed

    def _note_time(self) -> None:
        if self._since is not None and self._observed() - self._written >= WORTH_WRITING:
            try:
                self._write(self._since, self._suppliers[:MAX_SUPPLIERS], self._doubtful)
            except OSError as error:
                self.log.warn("how long it was searched is noted later: {error}", error=error)

    # the port of family_search

    def ask(self) -> "Deferred[None]":
        self._note_time()
        for candidate in self._candidates.values():
            candidate.heard.clear()
        self._is_asking = True
        suppliers = dict.fromkeys([*self._suppliers, *self._family.holders])
        asking = self._finding.sources.ask_for_family(suppliers, True, self._take, True)
        return asking.addCallback(self._join)

    def _take(self, answer: Answer) -> None:
        """Note what one source knows; the newest record of each life counts, and its suppliers are asked as well."""
        if answer.error:
            return
        if not answer.record:
            if answer.supplier is not None:
                self._without.add(answer.supplier)
            return
        try:
            signed = Signed.from_bytes(answer.record, Family.KIND, MAX_RECORD)
            (theirs, counts), mine = self._family.check(signed), self._family.current
        except BitDustError as problem:
            self.log.warn("a family record of before is no use: {why}", why=problem)
            return
        is_of_before = mine is None or (is_of_another_life(mine, theirs) and not is_joined(mine, theirs))
        if not counts:
            if is_of_before:
                self._doubt(signed, theirs, answer.supplier)
            return
        if not is_of_before:
            return
        candidate = self._candidates.setdefault(frozenset(theirs.roots or ()), Candidate(signed, theirs))
        candidate.heard[answer.supplier] = theirs.revision
        if theirs.revision > candidate.family.revision:
            candidate.signed, candidate.family = signed, theirs
        self._suppliers = list(dict.fromkeys([*theirs.holders, *self._suppliers]))[:MOST_ASKED]

    def _doubt(self, signed: Signed, theirs: Family, supplier: bytes | None) -> None:
        """A device that was revoked since has signed it; it is noted when that came to light."""
        digest = hashlib.sha256(signed.to_bytes()).hexdigest()
        if digest in self._taken:
            return
        is_vouched = supplier in {*self._finding.sources.hinted_suppliers, *self._family.members}
        known = self._doubtful if digest in self._doubtful else self._with_room(is_vouched)
        if digest not in known and self._since is not None and len(known) < MOST_DOUBTFUL:
            try:
                now = int(self._around.world.wall())
                self._write(self._since, self._suppliers[:MAX_SUPPLIERS], {**known, digest: now})
            except OSError as error:
                self.log.warn("a family record of before is noted later: {error}", error=error)
        if digest in self._doubtful:
            self._given_at[digest] = self._around.world.clock.seconds()
            self._vouched.update([digest] if is_vouched else [])
            self._guests.setdefault(digest, (signed, theirs, set()))[2].add(supplier)

    def _with_room(self, is_vouched: bool) -> dict[str, int]:
        """Those that stay when another one comes: where there are too many none that nobody gave of late, and not the
        first one of those that were taken; or else one that my suppliers have given takes the room of one that a thief
        may have given."""
        if len(self._doubtful) < MOST_DOUBTFUL:
            return self._doubtful
        now = self._around.world.clock.seconds()
        heard = {one for one in self._doubtful if now - self._given_at.setdefault(one, now) < UNHEARD}
        left = {one: since for one, since in self._doubtful.items() if one in heard}
        taken = next((one for one, since in left.items() if not since), None)
        other = next((one for one in left if one not in self._vouched), None) if is_vouched else None
        if len(left) < MOST_DOUBTFUL or (taken or other) is None:
            return left
        if taken is not None and len(self._taken) < MOST_TAKEN:
            self._taken.add(taken)
        return {one: since for one, since in left.items() if one != (taken or other)}

    def _invite(self) -> None:
        """Read those beside mine whom a device has named that was revoked since: first whom the key file's suppliers
        know, and most of them, then those that are known longest: a thief may go on making up others."""
        hinted, now = set(self._finding.sources.hinted_suppliers), int(self._around.world.wall())
        self._not_ahead(now)
        guests, self._guests, before = self._guests, {}, now - HELD_DAYS * DAY
        due = [digest for digest in guests if 0 < self._doubtful.get(digest, 0) <= before]

        def vouched(digest: str) -> tuple[int, int, int, int]:
            _, theirs, givers = guests[digest]
            return len(givers & hinted), -self._doubtful[digest], len(givers), theirs.revision

        for digest in sorted(due, key=vouched, reverse=True):
            signed, theirs, _ = guests[digest]
            try:
                if self._since is not None and self._family.take_guests(signed):
                    self._tell(theirs)
                    self._write(self._since, self._suppliers[:MAX_SUPPLIERS], {**self._doubtful, digest: 0})
            except (BitDustError, OSError) as problem:
                self.log.warn("a family record of before is no use: {why}", why=problem)

    def _not_ahead(self, now: int) -> None:
        """The days of what was noted by a clock that was ahead begin now, and not in times to come."""
        begun = {digest: min(since, now) for digest, since in self._doubtful.items()}
        if self._since is not None and begun != self._doubtful:
            try:
                self._write(self._since, self._suppliers[:MAX_SUPPLIERS], begun)
            except OSError as error:
                self.log.warn("when former families were found is noted later: {error}", error=error)

    def _tell(self, found: Family) -> None:
        suppliers = sum(1 for who in found.suppliers if who is not None)
        self._around.events.send("former-family-found", {"revision": found.revision, "suppliers": suppliers})

    def _join(self, _: object) -> None:
        """A round is over, or has been going on for too long: take the newest record of each life, once enough were
        heard that a still newer one is unlikely; where there is none, those of revoked devices."""
        self._is_asking = False
        joined = [self._has_joined(roots, candidate) for roots, candidate in list(self._candidates.items())]
        if not any(joined):
            self._invite()

    def _has_joined(self, roots: frozenset[bytes], candidate: Candidate) -> bool:
        """Whether a record is in mine now; one that cannot be is tried again when it is next heard of."""
        candidate.rounds += 1
        heard, in_dht = who_know(candidate.heard), candidate.heard.get(None)
        is_known = is_newest(candidate.family, heard, in_dht, self._finding.sources.hinted_revision)
        if not is_known and candidate.rounds < PATIENCE:
            return False
        del self._candidates[roots]
        try:
            self._joining = (roots, candidate.family.revision)
            self._write(self._since or 0.0, self._suppliers[:MAX_SUPPLIERS], self._doubtful)
            if not self._family.adopt(candidate.signed):
                return False
            self._has_found = True
            self._tell(candidate.family)
            self._write(self._since or 0.0, self._suppliers[:MAX_SUPPLIERS], self._doubtful)
        except (BitDustError, OSError) as problem:
            self.log.warn("a family record of before is no use: {why}", why=problem)
            return False
        return True

    def is_known(self) -> bool:
        """Whether all of them are found, or nobody can have one any more."""
        return self._has_all() or self._observed() - (self._since or 0.0) > TERM

    def _has_all(self) -> bool:
        """Each life was begun by a device of its own, so one that the record of today passes over may have begun one.
        A device that came to the family of another one has begun none."""
        family = self._family.current
        roots = (family.roots or ()) if family is not None else ()
        return self._has_found and not self._me.document.passed_over(roots)

    def longest_pause(self) -> float:
        return DAY

    def report_waiting(self) -> None:
        """Nobody is told: the person has gone on without it. But what was heard counts, though some never answered."""
        if self._is_asking and self._machine is not None:
            self._join(None)
            self._machine.send("heard")

    def report_known(self) -> None:
        self._machine = None
        try:
            if self._has_all():
                remove_safely(self._path)
            else:
                self._is_over = True
                self._write(self._since or 0.0, (), {})
            self._since, self._has_found = None, False
        except OSError as error:
            self.log.warn("the search for a former family will begin again: {error}", error=error)
