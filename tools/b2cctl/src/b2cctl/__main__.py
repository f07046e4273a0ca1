"""The command line of the pipeline, for workflows and operators."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from b2cctl import changes, doctor, gate, github, guard, releases, status
from b2cctl.git import Change, Declined, Refused, Repository
from b2cctl.plan import make_plan, table
from b2cctl.shop import Shop

File = click.Path(path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
of_commit = click.option("--commit", default="HEAD", help="The commit to look at.")
directly = click.option("--direct", is_flag=True, help="Push to main, even where a pull request is the rule.")


class _Pipeline(click.Group):
    """Report invalid data as an error message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ValidationError as error:
            raise Refused(str(error)) from None


@click.group(cls=_Pipeline)
@click.option("-C", "path", type=File, default=".", help="The clone to work on.")
@click.pass_context
def cli(context: click.Context, path: Path) -> None:
    """Plan, release, promote, roll back and guard: all of it is files in git."""
    context.obj = Repository(path)


@cli.command()
@of_commit
@as_json
@click.option("--slug", envvar="GITHUB_REPOSITORY", help="The repository that this runs in: OWNER/REPO.")
@click.option("--outputs", envvar="GITHUB_OUTPUT", type=click.File("a"), help="Append job outputs here.")
@click.option("--summary", envvar="GITHUB_STEP_SUMMARY", type=click.File("a"), help="Append the table here.")
@click.pass_obj
def plan(repository: Repository, *, commit: str, as_json: bool, slug: str | None, outputs: Any, summary: Any) -> None:
    """Tell which services a commit affects, why, and what to test."""
    shop = Shop(repository, repository.resolve(commit))
    if slug and slug.lower() != shop.slug.lower():  # GitHub ignores case
        raise Refused(f"this is {slug}, but gitops/policy/shop.yaml says {shop.slug}: a fork changes that file first")
    made = make_plan(shop)
    fields = dataclasses.asdict(made)
    if outputs:
        outputs.writelines(f"{key}={json.dumps(fields[key])}\n" for key in ("build", "test", "release", "epoch"))
    if summary:
        summary.write(table(made))
    click.echo(json.dumps(fields, indent=2) if as_json else table(made))


@cli.command()
@click.option("--digests", type=File, required=True, help="A folder of SERVICE.digest files.")
@of_commit
@click.option("--run", required=True, help="The address of the run that built them.")
@click.pass_obj
def release(repository: Repository, digests: Path, commit: str, run: str) -> None:
    """Record in the first environment what a commit of main built: one commit, never forced."""
    built = Shop(repository, repository.resolve(commit))
    found = {path.stem: path.read_text().strip() for path in digests.glob("*.digest")}
    report: list[str] = []

    def decide(base: str) -> Change | None:
        main = Shop(repository, base)
        wanted, report[:] = changes.release(main, built, found, run)
        return changes.write(main, main.order[0], wanted, f"Release {', '.join(wanted)} to {main.order[0]}")

    written = _to_main(repository, built.order[0], decide)
    click.echo("\n".join([*report, f"commit: {written or 'none'}"]))


@cli.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("services", nargs=-1)
@click.option("--digest", help="Promote only if FROM runs exactly this image.")
@click.option("--skip-attestation", is_flag=True, help="Do not ask GitHub who built the image.")
@directly
@click.pass_obj
def promote(
    repository: Repository,
    *,
    source: str,
    target: str,
    services: tuple[str, ...],
    digest: str | None,
    skip_attestation: bool,
    direct: bool,
) -> None:
    """Copy what FROM runs now to TO: byte for byte the same image and chart."""

    def wanted(main: Shop) -> dict[str, releases.Release]:
        chosen = changes.promote(main, source, target, services or main.services, digest)
        if not skip_attestation:
            for each in chosen.values():
                github.verify_attestation(each, main.slug)
        return chosen

    title = f"Promote {', '.join(services) or 'all services'} to {target}"
    _publish(repository, target, wanted, title, direct)


@cli.command()
@click.argument("env")
@click.argument("service")
@click.option("--reason", required=True, help="Why; it is kept in the release file.")
@click.option("--to", help="Return to what was recorded as of this commit, rather than to the previous release.")
@directly
@click.pass_obj
def rollback(repository: Repository, *, env: str, service: str, reason: str, to: str | None, direct: bool) -> None:
    """Return a service to an earlier release, and hold it there until `unhold`."""
    title = f"Roll back {service} in {env}: {reason}"
    _publish(repository, env, lambda main: {service: changes.rollback(main, env, service, reason, to)}, title, direct)


@cli.command()
@click.argument("env")
@click.argument("service")
@directly
@click.pass_obj
def unhold(repository: Repository, env: str, service: str, direct: bool) -> None:
    """Let releases reach a service again that was rolled back."""
    title = f"Unhold {service} in {env}"
    _publish(repository, env, lambda main: {service: changes.unhold(main, env, service)}, title, direct)


Wanted = Callable[[Shop], dict[str, releases.Release]]
Decide = Callable[[str], Change | None]


def _publish(repository: Repository, env: str, wanted: Wanted, title: str, direct: bool) -> None:
    """Push to main for the first environment; push a branch for a pull request for the others."""

    def decide(base: str) -> Change | None:
        main = Shop(repository, base)
        return changes.write(main, env, wanted(main), title)

    if direct:
        written = repository.publish(decide)
    elif env == Shop(repository, repository.fetch_main()).order[0]:
        written = _to_main(repository, env, decide)
    else:
        written = _propose(repository, env, decide)
    click.echo(repository.difference(written) if written else f"{env} records this already")


def _to_main(repository: Repository, env: str, decide: Decide) -> str | None:
    """Push to main, or propose it where the rules of the repository forbid the push."""
    try:
        return repository.publish(decide)
    except Declined as declined:
        click.echo(f"{declined.message}\nA pull request instead:")
        return _propose(repository, env, decide)


def _propose(repository: Repository, env: str, decide: Decide) -> str | None:
    written = repository.publish(decide, f"b2cctl/{env}-{{commit}}")
    if written:
        slug, title = Shop(repository, written).slug, repository.subject(written)
        github.open_pull_request(slug, f"b2cctl/{env}-{written}", title, repository.difference(written))
    return written


@cli.command("guard")
@click.option("--base", required=True, help="The commit of main that the change would be merged into.")
@click.option("--head", required=True, help="The change, merged.")
@click.pass_obj
def guard_command(repository: Repository, base: str, head: str) -> None:
    """Refuse a change of gitops/ that the pipeline would not have made."""
    before, after = (Shop(repository, repository.resolve(each)) for each in (base, head))
    _fail_on(list(guard.objections(before, after)), "nothing speaks against it")


@cli.command("gate")
@click.option("--needs", envvar="NEEDS", required=True, help="The workflow's needs context, as JSON.")
@click.option("--event", envvar="GITHUB_EVENT_NAME", required=True)
def gate_command(needs: str, event: str) -> None:
    """Fail unless every job succeeded or was rightly skipped."""
    _fail_on(list(gate.complaints(json.loads(needs), event)), "every job did what the plan said")


def _fail_on(complaints: list[str], otherwise: str) -> None:
    if complaints:
        raise Refused("\n".join(complaints))
    click.echo(otherwise)


@cli.command("status")
@of_commit
@as_json
@click.pass_obj
def status_command(repository: Repository, commit: str, as_json: bool) -> None:
    """Show which service runs which image in which environment, since when."""
    rows = status.rows(Shop(repository, repository.resolve(commit)))
    lines = ("  ".join(f"{name} {value}" for name, value in row.items() if value) for row in rows)
    click.echo(json.dumps(rows) if as_json else "\n".join(lines))


@cli.command("doctor")
@click.pass_obj
def doctor_command(repository: Repository) -> None:
    """Check the GitHub settings that the pipeline needs, or list them when GitHub cannot be asked."""
    found = doctor.examine(Shop(repository, repository.resolve("HEAD")).slug)
    click.echo("\n".join(f"{verdict:<8} {must}" for verdict, must in found))
    if "WRONG" in {verdict for verdict, _ in found}:
        raise SystemExit(1)


@cli.command()
def schema() -> None:
    """Print the JSON schema of a release file."""
    click.echo(json.dumps(releases.Release.model_json_schema(by_alias=True), indent=2))


if __name__ == "__main__":
    cli()
