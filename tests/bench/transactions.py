#!/usr/bin/env python3
"""How long a transaction takes to commit, by the number of its partitions. By hand, beside tests/bench/run.sh:

    WEIR_BUILD_DIR=build/release [WEIR_E2E_BROKER=kafka-3.9.1] /usr/bin/python3 tests/bench/transactions.py [rounds]

One producer of raw requests, one small batch per partition. "answered": EndTxn until its answer, the decision is in the
log. "over": EndTxn until the next transaction may begin, every marker is written. Milliseconds, p50 and p99.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from harness import records  # noqa: E402
from harness.broker import Broker  # noqa: E402
from harness.errors import CONCURRENT_TRANSACTIONS  # noqa: E402
from harness.paths import BROKER  # noqa: E402
from harness.transactions import TRANSACTIONAL, Producer, wait_for_coordinator  # noqa: E402
from harness.zookeeper import ZooKeeper  # noqa: E402

PARTITIONS = (1, 10, 100)
WARM_UP = 50


def commit(producer: Producer, topic: str, partitions: int):
    where = [(topic, i) for i in range(partitions)]
    producer.add(where)
    data = {i: records.batch([(b"k", b"v")], attributes=TRANSACTIONAL, producer_id=producer.producer_id,
                             producer_epoch=producer.epoch, base_sequence=producer.sequences.get(i, 0)) for i in range(partitions)}
    answer = producer.connection.request("PRODUCE", 8, {"transactional_id": producer.id, "acks": -1, "timeout_ms": 10000, "topic_data": [
        {"name": topic, "partition_data": [{"index": i, "records": d} for i, d in data.items()]}]})
    assert all(p["error_code"] == 0 for p in answer["responses"][0]["partition_responses"]), answer
    for i in range(partitions):
        producer.sequences[i] = producer.sequences.get(i, 0) + 1
    begin = time.perf_counter()
    assert producer.end(True) == 0
    answered = time.perf_counter()
    while producer.end(True) == CONCURRENT_TRANSACTIONS:
        pass
    return answered - begin, time.perf_counter() - begin


def percentile(values, share):
    return 1000 * sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory(prefix="weir-transactions-") as place:
        zookeeper = ZooKeeper(Path(place) / "zookeeper").start() if BROKER != "weir" else None
        broker = Broker(Path(place) / "broker", BROKER, zookeeper).start()
        try:
            with broker.connect() as connection:
                wait_for_coordinator(connection, "bench")
                for partitions in PARTITIONS:
                    topic = broker.create_topic(f"bench-{partitions}", partitions)
                    producer = Producer(connection, f"bench-{partitions}").init()
                    for _ in range(WARM_UP):
                        commit(producer, topic, partitions)
                    took = [commit(producer, topic, partitions) for _ in range(rounds)]
                    shown = [percentile([t[i] for t in took], share) for i in (0, 1) for share in (0.5, 0.99)]
                    print(f"{BROKER:12} {partitions:4} partitions: answered p50 {shown[0]:.2f} p99 {shown[1]:.2f}, "
                          f"over p50 {shown[2]:.2f} p99 {shown[3]:.2f} ms", flush=True)
        finally:
            broker.kill()
            if zookeeper:
                zookeeper.kill()


if __name__ == "__main__":
    main()
