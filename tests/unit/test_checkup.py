"""What the doctor says: each check is shown well, and turning bad."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.checkup import home, judging, libraries, ports, running, stopped
from bitdust.checkup.finding import Finding, bad, lasting, ok, warn, worst
from bitdust.checkup.folders import folders
from bitdust.checkup.judging import Copy, Reached, Seen
from bitdust.checkup.rounds import run_checks
from bitdust.checkup.shelves import shelves
from bitdust.config.settings import Settings
from bitdust.crypt.device import DeviceKey
from bitdust.folders.port import FolderRow
from bitdust.identity.backup_mark import write_mark
from bitdust.identity.document import Device, IdentityDocument
from bitdust.storage.catalog import figures
from bitdust.storage.catalog.database import open_catalog
from bitdust.storage.log.held_up import HeldUp
from bitdust.storage.log.other_life import Reunion
from bitdust.suppliers.departures import Why
from bitdust.wire.errors import REVOKED
from bitdust.wire.names import IDURL, new_version
from bitdust.wire.sizes import in_words
from tests.vectors.keys import master

DAY = 86_400.0
NOW = 1_800_000_000.0
MB = 1024 * 1024


class CheckupCase(SynchronousTestCase):
    def verdicts(self, findings: list[Finding]) -> list[str]:
        """Every finding that is not ok says what to do."""
        for finding in findings:
            self.assertTrue(finding.found)
            self.assertEqual(bool(finding.hint), finding.verdict != "ok", finding)
        return [finding.verdict for finding in findings]

    def folder(self) -> Path:
        made = Path(self.mktemp()).absolute()
        made.mkdir(mode=0o700)
        return made


class RoundTests(CheckupCase):
    def test_side_by_side_with_a_limit(self) -> None:
        """Checks run at once; one that hangs or breaks is bad and keeps nobody else from being heard."""
        clock = Clock()
        slow: Deferred[list[Finding]] = Deferred()
        checks = {"slow": lambda: slow, "broken": lambda: 1 / 0, "failed": lambda: fail(OSError("gone")),
                  "well": lambda: [ok("well", "fine")]}  # fmt: skip
        looking = run_checks(clock, checks, 5.0)
        self.assertNoResult(looking)
        clock.advance(5.0)
        found = self.successResultOf(looking)
        self.assertEqual(
            [(one.check, one.verdict) for one in found],
            [("slow", "bad"), ("broken", "bad"), ("failed", "bad"), ("well", "ok")],
        )
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_words(self) -> None:
        """The worst verdict counts for all; spans of time are said in the unit that fits."""
        self.assertEqual(worst([ok("a", "x"), warn("b", "x", "y")]), "warn")
        self.assertEqual(worst([ok("a", "x"), bad("b", "x", "y"), warn("c", "x", "y")]), "bad")
        self.assertEqual(
            [lasting(seconds) for seconds in (5, 90, 7200, 86_400)], ["5 seconds", "2 minutes", "2 hours", "1 day"]
        )


class HomeTests(CheckupCase):
    def disk(self, free: int, flag: int = 0, promised: int = 0, kind: str = "ext4", reserve: int = 0) -> list[str]:
        folder = self.folder()
        mounts = folder / "mounts"
        mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/home {folder} {kind} rw 0 0\n")
        system: Any = SimpleNamespace(f_bavail=free // 4096, f_blocks=10 * free // 4096, f_frsize=4096, f_flag=flag)
        return self.verdicts(home.disk(folder, promised, reserve, lambda path: system, mounts))

    def test_disk(self) -> None:
        """Room is ok, little is a warning, none is bad; so are a read-only disk, a network and memory."""
        gigabyte = 1024**3
        self.assertEqual(self.disk(20 * gigabyte), ["ok"])
        self.assertEqual(self.disk(gigabyte // 2), ["warn"])
        self.assertEqual(self.disk(10 * 1024**2), ["bad"])
        self.assertEqual(self.disk(20 * gigabyte, os.ST_RDONLY), ["bad"])
        self.assertEqual(self.disk(5 * gigabyte, promised=8 * gigabyte), ["warn"])
        self.assertEqual(self.disk(20 * gigabyte, reserve=5), ["ok"])
        self.assertEqual(self.disk(20 * gigabyte, reserve=15), ["bad"])
        self.assertEqual(self.disk(20 * gigabyte, kind="nfs4"), ["warn"])
        self.assertEqual(self.disk(20 * gigabyte, kind="tmpfs"), ["warn"])

    def test_a_home_that_takes_nothing(self) -> None:
        """A folder in which no file can be written is bad, whatever the file system says."""
        folder = self.folder()
        (folder / ".part-doctor").mkdir()
        self.assertIn("bad", self.verdicts(home.disk(folder)))
        self.assertEqual(len(list(folder.iterdir())), 1)

    def test_permissions(self) -> None:
        """A key that others may read is bad."""
        folder = self.folder()
        (folder / "apisecret").write_text("x")
        (folder / "apisecret").chmod(0o600)
        self.assertEqual(self.verdicts(home.permissions(folder)), ["ok"])
        (folder / "apisecret").chmod(0o640)
        found = home.permissions(folder)
        self.assertEqual(self.verdicts(found), ["bad"])
        self.assertIn(f"chmod go= {folder}/apisecret", found[0].hint)

    def test_exceptions(self) -> None:
        """An exception that was logged is a warning."""
        folder = self.folder()
        self.assertEqual(self.verdicts(home.exceptions(folder)), ["ok"])
        (folder / "logs").mkdir()
        (folder / "logs" / "exception_20261121T042600_1.log").write_text("boom")
        self.assertEqual(self.verdicts(home.exceptions(folder)), ["warn"])

    def test_messages(self) -> None:
        """A history that was set aside is named until its file is gone; what SQLite has beside it does not count."""
        folder = self.folder()
        (folder / "messages").mkdir()
        for name in ("history.db", "history.db.damaged-20261129-031500-wal"):
            (folder / "messages" / name).write_bytes(b"")
        self.assertEqual(self.verdicts(home.messages(folder)), ["ok"])
        (folder / "messages" / "history.db.damaged-20261129-031500").write_bytes(b"")
        self.assertEqual(self.verdicts(home.messages(folder)), ["warn"])

    def test_exceptions_that_go_away(self) -> None:
        """The node takes old files away while they are counted."""
        folder = self.folder()
        (folder / "logs").mkdir()
        (folder / "logs" / "exception_1.log").symlink_to("gone")
        (folder / "logs" / "exception_2.log").write_text("x")
        self.assertIn("the last in exception_2.log", home.exceptions(folder)[0].found)

    def test_settings(self) -> None:
        """A file that cannot be read is bad, a key that nobody knows a warning."""
        folder = self.folder()
        (folder / "config").mkdir()
        path = folder / "config" / "settings.json"
        self.assertEqual(self.verdicts(home.settings(folder)), ["ok"])
        path.write_text('{"no/such/setting": 1}')
        self.assertEqual(self.verdicts(home.settings(folder)), ["warn"])
        path.write_text('{"logs/debug-level": "much"}')
        self.assertEqual(self.verdicts(home.settings(folder)), ["bad"])


class LibraryTests(CheckupCase):
    def test_libraries(self) -> None:
        """What is installed here is well; no pyeclib, none with ISA-L, or fastcdc in Python alone is bad."""
        self.assertEqual(self.verdicts(libraries.libraries()), ["ok"])

        def load(name: str) -> Any:
            if name in missing:
                raise ImportError(name)
            return SimpleNamespace(VALID_EC_TYPES=codes)

        missing, codes = ["pyeclib.ec_iface"], ["isa_l_rs_cauchy"]
        self.assertEqual(self.verdicts(libraries.libraries(load)), ["bad"])
        missing, codes = ["fastcdc.fastcdc_cy"], ["liberasurecode_rs_vand"]
        self.assertEqual(self.verdicts(libraries.libraries(load)), ["bad", "bad"])

    def test_key_size(self) -> None:
        """A key under 2048 bits is a warning; without a key there is nothing to say."""
        self.assertEqual(self.verdicts(libraries.key_size(2048)), ["ok"])
        self.assertEqual(self.verdicts(libraries.key_size(1024)), ["warn"])
        self.assertEqual(libraries.key_size(None), [])


class PortTests(CheckupCase):
    def setUp(self) -> None:
        self.settings = Settings(self.folder())
        for port in ports.PORTS:
            self.settings.set(port.key, 0)
        self.taken = socket.socket()
        self.addCleanup(self.taken.close)
        self.taken.bind(("127.0.0.1", 0))
        self.taken.listen()
        self.number = self.taken.getsockname()[1]

    def test_stopped(self) -> None:
        """A port that somebody has is bad, with who has it."""
        self.assertEqual(self.verdicts(ports.closed_node(self.settings)), ["ok"])
        self.settings.set("interface/api/rest-http-port", self.number)
        found = ports.closed_node(self.settings)
        self.assertEqual(self.verdicts(found), ["bad"])
        self.assertIn(f"process {os.getpid()} (", found[0].found)

    def test_default_ports_give_way(self) -> None:
        """With default numbers the node takes free ports instead of those that somebody has: that is no fault."""
        self.patch(ports, "is_free", lambda *place: False)
        self.patch(ports, "holder", lambda *place: "process 1 (other)")
        found = ports.closed_node(Settings(self.folder()))
        self.assertEqual(self.verdicts(found), ["warn"] * 4)
        self.assertTrue(all("the node will take a free one" in finding.found for finding in found))

    def test_running(self) -> None:
        """A port that is not open is bad; another one than the wanted is a warning; what is disabled is left out."""
        rest = "interface/api/rest-http-port"
        self.assertEqual(self.verdicts(ports.open_node(self.settings, {rest: 4711})), ["ok"])
        self.assertEqual(self.verdicts(ports.open_node(self.settings, {rest: 0})), ["bad"])
        self.settings.set(rest, self.number)
        self.assertEqual(self.verdicts(ports.open_node(self.settings, {rest: 4711})), ["warn"])
        self.assertIn(str(os.getpid()), ports.open_node(self.settings, {rest: 0})[0].found)
        self.settings.set("interface/api/rest-http-enabled", False)
        self.assertEqual(self.verdicts(ports.open_node(self.settings, {rest: 0})), ["ok"])


class JudgingTests(CheckupCase):
    def test_clock(self) -> None:
        """Half a minute is a warning, five are bad, and one wrong clock among three does not count."""
        self.assertEqual(self.verdicts(judging.clock([1.0, -2.0, 5000.0])), ["ok"])
        self.assertEqual(self.verdicts(judging.clock([60.0])), ["warn"])
        self.assertEqual(self.verdicts(judging.clock([-4000.0, -4001.0])), ["bad"])
        self.assertIn("ahead", judging.clock([-4000.0])[0].found)
        for seconds, word in ((-365 * DAY, "365 days ahead of"), (365 * DAY, "365 days behind")):
            (found,) = judging.clock([seconds, seconds + 1])
            self.assertEqual((found.verdict, word in found.found), ("bad", True))
        self.assertEqual(self.verdicts(judging.clock([])), ["warn"])

    def test_id_servers(self) -> None:
        """All silent is bad, one of two a warning, none set a warning."""
        good, dead = Seen("a:80", 200, NOW, 0.1), Seen("b:80", error="refused")
        self.assertEqual(self.verdicts(judging.id_servers([good])), ["ok"])
        self.assertEqual(self.verdicts(judging.id_servers([good, dead])), ["warn"])
        self.assertEqual(self.verdicts(judging.id_servers([dead, Seen("c:80", 500)])), ["bad"])
        self.assertEqual(self.verdicts(judging.id_servers([])), ["warn"])

    def test_my_identity(self) -> None:
        """Missing everywhere or somebody else's is bad; missing somewhere, older or newer is a warning."""
        here, gone = Copy("http://a/x.xml", 3), Copy("http://b/x.xml", error="gone")
        self.assertEqual(self.verdicts(judging.my_identity(3, [here])), ["ok"])
        self.assertEqual(self.verdicts(judging.my_identity(3, [here, gone])), ["warn"])
        self.assertEqual(self.verdicts(judging.my_identity(3, [gone])), ["bad"])
        self.assertEqual(self.verdicts(judging.my_identity(4, [here])), ["warn"])
        self.assertEqual(self.verdicts(judging.my_identity(2, [here])), ["warn"])
        self.assertEqual(self.verdicts(judging.my_identity(3, [Copy("http://a/x.xml", 3, mine=False)])), ["bad"])
        (found,) = judging.my_identity(2, [Copy("http://a/x.xml", 3, revokes_me=True)])
        self.assertEqual((found.verdict, "was revoked" in found.found), ("bad", True))

    def test_a_copied_home(self) -> None:
        """Whoever did not make the copy revokes the device; a home without the private key needs the key file first."""
        (found,) = judging.copied(3, True, 0)
        self.assertIn("bitdust identity attach FILE", found.hint)
        (found,) = judging.copied(3, False, 0)
        self.assertEqual((found.verdict, found.hint.count("bitdust identity revoke 3")), ("warn", 1))
        self.assertEqual(judging.copied(3, False, judging.TOLD_FOR + 1), [])

    def test_key_backup(self) -> None:
        """Never checked is bad, a year ago a warning."""
        self.assertEqual(self.verdicts(judging.key_backup(NOW - DAY, NOW)), ["ok"])
        self.assertEqual(self.verdicts(judging.key_backup(NOW - 400 * DAY, NOW)), ["warn"])
        self.assertEqual(self.verdicts(judging.key_backup(None, NOW)), ["bad"])
        (found,) = judging.key_backup(NOW - DAY, NOW, 3)
        self.assertEqual((found.verdict, "3 of them" in found.found), ("warn", True))

    def test_last_backup(self) -> None:
        """No whole version is bad; an old one, waiting pieces, or nothing at all is a warning."""
        self.assertEqual(self.verdicts(judging.last_backup(3, NOW - DAY, 0, NOW)), ["ok"])
        self.assertEqual(self.verdicts(judging.last_backup(3, NOW - 30 * DAY, 0, NOW)), ["warn"])
        self.assertEqual(self.verdicts(judging.last_backup(3, NOW - DAY, 5, NOW)), ["warn"])
        self.assertEqual(self.verdicts(judging.last_backup(3, None, 5, NOW)), ["bad"])
        self.assertEqual(self.verdicts(judging.last_backup(0, None, 0, NOW)), ["warn"])

    def service(self, state: str, enabled: bool = True, reason: str = "") -> dict[str, Any]:
        return {"name": "service_x", "state": state, "enabled": enabled, "reason": reason}

    def test_services(self) -> None:
        """One that failed is bad, with its reason; what waits for it is not said again; a disabled one is well."""
        self.assertEqual(self.verdicts(judging.services([self.service("ON"), self.service("OFF", False)])), ["ok"])
        found = judging.services([self.service("OFF", reason="the port is taken"), self.service("DEPENDS_OFF")])
        self.assertEqual(self.verdicts(found), ["bad"])
        self.assertIn("the port is taken", found[0].found)
        self.assertEqual(self.verdicts(judging.services([self.service("STARTING")])), ["warn"])
        self.assertEqual(self.verdicts(judging.services([self.service("NOT_INSTALLED", reason="no id")])), ["warn"])
        found = judging.services([self.service("OFF", False), self.service("DEPENDS_OFF")])
        self.assertEqual(self.verdicts(found), ["ok"])
        self.assertIn("because they need one of those: x", found[0].found)

    def supplier(self, state: str) -> dict[str, Any]:
        return {"idurl": "http://a/b.xml", "global_id": "b@a", "contact_state": state}

    def test_suppliers(self) -> None:
        """Fewer than half online is bad, one away a warning, and nobody hired is bad."""
        on, off, vacant = self.supplier("CONNECTED"), self.supplier("OFFLINE"), {"idurl": ""}
        self.assertEqual(self.verdicts(judging.suppliers([on, on])), ["ok"])
        self.assertEqual(self.verdicts(judging.suppliers([on, on, off | {"beyond": "to go"}])), ["ok"])
        self.assertEqual(self.verdicts(judging.suppliers([on, on, off, off])), ["warn"])
        self.assertEqual(self.verdicts(judging.suppliers([on, vacant])), ["warn"])
        self.assertEqual(self.verdicts(judging.suppliers([on, off, off, off])), ["bad"])
        self.assertEqual(self.verdicts(judging.suppliers([vacant, vacant])), ["bad"])

    def test_who_says_that_this_device_was_revoked(self) -> None:
        """The word of half of the suppliers counts, while none is online; that of fewer is told, and hides nothing."""
        off = self.supplier("OFFLINE")
        says = off | {"reason": f"refused: {REVOKED}"}
        risk = bad("risk", "no further supplier may be lost", "look")
        (found,) = judging.suppliers([says, says, off, off])
        self.assertEqual(judging.without_consequences([found, risk]), [found])
        (found,) = judging.suppliers([says, off, off, off])
        self.assertIn("as some say: b@a", found.found)
        self.assertEqual(judging.without_consequences([found, risk]), [found, risk])
        (found,) = judging.suppliers([says, says, self.supplier("CONNECTED"), off])
        self.assertEqual(judging.without_consequences([found, risk]), [found, risk])

    def test_who_is_to_be_replaced(self) -> None:
        """Who goes is named, and why, whether all are there or somebody is away."""
        on, off = self.supplier("CONNECTED"), self.supplier("OFFLINE")
        words = {
            Why.NOTICE: "it gave notice",
            Why.ASKED: "you have asked for it",
            Why.AWAY: "it was away for too long",
            Why.AUDITS: "it failed its audits",
            Why.REFUSES: "it does not take what belongs to its place",
        }
        self.assertEqual(set(words), set(Why))
        for why, text in words.items():
            going = on | {"global_id": "sam@a", "notice": {"why": why.value, "until": 0}}
            for others, told in (([on, on], "all 3 are online"), ([on, off], "2 of 3 are online; away: b@a")):
                (found,) = judging.suppliers([going, *others])
                self.assertEqual((found.verdict, found.found), ("warn", f"{told}; to be replaced: sam@a ({text})"))
                self.assertTrue(found.hint)

    def test_what_the_disk_did_not_give(self) -> None:
        """Folders of customers that could not be read at the start are named; where there are none nothing is said."""
        self.assertEqual(shelves([]), [])
        (found,) = shelves(["aa/01", "bb"])
        self.assertEqual(found.verdict, "warn")
        self.assertIn("2 folders or files of customers could not be read at the start: aa/01, bb", found.found)

    def test_customers(self) -> None:
        """Who has taken what is said; where most of the space is promised to somebody who does not use it, by whom."""
        few = [judging.Held("a@x", 5 * MB, 60 * MB), judging.Held("b@x", 0, 64 * MB)]
        found = judging.customers(few, 1024 * MB)
        self.assertEqual([(one.verdict, one.found) for one in found],
                         [("ok", "2 have 5 MB of 1 GB, and 124 MB are promised to them")])  # fmt: skip
        [found] = judging.customers(few, 200 * MB)
        self.assertEqual(found.verdict, "warn")
        self.assertIn("not used: b@x 64 MB, a@x 60 MB", found.found)

    def test_another_number_of_suppliers(self) -> None:
        """What is being done is said with what is left; a supplier that it waits for, or a failure, is a warning."""
        going = {"global_id": "carol@id.example", "idurl": "", "fingerprint": "", "beyond": "to go"}
        left = {"left": 3, "bytes": 12_000_000, "waits_for": [], "reason": ""}
        self.assertEqual(judging.resizing("", [], {}), [])
        (found,) = judging.resizing("files are being coded", [going], left)
        self.assertEqual(found.verdict, "ok")
        for words in ("files are being coded", "3 packs (12 MB) are left", "carol@id.example"):
            self.assertIn(words, found.found)
        for trouble in ({"waits_for": ["dave@id.example"]}, {"reason": "too few pieces"}):
            self.assertEqual(self.verdicts(judging.resizing("files are being coded", [], left | trouble)), ["warn"])

    def test_packs_of_another_size_that_are_nowhere(self) -> None:
        """They are named with what to do, while the change waits for them, and when it is over."""
        found = {"packs": 2, "left_out": 0, "remote_paths": ["alice@id:lost"]}
        changing, waited = judging.resizing("files are being coded", [], {"left": 0, "nowhere": found})
        self.assertEqual((changing.verdict, waited.verdict), ("ok", "warn"))
        for words in ("2 packs can be had from nowhere", "alice@id:lost", "30 days"):
            self.assertIn(words, waited.found)
        self.assertIn("bitdust file delete", waited.hint)
        (over,) = judging.resizing("", [], {"nowhere": found | {"left_out": 2}})
        self.assertIn("2 of them are left out", over.found)
        self.assertNotIn("30 days", over.found)

    def test_reachability(self) -> None:
        """A visitor proves it; no address or a closed port is bad; a private address or no visitor is a warning."""
        public, private = ["tcp://1.1.1.1:7771"], ["tcp://192.168.1.5:7771"]
        self.assertEqual(self.verdicts(judging.reachability(Reached(private, 2))), ["ok"])
        self.assertEqual(self.verdicts(judging.reachability(Reached([], 0))), ["bad"])
        self.assertEqual(self.verdicts(judging.reachability(Reached(public, 0, own_port_open=False))), ["bad"])
        self.assertEqual(self.verdicts(judging.reachability(Reached(public, 0))), ["warn"])
        found = judging.reachability(Reached(private, 0))
        self.assertEqual(self.verdicts(found), ["warn"])
        self.assertIn("forward TCP port 7771", found[0].hint)
        found = judging.reachability(Reached(["tcp://127.0.0.1:7771"], 0))
        self.assertEqual(self.verdicts(found), ["warn"])
        self.assertIn("services/network/interface", found[0].hint)

    def test_reachability_over_six(self) -> None:
        """An IPv6 address is judged as one: loopback, private or of the world."""
        hints = {"[::1]": "services/network/interface", "[fd00::5]": "forward TCP port 7771", "[2606:4700::1]": "ping"}
        for host, hint in hints.items():
            found = judging.reachability(Reached([f"tcp://{host}:7771"], 0))
            self.assertEqual(self.verdicts(found), ["warn"])
            self.assertIn(hint, found[0].hint)

    def test_dht(self) -> None:
        """Silent first nodes or a value that does not come back are bad; no first nodes at all is a warning."""
        self.assertEqual(self.verdicts(judging.dht(5, 1, "", 0.1)), ["ok"])
        self.assertEqual(self.verdicts(judging.dht(0, 2, "")), ["bad"])
        self.assertEqual(self.verdicts(judging.dht(5, 2, "read failed")), ["bad"])
        self.assertEqual(self.verdicts(judging.dht(0, 0, "")), ["warn"])

    def test_folders_in_sync(self) -> None:
        """Whatever keeps a folder from being the same everywhere is said of each; one that rests has no problem."""
        well = FolderRow(Path("/a"), "secret")
        full = FolderRow(Path("/b"), "secret", problem="disk-full", problem_text="the disk is full")
        other = FolderRow(Path("/c"), "secret", problem="disk-error", problem_text="the disk failed")
        resting = FolderRow(Path("/d"), "secret", paused=True, problem="disk-full", problem_text="the disk is full")
        self.assertEqual(folders([]), [])
        self.assertEqual(self.verdicts(folders([well, resting])), ["ok"])
        found = folders([well, full, other])
        self.assertEqual(self.verdicts(found), ["warn", "warn"])
        self.assertEqual([one.found for one in found], ["/b: the disk is full", "/c: the disk failed"])

    def test_identity(self) -> None:
        """No identity is a warning, locked keys are bad."""
        self.assertEqual(self.verdicts(judging.identity(True, "a@b")), ["ok"])
        self.assertEqual(self.verdicts(judging.identity(False, "")), ["warn"])
        self.assertEqual(self.verdicts(judging.identity(False, "", locked=True)), ["bad"])


class RunningTests(CheckupCase):
    """The gathering of figures from a node's parts."""

    def test_a_recovery_that_waits(self) -> None:
        """What has not come back is said, with what a person can do; a node that waits for nothing has no such row."""
        awaited = {"family", "keyring", "catalog"}
        me = SimpleNamespace(present=True, awaits=awaited.__contains__, searched_because="")
        node = self.node(me=me, hiring=SimpleNamespace(reason="no answer yet from supplier-1"))
        (found,) = running._recovery(node)
        for words in ("no answer yet from supplier-1", "key ring", "newer states", "--start-over"):
            self.assertIn(words, found.found + found.hint)
        awaited.clear()
        self.assertEqual(running._recovery(node), [])
        me.present, me.searched_because = False, "no answer yet from the DHT"
        (found,) = running._recovery(node)
        self.assertIn("no answer yet from the DHT", found.found)
        self.assertNotIn("--start-over", found.hint)

    def test_a_former_key_ring(self) -> None:
        """That the files of a former life are back is said for a month; a node that never started over says nothing."""
        said = [
            (None, "the former key ring was found: what it opens is being read"),
            (Reunion(int(NOW) - 60, (), 12), "the former key ring was found: 12 files of before are back"),
            (Reunion(int(NOW) - 32 * 86_400, (), 12), None),
            (Reunion(int(NOW), (), 0), None),
        ]
        for found, text in said:
            life = SimpleNamespace(reunion=found or Reunion(int(NOW)))
            storage = SimpleNamespace(is_open=True, core=SimpleNamespace(other_life=life))
            findings = running._other_life(self.node(storage=storage))
            self.assertEqual([one.found for one in findings], [text] if text else [])
        self.assertEqual(running._other_life(self.node(storage=SimpleNamespace(is_open=False))), [])
        life.reunion = None
        self.assertEqual(running._other_life(self.node(storage=storage)), [])

    def test_a_log_that_is_held_up(self) -> None:
        """An entry that cannot be taken over is named with its device, by its number where it is mine."""
        held_up = [HeldUp("master", number * 8, 7, "TypeError") for number in (b"a", b"b")]
        replicas = SimpleNamespace(held_up=SimpleNamespace(rows=lambda: held_up))
        storage = SimpleNamespace(is_open=True, core=SimpleNamespace(log_replicas=replicas))
        names = {b"a" * 8: SimpleNamespace(number=2)}
        me = SimpleNamespace(document=SimpleNamespace(device=names.get))
        [found] = running._held_up(self.node(storage=storage, me=me))
        self.assertEqual(found.check, "log entries")
        for said in ("entry 7 of device 2 (TypeError)", f"entry 7 of device {(b'b' * 8).hex()}"):
            self.assertIn(said, found.found)
        held_up.clear()
        self.assertEqual(running._held_up(self.node(storage=storage, me=me)), [])

    def test_a_log_that_is_not_given(self) -> None:
        """Devices are named of which suppliers list entries that nobody gives; not those whose end is open anyway."""
        lacking = [number * 8 for number in (b"a", b"b", b"c")]
        replicas = SimpleNamespace(not_given=lambda: lacking)
        storage = SimpleNamespace(is_open=True, core=SimpleNamespace(log_replicas=replicas))
        names = {b"a" * 8: SimpleNamespace(number=2), b"b" * 8: SimpleNamespace(number=3)}
        me = SimpleNamespace(document=SimpleNamespace(device=names.get, open_ends={b"b" * 8}))
        [found] = running._not_given(self.node(storage=storage, me=me))
        self.assertEqual((found.check, found.found[-10:]), ("log entries", "give it: 2"))
        self.assertIn("bitdust identity revoke 2 --end-now", found.hint)
        lacking.clear()
        self.assertEqual(running._not_given(self.node(storage=storage, me=me)), [])

    def node(self, **parts: Any) -> Any:
        clock = Clock()
        world = SimpleNamespace(clock=clock, wall=lambda: NOW, entropy=lambda size: b"x" * size)
        driver = SimpleNamespace(is_on=lambda name: True)
        return SimpleNamespace(world=world, driver=driver, **parts)

    def gather(self, gathering: Any) -> list[str]:
        return self.verdicts(self.successResultOf(Deferred.fromCoroutine(gathering)))

    def test_clock_and_servers(self) -> None:
        """The clock is compared with those of the servers that answer, and of peers."""
        servers = [SimpleNamespace(host="a", port=80), SimpleNamespace(host="b", port=80)]

        def greet(server: Any) -> "Deferred[Any]":
            return fail(OSError("refused")) if server.host == "b" else succeed((200, NOW + 4000))

        def session(seconds: float | None, who: int, dialled: bool = True) -> SimpleNamespace:
            return SimpleNamespace(
                ahead=seconds, call=SimpleNamespace(dialled=dialled), peer=SimpleNamespace(fingerprint=who)
            )

        sessions = [session(None, 0), *(session(0.0, who, dialled=False) for who in range(50)), session(9000.0, 1)]
        gateway = SimpleNamespace(sessions=lambda: sessions)
        node = self.node(client=SimpleNamespace(servers=lambda: servers, greet=greet), gateway=gateway)
        self.assertEqual(self.gather(running._clock(node)), ["bad"])
        self.assertEqual(self.gather(running._id_servers(node)), ["warn"])
        sessions += [session(0.5, 2), session(-0.5, 3), session(-0.5, 4), *(session(9000.0, 1) for _ in range(9))]
        self.assertEqual(self.gather(running._clock(node)), ["ok"], "more peers against one server and one peer")

    def test_dht_round_trip(self) -> None:
        """A value is put and read again; another one that comes back, or none, is bad."""
        kept: dict[str, Any] = {}

        def put(key: str, value: str, expire: int) -> "Deferred[Any]":
            kept[key] = value.strip('"')
            return succeed({"write": "success"})

        debug = SimpleNamespace(put=put, get=lambda key: succeed({"read": "success", "value": kept[key]}))
        dht = SimpleNamespace(status=lambda: {"layers": [{"node_items": 3}]}, debug=debug)
        settings = SimpleNamespace(get=lambda key: "")
        self.assertEqual(self.gather(running._dht(self.node(dht=dht, settings=settings))), ["ok"])
        dht.debug.get = lambda key: succeed({"read": "failed"})
        self.assertEqual(self.gather(running._dht(self.node(dht=dht, settings=settings))), ["bad"])

    def test_my_identity_at_its_sources(self) -> None:
        """The document at each source is fetched and compared."""
        device = SimpleNamespace(id=b"1", revoked=None)
        document = SimpleNamespace(revision=3, fingerprint=b"me", sources=["http://a/x.xml"], device=lambda _: device)
        me = SimpleNamespace(present=True, document=document, device=device)
        client = SimpleNamespace(fetch=lambda idurl: succeed(document))
        self.assertEqual(self.gather(running._my_identity(self.node(me=me, client=client))), ["ok"])
        device.revoked = 3
        self.assertEqual(self.gather(running._my_identity(self.node(me=me, client=client))), ["bad"])
        client.fetch = lambda idurl: fail(OSError("gone"))
        self.assertEqual(self.gather(running._my_identity(self.node(me=me, client=client))), ["bad"])

    def test_visitors(self) -> None:
        """Sessions that peers have dialled prove that they come through."""
        gateway = SimpleNamespace(sessions=lambda: [SimpleNamespace(dialled=False)])
        me = SimpleNamespace(addresses=["tcp://192.168.1.5:7771"])
        self.assertEqual(self.gather(running._reachability(self.node(gateway=gateway, me=me))), ["ok"])
        dead = SimpleNamespace(connect=lambda factory: fail(OSError("refused")))
        node = self.node(gateway=SimpleNamespace(sessions=list), me=me)
        node.world.network = SimpleNamespace(client=lambda host, port, timeout: dead)
        self.assertEqual(self.gather(running._reachability(node)), ["bad"])

    def test_many_addresses(self) -> None:
        """All of them are tried at once: those that swallow everything do not use up the time for the others."""
        tried = list[str]()
        connection = SimpleNamespace(transport=SimpleNamespace(loseConnection=lambda: None))

        def client(host: str, port: int, timeout: float) -> Any:
            tried.append(host)
            ended: Deferred[Any] = succeed(connection) if host == "192.168.1.9" else Deferred()
            return SimpleNamespace(connect=lambda factory: ended)

        hosts = [f"192.168.1.{number}" for number in range(3, 10)]
        me = SimpleNamespace(addresses=[f"tcp://{host}:7771" for host in hosts])
        node = self.node(gateway=SimpleNamespace(sessions=list), me=me)
        node.world.network = SimpleNamespace(client=client)
        looking = Deferred.fromCoroutine(running._reachability(node))
        self.assertEqual(tried, hosts)
        looking.addErrback(lambda _: None).cancel()


class FiguresTests(CheckupCase):
    def test_the_newest_whole_version(self) -> None:
        """A version counts when each of its pieces is acknowledged; one that waits does not."""
        database = open_catalog(self.folder() / "catalog.db")
        self.addCleanup(database.close)
        self.assertEqual(figures.safety(database), {"files": 0, "reliable": None, "waiting": 0})
        for number, acked in ((1, 4), (2, 3)):
            pack, version = bytes([number]) * 32, new_version(NOW + number, 0)
            row = (str(number), version)
            database.execute("INSERT INTO versions VALUES(?, ?, 'master', 1, 0, 0, NULL, x'', 1, x'', 1, 0)", row)
            database.execute("INSERT INTO packs VALUES(?, 'master', 0, 9, x'', x'', x'', 1, ?, 4, 1, 0)", (pack, acked))
            database.execute("INSERT INTO version_packs VALUES(?, ?, ?)", (pack, str(number), version))
        database.execute("INSERT INTO pieces VALUES(?, 3, 77, 0, NULL, NULL)", (b"\2" * 32,))
        found = figures.safety(database)
        self.assertEqual((found["files"], found["waiting"]), (2, 1))
        self.assertAlmostEqual(found["reliable"], NOW + 1, 2)
        self.assertEqual(
            figures.pieces(database),
            {"packs": 2, "due": 8, "acknowledged": 7, "waiting": 1, "missing": 0, "spool_bytes": 77},
        )


class Late(BaseHTTPRequestHandler):
    """An ID server whose clock is an hour behind."""

    documents: ClassVar[dict[str, bytes]] = {}

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() - 3600)

    def do_GET(self) -> None:
        body = self.documents.get(self.path, b"ID server")
        self.send_response(200 if self.path == "/" or self.path in self.documents else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *what: Any) -> None:
        """Nothing."""


class StoppedTests(CheckupCase):
    """A home whose node does not run."""

    def setUp(self) -> None:
        self.server = HTTPServer(("127.0.0.1", 0), Late)
        Late.documents.clear()
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.home = self.folder()
        self.settings = Settings(self.home / "config")
        self.where = f"127.0.0.1:{self.server.server_port}"
        self.settings.set("services/identity-propagate/known-servers", self.where)
        for port in ports.PORTS:
            self.settings.set(port.key, 0)

    def look(self) -> dict[str, str]:
        found = stopped.look_at(self.home)
        self.verdicts(found)
        return {finding.check: finding.verdict for finding in found}

    def test_without_an_identity(self) -> None:
        """Disk, permissions, ports, libraries, clock and ID servers are looked at without the node."""
        found = self.look()
        self.assertEqual((found["identity"], found["ID servers"], found["clock"]), ("warn", "ok", "bad"))
        self.assertEqual((found["libraries"], found["ports"], found["permissions"]), ("ok", "ok", "ok"))

    def test_with_an_identity(self) -> None:
        """The copy at the ID server is compared, and whether the key was ever copied is told."""
        device = DeviceKey.from_seed(b"a" * 32)
        source = IDURL.parse(f"http://{self.where}/alice.xml")
        document = IdentityDocument.create(master(), (source,), 1, (Device(0, 1, device.public),), 1000.0)
        (self.home / "metadata").mkdir(mode=0o700)
        (self.home / "metadata" / "localidentity").write_bytes(document.xml)
        found = self.look()
        self.assertEqual((found["identity"], found["my identity"], found["key backup"]), ("ok", "bad", "bad"))
        Late.documents["/alice.xml"] = document.xml
        write_mark(self.home / "metadata", document.fingerprint, time.time())
        found = self.look()
        self.assertEqual((found["my identity"], found["key backup"]), ("ok", "ok"))

    def test_what_nobody_has_thought_of(self) -> None:
        """A check that breaks is bad, and the rest is looked at all the same."""
        self.patch(home, "messages", lambda folder: {}["history"])
        found = self.look()
        self.assertEqual((found["messages"], found["libraries"]), ("bad", "ok"))

    def test_a_server_that_never_ends(self) -> None:
        """One that gives a byte now and then is named, and keeps neither the others from being looked at nor the
        process from its end."""
        listening, done = socket.create_server(("127.0.0.1", 0)), threading.Event()

        def drip() -> None:
            listening.settimeout(10)
            with listening, contextlib.suppress(OSError), listening.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
                while not done.wait(0.05):
                    connection.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        self.addCleanup(dripping.join)
        self.addCleanup(done.set)
        self.patch(stopped, "LONGEST", 0.5)
        servers = [self.where, f"127.0.0.1:{listening.getsockname()[1]}"]
        asked = stopped._each(stopped._greet, servers, lambda name, why: Seen(name, error=why))
        self.assertEqual([(one.name, one.status) for one in asked], [(servers[0], 200), (servers[1], 0)])
        self.assertEqual(self.verdicts(judging.id_servers(asked)), ["warn"])
        left = [one for one in threading.enumerate() if one.name == "doctor"]
        self.assertEqual([one.daemon for one in left], [True])

    def test_a_date_that_is_none(self) -> None:
        """An ID server whose clock tells nonsense is one without a clock; the rest is looked at all the same."""
        for date in ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2020 00:00:00 +9999", "soon"):
            self.patch(Late, "date_time_string", lambda *_, date=date: date)
            found = self.look()
            self.assertEqual((found["clock"], found["ID servers"], found["libraries"]), ("warn", "ok", "ok"), date)

    def test_broken(self) -> None:
        """A broken settings file or identity is bad, and the rest is looked at all the same."""
        (self.home / "metadata").mkdir(mode=0o700)
        (self.home / "metadata" / "localidentity").write_bytes(b"<no identity")
        self.assertEqual(self.look()["identity"], "bad")
        (self.home / "config" / "settings.json").write_text("{")
        found = self.look()
        self.assertEqual((found["settings"], found["libraries"]), ("bad", "ok"))


class SizeTests(CheckupCase):
    def test_the_limits_are_said(self) -> None:
        """The words of a full disk tell how much is free."""
        system: Any = SimpleNamespace(f_bavail=1, f_blocks=9, f_frsize=4096, f_flag=0)
        self.assertIn(in_words(4096), home.disk(self.folder(), statvfs=lambda path: system)[0].found)


class CommandTests(CheckupCase):
    """`bitdust doctor`, as people and scripts call it."""

    def run_cli(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "bitdust", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_stopped(self) -> None:
        """With the node stopped it says so, looks at what it can, and ends with 1; Twisted is not even loaded."""
        folder = self.folder()
        done = self.run_cli("--appdir", str(folder), "doctor", "--json")
        found = {row["check"]: row["verdict"] for row in json.loads(done.stdout)}
        self.assertEqual((done.returncode, found["node"], found["libraries"]), (1, "bad", "ok"))
        self.assertNotIn("twisted", done.stderr)

    def test_no_home(self) -> None:
        """A folder that does not exist is not made."""
        folder = self.folder() / "none"
        done = self.run_cli("--appdir", str(folder), "doctor")
        self.assertEqual((done.returncode, folder.exists()), (1, False))
        self.assertIn("there is no home", done.stdout)
        self.assertIn("-> ", done.stdout)
