"""What the charts give is what the services' own settings and routes ask for."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import rules
import shop
from pydantic_settings import BaseSettings
from rendering import ENVIRONMENTS, SERVICES

from chassis.server.__main__ import ServerSettings

SECRETS = {
    "DATABASE_URL": "postgresql://role:password@database.test:5432/shop",
    "RATE_LIMIT_STORAGE_URL": "redis://store.test:6379",
}
CASES = [*ENVIRONMENTS, *shop.VARIANTS]


def settings_of(service: str) -> type[BaseSettings]:
    settings: type[BaseSettings] = importlib.import_module(f"{service.replace('-', '_')}.settings").Settings
    return settings


def names(*classes: type[BaseSettings]) -> set[str]:
    return {name.upper() for each in classes for name in each.model_fields}


def shop_of(repository: Path, case: str) -> shop.Shop:
    if case in shop.VARIANTS:
        return shop.of_variant(repository, case)
    return shop.of_environment(repository, case)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_one_that_the_service_reads(repository: Path, service: str, case: str) -> None:
    known = names(settings_of(service), ServerSettings)

    given = set(shop_of(repository, case).environment(service))

    assert given - known == set()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("service", SERVICES)
def test_the_service_starts_with_what_it_is_given(
    repository: Path, service: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = shop_of(repository, case).environment(service)
    for name in names(settings_of(service), ServerSettings):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else SECRETS.get(name, "s" * 32))

    settings: Any = settings_of(service)()
    server: Any = ServerSettings()  # type: ignore[call-arg]

    assert settings.app_env == (case if case in ENVIRONMENTS else "dev")
    assert server.port == rules.PORTS[service]
    assert server.shutdown_timeout_seconds == 20


@pytest.mark.parametrize("service", SERVICES)
def test_the_gateway_leads_to_every_route_that_customers_use(repository: Path, service: str) -> None:
    app = importlib.import_module(service.replace("-", "_")).create_app(
        settings_of(service)(database_url=SECRETS["DATABASE_URL"])
    )
    # What the operator, the other service and developers ask for stays inside.
    inner = ("/healthz", "/readyz", "/metrics", "/openapi", "/static", "/.well-known", "/ended-sessions")

    routes = {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith(inner)}

    _, prefixes = rules.ways_in(shop.of_environment(repository, "prod"), service)
    assert {route for route in routes if not any(under(route, prefix) for prefix in prefixes)} == set()
    assert {prefix for prefix in prefixes if not any(under(route, prefix) for route in routes)} == set()


def under(route: str, prefix: str) -> bool:
    """Tell whether a path prefix admits a route, whole segments at a time as Ingress and HTTPRoute do."""
    return f"{route}/".startswith(f"{prefix}/")
