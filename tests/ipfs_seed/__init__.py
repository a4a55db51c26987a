"""Seed 004, the reference of the Python client of IPFS: every method, and every example that is printed there.

``python -m tests.ipfs_seed PORT`` runs them through the client that Python finds, against a daemon that runs, and
writes what is wrong with each; `tests/processes/test_ipfs_seed.py` does it with two versions of the client, and
`tests/coverage.py` makes rows of the page of it. What the daemon does not have yet is found in its own table, the
command `commands`; an example runs as soon as its command is there.
"""
