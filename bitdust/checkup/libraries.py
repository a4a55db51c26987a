"""What this program stands on: versions, and whether the fast parts are compiled. No Twisted."""

import importlib
import platform
import sys
from collections.abc import Callable
from typing import Any

from bitdust.checkup.finding import Finding, bad, ok, warn

SHOWN = ("twisted", "cryptography", "pyeclib", "blake3", "fastcdc", "zstandard", "cbor2", "attrs", "autobahn")
ISA_L = "isa_l_rs_cauchy"
NEEDED = (3, 11)


def libraries(load: Callable[[str], Any] = importlib.import_module) -> list[Finding]:
    """pyeclib works and has ISA-L, fastcdc is compiled, Python is new enough."""
    findings = [finding for finding in (_python(), _erasure(load), _chunks(load)) if finding is not None]
    names = ", ".join(f"{name} {_version(name)}" for name in SHOWN)
    return findings or [ok("libraries", f"Python {platform.python_version()}, {names}; ISA-L and fastcdc are compiled")]


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - only who asks for a checkup needs it

    try:
        return version(name)
    except PackageNotFoundError:
        return "(missing)"


def _python() -> Finding | None:
    if sys.version_info >= NEEDED:
        return None
    return bad("libraries", f"Python {platform.python_version()} is too old", "use Python 3.11 or newer")


def _erasure(load: Callable[[str], Any]) -> Finding | None:
    hint = "pip install --force-reinstall pyeclib   (from a wheel, or with liberasurecode and isa-l installed)"
    try:
        codes = load("pyeclib.ec_iface").VALID_EC_TYPES
    except (ImportError, OSError, AttributeError) as error:
        return bad("libraries", f"pyeclib cannot be loaded: {error}; files can neither be coded nor put together", hint)
    if ISA_L not in codes:
        return bad("libraries", f"pyeclib {_version('pyeclib')} has no ISA-L ({ISA_L})", hint)
    return None


def _chunks(load: Callable[[str], Any]) -> Finding | None:
    try:
        load("fastcdc.fastcdc_cy")
    except ImportError as error:
        hint = "pip install --force-reinstall --no-cache-dir fastcdc   (needs a C compiler where there is no wheel)"
        return bad("libraries", f"fastcdc is not compiled: {error}; nothing can be uploaded", hint)
    return None


def key_size(bits: int | None) -> list[Finding]:
    """Of the master key; None while there is none."""
    if bits is None:
        return []
    if bits < 2048:
        hint = "recovered keys keep their size; make a new identity (2048 bits or more) and move your files to it"
        return [warn("key size", f"your master key has {bits} bits, which can be broken with enough money", hint)]
    return [ok("key size", f"your master key has {bits} bits")]
