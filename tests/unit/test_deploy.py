"""The container files: what they name exists, and the entrypoint does its work without a container."""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import yaml
from click.testing import CliRunner
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.cli.lock import running_pid
from bitdust.cli.main import cli
from bitdust.cli.processes import IDENTITY_SERVER, QUIET, wait_for
from bitdust.config.schema import default_schema
from bitdust.wire.names import IDURL
from tests.lifeline import MARK

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
INSTRUCTIONS = {
    "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT",
    "CMD",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


class DockerfileTests(SynchronousTestCase):
    def test_instructions(self) -> None:
        """Every instruction exists, what is copied is there and not ignored, and commands are those of the program."""
        found = instructions()
        self.assertEqual({name for name, _ in found} - INSTRUCTIONS, set())
        ignored = (ROOT / ".dockerignore").read_text().split()
        for source in [word for name, rest in found if name == "COPY" for word in rest.split()[:-1]]:
            if not source.startswith(("--from", "/opt")):
                self.assertTrue((ROOT / source).exists(), source)
                self.assertNotIn(source.removeprefix("./"), ignored)
        health = next(rest for name, rest in found if name == "HEALTHCHECK").partition("CMD ")[2]
        for words in (json.loads(health), ["bitdust", *json.loads(found[-1][1])]):
            self.assertEqual(words[0], "bitdust")
            self.assertEqual(CliRunner().invoke(cli, [*words[1:2], "--help"]).exit_code, 0, words)

    def test_nothing_runs_as_root(self) -> None:
        """The last user is not root, the home is its own, and the first process hands signals on."""
        found = dict(instructions())
        self.assertEqual((found["USER"], found["VOLUME"]), ("bitdust", "/data"))
        self.assertEqual(json.loads(found["ENTRYPOINT"]), ["tini", "--", "bitdust-entrypoint"])
        self.assertNotIn("chmod 777", (DEPLOY / "Dockerfile").read_text())


class ComposeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
        self.services = self.compose["services"]

    def settings(self, name: str) -> dict[str, str]:
        lines = self.services[name]["environment"]["BITDUST_SETTINGS"].splitlines()
        return dict(line.split("=", 1) for line in lines)

    def test_a_small_network(self) -> None:
        """One seed, four suppliers and one customer; volumes and names exist, no port is opened to the outside."""
        suppliers = [f"supplier-{number}" for number in range(1, 5)]
        self.assertEqual(sorted(self.services), sorted(["seed", *suppliers, "customer"]))
        for name, service in self.services.items():
            self.assertNotIn("ports", service)
            for volume in service["volumes"]:
                self.assertIn(volume.split(":")[0], self.compose["volumes"])
            self.assertIn(f"{name}:/data", service["volumes"])
            self.assertTrue(set(service["depends_on"]) <= set(self.services))
        build = self.services["seed"]["build"]
        self.assertTrue((DEPLOY / build["context"] / build["dockerfile"]).is_file())

    def test_settings_exist(self) -> None:
        """Every setting is one of the program and has a value that it takes; the seed's name is where others look."""
        schema = default_schema()
        for name in self.services:
            for key, value in self.settings(name).items():
                schema[key].parse(value)
        self.assertEqual(self.settings("seed")["services/identity-server/host"], "seed")
        self.assertTrue(
            schema["services/identity-server/enabled"].parse(self.settings("seed")["services/identity-server/enabled"])
        )
        for name in [name for name in self.services if name != "seed"]:
            values = self.settings(name)
            port = schema["services/identity-server/web-port"].default
            self.assertEqual(values["services/identity-propagate/known-servers"], f"seed:{port}")
            self.assertEqual(
                values["services/entangled-dht/known-nodes"],
                f"seed:{schema['services/entangled-dht/udp-port'].default}",
            )
            user = self.services[name]["environment"]["BITDUST_IDENTITY"]
            IDURL.parse(f"http://seed:{port}/{user}.xml")


FAILING = """#!/bin/sh
echo "$*" >> "{log}"
case "$1" in
    id) exit 1 ;;
    identity) echo "error: the name is taken" >&2; exit 1 ;;
    start) until [ "$(grep -c create "{log}")" -ge 9 ]; do /bin/sleep 0.05; done ;;
esac
"""


class EntrypointTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        base = Path(self.mktemp()).absolute()
        self.home = base / "data"
        (base / "bin").mkdir(parents=True)
        program = base / "bin" / "bitdust"
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m bitdust "$@"\n')
        program.chmod(0o755)
        self.environment = {
            "PATH": f"{base / 'bin'}:/usr/bin:/bin", "BITDUST_HOME": str(self.home), "BITDUST_IDENTITY": "alice",
            MARK: os.environ[MARK],
            "BITDUST_SETTINGS": "\n".join(f"{key}={value}" for key, value in self.settings().items()) + "\n",
        }  # fmt: skip

    def settings(self) -> dict[str, str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        server = IDENTITY_SERVER | {"services/identity-server/web-port": port}
        mine = {"services/identity-propagate/known-servers": f"127.0.0.1:{port}"}
        return QUIET | server | mine | {"services/supplier/donated-space": "1 GB"}

    def run_it(self, *words: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ["/bin/sh", str(DEPLOY / "entrypoint.sh"), *words], env=self.environment, cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def said(self, *words: str) -> bytes:
        """What another command in the container prints, nothing when it fails."""
        process = self.run_it(*words)
        output = process.communicate()[0]
        return b"" if process.returncode else output

    async def test_a_life(self) -> None:
        """In an empty environment it sets what is told, becomes the node itself, and ends with it on SIGTERM."""
        await deferToThread(self.life)

    def life(self) -> None:
        process = self.run_it("start")
        try:
            wait_for(lambda: running_pid(self.home) == process.pid, "the node")
            wait_for((self.home / "metadata" / "apiports").exists, "the API")
            wait_for(lambda: self.said("api", "process_health"), "a healthy node")
            self.assertTrue(self.said("get", "services/supplier/donated-space").startswith(b"1 GB\n"))
            who = wait_for(lambda: self.said("id"), "the identity")
            self.assertTrue(who.startswith(b"alice@127.0.0.1_"), who)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 0)
        finally:
            process.kill()
            process.wait()  # its number is gone now, which ends what it left in the background and with that the pipe
            process.communicate()

    def test_patience(self) -> None:
        """What keeps the name from being registered is said, and tried again later and later; a setting keeps all that
        stands behind its first equals sign."""
        base = self.home.parent
        log, programs = base / "log", base / "bin"
        (programs / "sleep").write_text(f'#!/bin/sh\necho sleep >> "{log}"\n')
        (programs / "bitdust").write_text(FAILING.format(log=log))
        for name in ("sleep", "bitdust"):
            (programs / name).chmod(0o755)
        self.environment["BITDUST_SETTINGS"] = "a=b=\n\nc=\n"
        process = self.run_it("start")
        process.wait(60)  # its number is gone now, which ends what it left in the background
        said = process.communicate()[0]
        self.assertEqual(set(said.splitlines()), {b"error: the name is taken"})
        calls = log.read_text().splitlines()
        self.assertEqual(calls[:2], ["set a b=", "set c "])
        tries = [index for index, call in enumerate(calls) if call == "identity create alice"]
        pauses = [calls[first:second].count("sleep") for first, second in itertools.pairwise(tries)]
        self.assertEqual(pauses[:7], [1, 2, 4, 8, 16, 32, 64])
        self.assertEqual(set(pauses[6:]), {64})

    async def test_a_wrong_setting(self) -> None:
        """A setting that does not exist ends it with the reason, before the node runs."""
        self.environment["BITDUST_SETTINGS"] = "services/nothing=1\n"
        process = self.run_it()
        said = (await deferToThread(process.communicate))[0]
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"there is no setting 'services/nothing'", said)
        self.assertIsNone(running_pid(self.home))
