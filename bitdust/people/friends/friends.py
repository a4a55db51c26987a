"""My friends: whom the person of this node has accepted, under which alias, and who of them is here.

A friend is a fingerprint; what it is called follows from the newest identity document that is known, so it stays the
same person when its ID server or its name changes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.identity.document import IdentityDocument
from bitdust.identity.proving import NameProver
from bitdust.peers.presence import Presence
from bitdust.peers.shown import Names
from bitdust.people.friends.book import (
    DUE,
    MAX_ALIAS,
    Call,
    Called,
    Friend,
    FriendsBook,
    Join,
    Known,
    NoteGiven,
    Put,
    Take,
)
from bitdust.people.friends.greetings import Greetings
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

FRIEND = "friend"
"""Why somebody is followed."""


class Friends:
    """I keep the list, always; and from `start` to `stop` I keep in touch with everybody on it.

    ``changed`` reports who was added, given another alias, or removed, here or by another device of mine; ``edited``
    that there is something new for those; ``renamed`` the nickname that was chosen on one of them.
    """

    def __init__(self, around: Connected, presence: Presence, path: Path, prover: NameProver) -> None:
        self._around = around
        self._presence = presence
        self._prover = prover
        self._book = FriendsBook(path, around.world.run_in_thread)
        self._greetings = Greetings(around)
        self._removers: list[Callable[[], None]] = []
        self.changed: Signal[[Friend]] = Signal()
        self.edited: Signal[[]] = Signal()
        self.renamed: Signal[[str]] = Signal()

    def load(self) -> None:
        """Read the list."""
        self._book.load()

    @property
    def problem(self) -> str:
        """Why the list cannot be read; empty when all is well."""
        return self._book.problem

    # who is a friend

    def all(self) -> list[Friend]:
        """In the order in which they were added."""
        return list(self._book.known.values())

    def is_friend(self, fingerprint: bytes) -> bool:
        """Whether the person of this node has accepted somebody."""
        return fingerprint in self._book.known

    def alias_of(self, fingerprint: bytes) -> str:
        """What the person of this node calls somebody; empty where there is no such word."""
        friend = self._book.known.get(fingerprint)
        return friend.alias if friend is not None else ""

    def called(self, alias: str) -> list[bytes]:
        """All friends with an alias."""
        return [friend.fingerprint for friend in self._book.known.values() if alias and friend.alias == alias]

    def awaits_key(self, fingerprint: bytes) -> bool:
        """Whether a friend is to have my person key and was not given it yet."""
        friend = self._book.known.get(fingerprint)
        return friend is not None and friend.key == DUE

    def note_key_given(self, fingerprint: bytes) -> "Deferred[bool]":
        """A friend has my person key."""
        return self._book.change(NoteGiven(fingerprint)).addCallback(self._edited)

    def written(self) -> bytes:
        """The whole list, as `join` takes it on another device."""
        return self._book.written()

    def join(self, other: Known) -> "Deferred[bool]":
        """Take over what another device of mine knows that is newer; fires with whether it was anything. Fails as
        `FriendsBook.change` does."""
        before, called = dict(self._book.known), self._book.called.joined(other.called)
        if called.nickname != self._book.called.nickname and not self.problem:
            self.renamed.emit(called.nickname)  # first: a setting that differs from the list is a choice of its own
        return self._book.change(Join(other)).addCallback(self._joined, before)

    def _joined(self, is_news: bool, before: dict[bytes, Friend]) -> bool:
        after = self._book.known
        for who in [who for who in before if who not in after]:
            self._removed(True, before[who])
        for who, friend in list(after.items()):
            if who not in before:
                self._appeared(friend)
            elif friend.alias != before[who].alias:
                self.changed.emit(friend)
        return is_news

    def _edited(self, result: bool) -> bool:
        self.edited.emit()
        return result

    def add(self, document: IdentityDocument, alias: str = "", give_key: bool = False) -> "Deferred[bool]":
        """Accept somebody, or call a friend by another alias; fires with whether it is a new one.

        With ``give_key`` my person key is brought there when both are there.

        Raises `BitDustError` ``bad-argument`` for an alias that is none, and fails as `FriendsBook.change` does.
        """
        if len(alias) > MAX_ALIAS or not all(character.isprintable() for character in alias):
            raise BitDustError("bad-argument", f"an alias has at most {MAX_ALIAS} characters that can be shown")
        now, key = int(self._around.world.wall()), DUE if give_key else ""
        friend = Friend(document.fingerprint, alias, now, key)
        return self._book.change(Put(friend)).addCallback(self._added, document)

    def _added(self, is_new: bool, document: IdentityDocument) -> bool:
        friend = self._book.known.get(document.fingerprint)
        if friend is None:  # it was removed in the same moment
            return is_new
        self._around.identities.keep(document)
        if is_new:
            self._appeared(friend)
        else:
            self.changed.emit(friend)
        return self._edited(is_new)

    def _appeared(self, friend: Friend) -> None:
        self.changed.emit(friend)
        self._send("friend-added", friend.fingerprint, alias=friend.alias)
        if self._removers and not self._follow(friend.fingerprint):
            self._greetings.greet([friend.fingerprint])

    def remove(self, fingerprint: bytes) -> "Deferred[bool]":
        """Somebody is a friend no more; fires with whether it was one. Fails as `FriendsBook.change` does."""
        friend = self._book.known.get(fingerprint)
        return self._book.change(Take(fingerprint)).addCallback(self._removed, friend).addCallback(self._edited)

    def _removed(self, was_one: bool, friend: Friend | None) -> bool:
        if was_one and friend is not None and not self.is_friend(friend.fingerprint):
            self._greetings.came(friend.fingerprint)
            self._presence.forget(friend.fingerprint, FRIEND)
            self._send("friend-removed", friend.fingerprint)
            self.changed.emit(friend)
        return was_one

    @property
    def chosen(self) -> Called:
        """Which nickname my person has chosen."""
        return self._book.called

    def choose(self, nickname: str) -> "Deferred[bool]":
        """My person has chosen a nickname, on this device; fires with whether it is another one. Fails as
        `FriendsBook.change` does."""
        return self._book.change(Call(nickname)).addCallback(self._chosen)

    def _chosen(self, is_new: bool) -> bool:
        return self._edited(is_new) if is_new else is_new

    # who is here

    def start(self) -> None:
        """Greet everybody, and follow who comes and goes."""
        self._removers = [
            self._presence.changed.connect(self._report),
            self._presence.chance.connect(self._greet_absent),
            self._around.identities.changed.connect(self._prove_name),
        ]
        for friend in self.all():
            self._follow(friend.fingerprint)
        self._greet_absent()

    def stop(self) -> None:
        """Follow nobody any more."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        self._greetings.stop()
        for friend in self.all():
            self._presence.forget(friend.fingerprint, FRIEND)

    def neglected(self) -> int:
        """How many friends nobody follows."""
        return sum(1 for fingerprint in self._book.known if not self._presence.follows(fingerprint))

    def _follow(self, fingerprint: bytes) -> bool:
        """Whether the friend is here. One that was followed for another reason is not reported by itself."""
        self._prover.want([fingerprint])
        was_followed = self._presence.follows(fingerprint)
        self._presence.watch(fingerprint, FRIEND)
        if was_followed and self._presence.is_online(fingerprint):
            self._report(fingerprint, True)
        return self._presence.is_online(fingerprint)

    def _greet_absent(self) -> None:
        presence = self._presence
        self._greetings.greet(one for one in self._book.known if not presence.has_session(one))

    def _prove_name(self, document: IdentityDocument) -> None:
        """A friend who has moved has another name."""
        if self.is_friend(document.fingerprint):
            self._prover.renamed(document.fingerprint)

    def _report(self, fingerprint: bytes, online: bool) -> None:
        if not self.is_friend(fingerprint):
            return
        self._prover.want([fingerprint])
        (self._greetings.came if online else self._greetings.went)(fingerprint)
        old, new = ("OFFLINE", "CONNECTED") if online else ("CONNECTED", "OFFLINE")
        event = "friend-connected" if online else "friend-disconnected"
        self._send(event, fingerprint, alias=self.alias_of(fingerprint), old_state=old, new_state=new)

    def _send(self, event: str, fingerprint: bytes, **more: Any) -> None:
        identities = self._around.identities
        names = Names.of(identities, fingerprint)
        known = {"idurl": names.idurl, "global_id": names.global_id, "fingerprint": fingerprint.hex()}
        self._around.events.send(event, known | {"name_proven": identities.is_proven(fingerprint)} | more)
