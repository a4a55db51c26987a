"""The text of a systemd user unit for a node; see systemd.service(5), systemd.exec(5) and sd_notify(3)."""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

TEMPLATE = """\
# Written by `bitdust install-service`; `bitdust install-service --remove` takes it away.
[Unit]
Description=BitDust node in {shown}
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
ExecStart={command}
WorkingDirectory=/
{environment}Restart=on-failure
RestartSec=5
WatchdogSec=120
TimeoutStartSec=120
TimeoutStopSec=15
KillMode=mixed
LimitNOFILE=65536
LimitCORE=0
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
"""


class BadPath(ValueError):
    """A unit has no way to say this path."""


@frozen
class Unit:
    """One node as a service: its interpreter, its home, and what must be on the Python path, if anything."""

    python: str
    home: Path
    python_path: str = ""

    @property
    def command(self) -> Sequence[str]:
        """What systemd runs."""
        return (self.python, "-m", "bitdust", "--appdir", str(self.home), "start", "--detached")

    def text(self) -> str:
        """The unit file. Raises `BadPath`."""
        environment = f"Environment={quoted('PYTHONPATH=' + self.python_path)}\n" if self.python_path else ""
        first, *words = self.command
        command = " ".join([quoted(first), *map(argument, words)])
        return TEMPLATE.format(shown=escaped(str(self.home)), command=command, environment=environment)


def escaped(text: str) -> str:
    """The text with nothing in it that a unit file would read as more than text."""
    if any(not character.isprintable() for character in text):
        raise BadPath(f"{text!r} has characters that a systemd unit cannot name; choose another folder")
    return text.replace("\\", "\\\\").replace("%", "%%")


def quoted(text: str) -> str:
    """One word of a command line or an assignment."""
    return '"' + escaped(text).replace('"', '\\"') + '"'


def argument(text: str) -> str:
    """One argument of a command line: a variable is replaced there, and not in the path of the program
    (systemd.service(5), COMMAND LINES)."""
    return quoted(text).replace("$", "$$")


def starts(unit: str, folder: Path) -> bool:
    """Whether the text of a unit starts the node of a folder."""
    try:
        return f'"--appdir" {argument(str(folder))} ' in unit
    except BadPath:
        return False
