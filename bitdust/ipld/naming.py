"""How new blocks are named."""

from attrs import frozen

from bitdust.ipld.cid import DAG_PB, RAW, Block, Cid
from bitdust.ipld.errors import too_large, unsupported
from bitdust.ipld.multihash import IDENTITY, LONGEST, SHA2_256, compute


@frozen
class Naming:
    """Version, hash function, and up to how many bytes a block stands in its CID (0: none does).

    Version 0 has one function. What it has no word for, blocks of bytes and those in their CID, has version 1 anyway.
    """

    version: int = 0
    function: int = SHA2_256
    inline: int = 0

    def __attrs_post_init__(self) -> None:
        if self.version not in (0, 1):
            raise unsupported(f"a CID of version {self.version}")
        if not self.version and self.function != SHA2_256:
            raise unsupported("a CID of version 0 has no other hash function than sha2-256")
        if self.inline > LONGEST:
            raise too_large(f"at most {LONGEST} bytes stand in a CID")

    def node(self, data: bytes) -> Block:
        """A dag-pb node."""
        function = self._function(data)
        return Block(Cid(1 if function == IDENTITY else self.version, DAG_PB, compute(data, function)), data)

    def raw(self, data: bytes) -> Block:
        """Bytes that are nothing but themselves."""
        return Block(Cid(1, RAW, compute(data, self._function(data))), data)

    def _function(self, data: bytes) -> int:
        return IDENTITY if self.inline > 0 and len(data) <= self.inline else self.function
