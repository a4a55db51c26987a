"""The tests. `python -m tests` runs all of them; trial runs what is named."""

from tests.lifeline import begin

WATCHER = begin()
