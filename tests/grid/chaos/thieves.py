"""Devices that were stolen: each was revoked, stays up, and goes on with the keys that it has.

Whoever knows of the revocation takes nothing that such a device says from then on, and says nothing that it can read;
what it deletes stays; and it hears that it counts no more.
"""

from typing import Any

from bitdust.identity.document import OPEN_END
from tests.grid.chaos.circles import Circle
from tests.grid.chaos.commons import Commons
from tests.grid.chaos.field import Finding
from tests.grid.chaos.letters import Letters
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.persons import Person
from tests.grid.chaos.talks import Said

LAST_WORDS = 120.0


class Thief:
    """Who has one of the devices of a person."""

    def __init__(self, person: Person, home: ChaosNode, secrets: set[tuple[int, bytes]]) -> None:
        self.person = person
        self.owner = person.fingerprint
        self.home = home
        self.device = home.rooms.identity.me.device.id
        self.secrets = secrets
        """Those of its person's keys that it may have."""
        self.unheard: dict[tuple[str, int], set[str]] = {}
        """What it said, by homes, each with its life, that knew of the revocation."""
        self.unread: set[str] = set()
        """What was said where that was known."""

    @property
    def is_at_work(self) -> bool:
        """Whether its machine runs."""
        return self.home.is_up and self.home.is_on("private_messages")

    def is_known_to(self, home: ChaosNode, to_its_end: bool = False) -> bool:
        """Whether a node knows of the revocation, and, where that is asked, how much of what was said before counts."""
        me = home.rooms.identity.me
        known = me.document if me.fingerprint == self.owner else home.rooms.around.identities.get(self.owner)
        device = known.device(self.device) if known is not None else None
        return device is not None and device.revoked is not None and not (to_its_end and device.sequence == OPEN_END)

    def said(self, text: str, homes: list[ChaosNode], to_its_end: bool = False) -> None:
        """Whoever knows of it now does not take this."""
        for home in homes:
            if self.is_known_to(home, to_its_end):
                self.unheard.setdefault((home.name, home.life), set()).add(text)


class Thieves:
    """I have stolen devices go on, and know what nobody may take from them, and what they may not read."""

    def __init__(self, letters: Letters, circles: list[Circle]) -> None:
        self.field = letters.field
        self.random = letters.field.random
        self.people = letters.people
        self.letters = letters
        self.circles = circles
        self.commons: Commons | None = None
        self.all: list[Thief] = []
        letters.written.connect(self._letter)
        for circle in circles:
            circle.spoken.connect(self._group)

    def take(self, person: Person, home: ChaosNode, secrets: set[tuple[int, bytes]]) -> None:
        """A device of a person that was just revoked; those ``secrets`` it may have."""
        self.field.note(f"{home.name} is stolen, and goes on")
        self.all.append(Thief(person, home, secrets))

    def homes(self) -> list[ChaosNode]:
        """All living devices of all people."""
        return [home for person in self.people if not person.gone for home in person.ready()]

    # what they do

    def act(self) -> None:
        """One of them does something."""
        thieves = [one for one in self.all if one.is_at_work]
        if thieves:
            thief = self.random.choice(thieves)
            self.random.choice((self.write, self.write, self.say, self.delete))(thief)

    def write(self, thief: Thief) -> None:
        """A private message to somebody."""
        others = [one for one in self.people if one is not thief.person and not one.gone]
        said = self._begin(self.letters.talk, thief)
        recipient = self.random.choice(others)
        self.letters.recipients[said.text] = recipient
        terms = {"recipient_id": recipient.global_id, "ping_timeout": 0, "message_ack_timeout": 0}
        thief.said(said.text, self.homes())
        self._asks(thief, "message_send", data={"text": said.text}, **terms)

    def say(self, thief: Thief) -> None:
        """A message to a group that it has open."""
        circles = [one for one in self.circles if one.is_open_at(thief.home)]
        if circles:
            circle = self.random.choice(circles)
            said = self._begin(circle.talk, thief)
            thief.said(said.text, self.homes(), to_its_end=True)
            terms = {"group_key_id": circle.key_at(thief.home), "data": {"text": said.text}}
            self._asks(thief, "message_send_group", **terms)

    def delete(self, thief: Thief) -> None:
        """A file of the share, where it was a device of its owner."""
        commons = self.commons
        if commons is not None and commons.owner is thief.person and commons.stored and commons.key_at(thief.home):
            name = self.random.choice(sorted(commons.stored))
            self._asks(thief, "file_delete", remote_path=f"{commons.key_at(thief.home)}:{name}")

    def _begin(self, talk: Any, thief: Thief) -> Said:
        said: Said = talk.begin(thief.person, thief.home)
        said.is_contested = True
        return said

    def _asks(self, thief: Thief, method: str, **arguments: Any) -> None:
        code, _ = thief.person.call(thief.home, method, **arguments)
        shown = arguments.get("data", arguments)
        self.field.note(f"the thief of {thief.home.name}: {method} {shown}: {code or 'done'}")

    # what others say

    def _letter(self, home: ChaosNode, said: Said, recipient: Person) -> None:
        for thief in self.all:
            if thief.person in (said.sender, recipient) and thief.is_known_to(home):
                thief.unread.add(said.text)

    def _group(self, circle: Circle, said: Said) -> None:
        for thief in self.all:
            if circle.creator is thief.person and said.sealed not in thief.secrets:
                thief.unread.add(said.text)

    # what must be

    def check(self) -> None:
        """Raises `Finding` where somebody has taken what such a device said, or it has read what it may not."""
        for thief in self.all:
            for person in self.people:
                for home in person.ready() if not person.gone else []:
                    unheard = thief.unheard.get((home.name, home.life), set())
                    if taken := unheard & set(person.texts(home)):
                        raise Finding(f"{home.name} has taken {sorted(taken)} of a device that was revoked")
            if thief.is_at_work and (read := thief.unread & set(thief.person.texts(thief.home))):
                raise Finding(f"{thief.home.name} was revoked, and has read {sorted(read)}")

    def untold(self) -> list[str]:
        """Who does not know of a revocation yet, and which of those devices has not heard of it."""
        found = [
            f"{home.name}: {one.home.name}"
            for one in self.all
            for home in self.homes()
            if one.owner == home.fingerprint and not one.is_known_to(home)
        ]
        return found + [f"{one.home.name} itself" for one in self.all if one.is_at_work and not self._is_told(one)]

    def _is_told(self, thief: Thief) -> bool:
        code, result = thief.person.call(thief.home, "process_checkup")
        return not code and any("this device was revoked" in one["found"] for one in result["findings"])

    def last_words(self) -> None:
        """When all is well each says something to everybody who knows of it, and nobody has it. Raises `Finding`."""
        for thief in [one for one in self.all if one.is_at_work]:
            for _ in range(3):
                self.write(thief)
                self.say(thief)
                self.delete(thief)
        if self.all:
            self.field.pass_time(LAST_WORDS)
        self.check()
