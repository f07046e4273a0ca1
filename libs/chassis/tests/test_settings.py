from __future__ import annotations

from typing import ClassVar

import pytest

from chassis.settings import LOCAL_SECRET, Settings

URL = "postgresql://localhost/toy"
VERIFIED = f"{URL}?sslmode=verify-full"
STRONG = "k" * 32
PROD = {"app_env": "prod", "service_credential": STRONG, "token_kind": "jwt"}


class Toy(Settings):
    service: ClassVar[str] = "toy-service"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Toy.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("TOKEN_SECRETS", " new , old ,")
    monkeypatch.setenv("TOKEN_TTL_SECONDS", "60")
    settings = Toy()
    assert (settings.database_url, settings.token_secrets, settings.token_ttl_seconds) == (URL, ("new", "old"), 60)


def test_a_service_without_a_database_does_not_start() -> None:
    with pytest.raises(SystemExit, match=r"toy-service: cannot start.*\n  DATABASE_URL: Field required"):
        Toy()


def test_url_of_another_kind_is_refused_with_an_example() -> None:
    with pytest.raises(SystemExit, match=r"DATABASE_URL: is not of the form postgresql://user@host/database$"):
        Toy(database_url="mysql://localhost/toy")


@pytest.mark.parametrize("env", ["dev", "stage", "prod"])
@pytest.mark.parametrize("secret", ["", LOCAL_SECRET, "short", f"{STRONG},short"])
def test_outside_local_a_weak_secret_is_refused_by_name(env: str, secret: str) -> None:
    with pytest.raises(SystemExit, match="TOKEN_SECRETS") as refusal:
        Toy(app_env=env, database_url=URL, token_secrets=secret, allow_demo_tokens=True)
    assert "short," not in str(refusal.value)
    assert STRONG not in str(refusal.value)


@pytest.mark.parametrize("empty", ["", " , "])
def test_empty_secret_counts_as_not_given(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    names = ("TOKEN_SECRETS", "SERVICE_CREDENTIAL", "CORS_ORIGINS", "TRUSTED_PROXIES")
    for name in names:
        monkeypatch.setenv(name, empty)
    settings = Toy(database_url=URL)
    assert [getattr(settings, name.lower()) for name in names] == [(LOCAL_SECRET,), (LOCAL_SECRET,), (), ()]
    with pytest.raises(SystemExit, match=r"SERVICE_CREDENTIAL is missing.*\n  TOKEN_SECRETS is missing"):
        Toy(app_env="dev", database_url=URL)


@pytest.mark.parametrize("env", ["stage", "prod"])
def test_demo_tokens_need_a_setting_in_stage_and_prod(env: str) -> None:
    strong = {"database_url": VERIFIED, "token_secrets": STRONG, "service_credential": STRONG}
    with pytest.raises(SystemExit, match="ALLOW_DEMO_TOKENS=1"):
        Toy(app_env=env, **strong)
    assert Toy(app_env=env, **strong, allow_demo_tokens=True).app_env == env
    assert Toy(app_env=env, database_url=VERIFIED, service_credential=STRONG, token_kind="jwt").app_env == env


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("", "prefer"),
        ("?sslmode=disable", "disable"),
        ("?sslmode=require", "require"),
        ("?sslmode=verify-ca", "verify-ca"),
        ("?sslmode=verify-full&sslmode=require", "require"),
        ("?sslmode=verify-full&ssl=true", "require"),
    ],
)
def test_prod_refuses_a_database_whose_certificate_is_not_checked(query: str, mode: str) -> None:
    with pytest.raises(SystemExit, match=f"DATABASE_URL with sslmode={mode} .*ALLOW_UNVERIFIED_DATABASE=1"):
        Toy(**PROD, database_url=URL + query)
    assert Toy(**PROD, database_url=URL + query, allow_unverified_database=True).app_env == "prod"
    for env in ("local", "dev", "stage"):
        assert Toy(**PROD | {"app_env": env}, database_url=URL + query).app_env == env


def test_prod_refuses_an_unreadable_database_url_without_showing_it() -> None:
    with pytest.raises(SystemExit, match="DATABASE_URL is no libpq URL") as refusal:
        Toy(**PROD, database_url="postgresql://role:secret@host/shop?nonsense=1")
    assert "secret" not in str(refusal.value)


def test_prod_refuses_http_origins() -> None:
    origins = "https://shop.example,http://shop.example"
    with pytest.raises(SystemExit, match=r"CORS_ORIGINS: http://shop\.example is refused in prod"):
        Toy(**PROD, database_url=VERIFIED, cors_origins=origins)
    assert Toy(**PROD, database_url=VERIFIED, cors_origins="https://shop.example").cors_origins
    assert Toy(**PROD | {"app_env": "stage"}, database_url=URL, cors_origins=origins).app_env == "stage"


def test_start_error_lists_all_invalid_settings() -> None:
    with pytest.raises(SystemExit) as refusal:
        Toy(app_env="prod", database_url=URL)
    for name in ("SERVICE_CREDENTIAL", "TOKEN_SECRETS", "TOKEN_KIND"):
        assert f"\n  {name}" in str(refusal.value)


def test_an_unknown_environment_is_refused() -> None:
    with pytest.raises(SystemExit, match="APP_ENV"):
        Toy(app_env="production", database_url=URL)


@pytest.mark.parametrize("origin", ["*", "null", "shop.example", "https://shop.example/", "https://*.shop.example"])
def test_invalid_cors_origin_is_refused(origin: str) -> None:
    good = "https://shop.example,http://localhost:3000"
    assert Toy(database_url=URL, cors_origins=good).cors_origins == tuple(good.split(","))
    with pytest.raises(SystemExit, match=r"CORS_ORIGINS: .* is no origin such as https://shop\.example"):
        Toy(database_url=URL, cors_origins=f"{good},{origin}")


@pytest.mark.parametrize("proxies", ["*", "loadbalancer", "10.0.0.1/8", "1,2", "10.0.0.0/8,1x"])
def test_proxies_are_networks_or_one_number(proxies: str) -> None:
    for good in ("2", "10.0.0.0/8", "192.0.2.1,fd00::/8"):
        assert Toy(database_url=URL, trusted_proxies=good).trusted_proxies == tuple(good.split(","))
    with pytest.raises(SystemExit, match="TRUSTED_PROXIES"):
        Toy(database_url=URL, trusted_proxies=proxies)
