"""The honest people of ``benchmarks abuse``, in a process of their own: one pings, one brings pieces and fetches them
again, and new ones come.

``python -m benchmarks.abuse_probe HOST:PORT FINGERPRINT`` reads lines of seconds, and answers each with what was seen
in so many of them, as JSON.
"""

import json
import os
import sys
import time
from statistics import median, quantiles
from typing import Any, cast

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from benchmarks.abuse_peer import DEVICE, Peer, Persona, Reply, Target, pack_id, people, record_of, wish
from bitdust.crypt.merkle import root
from bitdust.formats.orders import DELETE_KIND
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command

PIECE = 4 * 1024 * 1024
ROOM = 2 * 1024 * 1024 * 1024
"""Deletions of many pieces are kept for some days, so each piece that is fetched again takes room until the end."""
SETTLED = 17
"""Pieces that make a customer somebody with something to lose."""
EVERY, BETWEEN, NEWCOMERS = 0.1, 0.25, 1.0
PATIENCE = 20.0


class Probe:
    """What honest people saw: seconds of pings, of pieces up and back, of newcomers until they had a contract."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._people = people()
        self._pinger: Peer | None = None
        self._customer: Peer | None = None
        self._pack = 0
        self.noted: dict[str, list[float]] = {}
        self.failed: list[str] = []

    async def begin(self) -> None:
        """Both are connected, and have so much stored that they are no newcomers any more."""
        self._pinger = await self._hired()
        self._customer = await self._hired()

    async def _hired(self) -> Peer:
        peer = await self._join()
        need(await self._ask(peer, Command.REQUEST_SERVICE, wish(ROOM)))
        for _ in range(SETTLED):
            await self._bring(peer, os.urandom(PIECE))
        return peer

    async def _bring(self, peer: Peer, piece: bytes) -> float:
        """A piece under the next number; when it began to be sent."""
        self._pack += 1
        record = record_of(peer, self._pack, PIECE, [root(piece), bytes(32)])
        since = time.monotonic()
        need(await self._ask(peer, Command.DATA, {"kind": "piece", "index": 0, "record": record}, piece))
        return since

    async def _join(self, persona: Persona | None = None) -> Peer:
        return await self._target.connect(persona or next(self._people), "127.0.0.2")

    async def _ask(self, peer: Peer, command: Command, fields: dict[str, Any], payload: bytes = b"") -> Reply:
        from twisted.internet import reactor

        asking = peer.ask(command, fields, payload)
        return await asking.addTimeout(PATIENCE, cast(Any, reactor))

    def _note(self, name: str, since: float) -> None:
        self.noted.setdefault(name, []).append(time.monotonic() - since)

    async def _ping(self) -> None:
        if self._pinger is None or self._pinger.lost:
            self._pinger = await self._join(self._pinger.persona if self._pinger is not None else None)
        since = time.monotonic()
        await self._ask(self._pinger, Command.IDENTITY, {})
        self._note("ping", since)

    async def _transfer(self) -> None:
        if self._customer is None or self._customer.lost:
            self._customer = await self._join(self._customer.persona if self._customer is not None else None)
        peer, piece = self._customer, os.urandom(PIECE)
        self._note("upload", await self._bring(peer, piece))
        since = time.monotonic()
        fields = {"kind": "piece", "pack": pack_id(self._pack), "index": 0, "offset": 0, "length": PIECE}
        back = need(await self._ask(peer, Command.RETRIEVE, fields))
        if back.payload != piece:
            raise RuntimeError("the piece came back as another one")
        self._note("restore", since)
        assert peer.persona is not None
        order = {"owner": peer.persona.fingerprint, "packs": [pack_id(self._pack)], "time": int(time.time() * 1000)}
        signed = DEVICE.sign_record(DELETE_KIND, encode(order)).to_bytes()
        need(await self._ask(peer, Command.DELETE_FILE, {}, signed))

    async def _newcomer(self) -> None:
        since = time.monotonic()
        peer = await self._join()
        try:
            need(await self._ask(peer, Command.REQUEST_SERVICE, wish(1024 * 1024)))
        finally:
            peer.close()
        self._note("newcomer", since)

    async def _repeat(self, name: str, once: Any, pause: float, until: float) -> None:
        from twisted.internet import reactor

        while time.monotonic() < until:
            try:
                await once()
            except Exception as error:  # noqa: BLE001 - whatever it was, it is a failure of the attacked node
                self.failed.append(f"{name}: {type(error).__name__} {error}")
            await deferLater(cast(Any, reactor), pause)

    async def watch(self, seconds: float) -> dict[str, Any]:
        """What is seen in so many seconds."""
        self.noted, self.failed = {}, []
        until = time.monotonic() + seconds
        jobs = [
            ensureDeferred(self._repeat("ping", self._ping, EVERY, until)),
            ensureDeferred(self._repeat("transfer", self._transfer, BETWEEN, until)),
            ensureDeferred(self._repeat("newcomer", self._newcomer, NEWCOMERS, until)),
        ]
        for job in jobs:
            await job
        found: dict[str, Any] = {name: round(median(times), 5) for name, times in self.noted.items()}
        pings = self.noted.get("ping", [])
        found["ping95"] = round(quantiles(pings, n=20)[-1], 5) if len(pings) > 1 else None
        found["counts"] = {name: len(times) for name, times in self.noted.items()}
        return found | {"failed": len(self.failed), "why": self.failed[:3]}


def need(reply: Reply) -> Reply:
    """Raises where the answer is Fail."""
    if reply.packet.command is Command.FAIL:
        raise RuntimeError(f"{reply.packet.fields.get('code')}: {reply.packet.fields.get('text')}")
    return reply


async def serve(probe: Probe) -> None:
    """Begin, and answer line by line until there are no more."""
    await probe.begin()
    print("ready", flush=True)
    while line := await deferToThread(sys.stdin.readline):
        print(json.dumps(await probe.watch(float(line))), flush=True)


def main(arguments: list[str]) -> int:
    """Until standard input ends."""
    from twisted.internet import reactor as installed

    reactor = cast(Any, installed)
    host, _, port = arguments[0].partition(":")
    probe = Probe(Target(host, int(port), bytes.fromhex(arguments[1])))

    def begin() -> None:
        running: Deferred[None] = ensureDeferred(serve(probe))
        running.addErrback(lambda failure: failure.printTraceback()).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
