"""A group of a run: who is let in, joins late, leaves and is shut out, and what everybody in it is to hear."""

from bitdust.signal import Signal
from bitdust.wire.messages import GROUP, Message
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.persons import Person
from tests.grid.chaos.talks import Said, Talk, check_once, check_order


class Circle:
    """One group, and what was promised in it."""

    def __init__(self, field: Field, number: int, creator: Person, people: list[Person]) -> None:
        self.field = field
        self.random = field.random
        self.creator = creator
        self.people = people
        self.talk = Talk(f"group {number}")
        self.key = ""
        self.members: list[Person] = [creator]
        """Those who were let in, and were not shut out."""
        self.let_in: dict[str, str] = {}
        """At which home of the creator each of them was."""
        self.outside: dict[str, set[str]] = {}
        """Who was shut out, and what they must never read."""
        self.former: set[object] = set()
        """Secrets of before somebody was shut out, which one of the creator's devices may seal under for a while."""
        self.left: set[str] = set()
        """Homes at which it was left."""
        self.spoken: Signal[[Circle, Said]] = Signal()

    def begin(self) -> None:
        """Its creator makes it, and joins. Raises `Finding`."""
        code, result = self.creator.call(self.creator.home, "group_create", label="circle")
        if code:
            raise Finding(f"no group can be made: {code}")
        self.key = result["group_key_id"]
        code, _ = self.creator.call(self.creator.home, "group_join", group_key_id=self.key)
        self.note(f"is made: {code or 'joined'}")

    def note(self, text: str) -> None:
        """One line of the journal."""
        self.field.note(f"the group of {self.creator.name}: {text}")

    @property
    def alias(self) -> str:
        """What names it under its creator."""
        return self.key.partition("$")[0]

    def key_at(self, home: ChaosNode) -> str:
        """Its key id as a node knows it, empty where it does not."""
        known = [one.key_id for one in home.rooms.groups.all() if one.alias == self.alias]
        return known[0] if known else ""

    def is_open_at(self, home: ChaosNode) -> bool:
        """Whether a node is to read it."""
        return any(one.alias == self.alias and one.active for one in home.rooms.groups.all())

    # what happens in it

    def invite(self) -> None:
        """Somebody is let in, for the first time or again; such a person joins sooner or later."""
        choice = [one for one in self.people if one not in self.members and not one.gone]
        home = self.creator.pick()
        if not choice or home is None or not self.key_at(home):
            return
        person = self.random.choice(choice)
        if person.name in self.outside:
            self.check_outside(person)
        key, name = self.key_at(home), person.global_id
        code, _ = self.creator.call(home, "group_share", group_key_id=key, trusted_user_id=name, timeout=5)
        self.note(f"{person.name} is let in: {code or 'and knows it'}")
        if code in ("", "no-answer"):
            self.members.append(person)
            self.let_in[person.name] = home.name
            self.outside.pop(person.name, None)
            if self.random.random() < 0.8:
                self.join(person)

    def join(self, person: Person) -> None:
        """A member joins at one of its devices."""
        home = person.pick()
        if home is None or not self.key_at(home):
            return
        code, _ = person.call(home, "group_join", group_key_id=self.key_at(home))
        self.left.discard(home.name)
        self.note(f"{home.name} joins: {code or 'connected'}")

    def leave(self) -> None:
        """A member closes it at a device, or comes back."""
        person = self.random.choice(self.members)
        home = person.pick()
        if home is None:
            return
        if home.name in self.left:
            self.join(person)
        elif self.is_open_at(home):
            code, _ = person.call(home, "group_leave", group_key_id=self.key_at(home))
            self.left.add(home.name)
            self.note(f"{home.name} leaves: {code or 'done'}")

    def remove(self) -> None:
        """A member is shut out; what it said until now may have been heard by some and not by others."""
        choice = [one for one in self.members if one is not self.creator and not one.gone]
        home = self.creator.pick()
        if not choice or home is None or not self.key_at(home):
            return
        person = self.random.choice(choice)
        key, name = self.key_at(home), person.global_id
        self.former |= {self.secret_at(one) for one in self.creator.homes}
        code, _ = self.creator.call(home, "group_remove", group_key_id=key, trusted_user_id=name)
        self.note(f"{person.name} is shut out: {code or 'done'}")
        if code and code != "crashed":
            return
        self._leave_out(person)
        if not code:
            self.outside[person.name] = set()

    def distrust(self, lost: ChaosNode) -> None:
        """A home of the creator is revoked: where it alone let somebody in the others may take that back."""
        for person in [one for one in self.members if self.let_in.get(one.name) == lost.name]:
            self._leave_out(person)

    def _leave_out(self, person: Person) -> None:
        self.members.remove(person)
        for said in self.talk.said.values():
            said.is_kept &= said.sender is not person
            said.is_contested |= said.sender is person

    def say(self) -> None:
        """Somebody says something, once or some times."""
        homes = [(one, home) for one in self.people for home in one.ready() if self.is_open_at(home)]
        if not homes:
            return
        person, home = self.random.choice(homes)
        for _ in range(self.random.choice((1, 1, 2, 5))):
            if home not in person.ready():
                return
            self.say_one(person, home)

    def say_one(self, person: Person, home: ChaosNode) -> Said:
        """One message."""
        said = self.talk.begin(person, home)
        said.sealed = self.secret_at(home)
        self.spoken.emit(self, said)
        code, _ = person.call(home, "message_send_group", group_key_id=self.key_at(home), data={"text": said.text})
        said.is_kept = not code and person in self.members
        said.is_contested = person not in self.members
        self.note(f"{said.text!r}: {code or 'accepted'}")
        newest = [self.secret_at(one) for one in self.creator.homes]
        for forbidden in self.outside.values():
            if person in self.members and said.sealed in newest and said.sealed not in self.former:
                forbidden.add(said.text)
        return said

    def secret_at(self, home: ChaosNode) -> object:
        """The secret under which a node seals now."""
        found = [one.opened for one in home.rooms.groups.all() if one.alias == self.alias and one.opened is not None]
        return found[0].key().current if found else None

    # what must be

    def heard(self, person: Person, home: ChaosNode) -> list[Message]:
        """What the history of a device has of it. Raises `Finding` for what must not be there."""
        messages = [
            one for one in person.history(home) if one.kind == GROUP and one.data["text"] in self.talk.said
        ]  # fmt: skip
        check_once(home, [message.data["text"] for message in messages])
        check_order(home, self.talk, messages)
        return messages

    def check_outside(self, person: Person) -> None:
        """Raises `Finding` where somebody who was shut out has read what came after."""
        for home in person.ready():
            read = self.outside[person.name] & {message.data["text"] for message in self.heard(person, home)}
            if read:
                raise Finding(f"{home.name} was shut out, and has read {sorted(read)}")

    def lacking(self) -> list[str]:
        """What members who may read it have not read yet."""
        found, sets = [], {}
        for person in (one for one in self.members if not one.gone):
            homes = [home for home in person.ready() if self.is_open_at(home)]
            if not homes and not any(name in self.left for name in person.names):
                found.append(f"{person.name} has not joined")
            for home in homes:
                there = {message.data["text"] for message in self.heard(person, home)}
                due = {one.text for one in self.talk.said.values() if one.is_kept}
                sets[home.name] = there
                if due - there:
                    found.append(f"{home.name} lacks {sorted(due - there)}: {self.why(home)}")
        heard_by_some = {text for there in sets.values() for text in there}
        for name, there in sets.items():
            others = {text for text in heard_by_some - there if not self.talk.said[text].is_contested}
            if others:
                found.append(f"{name} lacks {sorted(others)}, which others have heard")
        return found

    def why(self, home: ChaosNode) -> str:
        """What a node says of it."""
        opened = [one.opened for one in home.rooms.groups.all() if one.alias == self.alias and one.opened is not None]
        return ", ".join(f"{one.machine.state} {one.reason}" for one in opened)

    def end(self) -> None:
        """Everybody who was let in joins, and who left comes back."""
        for person in [one for one in self.members if not one.gone]:
            for home in person.ready():
                if self.key_at(home) and not self.is_open_at(home):
                    code, _ = person.call(home, "group_join", group_key_id=self.key_at(home))
                    self.left.discard(home.name)
                    self.note(f"{home.name} joins: {code or 'connected'}")
