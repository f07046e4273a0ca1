"""The charts set exactly the settings that the services read, and expose their routes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import rules
import shop
from pydantic_settings import BaseSettings
from rendering import ENVIRONMENTS, ROOT, SERVICES

from chassis.server.__main__ import ServerSettings
from chassis.server.job_worker import WorkerSettings

SECRETS = {
    "DATABASE_URL": "postgresql://role:password@database.test:5432/shop?sslmode=verify-full",
    "RATE_LIMIT_STORAGE_URL": "redis://store.test:6379",
}
# Place in the values of settings outside of `config`, or the reason why there is none.
ELSEWHERE = {
    "APP_ENV": "env",
    "PORT": "port",
    "DRAIN_SECONDS": "shutdown.drainSeconds",
    "SHUTDOWN_TIMEOUT_SECONDS": "shutdown.timeoutSeconds",
    "TOKEN_KIND": "tokens.kind",
    "TOKEN_ISSUER": "tokens.issuer",
    "TOKEN_AUDIENCE": "tokens.audience",
    "TOKEN_TTL_SECONDS": "tokens.ttlSeconds",
    "TOKEN_KEYS_FILE": "tokens.keys.existingSecret",
    "TOKEN_SECRETS": "secret.existingSecret",
    "SERVICE_CREDENTIAL": "secret.existingSecret",
    "DATABASE_URL": "database.existingSecret",
    "RATE_LIMIT_STORAGE_URL": "rateLimitStorage.existingSecret",
    "USER_SERVICE_URL": "userServiceUrl",
    "MAIL_URL": "mail.existingSecret",
    "STRIPE_SECRET_KEY": "stripe.existingSecret",
    "STRIPE_WEBHOOK_SECRET": "stripe.existingSecret",
}
NOWHERE = {
    "ALLOW_DEMO_TOKENS": "lets demo tokens into stage and prod, where the chart insists on jwt",
    "MAIL_DIR": "the chart sets it where no mail server is set: files in a pod end with it",
    "STRIPE_API_BASE": "is for tests: a chart's shop asks Stripe itself",
    "SIBLING_PORT": "leads to pages on another port, where the chart has one host for both services",
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
    known = names(settings_of(service), ServerSettings, WorkerSettings)

    given = set(shop_of(repository, case).environment(service))

    assert given - known == {extra["name"] for extra in shop.VARIANTS.get(case, {}).get("extraEnv", [])}


def place_of(service: str, setting: str) -> dict[str, Any] | None:
    """Return the schema of the value that sets a setting."""
    node = json.loads((ROOT / "helm" / service / "values.schema.json").read_text())
    for name in ELSEWHERE.get(setting, f"config.{setting}").split("."):
        node = node["properties"].get(name)
        if node is None:
            return None
    found: dict[str, Any] = node
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_values_have_a_place_for_every_setting(service: str) -> None:
    wanted = names(settings_of(service), ServerSettings, WorkerSettings) - NOWHERE.keys()

    assert {setting for setting in wanted if place_of(service, setting) is None} == set()


@pytest.mark.parametrize("service", SERVICES)
def test_values_accept_the_range_that_the_setting_has(service: str) -> None:
    for settings in (settings_of(service), ServerSettings, WorkerSettings):
        for name, field in settings.model_fields.items():
            bounds = {key: getattr(part, key) for part in field.metadata for key in ("ge", "le") if hasattr(part, key)}
            place = place_of(service, name.upper())
            if bounds and place is not None and "const" not in place:
                found = {"ge": place.get("minimum"), "le": place.get("maximum")}
                assert {key: found[key] for key in bounds} == bounds, name


@pytest.mark.parametrize("service", SERVICES)
def test_extra_variables_cannot_bypass_the_place_of_a_setting(service: str) -> None:
    schema = json.loads((ROOT / "helm" / service / "values.schema.json").read_text())
    refused = schema["properties"]["extraEnv"]["items"]["properties"]["name"]["not"]["enum"]

    settings = names(*map(settings_of, SERVICES), ServerSettings, WorkerSettings)
    assert set(refused) == settings | {"APP_ROLE"}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("service", SERVICES)
def test_service_starts_with_the_charts_environment(
    repository: Path, service: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = shop_of(repository, case).environment(service)
    for name in names(settings_of(service), ServerSettings, WorkerSettings):
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
    # Not exposed: probes, metrics, documentation, the feed for the other service, and Flask's own empty folder.
    inner = (*rules.INNER, "/static")
    # The host's root is order-service's.
    others = {"/"} if service == "user-service" else set()

    routes = {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith(inner)} - others

    _, ways = rules.ways_in(shop.of_environment(repository, "prod"), service)
    unreachable = {route for route in routes if not any(way.leads_to(route) for way in ways)}
    without_route = {way.path for way in ways if not any(way.leads_to(route) for route in routes)}
    where = f"expose.paths of helm/{service}/values.yaml"
    assert not unreachable, f"add a prefix to {where}, or the route to `inner` here, for {sorted(unreachable)}"
    assert not without_route, f"remove from {where}: {sorted(without_route)}"
