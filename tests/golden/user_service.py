"""The cases of user-service."""

from __future__ import annotations

from .cases import (
    ADDRESS,
    ALLOWED,
    FOREIGN,
    PAGES,
    PROBES,
    Call,
    Case,
    Group,
    audit_cases,
    bodies,
    called_by,
    no_such_paths,
    origins,
    pages,
    request_ids,
    shown,
    spellings,
    tokens,
    wrong_methods,
)

PASSWORD = "correct horse"
ALICE = {"username": "alice", "password": PASSWORD, "name": "Alice", "email": "Alice@example.com"}
BOB = {"username": "bob", "password": PASSWORD}
LOGIN = {"username": "alice", "password": PASSWORD}
CHROME: dict[str, str | None] = {"User-Agent": "Shop/1.0 (\u00fc)"}

REGISTER_ALICE = Case("POST /register", "POST", "/register", ALICE, save="alice_id=id")
SIGN_IN_ALICE = Case("POST /login", "POST", "/login", LOGIN, save="alice=token,alice_refresh=refresh_token")
SIGN_UP = [REGISTER_ALICE, SIGN_IN_ALICE]

ANYBODY = [
    ("POST", "/register"),
    ("POST", "/login"),
    ("POST", "/token/refresh"),
    ("POST", "/email/verification/confirm"),
    ("POST", "/password/forgotten"),
    ("POST", "/password/reset"),
    ("GET", "/.well-known/jwks.json"),
]
SIGNED_IN = [
    ("POST", "/logout"),
    ("GET", "/sessions"),
    ("DELETE", "/sessions/s-0"),
    ("DELETE", "/sessions"),
    ("GET", "/profile"),
    ("PATCH", "/profile"),
    ("DELETE", "/profile"),
    ("POST", "/profile/password"),
    ("GET", "/profile/export"),
    ("POST", "/email/verification"),
]
SERVICES = [("GET", "/ended-sessions")]
CUSTOMER = "/staff/customers/u-guarded"
STAFF_CALLS = [
    Call("GET", "/staff/audit"),
    Call("GET", "/staff/customers"),
    Call("GET", CUSTOMER),
    Call("GET", f"{CUSTOMER}/sessions"),
    Call("POST", f"{CUSTOMER}/disable"),
    Call("POST", f"{CUSTOMER}/enable"),
    Call("POST", f"{CUSTOMER}/reset-mail"),
    Call("DELETE", f"{CUSTOMER}/second-factor"),
    Call("DELETE", f"{CUSTOMER}/sessions/s-none"),
    Call("DELETE", f"{CUSTOMER}/sessions"),
]
METHODS_OF_STAFF = {
    call.path: [other.method for other in STAFF_CALLS if other.path == call.path] for call in STAFF_CALLS
}
RECOVERY = {"password": PASSWORD, "otp": "aaaa-aaaa-aaaa-aaaa"}
OWN_SECOND_FACTOR = [
    Call("GET", "/second-factor"),
    Call("POST", "/second-factor", {"password": PASSWORD}),
    Call("POST", "/second-factor/confirm", {"otp": "x"}),
    Call("POST", "/second-factor/recovery-codes", RECOVERY),
    Call("DELETE", "/second-factor", RECOVERY),
]
UNFIT = ("not JSON", "empty object", "object as text/plain", "over the limit")
WRONG = {"wrong password": {"password": "wrong"}, "wrong code": {"otp": "bbbb"}, "no code": {"otp": ""}}
GUARDED = {"username": "guarded", "password": PASSWORD}
SECOND_FACTOR = [
    *called_by(OWN_SECOND_FACTOR, "", "foreign", "bob"),
    *(
        Case(f"{method} {path}: {name}", method, path, RECOVERY | changes, "guarded")
        for method, path in (("POST", "/second-factor/recovery-codes"), ("DELETE", "/second-factor"))
        for name, changes in (WRONG | {"unknown member": {"x": 1}}).items()
    ),
    Case("POST /second-factor: on already", "POST", "/second-factor", {"password": PASSWORD}, "guarded"),
    Case("POST /second-factor/confirm: on already", "POST", "/second-factor/confirm", {"otp": "123456"}, "guarded"),
    Case("POST /second-factor: without the passkey", "POST", "/second-factor", {"password": PASSWORD}, "keyed"),
    Case("POST /login: code missing", "POST", "/login", GUARDED),
    Case("POST /login: code of null", "POST", "/login", {**GUARDED, "otp": None}),
    Case("POST /login: code wrong", "POST", "/login", {**GUARDED, "otp": "bbbb"}),
    Case("POST /login: code not ASCII", "POST", "/login", {**GUARDED, "otp": "\uff11\uff12\uff13\uff14\uff15\uff16"}),
    Case("POST /login: code as number", "POST", "/login", {**GUARDED, "otp": 123456}),
    Case("POST /login: blank code", "POST", "/login", {**GUARDED, "otp": " "}),
    Case("POST /login: long code", "POST", "/login", {**GUARDED, "otp": "1" * 41}),
    Case("POST /login: code, wrong password", "POST", "/login", {**GUARDED, **RECOVERY, "password": "wrong"}),
    Case("POST /login: disabled", "POST", "/login", {**GUARDED, "username": "disabled"}),
    Case("POST /login: disabled, wrong password", "POST", "/login", {"username": "disabled", "password": "wrong"}),
    Case("POST /login: recovery code", "POST", "/login", {**GUARDED, **RECOVERY}),
    Case("POST /login: recovery code again", "POST", "/login", {**GUARDED, **RECOVERY}),
    Case("GET /second-factor: on", "GET", "/second-factor", None, "guarded"),
    Case("HEAD /second-factor: on", "HEAD", "/second-factor", None, "guarded"),
    Case(
        "DELETE /second-factor: recovery code",
        "DELETE",
        "/second-factor",
        {**RECOVERY, "otp": "AAAA AAAA AAAA AAA2"},
        "guarded",
    ),
    Case("DELETE /second-factor: off already", "DELETE", "/second-factor", RECOVERY, "guarded"),
    Case("POST /second-factor/recovery-codes: off", "POST", "/second-factor/recovery-codes", RECOVERY, "guarded"),
    Case("POST /second-factor/confirm: not begun", "POST", "/second-factor/confirm", {"otp": "123456"}, "guarded"),
    Case("POST /second-factor: wrong password", "POST", "/second-factor", {"password": "wrong"}, "guarded"),
    Case("POST /second-factor", "POST", "/second-factor", {"password": PASSWORD}, "guarded"),
    Case("POST /second-factor/confirm: wrong code", "POST", "/second-factor/confirm", {"otp": "x"}, "guarded"),
    *(
        case
        for path in ("/second-factor", "/second-factor/confirm", "/second-factor/recovery-codes")
        for case in bodies(
            "POST", path, "guarded", ("not JSON", "empty object", "object as text/plain", "over the limit")
        )
    ),
    *bodies("DELETE", "/second-factor", "guarded", UNFIT),
    *wrong_methods("/second-factor", "GET HEAD POST DELETE", "guarded"),
    *wrong_methods("/second-factor/confirm", "POST", "guarded"),
    *wrong_methods("/second-factor/recovery-codes", "POST", "guarded"),
]
NEW_ADDRESS = {"email": "guarded@example.com", "current_password": PASSWORD}
CUSTOMERS = [
    *(
        Case(shown(f"GET /staff/customers?{query}"), "GET", f"/staff/customers?{query}", None, "staff")
        for query in (
            *("", "limit=1", "q=GUARD", "q=u-guarded", "q=nobody", "q=%25", "q=%00", "q=%ff", "q=%27", "q=+", "q="),
            *(f"q={'x' * 201}", "limit=0", "after=x", "after=WyJ4Il0", "after=WzFd", "unknown=1"),
        )
    ),
    *(
        Case(f"{method} {path}: {name}", method, path, None, "staff")
        for method, ending in (
            ("GET", ""),
            ("GET", "/sessions"),
            ("POST", "/disable"),
            ("POST", "/enable"),
            ("POST", "/reset-mail"),
            ("DELETE", "/second-factor"),
            ("DELETE", "/sessions"),
            ("DELETE", "/sessions/s-none"),
        )
        for name, path in (
            ("nobody", f"/staff/customers/u-none{ending}"),
            ("NUL", f"/staff/customers/%00{ending}"),
            ("staff", f"/staff/customers/u-staff{ending}"),
        )
        if (name, ending) != ("staff", "/sessions")
    ),
    Case(f"GET {CUSTOMER}", "GET", CUSTOMER, None, "staff"),
    Case(f"GET {CUSTOMER}/sessions", "GET", f"{CUSTOMER}/sessions", None, "staff"),
    Case(f"GET {CUSTOMER}/sessions: of staff", "GET", "/staff/customers/u-staff/sessions", None, "staff"),
    Case("PATCH /profile: an address", "PATCH", "/profile", NEW_ADDRESS, "guarded"),
    Case(f"POST {CUSTOMER}/reset-mail", "POST", f"{CUSTOMER}/reset-mail", None, "staff"),
    Case(f"DELETE {CUSTOMER}/sessions/s-guarded", "DELETE", f"{CUSTOMER}/sessions/s-guarded", None, "staff"),
    Case(f"DELETE {CUSTOMER}/sessions", "DELETE", f"{CUSTOMER}/sessions", None, "staff"),
    Case(f"POST {CUSTOMER}/disable", "POST", f"{CUSTOMER}/disable", None, "staff"),
    Case(f"POST {CUSTOMER}/disable: again", "POST", f"{CUSTOMER}/disable", None, "staff"),
    Case(f"POST {CUSTOMER}/reset-mail: disabled", "POST", f"{CUSTOMER}/reset-mail", None, "staff"),
    Case(f"POST {CUSTOMER}/enable", "POST", f"{CUSTOMER}/enable", None, "staff"),
    Case(f"DELETE {CUSTOMER}/second-factor", "DELETE", f"{CUSTOMER}/second-factor", None, "staff"),
    Case("GET /staff/audit: what was changed", "GET", "/staff/audit?subject=u-guarded", None, "staff"),
]
ROUTES = [
    *((method, path, "") for method, path in ANYBODY),
    *(("GET", path, "") for path in PROBES),
    *((method, path, "alice") for method, path in SIGNED_IN),
    *((method, path, "service") for method, path in SERVICES),
]
PATHS = {
    "/register": "POST",
    "/login": "POST",
    "/token/refresh": "POST",
    "/logout": "POST",
    "/sessions": "GET HEAD DELETE",
    "/sessions/s-0": "DELETE",
    "/.well-known/jwks.json": "GET",
    "/ended-sessions": "GET",
    "/profile": "GET PATCH DELETE",
    "/profile/password": "POST",
    "/profile/export": "GET HEAD",
    "/email/verification": "POST",
    "/email/verification/confirm": "POST",
    "/password/forgotten": "POST",
    "/password/reset": "POST",
    "/healthz": "GET",
    "/readyz": "GET",
}
# Bodies that are refused, so that routes can be called repeatedly without changes.
REFUSED_BODY = {
    "/register": {"username": "x"},
    "/login": {"username": ""},
    "/token/refresh": {"refresh_token": ""},
    "/profile/password": {"new_password": ""},
    "/profile": {},
    "/email/verification/confirm": {"token": ""},
    "/password/forgotten": {"email": "x"},
    "/password/reset": {"new_password": ""},
}
REGISTRATIONS = {
    "no username": {"password": PASSWORD},
    "no password": {"username": "carol"},
    "blank username": {"username": "", "password": PASSWORD},
    "blank password": {"username": "carol", "password": ""},
    "username of null": {"username": None, "password": PASSWORD},
    "username as number": {"username": 1, "password": PASSWORD},
    "username as array": {"username": [], "password": PASSWORD},
    "short username": {"username": "ca", "password": PASSWORD},
    "username long when normalised": {"username": "\ufdfa" * 4, "password": PASSWORD},
    "long username": {"username": "x" * 65, "password": PASSWORD},
    "very long username": {"username": "x" * 300, "password": PASSWORD},
    "username with a blank": {"username": "car ol", "password": PASSWORD},
    "username with NUL": {"username": "car\x00ol", "password": PASSWORD},
    "username that cannot be seen": {"username": "car\u200bol", "password": PASSWORD},
    "short password": {"username": "carol", "password": "1234567"},
    "long password": {"username": "carol", "password": "x" * 129},
    "common password": {"username": "carol", "password": "password123"},
    "password as username": {"username": "caroline", "password": "Caroline"},
    "password as number": {"username": "carol", "password": 12345678},
    "no email address": {"username": "carol", "password": PASSWORD, "email": "carol"},
    "email with NUL": {"username": "carol", "password": PASSWORD, "email": "a\x00@example.com"},
    "email too long": {"username": "carol", "password": PASSWORD, "email": "a" * 250 + "@example.com"},
    "email as number": {"username": "carol", "password": PASSWORD, "email": 1},
    "name too long": {"username": "carol", "password": PASSWORD, "name": "x" * 101},
    "name with a line feed": {"username": "carol", "password": PASSWORD, "name": "a\nb"},
    "own id": {"username": "carol", "password": PASSWORD, "id": "u-1"},
    "several faults": {"username": "", "password": 1, "email": "x", "y": 1, "z": 2},
    "taken username": BOB,
    "taken username in capitals": {**BOB, "username": "BOB"},
    "taken username in wide letters": {**BOB, "username": "\uff42\uff4f\uff42"},
    "twice username, last short": '{"username":"carol","username":"x","password":"correct horse"}',
}
REGISTERING = [
    Case("POST /register: all members", "POST", "/register", {**BOB, "name": " Bob ", "email": "Bob@example.com"}),
    Case(
        "POST /register: blank name and email",
        "POST",
        "/register",
        {**BOB, "username": "dave", "name": "", "email": ""},
    ),
    Case(
        "POST /register: an address that another account names",
        "POST",
        "/register",
        {**BOB, "username": "carola", "email": "bob@EXAMPLE.com"},
    ),
    Case("POST /register: null", "POST", "/register", {**BOB, "username": "erin", "name": None, "email": None}),
    Case(
        "POST /register: Unicode", "POST", "/register", {**BOB, "username": "Z\u00fcrich\u212b", "name": "\U0001f600"}
    ),
    Case(
        "POST /register: charset",
        "POST",
        "/register",
        {**BOB, "username": "frank"},
        "",
        {"Content-Type": "application/json; charset=utf-8"},
    ),
    Case(
        "POST /register: problem+json",
        "POST",
        "/register",
        {**BOB, "username": "grace"},
        "",
        {"Content-Type": "application/problem+json"},
    ),
    Case(
        "POST /register: text/plain",
        "POST",
        "/register",
        {**BOB, "username": "heidi"},
        "",
        {"Content-Type": "text/plain"},
    ),
    Case("POST /register: garbage token", "POST", "/register", {**BOB, "username": "ivan"}, "foreign"),
    Case("POST /register: query is not looked at", "POST", "/register?a=1&a=2", {**BOB, "username": "judy"}),
    *(Case(f"POST /register: {name}", "POST", "/register", body) for name, body in REGISTRATIONS.items()),
]
LOGINS = {
    "wrong password": {**LOGIN, "password": "wrong"},
    "unknown user": {**LOGIN, "username": "nobody"},
    "username of one letter": {**LOGIN, "username": "x"},
    "username too long": {**LOGIN, "username": "x" * 257},
    "password too long": {**LOGIN, "password": "x" * 129},
    "no password": {"username": "alice"},
    "no username": {"password": PASSWORD},
    "blank both": {"username": "", "password": ""},
    "password of null": {**LOGIN, "password": None},
    "password as number": {**LOGIN, "password": 1},
    "unknown member": {**LOGIN, "remember": True},
    "NUL in username": {**LOGIN, "username": "alice\x00"},
    "NUL in password": {**LOGIN, "password": "\x00"},
    "twice password, last wrong": '{"username":"alice","password":"correct horse","password":"wrong"}',
}
SIGNING_IN = [
    *SIGN_UP,
    Case("POST /login: username in capitals", "POST", "/login", {**LOGIN, "username": "ALICE"}, "", CHROME),
    Case("POST /login: charset", "POST", "/login", LOGIN, "", {"Content-Type": "application/json; charset=utf-8"}),
    Case("POST /login: text/plain", "POST", "/login", LOGIN, "", {"Content-Type": "text/plain"}),
    Case("POST /login: long user agent", "POST", "/login", LOGIN, "", {"User-Agent": "x" * 300}),
    Case(
        "POST /login: twice password, last right",
        "POST",
        "/login",
        '{"username":"alice","password":"wrong","password":"correct horse"}',
    ),
    *(Case(f"POST /login: {name}", "POST", "/login", body) for name, body in LOGINS.items()),
    Case(
        "POST /token/refresh",
        "POST",
        "/token/refresh",
        {"refresh_token": "$alice_refresh"},
        save="next=refresh_token,renewed=token",
        address="203.0.113.251",
    ),
    Case(
        "POST /token/refresh: repeated",
        "POST",
        "/token/refresh",
        {"refresh_token": "$alice_refresh"},
        address="203.0.113.251",
    ),
    Case("GET /profile: old token", "GET", "/profile", None, "alice"),
    Case("GET /profile: new token", "GET", "/profile", None, "renewed"),
    Case("GET /sessions: several", "GET", "/sessions", None, "alice"),
    Case("POST /token/refresh: spent, another client", "POST", "/token/refresh", {"refresh_token": "$alice_refresh"}),
    Case("POST /token/refresh: its successor", "POST", "/token/refresh", {"refresh_token": "$next"}),
    Case("GET /profile: session ended by reuse", "GET", "/profile", None, "renewed"),
    Case("POST /token/refresh: unknown", "POST", "/token/refresh", {"refresh_token": "x"}),
    Case("POST /token/refresh: too long", "POST", "/token/refresh", {"refresh_token": "x" * 257}),
    Case("POST /token/refresh: number", "POST", "/token/refresh", {"refresh_token": 1}),
    Case("POST /token/refresh: NUL", "POST", "/token/refresh", {"refresh_token": "\x00"}),
    Case("POST /token/refresh: unknown member", "POST", "/token/refresh", {"refresh_token": "x", "y": 1}),
    Case(
        "POST /token/refresh: text/plain",
        "POST",
        "/token/refresh",
        {"refresh_token": "x"},
        "",
        {"Content-Type": "text/plain"},
    ),
]


def _login(name: str) -> Case:
    return Case(f"POST /login: for {name}", "POST", "/login", LOGIN, "", CHROME, f"{name}=token")


ENDED_EVERYWHERE = [
    Case(f"{method} {path}: ended session", method, path, REFUSED_BODY.get(path) if method != "GET" else None, "third")
    for method, path in SIGNED_IN
]
SESSIONS = [
    *SIGN_UP,
    _login("second"),
    _login("third"),
    Case("GET /sessions", "GET", "/sessions", None, "alice", save=""),
    Case("HEAD /sessions", "HEAD", "/sessions", None, "alice"),
    Case("GET /sessions: with body", "GET", "/sessions", "{", "alice"),
    Case("GET /sessions: If-None-Match", "GET", "/sessions", None, "alice", {"If-None-Match": "*"}),
    Case("POST /logout", "POST", "/logout", None, "third"),
    Case("POST /logout: again", "POST", "/logout", None, "third"),
    *ENDED_EVERYWHERE,
    _login("fourth"),
    Case("POST /logout: body is not looked at", "POST", "/logout", "{", "fourth", {"Content-Type": "text/plain"}),
    _login("fifth"),
    Case("POST /logout: body over the limit", "POST", "/logout", "x" * 70_000, "fifth"),
    *(
        Case(f"DELETE {path}", "DELETE", path, None, "alice")
        for path in (
            "/sessions/none",
            "/sessions/%20",
            "/sessions/%00",
            "/sessions/%ff",
            "/sessions/a%2Fb",
            "/sessions/none/",
            "/sessions//none",
            "/sessions/none?a=1",
        )
    ),
    Case(shown(f"DELETE /sessions/{'x' * 101}"), "DELETE", f"/sessions/{'x' * 101}", None, "alice"),
    Case("DELETE /sessions/none: with body", "DELETE", "/sessions/none", "{", "alice"),
    Case("DELETE /sessions", "DELETE", "/sessions", None, "alice"),
    Case("DELETE /sessions: again, with body", "DELETE", "/sessions", "{", "alice"),
    Case("GET /sessions: one left", "GET", "/sessions", None, "alice"),
    Case("GET /profile: session ended by another", "GET", "/profile", None, "second"),
    Case("GET /ended-sessions", "GET", "/ended-sessions", None, "service"),
    Case("HEAD /ended-sessions", "HEAD", "/ended-sessions", None, "service"),
    Case("GET /ended-sessions: with body", "GET", "/ended-sessions", "{", "service"),
    *(
        Case(f"GET /ended-sessions?{query}", "GET", f"/ended-sessions?{query}", None, "service")
        for query in (
            "after=0",
            "after=1",
            "after=1000",
            "after=-1",
            "after=",
            "after=x",
            "after=%31",
            "after=1.0",
            "after=9223372036854775807",
            "after=9223372036854775808",
            "after=1&after=0",
            "after=%ff",
            "after=1%00",
            "limit=1",
            "limit=1&after=1",
            "limit=0",
            "limit=1000",
            "limit=1001",
            "limit=",
            "unknown=1",
        )
    ),
    # The session's own id is not known here; the next case uses an invalid id instead.
    Case("POST /login: for its id", "POST", "/login", LOGIN, save="last=token"),
    Case("DELETE /sessions/<id>: bad id of a good session", "DELETE", "/sessions/S-0", None, "last"),
]
CHANGES = {
    "name": {"name": "Alicia"},
    "all members": {
        "name": "A",
        "email": "a@example.com",
        "phone": "+49 30 1234567",
        "shipping_address": ADDRESS,
        "current_password": PASSWORD,
    },
    "address with recipient": {"shipping_address": {**ADDRESS, "recipient": " \u00dcber "}},
    "blank name and email": {"name": "", "email": "", "current_password": PASSWORD},
    "null": {
        "name": None,
        "email": None,
        "phone": None,
        "shipping_address": None,
        "current_password": PASSWORD,
    },
    "an address that another account names": {"email": "BOB@example.com", "current_password": PASSWORD},
    "back again": {"name": "Alice", "email": "Alice@example.com", "current_password": PASSWORD},
    "email without the password": {"email": "thief@example.com"},
    "email with a wrong password": {"email": "thief@example.com", "current_password": "wrong"},
    "password alone": {"current_password": PASSWORD},
    "nothing": {},
    "username": {"username": "bob"},
    "id": {"id": "u-1"},
    "new email, phone without country": {"email": "a@example.com", "phone": "030 1", "current_password": PASSWORD},
    "no email address": {"email": "x"},
    "phone of letters": {"phone": "abc"},
    "blank phone": {"phone": ""},
    "phone with NUL": {"phone": "123\x00"},
    "name too long": {"name": "x" * 101},
    "name as number": {"name": 1},
    "address as text": {"shipping_address": "home"},
    "empty address": {"shipping_address": {}},
    "address of blanks": {"shipping_address": dict.fromkeys(ADDRESS, " ")},
    "country with a line feed": {"shipping_address": {**ADDRESS, "country": "GB\n"}},
    "unknown member of the address": {"shipping_address": {**ADDRESS, "x": 1}},
    "several faults": {"name": 1, "phone": "x", "shipping_address": {"country": "de"}},
}
NEW = "amber-station-77"
NEW_EMAIL = {"email": "new@example.com", "current_password": NEW}
PROFILE = [
    *SIGN_UP,
    Case("POST /register: bob", "POST", "/register", {**BOB, "email": "bob@example.com"}),
    Case("GET /profile", "GET", "/profile", None, "alice"),
    Case("HEAD /profile", "HEAD", "/profile", None, "alice"),
    Case("GET /profile: with body", "GET", "/profile", "{", "alice"),
    Case("GET /profile: unknown parameter", "GET", "/profile?a=1&a=%ff", None, "alice"),
    Case("GET /profile: If-None-Match", "GET", "/profile", None, "alice", {"If-None-Match": "*"}),
    Case("GET /profile: small scheme", "GET", "/profile", headers={"Authorization": "bearer $alice"}),
    *(Case(f"PATCH /profile: {name}", "PATCH", "/profile", body, "alice") for name, body in CHANGES.items()),
    Case("PATCH /profile: text/plain", "PATCH", "/profile", {"name": "x"}, "alice", {"Content-Type": "text/plain"}),
    Case(
        "PATCH /profile: merge-patch+json",
        "PATCH",
        "/profile",
        {"name": "Alice"},
        "alice",
        {"Content-Type": "application/merge-patch+json"},
    ),
    Case("GET /profile: changed", "GET", "/profile", None, "alice"),
    Case("GET /profile/export", "GET", "/profile/export", None, "alice"),
    Case("HEAD /profile/export", "HEAD", "/profile/export", None, "alice"),
    Case("GET /profile/export: with body", "GET", "/profile/export", "{", "alice"),
    *(
        Case(f"POST /profile/password: {name}", "POST", "/profile/password", body, "alice")
        for name, body in {
            "wrong": {"current_password": "wrong", "new_password": NEW},
            "no current": {"new_password": NEW},
            "blank new": {"current_password": PASSWORD, "new_password": ""},
            "short new": {"current_password": PASSWORD, "new_password": "1234567"},
            "common new": {"current_password": PASSWORD, "new_password": "password123"},
            "new as username": {"current_password": PASSWORD, "new_password": "alice@example.com"},
            "unknown member": {"current_password": PASSWORD, "new_password": NEW, "x": 1},
            "changed": {"current_password": PASSWORD, "new_password": NEW},
            "old password": {"current_password": PASSWORD, "new_password": NEW},
        }.items()
    ),
    Case("GET /profile: after the new password", "GET", "/profile", None, "alice"),
    Case("POST /login: old password", "POST", "/login", LOGIN),
    Case("POST /login: new password", "POST", "/login", {**LOGIN, "password": NEW}, save="later=token"),
    Case("DELETE /profile: wrong password", "DELETE", "/profile", {"password": "wrong"}, "alice"),
    Case("DELETE /profile: blank password", "DELETE", "/profile", {"password": ""}, "alice"),
    Case(
        "DELETE /profile: text/plain", "DELETE", "/profile", {"password": NEW}, "alice", {"Content-Type": "text/plain"}
    ),
    Case("DELETE /profile", "DELETE", "/profile", {"password": NEW}, "alice"),
    Case("DELETE /profile: again", "DELETE", "/profile", {"password": NEW}, "alice"),
    Case("PATCH /profile: email of a deleted account", "PATCH", "/profile", NEW_EMAIL, "alice"),
    Case("GET /profile: deleted", "GET", "/profile", None, "alice"),
    Case("GET /sessions: deleted", "GET", "/sessions", None, "later"),
    Case("POST /login: deleted", "POST", "/login", {**LOGIN, "password": NEW}),
    Case("POST /register: name of a deleted account", "POST", "/register", ALICE),
    Case("GET /ended-sessions: after the deletion", "GET", "/ended-sessions", None, "service"),
]
BY_MAIL = {"token": "x", "new_password": NEW}
MAILING = [
    *SIGN_UP,
    Case("POST /email/verification", "POST", "/email/verification", None, "alice"),
    Case("POST /email/verification: body is not looked at", "POST", "/email/verification", "{", "alice"),
    Case("PATCH /profile: no address", "PATCH", "/profile", {"email": None, "current_password": PASSWORD}, "alice"),
    Case("POST /email/verification: no address", "POST", "/email/verification", None, "alice"),
    *(
        Case(f"POST {path}: {name}", "POST", path, body)
        for path, bodies_by_name in {
            "/email/verification/confirm": {
                "unknown": {"token": "x"},
                "too long": {"token": "x" * 257},
                "number": {"token": 1},
                "unknown member": {"token": "x", "y": 1},
            },
            "/password/forgotten": {
                "of an account": {"email": "alice@example.com"},
                "of nobody": {"email": "nobody@example.com"},
                "in capitals": {"email": " NOBODY@example.com "},
                "no email address": {"email": "alice"},
                "null": {"email": None},
                "unknown member": {"email": "alice@example.com", "y": 1},
            },
            "/password/reset": {
                "unknown": BY_MAIL,
                "short password": {**BY_MAIL, "new_password": "1234567"},
                "common password, unknown token": {**BY_MAIL, "new_password": "password123"},
                "no token": {"new_password": NEW},
                "NUL": {**BY_MAIL, "token": "\x00"},
            },
        }.items()
        for name, body in bodies_by_name.items()
    ),
    *(
        Case(f"POST /password/forgotten: {number} for one address", "POST", "/password/forgotten", {"email": "b@b.de"})
        for number in ("first", "second", "third", "fourth", "fifth", "sixth")
    ),
]
BY_TOKEN = [
    *(
        Case(f"POST {path}: {name}", "POST", path, body)
        for path, bodies_by_name in {
            "/email/verification/confirm": {
                "of another purpose": {"token": "reset-eve"},
                "good": {"token": " confirm-carol "},
                "used": {"token": "confirm-carol"},
                "address of another account": {"token": "confirm-dave"},
            },
            "/password/reset": {
                "of another purpose": {**BY_MAIL, "token": "confirm-dave"},
                "expired": {**BY_MAIL, "token": "reset-dave"},
                "common password": {"token": "reset-eve", "new_password": "password123"},
                "password as email address": {"token": "reset-eve", "new_password": "EVE@example.com"},
                "good": {**BY_MAIL, "token": "reset-eve"},
                "used": {**BY_MAIL, "token": "reset-eve"},
            },
        }.items()
        for name, body in bodies_by_name.items()
    ),
    Case("POST /login: by address", "POST", "/login", {"username": "EVE@example.com", "password": NEW}),
    Case(
        "POST /login: by an address, wrong password", "POST", "/login", {"username": "eve@example.com", "password": "x"}
    ),
]
HOME = "192.0.2.1"
THROTTLING = [
    *(
        Case(f"POST {path}: {name} from one address", "POST", path, body, caller, address=HOME)
        for path, body, caller in (
            ("/register", {**BOB, "username": "x"}, ""),
            ("/register", BOB, ""),
            ("/login", {**BOB, "password": "wrong"}, ""),
            ("/token/refresh", {"refresh_token": "x"}, ""),
        )
        for name in (f"first {len(str(body))}", f"second {len(str(body))}", f"third {len(str(body))}")
    ),
    Case("POST /login: another address", "POST", "/login", BOB, address="192.0.2.2", save="bob=token"),
    Case("POST /login: IPv6", "POST", "/login", BOB, address="2001:db8::1"),
    *(
        Case(
            f"POST /profile/password: {number}",
            "POST",
            "/profile/password",
            {"current_password": "wrong", "new_password": NEW},
            "bob",
            address=HOME,
        )
        for number in ("first", "second", "third")
    ),
    Case("DELETE /profile: after them", "DELETE", "/profile", {"password": PASSWORD}, "bob", address=HOME),
    Case("PATCH /profile: email after them", "PATCH", "/profile", NEW_EMAIL, "bob", address=HOME),
]
GOOD_BODY = {
    ("POST", "/register"): BOB,
    ("POST", "/login"): LOGIN,
    ("POST", "/token/refresh"): {"refresh_token": "x"},
    ("PATCH", "/profile"): {"name": "Alice"},
    ("DELETE", "/profile"): {"password": PASSWORD},
    ("POST", "/profile/password"): {"current_password": PASSWORD, "new_password": NEW},
    ("POST", "/email/verification/confirm"): {"token": "x"},
    ("POST", "/password/forgotten"): {"email": "alice@example.com"},
    ("POST", "/password/reset"): BY_MAIL,
}


def _body(method: str, path: str) -> object:
    return REFUSED_BODY.get(path) if method in {"POST", "PATCH", "DELETE"} else None


def _signed_up(name: str, world: str, cases: list[Case]) -> Group:
    return Group(name, world, [*SIGN_UP, *cases])


GROUPS = [
    Group("registration", "plain", REGISTERING),
    Group("signing in", "plain", SIGNING_IN),
    Group("sessions", "plain", SESSIONS),
    Group("profile", "plain", PROFILE),
    Group("mails", "plain", MAILING),
    Group("tokens of mails", "mailed", BY_TOKEN),
    Group("throttling", "strict", THROTTLING),
    Group(
        "keys",
        "plain",
        [
            Case(f"{method} /.well-known/jwks.json{query}", method, f"/.well-known/jwks.json{query}")
            for method in ("GET", "HEAD", "OPTIONS")
            for query in ("", "?a=1")
        ]
        + [
            Case(
                "GET /.well-known/jwks.json: If-None-Match",
                "GET",
                "/.well-known/jwks.json",
                headers={"If-None-Match": "*"},
            ),
            Case("GET /.well-known/jwks.json: with body", "GET", "/.well-known/jwks.json", "{"),
            Case("GET /.well-known%2Fjwks.json", "GET", "/.well-known%2Fjwks.json"),
        ],
    ),
    # Without logout and DELETE /sessions: their first case would end the session of all others.
    _signed_up(
        "spellings",
        "plain",
        [
            case
            for method, path, caller in ROUTES
            if path != "/logout" and (method, path) != ("DELETE", "/sessions")
            for case in spellings(method, path, caller, _body(method, path))
        ],
    ),
    _signed_up(
        "methods", "plain", [case for path, allowed in PATHS.items() for case in wrong_methods(path, allowed, "alice")]
    ),
    Group(
        "methods without token",
        "plain",
        [
            case
            for path in ("/profile", "/sessions", "/logout", "/ended-sessions")
            for case in wrong_methods(path, PATHS[path])
        ],
    ),
    _signed_up(
        "bodies",
        "plain",
        [
            case
            for method, path, caller in (
                ("POST", "/register", ""),
                ("POST", "/login", ""),
                ("POST", "/token/refresh", ""),
                ("POST", "/email/verification/confirm", ""),
                ("POST", "/password/forgotten", ""),
                ("POST", "/password/reset", ""),
                ("PATCH", "/profile", "alice"),
                ("POST", "/profile/password", "alice"),
                ("DELETE", "/profile", "alice"),
                ("DELETE", "/sessions/s-0", "alice"),
            )
            for case in bodies(method, path, caller)
        ],
    ),
    Group(
        "bodies without token",
        "plain",
        [
            case
            for method, path in (("PATCH", "/profile"), ("POST", "/logout"), ("DELETE", "/profile"))
            for case in bodies(method, path, "", ("no body", "not JSON", "object as text/plain", "over the limit"))
        ],
    ),
    # Logout comes last, because it ends the session.
    _signed_up(
        "tokens",
        "plain",
        [
            case
            for method, path in (*SERVICES, *SIGNED_IN[1:], SIGNED_IN[0])
            for case in tokens(method, path, _body(method, path))
        ],
    ),
    _signed_up(
        "tokens elsewhere",
        "plain",
        [
            Case("GET /profile: token in the query", "GET", "/profile?access_token=$alice"),
            Case("GET /profile: token in a cookie", "GET", "/profile", headers={"Cookie": "token=$alice"}),
            Case("GET /profile: service credential", "GET", "/profile", None, "service"),
            Case("GET /ended-sessions: token of a user", "GET", "/ended-sessions", None, "alice"),
            Case("GET /profile: token of nobody", "GET", "/profile", None, "bob"),
            Case("PATCH /profile: token of nobody", "PATCH", "/profile", {"name": "x"}, "bob"),
            Case(
                "POST /profile/password: token of nobody",
                "POST",
                "/profile/password",
                {"current_password": PASSWORD, "new_password": NEW},
                "bob",
            ),
            Case("DELETE /sessions/s-0: token of nobody", "DELETE", "/sessions/s-0", None, "bob"),
        ],
    ),
    Group(
        "unknown paths",
        "plain",
        no_such_paths(
            ("/nothing", "/%ff", "/%00", "/profile/nothing", "/sessions/a/b"),
            dict.fromkeys(("GET", "HEAD", "OPTIONS", "POST", "DELETE"), ""),
        ),
    ),
    _signed_up(
        "request ids",
        "plain",
        request_ids(("GET", "/profile", "alice"), ("POST", "/login", ""), ("GET", "/healthz", "")),
    ),
    Group("pages", "plain", pages([*PAGES, *PROBES], "GET", "HEAD", "OPTIONS")),
    _signed_up(
        "origins",
        "cors",
        [
            *(
                case
                for method, path, caller in ROUTES
                if path not in {"/logout", "/sessions"}
                for case in origins(method, path, caller, _body(method, path))
            ),
            *(case for case in origins("GET", "/sessions", "alice")),
            Case("POST /login: allowed origin, signed in", "POST", "/login", LOGIN, "", {**ALLOWED}),
            Case("POST /login: foreign origin, signed in", "POST", "/login", LOGIN, "", {**FOREIGN}),
            Case("GET /profile: allowed origin, no token", "GET", "/profile", headers={**ALLOWED}),
            Case("GET /nothing: allowed origin", "GET", "/nothing", headers={**ALLOWED}),
            Case("PUT /profile: allowed origin", "PUT", "/profile", headers={**ALLOWED}),
            Case(
                "OPTIONS /logout: preflight",
                "OPTIONS",
                "/logout",
                headers={**ALLOWED, "Access-Control-Request-Method": "POST"},
            ),
            Case("POST /logout: allowed origin", "POST", "/logout", None, "alice", {**ALLOWED}),
        ],
    ),
    *(
        Group(
            name,
            world,
            [
                Case(f"{method} {path}", method, path, GOOD_BODY.get((method, path)), caller)
                for method, path, caller in (*ROUTES, ("HEAD", "/profile", "alice"))
            ]
            + [Case("PATCH /profile: email", "PATCH", "/profile", NEW_EMAIL, "alice")],
        )
        for name, world in (("database away", "away"), ("unexpected failure", "broken"))
    ),
    _signed_up(
        "staff",
        "staffed",
        [
            *audit_cases("/staff/audit"),
            *called_by(STAFF_CALLS, "", "alice", "unproven", "foreign"),
            *(
                case
                for path in sorted({call.path for call in STAFF_CALLS})
                for case in wrong_methods(
                    path, " ".join(call.method for call in STAFF_CALLS if call.path == path), "staff"
                )
            ),
        ],
    ),
    Group("customers", "staffed", CUSTOMERS),
    Group("second factor", "staffed", SECOND_FACTOR),
    Group(
        "recovery codes",
        "staffed",
        [Case("POST /second-factor/recovery-codes", "POST", "/second-factor/recovery-codes", RECOVERY, "guarded")],
    ),
    *(
        Group(f"staff, {name}", world, called_by([*STAFF_CALLS, *OWN_SECOND_FACTOR], "staff"))
        for name, world in (("database away", "away"), ("unexpected failure", "broken"))
    ),
]
