"""The network from the command line."""

import json
from pathlib import Path
from typing import Any

import click

from bitdust.cli.client import ApiError
from bitdust.cli.groups import Aliased
from bitdust.cli.lock import running_pid
from bitdust.cli.main import Session
from bitdust.cli.output import show_fields, show_json, show_table
from bitdust.config.networks import Networks
from bitdust.config.types import SettingError


@click.group(
    cls=Aliased,
    aliases={"info": "status", "setup": "create", "switch": "select", "ls": "list", "configuration": "config"},
    default="status",
)
def network() -> None:
    """Network: status, connected, reconnect; and networks: list, create, select, config."""


@network.command("status")
@click.pass_obj
def status(session: Session) -> None:
    """How this node is connected."""
    result = session.call("network_status", suppliers=True, customers=True, dht=True, tcp=True)
    if session.as_json:
        show_json(result)
    else:
        show_fields(_summary(result))


def _summary(found: dict[str, Any]) -> dict[str, Any]:
    """What a person reads; ``--json`` has all of it."""
    suppliers, customers, tcp, dht = (found.get(name) or {} for name in ("suppliers", "customers", "tcp", "dht"))
    sessions = len(tcp.get("sessions") or ())
    contacts = [len(layer.get("contacts") or ()) for layer in dht.get("layers") or ()]
    return {
        "you": found.get("global_id"),
        "published at": found.get("identity_sources"),
        "reachable at": found.get("identity_contacts"),
        "state": str(found.get("p2p_connector_state") or "off").lower().replace("_", " "),
        "suppliers": f"{suppliers.get('connected', 0)} of {suppliers.get('desired', 0)} are connected",
        "customers": f"{customers.get('connected', 0)} of {customers.get('total', 0)} are connected",
        "sessions": f"{sessions}, at port {tcp.get('port')}" if tcp.get("port") else sessions,
        "DHT": f"{max(contacts)} nodes are known" if contacts else "off",
    }


@network.command("connected")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait.")
@click.pass_obj
def connected(session: Session, timeout: float) -> None:
    """Whether this node is on the network; exit code 1 when it is not."""
    session.call("network_connected", wait_timeout=timeout)
    session.say("connected", connected=True)


@network.command("reconnect")
@click.pass_obj
def reconnect(session: Session) -> None:
    """Close all sessions and build them up again."""
    session.say(session.client.envelope("network_reconnect").get("message", "done"))


@network.command("config")
@click.pass_obj
def config(session: Session) -> None:
    """Which network this node is on, with its constants and first hosts."""
    result = session.call("network_configuration")
    if session.as_json:
        show_json(result)
    else:
        show_fields(result)


@network.command("list")
@click.pass_obj
def networks(session: Session) -> None:
    """The networks that are known here; an asterisk marks the one in use."""
    known = Networks(session.base)
    names = known.names()
    if session.as_json:
        show_json({"current": known.current, "networks": names})
        return
    for name in names:
        click.echo(f"{'*' if name == known.current else ' '} {name}  {known.definition(name).label}".rstrip())


@network.command("create")
@click.argument("url")
@click.pass_obj
def create(session: Session, url: str) -> None:
    """Learn a network from its definition, at a URL or in a file, and go there."""
    if not url.startswith(("http://", "https://")):
        url = str(Path(url).expanduser().absolute())
    if running_pid(session.home) is not None:
        session.say(session.client.envelope("network_create", url=url)["message"])
        return
    if "://" in url:
        raise ApiError("not-running", "start BitDust first, so that it can read that page: bitdust daemon")
    try:
        _select(session, Networks(session.base).create(Path(url).read_bytes()).name)
    except OSError as error:
        raise ApiError("not-found", f"{url} cannot be read: {error.strerror}") from None
    except SettingError as error:
        raise ApiError(error.code, str(error)) from None


@network.command("select")
@click.argument("name")
@click.pass_obj
def select(session: Session, name: str) -> None:
    """Go to another network; `default` is the first one."""
    if running_pid(session.home) is not None:
        session.say(session.client.envelope("network_select", name=name)["message"])
        return
    try:
        _select(session, name)
    except SettingError as error:
        raise ApiError(error.code, str(error)) from None


def _select(session: Session, name: str) -> None:
    Networks(session.base).select(name)
    session.say(f"the next start is on the network {name}")


@click.command()
@click.argument("user")
@click.option("--timeout", default=15.0, show_default=True, help="Seconds to wait.")
@click.pass_obj
def ping(session: Session, user: str, timeout: float) -> None:
    """Ask USER (global id or identity URL) for a sign of life."""
    envelope = session.client.envelope("user_ping", user_id=user, timeout=timeout)
    session.say(envelope.get("message", "alive"), **envelope.get("result", {}))


@click.group(cls=Aliased, aliases={"read": "get", "write": "set"})
def dht() -> None:
    """The DHT: find, get, set, dump."""


@dht.command("find")
@click.argument("node_id", required=False)
@click.option("--layer", default=0, show_default=True)
@click.pass_obj
def find(session: Session, node_id: str | None, layer: int) -> None:
    """The nodes that are closest to NODE_ID (40 hex digits), or to a random one."""
    _show(session, session.call("dht_node_find", layer_id=layer, **({"node_id_64": node_id} if node_id else {})))


@dht.command("get")
@click.argument("name")
@click.pass_obj
def get(session: Session, name: str) -> None:
    """Read the value of NAME."""
    _show(session, session.call("dht_value_get", key=name))


@dht.command("set")
@click.argument("name")
@click.argument("value")
@click.pass_obj
def put(session: Session, name: str, value: str) -> None:
    """Write VALUE (JSON, or any text) under NAME, for a day at most."""
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    _show(session, session.call("dht_value_set", key=name, value=parsed))


@dht.command("dump")
@click.pass_obj
def dump(session: Session) -> None:
    """What this node keeps for the DHT."""
    rows = session.call("dht_local_db_dump") or []
    if session.as_json:
        show_json(rows)
    else:
        show_table(
            rows, ["type", "subject", "layer_id", "revision", "expires", "size", "mine"], "this node keeps no records"
        )


def _show(session: Session, result: Any) -> None:
    if session.as_json:
        show_json(result)
    else:
        show_fields(result)


def _list(session: Session, method: str, columns: list[str], empty: str) -> None:
    rows = session.call(method) or []
    if session.as_json:
        show_json(rows)
    else:
        show_table(rows, columns, empty)


@click.command()
@click.pass_obj
def packets(session: Session) -> None:
    """Packets on their way, in and out."""
    _list(session, "packets_list", ["direction", "command", "packet_id", "target", "label"], "no packets at the moment")


@click.command()
@click.pass_obj
def transfers(session: Session) -> None:
    """Pieces on their way to and from suppliers."""
    rows = session.call("transfers_list") or []
    if session.as_json:
        show_json(rows)
        return
    flat = [
        {"supplier": row.get("global_id"), "direction": way, **piece}
        for row in rows
        for way in ("outgoing", "incoming")
        for piece in row.get(way, ())
    ]
    show_table(flat, ["supplier", "direction", "packet_id", "remote_path"], "no pieces at the moment")


@click.command()
@click.pass_obj
def connections(session: Session) -> None:
    """Open sessions with other nodes."""
    columns = ["state", "proto", "host", "global_id", "bytes_sent", "bytes_received"]
    _list(session, "connections_list", columns, "no sessions at the moment")
