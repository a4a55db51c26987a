"""The envelope of every answer: ``status``, ``result``, ``message``, ``errors``, ``code``."""

from typing import Any

from bitdust.wire.errors import BitDustError

Envelope = dict[str, Any]
MAX_SENTENCE = 2_000
"""Characters of an error; a sentence that repeats what it was given loses its middle."""


def ok(result: Any = None, message: str | None = None, **extra: Any) -> Envelope:
    """Success. A dictionary or list goes in as it is, anything else as a list of one; an empty result is left out."""
    envelope: Envelope = {"status": "OK", **extra}
    if result is not None and result not in ("", {}, []):
        envelope["result"] = result if isinstance(result, dict | list) else [result]
    if message:
        envelope["message"] = message
    return envelope


def listed(result: list[Any], message: str | None = None, **extra: Any) -> Envelope:
    """Success with a list, which is there even when it is empty."""
    envelope: Envelope = {"status": "OK", "result": result, **extra}
    if message:
        envelope["message"] = message
    return envelope


def failed(code: str, text: str, **details: Any) -> Envelope:
    """Failure: one sentence for a person, one stable code for programs."""
    envelope: Envelope = {key: value for key, value in details.items() if key not in ("status", "errors", "code")}
    return envelope | {"status": "ERROR", "errors": [text], "code": code}


def failed_with(error: BitDustError) -> Envelope:
    """The failure that an error stands for."""
    text = str(error)
    half = MAX_SENTENCE // 2
    shown = text if len(text) <= MAX_SENTENCE else f"{text[:half]}…{text[-half:]}"
    return failed(error.code, shown, **error.details)
