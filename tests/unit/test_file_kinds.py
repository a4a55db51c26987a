"""What files are besides their bytes: hard links, holes, attributes, owners; and nothing is left out in silence."""

import errno
import os
import socket
import stat
from pathlib import Path
from typing import Any
from unittest import SkipTest
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.extras import Extras
from bitdust.storage.catalog.extras import extras_of
from bitdust.storage.catalog.paths import Version
from bitdust.storage.options import Wishes
from bitdust.storage.restore import attributes as putting
from bitdust.storage.restore.options import RestoreOptions
from bitdust.storage.upload import attributes as taking
from bitdust.storage.upload.options import UploadOptions
from tests.unit.storage_kit import Node, master_key, network, random_file

BLOCK = 64 * 1024
ACL = bytes.fromhex("02000000 01000600ffffffff 0200040001000000 04000400ffffffff 10000400ffffffff 20000400ffffffff")
"""The owner reads and writes; user 1, the group and all others read."""


def sparse(path: Path, parts: dict[int, bytes], size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as stream:
        for offset, data in parts.items():
            stream.seek(offset)
            stream.write(data)
        stream.truncate(size)
    if path.stat().st_blocks * 512 >= size:
        raise SkipTest("this file system has no holes")


def holes(path: Path) -> tuple[tuple[int, int], ...]:
    with open(path, "rb") as stream:
        return taking.holes_of(stream.fileno(), os.fstat(stream.fileno()))


def set_attribute(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        raise SkipTest(f"this file system has no {name}: {error.strerror}") from error


class KindCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.folder = self.base / "folder"
        self.folder.mkdir()
        self.back = self.base / "back" / "folder"

    def upload(self, **options: Any) -> dict:
        return self.node.wait(self.node.begin_upload(self.folder, "folder", UploadOptions(**options)).completion)

    def download(self, node: Node | None = None, policy: str = "replace", **options: Any) -> dict:
        node = node or self.node
        task = node.run(node.storage.download("folder", str(self.base / "back"), policy, RestoreOptions(**options)))
        return node.wait(task.completion, 120)

    def there_and_back(self) -> dict:
        self.assertEqual(self.upload()["problems"], [])
        return self.download()


class HardLinkTests(KindCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = random_file(self.folder / "a", 300_000)
        (self.folder / "inner").mkdir()
        os.link(self.folder / "a", self.folder / "inner" / "b")
        os.link(self.folder / "a", self.folder / "c")
        random_file(self.folder / "alone", 10)

    def inodes(self) -> set[int]:
        return {(self.back / name).stat().st_ino for name in ("a", "inner/b", "c")}

    def test_several_names_of_one_file(self) -> None:
        """Names of one file are names of one file again, read, stored and fetched once."""
        result = self.there_and_back()
        self.assertEqual((result["problems"], len(self.inodes())), ([], 1))
        self.assertEqual((self.back / "c").read_bytes(), self.data)
        self.assertEqual((self.back / "a").stat().st_nlink, 3)
        self.assertEqual([path.name for path in self.base.rglob("*.part")], [])

    def test_again(self) -> None:
        """A second download over the first, and one of a later state, give what was stored."""
        self.there_and_back()
        self.assertEqual(self.download()["problems"], [])
        self.assertEqual(len(self.inodes()), 1)
        (self.folder / "c").unlink()
        other = random_file(self.folder / "c", 5000)
        self.there_and_back()
        self.assertEqual((self.back / "c").read_bytes(), other)
        self.assertEqual(len(self.inodes()), 2)
        self.assertEqual((self.back / "a").stat().st_nlink, 2)

    def test_equal_files_are_not_linked(self) -> None:
        """Files that are only equal stay two files."""
        (self.folder / "twin").write_bytes(self.data)
        self.there_and_back()
        self.assertNotIn((self.back / "twin").stat().st_ino, self.inodes())

    def test_one_name_alone(self) -> None:
        """Of several names one comes back as a file of its own."""
        self.upload()
        self.node.download("folder/inner/b", self.base / "one")
        self.assertEqual((self.base / "one" / "b").read_bytes(), self.data)

    def test_a_first_name_that_is_kept(self) -> None:
        """Where another file is kept in place of the first name, the others are linked to each other and not to it."""
        self.upload()
        self.back.mkdir(parents=True)
        (self.back / "a").write_text("mine")
        (problem,) = self.download(policy="keep")["problems"]
        self.assertEqual((problem["path"], problem["code"]), ("folder/a", "kept"))
        self.assertEqual((self.back / "a").read_text(), "mine")
        self.assertEqual((self.back / "c").stat().st_ino, (self.back / "inner" / "b").stat().st_ino)

    def test_a_file_system_without_them(self) -> None:
        """Where there are no such names each gets a copy, and that is told."""
        self.upload()
        refusal = OSError(errno.EPERM, "Operation not permitted")
        self.patch(os, "link", lambda *arguments, **options: (_ for _ in ()).throw(refusal))
        problems = self.download()["problems"]
        self.assertEqual([(one["path"], one["code"]) for one in problems],
                         [("folder/c", "changed"), ("folder/inner/b", "changed")])  # fmt: skip
        self.assertEqual((self.back / "c").read_bytes(), self.data)
        self.assertEqual(len(self.inodes()), 3)

    def test_something_else_in_place_of_the_file(self) -> None:
        """A file outside that was put in place of the first name gets no name in the tree."""
        secret = self.base / "secret"
        secret.write_text("of somebody else")
        self.upload()
        real = os.link

        def swapped(*arguments: Any, **options: Any) -> None:
            (self.back / "a").unlink()
            real(secret, self.back / "a")
            real(*arguments, **options)

        self.patch(os, "link", swapped)
        problems = self.download()["problems"]
        self.assertIn("has been replaced meanwhile", problems[0]["reason"])
        self.assertFalse((self.back / "c").exists())
        self.assertEqual(secret.stat().st_nlink, 2)


class HoleTests(KindCase):
    def test_holes_stay(self) -> None:
        """Holes in front, between and at the end are holes again, and are neither read nor stored."""
        parts = {4 * BLOCK: os.urandom(3 * BLOCK), 40 * BLOCK: os.urandom(BLOCK + 5), 90 * BLOCK: os.urandom(700)}
        sparse(self.folder / "sparse", parts, 64 * 1024 * BLOCK)
        sparse(self.folder / "empty", {}, 5 * BLOCK)
        result = self.upload()
        self.assertLess(result["new_bytes"], 6 * BLOCK)
        self.assertEqual(self.download()["problems"], [])
        for name in ("sparse", "empty"):
            self.assertEqual(holes(self.back / name), holes(self.folder / name))
            self.assertEqual((self.back / name).stat().st_size, (self.folder / name).stat().st_size)
        with open(self.back / "sparse", "rb") as stream:
            for offset, data in parts.items():
                stream.seek(offset)
                self.assertEqual(stream.read(len(data)), data)
                self.assertFalse(any(stream.read(4096 - (offset + len(data)) % 4096 or 1)))

    def test_many_packs_and_a_second_try(self) -> None:
        """A file of many parts and packs comes back, also over what an earlier try has left."""
        self.node.settings.set("services/backups/block-size", 300_000)
        parts = {number * 10 * BLOCK: os.urandom(2 * BLOCK + number) for number in range(1, 20)}
        sparse(self.folder / "sparse", parts, 300 * BLOCK)
        self.upload()
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        self.node.begin_download("folder", self.base / "back")
        self.node.pass_time(1)
        self.node.kill()
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        node = Node(self.node.home, self.around, self.node.clock).start()
        self.addCleanup(node.stop)
        node.pass_time(60)
        self.assertEqual((self.back / "sparse").read_bytes(), (self.folder / "sparse").read_bytes())
        self.assertEqual(holes(self.back / "sparse"), holes(self.folder / "sparse"))
        self.assertEqual([path.name for path in self.base.rglob(".bitdust-*")], [])

    def test_a_file_that_changes_all_the_time(self) -> None:
        """Where holes may move while the file is read, it is stored byte by byte, and told."""
        sparse(self.folder / "sparse", {4 * BLOCK: b"x" * BLOCK}, 20 * BLOCK)
        real, count = os.fstat, 0

        def restless(descriptor: int) -> os.stat_result:
            nonlocal count
            status = real(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_size == 20 * BLOCK:
                count += 1
                os.utime(descriptor, ns=(count, count))
            return status

        with patch.object(os, "fstat", restless):
            (problem,) = self.upload()["problems"]
        self.assertEqual(problem["code"], "changed")
        self.download()
        self.assertEqual((self.back / "sparse").read_bytes(), (self.folder / "sparse").read_bytes())


class AttributeTests(KindCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.folder / "file"
        random_file(self.file, 1000)

    def test_of_users(self) -> None:
        """Attributes of files and folders come back, and a change of nothing else makes a new version."""
        set_attribute(self.file, "user.colour", b"red")
        set_attribute(self.folder, "user.kind", bytes(range(256)))
        self.there_and_back()
        self.assertEqual(os.getxattr(self.back / "file", "user.colour"), b"red")
        self.assertEqual(os.getxattr(self.back, "user.kind"), bytes(range(256)))
        os.setxattr(self.file, "user.colour", b"blue")
        self.there_and_back()
        self.assertEqual(os.getxattr(self.back / "file", "user.colour"), b"blue")
        self.assertEqual(len(self.node.info("folder/file")["versions"]), 2)

    def test_access_control_lists(self) -> None:
        """An access control list comes back beside the mode."""
        set_attribute(self.file, "system.posix_acl_access", ACL)
        self.there_and_back()
        self.assertEqual(os.getxattr(self.back / "file", "system.posix_acl_access"), ACL)
        self.assertEqual((self.back / "file").stat().st_mode, self.file.stat().st_mode)

    def test_without_them(self) -> None:
        """A person may leave them out of an upload, or of a download, by a word or by a setting."""
        set_attribute(self.file, "user.colour", b"red")
        self.upload(attributes=False)
        self.download()
        self.assertEqual(os.listxattr(self.back / "file"), [])
        os.utime(self.file)
        self.upload()
        self.download(attributes=False)
        self.assertEqual(os.listxattr(self.back / "file"), [])
        self.node.settings.set("services/restores/attributes-enabled", False)
        self.download()
        self.assertEqual(os.listxattr(self.back / "file"), [])
        self.download(attributes=True)
        self.assertEqual(os.getxattr(self.back / "file", "user.colour"), b"red")

    def test_what_is_not_stored_is_told(self) -> None:
        """Attributes of other kinds, too large ones, and those that cannot be set, are told with their names."""
        names = {"user.fine": b"x", "security.capability": b"x", "security.selinux": b"x", "user.huge": b"x" * 70_000}
        self.patch(os, "listxattr", lambda where, **_: list(names) if isinstance(where, int) else [])
        self.patch(os, "getxattr", lambda where, name, **_: names[name])
        problems = self.upload()["problems"]
        self.assertEqual({one["code"] for one in problems}, {"changed"})
        self.assertEqual(len([one for one in problems if "security.capability" in one["reason"]]), 1)
        self.assertEqual(len([one for one in problems if "user.huge" in one["reason"]]), 1)
        refusal = OSError(errno.ENOTSUP, "Operation not supported")
        self.patch(os, "setxattr", lambda *_, **__: (_ for _ in ()).throw(refusal))
        (problem,) = self.download()["problems"]
        self.assertEqual(problem["reason"], "its attribute user.fine could not be set: Operation not supported")
        self.assertEqual((self.back / "file").read_bytes(), self.file.read_bytes())

    def test_a_lying_device(self) -> None:
        """Names that give rights are not set, whoever wrote them into the log."""
        asked: list[str] = []
        self.patch(os, "setxattr", lambda where, name, value: asked.append(name))
        extras = Extras(attributes=(("security.capability", b"x"), ("trusted.x", b"x"), ("user.x", b"x")))
        with open(self.file) as stream:
            putting.dress(stream.fileno(), Version("0", "F1", 0, 0o600, 0, None), extras, Wishes())
        self.assertEqual(asked, ["user.x"])


class OwnerTests(KindCase):
    def test_who_stores_is_not_noted(self) -> None:
        """The owner is noted only where it is somebody else than who stores it."""
        random_file(self.folder / "mine", 10)
        self.upload()
        item = self.node.info("folder/mine")
        found = extras_of(self.node.storage.core.catalog.read, item["path_id"], item["latest"])
        self.assertIsNone(found.owner)

    def test_owners_come_back(self) -> None:
        """Owners of files, folders and links come back where that is permitted."""
        if os.geteuid():
            raise SkipTest("only root may give files away")
        random_file(self.folder / "theirs", 10)
        (self.folder / "link").symlink_to("theirs")
        for path in (self.folder / "theirs", self.folder / "link", self.folder):
            os.chown(path, 12345, 54321, follow_symlinks=False)
        self.there_and_back()
        for path in (self.back / "theirs", self.back / "link", self.back):
            status = path.lstat()
            self.assertEqual((status.st_uid, status.st_gid), (12345, 54321))
        self.download(owners=False)
        self.assertEqual((self.back / "theirs").stat().st_uid, os.geteuid())

    def test_not_permitted(self) -> None:
        """Where it is not permitted the file comes back as one's own, and that is told."""
        random_file(self.folder / "theirs", 10)
        asked: list[tuple[int, int]] = []

        def refuse(descriptor: int, uid: int, gid: int) -> None:
            asked.append((uid, gid))
            raise PermissionError(errno.EPERM, "Operation not permitted")

        self.patch(taking, "_owner", lambda status: (77_777, 88_888, "", "") if status.st_size == 10 else None)
        self.upload()
        self.patch(os, "fchown", refuse)
        (problem,) = self.download()["problems"]
        self.assertEqual(problem["code"], "changed")
        self.assertIn("77777:88888 could not be set: Operation not permitted", problem["reason"])
        self.assertEqual(asked, [(77_777, 88_888), (-1, 88_888)])
        self.assertTrue((self.back / "theirs").exists())

    def test_by_name(self) -> None:
        """The name counts where it is known here, else the number."""
        asked: list[tuple[int, int]] = []
        putting.set_owner(lambda uid, gid: asked.append((uid, gid)), (4711, 4712, "root", "no such group"))
        self.assertEqual(asked, [(0, 4712)])


class ToldTests(KindCase):
    def test_what_an_upload_leaves_out(self) -> None:
        """Sockets and pipes are named in the answer and in the events."""
        random_file(self.folder / "file", 10)
        os.mkfifo(self.folder / "pipe")
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
        os.chdir(here)
        problems = self.upload()["problems"]
        self.assertEqual([Path(one["path"]).name for one in problems], ["pipe", "socket"])
        self.assertEqual(self.node.events_of("backup-done")[-1]["problems"], problems)
        self.assertIn("2 things", self.node.events_of("backup-task-finished")[-1]["message"])

    def test_what_a_download_leaves_out(self) -> None:
        """Links that lead out, and names that the target cannot hold, are named; everything else comes back."""
        random_file(self.folder / "file", 10)
        (self.folder / "out").symlink_to("/etc/passwd")
        random_file(self.folder / ("n" * 200), 10)
        self.upload()
        real = os.rename

        def short(old: Any, new: Any, **options: Any) -> None:
            if len(new) > 143:
                raise OSError(errno.ENAMETOOLONG, "File name too long")
            real(old, new, **options)

        self.patch(os, "rename", short)
        problems = {one["path"]: one["reason"] for one in self.download()["problems"]}
        self.assertIn("leads out of its folder", problems["folder/out"])
        self.assertEqual(problems["folder/" + "n" * 200], "File name too long")
        self.assertEqual(self.node.events_of("restore-done")[-1]["problems"][0]["code"], "left-out")
        self.assertTrue((self.back / "file").exists())

    def test_names_that_lead_elsewhere(self) -> None:
        """An item whose name leads elsewhere, which a lying device has written, is told and never made."""
        random_file(self.folder / "file", 10)
        self.upload()
        catalog = self.node.storage.core.catalog
        for name in (b"../../planted", b"..", b"a/b"):
            self.node.wait(catalog.change(
                lambda database, name=name: database.execute("UPDATE items SET name=? WHERE parent='0'", (name,))
            ))  # fmt: skip
            (problem,) = self.download()["problems"]
            self.assertIn("leads elsewhere", problem["reason"])
        self.assertEqual([path.name for path in self.base.rglob("planted")], [])

    def test_two_of_one_name(self) -> None:
        """Of two items of one name, which two devices may have made, one gets another name, and that is told."""
        random_file(self.folder / "file", 10)
        random_file(self.folder / "other", 20)
        self.upload()
        self.node.wait(self.node.storage.core.catalog.change(
            lambda database: database.execute("UPDATE items SET name=? WHERE name=?", (b"file", b"other"))
        ))  # fmt: skip
        (problem,) = self.download()["problems"]
        self.assertEqual(problem["code"], "changed")
        self.assertEqual(sorted(path.stat().st_size for path in self.back.iterdir()), [10, 20])


class RecoveredTests(KindCase):
    def test_on_another_device(self) -> None:
        """A device that knows nothing but the log, after a compaction too, brings back links, holes and attributes."""
        random_file(self.folder / "a", 5000)
        os.link(self.folder / "a", self.folder / "b")
        sparse(self.folder / "sparse", {4 * BLOCK: b"x" * BLOCK}, 20 * BLOCK)
        set_attribute(self.folder / "sparse", "user.colour", b"red")
        self.upload()
        self.node.storage.core.compactor.least_log = 0
        self.node.upload(self.folder / "a", "more")
        self.node.pass_time(60)
        master_key()
        other = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(other.stop)
        other.start()
        other.pass_time(30)
        self.assertEqual(self.download(other)["problems"], [])
        self.assertEqual((self.back / "a").stat().st_ino, (self.back / "b").stat().st_ino)
        self.assertEqual(holes(self.back / "sparse"), holes(self.folder / "sparse"))
        self.assertEqual(os.getxattr(self.back / "sparse", "user.colour"), b"red")
