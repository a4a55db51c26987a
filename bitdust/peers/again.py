"""Who has just come may be there before its services are: what it could not answer yet is asked again soon."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.automats.kernel import doubled

SOON, LONGEST = 5.0, 600.0
"""Seconds until the next question, the first time and in the end; in between they double."""
NOT_YET = frozenset(("unknown-command", "busy", "no-answer", "session-lost"))
"""Codes after which the same question may be answered a little later."""


class AskAgain:
    """I call again for a peer that did not answer yet, as long as it is connected."""

    def __init__(
        self,
        clock: IReactorTime,
        connected: Callable[[bytes], bool],
        call: Callable[[bytes], object],
        longest: float = LONGEST,
    ) -> None:
        self._clock = clock
        self._connected = connected
        self._call = call
        self._longest = longest
        self._failures: dict[bytes, int] = {}
        self._calls: dict[bytes, IDelayedCall] = {}

    def later(self, peer: bytes) -> None:
        """It has not answered yet."""
        failures = self._failures.get(peer, 0)
        self.forget(peer)
        self._failures[peer] = failures + 1
        self._calls[peer] = self._clock.callLater(doubled(SOON, failures, self._longest), self._now, peer)

    def _now(self, peer: bytes) -> None:
        del self._calls[peer]
        if self._connected(peer):
            self._call(peer)
        else:
            self.forget(peer)

    def forget(self, peer: bytes) -> None:
        """It has answered, or has just come, or is asked no more."""
        self._failures.pop(peer, None)
        call = self._calls.pop(peer, None)
        if call is not None:
            call.cancel()

    def stop(self) -> None:
        """Nobody is asked any more."""
        for peer in list(self._failures):
            self.forget(peer)
