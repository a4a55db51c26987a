"""Scripts of the fuzzer on a real daemon: python -m tests.hostile.fuzz [--seed 1] [--count 20000] [--together 16].

Exit code 1 when an answer is wrong, a request has none, the log holds an exception, an honest client waits for longer
than five seconds, or memory or files are not given back. A seed replays the same scripts in the same order.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from urllib.request import Request, urlopen

from bitdust.cli.processes import QUIET, NodeProcess
from tests.hostile.fuzz.calls import Calls
from tests.hostile.fuzz.frames import Frames
from tests.hostile.fuzz.judging import wrong
from tests.hostile.fuzz.requests import Requests
from tests.hostile.fuzz.scripts import Script

PATIENCE, SILENCE, BETWEEN = 20.0, 0.15, 0.002
"""Seconds for the answer to a whole request, in which more would come after the last bytes, and between two parts."""
MOST_ANSWER = 4 << 20
HONEST = 5.0
MOST_GROWTH, MOST_FILES = 48 << 20, 8
WARM = 2000
"""Scripts before memory is measured first: what they load stays."""


class Trial:
    """One daemon, and many clients that mean no good."""

    def __init__(self, node: NodeProcess, seed: int, count: int) -> None:
        self.node = node
        self.secret = node.client.secret.encode()
        self.rest = node.client.port
        self.sockets = json.loads((node.home / "metadata" / "apiports").read_text())["websocket"]
        random = Random(seed)
        document = json.load(
            urlopen(
                Request(f"http://127.0.0.1:{self.rest}/openapi.json", headers={"api_secret": node.client.secret}),
                timeout=30,
            )
        )
        self._makers = (
            Requests(random, self.secret),
            Requests(random, self.secret),
            Frames(random, self.secret),
            Calls(random, self.secret, document),
        )
        self._random = random
        self._left = count
        self.done = 0
        self.kinds: Counter[str] = Counter()
        self.faults: list[str] = []
        self.slowest = 0.0
        self.before = (0, 0)

    async def run(self, together: int) -> None:
        """All of them, so many at a time, and an honest client beside them."""
        honest = asyncio.ensure_future(self._honest())
        await asyncio.gather(*(self._client() for _ in range(together)))
        honest.cancel()

    async def _client(self) -> None:
        while self._left > 0:
            self._left -= 1
            script = self._random.choice(self._makers).script()
            self.kinds[script.kind.partition(" ")[0]] += 1
            try:
                answer = await self._play(script)
            except TimeoutError:
                self.faults.append(f"no end: {script.kind} {script.data[:300]!r}")
                continue
            except OSError:
                continue  # it was cut off while it spoke
            found = wrong(script, answer) if script.ending != "reset" else ""
            if found:
                self.faults.append(f"{found}: {script.kind} {script.data[:300]!r}")
            self.done += 1
            if self.done == WARM:
                self.before = self.usage()

    async def _play(self, script: Script) -> bytes:
        port = self.sockets if script.kind.partition(" ")[0] in ("frames", "handshake") else self.rest
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for part in script.parts:
                writer.write(part)
                await asyncio.wait_for(writer.drain(), PATIENCE)
                await asyncio.sleep(BETWEEN if len(script.parts) > 1 else 0)
            if script.ending == "reset":
                writer.transport.abort()
                return b""
            if script.ending == "half":
                writer.write_eof()
            return await self._heard(reader, script)
        finally:
            writer.transport.abort()

    async def _heard(self, reader: asyncio.StreamReader, script: Script) -> bytes:
        """What comes until the end, or until nothing more is to be expected."""
        heard = bytearray()
        patience = PATIENCE if script.whole else SILENCE
        while len(heard) < MOST_ANSWER:
            try:
                data = await asyncio.wait_for(reader.read(1 << 16), patience)
            except TimeoutError:
                if script.whole and not heard:
                    raise
                break
            if not data:
                break
            heard += data
            patience = SILENCE
        return bytes(heard)

    async def _honest(self) -> None:
        """Somebody who asks how the node is."""
        loop = asyncio.get_running_loop()
        while True:
            began = time.monotonic()
            await loop.run_in_executor(None, self.node.client.call, "process_health")
            self.slowest = max(self.slowest, time.monotonic() - began)
            await asyncio.sleep(0.5)

    def usage(self) -> tuple[int, int]:
        """Bytes of memory and open files of the daemon."""
        status = Path(f"/proc/{self.node.pid}/status").read_text()
        memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return memory * 1024, len(list(Path(f"/proc/{self.node.pid}/fd").iterdir()))

    def judge(self) -> list[str]:
        """Everything that is wrong in the end."""
        found = list(self.faults)
        for log in (self.node.home / "logs").iterdir():
            if "Traceback" in log.read_text(errors="replace") or log.name.startswith("exception"):
                found.append(f"an exception in {log.name}: {log.read_text(errors='replace')[-1500:]}")
        if self.slowest > HONEST:
            found.append(f"an honest client has waited for {self.slowest:.1f} seconds")
        memory, files = self.usage()
        if self.before[0] and memory - self.before[0] > MOST_GROWTH:
            found.append(f"memory grew by {(memory - self.before[0]) >> 20} MiB")
        if self.before[1] and files - self.before[1] > MOST_FILES:
            found.append(f"{files - self.before[1]} more files are open")
        return found


def main() -> int:
    """Start a daemon, try everything, and say what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--together", type=int, default=16)
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="bitdust-fuzz-"))
    node = NodeProcess("alone", base / "alone")
    node.configure(QUIET)
    try:
        node.start()
        trial = Trial(node, options.seed, options.count)
        began = time.monotonic()
        asyncio.run(trial.run(options.together))
        time.sleep(3)  # what was broken off is cleared away
        node.client.call("process_health")
        found, (memory, files) = trial.judge(), trial.usage()
        print(f"{trial.done} scripts of seed {options.seed} in {time.monotonic() - began:.0f} s: {dict(trial.kinds)}")
        print(
            f"memory {trial.before[0] >> 20} -> {memory >> 20} MiB, files {trial.before[1]} -> {files}, honest clients"
            f" waited for {1000 * trial.slowest:.0f} ms at most"
        )
        for one in found[:40]:
            print("WRONG", one)
        return 1 if found else 0
    finally:
        node.stop()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
