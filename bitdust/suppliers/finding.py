"""The family of a recovered node: everybody who may know it is asked side by side, until the newest record is here.

The first record that a device of mine has signed is taken, and its suppliers are connected: so reading begins. Newer
ones replace it. Whether a still newer one may be somewhere is answered by

* N−k+1 places of the family itself that have a record, none of them a newer one: every one that was in force is at one
  of them. A place without any says nothing, since who was let go may have erased it with all the rest, unless all its
  holders and the DHT have answered: then nobody else can say more;
* or the DHT, where it has a record, and neither that one nor the key file's hint is newer;
* or the person, who wants to wait no longer (`Me.start_over`).

Until then nothing is written: `MyFamily.write` refuses.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.family_search import FamilySearch
from bitdust.identity.awaited import FAMILY
from bitdust.peers.shown import show_name
from bitdust.replication import are_enough, needed, places_heard
from bitdust.signal import Signal
from bitdust.suppliers.again import Again
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.family_before import MAX_RECORD
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from bitdust.wiring import Wire

LONGEST_PAUSE = 300.0
MOST_NAMED = 4
"""Sources that a sentence names; of more it says how many they are."""


@frozen
class Answer:
    """What one source knows of my family: a record, none (``record`` empty), or it did not answer (``error``).

    ``supplier`` is None where the DHT has answered.
    """

    supplier: bytes | None
    record: bytes = b""
    error: str = ""


class FamilySources(Protocol):
    """Who may know my family when this home does not."""

    @property
    def hinted_revision(self) -> int:
        """That of the family when the key file was written; 0 where it does not say."""

    @property
    def hinted_suppliers(self) -> list[bytes]:
        """Those that the key file names."""

    def ask_for_family(
        self, suppliers: Iterable[bytes], at_large: bool, take: Callable[[Answer], None], beneath: bool = False, /
    ) -> "Deferred[None]":
        """Ask the DHT, suppliers that the key file names, and ``suppliers``; ``at_large`` asks strangers too.

        ``take`` gets each answer when it comes, and with ``beneath`` the records that a supplier keeps beneath its
        newest one as well. Fires when all have answered or failed; a cancel ends it.
        """


class FamilyFinding:
    """I am the port of one `family_search` at a time; ``known`` says that the search has come to its end."""

    log = Logger()
    sources = Wire(FamilySources)

    def __init__(self, around: Connected, family: MyFamily) -> None:
        self._around = around
        self._me = around.me
        self._family = family
        self._heard: dict[bytes | None, int] = {}
        self._in_dht: int | None = None
        self._has_dht_answered = False
        self._silent: dict[bytes | None, str] = {}
        self._machine: FamilySearch | None = None
        self._forget: list[Callable[[], None]] = []
        self._again = Again(around.world.clock, self.report_known)
        self.known: Signal[[]] = Signal()

    def start(self) -> None:
        """Search, unless that is done already."""
        if self._machine is not None:
            return
        self._heard, self._silent, self._in_dht, self._has_dht_answered = {}, {}, None, False
        self._machine = FamilySearch(self._around.registry, self)
        self._forget = [
            self._around.sessions.on_session(lambda session, up: self._met(session.peer.fingerprint, up)),
            self._me.changed.connect(self._check),
            self._family.changed.connect(self._check),
        ]
        self._machine.send("start")

    def stop(self) -> None:
        """Search no more; what was found stays."""
        if self._machine is not None:
            self._machine.send("shutdown")
        self._again.stop()
        self._end()

    def _end(self) -> None:
        forget, self._forget = self._forget, []
        for one in forget:
            one()
        self._machine = None

    def _check(self) -> None:
        """Something is known that was not known before."""
        if self._machine is not None:
            self._machine.send("heard")

    def _met(self, peer: bytes, up: bool) -> None:
        """Somebody who may know has come into reach."""
        if self._machine is not None and up and peer in self._family.holders and peer not in self._heard:
            self._machine.send("hurry")

    @property
    def reason(self) -> str:
        """What the search waits for, in words; empty while there is none."""
        if self._machine is None:
            return ""
        family = self._family.current
        if family is None:
            return f"the family of this identity is searched for; {self._asked()}"
        heard, wanted = self._places(family), needed(family)
        return (
            f"family {family.revision} is found and can be read, but a newer one may exist: {heard} of {wanted}"
            f" suppliers were heard; {self._asked()}; nothing is written until then"
        )

    def _asked(self) -> str:
        names = [self._name(who) for who in self._silent]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        silent = f"; no answer yet from {', '.join(names[:MOST_NAMED])}{more}" if names else ""
        return f"the DHT, {self._counted()} were asked{silent}"

    def _counted(self) -> str:
        asked = len({*self._heard, *(who for who in self._silent if who is not None)})
        return f"{asked} suppliers" if asked != 1 else "one supplier"

    def _name(self, who: bytes | None) -> str:
        return "the DHT" if who is None else show_name(self._around.identities, who)

    def unheard(self, family: Family) -> list[bytes]:
        """Suppliers that the key file names, who have no place in a family and have not said what they know."""
        return [one for one in self.sources.hinted_suppliers if one not in {*family.holders, *self._heard}]

    # the port of family_search

    def ask(self) -> "Deferred[None]":
        return self.sources.ask_for_family(self._family.holders, self._family.current is None, self._take)

    def _take(self, answer: Answer) -> None:
        who = answer.supplier
        if answer.error:
            self._silent[who] = answer.error
            return
        self._silent.pop(who, None)
        try:
            self._note(who, self._read(answer.record) if answer.record else 0)
        except (BitDustError, OSError) as problem:
            self._silent[who] = str(problem)
            self.log.warn("{who} has a family record that is no use: {why}", who=self._name(who), why=problem)
        self._check()

    def _read(self, record: bytes) -> int:
        """Take a record that is newer than mine; its revision."""
        signed = Signed.from_bytes(record, Family.KIND, MAX_RECORD)
        self._family.adopt(signed)
        return Family.from_body(signed.body).revision

    def _note(self, who: bytes | None, revision: int) -> None:
        if who is not None:
            self._heard[who] = revision
            return
        self._has_dht_answered = True
        if revision:
            self._in_dht = revision

    def is_known(self) -> bool:
        family = self._family.current
        if not self._me.awaits(FAMILY):
            return True
        if family is None:
            return False
        if is_newest(family, who_know(self._heard), self._in_dht, self.sources.hinted_revision):
            return True
        return self._has_dht_answered and all(who in self._heard for who in family.holders)

    def _places(self, family: Family) -> int:
        return places_heard(family, who_know(self._heard), True)

    def longest_pause(self) -> float:
        return LONGEST_PAUSE

    def report_waiting(self) -> None:
        self._around.events.send("my-family-awaited", {"reason": self.reason})

    def report_known(self) -> None:
        try:
            self._me.came_back(FAMILY)
            self._family.confirm()
        except OSError as error:
            self._again.after(error)
            return
        self._end()
        family = self._family.current
        self._around.events.send("my-family-found", {"revision": family.revision if family is not None else 0})
        self.known.emit()


def who_know(heard: Mapping[bytes | None, int]) -> list[bytes]:
    """Suppliers that have a record of some revision; one without any may have lost it, or have been let go."""
    return [who for who, revision in heard.items() if who is not None and revision]


def is_newest(family: Family, heard: Collection[bytes], in_dht: int | None, hinted: int) -> bool:
    """Whether no newer record than this one is to be expected: so many of its places have none that is newer, or the
    DHT has one and neither that nor the key file's hint is newer."""
    return are_enough(family, heard) or (in_dht is not None and family.revision >= max(hinted, in_dht))
