"""Name a device by its User-Agent header."""

from __future__ import annotations

# The first that fits: most browsers also name others, to be served what those are served.
_BROWSERS = {
    "Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet", "Firefox": "Firefox", "FxiOS": "Firefox",
    "CriOS": "Chrome", "Chrome": "Chrome", "Safari": "Safari",
}  # fmt: skip
_SYSTEMS = {
    "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "CrOS": "ChromeOS", "Windows": "Windows",
    "Mac OS X": "Mac", "Linux": "Linux",
}  # fmt: skip


def device_name(user_agent: str | None) -> str:
    """Return a name such as "Firefox on Windows"; of what is no browser, the beginning of its own name."""
    sent = user_agent or ""
    browser = next((name for mark, name in _BROWSERS.items() if mark in sent), None)
    system = next((name for mark, name in _SYSTEMS.items() if mark in sent), None)
    if browser is None:
        return sent[:40] or "Unknown device"
    return f"{browser} on {system}" if system else browser
