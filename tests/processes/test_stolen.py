"""A home was copied, on real processes: the thief's program deletes everything in every way there is, and loses."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bitdust.cli.demo import differences, snapshot
from bitdust.cli.processes import NodeProcess, wait_for
from tests.processes.test_main_job import ProcessTests

PROGRAM = '''
"""BitDust, but for a comparison with the suppliers it deletes all that is stored, and ends all contracts."""
from twisted.internet.defer import Deferred

from bitdust.cli.main import main
from bitdust.formats.operations import tombstone_op
from bitdust.formats.orders import DELETE_KIND
from bitdust.storage.storage import Storage
from bitdust.suppliers.room import SuppliersRoom
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command
from bitdust.wire.records import ContractEnd

rooms, init = [], SuppliersRoom.__init__

def made(self, *arguments, **names):
    init(self, *arguments, **names)
    rooms.append(self)

async def destroy(self):
    me, outbox, database = self._around.me, self._around.outbox, self.core.catalog.read
    paths = [path for (path,) in database.execute("SELECT path FROM items")]
    packs = [bytes(pack) for (pack,) in database.execute("SELECT pack FROM packs")]
    await self.core.log_writer.write([tombstone_op(paths, packs, 1)])
    order = me.sign(DELETE_KIND, encode({"owner": me.fingerprint, "packs": packs, "time": 2**50})).to_bytes()
    for supplier in self._ports.family().suppliers:
        await outbox.send(supplier, Command.DELETE_FILE, {}, order, deadline=10.0)
        contract = rooms[0].book.of(supplier).contract
        end = me.sign(ContractEnd.KIND, ContractEnd(contract, me.fingerprint, supplier).to_body()).to_bytes()
        fields = {"service": "service_supplier", "contract": contract, "end": end}
        await outbox.send(supplier, Command.CANCEL_SERVICE, fields, deadline=10.0)
    self.core.log_replicas.deliver_now()

SuppliersRoom.__init__ = made
Storage.sync = lambda self: Deferred.fromCoroutine(destroy(self))
main()
'''


class StolenTests(ProcessTests):
    def test_everything_is_restored(self) -> None:
        """Another device shows who did what, revokes the stolen one with the key file, and has every byte."""
        self.network.add_suppliers(2)
        alice = self.network.add_customer("alice", 2)
        folder = self.base / "precious"
        for number in range(3):
            (folder / f"{number}").mkdir(parents=True)
            (folder / f"{number}" / "file").write_bytes(os.urandom(400_000))
        before = snapshot(folder)
        alice.client.call("file_create", remote_path="precious", as_folder=True)
        alice.client.call("file_upload_start", local_path=str(folder), remote_path="precious", wait_result=True)
        key_file = self.base / "alice.key"
        alice.client.call("identity_backup", destination_filepath=str(key_file))
        alice.client.call("identity_detach", source_filepath=str(key_file))
        owner = self.network.node("owner")
        self.network.others.append(owner)
        owner.configure(self.network.joining)
        owner.start()
        owner.client.call("identity_recover", private_key_local_file=str(key_file))
        owner.wait_for_service("my_data")
        owner.client.call("identity_detach", source_filepath=str(key_file))
        alice.stop()
        kept = self.kept()
        self.steal(alice)
        wait_for(lambda: not owner.client.call("files_list"), "the thief's deletions in the catalog")
        wait_for(lambda: self.orders(owner) >= {"delete", "contract-end", "items"}, "what is held back")
        self.assertIn("device 0", str(owner.client.call("process_checkup")))
        owner.cli("identity", "revoke", "0", "--key-file", str(key_file), "--yes")
        wait_for(lambda: not self.orders(owner), "the end of what was held back")
        target = self.base / "restored"
        wait_for(lambda: self.restored(owner, target), "the files")
        self.assertEqual(differences(before, snapshot(target / "precious")), [])
        self.assertEqual(self.kept(), kept)
        for node in (owner, *self.network.suppliers):
            self.assertEqual(list((node.home / "logs").glob("exception_*")), [])

    def steal(self, alice: NodeProcess) -> None:
        """A copy of the home, and a program that is not ours."""
        copy = NodeProcess("thief", self.base / "thief")
        shutil.copytree(alice.home, copy.home)
        (copy.home / "metadata" / "apiports").unlink(missing_ok=True)
        program = self.base / "program.py"
        program.write_text(PROGRAM)
        command = [sys.executable, str(program), "--appdir", str(copy.home), "start"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        wait_for(lambda: copy.client.call("process_health") is not None, "the thief's program")
        copy.wait_for_service("my_data")
        copy.client.call("files_sync")

    def kept(self) -> list[int]:
        """Files of pieces at suppliers."""
        return [sum(1 for path in one.home.rglob("*") if len(path.name) > 32) for one in self.network.suppliers]

    def restored(self, owner: NodeProcess, target: Path) -> bool:
        """Until suppliers have listed the pieces again files are left out, and that is told."""
        where = {"remote_path": "precious", "destination_path": str(target)}
        return not owner.client.call("file_download_start", **where, wait_result=True)["problems"]

    def orders(self, owner: NodeProcess) -> set[str]:
        return {row["what"] for row in owner.client.call("deletions_list")}
