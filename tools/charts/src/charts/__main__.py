"""charts: what `make tools`, `make charts` and `make fork` call."""

from __future__ import annotations

from pathlib import Path

import click

from charts import kubetools


@click.group()
def cli() -> None:
    """Tools around the Helm charts and the GitOps folder."""


@cli.command()
@click.argument("target", type=click.Path(path_type=Path))
def tools(target: Path) -> None:
    """Fetch helm 3, helm 4 and kubectl into TARGET, checked against their pinned hashes."""
    kubetools.fetch(target)


if __name__ == "__main__":
    cli()
