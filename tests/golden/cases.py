"""Golden cases, and the unusual requests that every route gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Case(NamedTuple):
    """One request. `$name` in path, headers and body is replaced by the value that an earlier case of the group saved.

    `path` is as the client spells it, with query. `body` is JSON unless it is text or bytes. `caller` names a saved
    token. A header of None is not sent. `save` is `name=member` of the answer, or `name=Header`; commas between.
    """

    name: str
    method: str
    path: str
    body: Any = None
    caller: str = ""
    headers: dict[str, str | None] = {}  # noqa: RUF012 - never changed
    save: str = ""
    address: str = ""


class Group(NamedTuple):
    """Cases that run in order on a new service with an empty database."""

    name: str
    world: str
    cases: list[Case]


class Call(NamedTuple):
    """A call of a route, for `called_by`."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str | None] = {}  # noqa: RUF012 - never changed


LIMIT = 64 * 1024
NESTED = "[" * 2000 + "]" * 2000
BODIES: list[tuple[str, Any, dict[str, str | None]]] = [
    ("no body", None, {}),
    ("empty body", "", {}),
    ("empty body, no media type", "", {"Content-Type": None}),
    ("empty text", "", {"Content-Type": "text/plain"}),
    ("empty object", "{}", {}),
    ("null", "null", {}),
    ("array", "[]", {}),
    ("number", "1", {}),
    ("text in quotes", '"x"', {}),
    ("not JSON", "{", {}),
    ("trailing comma", '{"a":1,}', {}),
    ("NaN", '{"a":NaN}', {}),
    ("infinite number", '{"a":1e999}', {}),
    ("two documents", "{} {}", {}),
    ("blanks alone", "  \n", {}),
    ("byte order mark", b"\xef\xbb\xbf{}", {}),
    ("invalid UTF-8", b'{"a":"\xff"}', {}),
    ("lone surrogate", '{"a":"\\ud800"}', {}),
    ("NUL byte", b'{"a":"\x00"}', {}),
    ("deep array", NESTED, {}),
    ("deep member", '{"a":' + NESTED + "}", {}),
    ("unknown members", '{"unknown":1,"another":null}', {}),
    ("duplicate unknown members", '{"unknown":1,"unknown":2}', {}),
    ("object as text/plain", "{}", {"Content-Type": "text/plain"}),
    ("object as form", "a=1", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("object as multipart", "--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
    ("object, no media type", "{}", {"Content-Type": None}),
    ("object, blank media type", "{}", {"Content-Type": ""}),
    ("object with charset", "{}", {"Content-Type": "application/json; charset=utf-8"}),
    ("object in capitals", "{}", {"Content-Type": "Application/JSON"}),
    ("object as problem+json", "{}", {"Content-Type": "application/problem+json"}),
    ("object as text/json", "{}", {"Content-Type": "text/json"}),
    ("not JSON as problem+json", "{", {"Content-Type": "application/problem+json"}),
    ("gzip", b"\x1f\x8b\x08\x00", {"Content-Encoding": "gzip"}),
    ("at the limit", '{"a":"' + "x" * (LIMIT - 8) + '"}', {}),
    ("over the limit", '{"a":"' + "x" * (LIMIT - 7) + '"}', {}),
    ("over the limit as text/plain", "x" * (LIMIT + 1), {"Content-Type": "text/plain"}),
    ("declared over the limit", "", {"Content-Length": str(LIMIT + 1)}),
    ("chunked empty object", "{}", {"Transfer-Encoding": "chunked", "Content-Length": None}),
    ("chunked over the limit", " " * (LIMIT + 1), {"Transfer-Encoding": "chunked", "Content-Length": None}),
]

TOKENS: list[tuple[str, str | None]] = [
    ("no token", None),
    ("blank header", ""),
    ("scheme alone", "Bearer"),
    ("scheme and blank", "Bearer "),
    ("Basic", "Basic YWxpY2U6eA=="),
    ("token alone", "$alice"),
    ("small scheme", "bearer $alice"),
    ("two blanks", "Bearer  $alice"),
    ("trailing blank", "Bearer $alice "),
    ("tab", "Bearer\t$alice"),
    ("garbage", "Bearer garbage"),
    ("garbage with dots", "Bearer a.b.c"),
    ("not ASCII", "Bearer \u00fc\u00e9"),
    ("changed", "Bearer $alice.x"),
    ("expired", "Bearer $expired"),
    ("of tomorrow", "Bearer $early"),
    ("foreign", "Bearer $foreign"),
    ("too long", "Bearer " + "x" * 4097),
    ("longest", "Bearer " + "x" * 4096),
    ("service credential", "Bearer $service"),
    ("two tokens", "Bearer $alice, Bearer $alice"),
]

IF_NONE_MATCH: list[tuple[str, str]] = [
    ("same", "$etag"),
    ("weak", "W/$etag"),
    ("star", "*"),
    ("list", '"a", $etag , W/"b"'),
    ("list without blanks", '"a",$etag'),
    ("other", '"0000000000000000000000000000000000000000"'),
    ("blank", ""),
    ("no quotes", "abc"),
    ("open quote", '"abc'),
    ("star in a list", '"a", *'),
    ("commas", ",,"),
]

ALLOWED = {"Origin": "https://shop.example"}
FOREIGN = {"Origin": "https://evil.example"}
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
ORIGINS: list[tuple[str, str, dict[str, str | None]]] = [
    ("allowed origin", "", {**ALLOWED}),
    ("foreign origin", "", {**FOREIGN}),
    ("null origin", "", {"Origin": "null"}),
    ("no origin", "", {}),
    ("OPTIONS", "OPTIONS", {}),
    ("OPTIONS of allowed origin", "OPTIONS", {**ALLOWED}),
    ("preflight", "OPTIONS", {**ALLOWED, **PREFLIGHT}),
    ("foreign preflight", "OPTIONS", {**FOREIGN, **PREFLIGHT}),
    ("HEAD of allowed origin", "HEAD", {**ALLOWED}),
]

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW")
ADDRESS = {"street": "High Street 1", "city": "Springfield", "postal_code": "12345", "country": "DE"}
PROBES = ["/healthz", "/readyz"]
PAGES = [
    "/",
    "/metrics",
    "/openapi",
    "/openapi/",
    "/openapi/openapi.json",
    "/openapi.json",
    "/openapi/swagger",
    "/openapi/oauth2-redirect.html",
    "/openapi/swagger/swagger-ui.css",
    "/openapi/static/nothing",
    "/static/nothing",
]
REQUEST_IDS = {
    "harmless": "abc-123_DEF.4",
    "blank": "",
    "with a blank": "a b",
    "with quotes": '"><script>',
    "not ASCII": "\u00fc",
    "long": "x" * 64,
    "longer": "x" * 128,
    "longest": "x" * 129,
}


def shown(name: str) -> str:
    """Return a shorter name for a case with a long path."""
    return name if len(name) <= 80 else f"{name[:30]}... of {len(name)}"


def called_by(calls: Iterable[Call], *callers: str) -> list[Case]:
    """Call routes as each of the callers; "" is nobody."""
    return [
        Case(f"{method} {path}: as {caller or 'nobody'}", method, path, body, caller, headers)
        for method, path, body, headers in calls
        for caller in callers
    ]


def audit_cases(path: str) -> list[Case]:
    """Read the audit of a world with staff, by page and by filter; send every unusual query."""
    queries = (
        *("", "limit=1", "staff=u-staff", "staff=u-other", "action=a", "action=b", "subject=s1", "subject=s1&action=b"),
        *("since=2000-01-01T00:00:00Z", "until=2000-01-01T00:00:00Z", "since=0001-01-01T00:00:00%2B14:00"),
        *("since=2000-01-01", "since=2000-01-01T00:00:00", "until=x", "until=9999-12-31T23:59:59-14:00", "since=1e400"),
        *("limit=0", "limit=101", "limit=x", "after=x", "after=WyJ4Il0", "after=%00", "unknown=1", "staff=%00"),
        *(f"staff={'x' * 201}", "action=%F0%9F%98%80"),
    )
    found = [Case(shown(f"GET {path}?{query}"), "GET", f"{path}?{query}", None, "staff") for query in queries]
    return [*found, Case(f"HEAD {path}", "HEAD", path, None, "staff")]


def bodies(method: str, path: str, caller: str = "", only: Iterable[str] = ()) -> list[Case]:
    """Send every unusual body to a route."""
    chosen = [odd for odd in BODIES if not only or odd[0] in only]
    return [Case(f"{method} {path}: {name}", method, path, body, caller, how) for name, body, how in chosen]


def tokens(method: str, path: str, body: Any = None) -> list[Case]:
    """Send every unusual Authorization header to a route."""
    return [
        Case(f"{method} {path}: token {name}", method, path, body, headers={"Authorization": header})
        for name, header in TOKENS
    ]


def etags(path: str, caller: str = "") -> list[Case]:
    """Send every form of If-None-Match to a route."""
    first = Case(f"GET {path}: for its ETag", "GET", path, None, caller, save="etag=ETag")
    forms = [
        Case(f"{method} {path}: If-None-Match {name}", method, path, None, caller, {"If-None-Match": form})
        for name, form in IF_NONE_MATCH
        for method in ("GET", "HEAD")
        if method == "GET" or name in {"same", "other"}
    ]
    return [first, *forms]


def origins(method: str, path: str, caller: str = "", body: Any = None) -> list[Case]:
    """Send every kind of Origin header to a route."""
    return [
        Case(f"{method} {path}: {name}", other or method, path, None if other else body, caller, how)
        for name, other, how in ORIGINS
    ]


def wrong_methods(path: str, allowed: str, caller: str = "") -> list[Case]:
    """Send every unsupported method and OPTIONS to a path."""
    wrong = [method for method in METHODS if method not in allowed.split()]
    return [Case(f"{method} {path}: method", method, path, None, caller) for method in wrong]


def request_ids(*routes: tuple[str, str, str]) -> list[Case]:
    """Send every kind of X-Request-ID to routes: method, path and caller."""
    return [
        Case(f"{method} {path}: X-Request-ID {name}", method, path, None, caller, {"X-Request-ID": sent})
        for method, path, caller in routes
        for name, sent in REQUEST_IDS.items()
    ]


def no_such_paths(paths: Iterable[str], callers: Mapping[str, str]) -> list[Case]:
    """Send requests to unknown paths; `callers` maps each method to its caller."""
    return [
        Case(f"{method} {path}: no such path", method, path, None, caller)
        for path in paths
        for method, caller in callers.items()
    ]


def pages(paths: Iterable[str], *methods: str) -> list[Case]:
    """Request pages without a body or a caller."""
    return [Case(f"{method} {path}", method, path) for path in paths for method in methods]


def spellings(method: str, path: str, caller: str = "", body: Any = None) -> list[Case]:
    """Send a request to variants of a path."""
    encoded = f"/%{ord(path[1]):02X}{path[2:]}"
    odd = {
        "trailing slash": f"{path}/",
        "trailing slash and query": f"{path}/?limit=1",
        "leading slashes": f"/{path}",
        "double slash": path[::-1].replace("/", "//", 1)[::-1],
        "trailing slashes": f"{path}//",
        "encoded letter": encoded,
        "capitals": path.upper(),
        "dot segment": f"/.{path}",
        "encoded slash": f"{path}%2F",
        "invalid UTF-8": f"{path}%ff",
        "NUL": f"{path}%00",
        "semicolon": f"{path};a=1",
        "blank query": f"{path}?",
        "unknown parameter": f"{path}?unknown=1",
        "two unknown parameters": f"{path}?unknown=1&unknown=2&b",
        "invalid UTF-8 parameter": f"{path}?unknown=%ff",
        "NUL in a parameter's name": f"{path}?%00=1",
    }
    return [Case(f"{method} {path}: {name}", method, asked, body, caller) for name, asked in odd.items()]
