"""The event by which a supplier reports to a device what another device of the same owner has brought."""

from collections.abc import Mapping

from bitdust.wire.schema import Choice, ListOf, Schema

KIND = "brought"
LOG, KEY_RING, FAMILY, DELETIONS = RECORDS = ("log", "keyring", "family", "deletions")
FIELDS: Mapping[str, Schema] = {"kind": Choice((KIND,)), "records": ListOf(Choice(RECORDS), len(RECORDS), 1)}
