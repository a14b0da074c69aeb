"""Processes of a test: started with their output in a file, stopped by their own pid, never left behind."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(condition, seconds: float = 30, what: str = "condition"):
    """Polls until the condition returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        select.select([], [], [], 0.05)


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Process:
    def __init__(self, command, log: Path, env=None, cwd=None):
        self.command = [str(c) for c in command]
        self.log = log
        with open(log, "ab") as out:
            # A session of its own, so that what the command starts can be ended with it.
            self.popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True,
                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))  # also when the tests are killed
        self.pid = self.popen.pid

    def running(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, number: int):
        if self.running():
            os.killpg(self.pid, number)

    def stop(self, seconds: float = 30) -> int:
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command[0]} did not stop within {seconds} s of SIGTERM")

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait(30)

    def rss_bytes(self) -> int:
        """Resident memory of the process and what it started."""
        total = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
                if os.getsid(int(fields["Pid"])) == self.pid and "VmRSS" in fields:
                    total += int(fields["VmRSS"].split()[0]) * 1024
            except (OSError, KeyError):
                continue
        return total


def run(command, timeout: float = 120, input: bytes = b"", env=None, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run([str(c) for c in command], input=input, capture_output=True, timeout=timeout,
                          env={**os.environ, **(env or {})})
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(str(c) for c in command)}\nexit {done.returncode}\n"
            f"{done.stdout[-2000:].decode(errors='replace')}\n{done.stderr[-4000:].decode(errors='replace')}")
    return done
