"""`user-service staff` says who belongs to the staff, and ends the sessions whose tokens say otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from user_service.__main__ import cli
from user_service.settings import Settings

Call = Callable[..., Any]


@pytest.fixture
def staff_command(settings: Settings) -> Call:
    def staff_command(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["staff", *arguments], env={"DATABASE_URL": settings.database_url})

    return staff_command


def test_granting_ends_the_sessions_and_the_next_token_has_the_role(
    client: FlaskClient, alice: dict[str, str], login: Call, refresh: Call, staff_command: Call
) -> None:
    before = login("alice").json["refresh_token"]
    outcome = staff_command("grant", "ALICE")
    assert outcome.exit_code == 0
    assert outcome.output.startswith("alice belongs to the staff\nalice has no second factor yet; in stage and prod")
    assert client.get("/profile", headers=alice).status_code == 401
    assert refresh(before).status_code == 401
    signed_in = login("alice").json
    assert client.get("/staff/audit", headers={"Authorization": f"Bearer {signed_in['token']}"}).status_code == 200
    renewed = refresh(signed_in["refresh_token"]).json["token"]
    assert client.get("/staff/audit", headers={"Authorization": f"Bearer {renewed}"}).status_code == 200


def test_revoking_ends_the_sessions_and_the_next_token_has_no_role(
    client: FlaskClient, staff: dict[str, str], sign_in: Call, staff_command: Call
) -> None:
    assert staff_command("revoke", "stella").output == "stella does not belong to the staff\n"
    assert client.get("/staff/audit", headers=staff).status_code == 401
    assert client.get("/staff/audit", headers=sign_in("stella")).json["code"] == "staff_only"


def test_the_commands_leave_audit_entries_of_nobody(
    client: FlaskClient, alice: dict[str, str], staff: dict[str, str], staff_command: Call
) -> None:
    for _ in range(2):
        staff_command("grant", "alice")
    staff_command("revoke", "alice")
    entries = client.get("/staff/audit", headers=staff).json
    assert [(entry["action"], entry["staff_id"], entry["before"], entry["after"]) for entry in entries] == [
        ("staff.revoke", None, {"roles": ["staff"]}, {"roles": []}),
        ("staff.grant", None, {"roles": []}, {"roles": ["staff"]}),
    ]


def test_the_staff_are_listed(alice: dict[str, str], staff: dict[str, str], staff_command: Call) -> None:
    assert staff_command("list").output == "stella  without second factor\n"


@pytest.mark.parametrize("command", ["grant", "revoke", "reset-second-factor"])
def test_an_unknown_user_is_named(app: object, staff_command: Call, command: str) -> None:
    outcome = staff_command(command, "nobody")
    assert (outcome.exit_code, outcome.output) == (1, "there is no account with the username nobody\n")


def test_a_lost_second_factor_is_reset(
    client: FlaskClient, staff: dict[str, str], run: Call, staff_command: Call
) -> None:
    run("UPDATE users SET totp_secret = 'x', totp_since = now()")
    assert staff_command("reset-second-factor", "stella").output == "stella: the second factor is off\n"
    assert staff_command("reset-second-factor", "stella").output == "stella had no second factor\n"
    assert client.get("/staff/audit", headers=staff).status_code == 401


def test_an_account_is_added_with_the_password_of_a_file_once(
    client: FlaskClient, login: Call, staff_command: Call, app: object, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("violet harbour\n")
    add = ("add", "stella", "--password-file", str(file))
    assert staff_command(*add).output == "stella belongs to the staff\n"
    token = login("stella", "violet harbour").json["token"]
    assert staff_command(*add).output == "stella exists already\n"
    assert client.get("/staff/audit", headers={"Authorization": f"Bearer {token}"}).status_code == 200
