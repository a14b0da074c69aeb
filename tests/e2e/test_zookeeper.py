"""Registration in a real ZooKeeper: what is written, expiry, restarts, clashes of ids."""

import json
import signal
import time

import pytest
from kazoo.exceptions import ConnectionLoss, SessionExpiredError

from harness import wire
from harness.paths import BROKER
from harness.process import until
from harness.records import batch
from harness.stalling_proxy import StallingProxy


@pytest.fixture
def zookeeper(cluster):
    return cluster.zookeeper()


@pytest.fixture
def look(zookeeper):
    made = zookeeper.client()
    yield made
    made.stop()
    made.close()


def node(look, path):
    data, stat = look.get(path)
    return json.loads(data), stat


def registered(look, broker_id=0):
    try:
        return look.exists(f"/brokers/ids/{broker_id}")
    except (SessionExpiredError, ConnectionLoss):
        return None  # our own session went with the server's; kazoo makes another


def produces(broker, topic="t"):
    with broker.connect() as connection:
        return wire.produce(connection, topic, batch([(b"k", b"v")]))["error_code"] == 0


def test_what_a_broker_writes(cluster, zookeeper, look, kind):
    before = int(time.time() * 1000)
    broker = cluster.broker(zookeeper=zookeeper, broker_rack="r1").start()
    data, stat = node(look, "/brokers/ids/0")
    assert before <= int(data.pop("timestamp")) <= int(time.time() * 1000)
    assert data == {"version": 5, "host": "127.0.0.1", "port": broker.port, "jmx_port": -1, "endpoints": [f"PLAINTEXT://127.0.0.1:{broker.port}"],
                    "rack": "r1", "listener_security_protocol_map": {"PLAINTEXT": "PLAINTEXT"}, "features": {}}
    assert stat.ephemeralOwner and stat.version == 1, "created empty, then written: the multi whose czxid is the broker epoch"

    cluster_id, stat = node(look, "/cluster/id")
    assert cluster_id["version"] == "1" and len(cluster_id["id"]) == 22 and not stat.ephemeralOwner
    with broker.connect() as connection:
        assert connection.request("METADATA", 2, {"topics": []})["cluster_id"] == cluster_id["id"]
    assert f"cluster.id={cluster_id['id']}" in (broker.data / "meta.properties").read_text().splitlines()

    controller, stat = node(look, "/controller")
    assert controller["brokerid"] == 0 and controller["version"] in (1, 2) and int(controller["timestamp"]) >= before
    assert stat.ephemeralOwner == registered(look).ephemeralOwner
    assert look.get("/controller_epoch")[0] == b"1"
    for path in ("/consumers", "/brokers/topics", "/config/changes", "/admin/delete_topics", "/brokers/seqid", "/isr_change_notification",
                 "/latest_producer_id_block", "/log_dir_event_notification", "/config/topics", "/config/clients", "/config/users", "/config/brokers"):
        assert look.exists(path), path


def test_what_a_topic_is_in_zookeeper(cluster, zookeeper, look, kind):
    broker = cluster.broker(zookeeper=zookeeper).start()
    broker.create_topic("t", 2, {"retention.ms": "1234"})
    data, _ = node(look, "/brokers/topics/t")
    assert data["partitions"] == {"0": [0], "1": [0]} and data["adding_replicas"] == data["removing_replicas"] == {}
    if kind != "kafka-2.7.1":
        assert data["version"] == 3 and len(data["topic_id"]) == 22
    state, stat = node(look, "/brokers/topics/t/partitions/1/state")
    assert state == {"controller_epoch": 1, "leader": 0, "version": 1, "leader_epoch": 0, "isr": [0]} and stat.version == 0
    assert node(look, "/config/topics/t")[0] == {"version": 1, "config": {"retention.ms": "1234"}}
    with broker.connect() as connection:
        values = {"topics": [{"name": "t", "count": 3, "assignments": None}], "timeout_ms": 10000}
        assert connection.request("CREATE_PARTITIONS", 0, values)["results"][0]["error_code"] == 0
        wire.wait_for_leaders(connection, "t", 3)
        assert node(look, "/brokers/topics/t")[0]["partitions"] == {"0": [0], "1": [0], "2": [0]}
        connection.request("DELETE_TOPICS", 3, {"topic_names": ["t"], "timeout_ms": 10000})
    until(lambda: not look.exists("/brokers/topics/t") and not look.exists("/config/topics/t"))
    until(lambda: not look.exists("/admin/delete_topics/t"))


def features_epoch(broker):
    """None: not told."""
    with broker.connect() as connection:
        answer = connection.request("API_VERSIONS", 3, {"client_software_name": "e2e", "client_software_version": "1"})
    assert "supported_features" not in answer and "finalized_features" not in answer
    return answer.get("finalized_features_epoch")


def test_the_features_epoch_is_the_version_of_the_node(cluster, zookeeper, look, kind):
    """Whoever writes it: another broker's controller, or a tool."""
    broker = cluster.broker(zookeeper=zookeeper).start()
    written = {"version": 1 if kind == "kafka-2.7.1" else 2, "status": 1, "features": {}}
    assert node(look, "/feature")[0] == written and features_epoch(broker) == 0
    for version, text, told in ((1, '{"version":2,"status":1,"features":{}}', 1), (2, '{"version":1,"status":0,"features":{}}', None),
                                (3, '{"features":{},"version":1,"status":1}', 3), (4, "garbage", None), (5, '{"version":2,"status":1,"features":{}}', 5)):
        assert look.set("/feature", text.encode()).version == version
        until(lambda: features_epoch(broker) == told, 20, text)
    look.delete("/feature")
    until(lambda: features_epoch(broker) is None, 20)
    look.create("/feature", b'{"version":1,"status":0,"features":{}}')
    broker.stop()
    broker.start()
    assert node(look, "/feature")[0] == written and features_epoch(broker) == 1, "the controller enables it"


def test_without_the_protocol_of_2_7_there_are_no_features(cluster, zookeeper, look):
    broker = cluster.broker(zookeeper=zookeeper)
    broker.settings |= {"inter.broker.protocol.version": "2.6", "log.message.format.version": "2.6"}
    broker.start()
    assert node(look, "/feature")[0] == {"version": 1, "status": 0, "features": {}} and features_epoch(broker) is None
    assert node(look, "/brokers/ids/0")[0]["version"] == 4
    broker.create_topic("t")
    assert "topic_id" not in node(look, "/brokers/topics/t")[0] and produces(broker)


def test_a_feature_we_do_not_know_ends_the_broker(cluster, zookeeper, look, kind):
    unknown = b'{"version":1,"status":1,"features":{"spelling":{"min_version_level":1,"max_version_level":2}}}'
    broker = cluster.broker(zookeeper=zookeeper).start()
    look.set("/feature", unknown)
    until(lambda: not broker.ready(), 30, "the end of the broker")
    assert "spelling" in broker.output()
    if kind != "kafka-2.7.1":  # hangs in its own exit
        until(lambda: not broker.process.running(), 30, "the end of the process")
        assert broker.process.popen.returncode == 1


def test_a_chroot_is_made(cluster, zookeeper, look):
    broker = cluster.broker(zookeeper=zookeeper)
    broker.settings["zookeeper.connect"] = zookeeper.address + "/kafka/one"
    broker.start()
    assert look.exists("/kafka/one/brokers/ids/0") and not look.exists("/brokers")
    broker.create_topic("t")
    assert produces(broker)


def test_generated_broker_ids(cluster, zookeeper, look):
    first = cluster.broker(zookeeper=zookeeper)
    second = cluster.broker(zookeeper=zookeeper)
    for broker, expected in ((first, "1001"), (second, "1002"), (first, "1001")):
        broker.settings["broker.id"] = "-1"
        broker.start()
        assert look.get_children("/brokers/ids") == [expected], "kept in meta.properties once it was drawn"
        assert f"broker.id={expected}" in (broker.data / "meta.properties").read_text().splitlines()
        broker.stop()


def test_an_expired_session_is_made_anew(cluster, zookeeper, look):
    """The process stands still for longer than its session lasts; ZooKeeper ends the session."""
    broker = cluster.broker(zookeeper=zookeeper).start()
    broker.create_topic("t")
    before = registered(look)
    broker.pause()
    until(lambda: not registered(look) and not look.exists("/controller"), 30, "expiry")
    broker.resume()
    after = until(lambda: registered(look), 30, "a new registration")
    assert after.ephemeralOwner != before.ephemeralOwner and after.czxid > before.czxid
    until(lambda: look.exists("/controller"), 30, "a controller")
    assert node(look, "/controller")[0]["brokerid"] == 0
    assert int(look.get("/controller_epoch")[0]) == 2
    until(lambda: produces(broker), 30)
    broker.create_topic("made-after-expiry")
    assert produces(broker, "made-after-expiry")


def test_a_session_ended_by_the_server_is_made_anew(cluster, zookeeper, look):
    broker = cluster.broker(zookeeper=zookeeper).start()
    broker.create_topic("t")
    before = registered(look)
    zookeeper.end_session(before.ephemeralOwner)
    after = until(lambda: (found := registered(look)) and found.czxid > before.czxid and found, 30, "a new registration")
    assert after.ephemeralOwner != before.ephemeralOwner
    until(lambda: look.exists("/controller") and int(look.get("/controller_epoch")[0]) == 2, 30, "a controller")
    until(lambda: produces(broker), 30)
    broker.create_topic("made-later")
    assert produces(broker, "made-later")


def test_clients_are_served_while_zookeeper_is_away(cluster, zookeeper, look):
    broker = cluster.broker(zookeeper=zookeeper).start()
    broker.create_topic("t")
    zookeeper.kill()
    deadline = time.monotonic() + 5  # longer than the session
    until(lambda: produces(broker) and time.monotonic() > deadline, 20)
    zookeeper.start()
    until(lambda: registered(look) and look.exists("/controller"), 60, "registration")
    until(lambda: produces(broker), 30)
    with broker.connect() as connection:
        until(lambda: connection.request("CREATE_TOPICS", 1, {"topics": [{"name": "later", "num_partitions": 1, "replication_factor": 1,
              "assignments": [], "configs": []}], "timeout_ms": 10000, "validate_only": False})["topics"][0]["error_code"] in (0, 36), 30)
        wire.wait_for_leaders(connection, "later")
    assert produces(broker, "later")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_registers_again(cluster, zookeeper, look, how):
    broker = cluster.broker(zookeeper=zookeeper).start()
    broker.create_topic("t")
    before = registered(look)
    getattr(broker, how)()
    if how == "stop":
        assert not registered(look) and not look.exists("/controller"), "an orderly stop takes its nodes with it"
    broker.start()
    assert registered(look).czxid > before.czxid
    assert int(look.get("/controller_epoch")[0]) == 2
    assert produces(broker)
    assert node(look, "/brokers/topics/t/partitions/0/state")[0]["leader"] == 0


STOPPED_BY_TERM = 128 + 15


@pytest.fixture
def stalling(zookeeper):
    """Makes a way to ZooKeeper that ends when a request passes the condition."""
    made = []

    def make(stalls):
        made.append(StallingProxy(zookeeper.port, stalls))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.mark.skipif(BROKER != "weir", reason="Apache Kafka waits for ZooKeeper without end")
class TestZookeeperFallsSilent:
    """Whatever we wait for then, TERM ends the broker within five seconds, and without harm."""

    def test_while_a_new_topic_is_taken_up(self, cluster, zookeeper, look, stalling):
        proxy = stalling(lambda operation, request: operation == StallingProxy.GET and b"/config/topics/new" in request)
        broker = cluster.broker(zookeeper=zookeeper)
        broker.settings |= {"zookeeper.connect": proxy.address, "zookeeper.session.timeout.ms": "10000"}
        broker.start()
        broker.create_topic("old")
        assert produces(broker, "old")
        with broker.connect() as connection:
            connection.send("CREATE_TOPICS", 1, {"topics": [{"name": "new", "num_partitions": 1, "replication_factor": 1, "assignments": [],
                            "configs": []}], "timeout_ms": 10000, "validate_only": False})
            assert proxy.stalled.wait(20)
            assert produces(broker, "old"), "clients are served"
            assert broker.stop(5) == STOPPED_BY_TERM
        assert (broker.data / ".kafka_cleanshutdown").exists()

    @pytest.mark.parametrize("where", ["/cluster/id", "/config/brokers/0", "/brokers/ids"])
    def test_while_the_broker_starts(self, cluster, zookeeper, stalling, where):
        proxy = stalling(lambda operation, request: where.encode() in request)
        broker = cluster.broker(zookeeper=zookeeper)
        broker.settings["zookeeper.connect"] = proxy.address
        broker.launch()
        assert proxy.stalled.wait(20)
        assert broker.stop(5) == STOPPED_BY_TERM

    def test_before_the_first_connection(self, cluster, zookeeper):
        zookeeper.process.signal(signal.SIGSTOP)
        broker = cluster.broker(zookeeper=zookeeper).launch()
        until(lambda: "Connecting to ZooKeeper" in broker.output(), 20)
        assert broker.stop(5) == STOPPED_BY_TERM

    def test_for_longer_than_the_connection_timeout(self, cluster, zookeeper):
        zookeeper.process.signal(signal.SIGSTOP)
        broker = cluster.broker(zookeeper=zookeeper)
        broker.settings["zookeeper.connection.timeout.ms"] = "2000"
        assert "zookeeper.connection.timeout.ms" in refusal(broker) and broker.process.popen.returncode == 1

    def test_while_the_broker_runs(self, cluster, zookeeper):
        broker = cluster.broker(zookeeper=zookeeper).start()
        broker.create_topic("t")
        zookeeper.process.signal(signal.SIGSTOP)
        assert produces(broker)
        assert broker.stop(5) == STOPPED_BY_TERM
        assert (broker.data / ".kafka_cleanshutdown").exists()


def test_a_clash_of_broker_ids_is_refused(cluster, zookeeper, look):
    first = cluster.broker(zookeeper=zookeeper).start()
    first.create_topic("t")
    owner = registered(look).ephemeralOwner
    second = cluster.broker(zookeeper=zookeeper).launch()
    until(lambda: not second.process.running(), 60, "the end of the second broker")
    assert second.process.popen.returncode != 0
    assert registered(look).ephemeralOwner == owner and produces(first)


def refusal(broker):
    broker.launch()
    until(lambda: not broker.process.running(), 60, "the end of the broker")
    assert broker.process.popen.returncode != 0
    return broker.output()


def test_a_directory_of_another_cluster_is_refused(cluster, zookeeper):
    broker = cluster.broker(zookeeper=zookeeper)
    broker.data.mkdir(parents=True)
    (broker.data / "meta.properties").write_text("#\n#\nbroker.id=0\nversion=0\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n")
    assert "AAAAAAAAAAAAAAAAAAAAAA" in refusal(broker)


def test_a_directory_of_another_broker_is_refused(cluster, zookeeper):
    broker = cluster.broker(zookeeper=zookeeper)
    broker.start()
    broker.stop()
    broker.settings["broker.id"] = "5"
    said = refusal(broker)
    assert "5" in said and "meta.properties" in said or "broker.id" in said


def test_a_taken_endpoint_is_refused(cluster, zookeeper):
    first = cluster.broker(zookeeper=zookeeper).start()
    second = cluster.broker(zookeeper=zookeeper, broker_id="1")
    second.settings["advertised.listeners"] = f"PLAINTEXT://127.0.0.1:{first.port}"
    refusal(second)


def test_config_changes_by_others_are_seen(cluster, zookeeper, look):
    """A tool writes a topic's config and announces it, as Apache Kafka's tools and brokers do."""
    broker = cluster.broker(zookeeper=zookeeper).start()
    broker.create_topic("t")
    look.set("/config/topics/t", json.dumps({"version": 1, "config": {"max.message.bytes": "100"}}).encode())
    look.create("/config/changes/config_change_", json.dumps({"version": 2, "entity_path": "topics/t"}).encode(), sequence=True)

    def refused():
        with broker.connect() as connection:
            return wire.produce(connection, "t", batch([(b"k", b"v" * 500)]))["error_code"] == 10
    until(refused, 10)


def test_a_topic_made_by_others_is_seen(cluster, zookeeper, look):
    """kafka-topics --zookeeper of old releases writes the nodes itself; the controller does the rest."""
    broker = cluster.broker(zookeeper=zookeeper).start()
    look.create("/config/topics/old-tool", b'{"version":1,"config":{}}')
    look.create("/brokers/topics/old-tool", b'{"version":2,"partitions":{"0":[0]},"adding_replicas":{},"removing_replicas":{}}')
    with broker.connect() as connection:
        wire.wait_for_leaders(connection, "old-tool")
    assert produces(broker, "old-tool")
    look.create("/admin/delete_topics/old-tool")
    until(lambda: not look.exists("/brokers/topics/old-tool"), 30)
