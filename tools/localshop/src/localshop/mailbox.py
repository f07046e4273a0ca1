"""Show the mails of the local shop: `python -m localshop.mailbox FOLDER PORT` serves them on loopback."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

SHOWN = 200  # mails in the list, newest first
OWN_HOSTS = ("127.0.0.1", "localhost")  # another site's name for this address could otherwise read the mails
OWN_PAGES = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"
# A mail's HTML runs no script, loads nothing and opens its links in a window of their own.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
MAIL_HTML = f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>
body { font: 16px/1.5 system-ui; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
td, th { text-align: left; padding: .2rem 1rem .2rem 0 }
pre { white-space: pre-wrap; background: #f4f4f4; color: #111; padding: 1rem }
iframe { width: 100%; height: 32rem; border: 1px solid #999 }
</style>"""
LINK = re.compile(r"https?://[^\s<>]+[^\s<>.,;:!?)]")


class NotFound(Exception):
    """No such page or mail."""


class Page:
    """A page, or one part of a mail."""

    def __init__(self, body: str, kind: str = "text/html", policy: str = OWN_PAGES) -> None:
        self.body, self.kind, self.policy = body, kind, policy


class Mailbox:
    """The mails in a folder of .eml files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, target: str) -> Page:
        """Return the page of a request's target."""
        url = urlsplit(target)
        if url.path == "/":
            return Page(self._list())
        if url.path == "/latest.txt":
            return Page(self._latest(parse_qs(url.query).get("to", [""])[0]), "text/plain")
        name, _, part = unquote(url.path.lstrip("/")).partition("/")
        pages: dict[str, Callable[[str], Page]] = {"": self._mail, "html": self._html}
        if part not in pages:
            raise NotFound
        return pages[part](name)

    def _files(self) -> list[Path]:
        files = self._folder.glob("*.eml") if self._folder.is_dir() else ()
        return sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)[:SHOWN]

    def _read(self, name: str) -> EmailMessage:
        for file in self._files():  # a name is looked up, never joined to a path
            if file.stem == name:
                return _parse(file)
        raise NotFound

    def _list(self) -> str:
        rows = "".join(_row(file) for file in self._files())
        empty = "" if rows else "<p>No mail yet. Reload this page after the shop has sent one.</p>"
        head = "<tr><th>To<th>Subject<th>Date</tr>"
        return f"{STYLE}<title>Mailbox</title><h1>Mailbox</h1>{empty}<table>{head}{rows}</table>"

    def _latest(self, to: str) -> str:
        for file in self._files():
            message = _parse(file)
            if not to or message["To"] == to:
                return _part(message, "plain")
        raise NotFound

    def _mail(self, name: str) -> Page:
        message = self._read(name)
        shown = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted")
        headers = "".join(f"<tr><th>{header}<td>{escape(str(message[header]))}</tr>" for header in shown)
        frame = f'<iframe sandbox="{SANDBOX}" src="/{quote(name)}/html" title="HTML"></iframe>'
        return Page(
            f'{STYLE}<title>{escape(str(message["Subject"]))}</title><p><a href="/">Mailbox</a><table>{headers}</table>'
            f"<h2>Text</h2><pre>{_with_links(_part(message, 'plain'))}</pre><h2>HTML</h2>{frame}"
        )

    def _html(self, name: str) -> Page:
        return Page('<base target="_blank">' + _part(self._read(name), "html"), policy=MAIL_HTML)


def _parse(file: Path) -> EmailMessage:
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - the policy makes them
    return message


def _row(file: Path) -> str:
    message = _parse(file)
    to, subject, date = (escape(str(message[name])) for name in ("To", "Subject", "Date"))
    return f'<tr><td>{to}<td><a href="/{quote(file.stem)}">{subject}</a><td>{date}</tr>'


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()).replace("\r\n", "\n") if body else ""


def _with_links(text: str) -> str:
    """Return the text as HTML in which addresses of pages are links."""
    return "".join(_linked(text))


def _linked(text: str) -> Iterator[str]:
    end = 0
    for found in LINK.finditer(text):
        yield escape(text[end : found.start()])
        yield f'<a href="{escape(found[0])}" target="_blank" rel="noreferrer">{escape(found[0])}</a>'
        end = found.end()
    yield escape(text[end:])


def server(mailbox: Mailbox, port: int) -> ThreadingHTTPServer:
    """Return a server of the mailbox on loopback."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in OWN_HOSTS:
                self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
                return
            try:
                page = mailbox.answer(self.path)
            except NotFound:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = page.body.encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"{page.kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", page.policy)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log no request."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    server(Mailbox(Path(sys.argv[1])), int(sys.argv[2])).serve_forever()
