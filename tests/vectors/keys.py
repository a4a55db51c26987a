"""The fixed keys of all tests: they protect nothing."""

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.master import MasterKey

FOLDER = Path(__file__).parent


@cache
def master(name: str = "master") -> MasterKey:
    """The RSA key ``master`` (Alice's) or ``other`` (somebody else's)."""
    return MasterKey.from_pem((FOLDER / f"{name}.pem").read_text())


@cache
def device(name: str = "device") -> DeviceKey:
    """The Ed25519 key ``device`` or ``second``."""
    key = load_pem_private_key((FOLDER / f"{name}.pem").read_bytes(), None)
    return DeviceKey.from_seed(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
