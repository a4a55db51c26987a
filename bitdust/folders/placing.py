"""Many items take their places together: one wait for the disk, and one transaction, for all of them.

The order is that of one item: complete under a temporary name and synced; renamed; the folders synced; and only then
the journal says so.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bitdust.folders.items import Local
from bitdust.folders.tree import sync_all

if TYPE_CHECKING:
    from bitdust.folders.store import Store
    from bitdust.folders.transfer import Task, Transfer

AT_ONCE = 128
"""Items of one job."""
Call = tuple[Callable[..., Any], tuple[Any, ...]]
Placed = tuple["Task", Local | None, str]
"""An item, what is at its path now, and where its former version is, if anywhere."""


def each(calls: Sequence[Call]) -> list[Any]:
    """What each of these returns, or raises."""
    found: list[Any] = []
    for call, arguments in calls:
        try:
            found.append(call(*arguments))
        except Exception as error:  # noqa: BLE001 - the others go on; who asked is told
            found.append(error)
    return found


def place_all(store: "Store", transfers: Sequence["Transfer"]) -> list[Any]:
    """None for each that is in its place, and its error for each that is not.

    Raises `bitdust.folders.tree.Missing`, `OSError` where none of them is.
    """
    store.tree.check(store.ident)
    with contextlib.ExitStack() as opened:
        completed = each([(transfer.complete, (opened,)) for transfer in transfers])
        sync_all(descriptor for descriptor in completed if isinstance(descriptor, int))
    with store.tree.together():
        placed = each([
            (_place, (transfer, was_completed))
            for transfer, was_completed in zip(transfers, completed, strict=True)
        ])  # fmt: skip
    store.done([one for one in placed if not isinstance(one, Exception)])
    return [one if isinstance(one, Exception) else None for one in placed]


def _place(transfer: "Transfer", completed: int | Exception | None) -> Placed:
    if isinstance(completed, Exception):
        raise completed
    return (transfer.task, *transfer.place_now())
