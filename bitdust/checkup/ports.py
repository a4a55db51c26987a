"""TCP and UDP ports: which are taken, and by whom, as Linux tells. No Twisted."""

import contextlib
import os
import socket
from pathlib import Path

from attrs import frozen

from bitdust.checkup.finding import Finding, bad, ok, warn
from bitdust.config.settings import Settings

LISTENING = "0A"
PROC = Path("/proc")


@frozen
class Port:
    """One that the settings name. ``yields``: its default number gives way to a free one when it is taken."""

    what: str
    kind: str
    key: str
    enabled: str
    yields: bool = False


PORTS = (
    Port("REST API", "tcp", "interface/api/rest-http-port", "interface/api/rest-http-enabled", True),
    Port("WebSocket API", "tcp", "interface/api/web-socket-port", "interface/api/web-socket-enabled", True),
    Port("peers", "tcp", "services/tcp-connections/tcp-port", "services/tcp-connections/enabled", True),
    Port("DHT", "udp", "services/entangled-dht/udp-port", "services/entangled-dht/enabled", True),
    Port("BitTorrent Sync", "tcp", "services/btsync/api-port", "services/btsync/enabled"),
    Port("IPFS", "tcp", "services/ipfs/api-port", "services/ipfs/enabled"),
    Port("IPFS gateway", "tcp", "services/ipfs/gateway-port", "services/ipfs/gateway-enabled"),
    Port("ID server", "tcp", "services/identity-server/web-port", "services/identity-server/enabled"),
)


def holder(kind: str, port: int, proc: Path = PROC) -> str:
    """``process 812 (nginx)`` or ``another program``: who listens on a port of this machine."""
    for inode in _sockets(kind, port, proc):
        for link in proc.glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if os.readlink(link) == f"socket:[{inode}]":
                    process = link.parent.parent
                    return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return "another program"


def _sockets(kind: str, port: int, proc: Path) -> list[str]:
    found = []
    for name in (kind, f"{kind}6"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (proc / "net" / name).read_text().splitlines()[1:]:
                parts = line.split()
                state, number = parts[3], int(parts[1].rpartition(":")[2], 16)
                if number == port and (kind == "udp" or state == LISTENING):
                    found.append(parts[9])
    return found


def is_free(kind: str, port: int, interface: str = "") -> bool:
    """Whether this process could open the port."""
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as probe:
        if kind == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((interface, port))
            if kind == "tcp":
                probe.listen(1)
        except OSError:
            return False
    return True


def closed_node(settings: Settings) -> list[Finding]:
    """With the node stopped: whether it would find its ports free."""
    findings = [finding for port in PORTS if (finding := _would_open(settings, port)) is not None]
    return findings or [ok("ports", "all ports that the node opens are free")]


def _would_open(settings: Settings, port: Port) -> Finding | None:
    number = settings.get(port.key)
    local = port.what.endswith("API")
    interface = "127.0.0.1" if local else str(settings.get("services/network/interface"))
    if not settings.get(port.enabled) or number == 0 or is_free(port.kind, number, interface):
        return None
    text = f"{port.kind.upper()} port {number} ({port.what}) is taken by {holder(port.kind, number)}"
    hint = f"stop that program, or choose another port: bitdust set {port.key} NUMBER"
    if port.yields and settings.is_default(port.key):
        return warn("ports", text + "; the node will take a free one", hint)
    return bad("ports", text, hint)


def open_node(settings: Settings, real: dict[str, int]) -> list[Finding]:
    """With the node running: ``real`` holds the port that is open, by key of its setting, 0 for a closed one."""
    findings = []
    for port in PORTS:
        number, wanted = real.get(port.key), settings.get(port.key)
        if number is None or not settings.get(port.enabled):
            continue
        name = f"{port.kind.upper()} port {wanted} ({port.what})"
        hint = f"stop that program and restart BitDust, or choose another port: bitdust set {port.key} NUMBER"
        if number == 0:
            why = f"; it is taken by {holder(port.kind, wanted)}" if _sockets(port.kind, wanted, PROC) else ""
            findings.append(bad("ports", f"{name} is not open{why}", hint if why else "see: bitdust services --health"))
        elif wanted not in (0, number):
            taken = f"{name} is taken by {holder(port.kind, wanted)}; {number} is used instead"
            findings.append(warn("ports", taken, hint))
    shown = ", ".join(f"{port.what} {real[port.key]}" for port in PORTS if real.get(port.key))
    return findings or [ok("ports", f"listening: {shown}")]
