"""Write the catalogue's texts in Unicode normal form NFC, as the importer and the filters do."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        UPDATE products
        SET name = normalize(name, NFC), description = normalize(description, NFC), category = normalize(category, NFC)
        WHERE NOT (name IS NFC NORMALIZED AND description IS NFC NORMALIZED AND category IS NFC NORMALIZED)
    """)


def downgrade() -> None:
    """Leave the texts composed: every version reads them."""
