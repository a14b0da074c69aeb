"""A Kafka Streams word count with processing.guarantee=exactly_once_v2, killed and started again while it works."""

import random
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from harness.paths import counterpart
from harness.process import Process, until

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu".split()
ROUNDS = 6
LINES = 2000
PARTITIONS = 2

LOG4J = """log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


class WordCount:
    def __init__(self, directory: Path, broker):
        self.directory, self.broker = directory, broker
        directory.mkdir()
        (directory / "log4j.properties").write_text(LOG4J)
        self.process = None

    def start(self):
        app = counterpart("streams-3.9.1")
        self.process = Process(
            ["java", "-Xmx384m", "-XX:+UseSerialGC", f"-Dlog4j.configuration=file:{self.directory}/log4j.properties",
             "-cp", f"{app}/classes:{app}/libs/*", "WordCount", self.broker.address, self.directory / "state"],
            self.directory / "out")
        return self


class Counts:
    """An independent reader of topic "counts": every record that is committed, by word."""

    def __init__(self, broker):
        self.consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "enable.auto.commit": False,
                                  "isolation.level": "read_committed"})
        self.consumer.assign([TopicPartition("counts", p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
        self.counts = {word: [] for word in WORDS}
        self.total = 0

    def read(self) -> int:
        for message in self.consumer.consume(10000, 0.2):
            if message.error():
                assert message.error().retriable() or message.error().code() < 0, message.error()
                continue
            self.counts[message.key().decode()].append(int.from_bytes(message.value(), "big"))
            self.total += 1
        return self.total


def write_lines(broker, rng, expected: dict) -> int:
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 5, "enable.idempotence": True})
    words = 0
    for _ in range(LINES):
        line = rng.choices(WORDS, k=rng.randrange(1, 8))
        for word in line:
            expected[word] += 1
        words += len(line)
        producer.produce("lines", " ".join(line), key=str(rng.randrange(1000)))
        producer.poll(0)
    assert producer.flush(60) == 0
    return words


def count_words(broker, directory: Path, disturb):
    """Writes lines round by round; after each but the last, and while the words are being counted, calls disturb(round, app)."""
    broker.create_topic("lines", PARTITIONS)
    broker.create_topic("counts", PARTITIONS)
    app = WordCount(directory, broker).start()
    reader = Counts(broker)
    rng, expected, written = random.Random(11), dict.fromkeys(WORDS, 0), 0

    def counted(words: int):
        def enough():
            assert app.process.running(), app.process.output()[-4000:]
            return reader.read() >= words
        until(enough, 120, f"{words} words counted")

    try:
        for round_ in range(ROUNDS):
            before = written
            written += write_lines(broker, rng, expected)
            if round_ < ROUNDS - 1:
                counted(before + 1)  # at work on the round, and not done with it
                disturb(round_, app)
        counted(written)
        # Every occurrence of a word raised its count by one, once: neither a gap nor a repetition on the way.
        assert reader.counts == {word: list(range(1, count + 1)) for word, count in expected.items()}
    finally:
        app.process.stop(60)
    assert reader.read() == written
    return app


def test_a_killed_application_counts_every_word_once(cluster, tmp_path):
    broker = cluster.broker().start()

    def disturb(round_, app):
        if round_ % 2 == 0:
            app.process.kill()
            app.start()

    count_words(broker, tmp_path / "app", disturb)


def test_a_killed_broker_leaves_every_word_counted_once(cluster, tmp_path):
    broker = cluster.broker().start()

    def disturb(round_, app):
        if round_ % 2 == 0:
            broker.kill()
            broker.start()

    count_words(broker, tmp_path / "app", disturb)
