"""Documents name what exists: modules of the chassis, settings, files behind links, and tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from order_service.settings import Settings as OrderSettings
from user_service.settings import Settings as UserSettings

ROOT = Path(__file__).parents[2]
CHASSIS = ROOT / "libs/chassis/src/chassis"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
RECORDS = sorted(ROOT.glob("docs/adr/0*.md"))
MODULE = re.compile(r"^\| `([\w/]+\.py)` \| (.+) \|$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
TEST = re.compile(r"`((?:libs|services|tests|helm|tools)/[\w./-]*\btest_\w+\.py)`")


def listed_modules() -> dict[str, str]:
    """Return the modules in the table of CONTRIBUTING.md, each with its job."""
    table = (ROOT / "CONTRIBUTING.md").read_text().split("<!-- chassis-modules -->")[1].split("\n\n")[0]
    return dict(MODULE.findall(table))


def test_contributing_lists_every_module_of_the_chassis_and_no_other() -> None:
    modules = {str(file.relative_to(CHASSIS)) for file in CHASSIS.rglob("*.py")}
    assert set(listed_modules()) == {module for module in modules if not module.endswith("__init__.py")}


def test_contributing_gives_each_module_its_job_in_six_words() -> None:
    assert {module: job for module, job in listed_modules().items() if len(job.split()) > 6} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_and_tests_in_a_document_exist(document: Path) -> None:
    text = document.read_text()
    assert [link for link in LINK.findall(text) if not (document.parent / link).exists()] == []
    assert [test for test in TEST.findall(text) if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_decision_record_has_its_three_parts_in_25_lines(record: Path) -> None:
    text = record.read_text()
    assert re.findall(r"^\*\*(Context|Decision|Consequences)\.\*\*", text, re.MULTILINE) == [
        "Context",
        "Decision",
        "Consequences",
    ]
    assert len(text.splitlines()) <= 25
    assert f"({record.name})" in (ROOT / "docs/adr/README.md").read_text()


@pytest.mark.parametrize("settings", [OrderSettings, UserSettings], ids=lambda settings: settings.service)
def test_every_setting_of_a_service_is_in_the_settings_document(settings: type[OrderSettings | UserSettings]) -> None:
    documented = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/settings.md").read_text()))
    assert {name.upper() for name in settings.model_fields} - documented == set()


def test_readme_has_at_most_900_words() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900
