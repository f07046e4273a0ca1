"""The stylesheet, script and logo of the pages, served from memory; a URL names a version and may be kept for ever."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from mimetypes import guess_type
from typing import NamedTuple

from flask import Flask, Response, request

from chassis.pages.blueprint import public_pages
from chassis.pages.brand import BRAND, LOGO
from chassis.problems import NotFound

_FOR_EVER = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    body: bytes
    content_type: str
    version: str


def _compact(stylesheet: str) -> str:
    """Leave out comments, line ends and indentation."""
    return re.sub(r"\s*\n\s*", "", re.sub(r"/\*.*?\*/", "", stylesheet, flags=re.DOTALL))


def _asset(name: str, text: str) -> Asset:
    body = (_compact(text) if name.endswith(".css") else text).encode()
    content_type = guess_type(name)[0] or "application/octet-stream"
    return Asset(body, content_type, hashlib.sha256(body).hexdigest()[:12])


def _load() -> dict[str, Asset]:
    folder = files("chassis.pages") / "assets"
    texts = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir()}
    texts["shop.css"] = f"{BRAND.stylesheet}\n{texts['shop.css']}"
    texts["icon.svg"] = LOGO.replace("currentColor", BRAND.colours.accent)
    return {name: _asset(name, text) for name, text in texts.items()}


ASSETS = _load()


def serve(name: str) -> Response:
    """Serve an asset."""
    asset = ASSETS.get(name)
    if asset is None:
        raise NotFound
    response = Response(asset.body, content_type=f"{asset.content_type}; charset=utf-8")
    response.headers["Cache-Control"] = _FOR_EVER if request.args.get("v") == asset.version else "no-cache"
    return response


def serve_assets(app: Flask, prefix: str) -> None:
    """Serve the assets below `prefix`, and give templates `asset(name)`, the URL of one."""
    layout = public_pages("layout", __name__, prefix)
    layout.add_url_rule("/assets/<name>", view_func=serve)
    app.register_blueprint(layout)
    urls = {name: f"{prefix}/assets/{name}?v={asset.version}" for name, asset in ASSETS.items()}
    app.jinja_env.globals["asset"] = urls.__getitem__
