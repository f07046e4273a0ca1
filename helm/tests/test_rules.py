"""Every rule holds in every environment and variant."""

from __future__ import annotations

from pathlib import Path

import pytest
import rules
import shop
from rendering import ENVIRONMENTS


def broken(found: shop.Shop) -> dict[str, list[str]]:
    problems = {rule.__name__: list(rule(found)) for rule in rules.RULES}
    return {rule: said for rule, said in problems.items() if said}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_rule_holds_in(repository: Path, env: str) -> None:
    assert broken(shop.of_environment(repository, env)) == {}


@pytest.mark.parametrize("variant", shop.VARIANTS)
def test_every_rule_holds_in_the_variant(repository: Path, variant: str) -> None:
    assert broken(shop.of_variant(repository, variant)) == {}
