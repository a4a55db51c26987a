"""Signals: how one part reports to others without knowing them."""

from collections.abc import Callable
from typing import Generic, ParamSpec

from twisted.logger import Logger

P = ParamSpec("P")
Disconnect = Callable[[], None]


class Signal(Generic[P]):
    """Listeners are called in the order in which they connected, in the turn of `emit`.

    A listener that raises is logged and keeps nobody else from being called. Connecting or disconnecting while a signal
    is emitted takes effect for listeners that were not reached yet. The same callable may be connected twice.
    """

    log = Logger()

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[P, object]] = {}

    def connect(self, listener: Callable[P, object]) -> Disconnect:
        """Call ``listener`` at every `emit` from now on; the answer disconnects it and may be called again."""
        key = object()
        self._listeners[key] = listener

        def disconnect() -> None:
            self._listeners.pop(key, None)

        return disconnect

    @property
    def connected(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def emit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call every listener."""
        for key in list(self._listeners):
            listener = self._listeners.get(key)
            if listener is None:
                continue
            try:
                listener(*args, **kwargs)
            except Exception:  # noqa: BLE001 - one listener must not keep the others from being called
                self.log.failure("a listener of a signal failed: {listener}", listener=repr(listener)[:200])
