"""The tests. `python -m tests` runs all of them; trial runs what is named."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, configuration, settings
from twisted.logger import LogLevel
from twisted.trial import _synctest

from tests import keys
from tests.lifeline import begin

WATCHER = begin()
keys.install()
# Hypothesis takes seconds to learn about Unicode and about the constants of our modules. It may keep that; examples it
# may not, since no run should depend on another one.
configuration.set_hypothesis_home_dir(str(Path(__file__).parents[1] / ".hypothesis"))
# Whatever else runs on the machine, a test does not depend on speed.
settings.register_profile("unhurried", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
# Trial makes every module forget its warnings before each test; Python does so by itself when filters change, which
# trial does next.
_synctest._setWarningRegistryToNone = lambda modules: None
# Side by side each line of a log goes to the process that leads, which writes it down: what tells each step of a node
# is a thirtieth of the work of both. Without --jobs all of it is in test.log.
_main: Any = sys.modules["__main__"]
if hasattr(_main, "WorkerLogObserver"):
    _text_of = _main.textFromEventDict
    _steps = (LogLevel.debug, LogLevel.info)
    _main.textFromEventDict = lambda event: None if event.get("log_level") in _steps else _text_of(event)
# A run holds every module and a whole network at a time: with Python's own 700 a sixth of it goes into looking at them.
gc.set_threshold(50_000, 20, 50)
# It starts hundreds of processes: whatever the environment says, what was compiled is kept for the next one, to which
# compiling would be half of its start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
