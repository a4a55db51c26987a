"""An older version of the client, in a folder of its own beside that of the environment: ``python -m
tests.ipfs_seed.older`` brings it there from the package index. What it needs, the environment has."""

import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "0.7.0"
FOLDER = Path(sys.prefix) / "clients" / f"ipfshttpclient-{VERSION}"
MISSING = f"ipfshttpclient {VERSION} is not in {FOLDER}: make clients, where the package index can be reached"


def install() -> bool:
    """Whether it is there now."""
    if FOLDER.is_dir():
        return True
    part = FOLDER.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    how = ("--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10", "--no-deps")
    command = [sys.executable, "-m", "pip", "install", *how, "--target", str(part), f"ipfshttpclient=={VERSION}"]
    if subprocess.run(command, check=False).returncode:
        return False
    part.rename(FOLDER)
    return True


if __name__ == "__main__" and not install():
    sys.stderr.write(f"{MISSING}; its tests are skipped\n")
