"""Write mails from a folder of Jinja templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, select_autoescape


class Content(NamedTuple):
    subject: str
    text: str
    html: str


class Templates:
    """The mails in a folder: `<name>.txt`, whose first line is the subject, and `<name>.html`.

    The HTML extends `mail.html`, which shows `brand`. Values are escaped in HTML only; a missing one is an error.
    """

    def __init__(self, folder: Path, **common: Any) -> None:
        shared = Path(__file__).with_name("templates")
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(shared)]),
            autoescape=select_autoescape(("html",), default=False),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
        self._environment.globals.update(common)

    def render(self, name: str, /, **values: Any) -> Content:
        """Return a mail's subject, text and HTML."""
        subject, _, text = self._environment.get_template(f"{name}.txt").render(values).partition("\n")
        html = self._environment.get_template(f"{name}.html").render(values)
        return Content(" ".join(subject.split()), text.lstrip("\n"), html)
