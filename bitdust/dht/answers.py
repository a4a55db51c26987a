"""What a node answers to others."""

import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bitdust.crypt.device import DeviceKey
from bitdust.dht.contact import Contact
from bitdust.dht.ids import number
from bitdust.dht.limits import Rates
from bitdust.dht.messages import MAX_NODES, Message, pong_message
from bitdust.dht.peers import Peers
from bitdust.dht.records import Checker, DHTRecord
from bitdust.dht.store import RecordStore
from bitdust.wire.encoding import WireError

Address = tuple[str, int]
SIGNATURES = (20.0, 200.0)
STORES = (10.0, 200.0)
UNSHOWN_SIGNATURES = (500.0, 1000.0)
NODES_BESIDE = 8
"""So many nodes are named beside a record, and fit one message with it: whoever asks goes on to nearer ones."""
_EVERYBODY = "everybody"


@frozen
class Kit:
    """What serving needs."""

    clock: IReactorTime
    wall: Callable[[], float]
    device: DeviceKey
    store: RecordStore
    checker: Checker
    info: Callable[[], dict[str, bytes]]
    stored: Callable[[bytes], None]


class Answers:
    """I serve queries, within limits per host; a signature for an address that showed no token is limited in all."""

    log = Logger()

    def __init__(self, kit: Kit, own: Contact, peers: Peers) -> None:
        self._kit = kit
        self._own = own
        self._peers = peers
        self._signatures = Rates(*SIGNATURES)
        self._unshown = Rates(*UNSHOWN_SIGNATURES)
        self._stores = Rates(*STORES)
        self._serve: dict[str, Callable[[Message, Address, bool], dict[str, Any] | None]] = {
            "ping": self._ping,
            "find_node": self._find_node,
            "find_value": self._find_value,
            "store": self._store,
            "info": self._info,
        }

    def answered(self, contact: Contact, reply: Message) -> None:
        """Pass on that a contact lives."""
        self._peers.answered(contact, reply)

    def silent(self, contact: Contact) -> None:
        """Pass on that a contact was silent."""
        self._peers.silent(contact)

    def serve(self, query: Message, address: Address, shown: bool) -> dict[str, Any] | None:
        """The reply's fields."""
        fields = self._serve[query["q"]](query, address, shown)
        if shown:
            # Whoever has shown no token may not be there at all: a ping to him would be our flood at somebody else.
            self._peers.asked_by(query, address)
        return fields

    def _ping(self, query: Message, address: Address, shown: bool) -> dict[str, Any] | None:
        nonce = query.get("nonce")
        if nonce is None:
            return {}
        now = self._kit.clock.seconds()
        if not self._signatures.allow(address[0], now) or not (shown or self._unshown.allow(_EVERYBODY, now)):
            return None
        return {"signature": self._kit.device.sign(pong_message(nonce, self._own.id, query["n"]))}

    def _find_node(self, query: Message, address: Address, shown: bool) -> dict[str, Any]:
        return {"nodes": self._nodes(query["target"], query, address)}

    def _find_value(self, query: Message, address: Address, shown: bool) -> dict[str, Any]:
        data = self._kit.store.get(query["key"], self._kit.wall())
        if data is not None:
            return {"record": data, "nodes": self._nodes(query["key"], query, address, NODES_BESIDE)}
        return {"nodes": self._nodes(query["key"], query, address)}

    def _nodes(self, target: bytes, query: Message, address: Address, most: int = MAX_NODES) -> bytes:
        return self._peers.contacts_for(number(target), query["l"], query["n"], address[0], most)

    def _store(self, query: Message, address: Address, shown: bool) -> dict[str, Any]:
        if not shown:
            return {"stored": False, "code": "bad-token"}
        if not self._stores.allow(address[0], self._kit.clock.seconds()):
            return {"stored": False, "code": "busy"}
        return self.keep(query["record"], query["l"])

    def keep(self, data: bytes, layer: int, mine: bool = False) -> dict[str, Any]:
        """Check a record and keep it: ``stored``, and ``code`` and ``revision`` where it is refused."""
        key = None
        try:
            record = DHTRecord.from_bytes(data)
            key = record.key(layer)
            if mine or self._kit.store.get(key, self._kit.wall()) != data:
                record = self._kit.checker.check(data, self._kit.wall())
                self._kit.store.add(record, data, layer, self._kit.wall(), mine)
        except WireError as error:
            revision = self._kit.store.revision(key) if key is not None else None
            return {"stored": False, "code": error.code, "revision": revision}
        except sqlite3.Error as error:
            self.log.warn("a DHT record could not be kept: {error}", error=error)
            return {"stored": False, "code": "no-space"}
        self._kit.stored(key)
        return {"stored": True}

    def _info(self, query: Message, address: Address, shown: bool) -> dict[str, Any]:
        return dict(self._kit.info()) if shown else {}
