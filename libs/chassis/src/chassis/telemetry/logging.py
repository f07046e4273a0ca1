"""JSON lines on stdout: one shape for the service, its libraries and the server, no secrets."""

from __future__ import annotations

import logging
import logging.config
import re
import sys
from typing import Any, TextIO

from pythonjsonlogger.orjson import OrjsonFormatter

from chassis.context import current_request_id

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SECRET_MEMBER = re.compile(r"password|secret|token|authorization|cookie|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"(?i)(bearer\s+|(?:password|token|secret)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+")
_REDACTED = "[redacted]"


def is_harmless_id(offered: str) -> bool:
    """Tell whether a client's request id may stand in the logs."""
    return _ACCEPTABLE_ID.fullmatch(offered) is not None


def redact(value: Any, member: str = "") -> Any:
    """Blank out what must never be logged: members named like a secret, and secrets inside text."""
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


class LineHandler(logging.StreamHandler[TextIO]):
    """Write lines; drop and count those that cannot be written, instead of reporting each on stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of the base class
        if not isinstance(sys.exception(), OSError) and not self.stream.closed:
            return super().handleError(record)
        # Imported here: the metrics library must not be loaded before its files are reserved.
        from chassis.telemetry.metrics import LOG_LINES_DROPPED

        return LOG_LINES_DROPPED.inc()


def configuration(service: str, env: str, level: str) -> dict[str, Any]:
    """Return the one logging configuration, in the form that `dictConfig` and the server take."""
    lines = {"handlers": ["stdout"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines, "service": service, "env": env}},
        "handlers": {"stdout": {"()": LineHandler, "stream": "ext://sys.stdout", "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {"_granian": lines, "granian.access": lines},
    }


def configure(service: str, env: str, level: str) -> None:
    logging.config.dictConfig(configuration(service, env, level))
