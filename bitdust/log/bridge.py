"""What modules below Twisted, and libraries, tell Python's `logging`, brought into the one log."""

import logging
from typing import Any

from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure


class Bridge(logging.Handler):
    """I pass each record on with its level; an error that comes with an exception was unexpected: it is critical."""

    def __init__(self, publisher: LogPublisher) -> None:
        super().__init__()
        self._publisher = publisher

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        log = Logger(record.name, observer=self._publisher)
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            log.emit(_level(record.levelno), "{text}", text=text)
        else:
            level = LogLevel.critical if record.levelno >= logging.ERROR else _level(record.levelno)
            log.emit(level, "{text}", text=text, log_failure=Failure(error))


def _level(number: int) -> Any:
    names = (
        (logging.CRITICAL, "critical"),
        (logging.ERROR, "error"),
        (logging.WARNING, "warn"),
        (logging.INFO, "info"),
    )
    return LogLevel.levelWithName(next((name for least, name in names if number >= least), "debug"))
