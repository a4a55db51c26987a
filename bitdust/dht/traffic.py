"""Counters of what went over the wire, by layer."""

from collections import Counter

from attrs import define, field


@define
class Traffic:
    """Bytes and messages since the start."""

    bytes_in: int = 0
    bytes_out: int = 0
    refused: int = 0
    sent_by_layer: Counter[int] = field(factory=Counter)
    received_by_layer: Counter[int] = field(factory=Counter)
    calls: Counter[int] = field(factory=Counter)
    responses: Counter[int] = field(factory=Counter)

    def came(self, size: int) -> None:
        """A datagram, whatever it may hold."""
        self.bytes_in += size

    def sent(self, layer: int, datagrams: int, size: int) -> None:
        """A message went out."""
        self.bytes_out += size
        self.sent_by_layer[layer] += datagrams

    def queried(self, layer: int) -> None:
        """A query was read."""
        self.received_by_layer[layer] += 1

    def called(self, layer: int) -> None:
        """A question was asked."""
        self.calls[layer] += 1

    def answered(self, layer: int) -> None:
        """An answer to our question was read."""
        self.responses[layer] += 1
        self.received_by_layer[layer] += 1
