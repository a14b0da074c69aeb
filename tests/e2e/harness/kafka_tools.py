"""Kafka's own command-line programs beside Weir's: the same words in, exit code, standard output and standard error out."""

import base64
import re
import subprocess
from collections import namedtuple

from harness.paths import BUILD, E2E, counterpart

Done = namedtuple("Done", "code out err")

GROUPS = {"2.7.1": "kafka.admin.ConsumerGroupCommand", "3.9.1": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"}
OFFSETS = {"2.7.1": "kafka.tools.GetOffsetShell", "3.9.1": "org.apache.kafka.tools.GetOffsetShell"}
TRANSACTIONS = {"3.9.1": "org.apache.kafka.tools.TransactionsCommand"}
TOPICS = {"2.7.1": "kafka.admin.TopicCommand", "3.9.1": "org.apache.kafka.tools.TopicCommand"}
REASSIGN = {"2.7.1": "kafka.admin.ReassignPartitionsCommand", "3.9.1": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"}
ELECTION = {"2.7.1": "kafka.admin.LeaderElectionCommand", "3.9.1": "org.apache.kafka.tools.LeaderElectionCommand"}
VERIFICATION = {"2.7.1": "kafka.tools.ReplicaVerificationTool", "3.9.1": "org.apache.kafka.tools.ReplicaVerificationTool"}
LOG4J = """log4j.rootLogger=WARN, err
log4j.appender.err=org.apache.log4j.ConsoleAppender
log4j.appender.err.Target=System.err
log4j.appender.err.follow=true
log4j.appender.err.layout=org.apache.log4j.PatternLayout
log4j.appender.err.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


class KafkaTools:
    """One JVM with the programs of a release; ends with `close` or with the test."""

    def __init__(self, release: str, directory):
        self.release = release
        libs = counterpart(f"kafka-{release}") / "libs"
        (directory / "tools-log4j.properties").write_text(LOG4J)
        (directory / "tools.policy").write_text("grant { permission java.security.AllPermission; };\n")
        self.jvm = subprocess.Popen(
            ["java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-Djava.security.manager=allow",
             f"-Djava.security.policy=={directory}/tools.policy", f"-Dlog4j.configuration=file:{directory}/tools-log4j.properties",
             "-cp", f"{libs}/*", E2E / "clients" / "java" / "CommandLoop.java"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def run(self, mains: dict, *arguments) -> Done:
        words = [mains[self.release], *map(str, arguments)]
        self.jvm.stdin.write(b" ".join(base64.b64encode(w.encode()) for w in words) + b"\n")
        self.jvm.stdin.flush()
        line = self.jvm.stdout.readline()
        assert line, "the JVM with Kafka's programs has ended"
        code, out, err = line.decode().rstrip("\n").split(" ")
        return Done(int(code), base64.b64decode(out).decode(), base64.b64decode(err).decode())

    def close(self):
        self.jvm.stdin.close()
        self.jvm.wait(30)


def ours(tool: str, *arguments, timeout: float = 90) -> Done:
    done = subprocess.run([BUILD / "bin" / f"kafka-{tool}.sh", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def said(err: str) -> list:
    """What standard error says, without dates, stacks, and the table of options."""
    lines = []
    for line in err.splitlines():
        if line.startswith("Option  "):
            break
        line = re.sub(r"^\[[^]]*\] ", "", line)
        if line and not line.startswith(("\tat ", "\t...", "Caused by: ", "WARNING: ")):
            lines.append(line)
    return lines
