"""A share on real processes and sockets: two people write, a supplier dies, the owner's machine goes, a third reads."""

import os
import shutil
from pathlib import Path

from bitdust.cli.client import ApiError
from bitdust.cli.processes import NodeProcess, wait_for
from tests.processes.test_main_job import ProcessTests

FILES, SIZE = 50, 60_000


class SharesTests(ProcessTests):
    def folder(self, name: str, files: int) -> Path:
        folder = self.base / name
        folder.mkdir()
        for number in range(files):
            (folder / f"{number:02}").write_bytes(os.urandom(SIZE))
        return folder

    def begin(self, node: NodeProcess, key: str, folder: Path) -> None:
        remote = f"{key}:{folder.name}"
        node.client.call("file_create", remote_path=remote, as_folder=True)
        node.client.call("file_upload_start", local_path=str(folder), remote_path=remote)

    def files(self, node: NodeProcess, key: str) -> list[str]:
        rows = node.client.call("files_list", key_id=key)
        return sorted(row["path"] for row in rows if row["type"] == "file" and row["versions"])

    def person(self, name: str) -> tuple[NodeProcess, str]:
        node = self.network.add_customer(name, 4)
        node.wait_for_service("shared_data")
        return node, str(node.client.call("identity_get")["global_id"])

    def let_in(self, owner: NodeProcess, key: str, node: NodeProcess, name: str, access: str) -> None:
        owner.client.call("share_grant", key_id=key, trusted_user_id=name, access=access)
        wait_for(lambda: node.client.call("share_open", key_id=key)["state"] == "CONNECTED", "the share")

    def test_two_write_and_a_third_reads(self) -> None:
        """Of fifty files that two people bring into a share while a supplier is killed, a third person brings all back
        when the owner's machine is gone for good."""
        self.network.add_suppliers(5)
        alice, _ = self.person("alice")
        (bob, bobs_name), (carol, carols_name) = self.person("bob"), self.person("carol")
        key = alice.client.call("share_create", label="our wedding")["key_id"]
        self.let_in(alice, key, bob, bobs_name, "write")
        self.let_in(alice, key, carol, carols_name, "read")
        mine, theirs = self.folder("mine", FILES // 2), self.folder("theirs", FILES // 2)
        self.begin(alice, key, mine)
        self.begin(bob, key, theirs)
        names = set(alice.client.call("share_info", key_id=key)["suppliers"])
        victim = next(one for one in self.network.suppliers if one.client.call("identity_get")["global_id"] in names)
        victim.kill()
        wanted = sorted(f"{folder.name}/{path.name}" for folder in (mine, theirs) for path in folder.iterdir())
        for node in (alice, bob, carol):
            wait_for(lambda node=node: self.files(node, key) == wanted, "all files")
        self.no_uploads(alice)
        self.no_uploads(bob)
        alice.kill()
        shutil.rmtree(alice.home)
        carol.kill()
        carol.start()
        carol.wait_for_service("shared_data")
        wait_for(lambda: carol.client.call("share_info", key_id=key)["state"] == "CONNECTED", "the share")
        for folder in (mine, theirs):
            target = self.base / f"back-{folder.name}"
            carol.client.call("file_download_start", remote_path=f"{key}:{folder.name}", destination_path=str(target),
                              wait_result=True)  # fmt: skip
            for path in folder.iterdir():
                self.assertEqual((target / folder.name / path.name).read_bytes(), path.read_bytes())
        with self.assertRaises(ApiError) as caught:
            carol.client.call("file_create", remote_path=f"{key}:more")
        self.assertEqual(caught.exception.code, "not-allowed")

    def no_uploads(self, node: NodeProcess) -> None:
        def is_over() -> bool:
            found = node.client.call("files_uploads")
            return not found["running"] and not found["pending"]

        wait_for(is_over, "the end of the uploads")
        self.assertEqual(node.client.call("files_uploads")["failed"], [])
