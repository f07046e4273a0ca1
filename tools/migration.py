"""Start a migration: `python tools/migration.py SERVICE NAME` writes the next numbered script of a service."""

from __future__ import annotations

import re
import sys
from pathlib import Path

TEMPLATE = '''"""{sentence}."""

from __future__ import annotations

from alembic import op

revision = "{number:04}"
down_revision = "{before:04}"


def upgrade() -> None:
    op.execute("ALTER TABLE ...")


def downgrade() -> None:
    op.execute("ALTER TABLE ...")
'''


def main(service: str, name: str) -> None:
    folder = Path("services", service, "migrations", "versions")
    if not service or not folder.is_dir() or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        sys.exit("migration: say make migration SERVICE=user-service NAME=add_a_column (or SERVICE=order-service)")
    before = max(int(script.name[:4]) for script in folder.glob("[0-9]*.py"))
    file = folder / f"{before + 1:04}_{name}.py"
    sentence = name.replace("_", " ").capitalize()
    file.write_text(TEMPLATE.format(sentence=sentence, number=before + 1, before=before))
    print(f"{file}: write the statements, then run make schema")


if __name__ == "__main__":
    main(*sys.argv[1:3])
