"""The release file: image and chart of one service in one environment."""

import re
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from b2cctl.git import Refused

HEADER = "# Written by b2cctl: to change it, release, promote or roll back (docs/runbooks/release.md).\n"

Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
NAME = r"^[a-z][a-z0-9-]{0,52}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
Address = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)+$")]
Text = Annotated[str, StringConstraints(pattern=r"^[^\s].*$", max_length=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True)


class Image(_Strict):
    """An image; the digest decides, the tag is for people."""

    repository: Address
    tag: Annotated[str, StringConstraints(pattern=r"^sha-[0-9a-f]{12}$")]
    digest: Digest


class Origin(_Strict):
    """Where a promoted release was taken from: the environment, and the commit that recorded it there."""

    env: Name
    commit: Commit


class Release(_Strict):
    """One service in one environment."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    service: Name
    chart_revision: Commit
    image: Image
    inputs: Digest
    source_sha: Commit
    run_url: Text
    hold: bool = False
    reason: Text | None = None
    promoted_from: Origin | None = None

    @model_validator(mode="after")
    def _a_hold_has_a_reason(self) -> Self:
        if self.hold != (self.reason is not None):
            raise ValueError("hold and reason come and go together")
        return self

    def runs(self) -> tuple[str, str, str]:
        """Return the image repository, the image digest and the chart revision that the cluster runs."""
        return self.image.repository, self.image.digest, self.chart_revision

    def with_changes(self, **changes: object) -> Self:
        return self.model_validate(dict(self) | changes)


class _Dumper(yaml.SafeDumper):
    """Quote commit ids, because other YAML parsers read `12345678e9...` as a number."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "'" if re.fullmatch("[0-9a-f]{40}", value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def path(env: str, service: str) -> str:
    return f"gitops/envs/{env}/releases/{service}.yaml"


def are_at(path: str) -> bool:
    """Tell whether a path is inside a folder of release files."""
    return path.startswith("gitops/envs/") and "/releases/" in path


def dump(release: Release) -> str:
    """Return a release as YAML in its canonical form."""
    fields = release.model_dump(by_alias=True, exclude_none=True)
    return HEADER + yaml.dump(fields, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def load(text: str, name: str) -> Release:
    """Parse a release file; raise Refused when it does not fit the schema."""
    try:
        return Release.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise Refused(f"{name}: {error}") from None
