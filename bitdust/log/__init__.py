"""What a node writes about itself: rotated, redacted, private."""

from bitdust.log.eventlog import start_event_log
from bitdust.log.start import start_logging

__all__ = ["start_event_log", "start_logging"]
