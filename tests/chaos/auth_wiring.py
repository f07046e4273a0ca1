"""JWTs as in production for the services under test, with keys that can be rotated."""

from __future__ import annotations

import time
from pathlib import Path

from user_service.sessions import keys


def jwt_wiring(folder: Path) -> dict[str, str]:
    """Return the environment of both services: JWTs, two workers each, failpoints."""
    key_file, failpoints = folder / "keys.json", folder / "failpoints"
    keys.write(key_file, [keys.generate(signs_from=0)])
    failpoints.mkdir()
    return {
        "TOKEN_KIND": "jwt",
        "TOKEN_KEYS_FILE": str(key_file),
        "SERVICE_CREDENTIAL": "a-credential-for-the-suite-of-faults-alone",
        "FAILPOINTS": str(failpoints),
        "RATE_LIMIT_PER_ADDRESS": "6000",  # all customers register from one address, and again after a fault
        "WORKERS": "2",
        "LOG_LEVEL": "WARNING",
    }


def rotate(key_file: Path) -> None:
    """Add a key that signs at once."""
    keys.write(key_file, [*keys.read(key_file), keys.generate(signs_from=time.time())])
