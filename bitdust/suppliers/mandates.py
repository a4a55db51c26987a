"""My mandate: what members of my family may do for me while I am away, and with whom.

Spares are chosen by me alone, as suppliers are: nodes of the DHT that say that they have room. They are in my family
record before anything happens, so that nobody can push another one in, whatever a majority of my suppliers says.
"""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from bitdust.automats.kernel import doubled
from bitdust.automats.mandate_keeper import MandateKeeper
from bitdust.identity.awaited import FAMILY
from bitdust.outcome import outcome
from bitdust.signal import Disconnect
from bitdust.suppliers.again import Again
from bitdust.suppliers.connectors import Connectors
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.search import Candidate, Candidates, Meet
from bitdust.suppliers.silences import Silences
from bitdust.surroundings import Connected
from bitdust.wire.mandate import LEAST_FAMILY, MOST_LISTED, Mandate
from bitdust.wire.packet import Command
from bitdust.wire.records import Family, Scheme
from bitdust.wiring import Wire

AFTER = "services/employer/healing-after-days"
SPARES = "services/employer/healing-spares"
NEEDED = "services/customer/needed-space"
DAY = 86_400
ENDS_DAYS = 730
LEAST_DAYS = 366
"""A mandate is written again while it lasts this long at least: as long as a contract without me."""
ASK_SECONDS = 15.0
FIRST_PAUSE, SHORT_PAUSE, LONG_PAUSE = 60.0, 3600.0, 24 * 3600.0
"""Seconds until spares are searched again where too few are known, the first time and in the end; and where enough
are, until they are asked whether they would still come."""
SOON = 3.0
MOST_MISSED = 7
"""Days on which a spare may be silent before another one takes its name."""
LOOKUPS = 8


class Mandates:
    """I keep the mandate from `start` to `stop`."""

    candidates = Wire(Candidates)

    def __init__(self, around: Connected, family: MyFamily, connectors: Connectors, meet: Meet) -> None:
        self._me = around.me
        self._registry = around.registry
        self._settings = around.settings
        self._events = around.events
        self._outbox = around.outbox
        self._wall = around.world.wall
        self._clock = around.world.clock
        self._entropy = around.world.entropy
        self._family = family
        self._connectors = connectors
        self._meet = meet
        self._machine: MandateKeeper | None = None
        self._removers: list[Disconnect] = []
        self._searched: float | None = None
        self._in_vain = 0
        """Searches one after the other that found too few."""
        self._knows_nobody = self._is_cut_off = False
        self._soon: IDelayedCall | None = None
        self._again = Again(self._clock, self.check)
        self._told = ""
        self._silences = Silences(around.world.home / "metadata" / "silences", around.world.wall)
        self._known: list[bytes] | None = None

    def start(self) -> None:
        """See to it that the record says what the settings say."""
        self._silences.load()
        self._machine = MandateKeeper(self._registry, self)
        self._removers = [
            self._family.changed.connect(self.check),
            self._settings.on_change("services/employer/healing", lambda key, old, new: self.search_again()),
        ]
        self.check()

    def stop(self) -> None:
        """Leave the record as it is."""
        self._again.stop()
        if self._soon is not None and self._soon.active():
            self._soon.cancel()
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.send("shutdown")

    def search_again(self) -> None:
        """Look for spares now, whenever that was done last."""
        self._searched, self._in_vain = None, 0
        self.check()

    def somebody_came(self) -> None:
        """Somebody offers to be a supplier who was not known: where nobody was, the next search does not wait."""
        waits = self._soon is not None and self._soon.active()
        if self._machine is not None and self._knows_nobody and not waits:
            self._soon = self._clock.callLater(SOON, self.search_again)

    def check(self) -> None:
        """The family or a setting has changed."""
        if self._machine is not None:
            self._machine.send("check")

    # what is wanted

    def _complete(self) -> Family | None:
        family = self._family.current
        is_known = not self._family.inherited and not self._me.awaits(FAMILY)
        return family if family is not None and family.complete and is_known else None

    @property
    def problem(self) -> str:
        """Why the family does not heal while I am away, in words; empty where it does, or is not to."""
        family = self._family.current
        if family is None or not int(self._settings.get(AFTER)):
            return ""
        if family.n < LEAST_FAMILY:
            return f"a family of {family.n} does not heal by itself while you are away; {LEAST_FAMILY} or more do"
        if self._known is not None and (family.mandate is None or not family.mandate.spares):
            return "no node is known that would stand in for a supplier while you are away"
        return ""

    def _wanted(self, family: Family) -> int:
        """How many spares are to be named; 0 where the family is not to heal by itself."""
        if family.n < LEAST_FAMILY or not int(self._settings.get(AFTER)):
            return 0
        return min(int(self._settings.get(SPARES)) or family.n - family.k, MOST_LISTED)

    def _named(self, family: Family) -> list[bytes]:
        """Spares that are known and have no place themselves."""
        known = self._known
        if known is None:
            known = list(family.mandate.spares) if family.mandate is not None else []
        return [spare for spare in known if spare not in family.holders]

    # the port of mandate_keeper

    def needs_spares(self) -> bool:
        due = self._due()
        return due is not None and due <= self._clock.seconds()

    def _due(self) -> float | None:
        """When spares are searched next, by the clock; None where none are wanted."""
        family = self._complete()
        if family is None or not self._wanted(family):
            return None
        is_short = len(self._named(family)) < self._wanted(family) or self._is_cut_off
        pause = doubled(FIRST_PAUSE, self._in_vain - 1, SHORT_PAUSE) if is_short else LONG_PAUSE
        return self._searched + pause if self._searched is not None else 0.0

    def pause(self) -> float:
        due = self._due()
        return min(SHORT_PAUSE, max(1.0, due - self._clock.seconds())) if due is not None else SHORT_PAUSE

    def search(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._search())

    async def _search(self) -> None:
        family = self._complete()
        if family is None:
            return
        self._searched, self._knows_nobody = self._clock.seconds(), False
        self._in_vain += 1
        wanted, found = self._wanted(family), await self._ask_named(family)
        asked = set(found)
        for _ in range(LOOKUPS):
            if len(found) >= wanted:
                break
            exclude = frozenset({self._me.fingerprint, *family.holders, *asked})
            candidate = await self.candidates.random_supplier(exclude)
            if candidate is None:
                self._knows_nobody = True
                break
            asked.add(candidate.fingerprint)
            if candidate.fingerprint not in exclude and await self._accepts(candidate):
                found.append(candidate.fingerprint)
        self._known = found[:wanted]
        self._silences.save(self._known)
        if len(found) >= wanted and not self._is_cut_off:
            self._in_vain = 0

    async def _ask_named(self, family: Family) -> list[bytes]:
        """Those who are named and stay so. Where nobody of them answers, nor enough of my suppliers are there, nobody
        is silent: this node may reach nobody, as just after its start."""
        accept = {spare: await self._accepts(Candidate(spare)) for spare in self._named(family)}
        there = len(self._connectors.connected())
        self._is_cut_off = bool(accept) and not any(accept.values()) and there < family.k
        for spare, is_there in accept.items():
            if is_there:
                self._silences.forget(spare)
            elif not self._is_cut_off:
                self._silences.note(spare)
        return [spare for spare in accept if self._silences.days(spare) < MOST_MISSED]

    async def _accepts(self, candidate: Candidate) -> bool:
        met = await outcome(self._meet(candidate))
        if met.error is not None:
            return False
        fields = {"kind": "spare-offer", "customer": self._me.fingerprint, "room": self._room()}
        asked = await outcome(
            self._outbox.send(candidate.fingerprint, Command.EVENT, fields, deadline=ASK_SECONDS)
        )  # fmt: skip
        return asked.error is None or asked.code == "conflict"

    def _room(self) -> int:
        return -(-int(self._settings.get(NEEDED)) // Scheme.for_family(self._connectors.size()).k)

    def write(self) -> None:
        family = self._complete()
        if family is None:
            return
        try:
            self._family.entrust(self._mandate(family))
        except OSError as error:
            self._again.after(error)
        self._tell()

    def _tell(self) -> None:
        """Who has a family that does not heal hears so when it is hired, and whenever that changes."""
        problem = self.problem
        if problem and problem != self._told:
            self._events.send("my-suppliers-do-not-heal", {"reason": problem})
        self._told = problem

    def _mandate(self, family: Family) -> Mandate | None:
        wanted, before, now = self._wanted(family), family.mandate, int(self._wall())
        spares = self._named(family)[:wanted]
        if not spares:
            return None
        lasts = before is not None and before.ends >= now + LEAST_DAYS * DAY
        return Mandate(
            after=int(self._settings.get(AFTER)) * DAY,
            spares=spares,
            most=wanted,
            room=self._room(),
            nonce=before.nonce if before is not None else self._entropy(16),
            ends=before.ends if before is not None and lasts else now + ENDS_DAYS * DAY,
        )
