"""Trial over the whole suite, or what is named, in several processes; what went wrong is told in the order of names.

    python -m tests --jobs 2 --temp-directory /tmp/bitdust-trial [tests.unit.test_x]
"""

import sys

from twisted.scripts import trial
from twisted.trial.reporter import TreeReporter


class InOrder(TreeReporter):
    """Side by side tests end in any order; a summary is read, and compared with another one, by names."""

    def done(self) -> None:
        for found in (self.skips, self.expectedFailures, self.failures, self.errors, self.unexpectedSuccesses):
            found.sort(key=lambda one: str(one[0].id()))
        super().done()


def main(arguments: list[str]) -> bool:
    """Whether all is well."""
    options = trial.Options()
    options.parseOptions(arguments)
    if not options["tests"]:
        options["tests"] = ["tests"]
    options["reporter"] = InOrder
    return bool(trial._makeRunner(options).run(trial._getSuite(options)).wasSuccessful())


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
