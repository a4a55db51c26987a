"""What is amiss with a supplier, as far as my pieces, logs and key ring are concerned: codes, and words for people."""

from enum import StrEnum

from attrs import frozen

from bitdust.storage.keeping.audit_book import Standing
from bitdust.storage.keeping.audits import Audits
from bitdust.storage.log.keyring_replica import KeyRingReplicas
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.pieces.queues import SupplierQueues
from bitdust.storage.ports import Ports


class Code(StrEnum):
    """AWAY: no session. FULL, REFUSES: it takes no pieces. SILENT: they are on their way and none moves. NO_LOG,
    NO_KEY_RING, NO_FAMILY: it has not the newest of it. NOT_PROVEN: it failed its last audit."""

    AWAY = "away"
    FULL = "full"
    REFUSES = "refuses"
    SILENT = "silent"
    NO_LOG = "no-log"
    NO_KEY_RING = "no-key-ring"
    NO_FAMILY = "no-family"
    NOT_PROVEN = "not-proven"


@frozen
class Trouble:
    """One thing that is amiss; the text goes on after the name of the supplier."""

    code: Code
    text: str

    def as_dict(self) -> dict[str, str]:
        """As the API shows it."""
        return {"code": self.code.value, "text": self.text}


class Troubles:
    """I look at what is known of each supplier; nothing is asked for it."""

    def __init__(
        self,
        ports: Ports,
        queues: SupplierQueues,
        log_replicas: LogReplicas,
        key_ring_replicas: KeyRingReplicas,
        audits: Audits,
    ) -> None:
        self._ports = ports
        self._queues = queues
        self._log_replicas = log_replicas
        self._key_ring_replicas = key_ring_replicas
        self._audits = audits

    def of(self, supplier: bytes) -> list[Trouble]:
        """All that is amiss with a supplier, what matters most first."""
        found = [*self.of_pieces(supplier)]
        if self._audits.book.standing(supplier) is Standing.FAILED:
            found.append(Trouble(Code.NOT_PROVEN, "did not prove that it has your pieces"))
        if not self._log_replicas.is_held_by(supplier):
            found.append(Trouble(Code.NO_LOG, "has not the newest of your catalog"))
        if not self._key_ring_replicas.is_held_by(supplier):
            found.append(Trouble(Code.NO_KEY_RING, "has not your newest key ring"))
        return found

    def of_pieces(self, supplier: bytes) -> list[Trouble]:
        """Why a supplier takes no pieces now; nothing where it does."""
        if not self._ports.is_online(supplier):
            return [Trouble(Code.AWAY, "is away")]
        refusal = self._queues.refusal(supplier)
        if getattr(refusal, "code", "") == "no-space":
            return [Trouble(Code.FULL, f"is full: {refusal}")]
        if refusal is not None:
            return [Trouble(Code.REFUSES, f"takes no pieces: {refusal}")]
        return [Trouble(Code.SILENT, "does not answer")] if self._queues.is_silent(supplier) else []

    def name(self, supplier: bytes) -> str:
        """What a person calls a supplier."""
        return self._ports.names(supplier)[1] or supplier.hex()[:16]

    def why_wait(self, supplier: bytes) -> str:
        """A supplier that is waited for, and why, as far as that is known."""
        troubles = self.of_pieces(supplier)
        return f"{self.name(supplier)} ({troubles[0].text})" if troubles else self.name(supplier)
