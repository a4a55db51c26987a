"""How the DHT looks to people."""

from typing import Any

from bitdust.dht.contact import Contact
from bitdust.dht.peers import Peers
from bitdust.dht.records import DEBUG, DHTRecord
from bitdust.dht.store import Kept, RecordStore
from bitdust.dht.traffic import Traffic


def describe_record(kept: Kept) -> dict[str, Any]:
    """One record for `dht_local_db_dump`; only debugging values are shown as text."""
    record = DHTRecord.from_bytes(kept.data)
    subject = record.subject if isinstance(record.subject, str) else record.subject.hex()
    value = record.value.decode("utf-8", "replace") if record.type == DEBUG else None
    return {
        "key": kept.key.hex(),
        "layer_id": kept.layer,
        "type": record.type,
        "subject": subject,
        "revision": record.revision,
        "expires": record.expires,
        "size": len(kept.data),
        "mine": kept.mine,
        "value": value,
    }


def layer_status(layer: int, own: Contact, peers: Peers, store: RecordStore, traffic: Traffic) -> dict[str, Any]:
    """One layer for `network_status`."""
    table = peers.tables.get(layer)
    return {
        "layer_id": layer,
        "data_store_items": store.items(layer),
        "node_items": 0 if table is None else len(table),
        "node_id": own.id.hex(),
        "buckets": 0 if table is None else len(table.buckets()),
        "contacts": [] if table is None else [contact.text for contact in table.contacts()],
        "attached": own.attached(layer),
        "active": own.attached(layer) and table is not None and len(table) > 0,
        "packets_received": traffic.received_by_layer[layer],
        "packets_sent": traffic.sent_by_layer[layer],
        "rpc_calls": traffic.calls[layer],
        "rpc_responses": traffic.responses[layer],
    }
