"""Every rule holds in every environment and variant."""

from __future__ import annotations

from pathlib import Path

import pytest
import rules
import shop
from rendering import ENVIRONMENTS


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_rule_holds_in(repository: Path, env: str, rule: rules.Rule) -> None:
    assert list(rule(shop.of_environment(repository, env))) == []


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("variant", shop.VARIANTS)
def test_the_rule_holds_in_the_variant(repository: Path, variant: str, rule: rules.Rule) -> None:
    assert list(rule(shop.of_variant(repository, variant))) == []
