"""The models: what a snapshot of each holds, and when one has changed."""

from collections.abc import Callable

from bitdust.api.context import Context, Row
from bitdust.api.friends import friend_row
from bitdust.api.keys import key_row
from bitdust.api.message_models import Conversations, Messages
from bitdust.api.people import document_of, settled
from bitdust.api.share_models import SharedFiles, SharedLocations
from bitdust.api.sources import Changed, Forget, Snapshot, Source
from bitdust.automats.kernel import Transition
from bitdust.automats.local_service import LocalService
from bitdust.automats.online_status import OnlineStatus
from bitdust.events import Event
from bitdust.people.friends.book import Friend
from bitdust.storage.catalog.changes import Touched
from bitdust.wire.names import is_hidden

MOST_UNSETTLED = 1_000
_OUTCOMES = {
    "STARTING": "starting",
    "ON": "started",
    "INFLUENCE": "stopping",
    "STOPPING": "stopping",
    "NOT_INSTALLED": "not_installed",
    "DEPENDS_OFF": "depends_off",
}


class Services:
    """``service``: id is the name, such as service_network; data as `service_info` shows it, and ``event``."""

    service: str | None = None

    def __init__(self, context: Context) -> None:
        self._context = context

    async def all(self) -> list[Snapshot]:
        return [self._snapshot(row) for row in self._context.driver.list()]

    def watch(self, changed: Changed) -> Forget:
        def moved(move: Transition) -> None:
            if move.name == LocalService.name and move.new != "CLOSED":
                row = self._context.driver.info(_inside(move.id))
                as_it_was = {"state": move.new, "since": move.time, "reason": ""}
                changed(self._snapshot(row if row["state"] == move.new else row | as_it_was))

        return self._context.registry.on_transition(moved)

    def _snapshot(self, row: Row) -> Snapshot:
        stopped = "failed" if row["reason"] and row["enabled"] else "stopped"
        return Snapshot(row["name"], row | {"event": _OUTCOMES.get(row["state"], stopped)})


def _inside(ident: str) -> str:
    """``network`` of ``local_service(network)``."""
    return ident.partition("(")[2].removesuffix(")")


class Keys:
    """``key``: id is the key id; data as `key_get` shows it without the private key, and ``event``."""

    service: str | None = "keys_registry"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, Row] = {}

    async def all(self) -> list[Snapshot]:
        return [Snapshot(ident, row | {"event": "present"}) for ident, row in self._rows().items()]

    def _rows(self) -> dict[str, Row]:
        me = self._context.me
        if not me.present:
            return {}
        rows = [key_row(self._context, key, False) for key in me.key_ring.living() if not is_hidden(key.key_id)]
        return {row["key_id"]: row for row in rows}

    def watch(self, changed: Changed) -> Forget:
        self._known = self._rows()
        hints = ("key-", "my-keys-", "local-identity-", "identity-", "my-identity-")

        def happened(event: Event) -> None:
            if event.id.startswith(hints):
                self._compare(changed)

        return self._context.events.subscribe(happened)

    def _compare(self, changed: Changed) -> None:
        """A key ring that came back from suppliers may bring any number of keys: what differs is reported."""
        before, now = self._known, self._rows()
        self._known = now
        for ident, row in now.items():
            if ident not in before:
                changed(Snapshot(ident, row | {"event": "generated" if not row["is_public"] else "registered"}))
            elif row != before[ident]:
                changed(Snapshot(ident, row | {"event": "renamed"}))
        for ident in before.keys() - now.keys():
            changed(Snapshot(ident, before[ident] | {"event": "erased"}, deleted=True))


class OnlineStatuses:
    """``online_status``: id is the IDURL; data {index, id, name, state, idurl, global_id, idhost, username}."""

    service: str | None = "p2p_hookups"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[int, Snapshot] = {}

    async def all(self) -> list[Snapshot]:
        return [self._snapshot(who, machine) for who, machine in self._context.presence.contacts()]

    def watch(self, changed: Changed) -> Forget:
        self._known = {}
        for who, machine in self._context.presence.contacts():
            self._known[machine.index] = self._snapshot(who, machine)

        def moved(move: Transition) -> None:
            if move.name == OnlineStatus.name:
                self._moved(move, changed)

        return self._context.registry.on_transition(moved)

    def _moved(self, move: Transition, changed: Changed) -> None:
        for who, machine in self._context.presence.contacts():
            if machine.index == move.index:
                self._known[move.index] = self._snapshot(who, machine)
                changed(self._known[move.index])
                return
        gone = self._known.pop(move.index, None)
        if gone is not None:
            changed(Snapshot(gone.id, gone.data | {"state": "CLOSED"}, deleted=True))

    def _snapshot(self, fingerprint: bytes, machine: OnlineStatus) -> Snapshot:
        document = document_of(self._context, fingerprint)
        idurl = document.idurl if document is not None else None
        data = {
            "index": machine.index,
            "id": machine.id,
            "name": machine.name,
            "state": machine.state,
            "idurl": str(idurl or ""),
            "global_id": document.global_id if document is not None else "",
            "idhost": idurl.host if idurl is not None else "",
            "username": idurl.name if idurl is not None else "",
        }
        return Snapshot(str(idurl or fingerprint.hex()), data)


class Correspondents:
    """``correspondent``: id is the IDURL, or the fingerprint where no document is known; data as `friends_list` shows
    it, with the alias as ``nickname`` too."""

    service: str | None = None

    def __init__(self, context: Context) -> None:
        self._context = context

    async def all(self) -> list[Snapshot]:
        return [self._snapshot(friend) for friend in self._context.people.friends.all()]

    def watch(self, changed: Changed) -> Forget:
        return self._context.people.friends.changed.connect(lambda friend: changed(self._snapshot(friend)))

    def _snapshot(self, friend: Friend) -> Snapshot:
        row = friend_row(self._context, friend)
        is_gone = not self._context.people.friends.is_friend(friend.fingerprint)
        return Snapshot(row["idurl"] or row["fingerprint"], row | {"nickname": friend.alias}, deleted=is_gone)


class Files:
    """``private_file``: id is ``key_id:path_id``, which every method takes as a remote path; data as `file_info` shows
    it, with that id as ``global_id``."""

    service: str | None = "backup_db"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def all(self) -> list[Snapshot]:
        rows = await settled(self._context.storage.list(None, None, True, False, False))
        return [found for row in rows for found in self.snapshots(row)]

    def snapshots(self, row: Row) -> list[Snapshot]:
        """What one item shows."""
        ident = f"{row['key_id']}:{row['path_id']}"
        return [Snapshot(ident, row | {"global_id": ident})]

    def watch(self, changed: Changed) -> Forget:
        def touched(found: list[Touched]) -> None:
            if self._context.storage.is_open:
                for one in found:
                    if not is_hidden(self._context.storage.key_of(one.path).partition("$")[0]):
                        self.touched(one, changed)

        return self._context.storage.changes.watch(touched)

    def touched(self, one: Touched, changed: Changed) -> None:
        """An item, or a version of it, is not what it was."""
        if one.version:
            return
        row = self._context.storage.living(one.path)
        if row is not None:
            changed(self.snapshots(row)[0])
        else:
            key_id = self._context.storage.key_of(one.path)
            ident = f"{key_id}:{one.path}"
            changed(Snapshot(ident, {"global_id": ident, "key_id": key_id, "path_id": one.path}, deleted=True))


class Versions(Files):
    """``remote_version``: id is ``key_id:path_id/version``; data of the version as `files_list` shows it, and of the
    item {global_id, remote_path, key_id, path_id, type, customer}."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._unsettled: dict[Touched, None] = {}

    def snapshots(self, row: Row) -> list[Snapshot]:
        item = {name: row[name] for name in ("remote_path", "key_id", "path_id", "type", "customer")}
        key_id = row["key_id"]
        idents = [f"{key_id}:{version['backup_id']}" for version in row["versions"]]
        return [
            Snapshot(ident, item | {"global_id": ident} | version)
            for ident, version in zip(idents, row["versions"], strict=True)
        ]

    def watch(self, changed: Changed) -> Forget:
        """How safe a version is depends on the log as well, whose acknowledgements come a little later."""
        forget_items = super().watch(changed)

        def settled_more(event: Event) -> None:
            if event.id == "backup-done":
                path, _, version = str(event.data.get("backup_id")).rpartition("/")
                self.touched(Touched(path, version), changed)
            elif event.id == "my-backup-index-synchronized":
                for one in list(self._unsettled):
                    self.touched(one, changed)

        forget_events = self._context.events.subscribe(settled_more)

        def forget() -> None:
            self._unsettled.clear()
            forget_items()
            forget_events()

        return forget

    def touched(self, one: Touched, changed: Changed) -> None:
        if not one.version or not self._context.storage.is_open:
            return
        self._unsettled.pop(one, None)
        row = self._context.storage.living(one.path)
        for found in self.snapshots(row) if row is not None else ():
            if found.data["version"] == one.version:
                if found.data["reliable"] != "100%" and len(self._unsettled) < MOST_UNSETTLED:
                    self._unsettled[one] = None
                changed(found)
                return
        key_id = self._context.storage.key_of(one.path)
        ident = f"{key_id}:{one.path}/{one.version}"
        data = {"global_id": ident, "key_id": key_id, "path_id": one.path, "version": one.version}
        changed(Snapshot(ident, data, deleted=True))


SOURCES: dict[str, Callable[[Context], Source]] = {
    "service": Services,
    "key": Keys,
    "private_file": Files,
    "remote_version": Versions,
    "online_status": OnlineStatuses,
    "correspondent": Correspondents,
    "conversation": Conversations,
    "message": Messages,
    "shared_location": SharedLocations,
    "shared_file": SharedFiles,
}
