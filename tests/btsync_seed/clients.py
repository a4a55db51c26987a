"""Unmodified clients of the API, of Python and of Node: ``python -m tests.btsync_seed.clients`` brings them."""

import sys

from tests.fetched import CLIENTS, fetch, fetch_python

PYTHON, JAVASCRIPT = ("pybtsync", "0.0.3"), ("bittorrent-sync", "0.0.3")
PYTHON_FOLDER, JAVASCRIPT_FOLDER = (CLIENTS / "-".join(one) for one in (PYTHON, JAVASCRIPT))
MISSING = "{} is not in {}: make clients, where its package index can be reached"
NPM = ["npm", "install", "--silent", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts",
       "--fetch-retries", "0", "--fetch-timeout", "20000"]  # fmt: skip
MISSING_PYTHON = MISSING.format(" ".join(PYTHON), PYTHON_FOLDER)
MISSING_JAVASCRIPT = MISSING.format(" ".join(JAVASCRIPT), JAVASCRIPT_FOLDER)


def install() -> list[str]:
    """What is missing all the same."""
    found = []
    if not fetch_python(*PYTHON):
        found.append(MISSING_PYTHON)
    if not fetch(JAVASCRIPT_FOLDER, [*NPM, "@".join(JAVASCRIPT), "--prefix"]):
        found.append(MISSING_JAVASCRIPT)
    return found


if __name__ == "__main__":
    for line in install():
        sys.stderr.write(f"{line}; its tests are skipped\n")
