#!/usr/bin/env python3
"""A device of a BitDust node: lets itself in by codes, comes back with its key, calls methods and hears events.

    bitdust device add direct phone                    # says where the device connects, such as ws://127.0.0.1:8281/
    python3 bitdust_device.py pair ws://127.0.0.1:8281/
    python3 bitdust_device.py call process_health
    python3 bitdust_device.py watch --count 5

What it does is written in docs/api/devices-wire.md. It needs Python 3.11, the package ``cryptography``, and
bitdust_client.py beside it. Its key is in ``--keys`` (``~/.bitdust-device.json``), which nobody else can read: whoever
has that file is let in.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bitdust_client import Frames, arguments_of, show
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BINARY = 2
PAIRING, RESUMING = 1, 2
"""The first byte of a connection: to be let in, or as one that was."""
PATTERNS = {
    PAIRING: ("XX", ("e", "e ee s es", "s se")),
    RESUMING: ("IK", ("e es s ss", "e ee se")),
}
"""Noise's messages, the first of them the device's, by turns."""
DOMAIN = b"BitDust device 1"
PART = 65_518
"""Bytes of a text in one message."""
REKEY_EVERY = 65_536
"""Messages under one key; their numbers go on under the next one."""
CODES = 3
"""Wrong codes after which somebody else may be at the other end."""


class NotLetIn(Exception):
    """Why the two do not come together."""


# Noise (https://noiseprotocol.org/noise.html, revision 34)


def public_of(key: X25519PrivateKey) -> bytes:
    """Its 32 bytes."""
    return key.public_key().public_bytes_raw()


def derived(chaining: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """``HKDF`` with two outputs."""
    both = hmac.digest(chaining, secret, "sha256")
    first = hmac.digest(both, b"\x01", "sha256")
    return first, hmac.digest(both, first + b"\x02", "sha256")


class Cipher:
    """``CipherState``: a key, and how often it was used."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._count = 0

    def _nonce(self) -> bytes:
        return bytes(4) + self._count.to_bytes(8, "big")

    def _next(self) -> None:
        self._count += 1
        if self._count % REKEY_EVERY == 0:
            self._key = AESGCM(self._key).encrypt(bytes(4) + b"\xff" * 8, bytes(32), None)[:32]

    def seal(self, plain: bytes, beside: bytes = b"") -> bytes:
        """The next message."""
        sealed = AESGCM(self._key).encrypt(self._nonce(), plain, beside)
        self._next()
        return sealed

    def opened(self, sealed: bytes, beside: bytes = b"") -> bytes:
        """What is in the next message; raises `NotLetIn` for one that does not come next."""
        try:
            plain = AESGCM(self._key).decrypt(self._nonce(), sealed, beside)
        except (InvalidTag, ValueError) as error:
            raise NotLetIn("a message was changed, or does not come next") from error
        self._next()
        return plain


class Handshake:
    """The device's side; ``theirs`` is the node's key, where it is known."""

    def __init__(self, kind: int, mine: X25519PrivateKey, theirs: bytes = b"") -> None:
        pattern, self._messages = PATTERNS[kind]
        self._hash = self._chaining = f"Noise_{pattern}_25519_AESGCM_SHA256".encode().ljust(32, b"\0")
        self._cipher: Cipher | None = None
        self._mine, self._once = mine, X25519PrivateKey.generate()
        self.theirs, self._their_once = theirs, b""
        self._mix_hash(DOMAIN + bytes((kind,)))
        if theirs:
            self._mix_hash(theirs)

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix_key(self, key: X25519PrivateKey, other: bytes) -> None:
        try:
            shared = key.exchange(X25519PublicKey.from_public_bytes(other))
        except ValueError as error:
            raise NotLetIn("the other side shows no key that makes a secret") from error
        self._chaining, secret = derived(self._chaining, shared)
        self._cipher = Cipher(secret)

    def _agree(self, token: str) -> None:
        """``ee``, ``es``, ``se`` or ``ss``: the device's key comes first, the node's second."""
        mine = {"e": self._once, "s": self._mine}[token[0]]
        self._mix_key(mine, {"e": self._their_once, "s": self.theirs}[token[1]])

    def _seal(self, plain: bytes) -> bytes:
        sealed = self._cipher.seal(plain, self._hash) if self._cipher else plain
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        plain = self._cipher.opened(sealed, self._hash) if self._cipher else sealed
        self._mix_hash(sealed)
        return plain

    def write(self, tokens: str) -> bytes:
        """A message of the device; it carries nothing else."""
        found = b""
        for token in tokens.split():
            if token == "e":
                found += public_of(self._once)
                self._mix_hash(public_of(self._once))
            elif token == "s":
                found += self._seal(public_of(self._mine))
            else:
                self._agree(token)
        return found + self._seal(b"")

    def read(self, tokens: str, data: bytes) -> None:
        """A message of the node."""
        for token in tokens.split():
            if token == "e":
                self._their_once, data = data[:32], data[32:]
                self._mix_hash(self._their_once)
            elif token == "s":
                self.theirs, data = self._open(data[:48]), data[48:]
            else:
                self._agree(token)
        self._open(data)

    async def shake(self, kind: int, frames: Frames, heard: AsyncIterator[bytes]) -> "Line":
        """All messages, by turns."""
        first = bytes((kind,))
        for number, tokens in enumerate(self._messages):
            if number % 2 == 0:
                await frames.send(BINARY, first + self.write(tokens))
                first = b""
            else:
                self.read(tokens, await anext(heard))
        sends, receives = map(Cipher, derived(self._chaining, b""))
        return Line(frames, heard, sends, receives, self._hash)


class Line:
    """A sealed line: texts there and back. ``hash`` is that of its handshake, another one on each side of somebody who
    sits in between."""

    def __init__(
        self, frames: Frames, heard: AsyncIterator[bytes], sends: Cipher, receives: Cipher, digest: bytes
    ) -> None:
        self._frames = frames
        self._heard = heard
        self._sends = sends
        self._receives = receives
        self.hash = digest

    async def say(self, text: str) -> None:
        """In as many messages as it takes."""
        data = text.encode()
        for start in range(0, max(1, len(data)), PART):
            mark = b"\x01" if start + PART < len(data) else b"\x00"
            await self._frames.send(BINARY, self._sends.seal(mark + data[start : start + PART]))

    async def texts(self) -> AsyncIterator[dict[str, Any]]:
        """What the node says; ends with `ConnectionError`, which has its reason."""
        whole = b""
        async for sealed in self._heard:
            part = self._receives.opened(sealed)
            whole += part[1:]
            if part[:1] == b"\x00":
                yield json.loads(whole)
                whole = b""


async def connected(kind: int, url: str, mine: X25519PrivateKey, theirs: bytes = b"") -> tuple[Line, bytes]:
    """A line, and the node's key."""
    where = urlsplit(url)
    if where.scheme != "ws" or not where.hostname:
        raise NotLetIn(f"{url} is not the address of a device: bitdust device info NAME shows it")
    target = (where.path or "/") + (f"?{where.query}" if where.query else "")
    frames = await Frames.open(where.hostname, where.port or 80, target, {"Host": where.netloc})
    handshake = Handshake(kind, mine, theirs)
    try:
        return await handshake.shake(kind, frames, aiter(frames)), handshake.theirs
    except (OSError, NotLetIn):
        frames.close()
        raise


# what a device does


class Keys:
    """The file in which a device keeps its key, the node's, and where the node is found."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[X25519PrivateKey, bytes, list[str]]:
        """All three; raises `NotLetIn` before there are any."""
        try:
            kept = json.loads(self._path.read_text())
        except FileNotFoundError as error:
            raise NotLetIn("this device was not let in yet: pair URL") from error
        return (
            X25519PrivateKey.from_private_bytes(bytes.fromhex(kept["key"])),
            bytes.fromhex(kept["node"]),
            kept["urls"],
        )

    def write(self, key: X25519PrivateKey, node: bytes, urls: list[str]) -> None:
        """Whole or not at all."""
        kept = {"key": key.private_bytes_raw().hex(), "node": node.hex(), "urls": urls}
        new = self._path.with_name(f"{self._path.name}.new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(json.dumps(kept))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def digits(raw: bytes) -> str:
    """A code."""
    return f"{int.from_bytes(raw, 'big') % 1_000_000:06}"


async def pair(keys: Keys, url: str) -> None:
    """Be let in: each side shows a code that is typed at the other one."""
    mine = X25519PrivateKey.generate()
    line, node = await connected(PAIRING, url, mine)
    told = line.texts()
    commitment = bytes.fromhex((await anext(told))["pairing"]["commitment"])
    a = os.urandom(32)
    await line.say(json.dumps({"pairing": {"nonce": a.hex()}}))
    n = bytes.fromhex((await anext(told))["pairing"]["nonce"])
    if not hmac.compare_digest(hmac.digest(n, DOMAIN + b": commitment" + line.hash, "sha256"), commitment):
        raise NotLetIn("the node has changed its number: somebody is in between")
    both = hmac.digest(a + n, DOMAIN + b": codes" + line.hash, "sha256")
    print(f"type this code at the node: {digits(both[8:16])}", flush=True)
    for _ in range(CODES):
        print("the code that the node shows: ", end="", flush=True)
        if (await asyncio.to_thread(sys.stdin.readline)).strip() == digits(both[:8]):
            break
        print("that is not the code", flush=True)
    else:
        raise NotLetIn(f"{CODES} wrong codes: somebody may be in between; begin again")
    await line.say(json.dumps({"pairing": {"confirmed": True}}))
    if (await anext(told))["pairing"].get("authorized"):
        keys.write(mine, node, [url])
        print("this device is let in")


def take(keys: Keys, given: str) -> None:
    """Be let in by what ``bitdust device generate-client-code NAME`` has printed: address, keys and a code that shows
    mistakes in copying."""
    try:
        url, node, code, key = given.strip().rsplit("&", 3)
        mine = X25519PrivateKey.from_private_bytes(bytes.fromhex(key))
    except ValueError as error:
        raise NotLetIn("this is not URL&SERVER KEY&CODE&KEY") from error
    if digits(hashlib.sha256(b"BitDust device key 1" + public_of(mine)).digest()[:8]) != code:
        raise NotLetIn("the code does not fit the key: something is missing, or was copied wrong")
    keys.write(mine, bytes.fromhex(node), [url])
    print("this device is let in")


async def come_back(keys: Keys) -> Line:
    """The line of a device that was let in."""
    mine, node, urls = keys.read()
    for url in urls:
        try:
            line, _ = await connected(RESUMING, url, mine, node)
            await line.say("")  # It proves that this handshake is no old one that somebody says again.
        except (OSError, NotLetIn, ValueError) as error:
            print(f"{url}: {error}", file=sys.stderr)
        else:
            return line
    raise NotLetIn("the node was not found")


async def call(keys: Keys, method: str, arguments: dict[str, Any]) -> None:
    """Call one method of the API, and show the result."""
    line = await come_back(keys)
    await line.say(json.dumps({"command": "subscribe", "events": [], "messages": [], "call_id": 0}))
    await line.say(json.dumps({"command": "api_call", "method": method, "kwargs": arguments, "call_id": 1}))
    async for said in line.texts():
        payload = said["payload"]
        if said["type"] == "routes":
            follow(keys, payload["urls"])
        elif said["type"] == "api_call" and payload["call_id"] == 1:
            answer = payload["response"]
            if answer["status"] != "OK":
                raise NotLetIn("; ".join(answer["errors"]))
            show(answer.get("result"))
            return


async def watch(keys: Keys, count: int) -> None:
    """Show events and messages as they come; ends after so many of them, 0: never."""
    line = await come_back(keys)
    async for said in line.texts():
        if said["type"] == "routes":
            follow(keys, said["payload"]["urls"])
            continue
        show(said)
        count -= 1
        if count == 0:
            return


def follow(keys: Keys, urls: list[str]) -> None:
    """The node is found there from now on."""
    mine, node, known = keys.read()
    if urls != known:
        keys.write(mine, node, urls)


def main() -> int:
    """0 when it went well, 1 when the node said no or is not there."""
    parser = argparse.ArgumentParser(description="Be a device of a BitDust node.")
    parser.add_argument("--keys", default="~/.bitdust-device.json", help="file of the keys (~/.bitdust-device.json)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("pair", help="be let in").add_argument("url", help="where: bitdust device info NAME shows it")
    commands.add_parser("take", help="be let in by what bitdust device generate-client-code prints, on standard input")
    calling = commands.add_parser("call", help="call a method of the API")
    calling.add_argument("method")
    calling.add_argument("arguments", nargs="*", metavar="key=value")
    watching = commands.add_parser("watch", help="show events and messages as they come, one line of JSON each")
    watching.add_argument("--count", type=int, default=0, help="end after so many lines")
    options = parser.parse_args()
    keys = Keys(Path(options.keys).expanduser())
    try:
        if options.command == "pair":
            asyncio.run(pair(keys, options.url))
        elif options.command == "take":
            take(keys, sys.stdin.readline())
        elif options.command == "call":
            asyncio.run(call(keys, options.method, arguments_of(options.arguments)))
        else:
            asyncio.run(watch(keys, options.count))
    except (NotLetIn, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
