"""Follow the README as a newcomer would: a clone of this checkout, an empty home, a new environment, its commands.

A seed and two suppliers run beside it, because the README joins a network that is there already. Needs the package
index; not part of ``make test``. Exit code 0 only when every command did what it says.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QUIET = {
    "services/network/interface": "127.0.0.1",
    "services/tcp-connections/tcp-port": "0",
    "services/udp-datagrams/udp-port": "0",
    "services/entangled-dht/udp-port": "0",
    "interface/api/rest-http-port": "0",
    "interface/api/web-socket-port": "0",
}
SUPPLIERS = """
import sys
from pathlib import Path
from bitdust.cli.processes import ProcessNetwork
network = ProcessNetwork(Path(sys.argv[1]))
network.start_seed()
for number in (1, 2):
    network.add_supplier(number)
for key in ("known-servers", "known-nodes"):
    print(next(value for name, value in network.joining.items() if name.endswith(key)), flush=True)
sys.stdin.read()
network.close()
"""
ANSWERS = "--name alice --give '1 GB' --need '64 MB' --suppliers 2 --backup ~/alice.key --no-passphrase --yes"
LEFT_OUT = ("bitdust identity lock", "bitdust completion")
"""Asks for a passphrase; changes files of the shell."""


def by_hand(readme: str) -> list[str]:
    """The commands of the README's first steps."""
    section = readme[readme.index("## By hand") :]
    block = re.search(r"```\n(.*?)```", section, re.S)
    assert block is not None
    lines = [line.partition("  #")[0].strip() for line in block[1].splitlines()]
    return [line for line in lines if line.startswith("bitdust") and not line.startswith(LEFT_OUT)]


def main(base: Path) -> None:
    """Raises `CalledProcessError` for the first command that fails."""
    clone, home = base / "clone", base / "home"
    home.mkdir()
    (home / "Documents").mkdir()
    (home / "Documents" / "letter.txt").write_text("dear peers\n")
    environment = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": str(base)}
    environment |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTPS_"))}

    def shell(script: str) -> None:
        print(f"$ {script}", flush=True)
        subprocess.run(["bash", "-euc", script], cwd=clone, env=environment, check=True, stdin=subprocess.DEVNULL)

    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    shell(f"make --silent PYTHON={sys.executable} .venv/.ready")
    program = [str(clone / ".venv/bin/python"), "-c", SUPPLIERS, str(base / "network")]
    network = subprocess.Popen(program, cwd=clone, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert network.stdin is not None and network.stdout is not None
    try:
        servers, seeds = (network.stdout.readline().decode().strip() for _ in range(2))
        for key, value in QUIET.items():
            shell(f"source .venv/bin/activate; bitdust set {key} {value}")
        for command in by_hand((clone / "README.md").read_text()):
            told = command.replace("seed.example:8084", servers).replace("seed.example:14441", seeds)
            told = told.replace("/tmp/restored", str(base / "restored"))
            shell(f"source .venv/bin/activate; {told} {ANSWERS if told.startswith('bitdust init') else ''}")
        back = base / "restored" / "documents" / "letter.txt"
        assert back.read_text() == "dear peers\n", "the letter did not come back"
    finally:
        subprocess.run([str(clone / ".venv/bin/bitdust"), "stop"], env=environment, check=False)
        network.stdin.close()
        network.wait()
    print("the README works", flush=True)


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="bitdust-quickstart-"))
    try:
        main(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
