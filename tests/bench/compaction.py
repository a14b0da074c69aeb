#!/usr/bin/env python3
"""How fast a log is compacted, beside Apache Kafka on a copy of the same directory. By hand, beside tests/bench/run.sh:

    WEIR_BUILD_DIR=build/release /usr/bin/python3 tests/bench/compaction.py [rounds] [millions of small records]

Two logs of more than 1 GiB: 10 million records of 100 bytes (a million keys), and a tenth as many with values of 1 KiB. Both brokers
run with their defaults and one cleaner thread. Told are medians of the rounds, which alternate: bytes and records of the log per
second of cleaning, CPU seconds from the start of the process to the end of the cleaning, and the most memory it ever had.
"""

import os
import random
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from harness.broker import Broker  # noqa: E402
from harness.process import until  # noqa: E402
from harness.zookeeper import ZooKeeper  # noqa: E402

SEGMENT = 64 << 20


def fill(broker, topic, records, keys, value_bytes):
    from confluent_kafka import Producer

    broker.create_topic(topic, 1, {"cleanup.policy": "compact", "segment.bytes": str(SEGMENT), "min.cleanable.dirty.ratio": "0.01"})
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 50, "queue.buffering.max.messages": 1000000,
                         "queue.buffering.max.kbytes": 1 << 20, "batch.size": 1 << 16, "acks": 1})
    dice = random.Random(1)
    value = dice.randbytes(value_bytes * 2)
    end = records + SEGMENT // (value_bytes + 30)  # the last segment is not cleaned
    for i in range(end):
        while True:
            try:
                producer.produce(topic, key=b"key-%012d" % dice.randrange(keys), value=value[i % value_bytes:i % value_bytes + value_bytes])
                break
            except BufferError:
                producer.poll(0.1)
        if i % 1000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0


def usage(process):
    fields = Path(f"/proc/{process.popen.pid}/stat").read_text().rsplit(")", 1)[1].split()
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.popen.pid}/status").read_text())
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(peak[1]) / 1024


def number(text):
    return float(text.replace(",", ""))


def seconds_told(kind, output, topic):
    if kind == "weir":
        took = re.search(rf"Cleaned {topic}-0 .* in (\d+)ms, rewrote in (\d+)ms", output)
        return took and (int(took[1]) + int(took[2])) / 1000
    took = re.search(rf"cleaned log {topic}-0.*?([\d,.]+) MB of log processed in ([\d,.]+) seconds", output, re.S)
    return took and number(took[2])


def clean(kind, place, directory, zookeeper, topic):
    """Seconds of cleaning, CPU seconds, MiB."""
    shutil.rmtree(place / kind, ignore_errors=True)  # with the log of the round before
    broker = Broker(place / kind, kind, zookeeper, {"log.dirs": str(directory), "log.cleaner.dedupe.buffer.size": "134217728"})
    broker.launch()
    try:
        until(lambda: seconds_told(kind, broker.output(), topic), 600, "a cleaning")
        cpu, memory = usage(broker.process)
        return seconds_told(kind, broker.output(), topic), cpu, memory
    finally:
        broker.stop()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    records = int(float(sys.argv[2] if len(sys.argv) > 2 else 10) * 1e6)
    cases = {"small": (records, records // 10, 84), "large": (records // 10, records // 100, 1024)}
    with tempfile.TemporaryDirectory(prefix="weir-compaction-", dir=os.environ.get("TMPDIR")) as name:
        place = Path(name)
        zookeeper = ZooKeeper(place / "zookeeper").start()
        try:
            for topic, (count, keys, value_bytes) in cases.items():
                filled = place / f"filled-{topic}"
                broker = Broker(place / "filler", "weir", zookeeper, {"log.dirs": str(filled), "log.cleaner.enable": "false"}).start()
                fill(broker, topic, count, keys, value_bytes)
                broker.stop()
                files = sorted((filled / f"{topic}-0").glob("*.log"))[:-1]
                size = sum(file.stat().st_size for file in files) / (1 << 20)
                held = int(sorted((filled / f"{topic}-0").glob("*.log"))[-1].stem)
                found = {"weir": [], "kafka-3.9.1": []}
                for _ in range(rounds):
                    for kind, results in found.items():
                        copy = place / "copy"
                        shutil.copytree(filled, copy)
                        results.append(clean(kind, place, copy, zookeeper, topic))
                        shutil.rmtree(copy)
                for kind, results in found.items():
                    seconds, cpu, memory = (statistics.median(column) for column in zip(*results))
                    print(f"{topic}, {held} records in {size:.0f} MiB, {kind}: {size / seconds:.0f} MiB/s, {held / seconds / 1e6:.2f} million "
                          f"records/s, {cpu:.1f} CPU seconds, {memory:.0f} MiB at most", flush=True)
                shutil.rmtree(filled)
        finally:
            zookeeper.kill()


if __name__ == "__main__":
    main()
