"""What docs/operations.md, docs/troubleshooting.md and deploy/README.md tell people to type works as it stands there.

A block ```` ```sh ```` is run as one script, in the order of its page. One with ``needs=`` (root, systemd, docker,
packages) is only looked at: the shell must understand it, and every `bitdust` command in it must exist.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.main import cli
from bitdust.cli.processes import QUIET, NodeProcess
from tests.lifeline import MARK
from tests.processes.test_main_job import ProcessTests

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/operations.md", "docs/troubleshooting.md", "deploy/README.md")
BLOCK = re.compile(r"^```sh(?: needs=(\w+))?\n(.*?)^```$", re.M | re.S)
CODE = re.compile(r"`(bitdust [^`…]+)`")
NEEDS = ("root", "systemd", "docker", "packages")


@frozen
class Block:
    page: str
    needs: str
    script: str


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(page, needs, script) for needs, script in BLOCK.findall(text)]


class PagesTests(SynchronousTestCase):
    def test_every_block_says_what_it_needs(self) -> None:
        """Each fenced block is a shell script that is run, or names what it needs; few do."""
        found = [block for page in PAGES for block in blocks(page)]
        fences = sum((ROOT / page).read_text().count("\n```") for page in PAGES)
        self.assertEqual(fences, 2 * len(found))
        self.assertEqual({block.needs for block in found} - {"", *NEEDS}, set())
        for block in found:
            checked = subprocess.run(["sh", "-n"], input=block.script, text=True, capture_output=True, check=False)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""), block)

    def test_every_command_exists(self) -> None:
        """Every `bitdust` command of the pages, in blocks and in sentences, exists with its options."""
        for page in PAGES:
            text = (ROOT / page).read_text(encoding="utf-8")
            scripts = [block.script.replace("\\\n", " ") for block in blocks(page)]
            lines = [line for script in scripts for line in script.splitlines()]
            for line in [*lines, *CODE.findall(text)]:
                words = shlex.split(line, comments=True)
                runs = words[0] in ("bitdust", "echo") or (words[0] == "docker" and "exec" in words)
                if runs and "bitdust" in words:
                    last = len(words) - 1 - words[::-1].index("bitdust")
                    self.exists(words[last + 1 :], line)

    def exists(self, words: list[str], line: str) -> None:
        context, command = click.Context(cli), cli
        while words and isinstance(command, click.Group):
            word = words.pop(0)
            if word in ("--appdir", "-a"):
                words.pop(0)
            elif not word.startswith("-"):
                found = command.get_command(context, word)
                self.assertIsNotNone(found, line)
                command = found
        options = {name for param in command.params for name in param.opts} | {"--help"}
        given = {word.split("=")[0] for word in words if word.startswith("--")}
        self.assertEqual(given - options, set(), line)

    def test_codes_exist(self) -> None:
        """Every code of the table is one that the program gives, and every setting that is named exists."""
        from bitdust.config.schema import default_schema

        source = "\n".join(path.read_text() for path in ROOT.glob("bitdust/**/*.py"))
        text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
        table = text[text.index("## Error codes") :]
        for row in re.findall(r"^\| (`[^|]+) \|", table, re.M):
            for code in re.findall(r"`([a-z-]+)`", row):
                self.assertIn(f'"{code}"', source)
        schema = default_schema()
        for page in PAGES:
            for key in re.findall(r"`((?:services|interface|paths|logs)/[a-z/-]+)`", (ROOT / page).read_text()):
                known = key in schema or any(name.startswith(key) for name in schema)
                self.assertTrue(known, key)


class RunTests(ProcessTests):
    def setUp(self) -> None:
        super().setUp()
        self.network.add_suppliers(2)
        self.home = self.base / "you"
        for folder in (self.home / ".local" / "bin", self.base / "stick", self.base / "bin"):
            folder.mkdir(parents=True)
        program = self.base / "bin" / "bitdust"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bitdust "$@"\n')
        program.chmod(0o755)
        self.nodes = [NodeProcess(name, self.home / name) for name in (".bitdust", "new-home")]
        self.nodes.append(NodeProcess("moved", self.base / "stick" / "bitdust-home"))
        self.network.others += self.nodes
        for node in self.nodes[:2]:
            node.configure(QUIET)

    def run_block(self, block: Block) -> None:
        """As a newcomer's shell would, with the real addresses in place of those of the example."""
        script = block.script
        joining = self.network.joining
        for example, key in (
            ("seed.example:8084", "services/identity-propagate/known-servers"),
            ("seed.example:14441", "services/entangled-dht/known-nodes"),
            ("/media/stick", ""),
        ):
            script = script.replace(example, joining[key] if key else str(self.base / "stick"))
        environment = {
            "HOME": str(self.home), "PATH": f"{self.base / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8", "USER": "you", MARK: os.environ[MARK],
        }  # fmt: skip
        done = subprocess.run(
            ["sh", "-eu"], input=script, text=True, capture_output=True, check=False, cwd=self.home,
            env=environment, timeout=120,
        )  # fmt: skip
        said = f"{block.page}:\n{block.script}\n{done.stdout}\n{done.stderr}"
        self.assertEqual(done.returncode, 0, said)
        self.assertNotIn("Traceback", said)

    def test_pages_run(self) -> None:
        """Both pages, from the first block to the last, on a fresh home in a network with two suppliers."""
        for page in PAGES[:2]:
            for block in blocks(page):
                if not block.needs:
                    self.run_block(block)
            if self.nodes[0].pid == 0:
                self.nodes[0].start()
        self.nodes[0].stop()
