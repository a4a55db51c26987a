"""What a device that this home has no more has said in a group, and nobody heard, is said by the one of today."""

import sqlite3
from collections.abc import Mapping

from attrs import evolve

from bitdust.formats.operations import Op
from bitdust.storage.catalog.database import set_meta
from bitdust.storage.log.renewal import Renewal
from bitdust.storage.shared.shortening import READ, handed_on
from bitdust.wire.encoding import WireError
from bitdust.wire.messages import Message


class MemberRenewal(Renewal):
    """I say it under the names of before, by which the history of this node knows it."""

    def _taken_back(self, database: sqlite3.Connection, device: bytes, heard: Mapping[str, int]) -> list[Op]:
        """What another program has said in its place was not handed on yet."""
        ops = super()._taken_back(database, device, heard)
        read = min([handed_on(database, device), *heard.values()])
        set_meta(database, READ + device.hex(), b"%d" % read)
        mine = self._me.device.id
        return [_by(op, mine) for op in ops]


def _by(op: Op, device: bytes) -> Op:
    try:
        message = Message.from_body(op["body"])
    except (WireError, KeyError):
        return op
    return op | {"body": evolve(message, sender_device=device).to_body()}
