"""A web server of somebody else, whose pages try to use the visitor's cookies in the shop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

STOPS_REFERRER = "no-referrer"  # then the Origin of a form is `null`


class Forgery(NamedTuple):
    """A form that the shop would accept from its own page."""

    url: str
    fields: dict[str, str]

    def form(self) -> str:
        inputs = "".join(
            f'<input name="{escape(name)}" value="{escape(value)}">' for name, value in self.fields.items()
        )
        return f'<form method="post" action="{escape(self.url)}">{inputs}<button>Win a prize</button></form>'


class OtherSite(ThreadingHTTPServer):
    """Serve `page` on every path, with `referrer_policy` if there is one."""

    page = ""
    referrer_policy = ""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server
        assert isinstance(site, OtherSite)
        body = f"<!doctype html><title>Other site</title>{site.page}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if site.referrer_policy:
            self.send_header("Referrer-Policy", site.referrer_policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""


@contextmanager
def other_site() -> Iterator[OtherSite]:
    """Run the server on a free port of 127.0.0.1, which is also localhost."""
    with OtherSite(("127.0.0.1", 0), _Handler) as site:
        thread = Thread(target=site.serve_forever, daemon=True)
        thread.start()
        yield site
        site.shutdown()
        thread.join()
