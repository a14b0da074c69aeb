#!/usr/bin/env python3
"""How long a broker needs to come back. By hand, beside tests/bench/run.sh:

    WEIR_BUILD_DIR=build/release /usr/bin/python3 tests/bench/recovery.py [GiB] [partitions] [segments]

After kill -9 with that much data that no checkpoint knows of: time until the first and the last partition serve, and
bytes recovered per second of CPU. After an orderly stop with that many segments: time until the last partition serves.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from harness import wire  # noqa: E402
from harness.broker import Broker  # noqa: E402
from harness.process import until  # noqa: E402
from harness.records import batch  # noqa: E402

GIBIBYTE = 1 << 30


def cpu_seconds(process) -> float:
    fields = Path(f"/proc/{process.popen.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(broker, topic, partitions, bytes_in_all):
    records = batch([(b"k", b"x" * 1000)] * 900)
    left = max(partitions, bytes_in_all // len(records))
    with broker.connect() as connection:
        for i in range(left):
            assert wire.produce(connection, topic, records, partition=i % partitions)["error_code"] == 0


def leaders(broker, topic):
    """Partitions that serve: those that have a leader."""
    try:
        with broker.connect() as connection:
            answer = connection.request("METADATA", 1, {"topics": [{"name": topic}]})
            return sum(p["error_code"] == 0 for p in answer["topics"][0]["partitions"])
    except (OSError, EOFError):
        return 0


def restart(broker, topic, partitions):
    begin = time.monotonic()
    broker.launch()
    until(lambda: leaders(broker, topic) > 0, 600, "a partition that serves")
    first = time.monotonic() - begin
    until(lambda: leaders(broker, topic) == partitions, 600, "all partitions")
    return first, time.monotonic() - begin


def main():
    gibibytes, partitions, segments = ([float(a) for a in sys.argv[1:]] + [4, 2000, 10000][len(sys.argv) - 1:])[:3]
    partitions, segments = int(partitions), int(segments)
    with tempfile.TemporaryDirectory(prefix="weir-recovery-", dir=os.environ.get("TMPDIR")) as place:
        for threads in (1, 2):
            broker = Broker(Path(place) / f"killed-{threads}", settings={
                "num.recovery.threads.per.data.dir": str(threads), "log.flush.offset.checkpoint.interval.ms": "3600000",
                "replica.high.watermark.checkpoint.interval.ms": "3600000"}).start()
            broker.create_topic("t", partitions)
            fill(broker, "t", partitions, int(gibibytes * GIBIBYTE))
            broker.kill()
            first, last = restart(broker, "t", partitions)
            took = re.findall(r"Loaded \d+ logs in (\d+)ms", broker.output())
            cpu = cpu_seconds(broker.process)
            print(f"kill -9, {gibibytes:g} GiB in {partitions} partitions, {threads} threads: first partition after {first:.2f} s, "
                  f"last after {last:.2f} s, loaded in {took[-1]} ms, {gibibytes / cpu:.2f} GiB per CPU second of the whole start", flush=True)
            broker.kill()
            for path in sorted((Path(place) / f"killed-{threads}").rglob("*.log")):
                path.unlink()
        broker = Broker(Path(place) / "stopped").start()
        broker.create_topic("s", 10, {"segment.bytes": "200"})
        one = batch([(b"k", b"x" * 100)])
        for begin in range(0, segments, 2000):  # the files of a segment stay open until the broker stops
            with broker.connect() as connection:
                for i in range(begin, min(begin + 2000, segments)):
                    assert wire.produce(connection, "s", one, partition=i % 10)["error_code"] == 0
            broker.stop()
            broker.start()
        found = len(list((broker.data).rglob("*.log")))
        broker.stop()
        first, last = restart(broker, "s", 10)
        took = re.findall(r"Loaded \d+ logs in (\d+)ms", broker.output())
        print(f"orderly stop, {found} segments: last partition after {last:.2f} s, loaded in {took[-1]} ms", flush=True)
        broker.kill()


if __name__ == "__main__":
    main()
