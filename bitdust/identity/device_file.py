"""The key of this device on its disk, and the RSA key's word for it, which a home without the RSA key keeps."""

from pathlib import Path

from bitdust.crypt.device import DeviceKey, check_certificate
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.wire.encoding import WireError
from bitdust.wire.records import DeviceCertificate

CERTIFICATE = "certificate"
SEALED = b"sealed "
"""What a device key begins with that only the master key opens."""


def read_device(path: Path, master: MasterKey | None) -> DeviceKey:
    """Raises `OSError`, `ValueError`."""
    kept = path.read_bytes().strip()
    if not kept.startswith(SEALED):
        return DeviceKey.from_seed(bytes.fromhex(kept.decode()))
    if master is None:
        raise WireError("key-needed", "the key of this device is sealed to the private key, which is not here")
    return DeviceKey.from_seed(master.unseal(bytes.fromhex(kept.removeprefix(SEALED).decode())))


def kept_device(device: DeviceKey, public: MasterPublic | None) -> bytes:
    """What a file holds of it: the key as it is, or sealed to the master key's public half."""
    if public is None:
        return device.seed.hex().encode()
    return SEALED + public.seal(device.seed).hex().encode()


def read_certificate(path: Path, spki: bytes) -> DeviceCertificate:
    """Raises `OSError`, `ValueError`."""
    certificate = DeviceCertificate.from_body(path.read_bytes())
    check_certificate(certificate, spki)
    return certificate
