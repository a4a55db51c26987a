"""Other devices of mine: whoever believes itself alone may erase what another one builds on.

A device counts from the moment that anything was seen of it, in my document or as the head of a log at any supplier,
and this disk remembers it. Only the document's word that it counts no more ends that.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.device import device_id
from bitdust.identity.document import MAX_SIZE, IdentityDocument
from bitdust.identity.joining import join
from bitdust.identity.me import Me
from bitdust.outcome import Outcome, outcome
from bitdust.replication import are_enough
from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.log.requests import SILENCE, LogRequests
from bitdust.storage.ports import Ports
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command

SEEN = "devices-seen"
MOST_SEEN = 64
"""Devices that are remembered: then a supplier that invents heads fills no disk, and there are others for certain."""


class OtherDevices:
    """I know whether this device is the only one that writes, and can find out."""

    log = Logger()

    def __init__(self, me: Me, catalog: Catalog, requests: LogRequests, ports: Ports) -> None:
        self._me = me
        self._catalog = catalog
        self._requests = requests
        self._ports = ports
        self.nameless: Signal[[str, frozenset[bytes]]] = Signal()
        """Devices under a key that others may write to, of which nobody knows whose they are."""

    def is_alone(self) -> bool:
        """Whether no other device that counts, or may count, was ever seen."""
        return not any(self._may_write(device) for device in {*self._seen(), *self._in_document()})

    def _may_write(self, device: bytes) -> bool:
        known = self._me.document.device(device)
        is_mine = device == self._me.device.id or (known is None and device in self._of_guests())
        return not is_mine and (known is None or known.revoked is None)

    def guest_keys(self) -> set[str]:
        """Keys of mine under which others bring files, or did: what they build on may be unheard here."""
        keys = self._me.key_ring.keys if self._me.present else {}
        return {name for name, key in keys.items() if any(grant.writes for grant in key.grants)}

    def look_for_nameless(self, listed: Mapping[str, Iterable[bytes]]) -> None:
        """Report those of the devices that a supplier lists under each key: guests may have new ones."""
        named = self._of_guests() | self._in_document()
        for key in self.guest_keys() & listed.keys():
            if nameless := frozenset(listed[key]) - named:
                self.nameless.emit(key, nameless)

    def _of_guests(self) -> set[bytes]:
        keys = self._me.key_ring.keys.values()
        return {device_id(one) for key in keys for grant in key.grants for one in grant.devices}

    def _in_document(self) -> set[bytes]:
        return {device.id for device in self._me.document.devices}

    def _seen(self) -> set[bytes]:
        kept = meta(self._catalog.read, SEEN)
        return set(decode(kept, 4096)) if kept is not None else set()

    async def note(self, devices: set[bytes]) -> None:
        """Remember these, and those of my document."""
        known = self._seen()
        news = ({*devices, *self._in_document()} - {self._me.device.id}) - known
        if news and len(known) < MOST_SEEN:
            data = encode(sorted(known | news)[:MOST_SEEN])
            await self._catalog.change(lambda database: set_meta(database, SEEN, data))

    async def look(self) -> bool:
        """Ask suppliers for my newest document and the heads of all logs; whether N−k+1 of them were heard.

        A device joins the document before it reads, and reads from k suppliers at least: whoever has read what is to be
        erased is named by one of these. Nobody waits for those who are silent.
        """
        family = self._ports.family()
        online = [who for who in family.holders if self._ports.is_online(who)] if family is not None else []
        heard: set[bytes] = set()
        left = set(online)
        enough: Deferred[bool] = Deferred()

        def answered(answer: Outcome, supplier: bytes) -> None:
            left.discard(supplier)
            if answer.error is None:
                heard.add(supplier)
            is_enough = family is not None and are_enough(family, heard, False)
            if not enough.called and (is_enough or not left):
                enough.callback(is_enough)

        for supplier in online:
            outcome(Deferred.fromCoroutine(self._ask(supplier))).addCallback(answered, supplier)
        return await enough if online else False

    async def _ask(self, supplier: bytes) -> None:
        await self.take_document(supplier)
        await self.note({seen.head.device for seen in await self._requests.heads(supplier)})

    async def take_document(self, supplier: bytes) -> None:
        """Join what a supplier knows of my identity."""
        asking: Deferred[Any] = self._ports.outbox.send(
            supplier, Command.RETRIEVE, {"kind": "identity"}, deadline=SILENCE, max_answer=MAX_SIZE
        )
        reply = await outcome(asking)
        if reply.code == "not-found":
            return
        if reply.error is not None:
            raise reply.error
        try:
            join(self._me, IdentityDocument.parse(bytes(reply.value.payload)))
        except BitDustError as error:
            self.log.warn("what a supplier gave is no document of mine: {error}", error=error)
