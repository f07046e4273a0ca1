"""The cases of order-service."""

from __future__ import annotations

from .cases import (
    ADDRESS,
    ALLOWED,
    FOREIGN,
    NESTED,
    PAGES,
    PROBES,
    Call,
    Case,
    Group,
    audit_cases,
    bodies,
    called_by,
    etags,
    no_such_paths,
    origins,
    pages,
    request_ids,
    shown,
    spellings,
    tokens,
    wrong_methods,
)

MUG = {"items": [{"product_id": "p1"}]}
NOBODY = "/orders/o-00000000000000000000000000000000"
ROUTES: list[tuple[str, str, str]] = [
    ("GET", "/products", ""),
    ("GET", "/products/p1", ""),
    ("GET", "/categories", ""),
    ("GET", "/orders", "alice"),
    ("GET", "/orders/export", "alice"),
    ("GET", NOBODY, "alice"),
    ("POST", f"{NOBODY}/cancel", "alice"),
    ("POST", "/orders", "alice"),
    ("POST", "/create_order", "alice"),
    ("GET", "/healthz", ""),
    ("GET", "/readyz", ""),
    ("POST", "/orders/quote", ""),
    ("POST", f"{NOBODY}/payment", "alice"),
    ("POST", "/payments/stripe/events", ""),
]
MORE_PAGES = [
    "/openapi/swagger/",
    "/openapi/swagger/nothing",
    "/openapi/static/../../x",
    "/static/..%2F..%2Fx",
]
UNKNOWN = ["/nothing", "//", "/favicon.ico", "/%ff", "/%00", "/%2F", "/products/p1/x", "/orders/a/b/c"]

LAMP = {"id": "lamp", "name": "Lamp", "category": "Home", "price": 12.5, "currency": "EUR", "stock": 5}
CSV_HEADER = "id,name,category,price,currency,stock\n"
PRODUCT = "/admin/products/p1"
HOOK = "/admin/webhooks/w-000000000000000000000000000000a1"
NO_HOOK = "/admin/webhooks/w-00000000000000000000000000000000"
ADMIN_NOBODY = f"/admin{NOBODY}"
METHODS, RATES = "/admin/shipping-methods", "/admin/tax-rates"
POST_DE = {"name": "Post", "countries": ["DE"], "currency": "EUR", "price": 4.9, "free_from": 50}
PARCEL = {"carrier": "Post", "tracking_number": "1Z", "tracking_url": "https://carrier.example/track/1Z"}
ENDPOINT = {"url": "https://hooks.example.com/orders", "types": ["order.placed"]}
STAFF_CALLS = [
    Call("GET", "/admin/audit"),
    Call("GET", "/admin/products"),
    Call("POST", "/admin/products", {**LAMP, "id": "called"}),
    Call("GET", PRODUCT),
    Call("PATCH", PRODUCT, {"name": "Blue mug"}),
    Call("POST", f"{PRODUCT}/stock", {"units": 1, "reason": "found"}),
    Call("GET", f"{PRODUCT}/stock-movements"),
    Call("GET", "/admin/products/export"),
    Call("GET", "/events"),
    Call("GET", "/admin/webhooks"),
    Call("POST", "/admin/webhooks", ENDPOINT),
    Call("PATCH", NO_HOOK, {"active": False}),
    Call("DELETE", NO_HOOK),
    Call("POST", f"{NO_HOOK}/secret"),
    Call("GET", f"{NO_HOOK}/deliveries"),
    Call("POST", f"{NO_HOOK}/deliveries/e-00000000000000000000000000000000/replay"),
    Call("GET", "/admin/orders"),
    Call("GET", "/admin/orders/export"),
    Call("GET", ADMIN_NOBODY),
    Call("PATCH", ADMIN_NOBODY, {"email": "a@example.com"}),
    Call("POST", f"{ADMIN_NOBODY}/ship", PARCEL),
    Call("PUT", f"{ADMIN_NOBODY}/tracking", PARCEL),
    Call("POST", f"{ADMIN_NOBODY}/deliver"),
    Call("POST", f"{ADMIN_NOBODY}/cancel", {"reason": "asked by phone"}),
    Call("POST", f"{ADMIN_NOBODY}/refunds", {"amount": 1, "reason": "broken"}, {"Idempotency-Key": "k1"}),
    Call("POST", f"{ADMIN_NOBODY}/refunds/r-{'0' * 32}/retry"),
    Call("GET", METHODS),
    Call("PUT", f"{METHODS}/post", POST_DE),
    Call("DELETE", f"{METHODS}/none"),
    Call("GET", f"{METHODS}/export"),
    Call("GET", RATES),
    Call("PUT", f"{RATES}/DE/standard", {"rate": 19}),
    Call("DELETE", f"{RATES}/FR/standard"),
    Call("GET", f"{RATES}/export"),
]
STAFF_METHODS = {
    path: " ".join(call.method for call in STAFF_CALLS if call.path == path)
    for path in dict.fromkeys(call.path for call in STAFF_CALLS)
}
EVENTS = [
    *(
        Case(shown(f"GET /events?{query}"), "GET", f"/events?{query}".rstrip("?"), None, "staff")
        for query in (
            *("", "limit=1", "limit=1000", "limit=0", "limit=1001", "limit=x", "unknown=1"),
            *("types=order.placed", "types=order.cancelled,order.placed", "types=", "types=x", "types=,", "types=%00"),
            *("after=x", "after=WzFd", "after=WyJ4IiwieSJd", "after=%00", f"after={'x' * 201}"),
            "after=WyI3IiwiMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAiXQ",
            "after=WyIxIiwiMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwZTEiXQ",
        )
    ),
    Case("HEAD /events", "HEAD", "/events", None, "staff"),
    Case("GET /events: as a service", "GET", "/events", None, "service"),
]
WEBHOOKS = [
    Case("GET /admin/webhooks", "GET", "/admin/webhooks", None, "staff"),
    Case("HEAD /admin/webhooks", "HEAD", "/admin/webhooks", None, "staff"),
    *(
        Case(shown(f"GET deliveries?{query}"), "GET", f"{HOOK}/deliveries?{query}".rstrip("?"), None, "staff")
        for query in ("", "limit=1", "limit=0", "status=failed", "status=x", "after=x", "after=WyJ4Il0", "unknown=1")
    ),
    Case("HEAD deliveries", "HEAD", f"{HOOK}/deliveries", None, "staff"),
    Case("replay", "POST", f"{HOOK}/deliveries/e-000000000000000000000000000000e1/replay", None, "staff"),
    Case("replay of an unknown event", "POST", f"{HOOK}/deliveries/e-0/replay", None, "staff"),
    *bodies("POST", "/admin/webhooks", "staff"),
    *(
        Case(f"{method} {name}", method, path, {**usual, **body}, "staff")
        for method, path, usual in (("POST", "/admin/webhooks", ENDPOINT), ("PATCH", HOOK, {}))
        for name, body in {
            "http": {"url": "http://hooks.example.com/"},
            "private address": {"url": "https://192.168.0.1/"},
            "password in the URL": {"url": "https://a:b@hooks.example.com/"},
            "no host": {"url": "https:///x"},
            "long URL": {"url": f"https://hooks.example.com/{'x' * 2000}"},
            "no URL": {"url": ""},
            "no types": {"types": []},
            "unknown type": {"types": ["order.placed", "order.lost"]},
            "type twice": {"types": ["order.placed", "order.placed"]},
            "own secret": {"secret": "x"},
        }.items()
    ),
    *bodies("PATCH", HOOK, "staff"),
    Case("PATCH inactive", "PATCH", HOOK, {"active": False}, "staff"),
    Case("rotate", "POST", f"{HOOK}/secret", None, "staff"),
    Case("DELETE", "DELETE", HOOK, None, "staff"),
    Case("DELETE again", "DELETE", HOOK, None, "staff"),
]
UPLOADS = {
    "good": (CSV_HEADER + "p1,Blue mug,Kitchen,13,EUR,7\nvase,Vase,Home,5,EUR,2\n", "", "text/csv"),
    "again, stock set": (CSV_HEADER + "p1,Blue mug,Kitchen,13,EUR,7\n", "?stock=set", "text/csv; charset=utf-8"),
    "preview": (CSV_HEADER + "p1,Blue mug,Kitchen,14,EUR,+1\nvase,Vase,Home,x,EUT,2\n", "?dry_run=true", "text/csv"),
    "bad rows": (CSV_HEADER + "p1,Blue mug,Kitchen,14,EUR,1\nvase,Vase,Home,x,EUT,2\n", "", "text/csv"),
    "stock below zero": (CSV_HEADER + "p1,Blue mug,Kitchen,14,EUR,-9999\n", "", "text/csv"),
    "semicolons": ("id;name;category;price;currency\np1;Blue mug;Kitchen;14,50;EUR\n", "", "text/csv"),
    "other encoding": (b"id,name,category,price,currency\np1,M\xfcg,Kitchen,14,EUR\n", "", "text/csv"),
    "encoding named": (
        b"id,name,category,price,currency\np1,M\xfcg,Kitchen,14,EUR\n", "?encoding=windows-1252", "text/csv",
    ),
    "no such encoding": (CSV_HEADER, "?encoding=zlib", "text/csv"),
    "no products": (CSV_HEADER, "", "text/csv"),
    "empty": ("", "", "text/csv"),
    "JSON": ("{}", "", "application/json"),
    "no media type": (CSV_HEADER, "", None),
    "too large": ("x" * (16 * 1024 * 1024 + 1), "", "text/csv"),
    "missing deactivated": (CSV_HEADER + "p1,Blue mug,Kitchen,13,EUR,7\n", "?deactivate_missing=true", "text/csv"),
    "stock as word": (CSV_HEADER, "?stock=replace", "text/csv"),
}  # fmt: skip
IMPORT = "/admin/products/import"
FILES = {
    IMPORT: CSV_HEADER,
    f"{METHODS}/import": "id,name,countries,currency,price,free_from,tax_class,active,position\n"
    "post,Post,DE,EUR,4.90,50,standard,true,0\n",
    f"{RATES}/import": "country,tax_class,rate\nDE,standard,19\n",
}
CSV: dict[str, str | None] = {"Content-Type": "text/csv"}
IMPORTS = [
    Case(f"POST {IMPORT}: {name}", "POST", f"{IMPORT}{query}", body, "staff", {"Content-Type": kind})
    for name, (body, query, kind) in UPLOADS.items()
]
BAD_PRODUCTS = {
    "slash in the id": {**LAMP, "id": "TEE/RED/M"},
    "id of dots": {**LAMP, "id": ".."},
    "no such currency": {**LAMP, "currency": "EUT"},
    "yen with decimals": {**LAMP, "price": 1980.5, "currency": "JPY"},
    "price as text": {**LAMP, "price": "cheap"},
    "price beyond all": '{"id":"x","name":"x","category":"x","currency":"EUR","price":1e300}',
    "stock below zero": {**LAMP, "stock": -1},
    "image of another scheme": {**LAMP, "images": ["javascript:alert(1)"]},
    "options as list": {**LAMP, "options": ["a"]},
    "line break in the name": {**LAMP, "name": "a\nb"},
    "there already": {**LAMP, "id": "p1"},
}
GOOD_PRODUCTS = {
    "lamp": LAMP,
    "umlaut": {**LAMP, "id": "Becher-gr\u00fcn"},
    "yen": {**LAMP, "id": "yen", "price": 1980, "currency": "JPY"},
    "dinar": {**LAMP, "id": "dinar", "price": 1.25, "currency": "KWD"},
    "variant": {
        **LAMP, "id": "tee-m", "group": "tee", "options": {"Size": "M"}, "images": ["https://shop.example/m.png"],
        "description": "One\nTwo", "tax_class": "reduced", "active": False,
    },
}  # fmt: skip
CATALOGUE = [
    *(
        Case(f"POST /admin/products: {name}", "POST", "/admin/products", body, "staff")
        for name, body in {**GOOD_PRODUCTS, **BAD_PRODUCTS}.items()
    ),
    *bodies("POST", "/admin/products", "staff"),
    *bodies("PATCH", PRODUCT, "staff"),
    *bodies("POST", f"{PRODUCT}/stock", "staff"),
    *(
        Case(f"{method} {path}: {name}", method, path, body, "staff", headers)
        for name, method, path, body, headers in (
            ("all members", "PATCH", "/admin/products/lamp", {
                "name": "Lantern", "description": "Warm", "category": "Light", "price": 13, "currency": "EUR",
                "active": True, "images": ["https://shop.example/l.png"], "tax_class": "reduced", "group": "light",
                "options": {"Colour": "red"}}, {}),
            ("price alone", "PATCH", "/admin/products/lamp", {"price": 13}, {}),
            ("null as name", "PATCH", "/admin/products/lamp", {"name": None}, {}),
            ("deactivated", "PATCH", "/admin/products/yen", {"active": False}, {}),
            ("none", "PATCH", "/admin/products/none", {"name": "x"}, {}),
            ("inactive", "GET", "/products/yen", None, {}),
            ("inactive", "GET", "/admin/products/yen", None, {}),
            ("none", "GET", "/admin/products/none", None, {}),
            ("NUL", "GET", "/admin/products/%00", None, {}),
            ("umlaut", "GET", "/admin/products/Becher-gr%C3%BCn", None, {}),
            ("none", "GET", "/admin/products/none/stock-movements", None, {}),
            ("bad page", "GET", f"{PRODUCT}/stock-movements?after=x", None, {}),
            ("beyond 64 bits", "GET", f"{PRODUCT}/stock-movements?after=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ", None, {}),
            ("taken", "POST", f"{PRODUCT}/stock", {"units": -2, "reason": "broken"}, {"Idempotency-Key": "k1"}),
            ("taken, again", "POST", f"{PRODUCT}/stock", {"units": -2, "reason": "broken"}, {"Idempotency-Key": "k1"}),
            ("bad key", "POST", f"{PRODUCT}/stock", {"units": -2, "reason": "broken"}, {"Idempotency-Key": "a b"}),
            ("too many", "POST", f"{PRODUCT}/stock", {"units": -9999, "reason": "broken"}, {}),
            ("none moved", "POST", f"{PRODUCT}/stock", {"units": 0, "reason": "broken"}, {}),
            ("none", "POST", "/admin/products/none/stock", {"units": 1, "reason": "broken"}, {}),
            ("moved", "GET", f"{PRODUCT}/stock-movements", None, {}),
            ("first page", "GET", f"{PRODUCT}/stock-movements?limit=1", None, {}),
        )
    ),
    *(
        Case(f"GET /admin/products?{query}", "GET", f"/admin/products?{query}", None, "staff")
        for query in ("", "limit=2", "q=mug", "active=false", "active=maybe", "group=tee", "sort=-price", "limit=0")
    ),
    *(
        Case(f"GET /products?{query}", "GET", f"/products?{query}")
        for query in (
            "in_stock=true", "in_stock=false", "in_stock=", "in_stock=2", "price_min=10", "price_max=9.99&price_min=1",
            "price_min=1,5", "price_min=-1", "price_max=1e3", "price_max=NaN", "price_min=1_0", "group=light",
        )
    ),
    *IMPORTS,
    Case("GET /admin/products/export", "GET", "/admin/products/export", None, "staff"),
    Case("GET /categories: changed", "GET", "/categories"),
]  # fmt: skip

LISTS = [
    Case(shown(f"GET {path}?{query}"), "GET", f"{path}?{query}", None, caller)
    for path, caller in (("/products", ""), ("/orders", "alice"))
    for query in (
        "limit=1",
        "limit=2",
        "limit=100",
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=",
        "limit",
        "limit=x",
        "limit=1.0",
        "limit=1.5",
        "limit=%31",
        "limit=+1",
        "limit=1+",
        "limit=0x1",
        "limit=1_0",
        "limit=true",
        "limit=%D9%A1",
        "limit=1&limit=2",
        "limit=2&limit=1",
        "limit=1&limit=x",
        "limit=1&limit=",
        "LIMIT=1",
        "%6Cimit=1",
        "limit=1;after=x",
        "limit=1&&",
        "&limit=1",
        "limit=1&a=%ff",
        "limit=%ff",
        "limit=1%00",
        "limit=99999999999999999999",
        f"limit={'9' * 5000}",
        "after=",
        "after=x",
        "after=!",
        "after=WzFd",
        "after=WzFd&limit=2",
        "after=%57zFd",
        "after=WyJhIl0",
        "after=WzFd==",
        "after=WzEsMl0",
        "after=bnVsbA",
        "after=W10",
        "after=%ff",
        "after=%00",
        f"after={'x' * 200}",
        f"after={'x' * 201}",
        "after=WzFd&after=WzJd",
        "limit=0&after=x&unknown=1",
        "status=placed",
        "status=cancelled",
        "status=shipped",
        "status=",
        "status=%70laced",
        "sort=price&limit=2",
        "access_token=x",
    )
]
SEARCHES = [
    Case(shown(f"GET /products?{query}"), "GET", f"/products?{query}")
    for query in (
        "q=mug",
        "q=MUGS",
        "q=blue+mug",
        "q=blue%20mug",
        "q=blue%2Bmug",
        "q=%C3%BCber",
        "q=nothing",
        "q=",
        "q=+",
        "q=%09mug",
        "q=a%00b",
        "q=%ff",
        "q=%E2%82",
        "q=%27%3B--",
        "q=%22blue+mug%22",
        "q=-red+mug",
        "q=mug&q=lamp",
        "q=mug&limit=1",
        "q=mug&sort=price",
        "q=mug&sort=-price&limit=1",
        f"q={'x' * 200}",
        f"q={'x' * 201}",
        f"q={'x' * 1500}",
        "category=Kitchen",
        "category=Living+room",
        "category=Living%20room&sort=name",
        "category=kitchen",
        "category=",
        "category=%20Kitchen%20",
        f"category={'x' * 101}",
        "sort=name",
        "sort=price",
        "sort=-price",
        "sort=name&limit=2",
        "sort=-price&limit=2",
        "sort=PRICE",
        "sort=",
        "sort=stock",
        "sort=price&sort=name",
        "sort=name&after=WzFd",
        "category=Kitchen&limit=1",
        "a=1&b=2&c=3",
        "unknown=",
        "=1",
        "=",
        "&",
        "%",
        "%zz=1",
        "q=%zz",
    )
]
PRODUCTS = [
    Case(shown(f"GET {path}"), "GET", path)
    for path in (
        "/products/p2",
        "/products/none",
        "/products/%70%31",
        "/products/p%31",
        "/products/P1",
        "/products/p1%20",
        "/products/%20",
        "/products/%20p1",
        "/products/p1%2F",
        "/products/p1%2Fx",
        "/products/%2Fp1",
        "/products/p1%00",
        "/products/%00",
        "/products/%ff",
        "/products/%E2%82",
        "/products/%C3%BC",
        "/products/p1%0A",
        "/products/%7F",
        "/products/p1?q=1",
        "/products/p1?",
        "/products/p1?limit=1&limit=2",
        "/products/p1?%ff",
        "/products/p1;x",
        "/products/.",
        "/products/..",
        "/products/../orders",
        "/products/p1/..",
        "/products/",
        "/products//",
        "/products//p1",
        "//products//p1",
        "/products/p+1",
        "/products/p%2B1",
        "/products/%25",
        "/products/%3F",
        f"/products/{'x' * 100}",
        f"/products/{'x' * 101}",
        f"/products/{'x' * 5000}",
    )
]
ORDER_PATHS = [
    Case(f"{method} {path}", method, path, None, "alice")
    for stem in (
        "x",
        "",
        "o-",
        "O-0",
        "o-0",
        "%6F-0",
        "%24order",
        "$order%20",
        "$order%00",
        "%ff",
        "%00",
        "a%2Fb",
        "export%20",
    )
    for method, path in (("GET", f"/orders/{stem}"), ("POST", f"/orders/{stem}/cancel"))
]

ITEMS = {
    "no items": {"items": []},
    "items of null": {"items": None},
    "items as object": {"items": {}},
    "item as text": {"items": ["p1"]},
    "item as null": {"items": [None]},
    "empty item": {"items": [{}]},
    "blank product": {"items": [{"product_id": ""}]},
    "product of blanks": {"items": [{"product_id": "  "}]},
    "product as number": {"items": [{"product_id": 1}]},
    "product with NUL": {"items": [{"product_id": "p1\x00"}]},
    "product with line feed": {"items": [{"product_id": "p\n1"}]},
    "product too long": {"items": [{"product_id": "x" * 101}]},
    "unknown product": {"items": [{"product_id": "none"}]},
    "unknown products": {"items": [{"product_id": "none"}, {"product_id": "p1"}, {"product_id": "\u00fc"}]},
    "qty of 0": {"items": [{"product_id": "p1", "qty": 0}]},
    "qty of 1000": {"items": [{"product_id": "p1", "qty": 1000}]},
    "qty of 999": {"items": [{"product_id": "p1", "qty": 999}]},
    "qty as text": {"items": [{"product_id": "p1", "qty": "1"}]},
    "qty as float": {"items": [{"product_id": "p1", "qty": 1.0}]},
    "qty as true": {"items": [{"product_id": "p1", "qty": True}]},
    "qty of null": {"items": [{"product_id": "p1", "qty": None}]},
    "qty beyond 64 bits": '{"items":[{"product_id":"p1","qty":99999999999999999999}]}',
    "sum too large": {"items": [{"product_id": "p1", "qty": 600}, {"product_id": "p1", "qty": 400}]},
    "out of stock": {"items": [{"product_id": "p3", "qty": 2}, {"product_id": "p5"}, {"product_id": "p1"}]},
    "two currencies": {"items": [{"product_id": "p1"}, {"product_id": "p4"}]},
    "51 lines": {"items": [{"product_id": "p1"}] * 51},
    "own price": {"items": [{"product_id": "p1", "unit_price": 0.01}]},
    "own user": {"items": [{"product_id": "p1"}], "user": "bob"},
    "several faults": {"items": [{"qty": 0, "x": 1}, 5], "ship_to": {}, "y": 2},
    "ship_to as text": {**MUG, "ship_to": "home"},
    "ship_to as array": {**MUG, "ship_to": []},
    "blank street": {**MUG, "ship_to": {**ADDRESS, "street": " "}},
    "NUL in street": {**MUG, "ship_to": {**ADDRESS, "street": "a\x00"}},
    "country in small letters": {**MUG, "ship_to": {**ADDRESS, "country": "de"}},
    "deep ship_to": '{"items":[{"product_id":"p1"}],"ship_to":' + NESTED + "}",
    "duplicate items, last empty": '{"items":[{"product_id":"p1"}],"items":[]}',
    "not JSON after a good start": '{"items":[{"product_id":"p1"}]',
    "good, then garbage": '{"items":[{"product_id":"p1"}]}x',
    "text/plain": MUG,
    "no media type": MUG,
}
HOW: dict[str, dict[str, str | None]] = {
    "text/plain": {"Content-Type": "text/plain"},
    "no media type": {"Content-Type": None},
}
REFUSED = [
    Case(f"POST {path}: {name}", "POST", path, body, "alice", HOW.get(name, {}))
    for path in ("/orders", "/create_order")
    for name, body in ITEMS.items()
]
KEYS = {
    "blank": "",
    "with a blank": "a b",
    "not ASCII": "\u00fc",
    "too long": "x" * 256,
    "with a tab": "a\tb",
    "with a blank at its end": "fresh ",
}
ORDERING = [
    Case("GET /orders: none", "GET", "/orders", None, "alice"),
    Case("GET /orders/export: none", "GET", "/orders/export", None, "alice"),
    Case("POST /orders", "POST", "/orders", MUG, "alice", save="order=order_id"),
    Case("GET /products/p1: one less", "GET", "/products/p1"),
    Case("GET /products: one less", "GET", "/products"),
    Case("POST /create_order", "POST", "/create_order", {**MUG, "ship_to": ADDRESS}, "alice", save="second=order_id"),
    Case(
        "POST /orders: many lines",
        "POST",
        "/orders",
        {
            "items": [{"product_id": "p2", "qty": 2}, {"product_id": " p1 "}, {"product_id": "p2"}],
            "ship_to": {**ADDRESS, "recipient": "  \u00dcber \U0001f600 & Co  "},
        },
        "alice",
    ),
    Case("POST /orders: ship_to of null", "POST", "/orders", {**MUG, "ship_to": None}, "alice"),
    Case("POST /orders: query is not looked at", "POST", "/orders?a=1&a=2", MUG, "alice"),
    Case("POST /orders: charset", "POST", "/orders", MUG, "alice", {"Content-Type": "application/json; charset=utf-8"}),
    Case("POST /orders: problem+json", "POST", "/orders", MUG, "alice", {"Content-Type": "application/problem+json"}),
    Case("POST /orders: small scheme", "POST", "/orders", MUG, headers={"Authorization": "bearer $alice"}),
    Case("POST /orders: If-None-Match", "POST", "/orders", MUG, "alice", {"If-None-Match": "*"}),
    Case("POST /orders: Accept of HTML", "POST", "/orders", MUG, "alice", {"Accept": "text/html"}),
    Case(
        "POST /orders: duplicate items, last good",
        "POST",
        "/orders",
        '{"items":[],"items":[{"product_id":"p1","product_id":"p2"}]}',
        "alice",
    ),
    Case("POST /orders: user without a name", "POST", "/orders", MUG, "carol"),
    Case("GET /orders/<id>", "GET", "/orders/$order", None, "alice"),
    Case("HEAD /orders/<id>", "HEAD", "/orders/$order", None, "alice"),
    Case("OPTIONS /orders/<id>", "OPTIONS", "/orders/$order", None, "alice"),
    Case("GET /orders/<id>: with body", "GET", "/orders/$order", MUG, "alice"),
    Case("GET /orders/<id>: unknown parameter", "GET", "/orders/$order?a=1", None, "alice"),
    Case("GET /orders/<id>: trailing slash", "GET", "/orders/$order/", None, "alice"),
    Case("GET /orders/<id>: another's", "GET", "/orders/$order", None, "bob"),
    Case("POST /orders/<id>/cancel: another's", "POST", "/orders/$order/cancel", None, "bob"),
    *etags("/orders/$order", "alice"),
    *etags("/orders", "alice"),
    *etags("/orders?limit=1", "alice"),
    *ORDER_PATHS,
    Case("GET /orders: placed so far", "GET", "/orders", None, "alice"),
    Case("HEAD /orders: placed so far", "HEAD", "/orders", None, "alice"),
    Case("GET /orders: with body", "GET", "/orders", "{", "alice"),
    Case("GET /orders: nobody else's", "GET", "/orders", None, "bob"),
    *LISTS,
    *REFUSED,
    Case(
        "POST /orders: first with a key", "POST", "/orders", MUG, "alice", {"Idempotency-Key": "k1"}, "keyed=order_id"
    ),
    Case("POST /orders: again with this key", "POST", "/orders", MUG, "alice", {"Idempotency-Key": "k1"}),
    Case("POST /create_order: with this key", "POST", "/create_order", MUG, "alice", {"Idempotency-Key": "k1"}),
    Case(
        "POST /orders: key with another body",
        "POST",
        "/orders",
        {"items": [{"product_id": "p2"}]},
        "alice",
        {"Idempotency-Key": "k1"},
    ),
    Case(
        "POST /create_order: key with another body",
        "POST",
        "/create_order",
        {"items": [{"product_id": "p2"}]},
        "alice",
        {"Idempotency-Key": "k1"},
    ),
    Case("POST /orders: key of another caller", "POST", "/orders", MUG, "bob", {"Idempotency-Key": "k1"}),
    Case(
        "POST /orders: key of a refused order",
        "POST",
        "/orders",
        {"items": [{"product_id": "p5"}]},
        "alice",
        {"Idempotency-Key": "k2"},
    ),
    Case("POST /orders: the same key, good now", "POST", "/orders", MUG, "alice", {"Idempotency-Key": "k2"}),
    Case("POST /orders: longest key", "POST", "/orders", MUG, "alice", {"Idempotency-Key": "x" * 255}),
    *[
        Case(f"POST /orders: key {name}", "POST", "/orders", MUG, "alice", {"Idempotency-Key": key})
        for name, key in KEYS.items()
    ],
    Case(
        "POST /orders: bad key and bad body", "POST", "/orders", {"items": [], "x": 1}, "alice", {"Idempotency-Key": ""}
    ),
    Case("POST /orders: bad key and no JSON", "POST", "/orders", "{", "alice", {"Idempotency-Key": "a b"}),
    Case("POST /orders/<id>/cancel", "POST", "/orders/$order/cancel", None, "alice"),
    Case("POST /orders/<id>/cancel: again", "POST", "/orders/$order/cancel", None, "alice"),
    Case("GET /orders/<id>: cancelled", "GET", "/orders/$order", None, "alice"),
    Case("POST /orders/<id>/cancel: body is not looked at", "POST", "/orders/$second/cancel", "{", "alice"),
    Case(
        "POST /orders/<id>/cancel: over the limit",
        "POST",
        "/orders/$keyed/cancel",
        "x" * 70_000,
        "alice",
        {"Content-Type": "text/plain"},
    ),
    Case("POST /orders: replay of a cancelled order", "POST", "/orders", MUG, "alice", {"Idempotency-Key": "k1"}),
    Case("GET /orders?status=cancelled: some", "GET", "/orders?status=cancelled", None, "alice"),
    Case("GET /orders?status=placed&limit=1: some", "GET", "/orders?status=placed&limit=1", None, "alice"),
    Case("GET /orders/export", "GET", "/orders/export", None, "alice"),
    Case("HEAD /orders/export", "HEAD", "/orders/export", None, "alice"),
    Case("GET /orders/export: If-None-Match", "GET", "/orders/export", None, "alice", {"If-None-Match": "*"}),
    Case("GET /products/p1: back on the shelf", "GET", "/products/p1"),
]

ORDER = {**MUG, "ship_to": ADDRESS, "email": "alice@example.com"}
SENT = {**ORDER, "shipping_method": "post"}
QUOTES = {
    "mug": MUG,
    "no tax elsewhere": {**MUG, "country": "FR"},
    "shipping to choose": {**MUG, "country": "DE"},
    "shipping and tax": {**MUG, "country": "DE", "shipping_method": "post"},
    "shipping for free": {"items": [{"product_id": "p1", "qty": 4}], "country": "DE", "shipping_method": "post"},
    "too few there": {"items": [{"product_id": "p3", "qty": 2}, {"product_id": "p5"}]},
    "two currencies": {"items": [{"product_id": "p1"}, {"product_id": "p4"}]},
    "unknown product": {"items": [{"product_id": "none"}]},
    "too many": {"items": [{"product_id": "p1", "qty": 600}, {"product_id": "p1", "qty": 400}]},
    "unknown method": {**MUG, "country": "DE", "shipping_method": "none"},
    "method without country": {**MUG, "shipping_method": "post"},
    "no such country": {**MUG, "country": "XX"},
    "no items": {"items": []},
}
PLACED = {
    "no method chosen": ORDER,
    "unknown method": {**ORDER, "shipping_method": "none"},
    "method, no address": {**MUG, "shipping_method": "post"},
    "another total": {**SENT, "expected_total": 12.5},
    "total below zero": {**SENT, "expected_total": -1},
    "total as text": {**SENT, "expected_total": "17.40"},
    "email without a domain": {**SENT, "email": "alice"},
    "email with a line break": {**SENT, "email": "alice@example.com\nBcc: a@example.com"},
}
LINES = {"lines": [{"product_id": "p1", "qty": 1}]}
REFUNDS = {
    "of an order without a payment": {**LINES, "reason": "broken"},
    "amount": {"amount": 1, "reason": "broken"},
    "amount and lines": {**LINES, "amount": 1, "reason": "broken"},
    "nothing": {"reason": "broken"},
    "no reason": LINES,
    "amount restocked": {"amount": 1, "restock": True, "reason": "broken"},
    "line without a name": {"lines": [{"qty": 1}], "reason": "broken"},
    "amount below zero": {"amount": -1, "reason": "broken"},
}
BAD_METHODS = {
    "no such country": {**POST_DE, "countries": ["XX"]},
    "no countries": {**POST_DE, "countries": []},
    "no such currency": {**POST_DE, "currency": "EUT"},
    "yen with decimals": {**POST_DE, "currency": "JPY"},
    "price below zero": {**POST_DE, "price": -1},
    "price as text": {**POST_DE, "price": "cheap"},
    "no name": {**POST_DE, "name": ""},
}
TERMS = [
    Case("GET shipping methods: none", "GET", METHODS, None, "staff"),
    Case("GET tax rates: none", "GET", RATES, None, "staff"),
    Case("PUT method", "PUT", f"{METHODS}/post", POST_DE, "staff"),
    Case("PUT method again", "PUT", f"{METHODS}/post", POST_DE, "staff"),
    Case("PUT method: slash in the id", "PUT", f"{METHODS}/a%2Fb", POST_DE, "staff"),
    Case("PUT method: NUL in the id", "PUT", f"{METHODS}/%00", POST_DE, "staff"),
    Case("DELETE method: NUL in the id", "DELETE", f"{METHODS}/%00", None, "staff"),
    *(Case(f"PUT method: {name}", "PUT", f"{METHODS}/post", body, "staff") for name, body in BAD_METHODS.items()),
    *bodies("PUT", f"{METHODS}/post", "staff"),
    Case("PUT rate", "PUT", f"{RATES}/DE/standard", {"rate": 19}, "staff"),
    *(
        Case(f"PUT rate: {rate}", "PUT", f"{RATES}/DE/standard", {"rate": rate}, "staff")
        for rate in (-1, 101, 19.1234, "19", None, True)
    ),
    Case("PUT rate: no such country", "PUT", f"{RATES}/XX/standard", {"rate": 19}, "staff"),
    Case("DELETE rate: no such country", "DELETE", f"{RATES}/XX/standard", None, "staff"),
    *bodies("PUT", f"{RATES}/DE/standard", "staff"),
    *(
        Case(f"{name} {path}", "GET", path, None, "staff")
        for name, path in (("GET", METHODS), ("GET", f"{METHODS}/export"), ("GET", RATES), ("GET", f"{RATES}/export"))
    ),
    *(
        Case(f"POST {path}: {name}", "POST", path, body, "staff", {"Content-Type": kind})
        for path in (f"{METHODS}/import", f"{RATES}/import")
        for name, body, kind in (
            ("good", FILES[path], "text/csv"),
            ("bad row", FILES[path].replace("DE", "XX"), "text/csv"),
            ("twice the same", FILES[path] + FILES[path].split("\n", 1)[1], "text/csv"),
            ("empty", "", "text/csv"),
            ("JSON", "{}", "application/json"),
            ("too large", "x" * (16 * 1024 * 1024 + 1), "text/csv"),
        )
    ),
]
CHECKOUT = [
    *TERMS,
    *(Case(f"quote: {name}", "POST", "/orders/quote", body) for name, body in QUOTES.items()),
    *bodies("POST", "/orders/quote"),
    *(Case(f"POST /orders: {name}", "POST", "/orders", body, "alice") for name, body in PLACED.items()),
    *(Case(f"POST /create_order: {name}", "POST", "/create_order", body, "alice") for name, body in PLACED.items()),
    Case("POST /orders", "POST", "/orders", {**SENT, "expected_total": 17.4}, "alice", save="order=order_id"),
    Case("POST /orders: no email", "POST", "/orders", {**SENT, "email": None}, "alice", save="bare=order_id"),
    Case("payment of an order that needs none", "POST", "/orders/$order/payment", None, "alice"),
    Case("payment of another's order", "POST", "/orders/$order/payment", None, "bob"),
    *bodies("POST", "/payments/stripe/events", only=("no body", "empty object", "not JSON", "text in quotes")),
    Case("event: as text/plain", "POST", "/payments/stripe/events", "{}", "", {"Content-Type": "text/plain"}),
    Case("event: too large", "POST", "/payments/stripe/events", " " * (256 * 1024 + 1)),
    *(
        Case(shown(f"GET /admin/orders?{query}"), "GET", f"/admin/orders?{query}".rstrip("?"), None, "staff")
        for query in (
            *("", "limit=1", "limit=0", "limit=x", "after=x", "after=WyJ4Il0", "unknown=1", "number=x", "number=%00"),
            *(
                "number=0000-0000-0000",
                "email=ALICE@example.com",
                "email=",
                "name=a",
                "user_id=u-none",
            ),
            *(
                "status=placed",
                "status=x",
                "payment=not_required",
                "payment=x",
                "since=2000-01-01",
                "until=2000-01-01T00:00:00Z",
            ),
        )
    ),
    *(
        Case(f"GET /admin/orders/export?{query}", "GET", f"/admin/orders/export?{query}".rstrip("?"), None, "staff")
        for query in ("", "until=2000-01-01T00:00:00Z", "since=x", "since=2000-01-01", "unknown=1")
    ),
    *(
        Case(f"{method} {path}: {name}", method, f"/admin/orders/{path}", body, "staff")
        for name, method, path, body in (
            ("none", "GET", "none", None),
            ("placed", "GET", "$order", None),
            ("no email", "POST", "$bare/ship", PARCEL),
            ("null as email", "PATCH", "$bare", {"email": None}),
            ("blank email", "PATCH", "$bare", {"email": ""}),
            ("bad email", "PATCH", "$bare", {"email": "alice"}),
            ("null as address", "PATCH", "$bare", {"ship_to": None}),
            ("bad address", "PATCH", "$bare", {"ship_to": {**ADDRESS, "country": "XX"}}),
            ("email", "PATCH", "$bare", {"email": "a@example.com"}),
            ("address", "PATCH", "$bare", {"ship_to": {**ADDRESS, "city": "Shelbyville"}}),
            ("placed", "PUT", "$order/tracking", PARCEL),
            ("placed", "POST", "$order/deliver", None),
            ("http", "POST", "$order/ship", {"tracking_url": "http://carrier.example/"}),
            ("script", "POST", "$order/ship", {"tracking_url": "javascript:alert(1)"}),
            ("line break", "POST", "$order/ship", {"carrier": "a\nb"}),
            ("paid for", "POST", "$order/ship", PARCEL),
            ("again", "POST", "$order/ship", PARCEL),
            ("other carrier", "POST", "$order/ship", {"carrier": "Other"}),
            ("other carrier", "PUT", "$order/tracking", {"carrier": "Other"}),
            ("shipped", "PATCH", "$order", {"email": "a@example.com"}),
            ("shipped", "POST", "$order/cancel", {"reason": "late"}),
            ("shipped", "POST", "$order/deliver", None),
            ("again", "POST", "$order/deliver", None),
            ("no reason", "POST", "$bare/cancel", {"reason": ""}),
            ("placed", "POST", "$bare/cancel", {"reason": "asked by phone"}),
            ("again", "POST", "$bare/cancel", {"reason": "asked by phone"}),
            ("cancelled", "POST", "$bare/ship", PARCEL),
            ("cancelled", "GET", "$bare", None),
        )
    ),
    *(
        case
        for method, path in (("PATCH", ""), ("POST", "/ship"), ("PUT", "/tracking"), ("POST", "/cancel"))
        for case in bodies(method, f"{ADMIN_NOBODY}{path}", "staff")
    ),
    *(
        Case(f"refund: {name}", "POST", "/admin/orders/$order/refunds", body, "staff", {"Idempotency-Key": "k1"})
        for name, body in REFUNDS.items()
    ),
    Case("refund: no key", "POST", f"{ADMIN_NOBODY}/refunds", {"amount": 1, "reason": "broken"}, "staff"),
    *(
        Case(
            f"refund of none: {name}",
            "POST",
            f"{ADMIN_NOBODY}/refunds",
            body,
            "staff",
            {"Idempotency-Key": "k1", **how},
        )
        for name, body, how in (
            ("good", {"amount": 1, "reason": "broken"}, {}),
            ("over the limit", "x" * 70_000, {}),
            ("text/plain", "{}", {"Content-Type": "text/plain"}),
        )
    ),
    Case("POST /orders/<id>/cancel: delivered", "POST", "/orders/$order/cancel", None, "alice"),
    Case("GET /orders: shipped", "GET", "/orders", None, "alice"),
    Case("DELETE method", "DELETE", f"{METHODS}/post", None, "staff"),
    Case("DELETE method again", "DELETE", f"{METHODS}/post", None, "staff"),
    Case("DELETE rate", "DELETE", f"{RATES}/DE/standard", None, "staff"),
    Case("DELETE rate again", "DELETE", f"{RATES}/DE/standard", None, "staff"),
]

GROUPS = [
    Group(
        "catalogue",
        "plain",
        [
            Case("GET /products", "GET", "/products"),
            Case("HEAD /products", "HEAD", "/products"),
            Case("GET /products: with body", "GET", "/products", {"a": 1}),
            Case("GET /products: with a body that is no JSON", "GET", "/products", "{"),
            Case("GET /products: body over the limit", "GET", "/products", "x" * 70_000),
            Case("GET /products: with a token", "GET", "/products", None, "alice"),
            Case("GET /products: garbage token", "GET", "/products", headers={"Authorization": "Bearer x"}),
            Case("GET /products/p1", "GET", "/products/p1"),
            Case("HEAD /products/p1", "HEAD", "/products/p1"),
            Case("GET /products/p1: with body", "GET", "/products/p1", {"a": 1}),
            Case("GET /products/p1: body over the limit", "GET", "/products/p1", "x" * 70_000),
            Case("GET /products/p1: garbage token", "GET", "/products/p1", headers={"Authorization": "Bearer x"}),
            Case("GET /products/p1: with a token", "GET", "/products/p1", None, "alice"),
            Case("GET /products/p1: Accept of HTML", "GET", "/products/p1", headers={"Accept": "text/html"}),
            Case("GET /categories", "GET", "/categories"),
            Case("HEAD /categories", "HEAD", "/categories"),
            Case("GET /categories: with a token", "GET", "/categories", None, "alice"),
            Case("GET /categories: unknown parameter", "GET", "/categories?limit=1"),
            Case("GET /categories: parameter of advertising", "GET", "/categories?utm_source=mail"),
            *PRODUCTS,
            *SEARCHES,
            *[
                case
                for path in ("/products", "/products/p1", "/products?limit=2", "/categories")
                for case in etags(path)
            ],
        ],
    ),
    Group("orders", "plain", ORDERING),
    Group(
        "spellings",
        "plain",
        [
            case
            for method, path, caller in ROUTES
            for case in spellings(method, path, caller, MUG if method == "POST" else None)
        ],
    ),
    Group(
        "methods",
        "plain",
        [
            case
            for path, allowed, caller in (
                ("/products", "GET", ""),
                ("/products/p1", "GET", ""),
                ("/categories", "GET", ""),
                ("/orders", "GET POST", "alice"),
                ("/orders/export", "GET", "alice"),
                (NOBODY, "GET", "alice"),
                (f"{NOBODY}/cancel", "POST", "alice"),
                ("/create_order", "POST", "alice"),
                ("/healthz", "GET", ""),
                ("/readyz", "GET", ""),
                ("/orders/quote", "POST", ""),
                (f"{NOBODY}/payment", "POST", "alice"),
                ("/payments/stripe/events", "POST", ""),
            )
            for case in wrong_methods(path, allowed, caller)
        ],
    ),
    Group(
        "methods without token",
        "plain",
        [
            case
            for path, allowed in (("/orders", "GET POST"), (NOBODY, "GET"), ("/create_order", "POST"))
            for case in wrong_methods(path, allowed)
        ],
    ),
    Group("bodies", "plain", [case for path in ("/orders", "/create_order") for case in bodies("POST", path, "alice")]),
    Group("bodies without token", "plain", bodies("POST", "/orders", "", ("no body", "not JSON", "over the limit"))),
    Group("bodies on cancel", "plain", bodies("POST", f"{NOBODY}/cancel", "alice")),
    Group(
        "tokens",
        "plain",
        [
            case
            for method, path, caller in ROUTES
            if caller
            for case in tokens(method, path, {"items": []} if method == "POST" else None)
        ]
        + [
            Case("GET /orders: token in the query", "GET", "/orders?access_token=$alice"),
            Case("GET /orders: token in a cookie", "GET", "/orders", headers={"Cookie": "token=$alice"}),
            Case("GET /orders: token of another session", "GET", "/orders", None, "ended"),
        ],
    ),
    Group(
        "unknown paths",
        "plain",
        no_such_paths(UNKNOWN, {"GET": "", "HEAD": "", "OPTIONS": "", "POST": "alice"}),
    ),
    Group(
        "request ids",
        "plain",
        request_ids(
            *(("GET", path, "") for path in ("/products", "/products/p1", "/products/none", "/healthz", "/nothing"))
        ),
    ),
    Group(
        "pages",
        "plain",
        [
            *pages([*PAGES, *MORE_PAGES], "GET", "HEAD", "OPTIONS", "POST"),
            *pages(PROBES, "GET", "HEAD", "OPTIONS"),
        ],
    ),
    Group(
        "origins",
        "cors",
        [
            *(
                case
                for method, path, caller in ROUTES
                for case in origins(method, path, caller, {"items": []} if method == "POST" else None)
            ),
            Case("POST /orders: allowed origin, placed", "POST", "/orders", MUG, "alice", {**ALLOWED}),
            Case("POST /orders: foreign origin, placed", "POST", "/orders", MUG, "alice", {**FOREIGN}),
            Case("GET /orders: allowed origin, no token", "GET", "/orders", headers={**ALLOWED}),
            Case("GET /products: allowed origin, 304", "GET", "/products", headers={**ALLOWED, "If-None-Match": "*"}),
            Case(
                "GET /products/p1: allowed origin, 304",
                "GET",
                "/products/p1",
                headers={**ALLOWED, "If-None-Match": "*"},
            ),
            Case("GET /nothing: allowed origin", "GET", "/nothing", headers={**ALLOWED}),
            Case("PUT /orders: allowed origin", "PUT", "/orders", headers={**ALLOWED}),
            Case(
                "OPTIONS /nothing: preflight",
                "OPTIONS",
                "/nothing",
                headers={**ALLOWED, "Access-Control-Request-Method": "GET"},
            ),
            Case("GET /openapi/: allowed origin", "GET", "/openapi/", headers={**ALLOWED}),
            Case("GET /products: second origin", "GET", "/products", headers={"Origin": "http://localhost:3000"}),
            Case("GET /products: origin in capitals", "GET", "/products", headers={"Origin": "HTTPS://shop.example"}),
        ],
    ),
    Group(
        "without CORS",
        "plain",
        [case for path in ("/products", "/products/p1", "/orders") for case in origins("GET", path, "alice")],
    ),
    *(
        Group(
            name,
            world,
            [
                Case(f"{method} {path}", method, path, MUG if method == "POST" else None, caller)
                for method, path, caller in (*ROUTES, ("HEAD", "/products", ""), ("HEAD", "/products/p1", ""))
            ],
        )
        for name, world in (
            ("database away", "away"),
            ("unexpected failure", "broken"),
            ("feed of ended sessions too old", "stale"),
        )
    ),
    Group(
        "ended session",
        "followed",
        [
            Case(f"{method} {path}: {caller}", method, path, MUG if method == "POST" else None, caller)
            for method, path, needed in ROUTES
            for caller in (("ended", "alice") if needed else ())
        ],
    ),
    Group(
        "staff",
        "staffed",
        [
            *audit_cases("/admin/audit"),
            *EVENTS,
            *WEBHOOKS,
            *called_by(STAFF_CALLS, "", "alice", "unproven", "foreign"),
            *(case for path, methods in STAFF_METHODS.items() for case in wrong_methods(path, methods, "staff")),
        ],
    ),
    Group("catalogue of the staff", "staffed", CATALOGUE),
    *(
        Group(
            name,
            "staffed",
            [
                Case(f"POST {path}: as {caller or 'nobody'}", "POST", path, FILES[path], caller, CSV)
                for path in paths
                for caller in ("", "alice", "unproven", "foreign")
            ]
            + [case for path in paths for case in wrong_methods(path, "POST", "staff")],
        )
        for name, paths in (
            ("catalogue of the staff, import", [IMPORT]),
            ("shipping and tax, import", [f"{METHODS}/import", f"{RATES}/import"]),
        )
    ),
    Group("checkout", "staffed", CHECKOUT),
    *(
        Group(
            f"staff, {name}",
            world,
            [
                *called_by(STAFF_CALLS, "staff"),
                Case(f"POST {IMPORT}", "POST", IMPORT, UPLOADS["good"][0], "staff", CSV),
                *(Case(f"POST {path}", "POST", path, FILES[path], "staff", CSV) for path in FILES if path != IMPORT),
            ],
        )
        for name, world in (("database away", "away"), ("unexpected failure", "broken"), ("feed too old", "stale"))
    ),
]
