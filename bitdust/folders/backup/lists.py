"""Lists of one folder that devices have told to suppliers: each is taken into the journal, or is shown as refused."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.blocks.backup.others import FOR_GOOD
from bitdust.blocks.backup.shelf import Shelf
from bitdust.folders.backup.formats import LONGEST_HEAD, STATE, RecordReader, Told, read_head
from bitdust.folders.backup.index import SupplierIndex
from bitdust.folders.portions import Taken
from bitdust.folders.store import Store
from bitdust.wire.errors import BitDustError

PORTION = 2 * LONGEST_HEAD
"""Bytes of a list that are read at once."""
FORMER, REFUSED = "former-list", "list-refused"
_LASTING = (*FOR_GOOD, "bad-field", FORMER, REFUSED)


class Learner(Protocol):
    """Where records of lists go."""

    store: Store

    def learn(self, records: Sequence[bytes], public: bytes) -> "Deferred[Taken]":
        """Take records in, whoever has brought them."""


@frozen
class _Refused:
    version: str
    error: BitDustError


class Lists:
    """Versions of files are given to me by the rest of their names, behind that of the folder."""

    log = Logger()

    def __init__(self, learner: Learner, shelf: Shelf, index: SupplierIndex, label: str) -> None:
        self._learner = learner
        self._shelf = shelf
        self._index = index
        self._label = label
        self._run = learner.store.run
        self._refused: dict[str, _Refused] = {}

    @property
    def problem(self) -> str:
        """Which lists are not taken in, and why; empty where none is refused."""
        texts = [f"{one.error.code}: {one.error} ({name})" for name, one in sorted(self._refused.items())]
        return "; ".join(texts[:3])

    async def take(self, versions: Mapping[str, str]) -> None:
        """Take in what is not in this journal yet. Fails where one cannot be had now."""
        lists = await self._present(versions)
        self._refused = {
            name: one
            for name, one in self._refused.items()
            if lists.get(name) == one.version and one.error.code in (FORMER, REFUSED)
        }
        taken = await self._run(self._index.states)
        for name, version in sorted(lists.items()):
            if taken.get(name) != version and name not in self._refused:
                await self._take(name, version)

    async def untaken(self, versions: Mapping[str, str]) -> set[str]:
        """Lists whose records are not in this journal, as they are now."""
        taken = await self._run(self._index.states)
        return {name for name, version in versions.items() if name.endswith(STATE) and taken.get(name) != version}

    async def heads(self, versions: Mapping[str, str], mine: str) -> None:
        """See that it is known what each list of another device needs. Fails where that is not known of one."""
        known = await self._run(self._index.heads)
        for name, version in sorted((await self._present(versions)).items()):
            if name != mine and known.get(name) != version:
                await self._head(name, version)

    async def _present(self, versions: Mapping[str, str]) -> dict[str, str]:
        lists = {name: version for name, version in versions.items() if name.endswith(STATE)}
        await self._run(self._index.drop_states, set(await self._run(self._index.heads)) - set(lists))
        return lists

    async def _take(self, name: str, version: str) -> None:
        try:
            told = await self._records(name, version)
        except BitDustError as error:
            if error.code not in _LASTING:
                raise
            self._refused[name] = _Refused(version, error)
            self.log.warn("a list of a folder at suppliers is not taken in: {why}", why=str(error))
            return
        await self._run(self._index.note_state, name, version, told.time, told.segments)

    async def _head(self, name: str, version: str) -> tuple[Told, int, bytes]:
        data = await self._shelf.read(f"{self._label}-{name}", 0, PORTION)
        told, begin = read_head(data, self._shelf.secrets())
        await self._run(self._index.note_head, name, version, told.time, told.segments)
        return told, begin, data

    async def _records(self, name: str, version: str) -> Told:
        told, begin, data = await self._head(name, version)
        if told.is_former:
            raise BitDustError(FORMER, "a list there is of a former version of this program, and cannot be read")
        reader, offset = RecordReader(), len(data)
        data, refused, problem = data[begin:], 0, ""
        while data:
            taken = await self._learner.learn(list(reader.take(data)), told.public)
            refused, problem = refused + taken.refused, taken.problem or problem
            data = await self._shelf.read(f"{self._label}-{name}", offset, PORTION)
            offset += len(data)
        reader.end()
        if refused:
            raise BitDustError(REFUSED, f"{refused} records of a list there were refused: {problem}")
        return told
