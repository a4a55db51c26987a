"""Collections of garbage in tests that ask for one: in a process that has run much each would take a second or two."""

import gc

from twisted.trial.unittest import SynchronousTestCase


def only_what_is_new(case: SynchronousTestCase) -> None:
    """Until the end of the test a collection passes over what is there now."""
    gc.freeze()
    case.addCleanup(gc.unfreeze)
