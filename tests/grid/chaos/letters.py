"""Private messages of a run: who wrote what to whom, and where it is to arrive."""

from bitdust.people.messages.desk import KEPT
from bitdust.signal import Signal
from bitdust.testing.faulty_disk import Crash
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import PRIVATE, Message
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.persons import CRASHED, Person
from tests.grid.chaos.talks import Said, Talk, check_once, check_order


class Letters:
    """I have people write to each other, and know what they were promised."""

    def __init__(self, field: Field, people: list[Person]) -> None:
        self.field = field
        self.random = field.random
        self.people = people
        self.talk = Talk("letter")
        self.recipients: dict[str, Person] = {}
        self.fresh: dict[str, float] = {}
        """When a device was added; others do not know it at once."""
        self.written: Signal[[ChaosNode, Said, Person]] = Signal()
        """At which node somebody writes what to whom."""

    def write(self) -> None:
        """Somebody writes to somebody, once or some times."""
        sender, recipient = self.random.sample([one for one in self.people if not one.gone], 2)
        home = sender.pick()
        for _ in range(self.random.choice((1, 1, 2, 5))):
            if home is None or home not in sender.ready():
                return
            self.send(sender, home, recipient)

    def send(self, sender: Person, home: ChaosNode, recipient: Person) -> Said:
        """One message."""
        said = self.talk.begin(sender, home)
        self.recipients[said.text] = recipient
        self.written.emit(home, said, recipient)
        name = recipient.global_id
        data = {"text": said.text}
        if home.rooms.around.identities.get(recipient.fingerprint) is not None and self.random.random() < 0.7:
            code = self.post(sender, home, recipient, said)
        else:
            terms = {"recipient_id": name, "data": data, "ping_timeout": 0, "message_ack_timeout": 0}
            code, _ = sender.call(home, "message_send", **terms)
        said.is_kept = not code
        known = [*recipient.names, *sender.names]
        said.to = {one for one in known if self.field.now - self.fresh.get(one, -1e9) > NEW} | {home.name}
        sender.note(f"{said.text!r} to {recipient.name}: {code or 'stored'}")
        return said

    def post(self, sender: Person, home: ChaosNode, recipient: Person, said: Said) -> str:
        """Write without a look for the recipient, and hear what becomes of it; a code where it is refused."""
        messages = home.rooms.people.messages

        def arrived(state: str) -> None:
            self.field.note(f"{said.text!r} is {state}")
            said.is_safe = len(recipient.homes) == 1
            said.is_left = state == KEPT

        try:
            sent = sender.ask(home, messages.send(recipient.fingerprint, {"text": said.text}))
        except Crash:
            return CRASHED
        except BitDustError as error:
            return error.code
        sent.arrived.addCallbacks(arrived, lambda failure: None)
        return ""

    def heard(self, person: Person, home: ChaosNode) -> list[Message]:
        """Private messages in the history of a device. Raises `Finding` for what must not be there."""
        messages = [one for one in person.history(home) if one.kind == PRIVATE]
        texts = [message.data["text"] for message in messages]
        check_once(home, texts)
        check_order(home, self.talk, messages)
        for text in texts:
            said = self.talk.said[text]
            if person not in (said.sender, self.recipients[text]):
                raise Finding(f"{home.name} has {text!r}, which is for {self.recipients[text].name}")
        return messages

    def lacking(self) -> list[str]:
        """What has not arrived yet."""
        found = []
        for person in self.people:
            for home in person.ready() if not person.gone else []:
                there = [message.data["text"] for message in self.heard(person, home)]
                if missing := self.talk.lacking(home, there):
                    found.append(f"{home.name} lacks {missing}")
        return found

    def on_the_way(self) -> list[str]:
        """What senders still keep, because somebody who is there has not acknowledged it."""
        homes = [home for person in self.people if not person.gone for home in person.ready()]
        living = {(home.fingerprint, home.rooms.identity.me.device.id): home.name for home in homes}
        found = []
        for home in homes:
            rows = home.rooms.people.messages.letters.desk.rows.values()
            if left := [living[device] for row in rows for device in row.targets if device in living]:
                found.append(f"{home.name} still brings something to {left}")
        return found


NEW = 240.0
"""Seconds after which everybody is to write to a new device of a person too: a service looks every three minutes."""
