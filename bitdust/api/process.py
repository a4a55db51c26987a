"""The process itself: stop, restart, health, figures."""

import sys
from typing import Any

from bitdust.api import figures
from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.table import Param, Route, method
from bitdust.checkup.finding import worst
from bitdust.checkup.running import look_at
from bitdust.wire.errors import BitDustError


@method(
    Route("GET", "/process/stop/v1", ("/p/st",)),
    params=(Param("instant", Kind.FLAG, True, help="answer at once instead of after the services have stopped"),),
)
async def process_stop(context: Context, instant: bool) -> Envelope:
    """Stop the process. The connection may close before the answer arrives."""
    stopping = context.stop(False)
    if not instant:
        await stopping
    return ok()


@method(Route("GET", "/process/restart/v1", ("/p/rst",)), returns="{restarted: true}")
def process_restart(context: Context) -> Envelope:
    """Stop the process and start it again with the same home folder."""
    context.stop(True)
    return ok({"restarted": True})


@method(
    Route("GET", "/process/health/v1", ("/p/h",)),
    returns="{identity: ready, none or locked; backup_checked: seconds since 1970 or null}",
    errors=("unhealthy",),
)
def process_health(context: Context) -> Envelope:
    """Answers OK while the node works: for health checks. A node whose keys are locked is well, it waits: a restart
    would not help it, so ``identity`` says so and it is no error."""
    context.health()
    return ok(_standing(context))


def _standing(context: Context) -> dict[str, Any]:
    me = context.me
    if me.present:
        return {"identity": "ready", "backup_checked": me.backup_checked}
    return {"identity": "locked" if me.locked_key else "none", "backup_checked": None}


@method(
    Route("GET", "/process/info/v1", ("/p/i",)),
    returns="{version, health, config, identity, contact, service, key, file, dht, network, stream, share, group, "
    "automats, event}",
)
async def process_info(context: Context) -> Envelope:
    """Figures of the whole process, for monitoring. Those of a service that is not ON are left out."""
    await context.storage.count()
    return ok(figures.process(context))


@method(
    Route("GET", "/process/checkup/v1", ("/p/c",)),
    returns="{verdict: ok, warn or bad; findings: [{check, verdict, found, hint}]}",
)
async def process_checkup(context: Context) -> Envelope:
    """Look at everything that can go wrong: ports, clock, disk, who may read the keys, whether peers come through, ID
    servers, DHT, suppliers, copies of the key, backups, services, libraries. Takes ten seconds at most. Each finding
    that is not ``ok`` says what to do."""
    findings = await look_at(context)
    return ok({"verdict": worst(findings), "findings": [finding.as_dict() for finding in findings]})


@method(Route("GET", "/process/debug/v1", ("/p/d",)), errors=("no-terminal",))
def process_debug(context: Context) -> Envelope:
    """Stop the world and open the Python debugger on the terminal of a node that runs in the foreground. The node
    answers nothing until the debugger is left with ``c``."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise BitDustError("no-terminal", "the node has no terminal; stop it and start it with: bitdust start")
    from pdb import Pdb  # noqa: PLC0415 - nobody else needs a debugger loaded

    Pdb(nosigint=True).set_trace()
    return ok()
