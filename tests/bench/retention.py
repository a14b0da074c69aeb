#!/usr/bin/env python3
"""What a check of retention costs when there is nothing to delete. By hand, beside tests/bench/run.sh:

    WEIR_BUILD_DIR=build/release /usr/bin/python3 tests/bench/retention.py [partitions] [seconds]

CPU seconds of an idle broker that checks every second, less those of one that does not, per check. And those of a page of metrics.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from harness.broker import Broker  # noqa: E402
from harness.metrics import page, shown  # noqa: E402
from recovery import cpu_seconds, fill  # noqa: E402


def used_in(broker, seconds, every_second=lambda: None):
    begin, end = cpu_seconds(broker.process), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        every_second()
        time.sleep(min(1, left))
    return cpu_seconds(broker.process) - begin


def main():
    partitions, seconds = [int(a) for a in sys.argv[1:]] + [10000, 30][len(sys.argv) - 1:]
    with tempfile.TemporaryDirectory(prefix="weir-retention-", dir=os.environ.get("TMPDIR")) as place:
        broker = shown(Broker(Path(place), settings={"log.retention.hours": "168", "log.retention.ms": None, "log.retention.bytes": "100000000"}))
        broker.settings["log.retention.check.interval.ms"] = "3600000"
        broker.start(120)
        for first in range(0, partitions, 1000):
            broker.create_topic(f"t{first}", min(1000, partitions - first), {"segment.bytes": "1000000"})
            fill(broker, f"t{first}", min(1000, partitions - first), 0)
        cost = {}
        for interval in ("3600000", "1000"):
            broker.stop(60)
            broker.settings["log.retention.check.interval.ms"] = interval
            broker.start(120)
            time.sleep(5)  # its start is over
            cost[interval] = used_in(broker, seconds)
        with_pages = used_in(broker, seconds, lambda: page(broker))
        idle, checking = cost["3600000"], cost["1000"]
        print(f"{partitions} partitions, idle: {idle / seconds * 100:.2f} % of a core; a check of retention costs {(checking - idle) / seconds * 1000:.2f} ms "
              f"of CPU, a page of metrics {(with_pages - checking) / seconds * 1000:.2f} ms")
        broker.stop(60)


if __name__ == "__main__":
    main()
