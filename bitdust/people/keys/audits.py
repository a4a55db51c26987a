"""Who really has a key: a fresh challenge, and a proof that is good for nothing else.

Nothing that comes from others is ever decrypted or signed as it is: what is signed begins with a domain of its own, and
names who asks, who answers and which key. For the private part the proof is a signature by it, for the public part a
hash. Who may not know whether a key is here gets no answer: friends of mine may ask, and the owner of the key.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.key_audit import KeyAudit
from bitdust.crypt.keyring import MASTER
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.peers.shown import show_name
from bitdust.people.keys.pem import spki_of
from bitdust.people.keys.taking import ring_name
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KEY_ALIAS, is_hidden
from bitdust.wire.packet import Command
from bitdust.wire.schema import Bytes, Choice, Flag, Struct, Text
from bitdust.wire.table import Answer, Request, Row, Who, ack

KIND = "audit"
DOMAIN = b"BitDust key audit 1\0"
NONCE = 32
COST = 50.0
NOT_HERE = "key-not-found"
"""What a node answers that has no such key."""
_FIELDS = Struct(
    {
        "kind": Choice((KIND,)),
        "owner": Bytes(32),
        "alias": Text(64, lambda alias: KEY_ALIAS.fullmatch(alias) is not None),
        "nonce": Bytes(NONCE),
        "private": Flag(),
    }
)


@frozen
class Question:
    """Whether ``holder`` has the key of ``owner`` named ``alias``, the private part or the public one."""

    owner: bytes
    alias: str
    holder: bytes
    private: bool

    def message(self, nonce: bytes, asker: bytes) -> bytes:
        """What the proof covers; all parts but the last have one length."""
        return DOMAIN + nonce + asker + self.holder + bytes((self.private,)) + self.owner + self.alias.encode()


def public_proof(message: bytes, spki: bytes) -> bytes:
    """Who knows the public key can make it, for this question alone."""
    return hashlib.sha256(message + b"\0" + spki).digest()


class Audits:
    """I answer questions about keys that are here."""

    def __init__(self, around: Connected, is_friend: Callable[[bytes], bool]) -> None:
        self._around = around
        self._me = around.me
        self._is_friend = is_friend

    def row(self) -> Row:
        """The row of the packet table by which somebody asks."""
        return Row(Command.KEY, KIND, _FIELDS, 0, Who.ANYONE, "service_key_exchange", self._answer, cost=COST)

    async def _answer(self, request: Request) -> Answer:
        fields, asker = request.fields, request.peer.fingerprint
        question = Question(fields["owner"], fields["alias"], self._me.fingerprint, fields["private"])
        may_know = asker == question.owner or self._is_friend(asker)
        if not may_know or is_hidden(question.alias):
            raise WireError("not-allowed", "this node says to friends which keys it has, and to their owners")
        message = question.message(fields["nonce"], asker)
        if not question.private:
            return ack(proof=public_proof(message, public_key(self._around, question.owner, question.alias)))
        key = self._private(question)
        return ack(proof=await self._around.world.run_in_thread(lambda: key().sign(message)))

    def _private(self, question: Question) -> Callable[[], MasterKey]:
        """Gives the private key, in a thread. Raises `BitDustError` ``key-not-found``, ``key-needed``."""
        mine = question.owner == self._me.fingerprint
        if mine and question.alias == MASTER:
            master = self._me.master
            return lambda: master
        name = question.alias if mine else ring_name(question.alias, question.owner)
        private = self._me.key_ring.get(name).private
        if private is None:
            raise BitDustError(NOT_HERE, f"the private part of {question.alias!r} is not here")
        return lambda: MasterKey.from_pem(private)


def public_key(around: Connected, owner: bytes, alias: str) -> bytes:
    """SubjectPublicKeyInfo of a key that is known here. Raises `BitDustError` ``key-not-found``."""
    me = around.me
    if alias == MASTER:
        document = me.document if owner == me.fingerprint else around.identities.get(owner)
        if document is None:
            raise BitDustError(NOT_HERE, "the identity of the key's owner is not known here")
        return document.public.spki
    public = me.key_ring.get(alias if owner == me.fingerprint else ring_name(alias, owner)).public
    if public is None:
        raise BitDustError(NOT_HERE, f"the public part of {alias!r} is not here")
    return MasterPublic.from_spki(spki_of(public)).spki


class Asking:
    """One question: the port of its machine. ``done`` fires with whether the key is there; cancelling it ends it."""

    def __init__(self, around: Connected, question: Question, seconds: float) -> None:
        self._around = around
        self._question = question
        self._seconds = seconds
        self._spki = public_key(around, question.owner, question.alias)
        self._nonce = around.world.entropy(NONCE)
        self.done: Deferred[bool] = Deferred(lambda _: self.machine.send("stop"))
        self.machine = KeyAudit(around.registry, f"{question.alias}/{question.holder.hex()[:8]}", self, seconds)

    def challenge(self) -> "Deferred[Any]":
        question = self._question
        fields = {
            "kind": KIND, "owner": question.owner, "alias": question.alias, "nonce": self._nonce,
            "private": question.private,
        }  # fmt: skip
        return self._around.outbox.send(question.holder, Command.KEY, fields, deadline=self._seconds)

    def is_proof(self, answer: Any) -> bool:
        proof = answer.fields.get("proof")
        if type(proof) is not bytes:
            return False
        message = self._question.message(self._nonce, self._around.me.fingerprint)
        if not self._question.private:
            return hmac.compare_digest(proof, public_proof(message, self._spki))
        return MasterPublic.from_spki(self._spki).verify(proof, message)

    def is_denial(self, reason: Any) -> bool:
        return getattr(getattr(reason, "value", reason), "code", "") == NOT_HERE

    def report(self, has_key: bool) -> None:
        self.done.callback(has_key)

    def give_up(self, reason: Any) -> None:
        if self.done.called:
            return
        who = show_name(self._around.identities, self._question.holder)
        error = reason.value if isinstance(reason, Failure) else reason
        code = "refused" if getattr(error, "code", "") in ("not-allowed", "unknown-command") else "no-answer"
        self.done.errback(BitDustError(code, f"{who} does not say: {error or 'it does not answer'}"))
