"""Call an application as the server does, and record its response without values that differ between runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from io import BytesIO
from string import Template
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from .cases import Case

USUAL = [
    "content-security-policy: default-src 'none'; frame-ancestors 'none'",
    "referrer-policy: no-referrer",
    "server: ",
    "x-content-type-options: nosniff",
    "x-request-id: <request-id>",
]
"""Headers of nearly every response; written as "usual" in the files."""

UNFIXED_PAGES = ("/metrics", "/openapi", "/static")  # only status and headers are compared
VARIABLE = [
    (r'("request_id":)"[0-9a-f]{32}"', r'\1"<request-id>"'),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "<time>"),
    (r'"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"', '"<uuid>"'),
    (r'("secret":)"[A-Z2-7]{32}"', r'\1"<secret>"'),
    (r"secret=[A-Z2-7]{32}", "secret=<secret>"),
    (r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", "<recovery-code>"),
    (r'("(?:refresh_|device_)?token":)"[^"]+"', r'\1"<token>"'),
    (r'("secret":)"whsec_[^"]+"', r'\1"whsec_<secret>"'),
    (r'("number": ?)"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}"', r'\1"<number>"'),
    (r"(?m)^[0-9A-Z]{4}(-[0-9A-Z]{4}){2},", "<number>,"),
    (r'("session_feed_age_seconds":)[0-9.]+', r'\1"<seconds>"'),
    (r"^(ratelimit: .*;t=)\d+", r"\1<seconds>"),
    (r"^(x-request-id: )[0-9a-f]{32}$", r"\1<request-id>"),
    (
        r"^(link: </(?:(?:admin/)?orders|(?:admin|staff)/audit|staff/customers|admin/webhooks/w-[0-9a-f]+/deliveries)"
        r"\?.*after=)[^&>]+",
        r"\1<key>",
    ),
    (r"^(date: ).*", r"\1<time>"),
    (r"^(last-modified: ).*", r"\1<time>"),
]
GENERATED_ID = re.compile(r"\b[a-z]-[0-9a-f]{32}\b")
VARIES_IN_LENGTH = ("<time>", "<token>", "<seconds>")


class GoldenAnswer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def find(self, name: str) -> str:
        """Return a header, or a member of the JSON body."""
        headers = dict(self.headers)
        return headers[name] if name in headers else str(json.loads(self.body)[name])


def ask(app: Callable[..., Iterable[bytes]], case: Case, saved: Mapping[str, str], address: str) -> GoldenAnswer:
    """Send a case with its $name values filled in."""
    head: list[Any] = []
    answer = app(_environ(case, saved, address), lambda status, headers, *_: head.append((status, headers)))
    try:
        body = b"".join(answer)
    finally:
        getattr(answer, "close", dict)()
    status, headers = head[-1]
    return GoldenAnswer(int(status[:3]), headers, body)


def _environ(case: Case, saved: Mapping[str, str], address: str) -> dict[str, Any]:
    path, _, query = Template(case.path).substitute(saved).partition("?")
    body = _body(case.body, saved)
    headers: dict[str, str | None] = {"Host": "shop.example"}
    if case.body is not None:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if case.caller:
        headers["Authorization"] = f"Bearer ${case.caller}"
    headers |= case.headers
    sent = {name: Template(text).substitute(saved) for name, text in headers.items() if text is not None}
    return {
        "REQUEST_METHOD": case.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{_variable(name): text.encode().decode("latin-1") for name, text in sent.items()},
    }


def _body(body: Any, saved: Mapping[str, str]) -> bytes:
    if body is None or isinstance(body, bytes):
        return body or b""
    return Template(body if isinstance(body, str) else json.dumps(body)).substitute(saved).encode()


def _variable(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"


class Scribe:
    """Record responses; a generated id gets the same number everywhere in one group."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._varying: set[str] = set()  # ETags and paths of responses that differ between runs

    def write(self, case: Case, answer: GoldenAnswer) -> list[Any]:
        """Return status, sorted headers and body."""
        raw = answer.body.decode(errors="backslashreplace")
        body = self._fixed(raw)
        lines = sorted(self._fixed(f"{name.lower()}: {value}") for name, value in answer.headers)
        if unfixed := case.path.startswith(UNFIXED_PAGES) and answer.status == 200:
            body = "<page>" if body else ""
        if raw != body:
            self._varying |= {line for line in lines if line.startswith("etag: ")}
        if unfixed or any(mark in body for mark in VARIES_IN_LENGTH):
            self._varying.add(case.path)
        lines = sorted(self._header(line, case, answer.status) for line in lines)
        return [answer.status, _shortened(lines), _parsed(body)]

    def _fixed(self, text: str) -> str:
        for pattern, replacement in VARIABLE:
            text = re.sub(pattern, replacement, text)
        return GENERATED_ID.sub(self._number, text)

    def _number(self, found: re.Match[str]) -> str:
        return self._ids.setdefault(found[0], f"<{found[0][0]}-id-{len(self._ids) + 1}>")

    def _header(self, line: str, case: Case, status: int) -> str:
        name, _, value = line.partition(": ")
        if line in self._varying or (name == "etag" and case.path.startswith(UNFIXED_PAGES)):
            return "etag: <etag>"
        if name == "content-length" and (
            case.path in self._varying or (case.method == "HEAD" and "/admin/" in case.path)
        ):
            return "content-length: <length>"
        if name == "retry-after" and status == HTTPStatus.TOO_MANY_REQUESTS:
            return "retry-after: <seconds>"
        if name == "allow":  # the framework has them in a set, without order
            return f"allow: {', '.join(sorted(value.split(', ')))}"
        return line


def _shortened(lines: list[str]) -> list[str]:
    rest = [line for line in lines if line not in USUAL]
    return ["usual", *rest] if len(lines) - len(rest) == len(USUAL) == len(set(lines) & set(USUAL)) else lines


def _parsed(body: str) -> Any:
    """Return the JSON document if it represents the body completely, else the text."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    return document if json.dumps(document, separators=(",", ":"), ensure_ascii=False) == body else body
