"""Services from the command line."""

from typing import Any

import click

from bitdust.cli.groups import Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import age, show_fields, show_json, show_table

Row = dict[str, Any]
ALIASES = {"on": "start", "off": "stop", "enable": "start", "disable": "stop", "ls": "list", "show": "info"}


@click.command()
@click.option("--flat", is_flag=True, help="In the order of their start, instead of a tree of what needs what.")
@click.option("--health", "with_health", is_flag=True, help="Run every health check; exit code 1 when one fails.")
@click.pass_obj
def services(session: Session, flat: bool = False, with_health: bool = False) -> None:
    """Every service, and why it is off when it is, under the one that it needs."""
    rows = session.call("services_list", with_health=with_health)
    if session.as_json:
        show_json(rows)
    else:
        shown = [row | {"service": short(row["name"])} for row in rows] if flat else in_tree(rows)
        for row in shown:
            row["since"] = age(row.get("since"))
            row["health"] = "healthy" if row.get("healthy") else row.get("health")
        columns = ["service", "state", "since", *(["health"] if with_health else []), "reason"]
        show_table(shown, columns, "there are no services")
    if with_health and any(is_ill(row) for row in rows):
        raise SystemExit(1)


def is_ill(row: Row) -> bool:
    """Enabled and not healthy; one that only waits for another, which is ill itself or was switched off, is not."""
    return bool(row["enabled"] and not row["healthy"] and row["state"] != "DEPENDS_OFF")


def short(name: str) -> str:
    """``supplier`` of ``service_supplier``."""
    return name.removeprefix("service_")


def in_tree(rows: list[Row]) -> list[Row]:
    """The rows in the order of a tree; ``service`` is the name with its branches before it.

    A service stands under that one of its needs which is furthest from the ground; what else it needs is in brackets.
    """
    by_name = {row["name"]: row for row in rows}

    def above(row: Row) -> str | None:
        known = [name for name in row["depends"] if name in by_name]
        return max(known, key=lambda name: (by_name[name]["root_distance"], name), default=None)

    parents = {row["name"]: above(row) for row in rows}

    def branch(parent: str | None, indent: str) -> list[Row]:
        children = [row for row in rows if parents[row["name"]] == parent]
        found: list[Row] = []
        for row in children:
            last = row is children[-1]
            also = [short(name) for name in row["depends"] if name != parent]
            name = short(row["name"]) + (f" [{', '.join(also)}]" if also else "")
            joint, below = ("", "") if parent is None else ("└─ ", "   ") if last else ("├─ ", "│  ")
            found += [row | {"service": indent + joint + name}, *branch(row["name"], indent + below)]
        return found

    return branch(None, "")


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
    """All services as a tree of what needs what."""
    ctx.invoke(services)


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
    session.say(envelope.get("message") or _outcomes(envelope.get("result")) or "done")


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
    session.say(f"{name} is healthy", healthy=True)
