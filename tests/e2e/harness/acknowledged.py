"""Producers with idempotence and acks=all that write all through a fault, and the checker that holds the log against what
was acknowledged to them: every such record once, at the offset that was told, in the order in which it was sent."""

import subprocess
import threading

from harness.paths import counterpart
from harness.process import until


class Feed:
    """One producer. What it has been told: number of the record -> (partition, offset)."""

    def __init__(self, name: str, partitions: int):
        self.name, self.partitions = name, partitions
        self.acknowledged, self.failed = {}, {}

    def value(self, number: int) -> bytes:
        return f"{self.name}:{number}".encode()


class RdkafkaFeed(Feed):
    def __init__(self, brokers, topic: str, partitions: int, name: str = "rdkafka", rate: int = 300, timeout_ms: int = 10000, **settings):
        super().__init__(name, partitions)
        from confluent_kafka import Producer

        self.topic, self.rate = topic, rate
        self.producer = Producer({"bootstrap.servers": brokers.address, "enable.idempotence": True, "acks": "all", "linger.ms": 5,
                                  "message.timeout.ms": 180000, "socket.timeout.ms": timeout_ms, "reconnect.backoff.max.ms": 500,
                                  "topic.metadata.refresh.interval.ms": 5000} | {k.replace("_", "."): v for k, v in settings.items()})
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def run(self):
        number = 0
        while not self.ending.is_set():
            try:
                self.producer.produce(self.topic, self.value(number), partition=number % self.partitions, on_delivery=self.delivered(number))
                number += 1
            except BufferError:  # many are under way
                pass
            self.producer.poll(1 / self.rate)

    def delivered(self, number: int):
        def told(error, message):
            if error:
                self.failed[number] = str(error)
            else:
                self.acknowledged[number] = message.partition(), message.offset()

        return told

    def end(self):
        self.ending.set()
        self.thread.join()
        left = self.producer.flush(180)
        assert left == 0, f"{left} records are still under way"


class JavaFeed(Feed):
    def __init__(self, brokers, topic: str, partitions: int, name: str = "java", version: str = "3.9.1", rate: int = 300, timeout_ms: int = 10000):
        super().__init__(name, partitions)
        directory = counterpart(f"java-{version}")
        self.command = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{directory}/classes:{directory}/libs/*", "Feeder",
                        brokers.address, topic, str(partitions), name, str(rate), str(timeout_ms)]
        self.ended = brokers.cluster.ended
        self.errors = brokers.cluster.directory / f"{name}.err"
        self.done = False

    def start(self):
        with open(self.errors, "wb") as errors:
            self.popen = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.ended.append(self.popen.kill)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        return self

    def listen(self):
        for line in self.popen.stdout:
            what, *words = line.decode().rstrip("\n").split(" ", 3)
            if what == "ack":
                self.acknowledged[int(words[2])] = int(words[0]), int(words[1])
            elif what == "fail":
                self.failed[int(words[0])] = " ".join(words[1:])
            else:
                self.done = True

    def end(self):
        self.popen.stdin.close()
        self.popen.wait(200)
        self.thread.join()
        assert self.done, self.errors.read_text()[-2000:]


class Feeds:
    """Several producers on one topic.

    Where a broker may fall silent, `timeout_ms` of a request must be less than its session lasts. A producer that hears of
    the next leader while the last one owes it answers goes on there with its next sequence number, and what it then repeats
    after five more batches is out of order to any broker, Apache Kafka's too: Java asks again without end, librdkafka gives up."""

    def __init__(self, brokers, topic: str, partitions: int, kinds=(RdkafkaFeed, JavaFeed), timeout_ms: int = 10000):
        self.brokers, self.topic, self.partitions = brokers, topic, partitions
        self.all = [kind(brokers, topic, partitions, timeout_ms=timeout_ms).start() for kind in kinds]

    def progress(self, records: int = 300, seconds: float = 90):
        """Until each has been told of that many more records, in every partition of some."""
        before = {f: len(f.acknowledged) for f in self.all}
        per_partition = {f: self.counts(f) for f in self.all}

        def further(f):
            now = self.counts(f)
            return len(f.acknowledged) - before[f] >= records and all(now.get(p, 0) > per_partition[f].get(p, 0) for p in range(self.partitions))

        until(lambda: all(further(f) for f in self.all), seconds,
              f"progress of { {f.name: (len(f.acknowledged) - before[f], self.counts(f)) for f in self.all} }, failed { {f.name: list(f.failed.items())[:3] for f in self.all} }")

    @staticmethod
    def counts(feed) -> dict:
        found = {}
        for partition, _ in list(feed.acknowledged.values()):
            found[partition] = found.get(partition, 0) + 1
        return found

    def end(self):
        for feed in self.all:
            feed.end()

    def check(self, may_fail: bool = False):
        """What lies in the log is what was acknowledged, as often and in the order in which it was sent."""
        log = self.brokers.read(self.topic)
        for feed in self.all:
            assert may_fail or not feed.failed, f"{feed.name}: {len(feed.failed)} records were given up: {list(feed.failed.items())[:3]}"
            problems = differences(feed, log)
            assert not problems, f"{feed.name}, {len(feed.acknowledged)} acknowledged: {problems[:10]}"
        return {feed.name: len(feed.acknowledged) for feed in self.all}


def differences(feed: Feed, log: dict) -> list:
    """What is wrong with the records of a feed in a log: partition -> [(offset, timestamp, key, value, headers)]."""
    problems, found = [], {}
    mark = feed.name.encode() + b":"
    for partition, records in log.items():
        last = -1
        for offset, _, _, value, _ in records:
            if value is None or not value.startswith(mark):
                continue
            number = int(value[len(mark):])
            if number in found:
                problems.append(f"record {number} is twice: {found[number]} and {(partition, offset)}")
            elif number <= last:
                problems.append(f"record {number} at {partition}:{offset} comes after {last}")
            found.setdefault(number, (partition, offset))
            last = max(last, number)
    for number, place in feed.acknowledged.items():
        if found.get(number) != place:
            problems.append(f"record {number} was acknowledged at {place} and is at {found.get(number)}")
    return problems
