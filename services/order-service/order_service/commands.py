"""The commands that change or check the catalogue."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, get_args

import click
import psycopg

from chassis.db.cli import database_url
from chassis.db.database import Database
from chassis.db.libpq import ignore_environment
from order_service.catalog import exporter, importer, indexing, stock
from order_service.catalog.csv_file import ENCODINGS, BadFile, Fault
from order_service.catalog.import_file import Options, read, require
from order_service.catalog.importer import Plan
from order_service.catalog.shop_exports import EXPORTS
from order_service.checkout import terms_actions, terms_tables
from order_service.checkout.rules import BadTermsFile
from order_service.checkout.terms_tables import TermsTable
from order_service.settings import SearchLanguage

language = click.option(
    "--language",
    envvar="SEARCH_LANGUAGE",
    type=click.Choice(get_args(SearchLanguage)),
    default="english",
    help="Language of the search; default: $SEARCH_LANGUAGE, or english.",
)


def connect(url: str) -> psycopg.Connection[Any]:
    ignore_environment()
    return psycopg.connect(url, autocommit=True, client_encoding="utf8")


@click.group("catalog")
def catalog() -> None:
    """Import and export products."""


@catalog.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--stock",
    "mode",
    type=click.Choice(["keep", "set", "add"]),
    default="keep",
    help="What the stock column does to known products; default: keep.",
)
@click.option("--deactivate-missing", is_flag=True, help="Deactivate the products that the file does not have.")
@click.option(
    "--decimal",
    type=click.Choice(["point", "comma"]),
    help="The decimal sign of prices; default: a point, in a file with semicolons also a comma.",
)
@click.option("--encoding", type=click.Choice(ENCODINGS), help="Of a file that is not UTF-8.")
@click.option("--from", "source", type=click.Choice([*EXPORTS]), help="The file is that shop's own export.")
@click.option("--currency", help="The currency of prices without one, such as EUR.")
@click.option("--dry-run", is_flag=True, help="Check the whole file and say what would change; change nothing.")
@click.option("--if-empty", is_flag=True, help="Do nothing when the catalogue holds products already.")
@language
@database_url
def import_(
    *,
    file: Path,
    mode: Any,
    deactivate_missing: bool,
    dry_run: bool,
    if_empty: bool,
    language: str,
    database_url: str,
    **options: Any,
) -> None:
    """Import products from a CSV FILE (docs/catalogue.md).

    New products are added in the file's order, known ones are updated, others stay as they are. The stock of known
    products changes only as --stock says. A file with one bad row is refused whole.
    """
    plan = Plan(mode, deactivate_missing, language)
    try:
        found = read(file.read_bytes(), Options(**options), _progress)
        click.echo("\n".join(found.notes), err=True)
        result = importer.write(database_url, require(found), plan, dry_run=dry_run, only_if_empty=if_empty)
    except BadFile as refusal:
        sys.exit(f"{file}: nothing imported\n{refusal}")
    click.echo(result)


@catalog.command()
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@database_url
def export(file: TextIO, database_url: str) -> None:
    """Export all products to a CSV FILE that `catalog import` reads; default: standard output."""
    with connect(database_url) as connection:
        for part in exporter.export(lambda sql, values: connection.execute(sql, values).fetchall()):
            file.write(part)


@catalog.command()
@language
@database_url
def reindex(language: str, database_url: str) -> None:
    """Index the products for the search again that are indexed for another language."""
    with connect(database_url) as connection:
        click.echo(f"{indexing.index_all(connection, language)} products indexed")


def index_for_search(url: str) -> None:
    """Index what an older release wrote, or all products after a change of SEARCH_LANGUAGE."""
    with connect(url) as connection:
        indexing.index_all(connection, os.environ.get("SEARCH_LANGUAGE") or "english")


@click.group("stock")
def stock_group() -> None:
    """Check the stock."""


@stock_group.command()
@click.option("--correct", is_flag=True, help="Add a movement for each difference, as after an upgrade under load.")
@database_url
def audit(correct: bool, database_url: str) -> None:
    """Compare the stock of every product with the sum of its movements; exit with 1 when they differ."""
    with connect(database_url) as connection:
        for found in (differences := stock.differences(connection)):
            click.echo(found)
            if correct:
                stock.correct(connection, found.product_id)
        click.echo(f"{len(differences)} products differ" + (", corrected" if correct and differences else ""))
    sys.exit(1 if differences and not correct else 0)


@contextmanager
def _database(url: str) -> Iterator[Database]:
    database = Database(url, pool_size=1, prepared_statements=False)  # a pooler may be in between
    try:
        yield database
    finally:
        database.close()


def _terms_group(name: str, table: TermsTable, what: str) -> click.Group:
    """Return the commands that replace and write one of the tables of the shop's terms."""
    group = click.Group(name, help=f"Import and export {what}.")

    @group.command("import")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--if-empty", is_flag=True, help="Do nothing when there are some already.")
    @database_url
    def import_terms(*, file: Path, if_empty: bool, database_url: str) -> None:
        """Replace all by those of a CSV FILE (docs/shipping-and-tax.md); a file with one bad row is refused whole."""
        with _database(database_url) as database:
            try:
                content = file.read_bytes()
                rows = terms_actions.replace(database, table, content=content, staff=None, only_if_empty=if_empty)
            except BadTermsFile as refusal:
                faults = "\n".join(str(Fault(**row)) for row in refusal.members["rows"])
                sys.exit(f"{file}: nothing imported\n{faults}")
        click.echo(f"{rows} {what} imported" if rows else f"there are {what} already: nothing imported")

    @group.command("export")
    @click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
    @database_url
    def export_terms(*, file: TextIO, database_url: str) -> None:
        """Export all to a CSV FILE that `import` reads; default: standard output."""
        with _database(database_url) as database:
            file.write(terms_tables.write(table, [row._asdict() for row in terms_actions.rows(database, table)]))

    return group


shipping_group = _terms_group("shipping", terms_tables.SHIPPING, "shipping methods")
tax_group = _terms_group("tax", terms_tables.TAX, "tax rates")


def _progress(total: int) -> Any:
    return click.progressbar(length=total, label="Reading", file=sys.stderr, hidden=not sys.stderr.isatty())
