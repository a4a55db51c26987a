"""Whole daemons: real processes, sockets and disks."""

from tests.processes import warm

warm.install()
