"""Tools around the Helm charts and the GitOps folder."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
