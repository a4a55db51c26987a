"""Crash points: a scenario is run once for each change that it makes to a disk, and that change is where it breaks.

    python -m tests.grid.crash upload 1 50 --how before

breaks the changes 1 to 50 of an upload, one a run; without numbers all of them, without ``--how`` in every way. It ends
with 1 when a run loses something, logs an error or gets stuck, and prints how to run it again. A scenario's name may
say whose disk breaks: ``upload:supplier-1``.
"""
