"""What a supplier's disk did not give at the start."""

from collections.abc import Sequence

from bitdust.checkup.finding import Finding, few, warn


def shelves(unread: Sequence[str]) -> list[Finding]:
    """``unread`` are folders and files of customers, inside the folder of the store."""
    if not unread:
        return []
    text = f"{len(unread)} folders or files of customers could not be read at the start: {few(list(unread))}"
    hint = "see to the disk and to whose the folders are; they are looked at again when the node starts"
    return [warn("stored pieces", f"{text}; what is in them counts as lost before it is read again", hint)]
