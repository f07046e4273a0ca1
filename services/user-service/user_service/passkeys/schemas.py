"""What the pages of passkeys send."""

from __future__ import annotations

from typing import Annotated, Any

from chassis.http.api import Shape, line
from user_service.accounts.schemas import Password

LONGEST_NAME = 60
Name = Annotated[str, line(LONGEST_NAME, 1)]


class NameForm(Shape):
    name: Name


class AddForm(NameForm):
    current_password: Password


class RemoveForm(Shape):
    current_password: Password


class NewPasskeyBody(Shape):
    """A name, and the credential as the browser's toJSON() writes it."""

    name: Name
    credential: dict[str, Any]


class AnswerBody(Shape):
    credential: dict[str, Any]
