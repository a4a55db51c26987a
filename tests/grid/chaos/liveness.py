"""Liveness: a healthy core of k suppliers, and every other fault stays for good.

Faults at random come and go, and hide what stands still by making it start anew. Here what is broken stays so. After
everything was stored, all suppliers but k break, each in its own way, at a random moment. Then what can still succeed
comes to its end in bounded virtual time:

* a download within `DOWNLOAD` seconds, a recovery with a key file within `RECOVERY`;
* a deletion within `ANSWER`; every question is answered within `ANSWER`;
* an upload within `UPLOAD`, or it says for whom it waits;
* once a place is given to somebody healthy, its change of hands within `REPLACEMENT`, and then every upload as well.
"""

import errno
from collections.abc import Callable

from bitdust.replication import members
from tests.grid.chaos import lies, rot, weak
from tests.grid.chaos.faults import Faults
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.judging import Judge
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.runs import Run
from tests.grid.chaos.safety import SETTINGS, SETTLE
from tests.grid.chaos.truth import Truth

ANSWER, DOWNLOAD, RECOVERY, UPLOAD, REPLACEMENT = 30.0, 120.0, 60.0, 600.0, 600.0
"""Seconds of virtual time."""


class Liveness(Run):
    """One run."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self.truth = Truth(field)
        self.judge = Judge(field, self.truth)

    def play(self) -> None:
        self.begin()
        self.break_all_but_the_core()
        for step in self.random.sample(self.steps(), self.random.randint(2, 5)):
            step()
            self.field.pass_time(self.random.choice((0, 1, 30, 300)))
        self.mend_places()
        self.finish()

    def begin(self) -> None:
        """Suppliers, somebody who stores, some things stored, and an upload on its way perhaps."""
        n = self.random.choice((2, 4, 4, 5, 7))
        self.field.plant(n)
        block = self.random.choice((16 * 1024 * 1024, 65536))
        self.owner = Owner(self.field, "alice", n, **{"services/backups/block-size": block, **SETTINGS})
        self.owner.join()
        for _ in range(self.random.randint(1, 4)):
            self.owner.upload()
        self.judge.settle(self.owner, SETTLE)
        self.owner.write_key_file()
        self.stored = self.owner.promises.promised
        if self.random.random() < 0.5:
            self.owner.upload()
            self.field.pass_time(self.random.choice((0, 0.01, 0.1)))

    # what breaks

    def break_all_but_the_core(self) -> None:
        """From now on only k suppliers are well."""
        family = members(self.owner.home.rooms.suppliers.family.current)
        self.broken = self.random.sample(family, self.owner.n - self.owner.k)
        for who in self.broken:
            node = next(node for node in self.field.suppliers.values() if node.fingerprint == who)
            how = self.random.choice((self.die, self.cut, self.refuse, self.lose, self.drop, self.give_rot, self.slow))
            self.field.note(f"for good: {how.__name__} {node.name}")
            how(node)
        self.field.pass_time(self.random.choice((0, 1, 30, 600)))
        if self.random.random() < 0.3:
            self.field.grid.network.loss = 0.1
            self.field.grid.network.latency = self.random.choice((0.05, 0.2))
            self.field.note("a bad network, for good")

    def die(self, node: ChaosNode) -> None:
        """It is off."""
        node.kill()

    def cut(self, node: ChaosNode) -> None:
        """It hears nobody, and nobody hears it."""
        self.field.cut_off.add(node.address)

    def refuse(self, node: ChaosNode) -> None:
        """Its disk takes nothing."""
        node.disk_error, node.whole_disk = self.random.choice((errno.ENOSPC, errno.EIO)), self.random.random() < 0.5

    def lose(self, node: ChaosNode) -> None:
        """It has lost everything, and takes nothing."""
        node.kill()
        rot.lose_store(node)
        born = self.field.restarted(node)
        self.field.pass_time(1)
        self.refuse(born)

    def drop(self, node: ChaosNode) -> None:
        """It acknowledges what it drops."""
        lies.begin(node, lies.DROPS)

    def give_rot(self, node: ChaosNode) -> None:
        """It gives back something else."""
        lies.begin(node, lies.ROTS)

    def slow(self, node: ChaosNode) -> None:
        """Its disk takes longer than anybody waits."""
        node.threads.seconds = self.random.choice((5.0, 100.0))

    # what must come to its end

    def steps(self) -> list[Callable[[], None]]:
        """In some order."""
        return [self.download, self.upload, self.delete, self.restart, self.recover, self.download]

    def download(self) -> None:
        """What was stored comes back."""
        for remote in [remote for remote in self.stored if remote in self.owner.promises.promised]:
            self.owner.note(f"download {remote}")
            self.judge.download(self.owner, self.owner.home, remote, True, DOWNLOAD)

    def upload(self) -> None:
        """A new upload ends, or says for whom it waits."""
        self.owner.upload()
        uploads = self.owner.home.rooms.storage.core.uploads
        if not self.field.pass_time(UPLOAD, lambda: not uploads._every()):
            silent = [row for row in uploads.rows()["running"] if not waits_for(row)]
            if silent and "silent uploads" not in weak.OPEN:
                raise Finding(f"an upload has not ended in {UPLOAD} seconds and does not say why: {silent[0]}")
            self.owner.note(f"waits: {[waits_for(row) for row in uploads.rows()['running']]}")

    def delete(self) -> None:
        """A deletion is answered."""
        self.owner.delete()

    def restart(self) -> None:
        """The owner's node starts again, and is ready."""
        self.owner.note("restarts")
        self.owner.home.kill()
        self.owner.revive()
        self._need_ready(self.owner.home)
        self.owner.attach()

    def recover(self) -> None:
        """A new home with the key file is ready, and has everything; it is the owner's from now on."""
        self.owner.attach()
        lost = self.owner.homes.pop()
        lost.kill()
        began = self.field.now
        home = self.owner.enrol(self.owner.key_files[-1])
        self._need_ready(home, RECOVERY)
        self.owner.note(f"is ready after {self.field.now - began:.1f} seconds")
        self.owner.writers = dict.fromkeys(self.owner.writers, home.name)
        self.download()

    def _need_ready(self, home: ChaosNode, seconds: float = RECOVERY) -> None:
        if not self.field.pass_time(seconds, lambda: home.is_on("my_data")):
            why = self.judge.unsettled_at(self.owner, home)
            raise Finding(f"{home.name} is not ready after {seconds} seconds: {why}")

    # the places are given to others

    def mend_places(self) -> None:
        """New suppliers come; each broken place is given to one of them, and then everything comes to its end."""
        if self.random.random() < 0.5:
            return
        for number in range(len(self.broken)):
            node = self.field.add(f"spare-{number + 1}", **{"services/customer/enabled": False})
            node.create_identity()
            self.field.suppliers[node.name] = node
        self.field.pass_time(60)
        rooms = self.owner.home.rooms
        for who in self.broken:
            if who in members(rooms.suppliers.family.current):
                self.owner.note(f"replace {self.field.name_of(who)}")
                rooms.suppliers.requests.replace(who, None)
        self.judge.settle(self.owner, REPLACEMENT)
        self.download()

    def finish(self) -> None:
        """Everybody stops, and nothing is left."""
        Faults(self.field, 0).mend_all()
        for node in self.field.suppliers.values():
            lies.end(node)
        self.field.pass_time(lies.EVERY)
        self.field.stop()
        self.field.note(f"{self.field.grid.network.datagrams} datagrams")


def waits_for(row: dict[str, object]) -> object:
    """What the row of an upload says it waits for."""
    return row.get("waiting_for") or row.get("waits_for") or row.get("reason") or row.get("waiting")
