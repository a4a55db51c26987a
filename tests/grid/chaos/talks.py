"""What people said to each other, and who is to have it: the same for private messages and for groups."""

from collections import Counter
from collections.abc import Iterable

from attrs import define, field

from bitdust.wire.messages import Message
from tests.grid.chaos.field import Finding
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.persons import Person


@define(eq=False)
class Said:
    """One text, which is said once in a run."""

    text: str
    home: str
    sender: Person
    number: int
    is_kept: bool = False
    """Whether the sender's node has acknowledged it."""
    to: set[str] = field(factory=set)
    """Devices that are to have it, once it was acknowledged."""
    is_safe: bool = False
    """Whether another node, which its recipient can reach, has it: a device of the recipient, or two mailboxes."""
    is_left: bool = False
    """Whether mailboxes alone had it: who comes to know first that its device was revoked does not take it."""
    is_contested: bool = False
    """Whether its sender, or its device, was shut out since: some may have heard it, and others not."""
    sealed: object = None
    """The secret under which it was said, where that matters."""


class Talk:
    """All that was said in one conversation, or between all people."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.said: dict[str, Said] = {}

    def begin(self, person: Person, home: ChaosNode) -> Said:
        """Something is to be said; it may arrive from now on."""
        number = len(self.said) + 1
        said = Said(f"{self.name}, {number} from {home.name}", home.name, person, number)
        self.said[said.text] = said
        return said

    def lacking(self, home: ChaosNode, heard: Iterable[str]) -> list[str]:
        """What a device is to have, and has not."""
        there = set(heard)
        return [one.text for one in self.said.values() if one.is_kept and home.name in one.to and one.text not in there]

    def forget_home(self, name: str, is_shut_out: bool) -> None:
        """A device is lost: what it alone had may be lost with it, and nothing is for it any more."""
        for one in self.said.values():
            one.to.discard(name)
            one.is_kept &= one.home != name or (one.is_safe and not (is_shut_out and one.is_left))
            one.is_contested |= is_shut_out and one.home == name


def check_once(home: ChaosNode, heard: list[str]) -> None:
    """Raises `Finding` for what is there twice."""
    twice = [text for text, count in Counter(heard).items() if count > 1]
    if twice:
        raise Finding(f"{home.name} has {twice} more than once")


def check_order(home: ChaosNode, talk: Talk, messages: list[Message]) -> None:
    """Raises `Finding` where what one device said did not come in the order in which that was."""
    last: dict[tuple[str, str], Said] = {}
    for message in messages:
        one = talk.said[message.data["text"]]
        place = (one.home, message.conversation)
        if place in last and last[place].number > one.number:
            raise Finding(f"{home.name} has {one.text!r} after {last[place].text!r}")
        last[place] = one
