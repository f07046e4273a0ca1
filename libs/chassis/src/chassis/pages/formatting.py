"""Write prices and times as the brand's locale does."""

from __future__ import annotations

import datetime as dt
from copy import copy
from datetime import datetime
from functools import cache, lru_cache

from babel import Locale
from babel.dates import format_date, format_time, get_timezone

from chassis.currencies import decimals
from chassis.http.postal import COUNTRIES
from chassis.pages.brand import BRAND

LOCALE = Locale.parse(BRAND.locale)
_ZONE = get_timezone(BRAND.time_zone)


@lru_cache(maxsize=10_000)
def price(amount: float, currency: str) -> str:
    pattern = copy(LOCALE.currency_formats["standard"])
    digits = decimals(currency)  # of ISO 4217: Unicode's are fewer, such as none for the forint
    pattern.frac_prec = (digits, digits)
    return str(pattern.apply(amount, LOCALE, currency=currency, currency_digits=False))


def date(at: datetime | str) -> str:
    return str(format_date(_local(at), "long", locale=LOCALE))


def day(of: dt.date) -> str:
    return str(format_date(of, "long", locale=LOCALE))


def time(at: datetime | str) -> str:
    return f"{date(at)}, {format_time(_local(at), 'short', locale=LOCALE)}"


def day_begins(day: dt.date) -> datetime:
    """Return the first moment of a day in the brand's time zone."""
    return datetime.combine(day, dt.time(), tzinfo=_ZONE)


def _local(at: datetime | str) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.astimezone(_ZONE)


def country_name(code: str) -> str:
    return str(LOCALE.territories.get(code, code))


@cache
def countries() -> list[tuple[str, str]]:
    """Return code and name of every country, by name."""
    return sorted(((code, country_name(code)) for code in COUNTRIES), key=lambda country: country[1])
