"""The key file from the command line: written, read back, compared, and warned about where it is kept badly."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Any

import click

from bitdust.cli.asking import secret
from bitdust.cli.client import ApiError
from bitdust.cli.main import Session

MAX_KEY_FILE = 100_000


def back_up(session: Session, target: Path, passphrase: str, overwrite: bool, renew: str = "") -> dict[str, Any]:
    """Write the key file to ``target`` and check it; the answer of the check, with ``local_path`` and ``warnings``.

    ``renew`` lets the node write new hints into it, ``once`` when all suppliers are hired or ``always``.
    This process writes it, not the node: a service of the system sees other folders than the person does.
    """
    arguments = {"passphrase": passphrase} if passphrase else {}
    text: str = session.call("identity_backup", **arguments)["result"]
    write_key_file(target, text, overwrite)
    return check(session, target, passphrase, renew)


def check(session: Session, file: Path, passphrase: str, renew: str = "") -> dict[str, Any]:
    """Read a key file back and let the node compare it with its identity. Raises `ApiError`."""
    arguments = ({"passphrase": passphrase} if passphrase else {}) | ({"renew": renew} if renew else {})
    source = read_key_file(file)
    found: dict[str, Any] = session.call(
        "identity_backup_check", source_filepath=str(file), private_key_source=source, **arguments
    )
    return found | {"local_path": str(file), "warnings": warnings(session.home, file, found["counts"])}


def passphrase_of(source: str, passphrase_file: str | None) -> str:
    """The passphrase of a key file with this text, asked for where it has one; empty where it has none."""
    return secret(passphrase_file, "Passphrase of the key file", twice=False) if "ENCRYPTED" in source else ""


def warnings(home: Path, file: Path, counts: bool) -> list[str]:
    """What is wrong with where the copy is."""
    found = []
    if not counts:
        found.append(f"{file} lies in the home folder {home} and is lost with it: keep another copy elsewhere")
    elif file.stat().st_dev == home.stat().st_dev:
        found.append(f"{file} is on the same disk as {home}: bring a copy to another machine or medium")
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        found.append(f"others on this machine can read {file}")
    return found


def show_checked(found: dict[str, Any]) -> None:
    """For people."""
    click.echo(f"{found['local_path']} was read back: it holds your key" + _guard(found))
    for warning in found["warnings"]:
        click.echo(f"warning: {warning}", err=True)


def _guard(found: dict[str, Any]) -> str:
    return ", under its passphrase" if found["encrypted"] else "; whoever has the file is you: guard it"


def read_key_file(file: Path) -> str:
    """Its text. Raises `ApiError`."""
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise ApiError("os-error", f"{file} cannot be read: {error.strerror or error}") from None
    if len(text) > MAX_KEY_FILE:
        raise ApiError("too-large", f"{file} has more than {MAX_KEY_FILE} bytes; it is no key file")
    return text.decode(errors="replace")


def write_key_file(target: Path, text: str, overwrite: bool) -> None:
    """Whole or not at all, and private where the medium knows that (FAT does not). Raises `ApiError`."""
    if target.exists() and not (overwrite and target.is_file()):
        raise ApiError("exists", f"{target} exists; take another name, or --overwrite a file")
    temporary = target.with_name(f".part-{os.getpid()}-{target.name}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):
            os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise ApiError("os-error", f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
