"""The event by which a supplier reports to a device what another device of the same owner has brought.

Of ``room`` all devices are told: more than half of it is taken, and others than its owner bring pieces.
"""

from collections.abc import Mapping

from bitdust.wire.schema import Bytes, Choice, ListOf, Schema

KIND = "brought"
LOG, KEY_RING, FAMILY, DELETIONS, ROOM = RECORDS = ("log", "keyring", "family", "deletions", "room")
APPENDED = "appended"
"""The kind of the event by which it reports to all who read the logs of a scope that there are new entries."""
APPENDED_FIELDS: Mapping[str, Schema] = {"kind": Choice((APPENDED,)), "owner": Bytes(32), "scope": Bytes(16)}
FIELDS: Mapping[str, Schema] = {"kind": Choice((KIND,)), "records": ListOf(Choice(RECORDS), len(RECORDS), 1)}
