"""Blueprints of pages, with forgery protection and, where it is needed, a signed-in visitor."""

from __future__ import annotations

from flask import Blueprint, current_app

from chassis.auth.roles import require_staff
from chassis.pages.forgery import refuse_forged
from chassis.pages.visitors import caller, require_caller, to_sign_in
from chassis.problems import Unauthenticated


class Pages(Blueprint):
    """A blueprint of HTML pages, below `prefix`; made by public_pages(), signed_in_pages() or staff_pages()."""

    needs_caller = False
    needs_staff = False


def public_pages(name: str, import_name: str, prefix: str) -> Pages:
    """Return a blueprint for everybody."""
    pages = Pages(name, import_name, url_prefix=prefix, template_folder="templates")
    pages.before_request(lambda: refuse_forged(current_app.services.settings))  # type: ignore[attr-defined]
    return pages


def signed_in_pages(name: str, import_name: str, prefix: str) -> Pages:
    """Return a blueprint for visitors with a valid token whose session goes on; `caller()` returns who they are."""
    pages = public_pages(name, import_name, prefix)
    pages.needs_caller = True
    pages.before_request(require_caller)
    pages.register_error_handler(Unauthenticated, to_sign_in)
    return pages


def staff_pages(name: str, import_name: str, prefix: str) -> Pages:
    """Return a blueprint for staff; other visitors are led to sign in, customers get a page with 403."""
    pages = signed_in_pages(name, import_name, prefix)
    pages.needs_staff = True
    pages.before_request(lambda: require_staff(current_app.services, caller()))  # type: ignore[attr-defined]
    return pages
