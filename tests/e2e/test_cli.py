"""The command-line programs as operators call them; against Apache Kafka, its own programs of that release."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness.clients import MAIN_CLASSES
from harness.paths import BROKER, BUILD, REPOSITORY, counterpart
from harness.process import Process, free_port, run, until


def program(name: str):
    if BROKER == "weir":
        return [BUILD / "bin" / f"{name}.sh"]
    libs = counterpart(BROKER) / "libs"
    log4j = libs.parent / "cli-log4j.properties"
    log4j.write_text("log4j.rootLogger=WARN, err\nlog4j.appender.err=org.apache.log4j.ConsoleAppender\nlog4j.appender.err.Target=System.err\n"
                     "log4j.appender.err.layout=org.apache.log4j.PatternLayout\n"
                     "log4j.appender.err.layout.ConversionPattern=[%d] %p %m (%c)%n\n")
    return ["java", "-Xmx256m", f"-Dlog4j.configuration=file:{log4j}", "-cp", f"{libs}/*", MAIN_CLASSES[name][BROKER]]


def call(name, *arguments, input=b""):
    """(exit code, stdout, stderr)"""
    done = run(program(name) + list(arguments), input=input, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def topics(broker):
    return lambda *arguments: call("kafka-topics", "--bootstrap-server", broker.address, *arguments)


only_weir = pytest.mark.skipif(BROKER != "weir", reason="a script of Weir's own")


# kafka-topics


def test_a_topics_life(topics):
    assert topics("--create", "--topic", "first", "--partitions", "2", "--replication-factor", "1", "--config", "retention.ms=1000")[:2] == (
        0, "Created topic first.\n")
    code, out, _ = topics("--list")
    assert code == 0 and "first" in out.splitlines()
    code, out, _ = topics("--describe", "--topic", "first")
    head, *parts = out.splitlines()
    assert code == 0
    assert re.fullmatch(r"Topic: first\t(TopicId: \S{22}\t)?PartitionCount: 2\tReplicationFactor: 1\tConfigs: \S*retention.ms=1000\S*", head), head
    for i, line in enumerate(parts):
        assert re.fullmatch(rf"\tTopic: first\tPartition: {i}\tLeader: 0\tReplicas: 0\tIsr: 0(\tElr: N/A\tLastKnownElr: N/A)?", line), line
    assert len(parts) == 2
    assert topics("--alter", "--topic", "first", "--partitions", "4")[:2] == (0, "")
    assert "PartitionCount: 4" in topics("--describe", "--topic", "first")[1]
    assert topics("--delete", "--topic", "first")[:2] == (0, "")
    until(lambda: "first" not in topics("--list")[1].splitlines())


FAILURES = [
    (["--create", "--topic", "exists"], "Topic 'exists' already exists."),
    (["--create", "--topic", "f", "--replication-factor", "3", "--partitions", "1"], "Replication factor: 3 larger than available brokers: 1."),
    (["--alter", "--topic", "exists", "--partitions", "1"], "Topic already has 1 partitions."),
    (["--create", "--topic", "f", "--config", "foo=1"], "Unknown topic config name: foo"),
    (["--create", "--topic", "f", "--config", "retention.ms=x"], "Invalid value x for configuration retention.ms: Not a number of type LONG"),
    (["--create", "--topic", "f", "--partitions", "0"], "The partitions must be greater than 0"),
]


@pytest.mark.parametrize("arguments,text", FAILURES, ids=[" ".join(a[2:]) for a, _ in FAILURES])
def test_topics_fail_with_one_line_and_exit_1(broker, topics, arguments, text):
    if "exists" not in broker.topics:
        broker.create_topic("exists")
    code, out, err = topics(*arguments)
    assert code == 1
    assert text in out + err
    if "greater than 0" not in text:
        assert f"Error while executing topic command : {text}" in out


def test_topics_that_do_not_exist(topics):
    for action in (["--describe"], ["--delete"], ["--alter", "--partitions", "3"]):
        code, out, err = topics(*action, "--topic", "nosuch")
        assert code == 1 and "nosuch" in out + err and "does not exist as expected" in out + err
        assert topics(*action, "--topic", "nosuch", "--if-exists")[:2] == (0, "")


def test_usage(topics):
    code, _, err = topics()
    assert code == 1 and "Command must include exactly one action: --list, --describe, --create, --alter or --delete" in err
    code, _, err = topics("--create")
    assert code == 1 and 'Missing required argument "[topic]"' in err
    code, out, _ = call("kafka-topics", "--version")
    assert code == 0 and re.match(r"\d+\.\d+", out)


# The console programs

def consume(broker, *arguments):
    """(exit code, stdout)"""
    code, out, err = call("kafka-console-consumer", "--bootstrap-server", broker.address, *arguments)
    assert "Processed a total of" in err, err
    return code, out


def test_a_log_file_through_the_console(broker):
    broker.create_topic("xiaopalu")
    log = "".join(f"Jan  1 00:00:{i % 60:02d} host app[{i}]: Grüße, n={i}\n" for i in range(20_000))
    code, _, err = call("kafka-console-producer", "--broker-list", broker.address, "--topic", "xiaopalu", input=log.encode())
    assert code == 0, err
    assert consume(broker, "--topic", "xiaopalu", "--partition", "0", "--offset", "earliest", "--max-messages", "20000") == (0, log)


def test_from_beginning(broker):
    broker.create_topic("beginning", 3)
    call("kafka-console-producer", "--bootstrap-server", broker.address, "--topic", "beginning",
         "--property", "parse.key=true", "--property", "key.separator=:", input=b"".join(b"k%d:v%d\n" % (i, i) for i in range(50)))
    code, out = consume(broker, "--topic", "beginning", "--from-beginning", "--timeout-ms", "8000", "--property", "print.key=true")
    assert code == 0 and sorted(out.splitlines()) == sorted(f"k{i}\tv{i}" for i in range(50))


def test_what_the_consumer_prints(broker):
    from harness.clients import ConfluentPython, Record
    topic = broker.create_topic("printed")
    ConfluentPython().produce(broker, topic, [Record(1700000000000, b"k", b"v", [("h1", b"v1"), ("h2", b"v2")]), Record(1700000000001, b"k2", None, [])])
    shown = ["--property", "print.timestamp=true", "--property", "print.partition=true", "--property", "print.offset=true",
             "--property", "print.headers=true", "--property", "print.key=true"]
    _, out = consume(broker, "--topic", topic, "--partition", "0", "--offset", "0", "--max-messages", "2", *shown)
    assert out == "CreateTime:1700000000000\tPartition:0\tOffset:0\th1:v1,h2:v2\tk\tv\nCreateTime:1700000000001\tPartition:0\tOffset:1\tNO_HEADERS\tk2\tnull\n"


@pytest.mark.parametrize("arguments", [["--topic", "t", "--offset", "5"], ["--topic", "t", "--partition", "0", "--offset", "x"], []],
                         ids=["offset-without-partition", "bad-offset", "no-topic"])
def test_consumer_usage_errors(broker, arguments):
    code, out, err = call("kafka-console-consumer", "--bootstrap-server", broker.address, *arguments)
    assert code == 1 and err.strip()


# kafka-server-start and -stop


@only_weir
def test_start_without_arguments_help_and_version():
    start = BUILD / "bin" / "kafka-server-start.sh"
    done = run([start], check=False)
    assert done.returncode == 1 and b"USAGE: " in done.stdout
    assert run([start, "--help"], check=False).returncode in (0, 1)
    done = run([start, "--version"], check=False)
    assert done.returncode == 0 and done.stdout.strip()


@only_weir
def test_the_operators_file_runs_as_it_is(cluster, tmp_path):
    """Their server.properties with comments behind values; only addresses and paths differ. They stop it with QUIT."""
    zookeeper, port = cluster.zookeeper(), free_port()
    text = (REPOSITORY / "tests" / "data" / "operator-server.properties").read_text()
    for old, new in (("192.168.1.1:2181,192.168.1.2:2181,192.168.1.3:2181", zookeeper.address), ("0.0.0.0:9092", f"0.0.0.0:{port}"),
                     ("192.168.1.1:9092", f"127.0.0.1:{port}"), ("/data/kafka", str(tmp_path / "data"))):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "server.properties").write_text(text)
    broker = Process([BUILD / "bin" / "kafka-server-start.sh", tmp_path / "server.properties"], tmp_path / "out")
    try:
        def listed():
            assert broker.running(), broker.output()
            return b"broker 1 at" in run(["kcat", "-L", "-b", f"127.0.0.1:{port}", "-m", "2"], check=False).stdout
        until(listed, 30)
        run(program("kafka-topics") + ["--bootstrap-server", f"127.0.0.1:{port}", "--create", "--topic", "xiaopalu", "--partitions", "3",
                                         "--replication-factor", "1"])
        run(program("kafka-console-producer") + ["--broker-list", f"127.0.0.1:{port}", "--topic", "xiaopalu"], input=b"one\n")
        start = time.monotonic()
        broker.signal(signal.SIGQUIT)
        broker.popen.wait(10)
        assert time.monotonic() - start < 5
        assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()
    finally:
        broker.kill()


@only_weir
def test_daemon_override_and_stop(cluster, tmp_path):
    port, other = free_port(), free_port()
    properties = tmp_path / "server.properties"
    properties.write_text(f"broker.id=3\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={tmp_path}/data\n")
    env = {"LOG_DIR": str(tmp_path / "logs")}
    done = subprocess.run([BUILD / "bin" / "kafka-server-start.sh", "-daemon", properties, "--override",
                           f"listeners=PLAINTEXT://127.0.0.1:{other}"], env={**os.environ, **env}, timeout=30)
    assert done.returncode == 0

    def brokers():
        return run(["kcat", "-L", "-b", f"127.0.0.1:{other}", "-m", "2"], check=False).stdout
    until(lambda: b"broker 3 at 127.0.0.1" in brokers(), 30)
    (pid,) = [int(p) for p in run(["pgrep", "-f", f"weir-broker {properties}"]).stdout.split()]
    try:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the end of the daemon")
        assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()
    finally:
        if os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGKILL)


@only_weir
@pytest.mark.parametrize("line,words", [
    ("num.partitions=many", ["num.partitions", "many"]), ("broker.id=-7", ["broker.id", "-7"]), ("log.segment.bytes=1", ["log.segment.bytes", "1"]),
    ("listeners=FOO://:9092", ["FOO"]), ("compression.type=rar", ["compression.type", "rar"])], ids=lambda v: v if isinstance(v, str) else "")
def test_a_bad_value_stops_the_start_with_one_line(tmp_path, line, words):
    properties = tmp_path / "server.properties"
    properties.write_text(f"# a comment\nlog.dirs={tmp_path}/data\n{line}\n")
    done = run([BUILD / "bin" / "kafka-server-start.sh", properties], check=False, timeout=30)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 1
    (telling,) = [t for t in said.splitlines() if all(w in t for w in words) and ("ERROR" in t or "FATAL" in t)]
    if not line.startswith("listeners"):
        assert "3" in telling, "the line number"


@only_weir
def test_installed_in_kafkas_layout(cluster, tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    prefix = tmp_path / "prefix"
    run(["cmake", "--install", BUILD, "--prefix", prefix])
    for name in ("kafka-server-start", "kafka-server-stop", "kafka-topics", "kafka-console-producer", "kafka-console-consumer", "kafka-consumer-groups",
                 "kafka-get-offsets", "kafka-transactions", "kafka-verifiable-producer", "kafka-verifiable-consumer"):
        assert (prefix / "bin" / f"{name}.sh").exists(), name
    assert (prefix / "config" / "server.properties").exists()
    port = free_port()
    (tmp_path / "server.properties").write_text(f"listeners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={tmp_path}/data\n")
    broker = Process([prefix / "bin" / "kafka-server-start.sh", tmp_path / "server.properties"], tmp_path / "out", env={"LOG_DIR": str(tmp_path / "logs")})
    try:
        until(lambda: run([prefix / "bin" / "kafka-topics.sh", "--bootstrap-server", f"127.0.0.1:{port}", "--list"], check=False).returncode == 0, 30)
    finally:
        broker.stop(10)
