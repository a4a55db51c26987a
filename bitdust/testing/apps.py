"""An app on a phone, as far as the node can tell: it is let in by codes, comes back with its key, and calls the API."""

import json
from collections.abc import Callable
from typing import Any

from bitdust.companions.line import GOES_ON, LAST, PAIRING, PART, PROLOGUE, RESUMING
from bitdust.crypt.comparison import NONCE, Codes, codes, keeps
from bitdust.crypt.exchange import public_of
from bitdust.crypt.noise import IK, XX, Agreed, Handshake


class App:
    """I say what is to be sent with ``transmit``, and get what comes by `received`; keys outlive a line."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self.key = entropy(32)
        self.node_key = b""
        self.transmit: Callable[[bytes], object] = lambda data: None
        self.codes: Codes | None = None
        self.authorized = False
        self.heard: list[dict[str, Any]] = []
        self._handshake: Handshake | None = None
        self.agreed: Agreed | None = None
        self._commitment = self._nonce = b""
        self._text = b""
        self._is_resuming = False

    @property
    def public(self) -> bytes:
        """What the node is to know of me."""
        return public_of(self.key)

    def pair(self) -> None:
        """Begin to be let in."""
        self._begin(PAIRING, Handshake(XX, True, PROLOGUE + bytes((PAIRING,)), self.key, self._entropy(32)))

    def resume(self) -> None:
        """Come back."""
        prologue = PROLOGUE + bytes((RESUMING,))
        self._begin(RESUMING, Handshake(IK, True, prologue, self.key, self._entropy(32), self.node_key))

    def _begin(self, kind: int, handshake: Handshake) -> None:
        self._handshake, self.agreed, self._text = handshake, None, b""
        self._is_resuming = kind == RESUMING
        self.transmit(bytes((kind,)) + handshake.write())

    def received(self, data: bytes) -> None:
        """One message of the node."""
        if self.agreed is None:
            self._shake(data)
            return
        part = self.agreed.receives.decrypt(data)
        self._text += part[1:]
        if part[:1] == LAST:
            text, self._text = self._text, b""
            self._take(json.loads(text))

    def _shake(self, data: bytes) -> None:
        handshake = self._handshake
        assert handshake is not None
        handshake.read(data)
        if not handshake.is_over:
            self.transmit(handshake.write())
        self.agreed = handshake.agreed()
        if self._is_resuming:
            self.say("")

    def _take(self, said: dict[str, Any]) -> None:
        pairing = said.get("pairing")
        if pairing is None:
            self.heard.append(said)
        elif "commitment" in pairing:
            self._commitment, self._nonce = bytes.fromhex(pairing["commitment"]), self._entropy(NONCE)
            self.say(json.dumps({"pairing": {"nonce": self._nonce.hex()}}))
        elif "nonce" in pairing:
            self.show(bytes.fromhex(pairing["nonce"]))
        elif pairing.get("authorized") is True:
            assert self.agreed is not None
            self.authorized, self.node_key, self.codes = True, self.agreed.remote, None

    def show(self, nonce: bytes) -> None:
        """Compare the node's number with what it had committed itself to, and show the codes."""
        assert self.agreed is not None
        if not keeps(self._commitment, nonce, self.agreed.hash):
            raise ValueError("the node has changed its number: somebody is in between")
        self.codes = codes(self._nonce, nonce, self.agreed.hash)

    def type_code(self, code: str) -> bool:
        """The person types what the node shows; whether it is right."""
        if self.codes is None or code != self.codes.node:
            return False
        self.say(json.dumps({"pairing": {"confirmed": True}}))
        return True

    def say(self, text: str) -> None:
        """A text, in as many messages as it takes."""
        assert self.agreed is not None
        data = text.encode()
        for start in range(0, max(1, len(data)), PART):
            flag = LAST if start + PART >= len(data) else GOES_ON
            self.transmit(self.agreed.sends.encrypt(flag + data[start : start + PART]))

    def call(self, method: str, call_id: Any = 1, **kwargs: Any) -> None:
        """Call the API."""
        self.say(json.dumps({"command": "api_call", "method": method, "kwargs": kwargs, "call_id": call_id}))

    def answer(self, call_id: Any = 1) -> dict[str, Any] | None:
        """The envelope of a call, once it has come."""
        for said in self.heard:
            if said["type"] == "api_call" and said["payload"]["call_id"] == call_id:
                found: dict[str, Any] = said["payload"]["response"]
                return found
        return None
