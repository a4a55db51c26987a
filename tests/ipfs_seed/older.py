"""An older version of the client, in a folder of its own beside that of the environment: ``python -m
tests.ipfs_seed.older`` brings it there from the package index. What it needs, the environment has."""

import sys

from tests.fetched import CLIENTS, fetch_python

NAME, VERSION = "ipfshttpclient", "0.7.0"
FOLDER = CLIENTS / f"{NAME}-{VERSION}"
MISSING = f"{NAME} {VERSION} is not in {FOLDER}: make clients, where the package index can be reached"


def install() -> bool:
    """Whether it is there now."""
    return fetch_python(NAME, VERSION)


if __name__ == "__main__" and not install():
    sys.stderr.write(f"{MISSING}; its tests are skipped\n")
