"""How the API of 2016 spoke: rows of its own generation, results that are a text or a list, times as people read them.

The shapes are those of the documents of that year. A result is a text that tells what was done, or a list; where one
thing is told, the list has one dictionary.
"""

import time
from functools import partial
from typing import Any

from bitdust.api.envelope import Envelope
from bitdust.api.table import method

GENERATION = "2016"
method_2016 = partial(method, generation=GENERATION)


def said(text: str, **extra: Any) -> Envelope:
    """Success that is told in a text."""
    return {"status": "OK", "result": text, **extra}


def moment(seconds: float) -> str:
    """``Wed Apr 27 15:11:13 2016``, local time."""
    return time.asctime(time.localtime(seconds))


def day_first(seconds: float | None) -> str:
    """``05-06-2016 13:06:05``, local time; empty for never."""
    return time.strftime("%d-%m-%Y %H:%M:%S", time.localtime(seconds)) if seconds is not None else ""


def as_folder(path: str, kind: str) -> str:
    """A local path as texts show it: a folder ends with a slash."""
    return f"{path.rstrip('/')}/" if kind == "folder" else path
