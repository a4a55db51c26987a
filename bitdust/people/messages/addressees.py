"""Who is looked for: the port of each `message_addressee`."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed

from bitdust.automats.message_addressee import MessageAddressee
from bitdust.people.messages.ports import Directory
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError


class Addressee:
    """One person; ``assign`` is called when the devices that count are known, and again when they change."""

    def __init__(self, around: Connected, directory: Directory, person: bytes, assign: Callable[[bytes], None]) -> None:
        self._around = around
        self._directory = directory
        self._person = person
        self._assign = assign
        self.machine = MessageAddressee(around.registry, person.hex()[:8], self)

    @property
    def _is_me(self) -> bool:
        return self._around.me.present and self._person == self._around.me.fingerprint

    def look(self) -> "Deferred[None]":
        if self._is_me:
            return succeed(None)
        return self._directory.look_up(self._person).addCallback(lambda _: self._looked())

    def _looked(self) -> None:
        if not self.is_known():
            raise BitDustError("not-found", "no document of the person was found")

    def is_known(self) -> bool:
        return self._is_me or self._around.identities.get(self._person) is not None

    def assign(self) -> None:
        self._assign(self._person)
