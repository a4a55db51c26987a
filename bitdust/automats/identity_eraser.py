"""Giving up the identity of this node: its services stop, its files go out of the way, and the process starts again."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IdentityEraserPort(Protocol):
    """What the machine acts on; `bitdust.identity_erasure.IdentityErasure` implements it for each erasure."""

    def stop_services(self) -> "Deferred[Any]":
        """Fires when nothing uses the files of the identity any more."""

    def erase_files(self) -> "Deferred[Any]":
        """Put the files aside or remove them, in a thread; a crash in the middle is finished by the next start."""

    def restart(self, payload: Any) -> None:
        """The identity is gone: end the process, which starts again without one."""

    def resume(self, reason: Any) -> None:
        """The identity stays: start the services again, and say why."""


class IdentityEraser(Machine):
    """Nothing is touched before every service has stopped; where one does not, the identity stays."""

    table = """
      # state     event             guard  next      actions
      AT_STARTUP  start             -      STOPPING  stop_services
      STOPPING    services-stopped  -      ERASING   erase_files
      STOPPING    failed            -      KEPT      resume
      STOPPING    timer-1min        -      KEPT      resume
      ERASING     erased            -      DONE      restart
      ERASING     failed            -      KEPT      resume
    """
    ignore = """
      AT_STARTUP  services-stopped erased failed
      STOPPING    start erased
      ERASING     start services-stopped
    """
    initial = "AT_STARTUP"
    final = ("DONE", "KEPT")
    failure = "failed"
    patient = ("ERASING",)
    """Files are renamed or removed in a thread; giving up in the middle would help nobody."""

    def __init__(self, registry: Registry, port: IdentityEraserPort) -> None:
        self._port = port
        super().__init__(registry)

    def stop_services(self, payload: Any) -> None:
        self.watch(self._port.stop_services(), "services-stopped", "failed")

    def erase_files(self, payload: Any) -> None:
        self.watch(self._port.erase_files(), "erased", "failed")

    def restart(self, payload: Any) -> None:
        self._port.restart(payload)

    def resume(self, payload: Any) -> None:
        self._port.resume(payload)
