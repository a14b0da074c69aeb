"""tools/cluster.sh, which people start a cluster with; and what operators of three machines have, on three loopback addresses."""

import re
import signal
import os

import pytest

from harness import wire
from harness.broker import Broker
from harness.brokers import Brokers, quietly
from harness.paths import BROKER, BUILD, REPOSITORY
from harness.process import Process, free_port, run, until
from harness.records import batch
from harness.zookeeper import CLASSPATH


@pytest.fixture
def script(tmp_path):
    if BROKER != "weir":
        pytest.skip("a script of Weir's")
    options = ["--dir", tmp_path / "c", "--bin", BUILD / "bin", "--port", free_port(), "--zookeeper-port", free_port()]

    def call(*arguments, check: bool = True):
        done = run([REPOSITORY / "tools" / "cluster.sh", *arguments, *options], check=check)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    call.port = options[5]
    call.directory = tmp_path / "c"
    yield call
    call("down", "--purge", check=False)


def test_up_status_down(script):
    assert script("status", check=False)[0] == 3
    _, told, _ = script("up", "--set", "zookeeper.session.timeout.ms=2000")
    for n in (1, 2, 3):
        assert f"Broker {n} runs on 127.0.0.{n}:{script.port}.\n" in told
    assert f"Clients begin with any of its addresses:  127.0.0.1:{script.port},127.0.0.2:{script.port},127.0.0.3:{script.port}\n" in told
    commands = re.findall(r"^  (\S+/kafka-topics.sh .*)$", told, re.MULTILINE)
    assert run(commands[0].split()).stdout == b"Created topic log.\n"
    assert b"PartitionCount: 3\tReplicationFactor: 3" in run(commands[1].split()).stdout
    _, told, _ = script("up")
    assert told.count("runs already") == 4

    pid = int((script.directory / "broker-2" / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    until(lambda: "Broker 2   127.0.0.2:" in (told := script("status")[1]) and "does not run; its log" in told, 10)
    until(lambda: "Partitions with replicas out of sync:\n\tTopic: log" in script("status")[1], 30, "a report of what is out of sync")
    assert f"Broker 2 runs on 127.0.0.2:{script.port}.\n" in script("up", "--brokers", "4")[1]
    until(lambda: script("status")[1].endswith("All partitions have all their replicas in sync.\n"), 30, "all replicas")
    with wire.Connection(f"127.0.0.4:{script.port}") as connection:
        assert sorted(b["node_id"] for b in connection.request("METADATA", 1, {"topics": []})["brokers"]) == [1, 2, 3, 4]

    _, told, _ = script("down")
    assert told.count("has stopped.") == 5
    _, told, _ = script("down", "--purge")
    assert told.count("does not run.") == 5 and told.endswith("Its data are gone.\n")
    assert not script.directory.exists()


def test_what_is_wrong_is_said_with_a_remedy(script, tmp_path):
    for arguments, wrong, remedy in ((["--no-such"], "There is no option or command --no-such.", "--help lists all"),
                                     (["up", "--brokers"], "--brokers takes a value.", "--help"), (["up", "--brokers", "x"], '"x" is not a number', ""),
                                     (["up", "--purge"], "--purge goes with down.", ""), (["up", "down"], "up or down?", "--help")):
        done = run([REPOSITORY / "tools" / "cluster.sh", "--dir", tmp_path / "none", *arguments], check=False)
        assert done.returncode == 1 and done.stderr.decode().startswith(f"cluster.sh: {wrong}") and remedy in done.stderr.decode()
    assert "up|down|status" in run([REPOSITORY / "tools" / "cluster.sh", "--help"]).stdout.decode()


def test_the_operators_three_machines(cluster, tmp_path, kind):
    """Their server.properties and zoo.cfg as they are, comments behind values included; only addresses, ports and directories
    are of this machine."""
    data = REPOSITORY / "tests" / "data"
    ports = {"2181": free_port(), "2188": free_port(), "2888": free_port(), "9092": free_port()}

    def here(text: str, n: int) -> str:
        text = re.sub(r"192\.168\.1\.(\d)", r"127.0.0.\1", text).replace("0.0.0.0", f"127.0.0.{n}")
        return re.sub(r"\b(2181|2188|2888|9092)\b", lambda found: str(ports[found[0]]), text)

    for n in (1, 2, 3):
        home = tmp_path / f"zookeeper-{n}"
        (home / "data").mkdir(parents=True)
        (home / "data" / "myid").write_text(f"{n}\n")
        # ZooKeeper takes comments and blanks for part of the value.
        config = re.sub(r"(?m)(?<=\S)[ \t]+(#.*)?$", "", here((data / "operator-zoo.cfg").read_text(), n))
        config = re.sub(r"(?m)^dataDir=.*", f"dataDir={home}/data", config)
        (home / "zoo.cfg").write_text(config + f"\nclientPortAddress=127.0.0.{n}\nadmin.enableServer=false\n")
        ended = Process(["java", "-Xmx96m", "-cp", CLASSPATH, "org.apache.zookeeper.server.quorum.QuorumPeerMain", home / "zoo.cfg"], home / "log")
        cluster.ended.append(ended.kill)

    brokers = Brokers.__new__(Brokers)
    brokers.cluster, brokers.kind, brokers.all = cluster, kind, {}
    for n in (1, 2, 3):
        made = Broker(tmp_path / f"operator-{n}", kind, zookeeper=type("Ensemble", (), {"address": ""}))
        made.host, made.port, made.heap = f"127.0.0.{n}", ports["9092"], "300m"
        text = here((data / "operator-server.properties").read_text(), n)
        text = re.sub(r"advertised.listeners=PLAINTEXT://127\.0\.0\.\d", f"advertised.listeners=PLAINTEXT://127.0.0.{n}", text)
        text = re.sub(r"^broker\.id=\d", f"broker.id={n}", text)
        text = re.sub(r"^log\.dirs=\S+", f"log.dirs={tmp_path}/operator-{n}/data", text, flags=re.MULTILINE)
        if kind != "weir":  # it would take comments behind values for part of them
            text = re.sub(r"[ \t]*#.*", "", text)
        made.command_text = text
        cluster.ended.append(made.kill)
        brokers.all[n] = made
    for made in brokers.all.values():
        launch_with(made)
    for made in brokers.all.values():
        until(made.ready, 90, f"the broker on {made.address}; {made.output()[-2000:]}")
    brokers.know_each_other()

    topic = "xiaopalu"  # made by asking for it, as auto.create.topics.enable says
    server = brokers[1].address
    produced = run([BUILD / "bin" / "kafka-console-producer.sh", "--broker-list", server, "--topic", topic], input=b"hello\n")
    assert produced.returncode == 0
    told = brokers.partitions(topic)
    assert len(told) == 48 and all(len(p["replica_nodes"]) == 2 for p in told.values())
    read = run([BUILD / "bin" / "kafka-console-consumer.sh", "--bootstrap-server", brokers[3].address, "--topic", topic, "--from-beginning", "--max-messages", "1"])
    assert read.stdout == b"hello\n"
    lost = brokers.leader(topic, 0)
    brokers[lost].kill()
    until(quietly(lambda: all(t["leader_id"] in brokers.running() for b in brokers.running() for t in brokers.partitions(topic, b).values())), 60)
    for partition in range(48):
        until(quietly(lambda: brokers.produce(topic, batch([(None, b"on")]), partition=partition)["error_code"] == 0), 30)
    made = brokers[lost]
    until(lambda: (made.process and made.process.running() and made.ready()) or restarted(made), 90, "the broker again")
    brokers.in_sync(topic)
    for made in brokers.all.values():
        made.process.signal(signal.SIGQUIT)  # as their supervisor stops it, within five seconds
        made.process.popen.wait(5 if kind == "weir" else 60)


def restarted(broker) -> bool:
    if not broker.process or not broker.process.running():
        launch_with(broker)
    return False


def launch_with(broker):
    """Starts it with a configuration that is a text, not a table."""
    broker.settings = {}
    command = broker.command()
    command[-1].write_text(broker.command_text)
    broker.process = Process(command, broker.directory / "broker.log", env={"LOG_DIR": str(broker.directory / "logs")})
