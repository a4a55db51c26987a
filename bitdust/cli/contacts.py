"""Suppliers, customers and space from the command line."""

import time
from collections.abc import Sequence
from typing import Any

import click

from bitdust.cli.groups import LIST_WORDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table, size

SPACE_FIELDS = (
    ("given to others", "space_donated", ("donated", "consumed", "used", "free", "real")),
    ("kept by others", "space_consumed", ("needed", "used", "available", "needed_per_supplier", "used_per_supplier")),
    ("on this disk", "space_local", ("backups", "customers", "temp", "total", "diskfree", "disktotal")),
)


def _list(session: Session, method: str, columns: Sequence[str], empty: str, **arguments: Any) -> None:
    rows = session.call(method, **arguments) or []
    if session.as_json:
        show_json(rows)
    else:
        show_table(rows, columns, empty)


SUPPLIER_WORDS = LIST_WORDS | {"fire": "replace", "change": "replace", "hire": "replace"}


@click.group(cls=Aliased, aliases=SUPPLIER_WORDS, default="list")
def supplier() -> None:
    """Who keeps your pieces: list, ping, replace."""


@supplier.command("list")
@click.option("--customer", default=None, help="Of another customer: global id or identity URL.")
@click.pass_obj
def list_suppliers(session: Session, customer: str | None = None) -> None:
    """Your suppliers, by position."""
    arguments = {"customer_id": customer} if customer else {}
    columns = ["position", "global_id", "supplier_state", "contact_state", "replaces", "notice", "idurl"]
    rows = session.call("suppliers_list", **arguments) or []
    if session.as_json:
        show_json(rows)
        return
    shown = [{**row, "notice": _in_words(row.get("notice"))} for row in rows]
    hidden = {name for name in ("replaces", "notice") if not any(row.get(name) for row in shown)}
    columns = [column for column in columns if column not in hidden]
    show_table(shown, columns, "you have no suppliers yet; bitdust services tells why")


def _in_words(notice: dict[str, Any] | None) -> str:
    if notice is None:
        return ""
    if notice["why"] == "asked":
        return "to be replaced"
    return f"leaves by {time.strftime('%Y-%m-%d', time.localtime(notice['until']))}"


@supplier.command("replace")
@click.argument("which", metavar="POSITION|ID")
@click.argument("by", metavar="[NEW]", required=False)
@click.pass_obj
def replace_supplier(session: Session, which: str, by: str | None) -> None:
    """Replace a supplier, by NEW or by anybody; it keeps your pieces until they have moved."""
    arguments = {"new_supplier_id": by} if by else {}
    found = session.client.envelope("supplier_change", supplier_id=which, **arguments)
    click.echo(found.get("message", "done"))


@supplier.command("ping")
@click.pass_obj
def ping_suppliers(session: Session) -> None:
    """Ask every supplier for a sign of life."""
    click.echo(session.client.envelope("suppliers_ping").get("message", "done"))


@click.group(cls=Aliased, aliases=LIST_WORDS, default="list")
def customer() -> None:
    """Whose pieces you keep: list, ping."""


@customer.command("list")
@click.pass_obj
def list_customers(session: Session) -> None:
    """Your customers."""
    _list(session, "customers_list", ["position", "global_id", "contact_state", "idurl"], "you have no customers yet")


@customer.command("ping")
@click.pass_obj
def ping_customers(session: Session) -> None:
    """Ask every customer for a sign of life."""
    click.echo(session.client.envelope("customers_ping").get("message", "done"))


@click.command()
@click.pass_obj
def storage(session: Session) -> None:
    """Space that you give, that others keep for you, and that is used here."""
    found = {method: session.call(method) for _, method, _ in SPACE_FIELDS}
    if session.as_json:
        show_json(found)
        return
    for title, method, names in SPACE_FIELDS:
        click.echo(click.style(title, bold=True))
        for name in names:
            if name in found[method]:
                click.echo(f"  {name.replace('_', ' '):22} {size(found[method][name])}")
