"""The example of a device, against the node's own Noise and against addresses that are no node."""

import asyncio
import base64
import hashlib
import importlib
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import noise
from bitdust.crypt.exchange import public_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NODE, ONCE = b"n" * 32, b"o" * 32
"""Secret keys of the node."""
PROLOGUE = b"BitDust device 1\x02"
Answer = Callable[[bytes], bytes]


def example() -> Any:
    """The module, which finds the other one beside it."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        return importlib.import_module("bitdust_device")
    finally:
        sys.path.remove(str(EXAMPLES))


async def message(reader: asyncio.StreamReader) -> bytes:
    """A short one of a client."""
    size = (await reader.readexactly(2))[1] & 0x7F
    mask = await reader.readexactly(4)
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(await reader.readexactly(size)))


class DeviceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.device = example()
        self.mine = self.device.X25519PrivateKey.generate()
        self.answers: dict[str, Answer] = {}
        self.said: list[bytes] = []
        self.node = noise.Handshake(noise.IK, False, PROLOGUE, NODE, ONCE)

    def run_at(self, does: Callable[[str], Any]) -> Any:
        """Runs it with an address at which each path is answered in its own way."""

        async def run() -> Any:
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            async with server:
                return await does(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")

        return asyncio.run(run())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        answer = self.answers.get(head.split()[1].decode())
        if answer is None:
            writer.write(b"x" * 200_000)
        else:
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)[1]
            proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + proof + b"\r\n\r\n")
            data = answer(await message(reader))
            writer.write(bytes((0x82, len(data))) + data)
            if self.node.is_over:
                self.said.append(await message(reader))
        writer.close()

    def agree(self, data: bytes) -> bytes:
        """What the node answers to a device that comes back."""
        self.node.read(data[1:])
        return self.node.write()


class CipherTests(DeviceCase):
    def test_keys_change(self) -> None:
        """Both change their keys after the same messages, again and again, and understand each other in both ways."""
        for module in (noise, self.device):
            self.patch(module, "REKEY_EVERY", 4)
        key, texts = bytes(range(32)), [bytes((number,)) for number in range(13)]
        node, device = noise.Cipher(key), self.device.Cipher(key)
        self.assertEqual([device.opened(node.encrypt(text)) for text in texts], texts)
        node, device = noise.Cipher(key), self.device.Cipher(key)
        self.assertEqual([node.decrypt(device.seal(text)) for text in texts], texts)

    def test_the_same_limit(self) -> None:
        """The example changes keys as often as the node does, and as its page says."""
        self.assertEqual(self.device.REKEY_EVERY, noise.REKEY_EVERY)
        self.assertIn(f"{noise.REKEY_EVERY:,}", (EXAMPLES.parent / "docs/api/devices-wire.md").read_text())


class ComingBackTests(DeviceCase):
    def come_back(self, *paths: str) -> tuple[Any, str]:
        """The line of a device that knows these addresses, and what it says to its person."""
        keys = self.device.Keys(Path(self.mktemp()))

        async def run(base: str) -> Any:
            urls = [path if path.startswith("ws") else base + path for path in paths]
            keys.write(self.mine, public_of(NODE), urls)
            line = await self.device.come_back(keys)
            try:
                return [said async for said in line.texts()]
            except ConnectionError:
                return line

        heard = StringIO()
        with redirect_stderr(heard):
            return self.run_at(run), heard.getvalue()

    def test_bad_addresses(self) -> None:
        """Whatever is at an address, garbage, a key of small order, somebody else or nothing, the next one is tried."""
        other = noise.Handshake(noise.IK, False, PROLOGUE, NODE, ONCE)

        def changed(data: bytes) -> bytes:
            other.read(data[1:])
            return other.write()[:-1] + b"!"

        self.answers = {
            "/short": lambda _: b"no",
            "/zeros": lambda _: bytes(48),
            "/else": lambda _: public_of(ONCE) + bytes(16),
            "/cut": lambda _: public_of(ONCE),
            "/changed": changed,
            "/node": self.agree,
        }
        bad = ("/no-handshake", *list(self.answers)[:-1], "ws://127.0.0.1:99999/", "ws://127.0.0.1:1/", "ws:nothing")
        line, heard = self.come_back(*bad, "/node")
        agreed = self.node.agreed()
        self.assertEqual(line.hash, agreed.hash)
        self.assertEqual([agreed.receives.decrypt(one) for one in self.said], [b"\0"])
        self.assertEqual(len(heard.splitlines()), len(bad), heard)
        for path, told in zip(bad, heard.splitlines(), strict=True):
            self.assertIn(path, told.partition(": ")[0])

    def test_bad_addresses_alone(self) -> None:
        """Where no address is the node's, that is what the device says."""
        self.answers = {"/zeros": lambda _: bytes(48)}
        error = self.assertRaises(self.device.NotLetIn, self.come_back, "/zeros", "/no-handshake")
        self.assertEqual(str(error), "the node was not found")

    def test_to_be_let_in(self) -> None:
        """A node whose key makes no secret, or is none, is refused when a device is to be let in too."""
        self.answers = {"/zeros": lambda _: bytes(112), "/short": lambda _: b"no"}
        for path in self.answers:
            error = self.assertRaises(
                self.device.NotLetIn,
                self.run_at,
                lambda base, path=path: self.device.connected(self.device.PAIRING, base + path, self.mine),
            )
            self.assertIn("no key that makes a secret", str(error))
