#!/usr/bin/env python3
"""A small client of a BitDust node: calls, events and live models over its WebSocket. Python 3.11, nothing else.

    python3 bitdust_client.py health
    python3 bitdust_client.py call file_info remote_path=cats/cat.jpg
    python3 bitdust_client.py watch events 'service-*' 'backup-*'
    python3 bitdust_client.py watch model service

As a library::

    async with BitDust() as node:
        print(await node.call("process_health"))
        async for event in node.watch("service-*"):
            print(event["event_id"], event["data"])

The client knows which event it saw last. When the connection breaks it comes back by itself, tells the node that number
and the run of the node that it belongs to, and gets what it has missed; what the node does not remember any more comes
as a `gap`. A call whose answer was lost is not repeated, because nobody knows whether it was done: it raises
`ConnectionError`. Messages and limits are described in docs/api/websocket.md.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

PATIENCE = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class CallFailed(Exception):
    """The node answered with an error; ``code`` is stable, the text is for a person."""

    def __init__(self, envelope: dict[str, Any]) -> None:
        super().__init__("; ".join(envelope.get("errors", [])) or "the node gave no reason")
        self.code = envelope.get("code", "")
        self.envelope = envelope


class BitDust:
    """One node, found by its home folder, which holds its secret and the ports it really has."""

    def __init__(self, home: str | Path = "~/.bitdust", on_gap: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.home = Path(home).expanduser()
        self.on_gap = on_gap or (lambda gap: None)
        self._socket: Frames | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._watchers: list[tuple[str, asyncio.Queue[dict[str, Any]]]] = []
        self._models: set[str] = set()
        self._patterns: list[str] = []
        self._place: tuple[str, int] | None = None
        self._number = 0

    async def __aenter__(self) -> "BitDust":
        """Connected; raises `OSError` when the node does not answer."""
        self._socket = await self._connect()
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._lost()

    # what a program asks for

    async def call(self, method: str, timeout: float = PATIENCE, /, **arguments: Any) -> Any:
        """The result of an API method; raises `CallFailed`, `ConnectionError` or `TimeoutError`."""
        envelope = await self._ask({"command": "api_call", "method": method, "kwargs": arguments}, timeout)
        if envelope.get("status") != "OK":
            raise CallFailed(envelope)
        return envelope.get("result")

    async def watch(self, *patterns: str) -> AsyncIterator[dict[str, Any]]:
        """Events whose ids match one of the patterns (all without patterns), for ever; see `on_gap`.

        One such loop at a time: a node sends each client one choice of events.
        """
        self._patterns = list(patterns) or ["*"]
        listening = self._listen("event")
        await self._subscribe()
        async for message in listening:
            yield message

    async def model(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """Snapshots {name, id, data, created, deleted?} of a model: all there are, then every change, for ever.
        After a break all of them come again."""
        self._models.add(name)
        listening = self._listen("model")
        await self.call("enable_model_listener", model_name=name, request_all=True)
        async for message in listening:
            if message["name"] == name:
                yield message

    # how it is done

    def _listen(self, kind: str) -> AsyncIterator[dict[str, Any]]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._watchers.append((kind, queue))

        async def messages() -> AsyncIterator[dict[str, Any]]:
            try:
                while True:
                    yield await queue.get()
            finally:
                self._watchers.remove((kind, queue))

        return messages()

    async def _ask(self, message: dict[str, Any], timeout: float = PATIENCE) -> dict[str, Any]:
        async with asyncio.timeout(timeout):
            await self._opened.wait()
            self._number += 1
            number = self._number
            answer = self._answers[number] = asyncio.get_running_loop().create_future()
            try:
                await self._send(message | {"call_id": number})
                return await answer
            finally:
                self._answers.pop(number, None)

    async def _send(self, message: dict[str, Any]) -> None:
        if self._socket is None:
            raise ConnectionError("the connection to the node is broken")
        await self._socket.send(TEXT, json.dumps(message).encode())

    async def _subscribe(self) -> None:
        answer = await self._ask({"command": "subscribe", "events": self._patterns})
        if answer.get("status") != "OK":
            raise CallFailed(answer)
        if self._place is None:
            self._place = (answer["result"]["run"], answer["result"]["seq"])

    async def _live(self) -> None:
        """Read until the connection breaks, then come back, later and later."""
        pause = FIRST_PAUSE
        while True:
            try:
                if self._socket is None:
                    self._socket = await self._connect()
                self._opened.set()
                renewing = asyncio.create_task(self._renew())
                try:
                    async for text in self._socket:
                        pause = FIRST_PAUSE
                        self._heard(json.loads(text))
                finally:
                    renewing.cancel()
            except OSError:
                pass
            self._lost()
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    async def _renew(self) -> None:
        """A new connection knows nothing of the models that the old one had."""
        for name in list(self._models):  # another one may be asked for meanwhile
            with contextlib.suppress(CallFailed, OSError):
                await self.call("enable_model_listener", model_name=name, request_all=True)

    def _heard(self, message: dict[str, Any]) -> None:
        kind, payload = message["type"], message["payload"]
        if kind == "api_call":
            waiting = self._answers.get(payload["call_id"])
            if waiting is not None and not waiting.done():
                waiting.set_result(payload["response"])
            return
        if kind == "event":
            self._place = (payload["run"], payload["seq"])
        elif kind == "gap":
            self.on_gap(payload)
        for wanted, queue in self._watchers:
            if wanted == kind:
                queue.put_nowait(payload)

    def _lost(self) -> None:
        self._opened.clear()
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the connection broke before the answer came"))

    async def _connect(self) -> "Frames":
        """The secret goes into a header: unlike the address it is in no history and no list of processes."""
        try:
            port = json.loads((self.home / "metadata" / "apiports").read_text())["websocket"]
            secret = (self.home / "apisecret").read_text().strip()
        except (OSError, ValueError, KeyError) as error:
            raise ConnectionError(f"no node runs in {self.home}: start it with: bitdust daemon") from error
        query = f"?events={','.join(self._patterns) or 'none'}"
        if self._place is not None:
            query += f"&run={self._place[0]}&after={self._place[1]}"
        return await Frames.open("127.0.0.1", port, "/" + query, {"api_secret": secret})


class Frames:
    """The client's end of RFC 6455, as much of it as one needs: text messages, pings, and the close frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int, target: str, headers: dict[str, str]) -> "Frames":
        """After the handshake; raises `ConnectionError` with the node's words when it refuses."""
        reader, writer = await asyncio.open_connection(host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        own = {"Host": f"localhost:{port}", "Upgrade": "websocket", "Connection": "Upgrade"}
        own |= {"Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (own | headers).items())
        writer.write(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the node closed the connection in the handshake") from error
        except asyncio.LimitOverrunError as error:
            writer.close()
            raise ConnectionError("the node's answer is no handshake") from error
        proof = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        if " 101 " not in head.partition("\r\n")[0] or proof.decode() not in head:
            writer.close()
            raise ConnectionError("the node refused: " + head.partition("\r\n")[0].partition(" ")[2])
        return cls(reader, writer)

    async def send(self, kind: int, data: bytes) -> None:
        """One message in one frame, masked as a client must."""
        size = len(data)
        if size < 126:
            head = bytes((0x80 | kind, 0x80 | size))
        elif size < 1 << 16:
            head = bytes((0x80 | kind, 0xFE)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x80 | kind, 0xFF)) + size.to_bytes(8, "big")
        key = os.urandom(4)
        keys = (key * (size // 4 + 1))[:size]
        masked = int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")
        self._writer.write(head + key + masked.to_bytes(size, "big"))
        await self._writer.drain()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Text messages until the connection ends; raises `ConnectionError` with the node's reason."""
        whole = b""
        while True:
            try:
                first, second = await self._reader.readexactly(2)
                size = second & 0x7F
                if size > 125:
                    size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
                data = await self._reader.readexactly(size)
            except asyncio.IncompleteReadError as error:
                raise ConnectionError("the connection to the node is broken") from error
            kind = first & 0x0F
            if kind == CLOSE:
                await self.send(CLOSE, data[:2])
                code, why = int.from_bytes(data[:2], "big"), data[2:].decode(errors="replace")
                raise ConnectionError(f"the node closed: {code} {why}")
            if kind == PING:
                await self.send(PONG, data)
            elif kind != PONG:
                whole += data
                if first & 0x80:
                    yield whole
                    whole = b""

    def close(self) -> None:
        """Without more words."""
        self._writer.close()


# the command line


def arguments_of(words: list[str]) -> dict[str, Any]:
    """``key=text`` or ``key:=JSON``."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise SystemExit(f"{word!r} is no argument: write key=text, or key:=JSON")
        found[name.removesuffix(":")] = json.loads(value) if name.endswith(":") else value
    return found


def show(what: Any) -> None:
    """One line of JSON, at once."""
    print(json.dumps(what, ensure_ascii=False), flush=True)


async def run(options: argparse.Namespace) -> None:
    """The command that was given."""
    async with BitDust(options.home, on_gap=lambda gap: show({"gap": gap})) as node:
        if options.command == "health":
            await node.call("process_health")
            print("the node is healthy")
        elif options.command == "call":
            show(await node.call(options.method, **arguments_of(options.arguments)))
        else:
            if options.what == "model" and len(options.names) != 1:
                raise SystemExit("name one model: service, key, private_file, remote_version or online_status")
            stream = node.watch(*options.names) if options.what == "events" else node.model(*options.names)
            left = options.count
            async for message in stream:
                show(message)
                left -= 1
                if left == 0:
                    return


def main() -> int:
    """0 when it went well, 1 when the node said no or is not there."""
    parser = argparse.ArgumentParser(description="Talk to a BitDust node on this machine.")
    parser.add_argument("--home", default="~/.bitdust", help="home folder of the node (default: ~/.bitdust)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("health", help="ask whether the node works")
    call = commands.add_parser("call", help="call a method of the API")
    call.add_argument("method")
    call.add_argument("arguments", nargs="*", metavar="key=value")
    watch = commands.add_parser("watch", help="show events or a model as they come, one line of JSON each")
    watch.add_argument("what", choices=("events", "model"))
    watch.add_argument("names", nargs="*", help="patterns of event ids, or the name of one model")
    watch.add_argument("--count", type=int, default=0, help="end after so many lines")
    options, more = parser.parse_known_args()
    if more and (options.command != "watch" or any(word.startswith("-") for word in more)):
        parser.error(f"unknown: {' '.join(more)}")
    if more:
        options.names += more
    try:
        asyncio.run(run(options))
    except (CallFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
