"""Nicknames: yours in the DHT, and people who are found by theirs."""

from typing import Any

from attrs import evolve

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.people import bearer_row
from bitdust.api.table import Param, Route, method
from bitdust.wire.nicknames import read_nickname

NICKNAME = Param("nickname", aliases=("id",), help="3 to 32 of a-z 0-9 . - _; capitals mean the same", example="alice")
ATTEMPTS = Param("attempts", Kind.INTEGER, 1, help="readings of the DHT that find nobody", low=1, high=10)
BEARER = "{result, nickname, position, global_id, idurl, fingerprint, name_proven}"
DHT_ERRORS = ("bad-name", "no-answer", "dht-off")
SETTING = "personal/nickname"


@method(
    Route("GET", "/user/search/{nickname}/v1", ("/us/s/{nickname}",)),
    Route("GET", "/user/search/v1", ("/us/s",)),
    params=(NICKNAME, ATTEMPTS),
    service="entangled_dht",
    returns=BEARER,
    errors=DHT_ERRORS,
    becomes=[("nickname_observer", "find-one")],
)
async def user_search(context: Context, nickname: str, attempts: int) -> Envelope:
    """Who bears a nickname: of several, whoever has it for the longest time. ``result`` is exist or not exist.

    Anybody may call himself anything: compare the ``fingerprint`` before you trust somebody whose name is not proven.
    """
    found = await context.people.names.find(nickname, attempts)
    if found:
        return ok(bearer_row(context, found[0]))
    nobody = {"position": -1, "global_id": "", "idurl": "", "fingerprint": "", "name_proven": False}
    return ok({"result": "not exist", "nickname": read_nickname(nickname)} | nobody)


@method(
    Route("GET", "/user/observe/{nickname}/v1", ("/us/o/{nickname}",)),
    Route("GET", "/user/observe/v1", ("/us/o",)),
    params=(NICKNAME, evolve(ATTEMPTS, default=3)),
    service="entangled_dht",
    returns=f"[{BEARER}]",
    errors=DHT_ERRORS,
    becomes=[("nickname_observer", "observe-many")],
)
async def user_observe(context: Context, nickname: str, attempts: int) -> Envelope:
    """Everybody who bears a nickname, by position: whoever has it for the longest time comes first."""
    found = await context.people.names.observe(nickname, attempts)
    return listed([bearer_row(context, one) for one in found])


@method(
    Route("GET", "/user/nickname/v1"),
    returns="{nickname, position, reason}",
)
def nickname_get(context: Context) -> Envelope:
    """Your nickname, and at which position the DHT has it; while it has none, ``position`` is null."""
    return ok(_standing(context))


@method(
    Route("POST", "/user/nickname/v1"),
    params=(NICKNAME,),
    service="nickname",
    returns="{nickname, position, reason}",
    errors=("bad-name",),
    becomes=[("nickname_holder", "set")],
)
def nickname_set(context: Context, nickname: str) -> Envelope:
    """Be found by another nickname; the former one is given up. Several people may bear the same."""
    name = read_nickname(nickname)
    context.settings.set(SETTING, name)
    return ok(_standing(context), message=f"your nickname is {name}; the DHT learns of it now")


def _standing(context: Context) -> dict[str, Any]:
    standing = context.people.names.holder.standing
    return {"nickname": standing.nickname, "position": standing.position, "reason": standing.why}
