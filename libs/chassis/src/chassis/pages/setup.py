"""Prepare a service's app for pages."""

from __future__ import annotations

from flask import g, redirect

from chassis.auth.roles import STAFF
from chassis.context import Services
from chassis.http.openapi import Api
from chassis.http.response_cache import is_cached
from chassis.pages import formatting
from chassis.pages.assets import serve_assets
from chassis.pages.basket import read_basket
from chassis.pages.blueprint import Pages
from chassis.pages.brand import BRAND, LOGO
from chassis.pages.cache import PageCache
from chassis.pages.errors import sentence, show
from chassis.pages.urls import page_url
from chassis.pages.visitors import seems_signed_in

LARGEST_FORM = 32 * 1024
MOST_FORM_PARTS = 100


class UnsafePage(Exception):
    """A page is declared unsafely; the message says what to change."""


def init_pages(app: Api, services: Services, prefix: str) -> None:
    """Set up templates, assets, error pages and the page cache; call it after all blueprints are registered."""
    _refuse_unsafe(app)
    app.config |= {
        "MAX_CONTENT_LENGTH": LARGEST_FORM,
        "MAX_FORM_MEMORY_SIZE": LARGEST_FORM,
        "MAX_FORM_PARTS": MOST_FORM_PARTS,
    }
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= {
        "date": formatting.date,
        "day": formatting.day,
        "sentence": sentence,
        "time": formatting.time,
    }
    app.jinja_env.globals |= {
        "basket_count": lambda: sum(line.qty for line in read_basket(services.settings)),
        "brand": BRAND,
        "countries": formatting.countries,
        "country_name": formatting.country_name,
        "is_staff": lambda: "caller" in g and STAFF in g.caller.roles,
        "logo": LOGO,
        "page_url": page_url,
        "price": formatting.price,
        "seems_signed_in": seems_signed_in,
    }
    serve_assets(app, prefix)
    app.add_url_rule("/", "start", lambda: redirect(prefix))
    for template in app.jinja_env.list_templates(extensions=["html"]):
        compiled = app.jinja_env.get_template(template)  # a fault stops the start, and no visitor waits for compiling
        compiled.globals = dict(compiled.globals)  # Jinja's ChainMap is slow, and each rendering copies it
    app.errorhandler(Exception)(show)
    app.wsgi_app = PageCache(app, services)  # type: ignore[method-assign]


def _refuse_unsafe(app: Api) -> None:
    for endpoint, view in app.view_functions.items():
        blueprint = app.blueprints.get(endpoint.rpartition(".")[0])
        if isinstance(blueprint, Pages) and blueprint.needs_staff and getattr(view, "checks_session", False):
            raise UnsafePage(f"{endpoint}: is for staff, whose session is checked before; remove @checks_session")
        if is_cached(view) and isinstance(blueprint, Pages) and blueprint.needs_caller:
            raise UnsafePage(f"{endpoint}: its page depends on the caller and must not be cached")
