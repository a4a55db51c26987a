"""Services and state machines from the command line."""

from typing import Any

import click

from bitdust.cli.groups import Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import age, show_fields, show_json, show_table

ALIASES = {"on": "start", "off": "stop", "enable": "start", "disable": "stop", "ls": "list", "show": "info"}


@click.command()
@click.option("--tree", is_flag=True, help="Order by the distance from the ground.")
@click.pass_obj
def services(session: Session, tree: bool = False) -> None:
    """Every service, and why it is off when it is."""
    rows = session.call("services_list", as_tree=tree)
    if session.as_json:
        show_json(rows)
        return
    for row in rows:
        row["service"] = "  " * row["root_distance"] * tree + row["name"].removeprefix("service_")
        row["since"] = age(row.get("since"))
    show_table(rows, ["service", "state", "since", "reason"], "there are no services")


class ServiceGroup(Aliased):
    """`service NAME` shows one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A word that is no command is the name of a service."""
        if args and self.get_command(ctx, args[0]) is None:
            return "info", self.commands["info"], args
        return super().resolve_command(ctx, args)


@click.group(cls=ServiceGroup, aliases=ALIASES, default="list")
def service() -> None:
    """One service: info, start, stop, restart, health; or just its NAME."""


service.add_command(services, "list")


@service.command("tree")
@click.pass_context
def tree(ctx: click.Context) -> None:
    """All services by the distance from the ground."""
    ctx.invoke(services, tree=True)


@service.command("info")
@click.argument("name")
@click.pass_obj
def info(session: Session, name: str) -> None:
    """What is known of a service."""
    row = session.call("service_info", service_name=name)
    if session.as_json:
        show_json(row)
    else:
        show_fields(row | {"since": age(row.get("since"))})


def _act(session: Session, method: str, name: str) -> None:
    envelope = session.client.envelope(method, service_name=name)
    click.echo(envelope.get("message") or _outcomes(envelope.get("result")) or "done")


def _outcomes(result: Any) -> str:
    return ", ".join(word for outcome in result or () if isinstance(outcome, dict) for word in outcome)


@service.command("start")
@click.argument("name")
@click.pass_obj
def start(session: Session, name: str) -> None:
    """Enable a service and start it."""
    _act(session, "service_start", name)


@service.command("stop")
@click.argument("name")
@click.pass_obj
def stop(session: Session, name: str) -> None:
    """Disable a service and stop it, with all that depends on it."""
    _act(session, "service_stop", name)


@service.command("restart")
@click.argument("name")
@click.pass_obj
def restart(session: Session, name: str) -> None:
    """Stop a service and start it again."""
    _act(session, "service_restart", name)


@service.command("health")
@click.argument("name")
@click.pass_obj
def health(session: Session, name: str) -> None:
    """Check a service now."""
    session.call("service_health", service_name=name)
    click.echo(f"{name} is healthy")


@click.group(cls=Aliased, aliases={"ls": "list", "show": "info"}, default="list")
def states() -> None:
    """State machines: list, info."""


@states.command("list")
@click.pass_obj
def list_states(session: Session) -> None:
    """Every state machine of the node."""
    rows = session.call("automats_list") or []
    if session.as_json:
        show_json(rows)
        return
    for row in rows:
        row["since"] = age(row.get("since"))
        row["timers"] = ", ".join(row.get("timers") or ()) or None
    show_table(rows, ["index", "id", "state", "since", "timers"], "there are no state machines")


@states.command("info")
@click.argument("which")
@click.pass_obj
def state_info(session: Session, which: str) -> None:
    """One state machine, by index or id, with its last moves."""
    arguments = {"index": int(which)} if which.isdigit() else {"automat_id": which}
    row = session.call("automat_info", **arguments)
    if session.as_json:
        show_json(row)
        return
    past = row.pop("past", [])
    show_fields(row | {"since": age(row.get("since"))})
    for move in past:
        click.echo(f"  {age(move['time']):>5} ago  {move['old']} -> {move['new']}  {move['event']}")
