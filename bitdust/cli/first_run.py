"""What a new node must be told: the questions of `bitdust init`, their checks, and which of them were answered."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import click
from attrs import define, field, frozen

from bitdust.cli.asking import ask, somebody_is_there
from bitdust.cli.client import ApiError
from bitdust.cli.main import Session
from bitdust.cli.output import size
from bitdust.cli.settings import open_settings, write_setting

NOTE = "first-run.json"
NAME = "--name"
GIVES = "services/supplier/enabled"
GIVEN = "services/supplier/donated-space"
NEEDED = "services/customer/needed-space"
CUSTOMER = "services/customer/enabled"
EMPLOYER = "services/employer/enabled"
SUPPLIERS = "services/customer/suppliers-number"
SERVERS = "services/identity-propagate/known-servers"
SEEDS = "services/entangled-dht/known-nodes"
NEED, NUMBER = "--need SIZE or --no-need", "--suppliers"
MB = 1024 * 1024
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]{1,253})((:[0-9]{1,5}){1,2})")


@frozen
class Wishes:
    """What the command's options say; None where they say nothing."""

    name: str | None = None
    give: str | None = None
    need: str | None = None
    suppliers: str | None = None
    known_servers: str | None = None
    seeds: str | None = None
    yes: bool = False


@frozen
class Question:
    """One thing to know. ``offer`` answers for --yes, where that may answer; ``suggested`` for who presses Enter."""

    flag: str
    wish: str | None
    offer: str | None
    store: Callable[[str], None]
    text: str
    needed: bool = True
    suggested: str | None = None


@define
class Note:
    """What was answered, in this run or before; ``<home>/config/first-run.json``."""

    path: Path
    answered: list[str] = field(factory=list)
    name: str = ""

    @classmethod
    def read(cls, home: Path) -> "Note":
        """A note that cannot be read counts as none: then the questions come again."""
        path = home / "config" / NOTE
        try:
            told = json.loads(path.read_bytes()[:10_000])
            return cls(path, [str(flag) for flag in told["answered"]], str(told["name"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(path)

    def add(self, flag: str) -> None:
        """Remember that this one is answered."""
        self.answered = [*dict.fromkeys([*self.answered, flag])]
        self._write()

    def _write(self) -> None:
        from bitdust.crypt.files import make_private_folder, write_safely

        make_private_folder(self.path.parent)
        write_safely(self.path, json.dumps({"answered": self.answered, "name": self.name}).encode())

    def drop(self, flag: str) -> None:
        """This one is open again."""
        self.answered = [one for one in self.answered if one != flag]
        self._write()


class FirstRun:
    """I ask what is not answered yet, and write each answer down before the next question."""

    def __init__(self, session: Session, wishes: Wishes, present: bool) -> None:
        self.session = session
        self.wishes = wishes
        self.note = Note.read(session.home)
        self._present = present
        self._settings = open_settings(session)

    def run(self) -> None:
        """Ask what is open, write each answer down. Raises `click.UsageError`, `click.Abort`."""
        for question in self._open():
            if question.flag != NUMBER or question.wish is not None or self._settings.get(CUSTOMER):
                self._settle(question)

    def unanswered(self) -> list[str]:
        """Options without which nobody can go on who cannot be asked."""
        return [question.flag for question in self._open() if self._unanswered(question)]

    def ask_name(self) -> None:
        """Ask for another name than the one that is taken."""
        name = next(question for question in self._questions() if question.flag == NAME)
        ask(NAME, name.text, self._checked(name.store))
        self.note.add(NAME)

    def forget_name(self) -> None:
        """The name is of no use: the next run asks for another one."""
        self.note.name = ""
        self.note.drop(NAME)

    @property
    def wants_suppliers(self) -> bool:
        """Whether this node hires suppliers at all."""
        return bool(self._settings.get(CUSTOMER) and self._settings.get(EMPLOYER))

    @property
    def next_step(self) -> str:
        """What this node is for, and the command that shows it."""
        if self.wants_suppliers:
            return "See who keeps your pieces: bitdust supplier list; keep a folder: bitdust help file upload"
        if self._settings.get(GIVES):
            return "See whose pieces you keep: bitdust customer list; write to people: bitdust friend add ID"
        return "Write to people: bitdust friend add ID, then bitdust chat ID"

    def _open(self) -> list[Question]:
        """A wish that is given now counts more than an answer of before."""
        return [one for one in self._questions() if one.wish is not None or one.flag not in self.note.answered]

    def _unanswered(self, question: Question) -> bool:
        return question.wish is None and question.needed and not (self.wishes.yes and question.offer is not None)

    def _settle(self, question: Question) -> None:
        if question.wish is not None:
            self._answer(question, question.wish)
        elif not somebody_is_there() or (self.wishes.yes and question.offer is not None):
            question.store(question.offer or "")
        else:
            offer = question.suggested if question.offer is None else question.offer
            ask(question.flag, question.text, self._checked(question.store), offer)
        self.note.add(question.flag)

    def _answer(self, question: Question, wish: str) -> None:
        try:
            self._checked(question.store)(wish)
        except ValueError as error:
            raise click.UsageError(f"{question.flag}: {error}") from None

    def _checked(self, store: Callable[[str], None]) -> Callable[[str], str]:
        def check(text: str) -> str:
            try:
                store(text)
            except ApiError as error:
                raise ValueError(str(error)) from None
            return text

        return check

    def _questions(self) -> list[Question]:
        wishes = self.wishes
        network = [
            self._setting(
                "--known-servers", wishes.known_servers, SERVERS, _addresses, "ID servers, host:port (empty: later)"
            ),
            self._setting(
                "--seeds", wishes.seeds, SEEDS, _addresses, "First nodes of the DHT, host:port (empty: later)"
            ),
        ]
        name = Question(NAME, wishes.name, None, self.take_name, "Your name (3 to 20 of a-z 0-9 - _; it stays)")
        free = free_space(self.session.home, self._settings.get("paths/customers"))
        give = Question(
            "--give SIZE or --no-give",
            wishes.give,
            None,
            lambda text: self._give(text, free),
            f"Space to give to others on this disk, which has {size(free)} free (0: none)",
            suggested=self._settings.get_text(GIVEN) if free >= 2 * self._settings.get(GIVEN) else "0",
        )
        need = Question(
            NEED,
            wishes.need,
            self._settings.get_text(NEEDED),
            self._need,
            "Space that you need for your own files (suppliers keep twice as much; 0: none, for messages alone)",
        )
        suppliers = self._setting(
            NUMBER, wishes.suppliers, SUPPLIERS, str, "Number of suppliers; any half of them brings all back"
        )
        # Who is somebody already has these; a private network's addresses may still be given.
        if self._present:
            network = [question for question in network if question.wish is not None]
        return [*([] if self._present else [name]), give, need, suppliers, *network]

    def _setting(self, flag: str, wish: str | None, key: str, check: Callable[[str], str], text: str) -> Question:
        offer = self._settings.get_text(key)
        needed = key not in (SERVERS, SEEDS)
        return Question(flag, wish, offer, lambda given: self._write(key, check(given)), text, needed)

    def take_name(self, text: str) -> None:
        """Raises `ValueError` for a name that cannot be."""
        from bitdust.wire.names import USER_NAME

        if USER_NAME.fullmatch(text) is None:
            raise ValueError("3 to 20 of a-z 0-9 - _, a letter or digit at both ends")
        self.note.name = text

    def _give(self, text: str, free: int) -> None:
        from bitdust.wire.errors import BitDustError

        none = text.strip().lower() in ("0", "no", "none")
        if not none:
            try:
                wanted = self._settings.option(GIVEN).parse(text)
            except BitDustError as error:
                raise ValueError(str(error)) from None
            if wanted > free:
                raise ValueError(f"the disk has only {size(free)} free")
            self._write(GIVEN, text)
        self._write(GIVES, "false" if none else "true")

    def _need(self, text: str) -> None:
        none = text.strip().lower() in ("0", "no", "none")
        if not none:
            self._write(NEEDED, text)
        if none:
            self._write(CUSTOMER, "false")

    def _write(self, key: str, value: str) -> None:
        write_setting(self.session, key, value)
        self._settings = open_settings(self.session)


def free_space(home: Path, customers: str) -> int:
    """Bytes that this user may still write where customers' pieces will be."""
    place = Path(customers) if customers else home
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _addresses(text: str) -> str:
    """``host:port,host:port``, tidied. Raises `ValueError` that names the wrong one."""
    parts = [part.strip() for part in text.replace(" ", ",").split(",") if part.strip()]
    for part in parts:
        if part == "genesis":
            continue
        found = _ADDRESS.fullmatch(part)
        if found is None or any(not 0 < int(port) < 65536 for port in found[2].split(":")[1:]):
            raise ValueError(f"{part[:100]!r} is not of the form host:port")
    return ",".join(parts)
