"""One sealed line to a companion. ``docs/api/devices-wire.md`` describes what goes over it, byte by byte.

The first message of a companion begins with one byte: `PAIRING`, and the handshake is ``XX``, or `RESUMING`, and it is
``IK``. After a handshake everything is sealed; each message has one byte more in front, whether its text goes on in the
next one.
"""

import json
from contextlib import suppress
from typing import Any, Protocol

from bitdust.automats.companion_session import CompanionSession
from bitdust.companions.book import Record
from bitdust.companions.ports import Carrier, Talk
from bitdust.crypt.comparison import NONCE, Codes, codes, commitment
from bitdust.crypt.noise import IK, MOST, TAG, XX, Agreed, Handshake
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.messages import MAX_CALL

PAIRING, RESUMING = 1, 2
PROLOGUE = b"BitDust device 1"
LAST, GOES_ON = b"\x00", b"\x01"
PART = MOST - TAG - 1
MAX_MESSAGE = MAX_CALL


class Owner(Protocol):
    """The companion that the line may be of."""

    record: Record

    def may_pair(self) -> bool: ...

    def paired(self, line: "Line") -> None:
        """The handshake of somebody who is to be let in has begun."""

    def show(self, line: "Line", shown: Codes) -> None:
        """The codes of that handshake are known."""

    def confirmed(self, line: "Line") -> None:
        """The companion's person has typed this node's code there, and it was right."""

    def opened(self, line: "Line") -> Talk | None:
        """It may speak to the API; None where that is not open."""

    def ended(self, line: "Line") -> None: ...


class Line:
    """I am both sides' secrets on one connection; nothing that is not sealed reaches the API."""

    def __init__(self, around: Connected, owner: Owner, carrier: Carrier) -> None:
        self._world = around.world
        self._owner = owner
        self.carrier = carrier
        self._handshake: Handshake | None = None
        self._agreed: Agreed | None = None
        self._nonce = b""
        self._theirs = b""
        self._remote = b""
        self._text = bytearray()
        self.talk: Talk | None = None
        self.machine = CompanionSession(around.registry, owner.record.name, self)

    @property
    def app_key(self) -> bytes:
        """The public key that it has proven; empty before."""
        return self._remote

    # what it says

    def received(self, data: bytes) -> None:
        """One message."""
        try:
            self._take(data)
        except WireError as error:
            self.machine.send("broken", str(error))

    def _take(self, data: bytes) -> None:
        state = self.machine.state
        if state == "HELLO?":
            self._hello(data)
        elif state == "KEYS?":
            self._read(data)
            self.machine.send("keys")
        elif state in ("PROOF?", "OPEN"):
            text = self._gather(self._opened(data))
            if state == "PROOF?":
                self.machine.send("proof")
            if text is not None and text and self.talk is not None:
                self.talk.said(text)
        elif self.machine.state != "CLOSED":
            self._paired_says(self._opened(data))

    def _hello(self, data: bytes) -> None:
        kind = data[0] if data else 0
        if kind not in (PAIRING, RESUMING):
            raise WireError("bad-seal", "the first byte says neither 1 for pairing nor 2 for a known device")
        prologue = PROLOGUE + data[:1]
        pattern = XX if kind == PAIRING else IK
        key, ephemeral = self._owner.record.node_key, self._world.entropy(32)
        self._handshake = Handshake(pattern, False, prologue, key, ephemeral)
        if kind == PAIRING:
            self._read(data[1:])
            self.machine.send("pairing")
            return
        with suppress(WireError):  # whoever means another key of this node is nobody that it knows
            self._read(data[1:])
        self.machine.send("resuming")

    def _read(self, data: bytes) -> None:
        assert self._handshake is not None
        if self._handshake.read(data):
            raise WireError("bad-seal", "a handshake carries nothing else")
        self._remote = self._handshake.remote
        if self._handshake.is_over:
            self._agreed = self._handshake.agreed()

    def _opened(self, data: bytes) -> bytes:
        assert self._agreed is not None
        return self._agreed.receives.decrypt(data)

    def _gather(self, part: bytes) -> str | None:
        """A whole text, or None while it goes on."""
        if part[:1] not in (LAST, GOES_ON):
            raise WireError("bad-seal", "a message begins with 0, or with 1 where it goes on")
        self._text += part[1:]
        if len(self._text) > MAX_MESSAGE:
            raise WireError("too-large", f"a message has at most {MAX_MESSAGE} bytes")
        if part[:1] == GOES_ON:
            return None
        data, self._text = bytes(self._text), bytearray()
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise WireError("bad-seal", "the message is not valid UTF-8") from error

    def _paired_says(self, data: bytes) -> None:
        text = self._gather(data)
        said = _pairing(text) if text is not None else {}
        nonce = said.get("nonce")
        if self.machine.state == "NONCE?" and isinstance(nonce, str):
            self._theirs = _bytes(nonce)
            self.machine.send("nonce")
        elif self.machine.state == "CODES?" and said.get("confirmed") is True:
            self._owner.confirmed(self)
        else:
            raise WireError("bad-seal", "this does not come next when a device is let in")

    # the port of its machine

    def may_pair(self) -> bool:
        return self._owner.may_pair()

    def is_known(self) -> bool:
        return self._owner.record.app_key != b"" and self._remote == self._owner.record.app_key

    def answer(self) -> None:
        assert self._handshake is not None
        self.carrier.send(self._handshake.write())
        if self._handshake.is_over:
            self._agreed = self._handshake.agreed()
        else:
            self._owner.paired(self)

    def commit(self) -> None:
        assert self._agreed is not None
        self._nonce = self._world.entropy(NONCE)
        self._say_pairing(commitment=commitment(self._nonce, self._agreed.hash).hex())

    def reveal(self) -> None:
        assert self._agreed is not None
        self._say_pairing(nonce=self._nonce.hex())
        self._owner.show(self, codes(self._theirs, self._nonce, self._agreed.hash))

    def open(self) -> None:
        self.talk = self._owner.opened(self)

    def close(self, code: int, reason: str) -> None:
        self.carrier.close(code, reason)

    def report_end(self) -> None:
        self._handshake = self._agreed = None
        self._text = bytearray()
        talk, self.talk = self.talk, None
        if talk is not None:
            talk.end()
        self._owner.ended(self)

    # what it hears

    def say_authorized(self) -> None:
        """It was let in; that ends this line."""
        self._say_pairing(authorized=True)
        self.machine.send("authorized")

    def _say_pairing(self, **said: Any) -> None:
        self.write(json.dumps({"pairing": said}).encode())

    def write(self, data: bytes) -> None:
        """A text, in as many messages as it takes."""
        if self._agreed is None:
            return
        view = memoryview(data)
        while True:
            part, view = view[:PART], view[PART:]
            flag = GOES_ON if view else LAST
            self.carrier.send(self._agreed.sends.encrypt(flag + bytes(part)))
            if not view:
                return

    def read_on(self, on: bool) -> None:
        """Read from the companion, or not."""
        self.carrier.read_on(on)

    def end(self, code: int, reason: str) -> None:
        """Close with a code and a sentence."""
        self.machine.send("end", (code, reason))

    # what its carrier reports

    def pause(self) -> None:
        """The carrier is full."""
        if self.talk is not None:
            self.talk.pause()

    def go_on(self) -> None:
        """The carrier has room again."""
        if self.talk is not None:
            self.talk.go_on()

    def lost(self) -> None:
        """The connection is gone."""
        self.machine.send("lost")


def _pairing(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    inner = said.get("pairing") if isinstance(said, dict) else None
    if not isinstance(inner, dict):
        raise WireError("bad-seal", "while a device is let in, it says a dictionary named pairing")
    return inner


def _bytes(text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != NONCE:
        raise WireError("bad-seal", f"a nonce has {NONCE} bytes, written as hexadecimal digits")
    return data
