"""The API's secret: one file that only its owner reads."""

import base64
import os
import re
from pathlib import Path

from bitdust.crypt.files import make_private_folder, write_safely
from bitdust.world import World

SECRET_BYTES = 24
_SECRET = re.compile(r"[A-Za-z0-9_=-]{16,100}")


def api_secret(world: World) -> bytes:
    """The secret in ``<home>/apisecret``; made when there is none. ``metadata/apisecret`` links to it."""
    path = world.home / "apisecret"
    secret = _read(path)
    if secret is None:
        secret = base64.urlsafe_b64encode(world.entropy(SECRET_BYTES)).decode()
        write_safely(path, secret.encode(), 0o600)
    os.chmod(path, 0o600)
    _link(world.home / "metadata")
    return secret.encode()


def _read(path: Path) -> str | None:
    try:
        text = path.read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return text if _SECRET.fullmatch(text) else None


def _link(folder: Path) -> None:
    make_private_folder(folder)
    link = folder / "apisecret"
    if link.is_symlink() or link.exists():
        if link.is_symlink() and os.readlink(link) == "../apisecret":
            return
        link.unlink()
    link.symlink_to("../apisecret")
