"""Suppliers, customers and space from the command line."""

from collections.abc import Sequence
from typing import Any

import click

from bitdust.cli.asking import sure
from bitdust.cli.groups import LIST_WORDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import day, sentences, show_json, show_table, size

SPACE_FIELDS = (
    ("given to others", "space_donated", ("donated", "consumed", "used", "free", "real")),
    ("kept by others", "space_consumed", ("needed", "used", "available", "needed_per_supplier", "used_per_supplier")),
    ("on this disk", "space_local", ("backups", "customers", "temp", "databases", "total", "diskfree", "disktotal")),
)


def _list(session: Session, method: str, columns: Sequence[str], empty: str, **arguments: Any) -> None:
    rows = session.call(method, **arguments) or []
    if session.as_json:
        show_json(rows)
    else:
        show_table(rows, columns, empty)


SUPPLIER_WORDS = LIST_WORDS | {"fire": "replace", "change": "replace", "hire": "replace", "leave": "end"}


@click.group(cls=Aliased, aliases=SUPPLIER_WORDS, default="list")
def supplier() -> None:
    """Who keeps your pieces: list, ping, replace, end; retire from being one yourself."""


@supplier.command("list")
@click.option("--customer", default=None, help="Of another customer: global id or identity URL.")
@click.pass_obj
def list_suppliers(session: Session, customer: str | None = None) -> None:
    """Your suppliers, by position."""
    arguments = {"customer_id": customer} if customer else {}
    optional = ("problems", "replaces", "replacement", "notice")
    columns = ["position", "global_id", "supplier_state", "contact_state", "audits", "address", *optional, "idurl"]
    answer = session.envelope("suppliers_list", **arguments)
    rows = answer.get("result") or []
    if session.as_json:
        show_json(rows)
        return
    shown = [
        {
            **row,
            "notice": _in_words(row.get("notice")),
            "audits": _audits_in_words(row.get("audit")),
            "problems": _problems_in_words(row),
        }
        for row in rows
    ]
    hidden = {name for name in optional if not any(row.get(name) for row in shown)}
    columns = [column for column in columns if column not in hidden]
    show_table(shown, columns, "you have no suppliers yet; bitdust services says why")
    for note in (answer.get("waits_for"), answer.get("healing")):
        if note:
            click.echo(f"note: {note}", err=True)


def _audits_in_words(audit: dict[str, Any] | None) -> str:
    """``proven``, ``failed 2 times in a row``, ``not yet`` for one that is too new."""
    if audit is not None and audit["standing"] == "proven" and not audit.get("passed", 1):
        return "not yet"
    if audit is None or audit["standing"] != "failed":
        return audit["standing"] if audit is not None else ""
    times = audit["failed_in_a_row"]
    return "failed" if times == 1 else f"failed {times} times in a row"


def _problems_in_words(row: dict[str, Any]) -> str:
    """``is away since 2026-11-21``, ``is full: no space left; has not your newest key ring``."""
    texts = [problem["text"] for problem in row.get("problems") or ()]
    if texts and row["problems"][0]["code"] == "away" and row.get("since"):
        texts[0] += f" since {day(row['since'])}"
    return "; ".join(texts)


def _in_words(notice: dict[str, Any] | None) -> str:
    if notice is None:
        return ""
    return _WHY.get(notice["why"]) or f"leaves by {day(notice['until'])}"


_WHY = {
    "asked": "to be replaced",
    "away": "away for too long, to be replaced",
    "audits": "failed its audits, to be replaced",
    "refuses": "does not take what belongs to its place, to be replaced",
}


@supplier.command("replace")
@click.argument("which", metavar="POSITION|ID")
@click.argument("by", metavar="[NEW]", required=False)
@click.pass_obj
def replace_supplier(session: Session, which: str, by: str | None) -> None:
    """Replace a supplier, by NEW or by anybody; it keeps your pieces until they have moved."""
    arguments = {"new_supplier_id": by} if by else {}
    found = session.envelope("supplier_change", supplier_id=which, **arguments)
    session.say(found.get("message", "done"))


@supplier.command("spares")
@click.pass_obj
def show_spares(session: Session) -> None:
    """Who may stand in for a supplier that is lost while you are away, and who does."""
    found = session.envelope("suppliers_spares")
    if session.as_json:
        show_json(found["result"])
        return
    click.echo(sentences(found.get("message", "")))
    status = found["result"]
    if status["spares"]:
        click.echo(f"{status['after_days']} days after both were here last: {', '.join(status['spares'])}")
    if status["places"]:
        rows = [{**row, "since": day(row["since"])} for row in status["places"]]
        show_table(rows, ["position", "global_id", "instead_of", "since", "state"], "")


@supplier.command("confirm")
@click.argument("position", type=int)
@click.pass_obj
def confirm_spare(session: Session, position: int) -> None:
    """Give a place to the spare that stands in there."""
    session.say(session.envelope("supplier_spare_confirm", position=position).get("message", "done"))


@supplier.command("dismiss")
@click.argument("position", type=int)
@click.pass_obj
def dismiss_spare(session: Session, position: int) -> None:
    """Send away the spare that stands in at a place; it erases what it has made."""
    session.say(session.envelope("supplier_spare_dismiss", position=position).get("message", "done"))


@supplier.command("ping")
@click.pass_obj
def ping_suppliers(session: Session) -> None:
    """Ask every supplier for a sign of life."""
    session.say(session.envelope("suppliers_ping").get("message", "done"))


@supplier.command("audit")
@click.pass_obj
def audit_suppliers(session: Session) -> None:
    """Have every supplier that is there prove some of its pieces now; `supplier list` shows what comes of it."""
    session.say(session.envelope("suppliers_audit").get("message", "done"))


@supplier.command("end")
@click.argument("which", metavar="POSITION|ID", required=False)
@click.option("--all", "everybody", is_flag=True, help="All of them: stop being a customer.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--yes-lose-data", is_flag=True, help="Even while files of yours are stored there.")
@click.pass_obj
def end_contracts(session: Session, which: str | None, everybody: bool, yes: bool, yes_lose_data: bool) -> None:
    """End the contract with a supplier, or with all; it erases what it keeps of yours.

    To keep your files, use "bitdust supplier replace", which moves them first.
    """
    if (which is None) is not everybody:
        raise click.UsageError("name one supplier, or say --all")
    lost = "all your stored files are lost" if everybody else "its pieces must be rebuilt from the others"
    what = "all contracts" if everybody else f"the contract with {which}"
    sure(yes or yes_lose_data, f"End {what}? Where files are stored, {lost}.")
    arguments: dict[str, Any] = {} if which is None else {"supplier_id": which}
    found = session.envelope("contracts_end", lose_data=yes_lose_data, **arguments)
    session.say(found.get("message", "done"))


@supplier.command("retire")
@click.option("--days", type=float, default=14, show_default=True, help="Time that customers have to move.")
@click.option("--cancel", is_flag=True, help="Stay a supplier after all.")
@click.option("--status", is_flag=True, help="Who still has data here, and until when.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def retire(session: Session, days: float, cancel: bool, status: bool, yes: bool) -> None:
    """Stop storing pieces for others: customers are notified and get time to move, then the service stops."""
    if cancel and status:
        raise click.UsageError("--cancel and --status exclude each other")
    if cancel:
        found = session.envelope("supplier_retire_cancel")
    elif status:
        found = session.envelope("supplier_retire_status")
    else:
        sure(yes, f"Give notice to all customers, who then have {days:g} days to move?")
        found = session.envelope("supplier_retire", grace_days=days)
    if session.as_json:
        show_json(found["result"])
        return
    click.echo(sentences(found.get("message", "done")))
    result = found["result"]
    if result["until"]:
        click.echo(f"customers have time until {day(result['until'])}")
    rows = [
        {**row, "used": size(row["used"]), "keeps_until": day(row["keeps_until"])} for row in result["customers"] or ()
    ]
    if rows:
        show_table(rows, ["global_id", "used", "told", "keeps_until"], "")


@click.group(cls=Aliased, aliases=LIST_WORDS | {"remove": "reject", "rm": "reject"}, default="list")
def customer() -> None:
    """Whose pieces you keep: list, ping, reject."""


@customer.command("list")
@click.pass_obj
def list_customers(session: Session) -> None:
    """Your customers: what each uses of its quota, and how its contract stands."""
    rows = session.call("customers_list", verbose=True) or []
    if session.as_json:
        show_json(rows)
        return
    sizes = [{**row, **{name: size(row[name]) for name in ("used", "quota", "unfilled")}} for row in rows]
    columns = ["customer", "contact_state", "customer_state", "used", "quota", "unfilled", "pieces", "idurl"]
    show_table([{"customer": _called(row), **row} for row in sizes], columns, "you have no customers yet")


def _called(row: dict[str, Any]) -> str:
    """Anybody may call himself anything: a name that was not proven comes behind the fingerprint."""
    if row["name_proven"]:
        return str(row["global_id"])
    return f"{row['fingerprint'][:16]} (unproven: {row['global_id']})"


@customer.command("reject")
@click.argument("customer_id", metavar="ID")
@click.option("--at-once", is_flag=True, help="Erase its pieces now: it may lose its data.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reject_customer(session: Session, customer_id: str, at_once: bool, yes: bool) -> None:
    """Take nothing more from a customer; its pieces stay for 90 days after it has heard."""
    how = "erase its pieces now, which it may have nowhere else" if at_once else "it has 90 days to move"
    sure(yes, f"Reject {customer_id}: {how}?")
    found = session.envelope("customer_reject", customer_id=customer_id, at_once=at_once)
    session.say(found.get("message", "done"))


@customer.command("ping")
@click.pass_obj
def ping_customers(session: Session) -> None:
    """Ask every customer for a sign of life."""
    session.say(session.envelope("customers_ping").get("message", "done"))


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
