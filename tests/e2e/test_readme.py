"""The tour in README.md does what it says, line by line; only addresses and the log file are this test's own."""

import re

import pytest

from harness.paths import BROKER, BUILD, REPOSITORY
from harness.process import run

# Installing is not for a test, and stopping would stop the brokers of other tests that run from this build as well.
NOT_RUN = ("sudo apt-get ", "bin/kafka-server-stop.sh")


@pytest.mark.skipif(BROKER != "weir", reason="the README of Weir")
def test_the_tour(broker, tmp_path):
    text = (REPOSITORY / "README.md").read_text()
    tour = re.search(r"^## A tour\n.*?^```bash\n(.*?)^```\n", text, re.M | re.S)[1]
    lines = [line for line in tour.splitlines() if not line.startswith(NOT_RUN)]
    assert len(lines) == len(tour.splitlines()) - len(NOT_RUN)
    log = tmp_path / "some.log"
    log.write_text("".join(f"2026-01-31 12:00:00 line {n}\n" for n in range(3000)))
    script = "\n".join(lines)
    for ours, its in ((str(BUILD), "build/release"), (broker.address, "localhost:9092"),
                      (str(broker.data), "/tmp/kafka-logs"), (str(log), "/var/log/dpkg.log")):
        assert its in script
        script = script.replace(its, ours)

    out = run(["bash", "-euo", "pipefail", "-c", script]).stdout.decode()

    assert "Created topic log.\n" in out
    assert "Topic: log\tPartition: 0\tLeader: 0" in out
    for n in range(10):
        assert f"\n2026-01-31 12:00:00 line {n}\n" in out
    assert "line 10\n" not in out
    assert "00000000000000000000.log" in out
    assert "3000 records\n" in out
