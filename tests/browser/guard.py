"""Watch all pages of a browser context for what a test might not look at."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

REPORT_VIOLATIONS = """addEventListener("securitypolicyviolation",
    (event) => console.error("Content-Security-Policy", event.violatedDirective, event.blockedURI))"""
FAILED_STATUS = "Failed to load resource: the server responded with a status of "


class Guard:
    """Collect `faults`: console errors, exceptions, policy violations, requests to other hosts, unexpected statuses.

    A test adds the statuses from 400 on that it provokes to `expected`.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.faults: list[str] = []
        self.expected: set[int] = set()
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium's own line about a status says less than the response, which is looked at below.
        if message.type == "error" and not message.text.startswith(FAILED_STATUS):
            self.faults.append(f"{message.page and message.page.url}: console: {message.text}")

    def _error(self, error: WebError) -> None:
        self.faults.append(f"exception: {error.error}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).hostname != "localhost":
            self.faults.append(f"request to another host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"{response.status}: {response.request.method} {response.url}")
        policy = response.headers.get("content-security-policy", "")
        is_shown = (
            response.headers.get("content-type", "").startswith("text/html") and "location" not in response.headers
        )
        if is_shown and (not policy.startswith("default-src 'none'") or "unsafe" in policy):
            self.faults.append(f"{response.url}: Content-Security-Policy: {policy}")
