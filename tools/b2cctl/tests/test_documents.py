import re
from pathlib import Path

import click
import pytest

from b2cctl.__main__ import cli

ROOT = Path(__file__).parents[3]
COMMANDS = sorted(
    {
        (path.name, line.split("#")[0].strip())
        for path in [*ROOT.glob("docs/runbooks/*.md"), ROOT / "README.md"]
        for line in path.read_text().splitlines()
        if line.startswith("b2cctl ")
    }
)


@pytest.mark.parametrize(("document", "line"), COMMANDS)
def test_a_command_in_a_document_is_one_that_b2cctl_understands(document, line):
    words = re.findall(r'"[^"]*"|\S+', line)[1:]
    command = cli.commands[words[0]]

    with click.Context(command) as context:
        command.parse_args(context, words[1:])


def test_the_documents_show_commands():
    assert {line.split()[1] for _, line in COMMANDS} >= {"plan", "status", "promote", "rollback", "unhold"}
