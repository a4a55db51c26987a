"""The part of a log in which several people write that one device brings to those who keep it."""

from collections.abc import Callable

from bitdust.storage.catalog.catalog import LogEnd, begin_of
from bitdust.storage.log.replica import KeyLog, Next
from bitdust.storage.shared.lacks import Lacks
from bitdust.storage.shared.parts import Parts


class MemberPart(KeyLog):
    """The part of this device; those of others too where ``brings_all`` says that nobody else may be left to bring
    them."""

    parts: Parts
    brings_all: Callable[[], bool]
    lacks: Lacks

    def devices(self) -> list[bytes]:
        """Whose parts are brought, this device's first."""
        mine, heads = self._me.device.id, [one.head for one in self.parts.heads()]
        if not self.brings_all():
            due = self.lacks.to_be_brought()
            heads = [one for one in heads if (one.device, one.sequence) in due] if due else []
        return [mine, *(one.device for one in heads if one.device != mine)]

    def _signs_for(self, device: bytes) -> bool:
        return device == self._me.device.id

    def _head_sequence(self, device: bytes, end: LogEnd) -> int:
        known = self.parts.head(device)
        return end.sequence if self._signs_for(device) else known.head.sequence if known is not None else 0

    def _signed_head(self, device: bytes, end: LogEnd) -> bytes:
        known = self.parts.head(device)
        return super()._signed_head(device, end) if self._signs_for(device) or known is None else known.signed

    def _end_sent(self, found: Next, last: int) -> LogEnd:
        """Whoever gets a packet has a signed word for all that is in it."""
        return self.end_at(found.device, last) if self._signs_for(found.device) else found.end

    def _first(self, device: bytes) -> int:
        known = self.parts.head(device)
        begin = known.head.first or 1 if known is not None else 1
        return max(super()._first(device), self.begin() if self._signs_for(device) else begin)

    def begin(self) -> int:
        """The entry with which the part of this device begins."""
        return begin_of(self._catalog.read, self.key, self._me.device.id).first or 1

    def _needs_head(self, supplier: bytes, device: bytes, end: LogEnd) -> bool:
        return False

    def signed(self) -> bytes | None:
        """The head of this device's part; None before there is one."""
        device = self._me.device.id
        end = self.end(device)
        return self._signed_head(device, end) if end.sequence else None
