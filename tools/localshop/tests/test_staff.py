"""The first start opens an account of the staff, once, with a password that the owner alone can read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localshop.staff import PASSWORD_FILE, first_staff


class Users:
    """user-service's command `staff add`, on an empty database."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}

    def run(self, *arguments: Any) -> str:
        name, file = arguments[2], arguments[4]
        assert arguments == ("staff", "add", name, "--password-file", file)
        if name in self.passwords:
            return f"{name} exists already"
        self.passwords[name] = Path(file).read_text().strip()
        return f"{name} belongs to the staff"


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    return SimpleNamespace(data=tmp_path, user=Users())


def test_the_first_start_returns_the_password_that_the_file_keeps(shop: Any) -> None:
    password = first_staff(shop)
    file = shop.data / PASSWORD_FILE
    assert password == file.read_text().strip() == shop.user.passwords["staff"]
    assert len(password) >= 16
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in shop.data.iterdir()] == [PASSWORD_FILE]


def test_later_starts_change_nothing_and_show_nothing(shop: Any) -> None:
    password = first_staff(shop)
    assert first_staff(shop) is None
    assert shop.user.passwords == {"staff": password}


def test_a_start_that_was_interrupted_is_continued(shop: Any) -> None:
    (shop.data / f"{PASSWORD_FILE}.new").write_text("violet-harbour-42\n")
    shop.user.passwords["staff"] = "violet-harbour-42"
    assert first_staff(shop) == "violet-harbour-42"
    assert first_staff(shop) is None


def test_an_account_of_a_customer_with_this_name_stays_as_it_is(shop: Any) -> None:
    shop.user.passwords["staff"] = "the customer's own"
    assert first_staff(shop) is None
    assert list(shop.data.iterdir()) == []
