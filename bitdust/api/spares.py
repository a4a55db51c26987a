"""Healing while the owner is away: who may stand in for a supplier, and who does."""

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.jobs import addressed
from bitdust.api.table import Param, Route, method

PLACE = "{position, idurl, global_id, fingerprint, instead_of, since, state}"
POSITION = Param(
    "position", Kind.INTEGER, low=0, high=63, help="the place, from 0, as suppliers_spares shows it", example=2
)


@method(
    Route("GET", "/supplier/spares/v1"),
    service="customer",
    returns=f"{{after_days, spares: [global_id], ends, problem, places: [{PLACE}]}}",
)
def suppliers_spares(context: Context) -> Envelope:
    """Who may stand in for a supplier that is gone for after_days while I am away as long (spares), and where one does
    (places): my other suppliers have agreed on it, and it has made the pieces of the place. When I am back, a spare is
    confirmed by itself if the supplier is still gone, and dismissed if it is there. problem says why nobody would stand
    in; it is empty where all is well, or where after_days is 0."""
    status = context.spares.status()
    count = len(status["places"])
    text = f"spares stand in at {count} places" if count else "no spare stands in"
    return ok(status, message=f"{text}; {status['problem']}" if status["problem"] else text)


@method(
    Route("POST", "/supplier/spare/confirm/v1"),
    params=(POSITION,),
    service="employer",
    returns=PLACE,
    errors=("not-found", "recovering"),
    becomes=[("spare_decision", "confirm")],
)
def supplier_spare_confirm(context: Context, position: int) -> Envelope:
    """Give a place to the spare that stands in there. Who had the place before keeps its pieces until all of them are
    at the new supplier."""
    entry = context.spares.decide(position, True)
    text = f"{entry['global_id']} gets the place of {entry['instead_of']}"
    return ok(entry, message=text, automat=addressed(context, "spare_decision"))


@method(
    Route("POST", "/supplier/spare/dismiss/v1"),
    params=(POSITION,),
    service="employer",
    returns=PLACE,
    errors=("not-found", "recovering"),
    becomes=[("spare_decision", "dismiss")],
)
def supplier_spare_dismiss(context: Context, position: int) -> Envelope:
    """Send away the spare that stands in at a place: it gets my signed word and erases what it has made."""
    entry = context.spares.decide(position, False)
    text = f"{entry['global_id']} is dismissed; {entry['instead_of']} keeps the place"
    return ok(entry, message=text, automat=addressed(context, "spare_decision"))
