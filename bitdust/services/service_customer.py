"""Contact with my suppliers."""

from typing import Any

from bitdust.customers.notices import KIND
from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy
from bitdust.transport.inbox import Answer, Request, Row, Who, ack
from bitdust.wire.packet import Command
from bitdust.wire.schema import Bytes, Choice, Int, Struct


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
        fields = Struct({"kind": Choice((KIND,)), "contract": Bytes(16), "until": Int()})
        self._row = Row(Command.CANCEL_SERVICE, KIND, fields, 0, Who.OWNER, "service_customer", self._notice)

    def start(self) -> None:
        self._parts.hiring.open()
        self._parts.gateway.inbox.add(self._row)
        self._forget = self._parts.family.on_change(self._watch)
        self._watch()
        self._on = True

    def _watch(self) -> None:
        for member in self._parts.family.holders:
            self._parts.presence.watch(member)

    def _notice(self, request: Request) -> Answer:
        """A supplier of mine says until when it answers; 0 when it stays."""
        self._parts.hiring.replacing.heard(request.peer.fingerprint, request.fields["until"])
        return ack()

    def stop(self) -> None:
        self._on = False
        self._parts.gateway.inbox.remove(self._row)
        if self._forget is not None:
            self._forget()
            self._forget = None
        self._parts.hiring.close()

    def health(self) -> None:
        if not self._on:
            raise Unhealthy("my suppliers are not looked after")
