"""The one kind of error that is meant for a person: a stable code, a sentence that says what to do, and details."""

from typing import Any

REVOKED = "this device was revoked by its owner"
"""What is said to a device that was revoked, and what it says of that to its person."""


class BitDustError(Exception):
    """``code`` is stable for programs; the text says what is wrong and what to do; ``details`` go into the answer."""

    def __init__(self, code: str, text: str, **details: Any) -> None:
        super().__init__(text)
        self.code = code
        self.details = details
