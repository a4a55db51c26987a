"""A WebSocket client (RFC 6455) of a few lines that waits for its answer: for tests that ask real processes."""

import base64
import json
import os
import socket
import struct
from typing import Any

MASK = b"\1\2\3\4"


class WebSocketClient:
    """One connection to a node's API on loopback."""

    def __init__(self, port: int, secret: str, patience: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), patience)
        self._input = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\napi_secret: {secret}\r\n\r\n".encode()
        )
        first = self._input.readline()
        if b" 101 " not in first:
            raise ConnectionError(first.decode("latin-1"))
        while self._input.readline() not in (b"\r\n", b""):
            pass

    def ask(self, text: str) -> dict[str, Any]:
        """The payload of the answer to a message; events that come in between are passed over."""
        self.send(text.encode())
        call_id = json.loads(text, strict=False).get("call_id")
        while True:
            message = json.loads(self.receive())
            payload = message.get("payload", {})
            if message.get("type") == "api_call" and payload.get("call_id") == call_id:
                return dict(payload)

    def send(self, data: bytes, opcode: int = 1) -> None:
        """One masked frame."""
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
        masked = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(data))
        self._socket.sendall(bytes([0x80 | opcode]) + length + MASK + masked)

    def receive(self) -> bytes:
        """The next text; pings are answered."""
        while True:
            first, size = self._read(2)
            if size == 126:
                (size,) = struct.unpack("!H", self._read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._read(8))
            data = self._read(size)
            if first & 0x0F == 1:
                return data
            if first & 0x0F == 9:
                self.send(data, 10)
            elif first & 0x0F == 8:
                raise ConnectionError("the node closed the WebSocket")

    def close(self) -> None:
        """Hang up."""
        self._input.close()
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = self._input.read(size)
        if len(data) < size:
            raise ConnectionError("the WebSocket ended")
        return data
