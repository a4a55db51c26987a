"""What nicknames need of the hash table."""

from typing import Protocol

from twisted.internet.defer import Deferred

from bitdust.wire.nicknames import Claim, Nickname
from bitdust.wire.signed import Signed


class NicknameTable(Protocol):
    """Records of nicknames; `bitdust.dht.directory.Directory` is one."""

    def claims(self, nickname: str, position: int, /) -> "Deferred[list[Claim]]":
        """Everybody's newest word about a position, proven, those who have released it too."""

    def put_claim(self, nickname: Nickname, signed: Signed, /) -> "Deferred[bool]":
        """Store mine; whether more nodes keep it than have somebody else's. Fails where no node answers."""

    def identity_of(self, fingerprint: bytes, /) -> "Deferred[bytes | None]":
        """The newest document of a fingerprint."""
