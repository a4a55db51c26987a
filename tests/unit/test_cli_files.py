"""The commands for files, events and the doctor, and the client that all commands use, without a node."""

import http.client
import io
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli import client as client_module
from bitdust.cli import doctor as doctor_module
from bitdust.cli import files as files_module
from bitdust.cli import progress as progress_module
from bitdust.cli import transfer as transfer_module
from bitdust.cli.client import ApiClient, ApiError, NotRunning
from bitdust.cli.main import Session
from tests.unit.test_cli_calls import NodeCase


class FilesTests(NodeCase):
    def test_list(self) -> None:
        """Files come with the state of their newest version."""
        versions = [{"backup_id": "0/F1", "reliable": "50%"}, {"backup_id": "0/F2", "reliable": "100%"}]
        mine, shared = {"key_alias": "master"}, {"key_alias": "share_1", "remote_path": "share_1$a@b:docs/a"}
        row = {"path_id": "0", "type": "file", "size": 5 << 20, "path": "docs/a", "versions": versions} | mine
        folder = {"path_id": "1", "type": "folder", "path": "docs", "versions": []} | mine
        self.answers["files_list"] = {"result": [folder, row]}
        output = self.asks("file", ("files_list", {"recursive": True}))
        for part in ("docs/a", "5 MB", "100%"):
            self.assertIn(part, output)
        self.assertNotIn("50%", output)
        self.assertNotIn("moved", output)
        self.answers["files_list"] = {"result": [row | shared]}
        self.assertIn("share_1$a@b:docs/a", self.cli("files").output)
        self.assertNotIn("share_1", self.cli("file", "list", "share_1$a@b:").output)
        self.answers["files_list"] = {"result": [folder, row]}
        self.asks("file list docs --flat", ("files_list", {"recursive": False, "remote_path": "docs"}))
        self.prints_json("file list", [folder, row])
        versions[1]["moving"] = {"packs": 3, "pieces": 0, "progress": "40%"}
        output = self.cli("files").output
        for part in ("moved", "40%"):
            self.assertIn(part, output)
        self.answers["files_list"] = {"result": []}
        self.assertIn("the catalog is empty", self.cli("files").output)

    def test_create(self) -> None:
        """Places for files and folders are made, by either command."""
        self.answers["file_create"] = {"type": "folder", "path_id": "7", "remote_path": "docs"}
        wanted = {"remote_path": "docs", "as_folder": True, "exist_ok": False}
        self.assertIn("created folder docs (7)", self.asks("dir make docs", ("file_create", wanted)))
        self.asks("file create docs --exist-ok", ("file_create", wanted | {"as_folder": False, "exist_ok": True}))
        self.prints_json("file create docs", self.answers["file_create"])
        self.answers["file_info"] = {"name": "docs"}
        self.asks("file info docs", ("file_info", {"remote_path": "docs"}))
        self.prints_json("file info docs", {"name": "docs"})

    def upload(self, words: str, code: int = 0, **expected: Any) -> str:
        source, remote = self.home / "letter", expected["remote_path"]
        source.write_text("dear")
        started = {"local_path": str(source), "remote_path": remote} | expected["how"]
        calls = (("file_exists", {"remote_path": remote}), *expected.get("made", ()), ("file_upload_start", started))
        return self.asks(f"file upload {source}{words}", *calls, code=code)

    def test_upload(self) -> None:
        """What is uploaded gets a place first if it has none, and what was left out is said."""
        self.answers |= {
            "file_exists": {"exist": False},
            "file_upload_start": {"problems": [{"path": "x", "reason": "cannot be read"}, "y: too deep"]},
        }
        created = ("file_create", {"remote_path": "letter", "as_folder": False, "exist_ok": True})
        output = self.upload("", code=3, remote_path="letter", made=[created], how={"wait_result": True})
        for part in ("upload done: letter", "x: cannot be read", "y: too deep"):
            self.assertIn(part, output)
        self.answers["file_exists"] = {"exist": True}
        self.answers["file_upload_start"] = {}
        self.assertIn("upload began", self.upload(" docs/a --no-wait", remote_path="docs/a", how={}))
        self.refuses("file upload /no/such/file", "does not exist")

    def test_a_place_that_was_made_for_nothing(self) -> None:
        """Where an upload is refused before anything is stored, the place that was made for it is taken back."""
        (self.home / "letter").write_text("x")
        self.answers |= {"file_upload_start": ApiError("no-space", "too large"), "file_info": {"versions": []}}
        for is_there, expected in ((False, 1), (True, 0)):
            self.answers["file_exists"] = {"exist": is_there}
            self.asked.clear()
            self.refuses(f"file upload {self.home}/letter", "too large")
            self.assertEqual([method for method, _ in self.asked].count("file_delete"), expected)
        self.answers |= {"file_exists": {"exist": False}, "file_info": {"versions": [{"version": "F1"}]}}
        self.asked.clear()
        self.refuses(f"file upload {self.home}/letter", "too large")
        self.assertNotIn("file_delete", [method for method, _ in self.asked])

    def test_what_looks_like_a_mistake(self) -> None:
        """Where much would be dropped a person is asked, and goes on or not; a program is refused with a code of its
        own unless it says the word."""
        refused = ApiError("would-drop", "3 of 4 files are gone")
        self.answers |= {"file_exists": {"exist": True}, "file_upload_start": refused}
        words = f"file upload {self.home} docs"
        self.refuses(words, "3 of 4 files are gone", 4)
        self.assertIn("would-drop", self.cli("--json", *words.split(), code=4).output)
        self.cli(*words.split(), "--allow-drop", "--allow-empty", "--no-wait", code=4)
        self.assertEqual(self.asked[-1][1].keys() - {"local_path", "remote_path"}, {"allow_drop", "allow_empty"})
        self.patch(transfer_module, "somebody_is_there", lambda: True)
        for answer, calls in ((False, 1), (True, 2)):
            self.patch(transfer_module.click, "confirm", lambda *_, _a=answer, **__: _a)
            self.asked.clear()
            if answer:
                self.answers["file_upload_start"] = lambda given: refused if "allow_drop" not in given else {}
            self.cli(*words.split(), code=0 if answer else 4)
            self.assertEqual([method for method, _ in self.asked].count("file_upload_start"), calls)

    def test_versions(self) -> None:
        """Each version says why it is kept, and when it goes."""
        row = {"version": "F1", "size": 5 << 20, "reliable": "100%", "kept": ["undo"], "kept_until": 1_800_000_000.0}
        rows = [row, row | {"version": "F2", "kept": ["current", "last"], "kept_until": None}]
        self.answers["file_info"] = {"versions": rows}
        output = self.asks("file versions docs", ("file_info", {"remote_path": "docs"}))
        for part in ("undo", "2027-01-15", "current, last"):
            self.assertIn(part, output)
        self.prints_json("file versions docs", rows)

    def test_attributes_and_owners(self) -> None:
        """Both ways a person says with or without, or leaves it to the settings."""
        self.answers |= {"file_exists": {"exist": True}, "file_info": {"name": "none"}}
        for words in (f"file upload {self.home} docs", f"file download docs {self.home}"):
            for flags, said in (("", {}), (" --no-owners --attributes", {"owners": False, "attributes": True})):
                self.cli(*f"{words}{flags}".split())
                given = self.asked[-1][1]
                self.assertEqual({name: given[name] for name in given.keys() & {"owners", "attributes"}}, said)

    def test_what_was_left_out(self) -> None:
        """Exit code 3 for a download that left something out; a file that was to be kept does not count."""
        kept = {"path": "a", "reason": "it exists and was kept", "code": "kept"}
        changed = {"path": "b", "reason": "its owner could not be set", "code": "changed"}
        self.answers |= {"file_info": {"name": "letter"}, "file_download_start": {"problems": [kept]}}
        words = f"file download docs/letter {self.home} --keep"
        self.assertIn("a: it exists", self.cli(*words.split()).output)
        self.answers["file_download_start"] = {"problems": [kept, changed]}
        self.assertIn("changed: b: its owner", self.cli(*words.split(), code=3).output)
        self.cli("--json", *words.split(), code=3)

    def test_upload_of_a_link(self) -> None:
        """A link to a folder is a link, not a folder."""
        link = self.home / "link"
        link.symlink_to(self.home)
        self.answers["file_exists"] = {"exist": False}
        self.cli("file", "upload", str(link), "--no-wait")
        self.assertEqual(self.asked[1][1]["as_folder"], False)

    def test_download_of_a_share(self) -> None:
        """One that is closed is opened before it is asked what there is."""
        self.answers |= {"share_open": {}, "file_info": {"name": "letter"}, "file_download_start": {}}
        words = f"file download share_1$bob@id.example:letter {self.home}"
        wanted = {"remote_path": "share_1$bob@id.example:letter", "destination_path": str(self.home.absolute())}
        started = ("file_download_start", wanted | {"policy": "replace", "wait_result": True})
        opened = ("share_open", {"key_id": "share_1$bob@id.example"})
        self.asks(words, opened, ("file_info", {"remote_path": wanted["remote_path"]}), started)

    def test_download(self) -> None:
        """What exists is replaced or kept as a person says; without one to ask it is refused."""
        self.answers |= {"file_info": {"name": "letter"}, "file_download_start": {}}
        wanted = {"remote_path": "docs/letter", "destination_path": str(self.home), "policy": "replace"}
        words = f"file download docs/letter {self.home}"
        started = ("file_download_start", wanted | {"wait_result": True})
        self.assertIn("download done", self.asks(words, ("file_info", {"remote_path": "docs/letter"}), started))
        (self.home / "letter").write_text("here")
        self.refuses(words, "say --overwrite or --keep")
        self.asks(f"{words} --keep --no-wait", ("file_download_start", wanted | {"policy": "keep"}))
        self.asks(f"{words} --overwrite", started)

    def test_asked_about_what_exists(self) -> None:
        """On a terminal a person chooses what becomes of a file that exists; to stop is the default."""
        self.patch(files_module, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
        (self.home / "letter").write_text("here")
        session = Session(self.home, False)
        answers = {"overwrite": "replace", "keep": "keep"}
        for answer, policy in answers.items():
            self.patch(files_module.click, "prompt", lambda *_, _a=answer, **__: _a)
            self.assertEqual(files_module._ask_about(session, "docs/letter", str(self.home)), policy)
        self.patch(files_module.click, "prompt", lambda *_, **__: "stop")
        self.assertRaises(files_module.click.Abort, files_module._ask_about, session, "letter", str(self.home))

    def test_other_commands(self) -> None:
        """Files are deleted, compared, shown, and transfers are stopped under either name."""
        self.answers["file_delete"] = {"remote_path": "docs/a"}
        self.refuses("file rm docs/a", "nobody can be asked here; give --yes", 2)
        self.assertIn("deleted docs/a", self.asks("file rm docs/a --yes", ("file_delete", {"remote_path": "docs/a"})))
        self.asks("dir delete docs --yes", ("file_delete", {"remote_path": "docs"}))
        said = self.asks("file rm docs/a", ("file_delete", {"remote_path": "docs/a"}), input="y\n")
        self.assertIn("Delete docs/a, with all its versions? It cannot be undone.", said)
        version = "file rm docs/a/F20261121034159123-0"
        self.assertIn("this version of it?", self.cli(*version.split(), input="n\n", code=1).output)
        self.asks("file sync", ("files_sync", {}))
        self.answers["file_explore"] = {"message": "it is shown"}
        self.asks(f"file explore {self.home}", ("file_explore", {"local_path": str(self.home)}))
        self.asks("file cancel docs", ("file_upload_stop", {"remote_path": "docs"}))
        for words in ("file cancel --download docs", "file abort download docs"):
            self.asks(words, ("file_download_stop", {"remote_path": "docs"}))
        self.refuses("file cancel a b c", "name one PATH", 2)

    def test_progress(self) -> None:
        """What runs and what waits, of one kind or of both."""
        row = {"path_id": "0", "remote_path": "a"}
        uploads, downloads = {"running": [row], "pending": [row]}, [row]
        self.answers |= {"files_uploads": uploads, "files_downloads": {"result": downloads}}
        output = self.asks("file progress", ("files_uploads", {}), ("files_downloads", {}))
        shown = [line.split()[:2] for line in output.splitlines()[1:]]
        self.assertEqual(shown, [["upload", "running"], ["upload", "waiting"], ["download", "running"]])
        self.assertEqual(len(self.cli("file", "progress", "download").output.splitlines()), 2)
        self.prints_json("file progress", {"uploads": uploads, "downloads": downloads})
        self.answers |= {"files_uploads": {}, "files_downloads": {"result": []}}
        self.assertIn("nothing is on its way", self.cli("file", "progress").output)

    def test_what_waits_and_what_failed(self) -> None:
        """An upload that waits for suppliers names them, and one that failed says why."""
        row = {"path_id": "0", "remote_path": "a", "waits_for": ["bob (is away)"]}
        failed = {"path_id": "1", "remote_path": "b", "code": "empty-source", "reason": "the source is empty"}
        self.answers |= {"files_uploads": {"running": [row], "pending": [], "failed": [failed]}}
        self.answers["files_downloads"] = {"result": []}
        output = self.cli("file", "progress").output
        for words in ("waits for bob (is away)", "failed", "the source is empty"):
            self.assertIn(words, output)

    def test_suppliers_that_take_nothing(self) -> None:
        """An upload that only waits for suppliers ends the command with a code of its own and says that it goes on."""
        self.answers |= {"file_exists": {"exist": True}}
        text = "a is on this disk and not yet safe; it waits for bob, and goes on by itself when they take it"
        self.answers["file_upload_start"] = ApiError("waits-for-suppliers", text)
        (self.home / "a").write_text("x")
        for given in (("file", "upload"), ("--json", "file", "upload")):
            result = self.cli(*given, str(self.home / "a"), "a", code=5)
            self.assertIn("goes on by itself", result.output)

    def test_without_a_terminal(self) -> None:
        """Where there is no bar, whom a transfer waits for is said once; a program is told nothing on the way."""
        self.patch(progress_module, "LOOK_SLOWLY", 0.001)
        ended = threading.Event()
        looks = iter(range(1000))

        def running(given: object) -> dict[str, object]:
            if next(looks) >= 3:
                ended.set()
            return {"running": [{"remote_path": "a", "waits_for": ["bob (is away)"]}]}

        self.answers |= {"files_uploads": running, "file_upload_start": lambda given: {} if ended.wait(10) else {}}
        self.answers |= {"file_exists": {"exist": True}}
        (self.home / "a").write_text("x")
        output = self.cli("file", "upload", str(self.home / "a")).output
        self.assertEqual(output.count("upload a: waits for bob (is away)"), 1)

    def test_bar(self) -> None:
        """On a terminal a bar follows the row of the transfer, or the only one there is."""
        self.patch(sys, "stdout", io.StringIO())
        self.patch(progress_module, "on_terminal", lambda: True)
        self.patch(progress_module, "LOOK_EVERY", 0.001)
        rows = [{"remote_path": "alice:docs/a", "bytes_processed": 5, "total_size": 10}, {"remote_path": "b"}]
        self.answers["files_uploads"] = {"running": rows}
        session = Session(self.home, False)
        self.assertEqual(progress_module._row_of(session, "upload", "docs/a"), rows[0])
        self.assertIsNone(progress_module._row_of(session, "upload", "none"))
        self.answers["files_downloads"] = {"result": rows[1:]}
        self.assertEqual(progress_module._row_of(session, "download", "none"), rows[1])
        self.answers["files_downloads"] = ApiError("timeout", "the node did not answer")
        self.assertIsNone(progress_module._row_of(session, "download", "b"))
        self.answers["file_upload_start"] = {"problems": []}
        found = progress_module.follow(session, "upload", "file_upload_start", {"remote_path": "docs/a"})
        self.assertEqual(found, {"problems": []})
        self.answers["file_upload_start"] = ApiError("no-space", "no room")
        self.assertRaises(
            ApiError, progress_module.follow, session, "upload", "file_upload_start", {"remote_path": "docs/a"}
        )

    def test_ctrl_c(self) -> None:
        """Ctrl-C leaves the transfer to the node, says how to stop it, and ends with 130."""

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        self.answers["file_exists"] = {"exist": True}
        self.patch(progress_module.Waiting, "result", interrupt)
        self.assertIn("goes on in the node", self.cli("file", "upload", str(self.home), code=130).output)


class EventsTests(NodeCase):
    def test_listen(self) -> None:
        """Events are printed as they come, as many as were wanted, as text or as JSON."""
        rows = [{"seq": number, "id": "hello", "data": {"n": number}} for number in range(3)]
        self.answers["event_listen"] = {"result": rows}
        output = self.cli("event", "listen", "--count", "4").output
        self.assertEqual([line.split()[0] for line in output.splitlines()], ["0", "1", "2", "0"])
        lines = self.cli("--json", "event", "follow", "--count", "1").output.splitlines()
        self.assertEqual([json.loads(line) for line in lines], rows[:1])

    def test_send_and_count(self) -> None:
        """An event of one's own is sent with JSON, and the kinds are counted."""
        self.asks('event send hello {"a":1}', ("event_send", {"event_id": "hello", "data": {"a": 1}}))
        self.refuses("event send hello nonsense", "not JSON", 2)
        self.answers["events_list"] = {"hello": 2, "bye": 1}
        output = self.cli("event", "list").output
        self.assertEqual([line.split() for line in output.splitlines()[1:]], [["bye", "1"], ["hello", "2"]])
        self.prints_json("event ls", {"hello": 2, "bye": 1})


class DoctorTests(NodeCase):
    FINE = {"check": "disk", "verdict": "ok", "found": "90 GB are free", "hint": ""}
    BAD = {"check": "clock", "verdict": "bad", "found": "two minutes behind", "hint": "set it"}

    def setUp(self) -> None:
        super().setUp()
        self.pid: int | None = 77
        self.patch(doctor_module, "running_pid", lambda home: self.pid)
        self.patch(doctor_module, "_from_outside", lambda home: [self.FINE])

    def test_running(self) -> None:
        """A running node looks at itself; something bad ends the command with 1, a warning does not."""
        self.answers["process_checkup"] = {"findings": [self.FINE, self.BAD | {"verdict": "warn"}]}
        output = self.cli("doctor").output
        for part in ("it runs (process 77)", "90 GB are free", "-> set it"):
            self.assertIn(part, output)
        self.answers["process_checkup"] = {"findings": [self.BAD]}
        found = json.loads(self.cli("--json", "checkup", code=1).output)
        self.assertEqual([one["check"] for one in found], ["node", "clock"])

    def test_not_running(self) -> None:
        """Without a running node its home is looked at from outside, and that it does not run is bad."""
        self.pid = None
        output = self.cli("doctor", code=1).output
        self.assertIn("the node is not running", output)
        self.assertIn("90 GB are free", output)

    def test_silent(self) -> None:
        """A node that has no API yet, or does not answer, is looked at from outside, with a hint where to look."""
        for error, part in (
            (NotRunning(self.home), "has not opened its API yet"),
            (ApiError("timeout", "too slow"), "does not answer: too slow"),
        ):
            self.answers["process_checkup"] = error
            output = self.cli("doctor", code=1).output
            for wanted in (part, "90 GB are free", "bitdust log"):
                self.assertIn(wanted, output)

    def test_no_home(self) -> None:
        """A home that is not there is said, instead of looking at nothing."""
        self.home = self.home / "none"
        self.assertIn("there is no home", self.cli("doctor", code=1).output)


class FakeConnection:
    """One connection of `http.client`: answers are taken from the list, exceptions are raised."""

    answers: list[Any]
    requests: list[tuple[str, str, Any, dict[str, str]]]

    def __init__(self, host: str, port: int, timeout: float | None) -> None:
        self.where = (host, port)

    def request(self, *request: Any) -> None:
        """Keep it; fail where the test says so."""
        self.requests.append(request)
        if isinstance(self.answers[0], Exception):
            raise self.answers.pop(0)

    def getresponse(self) -> "FakeConnection":
        """The same object reads the answer."""
        return self

    def read(self) -> bytes:
        """The next answer."""
        answer = self.answers.pop(0)
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def close(self) -> None:
        """Nothing is open."""


class ClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        (self.home / "metadata").mkdir(parents=True)
        self.ports = self.home / "metadata" / "apiports"
        self.ports.write_text('{"rest": 8180}')
        (self.home / "apisecret").write_text("secret\n")
        self.pid: int | None = 77
        self.patch(client_module, "running_pid", lambda home: self.pid)
        FakeConnection.answers, FakeConnection.requests = [], []
        self.patch(http.client, "HTTPConnection", FakeConnection)

    def call(self, *answers: Any, **options: Any) -> Any:
        FakeConnection.answers[:] = answers
        return ApiClient(self.home, **options).call("process_health")

    def fails(self, code: str, *answers: Any) -> str:
        FakeConnection.answers[:] = answers
        error = self.assertRaises(ApiError, ApiClient(self.home).call, "process_health")
        self.assertEqual(error.code, code)
        return str(error)

    def test_call(self) -> None:
        """A call carries the secret and gives the result."""
        self.assertEqual(self.call({"status": "OK", "result": {"a": 1}}), {"a": 1})
        ((verb, path, body, headers),) = FakeConnection.requests
        self.assertEqual((verb, path, body, headers["api_secret"]), ("POST", "/api/process_health", b"{}", "secret"))
        (self.home / "apisecret").unlink()
        self.assertEqual(self.call({"status": "OK"}), {})
        self.assertEqual(FakeConnection.requests[-1][3]["api_secret"], "")

    def test_errors(self) -> None:
        """The node's reasons are said; an answer without any is said too."""
        self.assertEqual(self.fails("busy", {"status": "ERROR", "code": "busy", "errors": ["a", "b"]}), "a; b")
        self.assertIn("without a reason", self.fails("error", {"status": "ERROR"}))

    def test_no_answer(self) -> None:
        """Who refuses, is slow, hangs up or answers with nonsense is told apart where that helps."""
        self.fails("not-running", ConnectionRefusedError())
        self.assertIn("180 seconds", self.fails("timeout", TimeoutError()))
        self.fails("no-answer", http.client.RemoteDisconnected("gone"))
        self.fails("no-answer", b"<html>")

    def test_not_running(self) -> None:
        """Without a process, without its ports, or with nonsense in them, there is no node to ask."""
        self.ports.write_text("{}")
        self.fails("no-rest")
        for text in ("nonsense", None):
            self.ports.write_text(text) if text else self.ports.unlink()
            self.assertRegex(self.fails("not-running"), "start it with: bitdust --appdir .* daemon")
        self.pid = None
        self.fails("not-running")

    def test_patience(self) -> None:
        """With a node that has just started a call waits for the service that it needs, and not for ever."""
        pauses: list[float] = []
        self.patch(client_module.time, "sleep", pauses.append)
        starting = {"status": "ERROR", "code": "service-off", "state": "STARTING", "errors": ["it starts"]}
        self.assertEqual(self.call(starting, starting, {"status": "OK", "result": 1}, patient=True), 1)
        self.assertEqual(len(pauses), 2)
        old = time.time() - 60
        os.utime(self.ports, (old, old))
        self.assertRaises(ApiError, self.call, starting, patient=True)
        self.assertRaises(ApiError, self.call, starting)
        self.assertEqual(len(pauses), 2)
