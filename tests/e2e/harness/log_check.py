"""kafka-log-check.sh."""

import subprocess

from harness.paths import BUILD


def log_check(*directories, repair=False) -> subprocess.CompletedProcess:
    return subprocess.run([BUILD / "bin" / "kafka-log-check.sh", "--log-dirs", ",".join(map(str, directories)), *(["--repair"] if repair else [])],
                          capture_output=True, timeout=300)


def findings(directory) -> list:
    done = log_check(directory)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == (1 if lines else 0), done
    return lines
