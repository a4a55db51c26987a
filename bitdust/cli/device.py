"""Apps on phones and in browsers, from the command line."""

import time
from pathlib import Path
from typing import Any

import click

from bitdust.cli import asking
from bitdust.cli.groups import LIST_WORDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table

WORDS = LIST_WORDS | {
    "print": "info", "get": "info", "show": "info", "create": "add", "new": "add", "rm": "remove", "delete": "remove",
    "enable": "start", "on": "start", "open": "start", "disable": "stop", "off": "stop", "close": "stop",
    "pair": "authorize", "auth": "authorize", "attach": "authorize", "access-key": "generate-client-code",
    "key": "generate-client-code", "drop": "reset", "revoke": "reset",
}  # fmt: skip
PAUSE = 0.5
COLUMNS = ["name", "active", "authorized", "state", "connections", "url", "problem"]


@click.group(cls=Aliased, aliases=WORDS, default="list")
def device() -> None:
    """Apps that you let in: list, info, add, authorize, start, stop, reset, remove, router.

    The devices of your identity are others: bitdust identity devices.
    """


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    instance = row.get("instance") or {}
    return {
        **row,
        "active": "yes" if row["active"] else "",
        "authorized": "yes" if row.get("authorized") else "",
        "state": instance.get("state", ""),
        "connections": instance.get("connections", ""),
        "url": ", ".join(instance.get("connected_routers") or []) or row.get("url") or "",
    }


def _show(session: Session, row: dict[str, Any]) -> None:
    if session.as_json:
        show_json(row)
    else:
        show_table([_shown(row)], COLUMNS, "")


@device.command("list")
@click.pass_obj
def list_devices(session: Session) -> None:
    """All of them, and who is connected."""
    rows = session.call("devices_list", sort=True) or []
    if session.as_json:
        show_json(rows)
    else:
        show_table([_shown(row) for row in rows], COLUMNS, "no app was let in yet; bitdust device add direct NAME")


@device.command("info")
@click.argument("name")
@click.pass_obj
def info(session: Session, name: str) -> None:
    """One of them: where it connects, and whether it was let in."""
    _show(session, session.call("device_info", name=name))


@device.command("add")
@click.argument("kind", type=click.Choice(["direct", "routed"]))
@click.argument("name")
@click.argument("host", required=False)
@click.argument("port", required=False, type=int)
@click.pass_obj
def add(session: Session, kind: str, name: str, host: str | None, port: int | None) -> None:
    """Be ready to let an app in: a direct one is on this machine, a routed one comes through routers.

    Then: bitdust device authorize NAME.
    """
    given: dict[str, Any] = {"name": name, "routed": kind == "routed", "wait_listening": kind == "routed"}
    if host is not None:
        given["web_socket_host"] = host
    if port is not None:
        given["web_socket_port"] = port
    _show(session, session.call("device_add", **given))


@device.command("start")
@click.argument("name")
@click.pass_obj
def start(session: Session, name: str) -> None:
    """Let it come again."""
    _show(session, session.call("device_start", name=name, wait_listening=True))


@device.command("stop")
@click.argument("name")
@click.option("--for-now", is_flag=True, help="It may come again when the node starts again.")
@click.pass_obj
def stop(session: Session, name: str, for_now: bool) -> None:
    """Shut it out: its connections end at once."""
    _show(session, session.call("device_stop", name=name, deactivate=not for_now))


@device.command("remove")
@click.argument("name")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Shut it out for good, and forget it."""
    session.say(session.envelope("device_remove", name=name)["message"])


@device.command("reset")
@click.argument("name")
@click.pass_obj
def reset(session: Session, name: str) -> None:
    """Shut out whoever was let in; another app may be let in then."""
    _show(session, session.call("device_authorization_reset", name=name))


@device.command("authorize")
@click.argument("name")
@click.argument("code", required=False)
@click.argument("public_key", required=False)
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to wait for the app.")
@click.pass_obj
def authorize(session: Session, name: str, code: str | None, public_key: str | None, timeout: float) -> None:
    """Let an app in: type the code of this screen at the app, and the code of the app here.

    With CODE and PUBLIC_KEY, which the app shows, there is nothing to compare: what is printed goes to the app.
    """
    if code is not None and public_key is not None:
        given = {"name": name, "client_code": code, "client_public_key": public_key}
        show_json(session.call("device_authorization_request", **given)["authorization"])
        return
    if code is None and not asking.somebody_is_there():
        text = "nobody can be asked here for the code that the app will show; bitdust api takes it:"
        raise click.UsageError(f"{text} device_authorization_client_code name={name} client_code=CODE")
    row = session.call("device_start", name=name, wait_listening=True)
    if (row["instance"] or {}).get("state") == "READY":
        raise click.UsageError(f"{name} is let in already; first: bitdust device reset {name}")
    click.echo(f"connect the app to {_shown(row)['url'] or 'this node'}", err=True)
    row = _wait(session, name, ("SERVER_CODE?", "CLIENT_CODE?"), timeout)
    click.echo(f"type at the app: {row['instance']['server_code']}", err=True)
    _wait(session, name, ("CLIENT_CODE?",), timeout)
    typed = code or asking.ask("CODE", "the code that the app shows", str)
    session.say(session.envelope("device_authorization_client_code", name=name, client_code=typed)["message"])


def _wait(session: Session, name: str, states: tuple[str, ...], timeout: float) -> dict[str, Any]:
    left = timeout
    while True:
        row: dict[str, Any] = session.call("device_info", name=name)
        state = (row["instance"] or {}).get("state", "CLOSED")
        if state in states:
            return row
        if state == "CLOSED" or left <= 0:
            raise click.ClickException(row.get("problem") or f"{name} was not let in; its state is {state}")
        time.sleep(PAUSE)
        left -= PAUSE


@device.command("generate-client-code")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def generate(session: Session, name: str, file: Path | None) -> None:
    """Make the key of an app here, for apps that are given everything at once: URL&SERVER KEY&CODE&KEY of the app.

    Whoever has it is let in: show it to the app alone. With FILE it is written there, for you alone to read.
    """
    row = session.call("device_authorization_generate", name=name, wait_listening=True)
    made = row["authorization"]
    url = (row["instance"] or {}).get("connected_routers") or [row["url"]]
    text = "&".join((url[0] or "", made["server_public_key"], made["client_code"], made["client_key"]))
    if file is None:
        session.say(text)
        return
    from bitdust.crypt.files import write_safely

    write_safely(file.expanduser().absolute(), text.encode() + b"\n", 0o600)
    click.echo(f"written to {file}; delete it when the app has it", err=True)


@device.command("router")
@click.pass_obj
def router(session: Session) -> None:
    """Whom this node carries as a router, and how much."""
    told = session.call("device_router_info")
    if session.as_json:
        show_json(told)
    else:
        columns = ["route_id", "node_url", "node_connected", "client_connected", "node_bytes", "client_bytes"]
        show_table(told["routes"], columns, "nobody is carried now")
