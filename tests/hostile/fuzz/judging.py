"""What must be true of every answer, whatever was asked."""

import re

from tests.hostile.fuzz.scripts import Script

STATUS = re.compile(rb"HTTP/1\.[01] (\d\d\d) ")
ALLOWED = {503}
"""Of 5xx: so many sockets are open already."""


def wrong(script: Script, answer: bytes) -> str:
    """What is wrong with the answer to a script, in words; empty when nothing is."""
    statuses = [int(found) for found in STATUS.findall(answer)]
    bad = [status for status in statuses if status >= 500 and status not in ALLOWED]
    if bad:
        return f"status {bad[0]}"
    if b"Traceback" in answer or b'"code": "internal"' in answer or b'"code":"internal"' in answer:
        return "an internal error"
    if script.whole and not statuses and script.ending == "wait":
        return "no answer"
    if not script.kind.startswith("frames") and len([one for one in statuses if one != 100]) > script.most:
        return f"{len(statuses)} answers, and {script.most} at most were asked for"
    return ""
