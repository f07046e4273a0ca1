"""Read typed settings from the environment and check them at start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOCAL_SECRET = "local-only-secret-never-use-this-elsewhere"
SHORTEST_SECRET = 32
THREADS = 8  # requests that a worker serves at a time
DATABASE_POOL_SIZE = THREADS  # with fewer, threads would wait for a connection
Network = IPv4Network | IPv6Network
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def parse_proxies(trusted: tuple[str, ...]) -> int | tuple[Network, ...]:
    """Parse TRUSTED_PROXIES, a number of proxies or a list of networks; raise ValueError for anything else."""
    if len(trusted) == 1 and trusted[0].isdigit():
        return int(trusted[0])
    return tuple(map(_parse_network, trusted))


def _parse_network(text: str) -> Network:
    network = ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return IPv4Network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network  # noqa: PLR2004 - IPv4 is the last 32 of 128 bits


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Environment of every service. The variable's name is the field's, in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    service: ClassVar[str]

    app_env: Literal["local", "dev", "stage", "prod"] = "local"
    database_url: str = Field(
        pattern=r"^postgres(ql)?://",
        examples=["postgresql://user@host/database"],
        description="libpq URL of this service's own database",
    )
    database_pool_size: int = Field(default=DATABASE_POOL_SIZE, ge=1, le=200)
    database_statement_timeout_ms: int = Field(default=5000, ge=100, le=60_000)
    database_prepared_statements: bool = True  # False behind a pooler in transaction mode that does not keep them
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    token_kind: Literal["demo", "jwt"] = "demo"
    token_secrets: CommaSeparated = (LOCAL_SECRET,)
    token_issuer: str = "b2c-user-service"
    token_audience: str = "b2c-shop"
    token_ttl_seconds: int = Field(default=900, ge=10, le=86_400)
    allow_demo_tokens: bool = False
    allow_unverified_database: bool = False
    service_credential: CommaSeparated = (LOCAL_SECRET,)
    cors_origins: CommaSeparated = ()
    trusted_proxies: CommaSeparated = ()
    sibling_port: int | None = Field(
        default=None, ge=1, le=65535, description="of the other service's pages; without it both share host and port"
    )

    mail_url: str | None = Field(
        default=None,
        pattern=r"^smtps?://[^/]",
        examples=["smtps://user:password@mail.example:465", "smtp://mail.example:587"],
        description="the server that sends mail",
    )
    mail_from: str = Field(default="Shop <shop@localhost>", description="sender of mails")
    mail_dir: Path | None = Field(default=None, description="without MAIL_URL, mails become files there")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as failure:
            # SystemExit instead of a traceback, which could show a secret value.
            reasons = "".join(f"\n  {self._reason(dict(fault))}" for fault in failure.errors())
            raise SystemExit(f"{self.service}: cannot start, the environment is not right:{reasons}") from None

    @classmethod
    def _reason(cls, fault: dict[str, Any]) -> str:
        names, message = [str(part) for part in fault["loc"]], fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "string_pattern_mismatch":
            message = f"is not of the form {' or '.join(cls.model_fields[names[0]].examples or ())}"
        return ": ".join(part for part in ("_".join(names).upper(), message) if part)

    @field_validator("token_secrets", "service_credential")
    @classmethod
    def _empty_is_not_given(cls, secrets: tuple[str, ...]) -> tuple[str, ...]:
        return secrets or (LOCAL_SECRET,)

    @field_validator("cors_origins")
    @classmethod
    def _whole_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin such as https://shop.example")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _known_proxies(cls, trusted: tuple[str, ...]) -> tuple[str, ...]:
        parse_proxies(trusted)
        return trusted

    @field_validator("mail_url")
    @classmethod
    def _whole_mail_url(cls, url: str | None) -> str | None:
        if url and not (urlsplit(url).hostname and (urlsplit(url).port or True)):
            raise ValueError("names no host")
        return url

    @field_validator("mail_from")
    @classmethod
    def _one_address(cls, sender: str) -> str:
        if not re.fullmatch(r"([^<>@\r\n]*<)?[^\s<>@]+@[^\s<>@]+>?", sender):
            raise ValueError("is no address such as Shop <shop@example.com>")
        return sender

    @property
    def https(self) -> bool:
        """Tell whether browsers reach the pages by https: everywhere but on the machine of a developer."""
        return self.app_env != "local"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if faults := list(self.faults()):
            raise ValueError("\n  ".join(faults))
        return self

    def faults(self) -> Iterator[str]:
        """Yield a message for each invalid combination of values; services add their own checks."""
        if self.app_env != "local":
            yield from weaknesses("SERVICE_CREDENTIAL", self.service_credential)
            if self.token_kind == "demo":
                yield from weaknesses("TOKEN_SECRETS", self.token_secrets)
        if self.app_env in {"stage", "prod"} and self.token_kind == "demo" and not self.allow_demo_tokens:
            yield f"TOKEN_KIND=demo is refused in {self.app_env}: set TOKEN_KIND=jwt (ALLOW_DEMO_TOKENS=1 lets it pass)"
        if self.app_env == "prod":
            yield from self._insecure_connections()

    def require_mail(self) -> None:
        """Exit unless mail can be sent: by a server, or in local and dev as files. Jobs wait until it can."""
        if self.mail_url is None and (self.mail_dir is None or self.app_env in {"stage", "prod"}):
            raise SystemExit(
                f"{self.service}: MAIL_URL is needed to send mail, such as smtps://user:password@mail.example:465"
                " (in local and dev MAIL_DIR does too: mails become files there)"
            )

    def _insecure_connections(self) -> Iterator[str]:
        for origin in self.cors_origins:
            if origin.startswith("http:"):
                yield f"CORS_ORIGINS: {origin} is refused in prod: serve the page by https and name its https origin"
        if not self.allow_unverified_database:
            yield from unverified_database(self.database_url)


def unverified_database(url: str) -> Iterator[str]:
    """Yield a message unless the URL has sslmode=verify-full: no other mode checks the server's name."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        mode = conninfo_to_dict(url).get("sslmode", "prefer")
    except ProgrammingError:
        yield "DATABASE_URL is no libpq URL such as postgresql://role:password@host:5432/database?sslmode=verify-full"
        return
    if mode != "verify-full":
        yield (
            f"DATABASE_URL with sslmode={mode} is refused in prod: set sslmode=verify-full, and sslrootcert to the "
            "file of the CA (ALLOW_UNVERIFIED_DATABASE=1 lets it pass)"
        )


def weaknesses(name: str, secrets: tuple[str, ...]) -> Iterator[str]:
    """Yield a message when secrets are missing, too short, or the public default of the source code."""
    if not secrets or LOCAL_SECRET in secrets:
        yield f"{name} is missing or the local default: set a random one of its own"
    elif min(map(len, secrets)) < SHORTEST_SECRET:
        yield f"{name} holds a secret shorter than {SHORTEST_SECRET} characters"
