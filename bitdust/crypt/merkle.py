"""Merkle trees over pieces: the shape of RFC 6962, section 2.1, 64 KiB leaves, BLAKE3 as the hash.

Leaves and nodes are told apart by BLAKE3's own means, a context each (its mode ``derive_key``), so that no content of a
leaf can pass for a node.
"""

from blake3 import blake3

LEAF_CONTEXT = "BitDust 2026-11 piece leaf"
NODE_CONTEXT = "BitDust 2026-11 piece node"
LEAF_SIZE = 64 * 1024
Buffer = bytes | bytearray | memoryview


def _leaf(data: Buffer) -> bytes:
    return blake3(data, derive_key_context=LEAF_CONTEXT).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return blake3(left + right, derive_key_context=NODE_CONTEXT).digest()


class MerkleHasher:
    """The root of bytes that come in parts; keeps one hash a level, not the data."""

    def __init__(self) -> None:
        self._pending = blake3(derive_key_context=LEAF_CONTEXT)
        self._filled = 0
        self._leaves = 0
        self._stack: list[tuple[int, bytes]] = []

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        while view:
            if self._filled == LEAF_SIZE:
                self._close_leaf()
            part = view[: LEAF_SIZE - self._filled]
            self._pending.update(part)
            self._filled += len(part)
            view = view[len(part) :]

    def _close_leaf(self) -> None:
        self._push(0, self._pending.digest())
        self._pending = blake3(derive_key_context=LEAF_CONTEXT)
        self._filled = 0

    def _push(self, level: int, digest: bytes) -> None:
        while self._stack and self._stack[-1][0] == level:
            digest = _node(self._stack.pop()[1], digest)
            level += 1
        self._stack.append((level, digest))

    def root(self) -> bytes:
        """The root of all bytes so far (32 bytes); of nothing at all that of one empty leaf."""
        stack = [digest for _, digest in self._stack]
        if self._filled:
            return _finish([*self._stack], self._pending.digest())
        if not stack:
            return _leaf(b"")
        digest = stack.pop()
        while stack:
            digest = _node(stack.pop(), digest)
        return digest


def _finish(stack: list[tuple[int, bytes]], digest: bytes) -> bytes:
    level = 0
    while stack and stack[-1][0] == level:
        digest = _node(stack.pop()[1], digest)
        level += 1
    while stack:
        digest = _node(stack.pop()[1], digest)
    return digest


def root(data: Buffer) -> bytes:
    """The root of a whole piece."""
    hasher = MerkleHasher()
    hasher.update(data)
    return hasher.root()


def proof(data: Buffer, leaf: int) -> list[bytes]:
    """The audit path (RFC 6962, section 2.1.1) of one leaf, from the leaf to the root."""
    return rooted_proof(data, leaf)[1]


def rooted_proof(data: Buffer, leaf: int) -> tuple[bytes, list[bytes]]:
    """The root of a piece and the audit path of one leaf: each byte is hashed once for both."""
    view = memoryview(data)
    leaves = [_leaf(view[start : start + LEAF_SIZE]) for start in range(0, len(view), LEAF_SIZE)]
    if not 0 <= leaf < len(leaves):
        raise IndexError(f"there is no leaf {leaf} among {len(leaves)}")
    return _tree(leaves), _path(leaf, leaves)


def leaves_of(size: int) -> int:
    """How many leaves a piece of so many bytes has."""
    return max(1, -(-size // LEAF_SIZE))


def leaf_size(size: int, leaf: int) -> int:
    """Bytes of one leaf of a piece of ``size`` bytes."""
    return max(0, min(LEAF_SIZE, size - leaf * LEAF_SIZE))


def _split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def _tree(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    middle = _split(len(leaves))
    return _node(_tree(leaves[:middle]), _tree(leaves[middle:]))


def _path(leaf: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if leaf < middle:
        return [*_path(leaf, leaves[:middle]), _tree(leaves[middle:])]
    return [*_path(leaf - middle, leaves[middle:]), _tree(leaves[:middle])]


def check_proof(content: Buffer, leaf: int, leaves: int, path: list[bytes], expected: bytes) -> bool:
    """Whether ``content`` is leaf number ``leaf`` of a piece of ``leaves`` leaves whose root is ``expected``."""
    if not 0 <= leaf < leaves:
        return False
    rest = list(path)
    try:
        found = _climb(_leaf(content), leaf, leaves, rest)
    except IndexError:
        return False
    return not rest and found == expected


def _climb(digest: bytes, leaf: int, leaves: int, path: list[bytes]) -> bytes:
    if leaves == 1:
        return digest
    middle = _split(leaves)
    if leaf < middle:
        below = _climb(digest, leaf, middle, path)
        return _node(below, path.pop(0))
    below = _climb(digest, leaf - middle, leaves - middle, path)
    return _node(path.pop(0), below)
