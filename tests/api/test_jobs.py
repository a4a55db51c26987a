"""Uploads and downloads as jobs: they outlive the client that waits for them."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from tests.api.test_2016 import ClassicCase


class JobCase(ClassicCase):
    """A customer with four suppliers, asked as the API is now."""

    def setUp(self) -> None:
        super().setUp()
        self.context.registry = self.node.registry

    def begin(self, name: str, **arguments: Any) -> "Deferred[dict[str, Any]]":
        return perform(self.context, TABLE.named(name), arguments)

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.node.wait(self.begin(name, **arguments))


class WaitingTests(JobCase):
    def setUp(self) -> None:
        super().setUp()
        self.call("file_create", remote_path="large.bin")
        self.upload_arguments = {"local_path": str(self.home / "Documents" / "large.bin"), "remote_path": "large.bin"}

    def test_client_of_an_upload_goes(self) -> None:
        """A client that waits for an upload and goes away does not stop the upload, nor another client's waiting."""
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        first = self.begin("file_upload_start", **self.upload_arguments, wait_result=True)
        self.node.pass_time(1)
        self.assertNoResult(first)
        first.cancel()
        self.assertEqual(self.successResultOf(first)["code"], "cancelled")
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        for _ in range(200):
            self.node.pass_time(0.5)
            if not self.call("files_uploads")["running"]:
                break
        [version] = self.call("file_info", remote_path="large.bin")["versions"]
        self.assertEqual(version["size"], 400_000)

    def test_each_waits_for_itself(self) -> None:
        """Two that wait for one job are not one: the second gets the result when the first has gone."""
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        task = self.node.wait(Deferred.fromCoroutine(self.context.storage.upload(*self.upload_arguments.values())))
        gone, stays = task.completion, task.completion
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.assertNoResult(stays)
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.pass_time(600)
        self.assertEqual(self.node.wait(stays)["path_id"], self.call("file_info", remote_path="large.bin")["path_id"])


class AddressTests(JobCase):
    def test_job_is_a_machine(self) -> None:
        """Who begins an upload or a download learns index and id of its machine, and can look at it while it lives."""
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        self.call("file_create", remote_path="large.bin")
        source = str(self.home / "Documents" / "large.bin")
        automat = self.ask("file_upload_start", local_path=source, remote_path="large.bin")["automat"]
        machine = self.node.registry.by_index(automat["index"])
        self.assertEqual((machine.id, machine.name), (automat["id"], "backup"))
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.pass_time(600)
        self.assertIsNone(self.node.registry.by_index(automat["index"]))
        folder = str(self.base.absolute() / "restored")
        answer = self.ask("file_download_start", remote_path="large.bin", destination_path=folder, wait_result=True)
        self.assertTrue(answer["automat"]["id"].startswith("restore_worker("), answer)

    def test_deletion(self) -> None:
        """A deletion names the machine that takes the pieces off the suppliers."""
        self.call("file_create", remote_path="large.bin")
        answer = self.ask("file_delete", remote_path="large.bin")
        self.assertTrue(answer["automat"]["id"].startswith("file_deletion("), answer)
