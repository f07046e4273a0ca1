"""Collect notes during a test run; a conftest that imports these names prints them at the end of the report."""

from __future__ import annotations

import pytest

notes: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if notes:
        terminalreporter.section("notes")
    while notes:
        terminalreporter.write_line(notes.pop(0))


@pytest.fixture(scope="session")
def note() -> list[str]:
    """Return the list of notes."""
    return notes
