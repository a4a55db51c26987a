"""What uploads that do not end mean, in words. No Twisted."""

from collections.abc import Mapping, Sequence
from typing import Any

from bitdust.checkup.finding import Finding, few, warn

Row = Mapping[str, Any]
MEANT = {
    "empty-source": "look whether its disk is mounted; if it is meant: bitdust file upload LOCAL REMOTE --allow-empty",
    "would-drop": "look whether its disk is mounted; if it is meant: bitdust file upload LOCAL REMOTE --allow-drop",
}
"""By the code of the failure, what else may be done than to correct what it says."""
AGAIN = "correct what it says, and upload it again: bitdust file upload LOCAL REMOTE"


def uploads(found: Mapping[str, Sequence[Row]], failed: Sequence[Row]) -> list[Finding]:
    """Those that wait for suppliers, and those that failed; ``found`` as `files_uploads` shows it."""
    findings = []
    waiting = [f"{row['remote_path']} waits for {', '.join(row['waits_for'])}" for row in found.get("running", ())
               if row.get("waits_for")]  # fmt: skip
    if waiting:
        hint = "they are kept here and end by themselves when these take their pieces; see: bitdust supplier list"
        findings.append(warn("uploads", few(waiting, 3), hint))
    if failed:
        shown = few([f"{row['remote_path']}: {row['reason']}" for row in failed], 3)
        text = f"{len(failed)} {'has' if len(failed) == 1 else 'have'} failed: {shown}"
        findings.append(warn("uploads", text, MEANT.get(failed[0]["code"], AGAIN)))
    return findings
