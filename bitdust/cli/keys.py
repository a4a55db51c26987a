"""Keys from the command line."""

from pathlib import Path

import click

from bitdust.cli.asking import sure
from bitdust.cli.backup import write_key_file
from bitdust.cli.client import ApiError
from bitdust.cli.groups import LIST_WORDS, REMOVE_WORDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import show_fields, show_json, show_table

ALIASES = (
    LIST_WORDS
    | REMOVE_WORDS
    | {"new": "create", "gen": "create", "show": "get", "print": "get", "erase": "delete"}
    | {"copy": "backup", "send": "share", "verify": "audit"}
)


@click.group(cls=Aliased, aliases=ALIASES, default="list")
def key() -> None:
    """Keys: list, create, get, label, delete, share, audit."""


@key.command("list")
@click.pass_obj
def listing(session: Session) -> None:
    """All keys; master is your own."""
    rows = session.call("keys_list") or []
    if session.as_json:
        show_json(rows)
    else:
        show_table(rows, ["key_id", "label", "size", "active", "is_public"], "there are no keys yet")


@key.command("create")
@click.argument("alias")
@click.argument("size", type=int, required=False)
@click.option("--label", default="", help="What people see.")
@click.pass_obj
def create(session: Session, alias: str, size: int | None, label: str) -> None:
    """Make a key named ALIAS, for files that you may share one day."""
    _show(session, session.call("key_create", key_alias=alias, key_size=size, label=label))


@key.command("get")
@click.argument("key_id", default="master")
@click.option("--private-to", type=click.Path(path_type=Path, dir_okay=False), help="Write the private key to a file.")
@click.pass_obj
def get(session: Session, key_id: str, private_to: Path | None) -> None:
    """One key; its private part is only ever written to a file."""
    row = session.call("key_get", key_id=key_id, include_private=private_to is not None)
    if private_to is not None:
        _write_private(private_to, row.pop("private") or "")
    _show(session, row)


@key.command("backup")
@click.argument("key_id")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.pass_obj
def backup(session: Session, key_id: str, file: Path | None) -> None:
    """Write a key with its private part to a new FILE that only you can read (~/KEY_ID.key if none is named)."""
    row = session.call("key_get", key_id=key_id, include_private=True)
    target = (file or Path.home() / f"{row['key_id']}.key").expanduser().absolute()
    if not row.get("private"):
        raise ApiError("not-private", f"of {row['key_id']} only the public part is here")
    _write_private(target, row["private"])
    session.say(f"{row['key_id']} is written to {target}: whoever has the file has the key", local_path=str(target))


def _write_private(path: Path, text: str) -> None:
    if path.exists():
        raise ApiError("exists", f"{path} exists; take another name")
    write_key_file(path, text, overwrite=False)


@key.command("label")
@click.argument("key_id")
@click.argument("label")
@click.pass_obj
def label_key(session: Session, key_id: str, label: str) -> None:
    """Change the label of a key."""
    session.call("key_label", key_id=key_id, label=label)
    session.say(f"{key_id} is now labelled {label!r}")


@key.command("delete")
@click.argument("key_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(session: Session, key_id: str, yes: bool) -> None:
    """Forget a key. What is encrypted with it cannot be read any more."""
    sure(yes, f"Erase {key_id}? What is encrypted with it cannot be read any more")
    session.call("key_erase", key_id=key_id)
    session.say(f"{key_id} is erased")


@key.command("share")
@click.argument("key_id")
@click.argument("who", metavar="ID")
@click.option("--private", is_flag=True, help="The private part too: whoever has that has the key.")
@click.option("--label", is_flag=True, help="With its label.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def share(session: Session, key_id: str, who: str, private: bool, label: bool, yes: bool) -> None:
    """Give somebody the public part of a key."""
    if private and not yes:
        click.confirm(f"Give the private part of {key_id} to {who}? It cannot be taken back", abort=True, err=True)
    arguments = {"key_id": key_id, "trusted_user_id": who, "include_private": private, "include_label": label}
    session.say(session.envelope("key_share", **arguments).get("message", "done"))


@key.command("audit")
@click.argument("key_id")
@click.argument("who", metavar="ID")
@click.option("--private", is_flag=True, help="Whether the private part is there.")
@click.pass_obj
def audit(session: Session, key_id: str, who: str, private: bool) -> None:
    """Find out whether somebody really has a key."""
    found = session.envelope("key_audit", key_id=key_id, untrusted_user_id=who, is_private=private)
    session.say(found.get("message", "done"), has_key=bool(found["result"][0]))


def _show(session: Session, row: dict[str, object]) -> None:
    if session.as_json:
        show_json(row)
    else:
        show_fields(row, ("key_id", "alias", "creator", "label", "size", "active", "is_public"))
        click.echo(str(row.get("public", "")).rstrip())
