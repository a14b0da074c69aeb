"""The pipeline: Filebeat tails growing log files into the broker, and a consumer set as Logstash's kafka input is by default
reads the lines."""

import json
import os
import random
import re
import signal
from pathlib import Path

import pytest

from harness.paths import BROKER, BUILD, REPOSITORY, counterpart
from harness.process import Process, free_port, run, until

FILES = ("access", "app", "audit", "mail")
CHUNK = 400
STEPS = 8
PARTITIONS = 3

# The kafka output of Filebeat's manual, which compresses by gzip and spreads over all partitions, as its version 1.0.0 is a
# default; and one as its newest version allows.
OUTPUTS = {
    "1.0.0-gzip-acks-1": {"version": "1.0.0", "compression": "gzip", "required_acks": 1,
                          "partition.round_robin": {"reachable_only": False}},
    "2.1.0-lz4-acks-all": {"version": "2.1.0", "compression": "lz4", "required_acks": -1,
                           "partition.hash": {"hash": ["log.file.path"]}},
}


SIGTERM_OF_JAVA = 143


def number(line: str) -> int:
    return int(line.split(" ", 1)[0])


class LogFiles:
    """Files that grow. A line begins with its number."""

    WORDS = "connection closed opened by peer user=alice path=/var/lib GET POST timeout 200 404 Grüße \"quoted\" {json} 50% a\\b".split()

    def __init__(self, directory: Path):
        directory.mkdir()
        self.paths = [directory / f"{name}.log" for name in FILES]
        self.pattern = directory / "*.log"
        self.lines = {str(path): [] for path in self.paths}
        self.random = random.Random(5)

    def grow(self):
        for path in self.paths:
            lines = self.lines[str(path)]
            fresh = [f"{len(lines) + i} " + " ".join(self.random.choices(self.WORDS, k=self.random.randrange(1, 30))) for i in range(CHUNK)]
            with open(path, "a") as file:
                file.write("".join(line + "\n" for line in fresh))
            lines += fresh

    def written(self) -> int:
        return sum(len(lines) for lines in self.lines.values())


class Filebeat:
    def __init__(self, directory: Path, files: LogFiles, broker, topic: str, output: dict):
        directory.mkdir()
        self.directory = directory
        settings = {
            "filebeat.inputs": [{"type": "filestream", "id": "logs", "paths": [str(files.pattern)],
                                 "prospector.scanner.check_interval": "1s", "backoff": {"init": "200ms", "max": "500ms"}}],
            # Filebeat's manual: "max_message_bytes: 1000000".
            "output.kafka": {"hosts": [broker.address], "topic": topic, "max_message_bytes": 1000000, "backoff.max": "2s", **output},
        }
        (directory / "filebeat.yml").write_text(json.dumps(settings))  # JSON is YAML
        self.process = None

    def start(self):
        self.process = Process([counterpart("filebeat") / "filebeat", "-e", "-c", self.directory / "filebeat.yml", "--path.home", self.directory],
                               self.directory / "filebeat.out")
        return self

    def stop(self):
        self.process.stop()


class Logstash:
    """A consumer as Logstash's kafka input is; what it read is kept over restarts."""

    def __init__(self, directory: Path, broker, topic: str, threads: int):
        directory.mkdir()
        self.directory, self.broker, self.topic, self.threads = directory, broker, topic, threads
        self.runs = []

    def start(self):
        client = counterpart("java-3.9.1")
        self.runs.append(Process(
            ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{client}/classes:{client}/libs/*", "LogstashInput",
             self.broker.address, self.topic, self.threads], self.directory / f"run-{len(self.runs)}"))
        # By default it begins with what comes after it: it must know its place before the first line is written.
        until(lambda: len(set(re.findall(r"^ready (\d+) ", self.output(), re.M))) == PARTITIONS, 60, "partitions assigned")
        return self

    def output(self) -> str:
        assert self.runs[-1].running(), self.runs[-1].output()[-2000:]
        return self.runs[-1].output()

    def stop(self):
        assert self.runs[-1].stop() == SIGTERM_OF_JAVA

    def read(self) -> list:
        """(partition, file, line) in the order of reading."""
        found = []
        for run_ in self.runs:
            for line in run_.output().split("\n")[:-1]:
                what, partition, _, value = (line + "   ").split(" ", 3)
                if what == "read":
                    event = json.loads(value)
                    found.append((int(partition), event["log"]["file"]["path"], event["message"]))
        return found


class Pipeline:
    def __init__(self, directory: Path, broker, topic: str, output: dict, threads: int = 1):
        self.files = LogFiles(directory / "log")
        self.logstash = Logstash(directory / "logstash", broker, topic, threads).start()
        self.filebeat = Filebeat(directory / "filebeat", self.files, broker, topic, output).start()

    def arrived(self, lines: int):
        """Waits until that many different lines have come through."""
        def all_there():
            assert self.filebeat.process.running(), self.filebeat.process.output()[-2000:]
            return len({(file, line) for _, file, line in self.logstash.read()}) >= lines
        until(all_there, 120, f"{lines} lines")

    def grow(self):
        """The files grow; returns while the last of it is on its way, so that what comes next meets a pipeline at work."""
        before = self.files.written()
        self.files.grow()
        self.arrived(before + 1)

    def end(self) -> list:
        self.arrived(self.files.written())
        self.filebeat.stop()
        self.logstash.stop()
        return self.logstash.read()


def lines_by_file(read) -> dict:
    found = {}
    for _, file, line in read:
        found.setdefault(file, []).append(line)
    return found


@pytest.mark.parametrize("threads", [1, PARTITIONS])
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_line_is_read_once_and_in_order_though_the_consumer_restarts(broker, tmp_path, output, threads):
    topic = broker.create_topic(f"logs-{output}-{threads}", PARTITIONS)
    pipeline = Pipeline(tmp_path, broker, topic, OUTPUTS[output], threads)
    for step in range(STEPS):
        pipeline.grow()
        if step in (STEPS // 3, STEPS // 2):
            pipeline.logstash.stop()
            pipeline.files.grow()
            pipeline.logstash.start()
    read = pipeline.end()

    assert len(read) == pipeline.files.written()
    assert {file: sorted(lines, key=number) for file, lines in lines_by_file(read).items()} == pipeline.files.lines
    # The order is that of a partition; with all lines of a file in one, that of the file.
    for partition in range(PARTITIONS):
        for lines in lines_by_file(one for one in read if one[0] == partition).values():
            assert [number(line) for line in lines] == sorted(number(line) for line in lines)
    if "partition.hash" in OUTPUTS[output]:
        assert lines_by_file(read) == pipeline.files.lines


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_no_line_is_lost_though_the_broker_restarts(broker, tmp_path, output, end):
    topic = broker.create_topic(f"logs-{output}-{end}", PARTITIONS)
    pipeline = Pipeline(tmp_path, broker, topic, OUTPUTS[output])
    for step in range(STEPS):
        pipeline.grow()
        if step in (STEPS // 3, STEPS // 2):
            broker.stop() if end == "stop" else broker.kill()
            pipeline.files.grow()
            broker.start()
    read = pipeline.end()

    assert {file: sorted(set(lines), key=number) for file, lines in lines_by_file(read).items()} == pipeline.files.lines


@pytest.fixture
def started_by_the_script(tmp_path):
    """Properties for a broker that the script starts; what it started is ended by its pid."""
    port = free_port()
    properties = tmp_path / "server.properties"
    properties.write_text(f"listeners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={tmp_path}/data\noffsets.topic.replication.factor=1\n")
    yield f"127.0.0.1:{port}", properties
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(properties).encode() in command.read_bytes().split(b"\0"):
                os.kill(int(command.parent.name), signal.SIGTERM)
        except OSError:
            continue


@pytest.mark.skipif(BROKER != "weir", reason="the README of Weir")
def test_the_readme_and_the_script(started_by_the_script, tmp_path):
    address, properties = started_by_the_script
    text = (REPOSITORY / "README.md").read_text()
    section = re.search(r"^## A log pipeline.*?^```bash\n(.*?)^```\n", text, re.M | re.S)[1]
    commands = [line.split("#")[0].split() for line in section.splitlines()]
    assert [command[0] for command in commands] == ["tools/pipeline.sh", "filebeat", "logstash"]
    environment = {"PATH": f"{counterpart('filebeat')}:{os.environ['PATH']}", "LOG_DIR": str(tmp_path / "logs")}
    script = [REPOSITORY / "tools" / "pipeline.sh", "--bin", BUILD / "bin", "--out", tmp_path / "out", "--bootstrap-server", address]

    said = run(script + ["--config", properties], env=environment).stdout.decode()
    assert f"Started a broker on {address}" in said
    assert re.findall(r"^  sample .* line (\d+)$", said, re.M) == [str(n) for n in range(1, 11)]
    assert said.endswith("All 10 lines are there, in order.\n")

    said = run(script, env=environment).stdout.decode()
    assert f"A broker listens on {address}." in said
    assert said.endswith("All 10 lines are there, in order.\n")
    # The second command, up to its end: Filebeat takes the file as it is, and reaches the broker.
    for what in ("config", "output"):
        run(["filebeat", "test", what, "-c", tmp_path / "out" / "filebeat.yml", "--path.home", tmp_path], env=environment)
