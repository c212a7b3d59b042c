"""The one door to logging: structlog, loaded when the first line is written.

Messages are constant sentences in the past tense; the rest is keys, named as Kubernetes' structured logs name them. Loading
structlog takes longer than starting an embedded cluster, so a logger is only a name until it is used; below the level of the
process nothing is loaded at all.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Literal

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Settings:
    """The process's settings, set once by `configure`; the default suits a library: warnings, to stderr."""

    level = LEVELS["warning"]
    format: Literal["console", "json"] = "console"


def configure(*, level: str, format: Literal["console", "json"]) -> None:  # noqa: A002
    """Sets level (debug, info, warning, error) and form (console for people, json for machines) of all loggers."""
    _Settings.level = LEVELS[level]
    _Settings.format = format
    _structlog.cache_clear()


@cache
def _structlog() -> Any:
    import structlog

    colours = sys.stderr.isatty()
    renderer = (
        structlog.processors.JSONRenderer()
        if _Settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *([structlog.processors.format_exc_info] if _Settings.format == "json" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_Settings.level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    return structlog


class Logger:
    """A named logger with structlog's calls."""

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: str, **keys: Any) -> None:
        self._write("debug", message, keys)

    def info(self, message: str, **keys: Any) -> None:
        self._write("info", message, keys)

    def warning(self, message: str, **keys: Any) -> None:
        self._write("warning", message, keys)

    def error(self, message: str, **keys: Any) -> None:
        self._write("error", message, keys)

    def _write(self, level: str, message: str, keys: dict[str, Any]) -> None:
        if LEVELS[level] >= _Settings.level:
            getattr(_structlog().get_logger(), level)(message, logger=self._name, **keys)


def get_logger(name: str) -> Logger:
    """A logger for the module `name`."""
    return Logger(name.removeprefix("kubelite."))
