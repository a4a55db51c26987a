"""Keys and names of IPNS, who this node is for clients of IPFS, and its settings by their names there."""

import json
from pathlib import Path
from typing import Any

import click

from bitdust.cli.client import ApiError
from bitdust.cli.groups import Aliased
from bitdust.cli.ipfs_rpc import Rpc, one_file
from bitdust.cli.main import Session
from bitdust.cli.output import show_fields, show_json, show_table
from bitdust.crypt.files import write_safely

PROTOBUF, PEM = "libp2p-protobuf-cleartext", "pem-pkcs8-cleartext"
NAME = click.argument("name")
IN_PEM = click.option("--pem", "form", flag_value=PEM, default=PROTOBUF, help="As PEM, and not as IPFS writes keys.")


def value(session: Session, command: str, options: dict[str, str], *arguments: str, **body: Any) -> Any:
    """What a command of the RPC answers."""
    return json.loads(Rpc(session).ask(command, options, *arguments, **body).read())


# keys


@click.group("key", cls=Aliased, aliases={"ls": "list", "generate": "gen", "remove": "rm"}, default="list")
def key() -> None:
    """Keys that names are made of: list, gen, rename, rm, export, import."""


@key.command("list")
@click.pass_obj
def list_keys(session: Session) -> None:
    """All of them; `self` is this device."""
    rows = [_key(row) for row in value(session, "key/list", {})["Keys"]]
    show_json(rows) if session.as_json else show_table(rows, ["name", "id"], "there are none")


def _key(row: dict[str, Any]) -> dict[str, Any]:
    return {"name": row["Name"], "id": row["Id"]}


def _show_key(session: Session, row: dict[str, Any]) -> None:
    show_json(_key(row)) if session.as_json else click.echo(row["Id"])


@key.command("gen")
@NAME
@click.option("--type", "kind", type=click.Choice(["ed25519", "rsa"]), default="ed25519", help="What kind of key.")
@click.option("--size", type=int, help="Bits of an RSA key.")
@click.pass_obj
def generate(session: Session, name: str, kind: str, size: int | None) -> None:
    """Make a key called NAME; prints the name of IPNS that it makes."""
    options = {"type": kind} | ({"size": str(size)} if size is not None else {})
    _show_key(session, value(session, "key/gen", options, name))


@key.command("rename")
@click.argument("old")
@click.argument("new")
@click.option("--force", is_flag=True, help="Lose another key that is called NEW.")
@click.pass_obj
def rename(session: Session, old: str, new: str, force: bool) -> None:
    """Call a key otherwise; the name of IPNS stays."""
    row = value(session, "key/rename", {"force": str(force)}, old, new)
    _show_key(session, {"Name": row["Now"], "Id": row["Id"]})


@key.command("rm")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def remove(session: Session, names: tuple[str, ...]) -> None:
    """Remove keys; what they have published is found until it ends, and can be changed by nobody without a copy."""
    rows = [_key(row) for row in value(session, "key/rm", {}, *names)["Keys"]]
    show_json(rows) if session.as_json else click.echo("\n".join(row["name"] for row in rows))


@key.command("export")
@NAME
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@IN_PEM
@click.pass_obj
def export(session: Session, name: str, file: Path, form: str) -> None:
    """Write the private key into FILE, which only you can read: whoever has it can publish under its name."""
    if file.exists():
        raise ApiError("exists", f"{file} exists; take another name")
    data = Rpc(session).ask("key/export", {"format": form}, name).read()
    try:
        write_safely(file, data)
    except OSError as error:
        raise ApiError("os-error", f"{file} cannot be written: {error.strerror or error}") from None
    show_json({"file": str(file)}) if session.as_json else click.echo(f"written to {file}")


@key.command("import")
@NAME
@click.argument("file", type=click.File("rb"))
@IN_PEM
@click.pass_obj
def bring(session: Session, name: str, file: Any, form: str) -> None:
    """Take the private key in FILE, and call it NAME."""
    _show_key(session, value(session, "key/import", {"format": form}, name, **one_file(iter([file.read()]))))


# names


@click.group("name", cls=Aliased, aliases={"show": "resolve"}, default="resolve")
def name() -> None:
    """Names that lead to content, and may lead to other content later: publish, resolve."""


@name.command("publish")
@click.argument("path")
@click.option("--key", "key_name", default="self", help="Whose name, by the name of the key.")
@click.option("--lifetime", help="For how long it is found after this node is gone, such as 24h.")
@click.option("--ttl", help="For how long others need not ask again, such as 1m.")
@click.option("--allow-offline", is_flag=True, help="While no other node is there, keep it until one comes.")
@click.option("--resolve/--no-resolve", "check", default=True, help="See first that the path leads somewhere.")
@click.pass_obj
def publish(session: Session, /, path: str, key_name: str, check: bool, **given: Any) -> None:
    """Make a name lead to PATH; prints the name."""
    options = {"key": key_name, "resolve": str(check), "allow-offline": str(given.pop("allow_offline"))}
    options |= {one: text for one, text in given.items() if text is not None}
    row = value(session, "name/publish", options, path)
    if session.as_json:
        show_json({"name": row["Name"], "path": row["Value"]})
        return
    click.echo(f"/ipns/{row['Name']} leads to {row['Value']}")


@name.command("resolve")
@click.argument("ipns_name", metavar="[NAME]", default="")
@click.option("--no-cache", is_flag=True, help="Ask others, whatever is known.")
@click.option("--one-step", is_flag=True, help="Follow no name that it leads to.")
@click.pass_obj
def resolve(session: Session, ipns_name: str, no_cache: bool, one_step: bool) -> None:
    """The path that NAME leads to: a name of IPNS, or of a host; without one, this node's own."""
    options = {"nocache": str(no_cache), "recursive": str(not one_step)}
    path = value(session, "name/resolve", options, *([ipns_name] if ipns_name else []))["Path"]
    show_json({"path": path}) if session.as_json else click.echo(path)


# the node


@click.command("id")
@click.argument("peer", default="")
@click.pass_obj
def identify(session: Session, peer: str) -> None:
    """Who this node is for clients of IPFS, or what is known of PEER."""
    row = value(session, "id", {}, *([peer] if peer else []))
    shown = {"id": row["ID"], "public_key": row["PublicKey"], "agent": row["AgentVersion"]}
    if session.as_json:
        show_json({**shown, "addresses": row["Addresses"]})
        return
    show_fields(shown)
    for address in row["Addresses"]:
        click.echo(address)


@click.command("config")
@click.argument("setting", default="")
@click.argument("new_value", metavar="[VALUE]", default=None, required=False)
@click.pass_obj
def config(session: Session, setting: str, new_value: str | None) -> None:
    """Settings by their names in IPFS: all of them, one, or one that gets another VALUE."""
    if not setting:
        show_json(value(session, "config/show", {}))
        return
    given = [setting] if new_value is None else [setting, new_value]
    found = value(session, "config", {}, *given)["Value"]
    if session.as_json or not isinstance(found, str):
        show_json(found)
        return
    click.echo(found)
