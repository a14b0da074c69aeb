"""Programs in every client's language that host members of groups, transactional workers and transactional producers.

A program reads one command a line on its stdin and ends with it:

    join <member> group= topics=<a,b> strategy= session=<ms> [instance=]     becomes a member, reads and commits, until
    leave <member>                                                           it leaves in order, as the library does
    work <worker> group= input= output= txn= session=<ms> [timeout=<ms>]     copies a topic in transactions, adding "!"
    init <producer> txn= [timeout=<ms>]     then  begin | send topic= partition= value= | commit | abort  <producer>

and tells what happens, one JSON object a line: `at` (seconds of the wall clock), `member`, `event`, and with it
    ready
    assigned      partitions [[topic, partition] ...], what is added; id and generation where the library tells them
    revoked lost  partitions, told before they are given back
    read          records [[topic, partition, offset, value] ...]
    committed     offsets [[topic, partition, offset] ...], acknowledged by the coordinator
    transaction   count, of records whose copies are committed
    done refused  what, and the library's error: of a step, or one that the program goes on after
    left          after leave
    fenced        of a worker: another has its transactional id now; it ends
    died          error: something went wrong that must not"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from harness.clients import JAVA, KafkaJs
from harness.paths import E2E, counterpart
from harness.process import LIBC, PR_SET_PDEATHSIG, until


class Library:
    def __init__(self, name, command, strategies, static=False, env=None):
        self.name, self.command, self.strategies, self.static, self.env = name, command, strategies, static, env or (lambda: {})

    def __repr__(self):
        return self.name


def java(version):
    directory = lambda: counterpart(f"java-{version}")  # noqa: E731
    return Library(f"java-{version}", lambda address: ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                                                       f"{directory()}/classes:{directory()}/libs/*", "Host", address],
                   ["range", "roundrobin", "sticky", "cooperative-sticky"], static=True)


def sarama(version):
    return Library(f"sarama-{version}", lambda address: [counterpart("sarama") / "client", "host", address, version],
                   ["range", "roundrobin", "sticky"], static=version >= "2.3.0")


PYTHON = E2E / "clients" / "python" / "host.py"
JAVAS = [java(client.version) for client in JAVA]
CONFLUENT = Library("confluent", lambda address: [sys.executable, PYTHON, "confluent", address], ["range", "roundrobin", "cooperative-sticky"], static=True)
# Its sticky strategy fails in itself as soon as a member that has partitions joins again (2.0.2 on Python 3).
KAFKA_PYTHON = Library("kafka-python", lambda address: [sys.executable, PYTHON, "kafka-python", address], ["range", "roundrobin"])
SARAMA = sarama("2.7.0")
SARAMA_AS_FILEBEAT = sarama("1.0.0")
FRANZ_GO = Library("franz-go", lambda address: [counterpart("franz-go") / "client", address], ["range", "roundrobin", "sticky", "cooperative-sticky"], static=True)
KAFKAJS = Library("kafkajs", lambda address: ["node", E2E / "clients" / "kafkajs" / "host.js", address], ["RoundRobinAssigner", "range"], env=lambda: KafkaJs().env())


class History:
    """What all programs of a test told, in the order in which it came in."""

    def __init__(self):
        self.lock = threading.Lock()
        self.events = []

    def add(self, event: dict):
        with self.lock:
            self.events.append(event)

    def placed(self, *kinds, members=None, start: int = 0) -> list:
        """(place, event) of these kinds from the `start`-th on; one member told them in this order."""
        with self.lock:
            events = self.events[start:]
        return [(place, e) for place, e in enumerate(events, start) if e["event"] in kinds and (members is None or e["member"] in members)]

    def all(self, *kinds, members=None, start: int = 0) -> list:
        return [e for _, e in self.placed(*kinds, members=members, start=start)]

    def check(self):
        died = self.all("died")
        assert not died, died

    def until(self, condition, seconds: float, what: str):
        def checked():
            self.check()
            return condition()

        return until(checked, seconds, what)


class Host:
    """One process of a library."""

    def __init__(self, library: Library, address: str, history: History, directory):
        self.library, self.history, self.members = library, history, []
        self.errors = directory / f"host-{library}-{len(history.events)}.err"
        self.ready = False
        with open(self.errors, "ab") as errors:
            self.popen = subprocess.Popen(
                [str(c) for c in library.command(address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                env={**os.environ, **library.env()}, start_new_session=True, preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def listen(self):
        for line in self.popen.stdout:
            try:
                event = json.loads(line)
            except ValueError:  # the last line of one that was killed
                continue
            if event["event"] == "ready":
                self.ready = True
            else:
                self.history.add(event)

    def tell(self, what, name, **options):
        until(lambda: self.ready or self.popen.poll() is not None, 30, f"a host of {self.library}")
        assert self.popen.poll() is None, f"{self.library} ended:\n{self.errors.read_text()[-3000:]}"
        line = " ".join([what, name, *(f"{k}={v}" for k, v in options.items() if v is not None)])
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def join(self, name, **options):
        self.members.append(name)
        self.tell("join", name, **options)

    def work(self, name, **options):
        self.members.append(name)
        self.tell("work", name, **options)

    def leave(self, name):
        self.tell("leave", name)

    def step(self, what, name, **options) -> dict:
        """One step of a transactional producer: how it ended."""
        start = len(self.history.events)
        self.tell(what, name, **options)
        ended = lambda: [e for e in self.history.all("done", "refused", members={name}, start=start) if e["what"] == what]  # noqa: E731
        return self.history.until(ended, 90, f"{what} of {name} in {self.library}")[0]

    def kill(self):
        """kill -9: its members tell nothing any more."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(30)
        self.reader.join(30)
        for name in self.members:
            self.history.add({"at": time.time(), "member": name, "event": "killed"})
        self.members = []

    def signal(self, number):
        os.killpg(self.popen.pid, number)
