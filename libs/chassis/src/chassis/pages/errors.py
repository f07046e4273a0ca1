"""Show Problems as pages in the shop's own look."""

from __future__ import annotations

from flask import Response, request
from pydantic import ValidationError

from chassis.auth.roles import SecondFactorNeeded
from chassis.context import current_request_id
from chassis.http.error_handlers import invalid, to_problem
from chassis.http.responses import problem_response
from chassis.pages.responses import page
from chassis.problems import MEDIA_TYPE, Problem

LONGEST_ACCEPT = 1000  # browsers send less than 200; reading a long one is slow

_TITLES = {
    400: "That did not work",
    403: "That is not allowed",
    404: "We cannot find that page",
    405: "That did not work",
    413: "That was too much at once",
    429: "Too many attempts",
    503: "We will be back in a moment",
}
_TEXTS = {
    404: "It may have moved, or it was never there.",
    405: "Go back and use the buttons of the page.",
    500: "This is our fault. Nothing was ordered or changed. Please try again.",
}

_WAYS = {SecondFactorNeeded.code: ("/account/second-factor", "Switch it on")}
"""Where the button of an error page leads to, and what it says."""


def show(failure: Exception) -> Response:
    """Return a page for a browser, a problem document for a program."""
    problem = to_problem(invalid(failure) if isinstance(failure, ValidationError) else failure)
    if wants_page():
        return error_page(problem)
    answer = problem_response(problem)
    return Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)


def wants_page() -> bool:
    """Tell whether the client asks for HTML by name, as browsers do; programs send */* or ask for JSON."""
    if len(request.headers.get("Accept", "")) > LONGEST_ACCEPT:
        return False
    return request.accept_mimetypes.best_match([MEDIA_TYPE, "text/html"]) == "text/html"


def error_page(problem: Problem) -> Response:
    title = _TITLES.get(problem.status, "Something went wrong")
    text = _TEXTS.get(problem.status) or sentence(problem.error)
    response = page(
        "pages/error.html",
        problem.status,
        title=title,
        text=text,
        way=_WAYS.get(problem.code, ("/shop", "Go to the shop")),
        retries=problem.status == 503 and request.method == "GET",  # noqa: PLR2004 - a status
        request_id=current_request_id(),
    )
    response.headers.update(shown_headers(problem))
    return response


def shown_headers(problem: Problem) -> dict[str, str]:
    """Return the Problem's headers for a page; browsers would ask for a password because of WWW-Authenticate."""
    return {name: value for name, value in problem.headers if name != "WWW-Authenticate"}


def sentence(text: str) -> str:
    """Return a Problem's short text as a sentence."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
