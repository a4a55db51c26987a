"""The models of shares, and of files in shares."""

from collections.abc import Callable

from bitdust.api.context import Context, Row
from bitdust.api.people import settled
from bitdust.api.shares import share_row
from bitdust.api.sources import Changed, Forget, Snapshot
from bitdust.automats.kernel import Transition
from bitdust.automats.shared_access_coordinator import SharedAccessCoordinator
from bitdust.events import Event
from bitdust.shares.room import Share
from bitdust.storage.catalog.changes import Touched
from bitdust.storage.catalog.view import CatalogView
from bitdust.storage.shared.catalog import SharedCatalog
from bitdust.wire.names import SHARE_PREFIX

EVENTS = ("share-changed", "share-received", "share-granted", "share-revoked", "private-key-shared")


class SharedLocations:
    """``shared_location``: id is the key id; data as `share_info` shows it."""

    service: str | None = "shared_data"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, Row] = {}

    async def all(self) -> list[Snapshot]:
        return [self._snapshot(share) for share in self._context.shares.all()]

    def watch(self, changed: Changed) -> Forget:
        self._known = {share.key_id: share_row(self._context, share) for share in self._context.shares.all()}

        def moved(move: Transition) -> None:
            if move.name == SharedAccessCoordinator.name and move.new != move.old:
                self._compare(changed)

        def happened(event: Event) -> None:
            if event.id in EVENTS:
                self._compare(changed)

        forgets = (self._context.registry.on_transition(moved), self._context.events.subscribe(happened))

        def forget() -> None:
            for one in forgets:
                one()

        return forget

    def _compare(self, changed: Changed) -> None:
        before, self._known = self._known, {}
        for share in self._context.shares.all():
            found = self._snapshot(share)
            self._known[found.id] = found.data
            if before.get(found.id) != found.data:
                changed(found)
        for ident in before.keys() - self._known.keys():
            changed(Snapshot(ident, before[ident], deleted=True))

    def _snapshot(self, share: Share) -> Snapshot:
        return Snapshot(share.key_id, share_row(self._context, share))


class SharedFiles:
    """``shared_file``: id is ``key_id:path_id``, which every method takes as a remote path; data as `file_info` shows
    it, with that id as ``global_id``. All files of shares of yours, and of those of others that are open."""

    service: str | None = "shared_data"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def all(self) -> list[Snapshot]:
        found: list[Snapshot] = []
        for share in self._context.shares.all():
            if share.opened is not None and (share.mine is None or self._context.storage.is_open):
                rows = await settled(self._context.storage.list(None, share.key_id, True, False, False))
                found += [_snapshot(row) for row in rows]
        return found

    def watch(self, changed: Changed) -> Forget:
        storage, forgets = self._context.storage, list[Callable[[], None]]()

        def follow(shared: SharedCatalog) -> None:
            forgets.append(shared.changes.watch(lambda found: _touched(shared.view, found, changed)))

        def mine(found: list[Touched]) -> None:
            if storage.is_open:
                view = storage.core.view
                of_shares = [one for one in found if view.key_of(one.path).startswith(SHARE_PREFIX)]
                _touched(view, of_shares, changed)

        for shared in storage.catalogs.shared():
            follow(shared)
        forgets += [storage.catalogs.opened.connect(follow), storage.changes.watch(mine)]

        def forget() -> None:
            while forgets:
                forgets.pop()()

        return forget


def _touched(view: CatalogView, found: list[Touched], changed: Changed) -> None:
    if not view.catalog.is_open:
        return
    for one in found:
        row = view.living(one.path) if not one.version else None
        key_id = view.key_of(one.path)
        ident = f"{key_id}:{one.path}"
        if row is not None:
            changed(_snapshot(row))
        elif not one.version:
            changed(Snapshot(ident, {"global_id": ident, "key_id": key_id, "path_id": one.path}, deleted=True))


def _snapshot(row: Row) -> Snapshot:
    ident = f"{row['key_id']}:{row['path_id']}"
    return Snapshot(ident, row | {"global_id": ident})
