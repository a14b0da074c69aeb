"""The broker under test: Weir, or Apache Kafka in ZooKeeper mode to prove the test itself."""

import signal
from pathlib import Path

from harness import wire
from harness.paths import BROKER, BUILD, counterpart
from harness.process import Process, free_port, until
from harness.zookeeper import ZooKeeper

LOG4J = """log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


class Broker:
    """One broker with its own directory and port. `settings` overrides the properties; None removes one."""

    def __init__(self, directory: Path, kind: str = BROKER, zookeeper: ZooKeeper = None, settings: dict = None):
        self.kind = kind
        self.directory = directory
        self.host = "127.0.0.1"
        self.port = free_port()
        self.zookeeper = zookeeper
        self.process = None
        self.paused = False
        self.heap = "1g"  # of a JVM
        self.prefix = []  # what the command runs in
        self.topics = {}
        directory.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "broker.id": "0",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": str(directory / "data"),
            "num.partitions": "1",
            "log.retention.ms": "-1",  # records of the tests may be old
            "default.replication.factor": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "offsets.topic.num.partitions": "5",
            "group.initial.rebalance.delay.ms": "0",
            "zookeeper.session.timeout.ms": "3000",
            "zookeeper.connection.timeout.ms": "15000",
            "log.cleaner.dedupe.buffer.size": "16777216",
            "controlled.shutdown.enable": "false",
        }
        if zookeeper:
            self.settings["zookeeper.connect"] = zookeeper.address
        self.settings.update(settings or {})
        if kind != "weir" and "zookeeper.connect" not in self.settings:
            raise ValueError("Apache Kafka needs a ZooKeeper")

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def data(self) -> Path:
        return Path(self.settings["log.dirs"].split(",")[0])

    def command(self):
        properties = self.directory / "server.properties"
        properties.write_text("".join(f"{k}={v}\n" for k, v in self.settings.items() if v is not None))
        if self.kind == "weir":
            return [BUILD / "bin" / "kafka-server-start.sh", properties]
        (self.directory / "log4j.properties").write_text(LOG4J)
        libs = counterpart(self.kind) / "libs"
        return ["java", "-Xms256m", f"-Xmx{self.heap}", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Djava.awt.headless=true",
                f"-Dlog4j.configuration=file:{self.directory}/log4j.properties", "-cp", f"{libs}/*", "kafka.Kafka", properties]

    def launch(self):
        """Starts the process without waiting until it serves."""
        self.process = Process(self.prefix + self.command(), self.directory / "broker.log", env={"LOG_DIR": str(self.directory / "logs")})
        return self

    def start(self, seconds: float = 60):
        """Starts the broker and waits until it serves, with every topic that `create_topic` made. As a supervisor would, starts it again while it gives up at once:
        Apache Kafka does after a kill, until the ZooKeeper session of its predecessor has expired."""
        self.launch()
        return self.wait(seconds)

    def wait(self, seconds: float = 60):
        def ready():
            if not self.process.running():
                if self.kind == "weir":
                    raise RuntimeError(f"the broker ended with {self.process.popen.returncode}:\n{self.output()[-6000:]}")
                self.launch()
            return self.ready()

        until(ready, seconds, f"{self.kind} on port {self.port}")
        with wire.Connection(self.address) as connection:
            for name, partitions in self.topics.items():
                wire.wait_for_leaders(connection, name, partitions)
        if BROKER == "kafka-2.7.1":
            with wire.Connection(self.address) as connection:
                served = connection.request("API_VERSIONS", 0, {})["api_keys"]
                wire.Connection.served = {api["api_key"]: api["max_version"] for api in served}
        return self

    def ready(self) -> bool:
        try:
            with wire.Connection(self.address, timeout=5) as connection:
                return bool(connection.request("METADATA", 1, {"topics": []})["brokers"])
        except (OSError, EOFError):
            return False

    def output(self) -> str:
        return self.process.output() if self.process else ""

    def stop(self, seconds: float = 30) -> int:
        process, self.process = self.process, None
        return process.stop(seconds) if process else 0

    def kill(self):
        process, self.process = self.process, None
        self.paused = False
        if process:
            process.kill()

    def pause(self):
        self.paused = True
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)
        self.paused = False

    def connect(self, timeout: float = 20) -> "wire.Connection":
        return wire.Connection(self.address, timeout)

    def create_topic(self, name: str, partitions: int = 1, configs: dict = None):
        with self.connect() as connection:
            wire.create_topic(connection, name, partitions, configs or {})
        self.topics[name] = partitions
        return name
