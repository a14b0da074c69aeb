"""Weir's command-line programs, held against Apache Kafka's own: the same commands, the same standard output and exit
code. And the commands operators run: start, produce, consume, stop."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness import wire
from harness.paths import BUILD, counterpart
from harness.process import Process, free_port, until
from harness.records import batch

JAVA_MAIN = {"topics": "kafka.admin.TopicCommand", "console-producer": "kafka.tools.ConsoleProducer",
             "console-consumer": "kafka.tools.ConsoleConsumer", "delete-records": "kafka.admin.DeleteRecordsCommand",
             "log-dirs": "kafka.admin.LogDirsCommand"}


def ours(tool: str, *arguments, input: bytes = b"", timeout: float = 90, bin: Path = BUILD / "bin"):
    return subprocess.run([str(bin / f"kafka-{tool}.sh"), *map(str, arguments)], input=input, capture_output=True, timeout=timeout)


def kafkas(tool: str, *arguments, input: bytes = b"", timeout: float = 90):
    libs = counterpart("kafka-2.7.1") / "libs"
    log4j = counterpart("kafka-2.7.1") / "cli-log4j.properties"
    log4j.write_text("log4j.rootLogger=WARN, err\nlog4j.appender.err=org.apache.log4j.ConsoleAppender\n"
                     "log4j.appender.err.Target=System.err\nlog4j.appender.err.layout=org.apache.log4j.PatternLayout\n"
                     "log4j.appender.err.layout.ConversionPattern=[%d] %p %m (%c)%n\n")
    return subprocess.run(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", f"-Dlog4j.configuration=file:{log4j}", "-cp", f"{libs}/*",
                           JAVA_MAIN[tool], *map(str, arguments)], input=input, capture_output=True, timeout=timeout)


def topics(broker, line: str, prefix: str):
    return ["--bootstrap-server", broker.address, *(word.replace("@", prefix) for word in line.split("|"))]


# In this order; | between words, @ for what keeps the two tools' topics apart.
TOPIC_COMMANDS = """--create|--topic|@a|--partitions|3
--create|--topic|@a
--create|--topic|@a|--if-not-exists
--create|--topic|@my_t.x|--config|retention.ms=1000|--config|cleanup.policy=compact
--create|--topic|@zero|--partitions|0
--create|--topic|@many|--replication-factor|9
--create|--topic|@none|--replication-factor|0
--create|--topic|@b d
--create|--topic|@c|--config|foo=bar
--create|--topic|@c|--config|retention.ms=x
--create|--topic|@c|--config|retention.ms
--create|--topic|@c|--replica-assignment|0,0
--create|--topic|@d|--replica-assignment|0:0,0
--create|--topic|@d|--replica-assignment|x
--create|--topic|@d|--replica-assignment|0|--partitions|2
--create|--topic|@d|--partitions|x
--create|--topic|@d|--if-exists
--create|--topic|@d|--under-replicated-partitions
--list|--topic|@.*
--list|--topic|@a, @nosuch
--list|--topic|@nosuch
--list|--topic|@[
--list|--partitions|3
--describe|--topic|@a
-describe|--topic=@my_t.x
--describe|--topic|@nosuch
--describe|--topic|@nosuch|--if-exists
--describe|--topic|@my.*|--topics-with-overrides
--describe|--topic|@a|--at-min-isr-partitions
--describe|--topic|@a|--under-min-isr-partitions
--describe|--topic|@a|--under-replicated-partitions
--describe|--topic|@a|--unavailable-partitions
--describe|--under-replicated-partitions|--at-min-isr-partitions
--alter|--topic|@a|--partitions|2
--alter|--topic|@a|--partitions|3
--alter|--topic|@a|--partitions|4
--alter|--topic|@a|--partitions|5|--replica-assignment|0,0,0,0,0
--alter|--topic|@nosuch|--partitions|5
--alter|--topic|@nosuch|--partitions|5|--if-exists
--alter|--topic|@a
--alter|--topic|@a|--config|retention.ms=3
--describe|--topic|@a
--delete|--topic|@nosuch
--delete|--topic|@nosuch|--if-exists
--delete|--topic|@a|--partitions|1
--delete
--list|--describe
--foo
--delete|--topic|@a,@c
--list|--topic|@.*""".splitlines()


def first_error_line(stderr: bytes) -> str:
    """The line that says what is wrong, without its date; Java's stack and our own words in the option table vary."""
    for line in stderr.decode().splitlines():
        if not line.startswith("Option  ") and "WARN" not in line:
            return re.sub(r"^\[[^]]*\] ", "", line)
    return ""


def test_kafka_topics_prints_what_kafkas_own_does(broker):
    differences = []
    for line in TOPIC_COMMANDS:
        expected = kafkas("topics", *topics(broker, line, "cli-j"))
        found = ours("topics", *topics(broker, line, "cli-w"))
        want = (expected.returncode, expected.stdout.replace(b"cli-j", b"cli-w"),
                first_error_line(expected.stderr).replace("cli-j", "cli-w"))
        got = (found.returncode, found.stdout, first_error_line(found.stderr))
        if want != got:
            differences.append(f"{line}\n  kafka {want}\n  weir  {got}")
    assert not differences, "\n".join(differences)


DELETIONS = ['{"partitions": [{"topic": "@", "partition": 0, "offset": 2}], "version": 1}',
             '{"partitions": [{"topic": "@", "partition": 0, "offset": 1}, {"topic": "@", "partition": 1, "offset": 1}]}',
             '{"partitions": [{"topic": "@", "partition": 0, "offset": -1}, {"topic": "@", "partition": 5, "offset": 0}]}',
             '{"partitions": [{"topic": "@nosuch", "partition": 0, "offset": 0}]}',
             '{"partitions": [{"topic": "@", "partition": 0, "offset": 1}, {"topic": "@", "partition": 0, "offset": 2}]}',
             '{"partitions": []}', "{", '{"version": 1}', '{"version": 2, "partitions": []}']


def test_kafka_delete_records_prints_what_kafkas_own_does(broker, tmp_path):
    differences = []
    for tool, topic in ((kafkas, "cli-j-del"), (ours, "cli-w-del")):
        broker.create_topic(topic, 2)
        with broker.connect() as connection:
            assert wire.produce(connection, topic, batch([(None, b"x")] * 10))["error_code"] == 0
        differences.append([])
        path = tmp_path / "offsets.json"
        calls = [["--bootstrap-server", broker.address, "--offset-json-file", path]] * len(DELETIONS)
        calls += [[], ["--bootstrap-server", broker.address], ["--foo"], ["--bootstrap-server", broker.address, "--offset-json-file", "/nonexistent"]]
        for arguments, text in zip(calls, DELETIONS + [""] * 4):
            path.write_text(text.replace("@", topic))
            done = tool("delete-records", *arguments)
            rows = sorted(done.stdout.decode().replace(topic, "@").splitlines())
            differences[-1].append((text, done.returncode, rows, first_error_line(done.stderr).replace(topic, "@")))
    assert differences[0] == differences[1]


def test_kafka_log_dirs_prints_what_kafkas_own_does(broker):
    broker.create_topic("cli-dirs", 2)
    assert ours("console-producer", "--bootstrap-server", broker.address, "--topic", "cli-dirs", "--sync", input=b"x\n").returncode == 0
    server = ["--bootstrap-server", broker.address]
    differences = []
    for arguments in ([*server, "--describe"], [*server, "--describe", "--topic-list", "cli-dirs,nosuch"],
                      [*server, "--describe", "--broker-list", "0,"], [*server, "--describe", "--broker-list", "x"],
                      [], server, ["--describe"], [*server, "--describe", "--foo"]):
        results = []
        for tool in (kafkas, ours):
            done = tool("log-dirs", *arguments)
            *head, last = done.stdout.decode().splitlines() or [""]
            if last.startswith("{"):
                last = json.loads(last)
                for directory in last["brokers"][0]["logDirs"]:
                    directory["partitions"].sort(key=lambda p: p["partition"])
            results.append((done.returncode, head, last, first_error_line(done.stderr)))
        if results[0] != results[1]:
            differences.append(f"{arguments}\n  kafka {results[0]}\n  weir  {results[1]}")
    assert not differences, "\n".join(differences)
    assert ours("log-dirs", *server, "--describe", "--broker-list", "0,9,8").stderr == (
        b"ERROR: The given brokers do not exist from --broker-list: 9,8. Current existent brokers: 0\n")


CONSOLE_REFUSALS = [
    ("console-producer", ["--bootstrap-server", "@"]),
    ("console-producer", ["--topic", "t"]),
    ("console-producer", []),
    ("console-producer", ["--bootstrap-server", "127.0.0.1", "--topic", "t"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "t", "--foo"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "t", "--batch-size", "x"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "t", "--compression-codec", "foo"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "t", "--request-required-acks", "foo"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "t", "--producer-property", "linger.ms=x"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "t", "--line-reader", "foo.Bar"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "t", "--topic", "u"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "cli-refused", "--property", "parse.key=true"]),
    ("console-producer", ["--bootstrap-server", "@", "--topic", "cli-refused", "--sync", "--producer-property",
                          "max.request.size=1"]),
    ("console-consumer", []),
    ("console-consumer", ["--bootstrap-server", "@"]),
    ("console-consumer", ["--topic", "t"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--whitelist", "t"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--offset", "3"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--partition", "0", "--offset", "x"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--partition", "0", "--offset", "0", "--from-beginning"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--partition", "0", "--group", "g"]),
    ("console-consumer", ["--bootstrap-server", "@", "--whitelist", "t", "--partition", "0"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--max-messages", "x"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--foo"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--from-beginning", "--consumer-property",
                          "auto.offset.reset=latest"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--group", "a", "--consumer-property", "group.id=b"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--isolation-level", "foo"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--formatter", "foo.Bar"]),
    ("console-consumer", ["--bootstrap-server", "@", "--topic", "t", "--consumer.config", "/nonexistent"]),
]


def test_the_console_tools_refuse_as_kafkas_own_do(broker):
    differences = []
    for tool, arguments in CONSOLE_REFUSALS:
        arguments = [a.replace("@", broker.address) for a in arguments]
        results = [(r.returncode, r.stdout, first_error_line(r.stderr))
                   for r in (kafkas(tool, *arguments, input=b"l1\nl2\n"), ours(tool, *arguments, input=b"l1\nl2\n"))]
        if results[0] != results[1]:
            differences.append(f"{tool} {arguments}\n  kafka {results[0]}\n  weir  {results[1]}")
    assert not differences, "\n".join(differences)


def test_what_the_producer_sends_the_consumer_shows(broker, topic):
    sent = ours("console-producer", "--broker-list", broker.address, "--topic", topic, "--property", "parse.key=true",
                "--property", "parse.headers=true", "--property", "null.marker=NUL", "--compression-codec", "lz4",
                input=b"h1:v1,h2:NUL\tk1\tone\nh:\tNUL\tNUL\nh:x\tk3\t\n")
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, b">>>>", b"")
    everything = [word for name in ("timestamp", "partition", "offset", "headers", "key")
                  for word in ("--property", f"print.{name}=true")]
    arguments = ["--bootstrap-server", broker.address, "--topic", topic, "--from-beginning", "--max-messages", "3", *everything]
    shown = ours("console-consumer", *arguments)
    assert shown.stderr == b"Processed a total of 3 messages\n"
    assert re.sub(rb"CreateTime:\d{13}", b"T", shown.stdout) == (
        b"T\tPartition:0\tOffset:0\th1:v1,h2:null\tk1\tone\n"
        b"T\tPartition:0\tOffset:1\th:\tnull\tnull\n"
        b"T\tPartition:0\tOffset:2\th:x\tk3\t\n")
    by_partition = ["--bootstrap-server", broker.address, "--topic", topic, "--partition", "0", "--offset", "earliest",
                    "--max-messages", "3", *everything]
    assert kafkas("console-consumer", *by_partition).stdout == shown.stdout


def test_a_log_file_goes_through_both_tools_unchanged(broker):
    name = "cli-log"
    log = b"".join(b"Jan  1 00:00:%02d host app[%d]: something happened, n=%d \xff\x00\n" % (i % 60, i, i) for i in range(100_000))
    assert ours("topics", "--bootstrap-server", broker.address, "--create", "--topic", name, "--partitions", "1").returncode == 0
    assert ours("console-producer", "--bootstrap-server", broker.address, "--topic", name, input=log).returncode == 0
    read = ours("console-consumer", "--bootstrap-server", broker.address, "--topic", name, "--from-beginning", "--max-messages", "100000")
    assert read.stdout == log
    tail = ours("console-consumer", "--bootstrap-server", broker.address, "--topic", name, "--partition", "0", "--offset", "99998",
                "--timeout-ms", "3000")
    assert tail.stdout == b"".join(log.splitlines(keepends=True)[-2:])
    assert tail.returncode == 0
    assert b"org.apache.kafka.common.errors.TimeoutException\nProcessed a total of 2 messages\n" in tail.stderr


def test_a_consumer_that_waits_for_its_topic_misses_no_record(broker, tmp_path):
    name = "cli-later"
    waiting = Process([BUILD / "bin" / "kafka-console-consumer.sh", "--bootstrap-server", broker.address, "--topic", name],
                      tmp_path / "out")
    try:
        until(lambda: name in ours("topics", "--bootstrap-server", broker.address, "--list").stdout.decode().split(), 30,
              "the topic, made by asking for it")
        assert ours("console-producer", "--bootstrap-server", broker.address, "--topic", name, "--sync",
                    input=b"first\nsecond\n").returncode == 0
        until(lambda: "first\nsecond\n" in waiting.output(), 30, "both records")
        os.kill(waiting.pid, signal.SIGINT)
        assert waiting.popen.wait(20) == 130
        assert "Processed a total of 2 messages" in waiting.output()
    finally:
        waiting.kill()


def test_a_partition_and_a_topic_added_later_are_read(broker, tmp_path):
    server = ["--bootstrap-server", broker.address]
    assert ours("topics", *server, "--create", "--topic", "cli-grow-a", "--partitions", "1").returncode == 0
    waiting = Process([BUILD / "bin" / "kafka-console-consumer.sh", *server, "--include", "cli-grow-.*", "--from-beginning",
                       "--consumer-property", "metadata.max.age.ms=500"], tmp_path / "out")
    try:
        assert ours("console-producer", *server, "--topic", "cli-grow-a", input=b"one\n").returncode == 0
        until(lambda: "one\n" in waiting.output(), 30, "the first topic's record")
        assert ours("topics", *server, "--create", "--topic", "cli-grow-b", "--partitions", "2").returncode == 0
        assert ours("console-producer", *server, "--topic", "cli-grow-b", input=b"two\nthree\n").returncode == 0
        until(lambda: "two\n" in waiting.output() and "three\n" in waiting.output(), 30, "the second topic's records")
    finally:
        waiting.kill()


def test_help_and_version(broker):
    for tool in JAVA_MAIN:
        shown = ours(tool, "--help")
        assert (shown.returncode, shown.stdout) == (1, b"")
        lines = shown.stderr.decode().splitlines()
        assert lines[1] == f"{'Option':39}  {'Description':39}"
        assert all(len(line) == 80 for line in lines[1:])
        options = [line.split()[0] for line in lines[3:] if line.startswith("--")]
        assert options == sorted(options)
        theirs = {line.split()[0] for line in kafkas(tool, "--help").stderr.decode().splitlines()[3:] if line.startswith("--")}
        assert theirs <= set(options)
        version = ours(tool, "--version")
        assert version.returncode == 0 and version.stdout.startswith(b"2.7.1 (")


def test_without_a_broker_the_tools_say_so_and_give_up(tmp_path):
    nobody = f"127.0.0.1:{free_port()}"
    config = tmp_path / "admin.properties"
    config.write_text("default.api.timeout.ms=1500\nrequest.timeout.ms=1000\n")
    gone = ours("topics", "--bootstrap-server", nobody, "--list", "--command-config", config)
    assert gone.returncode == 1
    assert gone.stdout.startswith(b"Error while executing topic command : Call(callName=listTopics, deadlineMs=")
    warning = (f"WARN [AdminClient clientId=adminclient-1] Connection to node -1 (/{nobody}) could not be established. "
               "Broker may not be available. (org.apache.kafka.clients.NetworkClient)\n").encode()
    assert gone.stderr.count(warning) > 3
    sent = ours("console-producer", "--bootstrap-server", nobody, "--topic", "t1", "--max-block-ms", "1500", input=b"x\n")
    assert sent.returncode == 0
    assert b"Error when sending message to topic t1 with key: null, value: 1 bytes with error:" in sent.stderr
    assert b"org.apache.kafka.common.errors.TimeoutException: Topic t1 not present in metadata after 1500 ms." in sent.stderr
    read = ours("console-consumer", "--bootstrap-server", nobody, "--topic", "t1", "--timeout-ms", "1500")
    assert read.returncode == 0
    assert f"Bootstrap broker {nobody} (id: -1 rack: null) disconnected".encode() in read.stderr
    assert read.stderr.endswith(b"Processed a total of 0 messages\n")


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installation")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True)
    return prefix


def test_an_installation_has_kafkas_layout(installation):
    assert (installation / "config" / "server.properties").is_file()
    for script in ["server-start", "server-stop", *JAVA_MAIN]:
        assert os.access(installation / "bin" / f"kafka-{script}.sh", os.X_OK)
    usage = ours("server-start", bin=installation / "bin")
    assert usage.returncode == 1
    assert usage.stdout.decode() == (f"USAGE: {installation}/bin/kafka-server-start.sh [-daemon] server.properties "
                                     "[--override property=value]*\n")
    nothing = ours("server-stop", bin=installation / "bin")
    assert (nothing.returncode, nothing.stdout) == (1, b"No kafka server to stop\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_the_operators_commands_from_start_to_stop(kind, installation, tmp_path, number):
    if kind != "weir":
        pytest.skip("these are Weir's own scripts")
    server = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, "LOG_DIR": str(tmp_path / "logs"), "SIGNAL": number.name.removeprefix("SIG"), "KAFKA_HEAP_OPTS": "-Xmx1g"}

    def script(name, *arguments, **more):
        return subprocess.run([f"./kafka-{name}.sh", *arguments], cwd=installation / "bin", env=environment, capture_output=True,
                              timeout=60, **more)

    started = script("server-start", "-daemon", "../config/server.properties", "--override", f"listeners=PLAINTEXT://{server}",
                     "--override", f"log.dirs={tmp_path}/data")
    assert started.returncode == 0
    try:
        until(lambda: script("topics", "--bootstrap-server", server, "--list").returncode == 0, 30, "the broker")
        assert script("console-producer", "--broker-list", server, "--topic", "xiaopalu", input=b"hello\n").returncode == 0
        read = script("console-consumer", "--bootstrap-server", server, "--topic", "xiaopalu", "--from-beginning", "--max-messages", "1")
        assert read.stdout == b"hello\n"
        assert script("server-stop", "--node-id=77").returncode == 1
        assert (tmp_path / "logs" / "kafkaServer.out").stat().st_size > 0
        assert script("server-stop", "--node-id=0").returncode == 0
        until(lambda: script("server-stop").returncode == 1, 10, "the end of the broker")
    finally:
        environment["SIGNAL"] = "KILL"
        script("server-stop")
