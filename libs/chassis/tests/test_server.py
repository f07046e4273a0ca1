"""The server's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.server.__main__ import ServerSettings


def test_the_server_is_named_by_its_folder_unless_the_environment_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "user-service").mkdir()
    monkeypatch.chdir(tmp_path / "user-service")
    monkeypatch.setenv("PORT", "5001")
    monkeypatch.delenv("SERVICE_NAME", raising=False)
    assert ServerSettings().service_name == "user-service"

    monkeypatch.setenv("SERVICE_NAME", "order-service")
    assert ServerSettings().service_name == "order-service"
