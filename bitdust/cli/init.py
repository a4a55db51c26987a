"""`bitdust init`: from nothing to an identity and a checked backup; run again, it goes on where it stopped."""

import contextlib
from pathlib import Path
from typing import Any

import click
from attrs import define, field, frozen

from bitdust.cli.asking import ask, missing, secret, somebody_is_there
from bitdust.cli.backup import back_up, show_checked
from bitdust.cli.client import ApiError
from bitdust.cli.daemon import launch, refuse_newer_home
from bitdust.cli.family import HiringWatch
from bitdust.cli.first_run import FirstRun, Wishes
from bitdust.cli.lock import running_pid
from bitdust.cli.locking import LEAST
from bitdust.cli.main import Session
from bitdust.cli.output import sentences, show_json
from bitdust.cli.reminder import needs_backup
from bitdust.crypt.keyfile import is_locked

NO_SERVER = (
    "no ID server answered, so nobody could find you yet. An identity lives on at least one: name it with\n"
    "  bitdust init --known-servers HOST:PORT\n"
    "Everything that you answered is kept."
)
URGE = (
    "\nYour key file is the only thing that brings you back when this disk is lost: who you are, and all your files.\n"
    "Put it where neither this machine nor a thief of it can lose it: a USB stick, another machine."
)


@frozen
class Secrets:
    """What the options say about the backup and about passphrases."""

    target: Path | None = None
    no_backup: bool = False
    passphrase_file: str | None = None
    no_passphrase: bool = False
    encrypt_home_key: bool = False
    home_passphrase_file: str | None = None

    def check(self) -> None:
        """Raises `click.UsageError` where options contradict each other."""
        if (self.target and self.no_backup) or (self.passphrase_file and self.no_passphrase):
            raise click.UsageError("an option and its opposite are given")
        if self.passphrase_file == self.home_passphrase_file == "-":
            raise click.UsageError("standard input has one passphrase; give the other one in a file")

    def unanswered(self, yes: bool, needs_backup: bool) -> list[str]:
        """Options without which nobody can go on who cannot be asked."""
        absent = []
        if needs_backup and not self.no_backup:
            if self.target is None:
                absent.append("--backup FILE or --no-backup")
            if self.passphrase_file is None and not self.no_passphrase and not yes:
                absent.append("--passphrase-file FILE or --no-passphrase")
        if self.encrypt_home_key and self.home_passphrase_file is None:
            absent.append("--home-passphrase-file FILE")
        return absent


@click.command()
@click.option("--name", help="Your user name.")
@click.option("--give", metavar="SIZE", help="Space to give to others, such as '20 GB'.")
@click.option("--no-give", is_flag=True, help="Give no space.")
@click.option("--need", metavar="SIZE", help="Space you need for your own files.")
@click.option("--no-need", is_flag=True, help="Keep no files of your own with others: write to people, or give space.")
@click.option("--suppliers", metavar="N", help="How many others keep your pieces, 2 to 64.")
@click.option("--known-servers", metavar="HOST:PORT,…", help="ID servers of your network.")
@click.option("--seeds", metavar="HOST:PORT,…", help="First nodes of the DHT of your network.")
@click.option("--backup", "target", metavar="FILE", help="Write the key file here, and check it.")
@click.option("--no-backup", is_flag=True, help="Make no backup now; you will be reminded.")
@click.option("--passphrase-file", metavar="FILE", help="Passphrase of the key file; - is standard input.")
@click.option("--no-passphrase", is_flag=True, help="Write the key file without a passphrase.")
@click.option("--encrypt-home-key", is_flag=True, help="Keep the keys in the home under a passphrase, too.")
@click.option("--home-passphrase-file", metavar="FILE", help="That passphrase; - is standard input.")
@click.option("--no-wait", is_flag=True, help="Do not wait until your suppliers are hired.")
@click.option("--yes", is_flag=True, help="Take the usual answer wherever there is one.")
@click.pass_obj
def init(
    session: Session,
    /,
    give: str | None,
    no_give: bool,
    need: str | None,
    no_need: bool,
    target: str | None,
    no_backup: bool,
    passphrase_file: str | None,
    no_passphrase: bool,
    encrypt_home_key: bool,
    home_passphrase_file: str | None,
    no_wait: bool,
    **wishes: Any,
) -> None:
    """Set this node up: settings, daemon, identity, a verified backup, and suppliers, for whom it waits a minute.

    Asks for what the options leave open. In a script, where nobody can be asked, it names what is missing and exits
    with code 2. Run again, it continues where it stopped.
    """
    if (give is not None and no_give) or (need is not None and no_need):
        raise click.UsageError("an option and its opposite are given")
    path = Path(target).expanduser().absolute() if target else None
    locks = encrypt_home_key or home_passphrase_file is not None
    secrets = Secrets(path, no_backup, passphrase_file, no_passphrase, locks, home_passphrase_file)
    secrets.check()
    setup = Setup(
        session, Wishes(give="0" if no_give else give, need="0" if no_need else need, **wishes), secrets, not no_wait
    )
    try:
        setup.run()
    except click.Abort:
        click.echo("\nwhat you answered is kept; go on with: bitdust init", err=True)
        raise


@define
class Setup:
    """The steps, each of which is left out when it was done before."""

    session: Session
    wishes: Wishes
    secrets: Secrets
    waits: bool = True
    told: dict[str, Any] = field(factory=dict)

    def run(self) -> None:
        """All of them. Raises `ApiError`, `click.UsageError`, `click.Abort`."""
        home = self.session.home
        refuse_newer_home(home)
        present = (home / "metadata" / "localidentity").exists()
        questions = FirstRun(self.session, self.wishes, present)
        self._refuse_silence(questions, not present or needs_backup(home))
        questions.run()
        self._start()
        who = self._identity(questions)
        self._offer_lock()
        target = self.secrets.target
        if who.get("backup_checked") is None or (target is not None and not target.exists()):
            self._back_up(who)
        self._lock()
        if self.waits and questions.wants_suppliers:
            self.told |= HiringWatch(self.session, self._say).run()
        self._farewell(who, questions)

    def _refuse_silence(self, questions: FirstRun, wants_backup: bool) -> None:
        if not somebody_is_there():
            absent = questions.unanswered() + self.secrets.unanswered(self.wishes.yes, wants_backup)
            if absent:
                raise missing(absent)

    def _start(self) -> None:
        if running_pid(self.session.home) is None:
            self._say("starting the node in the background (bitdust stop ends it)")
            launch(self.session.base)

    def _identity(self, questions: FirstRun) -> dict[str, Any]:
        state = self.session.call("process_health").get("identity")
        while state == "none":
            self._say(f"making your keys and registering {questions.note.name}")
            try:
                who: dict[str, Any] = self.session.call(
                    "identity_create", username=questions.note.name, join_network=True
                )
            except ApiError as error:
                self._another_name(error, questions)
            else:
                self._say(f"you are {who['global_id']}, found at {who['idurl']}")
                return who
        found: dict[str, Any] = self.session.call("identity_get")
        self._say(f"you are {found['global_id']}")
        return found

    def _another_name(self, error: ApiError, questions: FirstRun) -> None:
        """Whether it can be tried again; raises where not."""
        if error.code == "network-connection-error":
            raise ApiError(error.code, NO_SERVER) from None
        questions.forget_name()
        if error.code not in ("name-taken", "bad-name") or not somebody_is_there():
            raise error
        self._say(sentences(error))
        questions.ask_name()

    def _back_up(self, who: dict[str, Any]) -> None:
        target = self.secrets.target
        if target is None and not self.secrets.no_backup:
            self._say(URGE)
            target = ask("--backup FILE", "Write your key file to (empty: later)", self._target, "")
        if target is None:
            self._say("no backup was made; you will be reminded. Later: bitdust identity backup FILE")
            return
        found = back_up(self.session, target, self._passphrase(), overwrite=False, renew="once")
        self.told["backup"] = found
        self._say("the node adds your suppliers to that file when all are hired, as long as it finds it there")
        if not self.session.as_json:
            show_checked(found)

    def _target(self, text: str) -> Path | None:
        if not text:
            return None
        path = Path(text).expanduser().absolute()
        if path.is_dir():
            path = path / "bitdust.key"
        if path.exists():
            raise ValueError(f"{path} exists; take another name")
        if not path.parent.is_dir():
            raise ValueError(f"there is no folder {path.parent}")
        return path

    def _passphrase(self) -> str:
        if self.secrets.passphrase_file is not None:
            return secret(self.secrets.passphrase_file, "", twice=False)
        if self.secrets.no_passphrase or (self.wishes.yes and not somebody_is_there()):
            return ""
        return secret(None, "Passphrase for the key file (empty: none)", twice=True, may_be_empty=True)

    def _offer_lock(self) -> None:
        """The private key is in the home now, and whoever has a copy of the home has it as well."""
        path = self.session.home / "metadata" / "mykeyfile"
        asks = somebody_is_there() and not (self.wishes.yes or self.secrets.encrypt_home_key or self.session.as_json)
        if asks and path.exists() and not is_locked(path.read_text()):
            self._say("\nyour private key is in the home. With a passphrase a stolen disk is of no use to a thief;")
            self._say("then each start of the node asks for it. Later: bitdust identity lock, or detach")
            question = "Passphrase for the keys in this home (empty: none)"
            word = secret(None, question, twice=True, may_be_empty=True, least=LEAST)
            if word:
                self._lock_with(word)

    def _lock(self) -> None:
        if self.secrets.encrypt_home_key:
            file = self.secrets.home_passphrase_file
            word = secret(file, "Passphrase for the keys in this home", twice=True, least=LEAST)
            self._lock_with(word)

    def _lock_with(self, word: str) -> None:
        self.told |= self.session.call("identity_lock", passphrase=word)
        self._say("the keys in the home are locked; after the next start of the node: bitdust unlock")

    def _farewell(self, who: dict[str, Any], questions: FirstRun) -> None:
        if self.session.as_json:
            show_json({"global_id": who["global_id"], "idurl": who["idurl"]} | self.told)
        else:
            self._say(
                "\nwhen this device is lost or stolen, on another one: bitdust identity recover FILE"
                " --revoke-other-devices"
            )
            self._say(f"ready. {questions.next_step}")

    def _say(self, sentence: str) -> None:
        if not self.session.as_json:
            with contextlib.suppress(BrokenPipeError):
                click.echo(sentence, err=True)
