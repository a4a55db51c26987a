"""A share of a run: its owner lets people in to read or to write, and shuts some out; what was stored comes back."""

import shutil
from typing import Any

from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.persons import Person

DOWNLOAD = 300.0


class Commons:
    """One share, and what was promised in it."""

    def __init__(self, field: Field, owner: Person, people: list[Person]) -> None:
        self.field = field
        self.random = field.random
        self.owner = owner
        self.people = people
        self.alias = ""
        self.access: dict[str, str] = {}
        """Whom the owner has let in, and whether to read or to write."""
        self.let_in: dict[str, str] = {}
        """At which of the owner's homes that was said last."""
        self.files: dict[str, bytes] = {}
        self.stored: set[str] = set()
        """Of these files the ones whose upload was reported as done."""
        self.outside: dict[str, set[str]] = {}
        """Who was shut out, and files that this person must never see."""
        self.due: set[str] = set()
        """Files that all are to see, by the last look."""

    def note(self, text: str) -> None:
        """One line of the journal."""
        self.field.note(f"the share of {self.owner.name}: {text}")

    def begin(self) -> None:
        """The owner makes it. Raises `Finding`."""
        code, result = self.owner.call(self.owner.home, "share_create", label="commons")
        if code:
            raise Finding(f"no share can be made: {code}")
        self.alias = result["key_id"].partition("$")[0]

    def key_at(self, home: ChaosNode) -> str:
        """Its key id as a node knows it, empty where it does not."""
        known = [one.key_id for one in home.rooms.shares.all() if one.alias == self.alias]
        return known[0] if known else ""

    def guests(self, access: str = "") -> list[Person]:
        """Those who are let in now."""
        named = [one for one in self.people if one.name in self.access and not one.gone]
        return [one for one in named if access in ("", self.access[one.name])]

    # what happens in it

    def grant(self) -> None:
        """Somebody is let in, or may do more or less than before."""
        person = self.random.choice([one for one in self.people if one is not self.owner])
        home = self.owner.pick()
        if home is None or person.gone or not self.key_at(home):
            return
        if person.name in self.outside:
            self.check_outside(person)
        access = self.random.choice(("read", "write"))
        given = {"trusted_user_id": person.global_id, "access": access, "timeout": 5}
        code, _ = self.owner.call(home, "share_grant", key_id=self.key_at(home), **given)
        self.note(f"{person.name} may {access}: {code or 'and knows it'}")
        if code in ("", "no-answer"):
            self.access[person.name], self.let_in[person.name] = access, home.name
            self.outside.pop(person.name, None)

    def revoke(self) -> None:
        """Somebody is shut out."""
        choice, home = self.guests(), self.owner.pick()
        if not choice or home is None or not self.key_at(home):
            return
        person = self.random.choice(choice)
        name = person.global_id
        code, _ = self.owner.call(home, "share_revoke", key_id=self.key_at(home), trusted_user_id=name)
        self.note(f"{person.name} is shut out: {code or 'done'}")
        if code in ("", "crashed"):
            del self.access[person.name]
        if not code:
            self.outside[person.name] = set()

    def distrust(self, lost: ChaosNode) -> None:
        """A home of the owner is revoked: whom it let in last may be let in no more."""
        for name in [one for one in self.access if self.let_in[one] == lost.name]:
            del self.access[name]

    def put(self) -> None:
        """The owner stores something, or somebody who may write does."""
        person = self.random.choice([self.owner, *self.guests("write")])
        home = person.pick()
        key = self.key_at(home) if home is not None else ""
        if home is None or not key:
            return
        name = f"file-{len(self.files) + 1}"
        data = self.random.randbytes(self.random.choice((100, 5000, 100_000)))
        local = self.field.base / f"local-{name}"
        local.write_bytes(data)
        self.files[name] = data
        if person is not self.owner:
            person.call(home, "share_open", key_id=key)
        code, _ = person.call(home, "file_create", remote_path=f"{key}:{name}")
        self.note(f"{home.name} stores {name}: {code or 'begun'}")
        if code:
            return
        if person is self.owner:
            for forbidden in self.outside.values():
                forbidden.add(name)

        def ended(envelope: dict[str, Any]) -> None:
            if not home.clock.is_dead:
                code = envelope.get("code", "")
                self.note(f"{name} of {home.name}: {code or 'is stored'}")
                if not code:
                    self.stored.add(name)

        to = {"local_path": str(local), "remote_path": f"{key}:{name}", "wait_result": True}
        person.start(home, "file_upload_start", **to).addCallback(ended)

    # what must be

    def listed(self, person: Person, home: ChaosNode) -> list[str]:
        """Files that a node shows in it."""
        code, rows = person.call(home, "files_list", remote_path=f"{self.key_at(home)}:", recursive=True)
        return [row["path"] for row in rows or []] if not code else []

    def check_outside(self, person: Person) -> None:
        """Raises `Finding` where somebody who was shut out sees what came after."""
        for home in person.ready() if not person.gone else []:
            if seen := self.outside[person.name] & set(self.listed(person, home) if self.key_at(home) else []):
                raise Finding(f"{home.name} was shut out, and sees {sorted(seen)}")

    def readers(self) -> list[tuple[Person, ChaosNode]]:
        """At which nodes it is to be readable."""
        return [(one, home) for one in (self.owner, *self.guests()) for home in one.ready()]

    def lacking(self) -> list[str]:
        """What is not there yet."""
        found, self.due = [], set(self.stored)
        for person, home in self.readers():
            if not self.key_at(home):
                if home is person.homes[0]:
                    found.append(f"{home.name} has no key of the share")
                continue
            if missing := self.due - set(self.listed(person, home)):
                found.append(f"{home.name} does not see {sorted(missing)}")
        return found

    def open_all(self) -> None:
        """Everybody who is let in opens it, where it is not open."""
        for person, home in self.readers():
            closed = [one for one in home.rooms.shares.all() if one.alias == self.alias and not one.active]
            if closed and (key := self.key_at(home)):
                code, _ = person.call(home, "share_open", key_id=key)
                self.note(f"{home.name} opens it: {code or 'connected'}")

    def check_bytes(self) -> None:
        """Everything that was stored comes back as it was. Raises `Finding`."""
        for person, home in self.readers():
            key = self.key_at(home)
            for name in sorted(self.due) if key else []:
                target = self.field.base / "back"
                shutil.rmtree(target, ignore_errors=True)
                to = {"remote_path": f"{key}:{name}", "destination_path": str(target), "wait_result": True}
                code, _ = person.call(home, "file_download_start", **to)
                if code or (target / name).read_bytes() != self.files[name]:
                    raise Finding(f"{name} did not come back to {home.name}: {code or 'it is something else'}")
