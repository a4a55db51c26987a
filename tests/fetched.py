"""Programs of others that tests run, in folders of their own beside that of the environment; where their index cannot
be reached, those tests are skipped."""

import shutil
import subprocess
import sys
from pathlib import Path

CLIENTS = Path(sys.prefix) / "clients"
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1",
       "--timeout", "10", "--no-deps")  # fmt: skip


def fetch(target: Path, command: list[str]) -> bool:
    """Whether it is there now; the command gets the name of the folder that it is to fill as its last word."""
    if target.is_dir():
        return True
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        if subprocess.run([*command, str(part)], check=False).returncode:
            return False
    except FileNotFoundError:
        return False
    part.rename(target)
    return True


def fetch_python(name: str, version: str) -> bool:
    """A package of Python; what it needs, the environment has."""
    return fetch(CLIENTS / f"{name}-{version}", [*PIP, f"{name}=={version}", "--target"])
