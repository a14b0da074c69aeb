"""Kafka Connect, distributed: a file source with exactly-once support and a file sink; their worker, or the broker, is killed
while they work."""

import json
import urllib.error
import urllib.request
from pathlib import Path

from harness.paths import counterpart
from harness.process import Process, free_port, run, until

LINES = 3000
ROUNDS = 6
DISTURBED = (1, 3)
SIGTERM_OF_JAVA = 143

LOG4J = """log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


class Worker:
    def __init__(self, directory: Path, broker):
        directory.mkdir()
        self.directory = directory
        self.port = free_port()
        self.process = None
        settings = {
            "bootstrap.servers": broker.address,
            "group.id": "connect-cluster",
            "listeners": f"http://127.0.0.1:{self.port}",
            "exactly.once.source.support": "enabled",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "config.storage.topic": "connect-configs",
            "offset.storage.topic": "connect-offsets",
            "status.storage.topic": "connect-status",
            "config.storage.replication.factor": 1,
            "offset.storage.replication.factor": 1,
            "status.storage.replication.factor": 1,
            "offset.storage.partitions": 5,
            "offset.flush.interval.ms": 1000,
            "plugin.discovery": "service_load",
            # After a kill: how long the group waits for the member that is no more, and then for its return.
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1000,
            "scheduled.rebalance.max.delay.ms": 0,
            # The same for the sink's own group, and for the open transaction of a source that is no more.
            "consumer.session.timeout.ms": 6000,
            "consumer.heartbeat.interval.ms": 1000,
            "producer.transaction.timeout.ms": 5000,
        }
        (directory / "worker.properties").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        (directory / "log4j.properties").write_text(LOG4J)

    def start(self):
        self.process = Process(
            ["java", "-Xmx384m", "-XX:+UseSerialGC", f"-Dlog4j.configuration=file:{self.directory}/log4j.properties",
             "-cp", f"{counterpart('connect-3.9.1')}/libs/*", "org.apache.kafka.connect.cli.ConnectDistributed",
             self.directory / "worker.properties"], self.directory / "worker.log")
        return self

    def ask(self, method: str, path: str, body=None):
        """The answer of the REST interface; None while it cannot be had."""
        assert self.process.running(), self.process.output()[-4000:]
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except (urllib.error.URLError, OSError):
            return None

    def configure(self, name: str, settings: dict):
        until(lambda: self.ask("PUT", f"/connectors/{name}/config", settings), 90, f"connector {name} accepted")
        until(lambda: self.runs(name), 60, f"connector {name} running")

    def runs(self, name: str) -> bool:
        status = self.ask("GET", f"/connectors/{name}/status")
        return bool(status) and [task["state"] for task in status["tasks"]] == ["RUNNING"]


def committed(broker, topic: str) -> list:
    """What an independent reader of committed records finds."""
    return run(["kcat", "-C", "-q", "-e", "-b", broker.address, "-t", topic, "-p", "0", "-o", "beginning",
                "-X", "isolation.level=read_committed"]).stdout.decode().splitlines()


class Copy:
    """source.txt -> topic "copied" -> sink.txt"""

    def __init__(self, directory: Path, broker):
        self.broker = broker
        self.source, self.sink = directory / "source.txt", directory / "sink.txt"
        self.lines = []
        self.source.touch()
        self.sink.touch()
        broker.create_topic("copied", 1)
        self.worker = Worker(directory / "worker", broker).start()
        self.worker.configure("source", {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "topic": "copied",
            "file": str(self.source), "batch.size": "100", "exactly.once.support": "required"})
        self.worker.configure("sink", {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "topics": "copied",
            "file": str(self.sink), "consumer.override.max.poll.records": "100"})

    def write(self):
        # ASCII only: the source counts its place in the file by characters, and goes there by bytes.
        fresh = [f"{len(self.lines) + i} line of the source" for i in range(LINES)]
        with open(self.source, "a") as file:
            file.write("".join(line + "\n" for line in fresh))
        self.lines += fresh

    def arrived(self, lines: int):
        def there():
            assert self.worker.process.running(), self.worker.process.output()[-4000:]
            return len(set(self.sink.read_text().splitlines())) >= lines
        until(there, 120, f"{lines} lines in the sink's file")

    def check(self):
        # The source is exactly once.
        assert committed(self.broker, "copied") == self.lines
        # The sink is at least once: Connect commits its offsets after the file has the lines, so a kill brings back lines of the
        # last second. They come again in order, from a place that had been reached.
        next_number = 0
        for line in self.sink.read_text().splitlines():
            number = int(line.split(" ", 1)[0])
            assert line == self.lines[number]
            assert number <= next_number, f"a gap before line {number}"
            next_number = number + 1
        assert next_number == len(self.lines)


def copy_lines(cluster, directory: Path, disturb):
    """Calls disturb(copy, broker) in the middle of some rounds; it writes more lines while something is down."""
    # Open transactions are looked after as often as their timeout is short.
    broker = cluster.broker(transaction_abort_timed_out_transaction_cleanup_interval_ms="1000").start()
    copy = Copy(directory, broker)
    for round_ in range(ROUNDS):
        before = len(copy.lines)
        copy.write()
        copy.arrived(before + 1)  # at work on the round, and not done with it
        if round_ in DISTURBED:
            disturb(copy, broker)
    copy.arrived(len(copy.lines))
    assert copy.worker.process.stop(60) == SIGTERM_OF_JAVA
    copy.check()


def test_a_killed_worker_copies_every_line_once(cluster, tmp_path):
    def disturb(copy, _):
        copy.worker.process.kill()
        copy.write()
        copy.worker.start()

    copy_lines(cluster, tmp_path, disturb)


def test_a_killed_broker_leaves_every_line_copied_once(cluster, tmp_path):
    def disturb(copy, broker):
        broker.kill()
        copy.write()
        broker.start()

    copy_lines(cluster, tmp_path, disturb)
