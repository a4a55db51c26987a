"""The tests. `python -m tests` runs all of them; trial runs what is named."""

import gc

from tests.lifeline import begin

WATCHER = begin()
# A run holds every module and a whole network at a time: with Python's own 700 a sixth of it goes into looking at them.
gc.set_threshold(50_000, 20, 50)
