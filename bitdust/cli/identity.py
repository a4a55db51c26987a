"""Your identity from the command line."""

from pathlib import Path

import click

from bitdust.cli.asking import PASSPHRASE_FILE, secret, sure
from bitdust.cli.backup import back_up, check, passphrase_of, read_key_file, show_checked
from bitdust.cli.client import ApiError
from bitdust.cli.devices import attach, detach, devices, revoke
from bitdust.cli.groups import Aliased
from bitdust.cli.locking import lock, unlock
from bitdust.cli.main import Session
from bitdust.cli.output import sentences, show_fields, show_json, show_table

ALIASES = {
    "show": "show", "info": "show", "new": "create", "register": "create", "generate": "create", "bk": "backup",
    "save": "backup", "restore": "recover", "load": "recover", "ls": "list", "cache": "list",
    "delete": "erase", "rm": "erase",
}  # fmt: skip
SETTINGS = (
    "settings of the former machine are not in the key file: look at bitdust storage; where this node is to keep "
    "nothing for others: bitdust set services/supplier/enabled false"
)
OTHERS = "your other devices go on; was one of them lost or stolen? bitdust identity devices, bitdust identity revoke"
FIELDS = ("name", "global_id", "idurl", "sources", "contacts", "revision", "date", "fingerprint")


@click.group(cls=Aliased, aliases=ALIASES, default="show")
def identity() -> None:
    """Your identity: create, show, backup, check, recover, devices, revoke, detach, lock, erase, list, …"""


def _show(session: Session, document: dict[str, object]) -> None:
    if session.as_json:
        show_json(document)
    else:
        show_fields(document, FIELDS)


@identity.command("create")
@click.argument("name")
@click.option("--server", "servers", multiple=True, help="ID server to register at, host:port; may be given again.")
@click.pass_obj
def create(session: Session, name: str, servers: tuple[str, ...]) -> None:
    """Make your keys and register NAME (3 to 20 of a-z 0-9 - _) at the ID servers."""
    arguments = {"preferred_servers": list(servers)} if servers else {}
    _show(session, session.call("identity_create", username=name, join_network=True, **arguments))
    if not session.as_json:
        click.echo("\nNow keep a copy of your key elsewhere: bitdust identity backup FILE", err=True)


@identity.command("show")
@click.option("--xml", is_flag=True, help="Print the signed document itself.")
@click.pass_obj
def show(session: Session, xml: bool) -> None:
    """Who this node is."""
    document = session.call("identity_get", include_xml_source=xml)
    if xml and not session.as_json:
        click.echo(document["xml"])
    else:
        _show(session, document)


@identity.command("rotate")
@click.pass_obj
def rotate(session: Session) -> None:
    """Move to another ID server that is known; contacts, contracts and data stay."""
    document = session.call("identity_rotate")
    if session.as_json:
        show_json(document)
        return
    click.echo(f"you are {document['global_id']} now; before: {', '.join(document['old_sources'])}")


@identity.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--encrypt", is_flag=True, help="Ask for a passphrase and encrypt the key with it.")
@PASSPHRASE_FILE
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--renew", is_flag=True, help="Let the node renew FILE whenever suppliers change.")
@click.pass_obj
def backup(
    session: Session, file: Path | None, encrypt: bool, passphrase_file: str | None, overwrite: bool, renew: bool
) -> None:
    """Write your key file and read it back: the only thing you need to come back. Keep it on another machine.

    Without a FILE it is ~/master$NAME.key, on this machine: a beginning, not yet a backup.
    """
    target = (file or Path.home() / f"master${session.call('identity_get')['global_id']}.key").expanduser().absolute()
    if target.exists() and not overwrite:
        raise ApiError("exists", f"{target} exists; take another name, or --overwrite")
    wanted = encrypt or passphrase_file is not None
    word = secret(passphrase_file, "Passphrase for the key file", twice=True) if wanted else ""
    found = back_up(session, target, word, overwrite, "always" if renew else "")
    if session.as_json:
        show_json(found)
    else:
        click.echo(f"your key file is {target}; keep it where neither this machine nor a thief of it can lose it")
        show_checked(found)


@identity.command("check")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@PASSPHRASE_FILE
@click.pass_obj
def check_file(session: Session, file: Path, passphrase_file: str | None) -> None:
    """Read a key file back and compare it with this node's identity; ends the reminders when it is good."""
    target = file.expanduser().absolute()
    found = check(session, target, passphrase_of(read_key_file(target), passphrase_file))
    if session.as_json:
        show_json(found)
    else:
        show_checked(found)


identity.add_command(devices)
identity.add_command(revoke)
identity.add_command(detach)
identity.add_command(attach)
identity.add_command(lock)
identity.add_command(unlock)


@identity.command("recover")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.argument("idurl", required=False)
@PASSPHRASE_FILE
@click.option("--start-over", is_flag=True, help="Wait no longer for what has not come back; see below.")
@click.option("--revoke-other-devices", is_flag=True, help="A device was stolen: nobody is to take its word any more.")
@click.pass_obj
def recover(
    session: Session,
    file: Path | None,
    idurl: str | None,
    passphrase_file: str | None,
    start_over: bool,
    revoke_other_devices: bool,
) -> None:
    """Recover your identity: FILE is a key file, IDURL where your identity is if the file does not name it.

    Your suppliers are found again, and with them your files. Until the node is sure that it knows the newest state it
    reads and writes nothing; it hires nobody new in place of the suppliers that you had. With --start-over, also later
    and without a FILE, you say that you wait no longer: it goes on with what it knows, and begins anew where it knows
    nothing. What was stored at suppliers that it does not know may be lost by that; if the former key ring turns up
    all the same, files of before come back beside the new ones, and bitdust doctor says how many.

    Where another device of yours was stolen, say --revoke-other-devices: from now on this one alone speaks for you,
    and what the others stored until now comes back all the same.
    """
    if file is None:
        if not start_over:
            raise click.UsageError("give the key file: bitdust identity recover FILE")
        _show(session, session.call("identity_recover", start_over=True))
        return
    if not session.as_json:
        click.echo("searching for your identity wherever it may be known", err=True)
    source = read_key_file(file)
    word = passphrase_of(source, passphrase_file)
    arguments: dict[str, object] = {"passphrase": word} if word else {}
    if idurl:
        arguments["known_idurl"] = idurl
    if start_over:
        arguments["start_over"] = True
    if revoke_other_devices:
        arguments["revoke_other_devices"] = True
    _show(session, session.call("identity_recover", private_key_source=source, join_network=True, **arguments))
    if not session.as_json:
        click.echo(SETTINGS, err=True)
    if not session.as_json and not revoke_other_devices:
        click.echo(OTHERS, err=True)


@identity.command("erase")
@click.option("--private-key", is_flag=True, help="Remove the keys and the catalog too, for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def erase(session: Session, private_key: bool, yes: bool) -> None:
    """Give up this node's identity. Its keys and catalog are put aside, unless --private-key."""
    name = session.call("identity_get")["global_id"]
    loss = ", with its keys: without a backup of your key file all is lost" if private_key else ""
    sure(yes, f"Erase {name} from this node{loss}?")
    envelope = session.client.envelope("identity_erase", erase_private_key=private_key)
    if session.as_json:
        show_json(envelope["result"])
        return
    click.echo(sentences(envelope["message"]))
    for sentence in envelope["result"]["elsewhere"]:
        click.echo(f"  {sentences(sentence)}")


@identity.command("list")
@click.pass_obj
def known(session: Session) -> None:
    """The identities that this node knows."""
    rows = session.call("identity_cache_list") or []
    if session.as_json:
        show_json(rows)
    else:
        show_table(rows, ["name", "global_id", "revision", "idurl"], "no other identity is known yet")


@identity.command("server")
@click.argument("action", type=click.Choice(["start", "stop"]), required=False)
@click.pass_obj
def server(session: Session, action: str | None) -> None:
    """The ID server of this node: its state, or start or stop it."""
    if action is None:
        row = session.call("service_info", service_name="identity_server")
        session.say(f"the ID server is {row['state']}", state=row["state"])
        return
    found = session.client.envelope(f"service_{action}", service_name="identity_server")
    session.say(found.get("message", "done"))


@click.command()
@click.pass_obj
def global_id(session: Session) -> None:
    """Print your global id."""
    _one(session, "global_id")


@click.command()
@click.pass_obj
def idurl(session: Session) -> None:
    """Print where your identity document is."""
    _one(session, "idurl")


def _one(session: Session, name: str) -> None:
    value = session.call("identity_get")[name]
    if session.as_json:
        show_json({name: value})
    else:
        click.echo(value)
