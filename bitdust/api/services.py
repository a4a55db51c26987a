"""Services: list, start, stop, health."""

from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, listed, ok
from bitdust.api.jobs import address
from bitdust.api.table import Param, Route, method

NAME = Param(
    "service_name", aliases=("name", "id"), help="supplier, service_supplier or service-supplier", example="supplier"
)
HEALTH_PATIENCE = 10.0
"""Seconds for one health check."""
ROW = "{index, id, name, state, reason, since, enabled, installed, config_path, depends, root_distance, duty}"


@method(
    Route("GET", "/service/list/v1", ("/svc/l",)),
    params=(
        Param("with_configs", Kind.FLAG, False, help="add the settings of each service"),
        Param("as_tree", Kind.FLAG, False, help="order by the distance from the ground"),
        Param("with_health", Kind.FLAG, False, help="run the health check of each one that is ON"),
    ),
    returns=f"[{ROW}], with 'healthy' and 'health' (what is wrong) if asked for",
)
async def services_list(context: Context, with_configs: bool, as_tree: bool, with_health: bool) -> Envelope:
    """All services, with their states and, where one is not ON, the reason."""
    services = context.driver.list()
    if as_tree:
        services.sort(key=lambda service: (service["root_distance"], service["name"]))
    if with_health:
        checked = await gatherResults([_health(context, service) for service in services])
        services = [service | health for service, health in zip(services, checked, strict=True)]
    return listed([_with_configs(context, service) if with_configs else service for service in services])


def _health(context: Context, service: dict[str, Any]) -> "Deferred[dict[str, Any]]":
    """All at once, each with a limit in time; never fails."""
    if service["state"] != "ON":
        return succeed({"healthy": False, "health": service["reason"] or f"it is {service['state']}"})
    checking = maybeDeferred(context.driver.health, service["name"])
    checking.addTimeout(HEALTH_PATIENCE, context.world.clock)
    return checking.addCallbacks(
        lambda _: {"healthy": True, "health": ""},
        lambda failure: {"healthy": False, "health": failure.getErrorMessage() or failure.type.__name__},
    )


def _with_configs(context: Context, service: dict[str, Any]) -> dict[str, Any]:
    settings = context.settings
    return service | {"configs": [settings.describe(key) for key in settings.below(service["config_path"])]}


@method(
    Route("GET", "/service/info/{service_name}/v1", ("/svc/i/{service_name}",)),
    params=(NAME,),
    returns=ROW,
    errors=("not-found",),
)
def service_info(context: Context, service_name: str) -> Envelope:
    """One service."""
    return ok(context.driver.info(service_name))


@method(
    Route("POST", "/service/start/{service_name}/v1", ("/svc/o/{service_name}",)),
    params=(NAME,),
    errors=("not-found", "not-started"),
    becomes=[("local_service", "start")],
)
async def service_start(context: Context, service_name: str) -> Envelope:
    """Enable a service and start it, with all it needs; answers when it works, or with the reason why it does not."""
    outcome = await context.driver.start(service_name)
    info = context.driver.info(service_name)
    if outcome == "started":
        return ok(message=f"{info['name']} is started", automat=address(info))
    text = f"{info['name']} was enabled and is {info['state']}: {info['reason']}"
    return failed("not-started", text, automat=address(info))


@method(
    Route("POST", "/service/stop/{service_name}/v1", ("/svc/c/{service_name}",)),
    params=(NAME,),
    errors=("not-found",),
    becomes=[("local_service", "stop")],
)
async def service_stop(context: Context, service_name: str) -> Envelope:
    """Disable a service and stop it, dependents first. Those stay enabled and start again when it does."""
    await context.driver.stop(service_name)
    info = context.driver.info(service_name)
    return ok(message=f"{info['name']} is stopped", automat=address(info))


@method(
    Route("POST", "/service/restart/{service_name}/v1", ("/svc/r/{service_name}",)),
    params=(NAME, Param("wait_timeout", Kind.NUMBER, 10.0, help="seconds", low=0, high=600)),
    returns="[{stop outcome: bool}, {start outcome: bool}]",
    errors=("not-found", "timeout"),
    becomes=[("local_service", "stop"), ("local_service", "start")],
)
async def service_restart(context: Context, service_name: str, wait_timeout: float) -> Envelope:
    """Stop and start a service and its dependents, leaving the settings as they are."""
    restarting = context.driver.restart(service_name)
    outcome = await restarting.addTimeout(wait_timeout, context.world.clock)
    return listed(outcome, automat=address(context.driver.info(service_name)))


@method(
    Route("GET", "/service/health/{service_name}/v1", ("/svc/h/{service_name}",)),
    params=(NAME,),
    returns="[true]",
    errors=("not-found", "unhealthy"),
)
async def service_health(context: Context, service_name: str) -> Envelope:
    """Run the health check of a service now."""
    return ok(await context.driver.health(service_name))
