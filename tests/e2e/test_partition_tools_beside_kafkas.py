"""kafka-reassign-partitions, kafka-leader-election and the health reports of kafka-topics beside Apache Kafka's own of 2.7.1,
on a cluster of three: the same words in; the same exit codes, output, and traces in ZooKeeper."""

import json
import re

import pytest

from harness.brokers import Brokers, quietly
from harness.kafka_tools import ELECTION, REASSIGN, TOPICS, KafkaTools, ours, said
from harness.process import until
from harness.records import batch


@pytest.fixture(scope="module")
def brokers(module_cluster):
    made = Brokers(module_cluster)
    for i, broker in made.all.items():
        broker.settings["log.dirs"] = f"{broker.directory}/data,{broker.directory}/more"
    return made.start()


@pytest.fixture(scope="module")
def kafkas(tmp_path_factory):
    made = KafkaTools("2.7.1", tmp_path_factory.mktemp("tools"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def look(brokers):
    made = brokers.zookeeper.client()
    yield made
    made.stop()
    made.close()


class Tool:
    """One of the two, with topics of its own that both name alike in what is compared."""

    def __init__(self, which: str, brokers, run, directory):
        self.which, self.brokers, self.run, self.directory = which, brokers, run, directory
        self.transcript, self.files = [], 0

    def name(self, topic: str) -> str:
        return f"{topic}-{self.which}"

    def file(self, content) -> str:
        self.files += 1
        path = self.directory / f"{self.which}-{self.files}.json"
        path.write_text((content if isinstance(content, str) else json.dumps(content)).replace("@", f"-{self.which}"))
        return str(path)

    def alike(self, text: str) -> str:
        text = text.replace(f"-{self.which}", "@").replace(str(self.directory), "DIR")
        return re.sub(r"/broker-\d/(data|more)\b", "/D", text)

    def __call__(self, tool: str, *arguments, note: bool = True):
        words = [a.replace("@", f"-{self.which}") if isinstance(a, str) else a for a in arguments]
        done = self.run(tool, *words)
        # The first line of a failure says what it is; its stack, and what our stderr says instead, vary.
        out = [line for line in self.alike(done.out).splitlines() if not line.startswith(("\tat ", "\t...", "Caused by: "))]
        told = (" ".join(map(str, arguments)).replace(str(self.directory), "DIR"), done.code, out, self.alike("\n".join(said(done.err)[:1])))
        if note:
            self.transcript.append(told)
        return told

    def reassign(self, *arguments, note: bool = True):
        return self("reassign-partitions", "--bootstrap-server", self.brokers.address, *arguments, note=note)


MAINS = {"reassign-partitions": REASSIGN, "leader-election": ELECTION, "topics": TOPICS}


@pytest.fixture
def tools(brokers, kafkas, tmp_path):
    def theirs(tool, *arguments):
        return kafkas.run(MAINS[tool], *arguments)

    return Tool("jvm", brokers, theirs, tmp_path), Tool("cpp", brokers, ours, tmp_path)


def compare(tools):
    theirs, own = (tool.transcript for tool in tools)
    differences = [f"{a[0]}\n  kafka {a[1:]}\n  weir  {b[1:]}" for a, b in zip(theirs, own) if a[1:] != b[1:]]
    assert not differences and len(theirs) == len(own), "\n".join(differences)


def plan(*rows, **more) -> dict:
    return {"version": 1, "partitions": [{"topic": t, "partition": p, "replicas": r} | ({"log_dirs": d[0]} if d else {}) for t, p, r, *d in rows]} | more


def test_a_plan_from_its_proposal_to_its_end(brokers, tools, look):
    for tool in tools:
        man = brokers.create_topic(tool.name("man"), assignment=[[2, 3], [3, 2]])
        for n in range(200):  # 4 MB each: more than a few fetches bring before a throttle bites
            assert brokers.produce(man, batch([(None, b"%2d" % n * 20000)]), partition=n % 2)["error_code"] == 0
        tool.reassign("--list")
        topics = tool.file({"version": 1, "topics": [{"topic": "man@"}]})
        _, code, out, err = tool.reassign("--generate", "--topics-to-move-json-file", topics, "--broker-list", "1,3", note=False)
        proposal = json.loads(out[4])
        assert (code, err, out[0], out[2], out[3]) == (0, "", "Current partition replica assignment", "", "Proposed partition reassignment configuration")
        assert json.loads(out[1])["partitions"] == [{"topic": "man@", "partition": p, "replicas": r, "log_dirs": ["any", "any"]} for p, r in ((0, [2, 3]), (1, [3, 2]))]
        assert [(p["topic"], p["partition"], sorted(p["replicas"]), p["log_dirs"]) for p in proposal["partitions"]] == [
            ("man@", p, [1, 3], ["any", "any"]) for p in (0, 1)]
        assert proposal["partitions"][0]["replicas"] != proposal["partitions"][1]["replicas"], "the leaders are spread"

        away = tool.file(plan(("man@", 0, [1, 2])))
        tool.reassign("--execute", "--reassignment-json-file", away, "--throttle", "1000")
        tool.reassign("--list")
        tool.reassign("--verify", "--reassignment-json-file", away)
        tool("topics", "--bootstrap-server", brokers.address, "--describe", "--topic", "man@", "--under-replicated-partitions")
        tool.transcript.append(("configs", overrides(look, "topics", man), [overrides(look, "brokers", b) for b in brokers.all]))
        tool.reassign("--execute", "--reassignment-json-file", away)
        tool.reassign("--execute", "--reassignment-json-file", away, "--additional", "--throttle", "2000")
        tool.transcript.append(("configs", [overrides(look, "brokers", b) for b in brokers.all]))
        # 2.7.1 takes a replica that is on its way for one of the sources then; since 2.8 the throttle stays on it.
        assert overrides(look, "topics", man) == {"leader.replication.throttled.replicas": "0:1,0:2,0:3" if tool.which == "jvm" else "0:2,0:3",
                                                  "follower.replication.throttled.replicas": "" if tool.which == "jvm" else "0:1"}
        tool.reassign("--cancel", "--reassignment-json-file", away)
        tool.reassign("--cancel", "--reassignment-json-file", away, "--preserve-throttles")
        tool.reassign("--verify", "--reassignment-json-file", away)
        tool.transcript.append(("configs", overrides(look, "topics", man), [overrides(look, "brokers", b) for b in brokers.all]))

        both = tool.file(plan(("man@", 0, [1, 2]), ("man@", 1, [1, 3])))
        tool.reassign("--execute", "--reassignment-json-file", both)
        complete = ["Status of partition reassignment:", "Reassignment of partition man@-0 is complete.", "Reassignment of partition man@-1 is complete.", ""]
        until(lambda: tool.reassign("--verify", "--preserve-throttles", "--reassignment-json-file", both, note=False)[2][:4] == complete, 60, "the end of the move")
        tool.reassign("--verify", "--reassignment-json-file", both)
        assert {p: t["replica_nodes"] for p, t in brokers.partitions(man).items()} == {0: [1, 2], 1: [1, 3]}
        brokers.in_sync(man)
        assert sorted(len(r) for r in brokers.read(man).values()) == [100, 100]
    compare(tools)


def overrides(look, kind: str, name) -> dict:
    path = f"/config/{kind}/{name}"
    return json.loads(look.get(path)[0])["config"] if look.exists(path) else {}


def test_moves_between_directories(brokers, tools):
    for tool in tools:
        topic = brokers.create_topic(tool.name("dirs"), assignment=[[1, 2]])
        for n in range(40):
            assert brokers.produce(topic, batch([(None, b"%d" % n * 20000)]))["error_code"] == 0

        def directory(broker_id):
            return next(d for d in brokers[broker_id].settings["log.dirs"].split(",") if (brokers[broker_id].directory / d / f"{topic}-0").exists())

        before = directory(1)
        target = next(d for d in brokers[1].settings["log.dirs"].split(",") if d != before)
        away = tool.file(plan(("dirs@", 0, [1, 2], [target, "any"])))
        tool.reassign("--execute", "--reassignment-json-file", away, "--replica-alter-log-dirs-throttle", "1000")
        tool.reassign("--verify", "--reassignment-json-file", away)
        tool.reassign("--cancel", "--reassignment-json-file", away)
        tool.reassign("--verify", "--reassignment-json-file", away)
        tool.reassign("--execute", "--reassignment-json-file", away)
        done = "Reassignment of replica dirs@-0-1 completed successfully."
        until(lambda: done in tool.reassign("--verify", "--preserve-throttles", "--reassignment-json-file", away, note=False)[2], 60, "the move")
        tool.reassign("--verify", "--reassignment-json-file", away)
        bad = tool.file(plan(("dirs@", 0, [1, 2], ["/nonexistent", "any"])))
        tool.reassign("--execute", "--reassignment-json-file", bad)
    compare(tools)


REFUSED_PLANS = [
    plan(("man@", 0, [9])), plan(("man@", 0, [1, 1])), plan(("man@", 0, [])), plan(), plan(("man@", 0, [1]), ("man@", 0, [2])), plan(version=2),
    plan(("nosuch@", 0, [1])), plan(("man@", 0, [1, 2], ["any"])), plan(("man@", 7, [1])), plan(("man@", 0, [1, 2], ["any", "relative"]))]


def test_what_is_refused(brokers, tools, tmp_path):
    for tool in tools:
        brokers.create_topic(tool.name("man") + "2", assignment=[[2, 3]])
        for each in REFUSED_PLANS:
            path = tool.file(json.dumps(each).replace("man@", f"man{'@'}2"))
            # A stranger among the replicas is asked for its throttles by --verify and --cancel, for a minute.
            for action in ("--execute", "--verify", "--cancel") if each != REFUSED_PLANS[0] else ("--execute",):
                tool.reassign(action, "--reassignment-json-file", path)
        for arguments in ([], ["--help"], ["--verify"], ["--list"], ["--list", "--verify"], ["--execute", "--bootstrap-server", "@"], ["--generate", "--bootstrap-server", "@"],
                          ["--list", "--bootstrap-server", "@", "--throttle", "1"], ["--verify", "--bootstrap-server", "@", "--reassignment-json-file", "x", "--additional"],
                          ["--cancel", "--zookeeper", "z", "--reassignment-json-file", "x"], ["--verify", "--bootstrap-server", "@", "--reassignment-json-file", "/nonexistent"],
                          ["--execute", "--bootstrap-server", "@", "--reassignment-json-file", "/nonexistent", "--throttle", "x"],
                          ["--list", "--zookeeper", "z", "--bootstrap-server", "@"], ["--foo"], ["--list", "--bootstrap-server", "@", "--bootstrap-server", "@"]):
            told = tool("reassign-partitions", *[brokers.address if a == "@" else a for a in arguments])
            if "--help" in arguments or not arguments:
                tool.transcript[-1] = told[:3]
        for topics, ids in (({"topics": [{"topic": "nosuch@"}]}, "1,2"), ({"topics": [{"topic": "man@2"}]}, "1,1"), ({"topics": [{"topic": "man@2"}]}, "1,x"),
                            ({"topics": [{"topic": "man@2"}] * 2}, "1,2"), ({"topics": [{"topic": "man@2"}]}, "1"), ({"topics": [{"topic": "man@2"}], "version": 3}, "1")):
            tool.reassign("--generate", "--topics-to-move-json-file", tool.file(topics), "--broker-list", ids)
    compare(tools)


def test_elections(brokers, tools):
    for tool in tools:
        topic = brokers.create_topic(tool.name("elect"), assignment=[[1, 2], [2, 3], [3, 1]])
        swapped = tool.file(plan(("elect@", 0, [2, 1]), ("elect@", 1, [3, 2]), ("elect@", 2, [1, 3])))

        def prefer_another():
            tool.reassign("--execute", "--reassignment-json-file", swapped, note=False)
            until(lambda: "is still in progress" not in str(tool.reassign("--verify", "--reassignment-json-file", swapped, note=False)), 30, "the new order")
            brokers.in_sync(topic)

        server = ["--bootstrap-server", brokers.address]
        election = lambda *a, **k: tool("leader-election", *a, **k)  # noqa: E731
        brokers.elect_preferred()  # whatever else there is
        prefer_another()
        election(*server, "--election-type", "preferred", "--topic", "elect@", "--partition", "0")
        assert brokers.leader(topic, 0, other_than=1) == 2
        again = election(*server, "--election-type", "PREFERRED", "--topic", "elect@", "--partition", "0", note=False)
        assert again[1:3] == (0, [f"Valid replica already elected for partitions {'elect@-0' if tool.which == 'cpp' else ''}"]), "2.7.1 shows the wrong ones"
        chosen = tool.file({"partitions": [{"topic": "elect@", "partition": 1}, {"topic": "nosuch@", "partition": 0}]})
        election(*server, "--election-type", "preferred", "--path-to-json-file", chosen)
        election(*server, "--election-type", "preferred", "--all-topic-partitions")
        election(*server, "--election-type", "preferred", "--all-topic-partitions")
        assert [t["leader_id"] for _, t in sorted(brokers.partitions(topic).items())] == [2, 3, 1]
        election(*server, "--election-type", "unclean", "--all-topic-partitions")
        for arguments in ([], server, ["--election-type", "preferred"], [*server, "--election-type", "preferred"], [*server, "--election-type", "foo", "--all-topic-partitions"],
                          [*server, "--election-type", "preferred", "--topic", "t"], [*server, "--election-type", "preferred", "--partition", "1"],
                          [*server, "--election-type", "preferred", "--topic", "t", "--partition", "x"], ["--foo"],
                          [*server, "--election-type", "preferred", "--all-topic-partitions", "--partition", "1"],
                          [*server, "--election-type", "preferred", "--all-topic-partitions", "--topic", "t", "--partition", "1"],
                          [*server, "--election-type", "preferred", "--path-to-json-file", "/nonexistent"],
                          [*server, "--election-type", "preferred", "--path-to-json-file", tool.file({"partitions": [{"topic": "t", "partition": 0}] * 2})],
                          [*server, "--election-type", "preferred", "--path-to-json-file", tool.file("{}")]):
            told = election(*arguments)
            if not arguments:
                tool.transcript[-1] = told[:3]
    compare(tools)


def test_the_health_of_partitions(brokers, tools):
    """With one broker away: partitions it led alone, partitions it followed, and partitions without it."""
    for tool in tools:
        brokers.create_topic(tool.name("alone"), assignment=[[3], [1]])
        brokers.create_topic(tool.name("pair"), assignment=[[3, 1], [1, 2], [2, 3]], configs={"min.insync.replicas": "2"})
    brokers[3].kill()
    names = [tool.name(t) for tool in tools for t in ("alone", "pair")]
    until(quietly(lambda: all(3 not in p["isr_nodes"] or p["replica_nodes"] == [3] for b in brokers.running() for t in names for p in brokers.partitions(t, b).values())), 30)
    until(quietly(lambda: all(brokers.partitions(tool.name("alone"), b)[0]["leader_id"] == -1 for b in brokers.running() for tool in tools)), 30)
    for tool in tools:
        for report in ([], ["--under-replicated-partitions"], ["--unavailable-partitions"], ["--under-min-isr-partitions"], ["--at-min-isr-partitions"], ["--topics-with-overrides"]):
            tool("topics", "--bootstrap-server", ",".join(brokers[b].address for b in (1, 2)), "--describe", "--topic", "(alone|pair)@", *report)
        tool("leader-election", "--bootstrap-server", brokers[1].address, "--election-type", "preferred", "--topic", "pair@", "--partition", "0")
        tool("leader-election", "--bootstrap-server", brokers[1].address, "--election-type", "unclean", "--topic", "alone@", "--partition", "0")
    brokers.restart(3)
    brokers.in_sync(*names)
    compare(tools)
