"""The Double Ratchet: each message has a key of its own, and each change of direction a new agreement.

Names and functions follow the specification, section 3: ``KDF_RK`` is HKDF-SHA-256 with the root key as salt,
``KDF_CK`` HMAC-SHA-256 of the chain key over one byte, and messages are sealed with AES-256-GCM under a key and nonce
that follow from the message key and the associated data, in which the header is.
"""

import hmac

from attrs import evolve, field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bitdust.crypt.exchange import public_of, shared
from bitdust.wire.encoding import WireError

MAX_SKIP = 1000
"""Messages of a chain that may be missing before one that comes: so many keys are made for one message at most."""
MAX_KEPT = 2000
"""Keys of missing messages that a session keeps; the oldest go first."""
KEPT_SECONDS = 45 * 86_400
"""And so long: a mailbox keeps a message for a month."""
_RATCHET = b"BitDust ratchet 1"
_MESSAGE = b"BitDust message key 1"
_KEY, _NEXT = b"\x01", b"\x02"


@frozen
class Header:
    """What travels beside a sealed message: the sender's ratchet key, the length of its chain before this one, and the
    number of the message in its chain."""

    key: bytes
    before: int
    number: int


@frozen
class Skipped:
    """The key of a message that has not come yet."""

    key: bytes
    number: int
    message_key: bytes = field(repr=False)
    since: int


@frozen
class When:
    """The earliest and the latest that it may be now, where a clock may be wrong."""

    earliest: int
    latest: int


@frozen
class Chains:
    """The state of one side. ``private`` and ``public`` are its ratchet key, ``theirs`` is the other side's."""

    private: bytes = field(repr=False)
    public: bytes
    theirs: bytes | None
    root: bytes = field(repr=False)
    sending: bytes | None = field(repr=False)
    receiving: bytes | None = field(repr=False)
    sent: int = 0
    received: int = 0
    before: int = 0
    skipped: tuple[Skipped, ...] = field(default=(), repr=False)

    def wrote(self, sending: bytes) -> "Chains":
        """After one more message of this side; `evolve` takes three times as long."""
        return Chains(
            self.private, self.public, self.theirs, self.root, sending, self.receiving,
            self.sent + 1, self.received, self.before, self.skipped,
        )  # fmt: skip

    def read(self, receiving: bytes) -> "Chains":
        """After one more message of the other side."""
        return Chains(
            self.private, self.public, self.theirs, self.root, self.sending, receiving,
            self.sent, self.received + 1, self.before, self.skipped,
        )  # fmt: skip


def first(secret: bytes, theirs: bytes, private: bytes) -> Chains:
    """The side that begins: it knows the other's ratchet key, which is its signed prekey."""
    root, sending = root_step(secret, shared(private, theirs), _RATCHET)
    return Chains(private, public_of(private), theirs, root, sending, None)


def second(secret: bytes, private: bytes) -> Chains:
    """The side that answers: its ratchet key is its signed prekey."""
    return Chains(private, public_of(private), None, secret, None, None)


def seal(chains: Chains, plain: bytes, context: bytes) -> tuple[Chains, Header, bytes]:
    """``RatchetEncrypt``. The caller keeps the new state on the disk before the message leaves.

    ``context`` and the header are authenticated. Raises `WireError` ``no-chain`` where nothing has come yet.
    """
    if chains.sending is None:
        raise WireError("no-chain", "the other side has to write first")
    key, following = chain_step(chains.sending)
    header = Header(chains.public, chains.before, chains.sent)
    beside = associated(context, header)
    cipher, nonce = _cipher(key, beside)
    sealed = cipher.encrypt(nonce, plain, beside)
    return chains.wrote(following), header, sealed


def open_message(
    chains: Chains, header: Header, sealed: bytes, context: bytes, fresh: bytes, when: When
) -> tuple[Chains, bytes]:
    """``RatchetDecrypt``; ``fresh`` is a new ratchet key, 32 random bytes, which is used where direction has changed.

    Raises `WireError`: ``bad-seal`` for what is none of this session's, or was opened before, ``too-far`` for a message
    behind more than `MAX_SKIP` others.
    """
    kept = next((one for one in chains.skipped if (one.key, one.number) == (header.key, header.number)), None)
    if kept is not None:
        plain = _open(kept.message_key, header, sealed, context)
        return evolve(chains, skipped=tuple(one for one in chains.skipped if one is not kept)), plain
    if header.key != chains.theirs:
        chains = _skip(chains, header.before, when)
        chains = _turn(chains, header.key, fresh)
    chains = _skip(chains, header.number, when)
    if header.number < chains.received or chains.receiving is None:
        raise WireError("bad-seal", "this message was opened before")
    key, following = chain_step(chains.receiving)
    plain = _open(key, header, sealed, context)
    return chains.read(following), plain


def _skip(chains: Chains, until: int, when: When) -> Chains:
    """``SkipMessageKeys``"""
    if until > chains.received + MAX_SKIP:
        raise WireError("too-far", f"more than {MAX_SKIP} messages are missing before this one")
    if chains.receiving is None or until <= chains.received:
        return chains
    assert chains.theirs is not None
    receiving, before = chains.receiving, when.earliest - KEPT_SECONDS
    kept = [one for one in chains.skipped if one.since > before]
    for number in range(chains.received, until):
        key, receiving = chain_step(receiving)
        kept.append(Skipped(chains.theirs, number, key, when.latest))
    return evolve(chains, receiving=receiving, received=until, skipped=tuple(kept[-MAX_KEPT:]))


def _turn(chains: Chains, theirs: bytes, fresh: bytes) -> Chains:
    """``DHRatchet``"""
    root, receiving = root_step(chains.root, shared(chains.private, theirs), _RATCHET)
    root, sending = root_step(root, shared(fresh, theirs), _RATCHET)
    return evolve(
        chains,
        private=fresh,
        public=public_of(fresh),
        theirs=theirs,
        root=root,
        sending=sending,
        receiving=receiving,
        before=chains.sent,
        sent=0,
        received=0,
    )


def root_step(root: bytes, agreed: bytes, info: bytes) -> tuple[bytes, bytes]:
    """``KDF_RK``: the next root key, and a chain key."""
    both = HKDF(hashes.SHA256(), 64, root, info).derive(agreed)
    return both[:32], both[32:]


def chain_step(chain: bytes) -> tuple[bytes, bytes]:
    """``KDF_CK``: a message key, and the next chain key."""
    return hmac.digest(chain, _KEY, "sha256"), hmac.digest(chain, _NEXT, "sha256")


def message_keys(key: bytes, info: bytes, length: int, salt: bytes = bytes(32)) -> bytes:
    """What a message is sealed with."""
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


def associated(context: bytes, header: Header) -> bytes:
    """``CONCAT``: what is authenticated beside the message."""
    return context + header.key + header.before.to_bytes(8, "big") + header.number.to_bytes(8, "big")


def _cipher(key: bytes, beside: bytes) -> tuple[AESGCM, bytes]:
    """Of a state that is read from an old copy a message key comes a second time; not so what is beside the message,
    which has a random name in it. So key and nonce are new all the same."""
    both = message_keys(key, _MESSAGE, 44, beside)
    return AESGCM(both[:32]), both[32:]


def _open(key: bytes, header: Header, sealed: bytes, context: bytes) -> bytes:
    beside = associated(context, header)
    cipher, nonce = _cipher(key, beside)
    try:
        return cipher.decrypt(nonce, sealed, beside)
    except (InvalidTag, ValueError) as error:
        raise WireError("bad-seal", "the message was changed, or is none of this session") from error
