"""A box for one person: the RSA key opens it, and so does each of some devices, which then need no RSA key for it.

Version 2: ``0x02 ‖ CBOR{master, devices: [{id, key, wrapped}], nonce, sealed}``. ``sealed`` is AES-256-GCM under a
random key, which ``master`` has as a box of version 1 (`MasterPublic.seal`), and each ``wrapped`` under a key that the
device agrees on with the one-time key beside it (X25519, for which a device's Ed25519 key is converted as RFC 7748
and libsodium do it). A box of version 1 alone is opened by the RSA key.
"""

import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitdust.crypt.device import DeviceKey, device_id
from bitdust.crypt.exchange import converted, private_of, public_of, shared
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.crypt.sealing import hkdf
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import Bytes, ListOf, Struct, parse

VERSION = b"\x02"
MAX_DEVICES = 9
"""Eight of a document, and one that goes while another one comes."""
MAX_BOX = 300 * 1024
_INFO = b"BitDust box 2"
_NO_NONCE = bytes(12)
"""Of a key that is used once."""
_WRAP = Struct({"id": Bytes(8), "key": Bytes(32), "wrapped": Bytes(48)})
_BOX = Struct(
    {
        "master": Bytes(1, 2048),
        "devices": ListOf(_WRAP, MAX_DEVICES),
        "nonce": Bytes(12),
        "sealed": Bytes(16, MAX_BOX),
    }
)


def seal_for(master: MasterPublic, devices: Iterable[bytes], data: bytes) -> bytes:
    """A box for an RSA key and the devices with these Ed25519 keys."""
    key, nonce = os.urandom(32), os.urandom(12)
    box = {
        "master": master.seal(key),
        "devices": [_wrap(public, key) for public in devices],
        "nonce": nonce,
        "sealed": AESGCM(key).encrypt(nonce, data, VERSION),
    }
    return VERSION + encode(box)


def seal_to(public: bytes, data: bytes) -> bytes:
    """A box that one Ed25519 key alone opens: ``one-time X25519 key: 32 ‖ AES-256-GCM`` under what both agree on."""
    once = os.urandom(32)
    own = public_of(once)
    return own + _cipher(shared(once, converted(public)), own, public).encrypt(_NO_NONCE, data, _INFO)


def open_from(box: bytes, key: DeviceKey) -> bytes:
    """What is in a box of `seal_to`. Raises `WireError` ``bad-seal``, ``bad-key``."""
    try:
        cipher = _cipher(shared(private_of(key), box[:32]), box[:32], key.public)
        return cipher.decrypt(_NO_NONCE, box[32:], _INFO)
    except (InvalidTag, ValueError) as error:
        raise WireError("bad-seal", "the box is not for this key, or was changed") from error


def open_box(box: bytes, device: DeviceKey, master: MasterKey | None) -> bytes:
    """What is in it. Raises `WireError`: ``key-needed`` where the RSA key alone opens it and is not here."""
    if box[:1] != VERSION:
        return _need(master).unseal(box)
    value = parse(box[1:], _BOX, MAX_BOX, "box")
    mine = next((wrap for wrap in value["devices"] if wrap["id"] == device.id), None)
    key = _unwrap(device, mine["key"], mine["wrapped"]) if mine is not None else _need(master).unseal(value["master"])
    try:
        return AESGCM(key).decrypt(value["nonce"], value["sealed"], VERSION)
    except (InvalidTag, ValueError) as error:
        raise WireError("bad-seal", "the box was changed") from error


def _need(master: MasterKey | None) -> MasterKey:
    if master is None:
        raise WireError("key-needed", "this is sealed to your private key alone, which is not on this device")
    return master


def _wrap(public: bytes, key: bytes) -> dict[str, bytes]:
    once = os.urandom(32)
    own = public_of(once)
    cipher = _cipher(shared(once, converted(public)), own, public)
    return {"id": device_id(public), "key": own, "wrapped": cipher.encrypt(_NO_NONCE, key, b"")}


def _unwrap(device: DeviceKey, own: bytes, wrapped: bytes) -> bytes:
    try:
        cipher = _cipher(shared(private_of(device), own), own, device.public)
        return cipher.decrypt(_NO_NONCE, wrapped, b"")
    except (InvalidTag, ValueError) as error:
        raise WireError("bad-seal", "the box is not for this device") from error


def _cipher(agreed: bytes, own: bytes, public: bytes) -> AESGCM:
    return AESGCM(hkdf(agreed, _INFO + own + public))
