"""Devices: apps on phones and in browsers that you have let in, each with a key of its own."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.api.arguments import Kind
from bitdust.api.call import require_service
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.companions.companions import Wish
from bitdust.companions.grants import Grant, code_of
from bitdust.crypt.exchange import public_of
from bitdust.wire.errors import BitDustError

DEVICE = "{name, active, authorized, meta, url, problem, instance}"
AUTHORIZATION = "{auth_info, signature, server_public_key}"
SERVICE = "web_socket_communicator"
NAME = Param("name", example="phone")
WAIT = Param("wait_listening", Kind.FLAG, False, help="answer once a router carries it, or after 30 seconds")
START = Param("start", Kind.FLAG, True, help="start it as well")
KEY_SIZE = Param("key_size", Kind.INTEGER, None, obsolete=True)
LISTENING_SECONDS = 30.0
STEP = 0.25
BECOMES = [("encrypted_web_socket", "start")]


@method(
    Route("GET", "/device/list/v1", ("/dev/l",)),
    params=(Param("sort", Kind.FLAG, False, help="by name"),),
    returns=f"[{DEVICE}]",
)
def devices_list(context: Context, sort: bool) -> Envelope:
    """Apps that you have let in, or are about to.

    They are no devices of your identity, which `identity_devices` shows: nobody but this node knows them.
    """
    rows = context.companions.rows_shown()
    return listed(sorted(rows, key=lambda row: str(row["name"])) if sort else rows)


@method(
    Route("GET", "/device/info/v1", ("/dev/i",)),
    params=(NAME,),
    returns=DEVICE,
    errors=("not-found", "damaged-device"),
)
def device_info(context: Context, name: str) -> Envelope:
    """One of them.

    ``url`` is where the app connects. ``instance`` is null while nothing listens for it; its ``state`` is
    ``CLIENT_PUB?`` while it waits for an app to connect, ``SERVER_CODE?`` while the app waits for ``server_code``,
    ``CLIENT_CODE?`` while this node waits for the code that the app shows, ``READY`` once it was let in.
    ``connected_routers`` are all addresses of a device that comes through routers.
    """
    return ok(context.companions.shown(context.companions.book.of(name)))


@method(
    Route("POST", "/device/add/v1", ("/dev/a",)),
    params=(
        NAME,
        Param("routed", Kind.FLAG, False, help="it comes through routers, from wherever it is"),
        Param("activate", Kind.FLAG, True, help="start it as well"),
        WAIT,
        Param("web_socket_host", default="localhost", help="this machine, by one of its names"),
        Param("web_socket_port", Kind.INTEGER, None, help="8281, or a free one where that is taken", low=0, high=65535),
        KEY_SIZE,
    ),
    returns=DEVICE,
    errors=("bad-argument", "exists", "too-many-devices", "port-taken", "service-off"),
    becomes=BECOMES,
    only_here=True,
)
async def device_add(
    context: Context,
    name: str,
    routed: bool,
    activate: bool,
    wait_listening: bool,
    web_socket_host: str,
    web_socket_port: int | None,
) -> Envelope:
    """Be ready to let an app in.

    It connects within ten minutes, both sides show a code, and each code is typed at the other side:
    `device_authorization_client_code` takes the one of the app.
    """
    companions = context.companions
    if activate:
        require_service(context, SERVICE)
    record = await companions.add(Wish(name, routed, web_socket_host, web_socket_port))
    if activate:
        try:
            await _start(context, record.name, wait_listening)
        except BitDustError:
            await companions.remove(record.name)
            raise
    return ok(companions.shown(companions.book.of(record.name)))


async def _start(context: Context, name: str, wait: bool) -> None:
    companion = await context.companions.open(name)
    clock = context.world.clock
    until = clock.seconds() + LISTENING_SECONDS
    while wait and clock.seconds() < until and companion.door is not None and not companion.door.urls():
        pause: Deferred[None] = Deferred()
        clock.callLater(STEP, pause.callback, None)
        await pause


@method(
    Route("POST", "/device/start/v1", ("/dev/o",)),
    params=(NAME, WAIT),
    service=SERVICE,
    returns=DEVICE,
    errors=("not-found", "damaged-device", "port-taken"),
    becomes=BECOMES,
    only_here=True,
)
async def device_start(context: Context, name: str, wait_listening: bool) -> Envelope:
    """Let an app come again that was stopped, or be ready for one that is to be let in."""
    await _start(context, name, wait_listening)
    return ok(context.companions.shown(context.companions.book.of(name)))


@method(
    Route("POST", "/device/stop/v1", ("/dev/c",)),
    params=(NAME, Param("deactivate", Kind.FLAG, True, help="stay so when the node starts again")),
    returns=DEVICE,
    errors=("not-found", "damaged-device"),
    becomes=[("encrypted_web_socket", "stop")],
)
async def device_stop(context: Context, name: str, deactivate: bool) -> Envelope:
    """Shut an app out: its connections end at once, and it does not come back until `device_start`."""
    return ok(context.companions.shown(await context.companions.shut(name, deactivate)))


@method(
    Route("DELETE", "/device/remove/v1", ("/dev/d",)),
    params=(NAME,),
    errors=("not-found",),
    becomes=[("encrypted_web_socket", "stop")],
)
async def device_remove(context: Context, name: str) -> Envelope:
    """Shut an app out for good, and forget it."""
    await context.companions.remove(name)
    return ok(None, message=f"{name} is shut out and forgotten")


def _authorization(grant: Grant) -> dict[str, Any]:
    return {
        "auth_info": grant.auth_info,
        "signature": grant.signature,
        "server_public_key": grant.server_public_key,
    }


@method(
    Route("POST", "/device/authorization/request/v1", ("/dev/a/req",)),
    params=(
        NAME,
        Param("client_public_key", help="of the app: 64 hexadecimal digits", example="09" + "00" * 31),
        Param("client_code", help="six digits that the app shows beside its key", example="000000"),
    ),
    returns=f"{DEVICE} and authorization {AUTHORIZATION}",
    errors=("not-found", "no-identity", "device-started", "bad-argument", "wrong-code"),
    only_here=True,
)
async def device_authorization_request(
    context: Context, name: str, client_public_key: str, client_code: str
) -> Envelope:
    """Let an app in whose key you have got from it in a safe way, such as by its camera picture of yours, or a cable.

    The code shows that the key was copied without a mistake. What is answered goes to the app the same way.
    """
    key = _key(client_public_key)
    if code_of(key) != client_code:
        raise BitDustError("wrong-code", "the code does not belong to this key; copy both again")
    grant = await context.companions.grant(name, key)
    return ok(_shown(context, name) | {"authorization": _authorization(grant)})


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise BitDustError("bad-argument", "client_public_key has 64 hexadecimal digits")
    return key


def _shown(context: Context, name: str) -> dict[str, Any]:
    return context.companions.shown(context.companions.book.of(name))


@method(
    Route("POST", "/device/authorization/generate/v1", ("/dev/a/gen",)),
    params=(NAME, Param("client_key_size", Kind.INTEGER, 2048, obsolete=True), START, WAIT),
    service=SERVICE,
    returns=f"{DEVICE} and authorization {{client_key, client_code, auth_info, signature, server_public_key}}",
    errors=("not-found", "no-identity", "device-started", "port-taken"),
    becomes=BECOMES,
    only_here=True,
)
async def device_authorization_generate(context: Context, name: str, start: bool, wait_listening: bool) -> Envelope:
    """Make the key of an app here, and let it in: for apps that are given everything at once, such as by a picture.

    ``client_key`` is a secret, kept nowhere on this node: whoever has it is let in.
    """
    client_key = context.world.entropy(32)
    public = public_of(client_key)
    grant = await context.companions.grant(name, public)
    if start:
        await _start(context, name, wait_listening)
    made = {"client_key": client_key.hex(), "client_code": code_of(public)}
    return ok(_shown(context, name) | {"authorization": made | _authorization(grant)})


@method(
    Route("POST", "/device/authorization/reset/v1", ("/dev/a/r",)),
    params=(NAME, START, WAIT),
    returns=DEVICE,
    errors=("not-found", "damaged-device", "port-taken", "service-off"),
    becomes=[("encrypted_web_socket", "stop"), *BECOMES],
    only_here=True,
)
async def device_authorization_reset(context: Context, name: str, start: bool, wait_listening: bool) -> Envelope:
    """Whoever was let in is let in no more: its connections end at once. With ``start`` another app may be let in."""
    await context.companions.reset(name)
    if start:
        await _start(context, name, wait_listening)
    return ok(_shown(context, name))


@method(
    Route("POST", "/device/authorization/client_code/v1", ("/dev/a/cc",)),
    params=(NAME, Param("client_code", help="the six digits that the app shows", example="000000")),
    service=SERVICE,
    errors=("not-found", "not-ready", "wrong-code", "handshake-failed"),
    becomes=[("encrypted_web_socket", "client-code")],
    only_here=True,
)
async def device_authorization_client_code(context: Context, name: str, client_code: str) -> Envelope:
    """The code that the app shows: where it is right, the app is let in, and that is on the disk when this answers.

    After three wrong ones the app has to begin again; after five such failures the device has to be started anew.
    """
    await context.companions.client_code(name, client_code)
    return ok(None, message=f"{name} is let in")


@method(
    Route("GET", "/device/router/info/v1", ("/dev/r/i",)),
    service="web_socket_router",
    returns="{routes: [{created, route_id, node_url, node_connected, node_bytes, node_updated, route_url, "
    "client_connected, client_bytes, client_updated}], nodes_bytes, clients_bytes}",
)
def device_router_info(context: Context) -> Envelope:
    """Whom this node carries as a router: how much, never what."""
    return ok(context.router.info())
