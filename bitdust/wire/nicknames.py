"""Nicknames: words under which people may be found who do not know each other's ID server.

Several people may bear one nickname, each at a position of its own, which is a record of the hash table. A position
belongs to whoever has it until its record expires; nobody else's record is taken there.
"""

import re
from typing import Any, ClassVar

from attrs import asdict, frozen

from bitdust.wire.encoding import encode
from bitdust.wire.names import BadName
from bitdust.wire.records import Record
from bitdust.wire.schema import Bytes, Flag, Int, Optional, Schema, Text

POSITIONS = 16
LONGEST = 32
NICKNAME = re.compile(rf"[a-z0-9][a-z0-9_.-]{{1,{LONGEST - 2}}}[a-z0-9]")


def read_nickname(text: str) -> str:
    """The nickname that is meant, in small letters. Raises `BadName`."""
    nickname = text.strip().lower()
    if not NICKNAME.fullmatch(nickname):
        raise BadName(f"{text[:100]!r} is no nickname: 3 to {LONGEST} of a-z 0-9 . - _, with a letter or digit first")
    return nickname


def is_nickname(text: str) -> bool:
    """Whether somebody may bear it."""
    return NICKNAME.fullmatch(text.strip().lower()) is not None


def subject(nickname: str, position: int) -> str:
    """Of the record at one position."""
    return f"{nickname}/{position}"


@frozen
class Nickname(Record):
    """Who bears a nickname, at which position. ``time`` is milliseconds since the epoch, the record's revision.

    One that is ``released`` says that its owner bears it no more.
    """

    KIND: ClassVar[str] = "nickname"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "nickname": Text(LONGEST),
        "position": Int(0, POSITIONS - 1),
        "time": Int(),
        "released": Optional(Flag()),
    }

    owner: bytes
    nickname: str
    position: int
    time: int
    released: bool = False

    def to_body(self) -> bytes:
        fields: dict[str, Any] = asdict(self)
        return encode(fields if self.released else {name: fields[name] for name in fields if name != "released"})

    @classmethod
    def from_body(cls, data: bytes) -> "Nickname":
        """Raises `WireError`."""
        found = cls(**cls.parse_fields(data))
        if read_nickname(found.nickname) != found.nickname:
            raise BadName("a nickname is written in small letters")
        return found

    @property
    def subject(self) -> str:
        """Of its record."""
        return subject(self.nickname, self.position)


@frozen
class Claim:
    """What stands at a position: somebody's word, and the key of the device that signed it."""

    nickname: Nickname
    device_key: bytes
