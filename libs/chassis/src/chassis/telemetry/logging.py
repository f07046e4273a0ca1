"""Write logs as JSON lines to stdout, for the service, its libraries and the server, without secrets."""

from __future__ import annotations

import logging
import logging.config
import os
import re
import stat
from contextlib import suppress
from typing import Any

from pythonjsonlogger.orjson import OrjsonFormatter

from chassis.context import current_request_id

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SECRET_MEMBER = re.compile(r"password|secret|token|authorization|cookie|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"(?i)(bearer\s+|(?:password|token|secret)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+")
_REDACTED = "[redacted]"


def is_harmless_id(offered: str) -> bool:
    """Tell whether a client's request id is safe to log."""
    return _ACCEPTABLE_ID.fullmatch(offered) is not None


def redact(value: Any, member: str = "") -> Any:
    """Replace secrets: the values of members with a secret's name, and secrets inside text."""
    if _SECRET_MEMBER.search(member):
        return _REDACTED
    if isinstance(value, str):
        return _SECRET_TEXT.sub(rf"\1{_REDACTED}", value)
    if isinstance(value, dict):
        return {name: redact(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    return value


class JsonLines(OrjsonFormatter):
    """Format a record as one JSON line: time, level, logger, event, service, request_id and the event's fields."""

    def __init__(self, service: str = "", env: str = "") -> None:
        super().__init__(
            "{levelname}{name}{message}",
            style="{",
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger", "message": "event"},
            static_fields={"service": service, "env": env},
        )

    def process_log_record(self, log_record: dict[str, Any]) -> dict[str, Any]:
        if request_id := current_request_id():
            log_record["request_id"] = request_id
        cleaned: dict[str, Any] = redact(super().process_log_record(log_record))
        return cleaned


class StandardOutput:
    """Write lines to standard output; drop and count those that cannot be written.

    Unbuffered: what a full disk leaves in Python's buffer ends the server when it starts its next worker.
    """

    def __init__(self) -> None:
        self._is_torn = False  # a full disk took only the beginning of the last line

    def write(self, line: bytes) -> None:
        """Write a line, which ends with a line break."""
        if self._is_torn:
            line = b"\n" + line
        try:
            written = os.write(1, line)
        except OSError:
            written = 0
        else:
            self._is_torn = written < len(line)
        if written < len(line):
            # Imported here: the metrics library must not be loaded before its files are reserved.
            from chassis.telemetry.metrics import LOG_LINES_DROPPED

            LOG_LINES_DROPPED.inc()

    @staticmethod
    def never_wait() -> None:
        """Let no write to a pipe wait: a reader that has stopped reading must not stop the requests."""
        with suppress(OSError):
            if stat.S_ISFIFO(os.fstat(1).st_mode):
                os.set_blocking(1, False)


STDOUT = StandardOutput()


class StdoutHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        STDOUT.never_wait()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            STDOUT.write(f"{self.format(record)}\n".encode(errors="replace"))
        except Exception:
            self.handleError(record)


def configuration(service: str, env: str, level: str) -> dict[str, Any]:
    """Return the logging configuration for `dictConfig` and the server."""
    lines = {"handlers": ["stdout"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines, "service": service, "env": env}},
        "handlers": {"stdout": {"()": StdoutHandler, "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {"_granian": lines, "granian.access": lines},
    }


def configure(service: str, env: str, level: str) -> None:
    logging.config.dictConfig(configuration(service, env, level))
