"""The files of the repository."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("WEIR_BUILD_DIR", ROOT / "build" / "release"))
CXX_FOLDERS = ("base", "protocol", "config", "storage", "replication", "broker", "tools", "tests")


@cache
def paths():
    """What git tracks or would track; outside of a clone, every file but build/."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        return sorted(name for name in names if name and (ROOT / name).is_file())
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != "build" and "__pycache__" not in path.parts)


@cache
def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def sources(*suffixes, under=CXX_FOLDERS):
    return {p: read(p) for p in paths() if p.split("/")[0] in under and p.endswith(suffixes)}
