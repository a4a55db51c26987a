"""Machines when all is well: each rests, or something of its own is to come; what it was at work on comes to its end.

A machine that waits for nothing, in a state that is no rest, stands there for ever.
"""

from collections.abc import Iterable

from bitdust.automats.kernel import Machine
from tests.grid.chaos.nodes import ChaosNode

RESTS = {
    "companion_session": ("OPEN",),
    "compaction": ("IDLE",),
    "dht_connector": ("OFFLINE", "CONNECTED"),
    "encrypted_web_socket": ("READY",),
    "family_resize": ("STEADY", "KEEPING"),
    "family_watch": ("SILENT",),
    "folder_sync": ("PAUSED",),
    "fire_hire": ("AT_STARTUP",),
    "identity_propagator": ("AT_STARTUP",),
    "ipfs_fetch": ("IDLE",),
    "ipfs_neighbour": ("IDLE",),
    "ipfs_provider": ("OFF",),
    "list_files_orator": ("NO_FILES", "SAW_FILES"),
    "local_service": ("OFF", "NOT_INSTALLED", "DEPENDS_OFF"),
    "message_courier": ("RESTING",),
    "online_status": ("OFFLINE", "CONNECTED"),
    "p2p_connector": ("AT_STARTUP",),
    "prekey_keeper": ("OFF",),
    "replica": ("CURRENT",),
    "shared_access_donor": ("DELIVERED", "REFUSED"),
    "supplier_retirement": ("OVER", "SERVING"),
}
"""States in which a machine needs nothing to come: an event wakes it, such as the start of its service."""
WORKS = (
    "backup", "file_deletion", "id_registrator", "id_restorer", "id_rotator", "key_audit", "key_share",
    "nickname_observer", "pack", "pack_fetch", "packet_in", "packet_out", "reencoding", "restore_worker",
    "supplier_replacement", "verification",
)  # fmt: skip
"""Machines that live as long as something is to be done."""


def standing(nodes: Iterable[ChaosNode]) -> list[str]:
    """Machines that nothing will ever move, though they do not rest."""
    return [
        f"{node.name}: {machine.id} in {machine.state}"
        for node in nodes
        for machine in node.node.registry
        if not _is_to_come(machine) and machine.state not in RESTS.get(machine.name, ())
    ]


def _is_to_come(machine: Machine) -> bool:
    """Whether a timer of the machine runs, or it may wait without one for what it has begun."""
    runs = any(call.active() for call, _ in machine._running.values())
    return runs or (bool(machine._watched) and machine.state in machine.patient)


class Work:
    """What machines are at work on at one moment."""

    def __init__(self, nodes: Iterable[ChaosNode]) -> None:
        self._nodes = [node for node in nodes if node.is_up]
        work = {node.name: [one for one in node.node.registry if one.name in WORKS] for node in self._nodes}
        self._begun = {name: {one.index for one in machines} for name, machines in work.items()}

    def left(self) -> list[str]:
        """What of it has not come to its end."""
        return [
            f"{node.name}: {machine.id} in {machine.state}"
            for node in self._nodes
            for machine in node.node.registry
            if machine.index in self._begun[node.name]
        ]
