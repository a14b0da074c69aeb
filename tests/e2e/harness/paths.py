"""Where things are. The environment decides; the defaults fit a run from the source tree."""

import os
from pathlib import Path

E2E = Path(__file__).resolve().parent.parent
REPOSITORY = E2E.parent.parent
BUILD = Path(os.environ.get("WEIR_BUILD_DIR", REPOSITORY / "build" / "release"))
COUNTERPARTS = Path(os.environ.get("WEIR_COUNTERPARTS", REPOSITORY / "build" / "counterparts"))
# weir, kafka-2.7.1 or kafka-3.9.1
BROKER = os.environ.get("WEIR_E2E_BROKER", "weir")


def counterpart(name: str) -> Path:
    found = COUNTERPARTS / name
    if not found.exists():
        raise RuntimeError(f"{found} is missing: run tests/e2e/prepare.sh {name}")
    return found
