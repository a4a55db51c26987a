"""A passphrase for the keys in the home."""

import time

import click

from bitdust.cli.asking import PASSPHRASE_FILE, secret, somebody_is_there
from bitdust.cli.client import ApiError
from bitdust.cli.main import Session
from bitdust.cli.output import sentences, show_json

LEAST = 8
TRIES = 3


@click.command()
@PASSPHRASE_FILE
@click.option("--permanently", is_flag=True, help="Keep the keys without a passphrase from now on.")
@click.pass_obj
def unlock(session: Session, passphrase_file: str | None, permanently: bool) -> None:
    """Open the keys of a node that waits as `locked`."""
    tries = TRIES if passphrase_file is None and somebody_is_there() else 1
    for left in reversed(range(tries)):
        word = secret(passphrase_file, "Passphrase of this home", twice=False)
        try:
            who = _try(session, word, permanently, patient=tries > 1)
        except ApiError as error:
            if error.code != "wrong-passphrase" or not left:
                raise
            click.echo(sentences(error), err=True)
        else:
            _opened(session, who, permanently)
            return


def _try(session: Session, word: str, permanently: bool, patient: bool) -> dict[str, object]:
    """One passphrase; where a person waits, the pause after a wrong one is waited for."""
    try:
        who: dict[str, object] = session.call("identity_unlock", passphrase=word, permanently=permanently)
    except ApiError as error:
        if error.code != "too-many-tries" or not patient:
            raise
        time.sleep(min(60, float(error.envelope.get("seconds", 1))))
        return _try(session, word, permanently, patient=False)
    return who


def _opened(session: Session, who: dict[str, object], permanently: bool) -> None:
    if session.as_json:
        show_json(who)
        return
    click.echo(f"opened: this node is {who['global_id']}")
    if permanently:
        click.echo("its keys are kept without a passphrase from now on")


@click.command()
@PASSPHRASE_FILE
@click.option("--remove", is_flag=True, help="Take the passphrase away again.")
@click.pass_context
def lock(ctx: click.Context, passphrase_file: str | None, remove: bool) -> None:
    """Keep the private keys in the home under a passphrase (also: another passphrase).

    The node goes on as it is. From its next start on it waits for `bitdust unlock`, or takes the passphrase from the
    file that the setting personal/passphrase-file, $BITDUST_PASSPHRASE_FILE or the systemd credential
    bitdust-passphrase names. Your key file is another thing and stays as it is.
    """
    session: Session = ctx.obj
    if remove:
        ctx.invoke(unlock, passphrase_file=passphrase_file, permanently=True)
        return
    word = secret(passphrase_file, "New passphrase for this home", twice=True, least=LEAST)
    lock_home(session, word)


def lock_home(session: Session, word: str) -> None:
    """Lock, and say what that means."""
    told = session.call("identity_lock", passphrase=word)
    if session.as_json:
        show_json(told)
    else:
        click.echo("the keys in the home are locked; after the next start of the node: bitdust unlock")
