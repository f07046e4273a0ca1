"""What the charts and the GitOps folder need besides Helm itself."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
