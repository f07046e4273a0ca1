"""The command line behind `make tools`, `make charts` and `make fork`."""

from __future__ import annotations

from pathlib import Path

import click

from charts import ROOT, documents, kubetools
from charts import fork as forking


@click.group()
def cli() -> None:
    """Tools around the Helm charts and the GitOps folder."""


@cli.command()
@click.argument("target", type=click.Path(path_type=Path))
def tools(target: Path) -> None:
    """Fetch helm 3, helm 4 and kubectl into TARGET, checked against their pinned hashes."""
    kubetools.fetch(target)


@cli.command()
@click.option("--check", is_flag=True, help="Change nothing; fail when a file is not current.")
def generate(check: bool) -> None:
    """Write each chart's values.schema.json and README.md."""
    if not check:
        return documents.write()
    if stale := documents.stale():
        names = ", ".join(str(file.relative_to(ROOT)) for file in stale)
        raise click.ClickException(f"not current: {names}: run make charts")
    return None


@cli.command()
@click.argument("owner")
@click.argument("repo")
def fork(owner: str, repo: str) -> None:
    """Make the images' owner and the repository's address those of OWNER and REPO."""
    forking.rename(ROOT, owner, repo)


if __name__ == "__main__":
    cli()
