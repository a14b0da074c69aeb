"""Every client library behind the same two calls: produce a list of records to partition 0, read topics back.

A client says what its library and format cannot carry, so that a comparison leaves out just that:
codecs it knows, whether it carries headers, sets timestamps, carries null keys and null values."""

import base64
import subprocess
import time
from collections import namedtuple

from harness.paths import E2E, counterpart
from harness.process import run

Record = namedtuple("Record", "timestamp key value headers")


def text(value) -> str:
    return "-" if value is None else base64.b64encode(value).decode()


def unpack(value: str):
    return None if value == "-" else base64.b64decode(value)


def lines(records) -> bytes:
    out = []
    for r in records:
        headers = ",".join(f"{text(k.encode())}:{text(v)}" for k, v in r.headers)
        out.append(f"{'-' if r.timestamp is None else r.timestamp}\t{text(r.key)}\t{text(r.value)}\t{headers}\n")
    return "".join(out).encode()


def parse(output: bytes) -> dict:
    topics = {}
    for line in output.decode().splitlines():
        topic, timestamp, key, value, headers = line.split("\t")
        pairs = [(unpack(p.split(":")[0]).decode(), unpack(p.split(":")[1])) for p in headers.split(",")] if headers else []
        topics.setdefault(topic, []).append(Record(int(timestamp), unpack(key), unpack(value), pairs))
    return topics


class Client:
    name = ""
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    headers = timestamps = reads_timestamps = null_keys = null_values = True
    acks = ("0", "1", "all")

    def produce(self, broker, topic: str, records, codec: str = "none", acks: str = "all"):
        raise NotImplementedError

    def consume(self, broker, wanted: dict) -> dict:
        """wanted: topic -> number of records. Returns topic -> records from the beginning of partition 0."""
        raise NotImplementedError

    def __repr__(self):
        return self.name


class Java(Client):
    def __init__(self, version: str):
        self.version = version
        self.name = f"java-{version}"

    def command(self):
        directory = counterpart(self.name)
        return ["java", "-Xmx256m", "-cp", f"{directory}/classes:{directory}/libs/*", "JavaClient"]

    def produce(self, broker, topic, records, codec="none", acks="all", idempotence="false"):
        run(self.command() + ["produce", broker.address, topic, codec, acks, idempotence], input=lines(records))

    def consume(self, broker, wanted):
        return parse(run(self.command() + ["consume", broker.address] + [f"{t}:{n}" for t, n in wanted.items()]).stdout)

    def admin(self, broker, topic) -> dict:
        out = run(self.command() + ["admin", broker.address, topic]).stdout.decode()
        return dict(line.split("\t", 1) for line in out.splitlines())


class KafkaJs(Client):
    name = "kafkajs"
    codecs = ("none", "gzip", "snappy")

    def command(self):
        return ["node", E2E / "clients" / "kafkajs" / "client.js"]

    def env(self):
        return {"NODE_PATH": str(counterpart("kafkajs") / "node_modules"), "KAFKAJS_NO_PARTITIONER_WARNING": "1"}

    def produce(self, broker, topic, records, codec="none", acks="all"):
        acks = {"all": "-1"}.get(acks, acks)
        run(self.command() + ["produce", broker.address, topic, codec, acks], input=lines(records), env=self.env())

    def consume(self, broker, wanted):
        return parse(run(self.command() + ["consume", broker.address] + [f"{t}:{n}" for t, n in wanted.items()], env=self.env()).stdout)

    def admin(self, broker, topic) -> dict:
        out = run(self.command() + ["admin", broker.address, topic], env=self.env()).stdout.decode()
        return dict(line.split("\t", 1) for line in out.splitlines())


class Sarama(Client):
    def __init__(self, version: str):
        self.version = version
        self.name = f"sarama-{version}"
        self.codecs = ("none", "gzip", "snappy", "lz4") + (("zstd",) if version >= "2.1.0" else ())

    def command(self, verb, broker):
        return [counterpart("sarama") / "client", verb, broker.address, self.version]

    def produce(self, broker, topic, records, codec="none", acks="all"):
        run(self.command("produce", broker) + [topic, codec, {"all": "-1"}.get(acks, acks)], input=lines(records))

    def consume(self, broker, wanted):
        return parse(run(self.command("consume", broker) + [f"{t}:{n}" for t, n in wanted.items()]).stdout)


class Kcat(Client):
    """Keys and values are given as lines here: no line ends, no tabs, no nulls but an empty key."""

    name = "kcat"
    timestamps = null_values = False
    plain = True

    def produce(self, broker, topic, records, codec="none", acks="all"):
        if any(r.headers for r in records):  # headers are given for a whole run: one run for each record
            for r in records:
                options = [o for k, v in r.headers for o in ("-H", f"{k}={v.decode()}" if v is not None else k)]
                self.run(broker, topic, [r], codec, acks, options)
        else:
            self.run(broker, topic, records, codec, acks, [])

    @staticmethod
    def run(broker, topic, records, codec, acks, options):
        stdin = b"".join((r.key if r.key is not None else b"") + b"\t" + r.value + b"\n" for r in records)
        run(["kcat", "-P", "-b", broker.address, "-t", topic, "-p", "0", "-K", "\t", "-Z", "-z", codec, "-X", f"acks={acks}"] + options,
            input=stdin)

    def consume(self, broker, wanted):
        topics = {}
        for topic, count in wanted.items():
            out = run(["kcat", "-C", "-q", "-e", "-b", broker.address, "-t", topic, "-p", "0", "-o", "beginning", "-c", count,
                       "-f", "%T %K %S %k%s%h\n"]).stdout
            topics[topic] = list(self.parse(out))
        return topics

    @staticmethod
    def parse(out: bytes):
        while out:
            timestamp, key_size, value_size, rest = out.split(b" ", 3)
            sizes = int(key_size), int(value_size)
            key = None if sizes[0] < 0 else rest[:sizes[0]]
            rest = rest[max(sizes[0], 0):]
            value = None if sizes[1] < 0 else rest[:sizes[1]]
            headers, out = rest[max(sizes[1], 0):].split(b"\n", 1)
            pairs = []
            for pair in headers.split(b",") if headers else []:
                k, v = pair.split(b"=", 1)
                pairs.append((k.decode(), None if v == b"NULL" else v))
            yield Record(int(timestamp), key, value, pairs)


class ConfluentPython(Client):
    name = "confluent-python"

    def produce(self, broker, topic, records, codec="none", acks="all", **options):
        from confluent_kafka import Producer

        failed, offsets = [], []

        def delivered(error, message):
            failed.append(error) if error else offsets.append(message.offset())

        producer = Producer({"bootstrap.servers": broker.address, "compression.type": codec, "acks": acks, "linger.ms": 5, **options})
        for r in records:
            producer.produce(topic, partition=0, key=r.key, value=r.value, headers=r.headers or None,
                             timestamp=r.timestamp or 0, on_delivery=delivered)
            producer.poll(0)
        left = producer.flush(30)
        assert not left and not failed, (left, failed[:3])
        return offsets

    def consume(self, broker, wanted):
        from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

        topics = {topic: [] for topic in wanted}
        left, deadline = sum(wanted.values()), time.monotonic() + 60
        consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in wanted])
        while left:
            assert time.monotonic() < deadline, f"{left} records are missing"
            for m in consumer.consume(min(1000, left), 0.5):
                assert m.error() is None, m.error()
                topics[m.topic()].append(Record(m.timestamp()[1], m.key(), m.value(), m.headers() or []))
                left -= 1
        consumer.close()
        return topics


class KafkaPython(Client):
    """kafka-python; an api_version makes it speak the old formats: message sets v0 below 0.10, v1 below 0.11."""

    def __init__(self, api_version: tuple = None):
        self.api_version = api_version
        self.name = "kafka-python" + ("-" + ".".join(map(str, api_version)) if api_version else "")
        if api_version:
            self.codecs = ("none", "gzip", "snappy") + (("lz4",) if api_version >= (0, 8, 2) else ())
            self.headers = api_version >= (0, 11)
            self.timestamps = self.reads_timestamps = api_version >= (0, 10)

    def produce(self, broker, topic, records, codec="none", acks="all"):
        from kafka import KafkaProducer

        producer = KafkaProducer(bootstrap_servers=broker.address, api_version=self.api_version, acks={"all": "all"}.get(acks) or int(acks),
                                 compression_type=None if codec == "none" else codec, linger_ms=5)
        sent = [producer.send(topic, r.value, r.key, headers=r.headers if self.headers else None, partition=0,
                              timestamp_ms=r.timestamp if self.timestamps else None) for r in records]
        producer.flush(30)
        for one in sent:
            one.get(30)
        producer.close()

    def consume(self, broker, wanted):
        from kafka import KafkaConsumer, TopicPartition

        topics = {}
        for topic, count in wanted.items():
            consumer = KafkaConsumer(bootstrap_servers=broker.address, api_version=self.api_version, group_id=None,
                                     enable_auto_commit=False, auto_offset_reset="earliest", consumer_timeout_ms=30000)
            consumer.assign([TopicPartition(topic, 0)])
            consumer.seek(TopicPartition(topic, 0), 0)
            found = []
            if count:
                for m in consumer:
                    found.append(Record(m.timestamp, m.key, m.value, list(m.headers)))
                    if len(found) == count:
                        break
            consumer.close()
            assert len(found) == count, f"{topic}: {len(found)} of {count}"
            topics[topic] = found
        return topics


JAVA = [Java("2.7.1"), Java("3.9.1"), Java("4.0.0")]
SARAMA = [Sarama("1.0.0"), Sarama("2.1.0")]
KAFKA_PYTHON_OLD = [KafkaPython(v) for v in ((0, 8, 2), (0, 9), (0, 10, 0), (0, 10, 1))]


MAIN_CLASSES = {
    "kafka-topics": {"kafka-2.7.1": "kafka.admin.TopicCommand", "kafka-3.9.1": "org.apache.kafka.tools.TopicCommand"},
    "kafka-console-producer": dict.fromkeys(("kafka-2.7.1", "kafka-3.9.1"), "kafka.tools.ConsoleProducer"),
    "kafka-console-consumer": {"kafka-2.7.1": "kafka.tools.ConsoleConsumer",
                               "kafka-3.9.1": "org.apache.kafka.tools.consumer.ConsoleConsumer"},
}


def console(version: str, which: str, arguments, input: bytes = b"", timeout: float = 60) -> subprocess.CompletedProcess:
    """Kafka's own console producer or consumer of a release, as a process."""
    main = MAIN_CLASSES[f"kafka-console-{which}"][f"kafka-{version}"]
    log4j = counterpart(f"kafka-{version}") / "console-log4j.properties"
    log4j.write_text("log4j.rootLogger=WARN, err\nlog4j.appender.err=org.apache.log4j.ConsoleAppender\n"
                     "log4j.appender.err.Target=System.err\nlog4j.appender.err.layout=org.apache.log4j.SimpleLayout\n")
    libs = counterpart(f"kafka-{version}") / "libs"
    return run(["java", "-Xmx256m", f"-Dlog4j.configuration=file:{log4j}", "-cp", f"{libs}/*", main] + arguments,
               input=input, timeout=timeout)
