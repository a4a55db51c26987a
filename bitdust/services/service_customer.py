"""Contact with my suppliers."""

from typing import Any

from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy


class CustomerService(Service):
    """Connects the family that is hired already and keeps hold of it."""

    name = "customer"
    needs = ("p2p_hookups", "data_disintegration")
    needs_identity = True
    duty = "keeps contact with my suppliers and renews my contracts"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._on = False
        self._forget: Any = None

    def start(self) -> None:
        self._parts.hiring.open()
        self._forget = self._parts.family.on_change(self._watch)
        self._watch()
        self._on = True

    def _watch(self) -> None:
        for member in self._parts.family.holders:
            self._parts.presence.watch(member)

    def stop(self) -> None:
        self._on = False
        if self._forget is not None:
            self._forget()
            self._forget = None
        self._parts.hiring.close()

    def health(self) -> None:
        if not self._on:
            raise Unhealthy("my suppliers are not looked after")
