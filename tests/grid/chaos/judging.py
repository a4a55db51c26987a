"""What an owner may expect: that everything settles, and that what was promised comes back."""

import shutil

from bitdust.replication import members
from bitdust.storage.catalog import figures
from bitdust.storage.catalog.whereabouts import AN_HOUR, nowhere
from bitdust.testing.faulty_disk import Crash
from bitdust.wire.errors import BitDustError
from tests.grid.chaos import promises
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.truth import Truth

TRANSFERS = ("backup", "restore_worker", "pack", "pack_fetch", "file_deletion", "supplier_replacement", "reencoding")
"""Machines that live as long as something is to be done."""
DOWNLOAD = 900.0


class Judge:
    """I compare what is with what was promised."""

    def __init__(self, field: Field, truth: Truth) -> None:
        self.field = field
        self.truth = truth

    # downloads

    def try_download(self, owner: Owner) -> None:
        """Something that was promised; now it may fail, but nothing else may come."""
        home = owner.pick()
        # Another home may not have heard of the newest version yet.
        known = [remote for remote in owner.promises.promised if home and owner.writers[remote] == home.name]
        known = [remote for remote in known if home is not None and home.rooms.storage.exists(remote)]
        if home is not None and known:
            remote = owner.random.choice(known)
            owner.note(f"download {remote}")
            self.download(owner, home, remote, must=False)

    def download(
        self, owner: Owner, home: ChaosNode, remote: str, must: bool, seconds: float = DOWNLOAD, version: str = ""
    ) -> None:
        """Compare what comes with what may be there. Raises `Finding`."""
        target = self.field.base / "back"
        shutil.rmtree(target, ignore_errors=True)
        allowed = owner.promises.may_be(remote)
        try:
            job = owner.ask(home, home.rooms.storage.download(remote + version, str(target), "replace"))
            self.field.wait(job.completion, seconds, f"the download of {remote}", home)
        except BitDustError as error:
            is_off = any(not node.is_up for node in self.field.suppliers.values())
            before = self._version_before(home, remote, version) if must and owner.has_lost_homes and is_off else ""
            if before:  # While suppliers are off the newest version may still come: the one before is to be named.
                self.download(owner, home, remote, must, seconds, before)
                return
            if must:
                raise Finding(f"the download of {remote} of {owner.name} failed: {error}") from error
            owner.note(f"download {remote}: {error}")
            return
        except Crash:
            owner.note(f"download {remote}: {home.name} crashes")
            return
        got = promises.read(target / promises.name_of(remote))
        if not owner.promises.fits(remote, got, allowed):
            known = [promises.size_of(one) for one in allowed]
            raise Finding(f"{remote} came back as something else: {promises.size_of(got)}, not one of {known}")

    def _version_before(self, home: ChaosNode, remote: str, version: str) -> str:
        """As it is added to the path; empty for none."""
        known = [f"/{one['version']}" for one in home.rooms.storage.info(remote, False, False)["versions"]]
        earlier = known[: known.index(version)] if version else known[:-1]
        return earlier[-1] if earlier else ""

    def check_all(self, owner: Owner, home: ChaosNode) -> None:
        """All that was promised is there, byte for byte; what was deleted is not. Raises `Finding`.

        What a home that was lost had begun to upload is given up when the others have waited for an hour: a download
        takes the version before it, where all suppliers could be asked.
        """
        if owner.has_lost_homes:
            self.field.pass_time(60)
            if nowhere(home.rooms.storage.core.catalog.read)["packs"]:
                self.field.advance(AN_HOUR)
                self.field.pass_time(60)
        for remote in owner.promises.promised:
            self.download(owner, home, remote, must=True)
        there = [remote for remote in sorted(owner.promises.deleted) if home.rooms.storage.exists(remote)]
        if there:
            raise Finding(f"{owner.name} has deleted {there}, and they are there")

    # peace

    def unsettled(self, owner: Owner) -> list[str]:
        """What is not yet as it should be; empty when all is well."""
        owner.attach()
        found = [text for home in owner.homes for text in self.unsettled_at(owner, home)]
        ends = [self.truth.all_ends(home) for home in owner.homes]
        if any(end != ends[0] for end in ends):
            found.append(f"its devices know different logs: {[sorted(end.values()) for end in ends]}")
        return found

    def unsettled_at(self, owner: Owner, home: ChaosNode) -> list[str]:
        """The same of one home."""
        rooms = home.rooms
        if not home.is_on("my_data") or not rooms.storage.is_open:
            off = [row for row in home.node.driver.list() if row["enabled"] and row["state"] != "ON"]
            return [f"{home.name} off: {[(row['name'], row['state'], row['reason']) for row in off]}"]
        core, found = rooms.storage.core, []
        jobs = [f"{job.shown} in {job.machine.state}" for job in core.uploads._every()]
        if jobs:
            found.append(f"uploads: {jobs}")
        pieces = figures.pieces(core.catalog.read)
        if owner.has_lost_homes:  # what only a lost home had is missing for good
            pieces |= {name: pieces[name] - count for name, count in nowhere(core.catalog.read).items()}
        if pieces["waiting"] or pieces["missing"] or pieces["due"] != pieces["acknowledged"]:
            found.append(f"pieces: {pieces}")
        suppliers = members(rooms.suppliers.family.current)
        wanted = len(suppliers) if owner.wish_is_lost and len(suppliers) >= owner.least else owner.n
        if len(suppliers) < wanted:
            found.append(f"{len(suppliers)} suppliers")
        left = rooms.storage.reencoding()
        hopeless = left["nowhere"]["packs"] if owner.has_lost_homes and "nowhere" in left else 0
        if len(suppliers) != wanted or left["left"] > hopeless:
            found.append(f"number of suppliers: {rooms.suppliers.resizing.reason()}; {left}")
        for who in suppliers:
            if not core.log_replicas.is_held_by(who):
                found.append(f"{self.field.name_of(who)} lacks log entries")
            if not core.key_ring_replicas.is_held_by(who):
                found.append(f"{self.field.name_of(who)} lacks the key ring")
        for name, part in (("log", core.log_replicas), ("key ring", core.key_ring_replicas)):
            if not part.synchronized:
                found.append(f"{name}: {part.machine.state} {part.reason}")
        leaving = rooms.suppliers.departures.suppliers()
        if leaving:
            found.append(f"to be replaced: {[self.field.name_of(who) for who in leaving]}")
        busy = [f"{machine.id} {machine.state}" for machine in home.node.registry if machine.name in TRANSFERS]
        return [f"{home.name}: {text}" for text in found + ([f"machines: {busy}"] if busy else [])]

    def settle(self, owner: Owner, seconds: float) -> None:
        """Wait until all is well. Raises `Finding`."""
        last = 0.0

        def well() -> bool:
            nonlocal last
            if self.field.now < last + 2:
                return False
            last = self.field.now
            return not self.unsettled(owner)

        if not self.field.pass_time(seconds, well):
            raise Finding(f"{owner.name} has not settled: {self.unsettled(owner)}")
        owner.note("settled")
