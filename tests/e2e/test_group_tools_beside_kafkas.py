"""kafka-consumer-groups.sh, kafka-get-offsets.sh and kafka-transactions.sh beside Kafka's own programs: the same words on
the same state of a broker give the same exit code, output and first error."""

import pytest

from harness.kafka_tools import GROUPS, OFFSETS, TRANSACTIONS, KafkaTools, ours, said
from harness.paths import BROKER
from test_group_tools import filled, member


@pytest.fixture(scope="module")
def state(module_cluster):
    """A broker with groups: two without members, one with a static member."""
    broker = module_cluster.broker(offsets_topic_num_partitions=2, transaction_state_log_num_partitions=2).start()
    filled(broker, "bk")
    server = ["--bootstrap-server", broker.address]
    for group, scope in (("g0", "bk"), ("g1", "bk:1")):
        assert ours("consumer-groups", *server, "--reset-offsets", "--group", group, "--topic", scope, "--to-offset", "4", "--execute").code == 0
    consumer = member(broker, "live", "bk", **{"group.instance.id": "i-1"})
    yield broker
    consumer.close()


def compare(state, tools, mains, command, lines, **names):
    """Only what a program says must agree, not in which order it goes through maps."""
    differences = []
    for line in lines.splitlines():
        words = ["--bootstrap-server", state.address] + [word.format(**names) for word in line.split()]
        theirs, found = tools.run(mains, *words), ours(command, *words)
        results = [(r.code, sorted(r.out.splitlines()), " ".join(" ".join(said(r.err)).split())) for r in (theirs, found)]
        if results[0] != results[1]:
            differences.append(f"{line}\n  kafka {results[0]}\n  weir  {results[1]}")
    assert not differences, "\n".join(differences)


# Without: an empty list of partitions behind a topic's colon (an exception of Java's); zones as +0530 (2.7.1 takes the
# hours alone); months beyond December (2.7.1 counts on into the next year).
GROUP_COMMANDS = """--list
--list --state
--list --state Stable
--list --state Empty,Stable
--list --state foo
--describe --group g0
--describe --group g0 --group g1 --offsets
--describe --group live
--describe --group live --members
--describe --group live --members --verbose
--describe --group live --state
--describe --group g0 --members
--describe --group g0 --state
--describe --all-groups
--describe --all-groups --state
--describe --group nosuch
--describe --group nosuch --members
--describe --group nosuch --state
--describe
--describe --group g0 --members --state
--describe --group g0 --state x
--describe --group g0 --all-groups
--describe --group g0 --timeout x
--members
--list --members
--list --group g0
--list --topic t
--list --describe
--foo
--delete
--delete --group g0 --topic bk
--delete-offsets --group g0
--delete-offsets --topic bk
--reset-offsets
--reset-offsets --group g0 --dry-run --execute
--reset-offsets --group g0
--reset-offsets --group g0 --all-topics --dry-run
--reset-offsets --group g0 --topic bk --to-earliest --to-latest --dry-run
--reset-offsets --group g0 --topic bk --to-earliest
--reset-offsets --group g0 --all-topics --to-latest --dry-run
--reset-offsets --group g0 --topic bk:0,1 --to-offset 4 --dry-run
--reset-offsets --group g0 --topic bk:0,1 --to-offset 100 --dry-run
--reset-offsets --group g0 --topic bk:0,1 --to-offset -5 --dry-run
--reset-offsets --group g0 --topic bk:0,1 --to-offset x --dry-run
--reset-offsets --group g0 --topic bk:x --to-earliest --dry-run
--reset-offsets --group g0 --topic bk:77 --to-earliest --dry-run --timeout 2000
--reset-offsets --group g0 --topic nosuch --to-earliest --dry-run
--reset-offsets --group g0 --topic bk --shift-by -2 --dry-run
--reset-offsets --group g1 --topic bk --shift-by 2 --dry-run
--reset-offsets --group g0 --topic bk --to-current --dry-run
--reset-offsets --group g1 --topic bk --to-current --dry-run
--reset-offsets --group g0 --topic bk --to-datetime 2023-11-14T22:13:25.000 --dry-run
--reset-offsets --group g0 --topic bk --to-datetime 2023-11-14T22:13:25.000Z --dry-run
--reset-offsets --group g0 --topic bk --to-datetime 2023-11-15T00:13:25.000+02:00 --dry-run
--reset-offsets --group g0 --topic bk --to-datetime 2023-11-15 --dry-run
--reset-offsets --group g0 --topic bk --to-datetime 2023-11-15T00:00:00 --dry-run
--reset-offsets --group g0 --topic bk --by-duration P1D --dry-run
--reset-offsets --group g0 --topic bk --by-duration P20000DT5H --dry-run
--reset-offsets --group g0 --topic bk --by-duration foo --dry-run
--reset-offsets --group g0 --from-file {one} --dry-run
--reset-offsets --group g0 --group g1 --from-file {two} --dry-run
--reset-offsets --group g1 --from-file {other} --dry-run
--reset-offsets --group g0 --from-file /nonexistent --dry-run
--reset-offsets --all-groups --all-topics --to-earliest --dry-run
--reset-offsets --group live --all-topics --to-earliest --execute
--reset-offsets --group g0 --all-topics --to-latest --export --dry-run
--reset-offsets --group g0 --group g1 --all-topics --to-latest --export --dry-run
--reset-offsets --group a-group --topic bk --to-earliest --export --dry-run
--delete --group live --group nosuch
--delete --group live
--delete-offsets --group live --topic bk
--delete-offsets --group nosuch --topic bk
--delete-offsets --group g1 --topic nosuch"""


def test_kafka_consumer_groups_prints_what_kafka_2_7_1_does(state, tmp_path):
    (tmp_path / "one").write_text("bk,0,2\nbk,1,100\n")
    (tmp_path / "two").write_text("g0,bk,0,2\ng1,bk,1,100\n")
    (tmp_path / "other").write_text("g0,bk,0,2\n")
    tools = KafkaTools("2.7.1", tmp_path)
    try:
        compare(state, tools, GROUPS, "consumer-groups", GROUP_COMMANDS, one=tmp_path / "one", two=tmp_path / "two", other=tmp_path / "other")
    finally:
        tools.close()


TYPE_COMMANDS = """--list --type
--list --type --state
--list --type classic
--list --type Consumer --state
--list --type foo"""

OFFSET_COMMANDS = """--topic bk
--topic bk --partitions 0,2
--topic-partitions bk:1-,:99-
--topic-partitions bk:-1
--topic bk --time earliest
--topic bk --time -2
--topic bk --time 1700000004500
--topic bk --time 1800000000000
--topic bk --time -3
--topic bk --time earliest-local
--topic bk --time latest-tiered
--exclude-internal-topics
--topic __consumer_offsets --time earliest
--topic nosuch
--topic bk --topic bk
--topic-partitions bk:0 --topic bk
--time foo
--partitions x
--foo"""

TRANSACTION_COMMANDS = """list
lis
list --foo
list --duration-filter x
describe
describe --transactional-id nope
describe --transactional-id a b
describe-producers --topic bk --partition 0
describe-producers --topic bk --partition x
find-hanging
find-hanging --topic bk
find-hanging --topic nosuch
find-hanging --broker-id 7
find-hanging --partition 1 --broker-id 0
abort --topic bk --partition 0
abort --topic bk --partition 0 --producer-id 1
abort --topic bk --partition 0 --start-offset 0
--command-config /nonexistent list"""


@pytest.mark.skipif(BROKER == "kafka-2.7.1", reason="its requests are older than these programs")
def test_the_newer_programs_print_what_kafka_3_9_1_does(state, tmp_path):
    tools = KafkaTools("3.9.1", tmp_path)
    try:
        compare(state, tools, GROUPS, "consumer-groups", TYPE_COMMANDS)
        compare(state, tools, OFFSETS, "get-offsets", OFFSET_COMMANDS)
        compare(state, tools, TRANSACTIONS, "transactions", TRANSACTION_COMMANDS)
    finally:
        tools.close()


def test_every_option_of_kafkas_programs_is_known(tmp_path):
    for release in ("2.7.1", "3.9.1"):
        tools = KafkaTools(release, tmp_path)
        try:
            for mains, command in ((GROUPS, "consumer-groups"), (OFFSETS, "get-offsets")):
                theirs, found = ({line.split()[0] for line in done.err.splitlines() if line.startswith("--")}
                                 for done in (tools.run(mains), ours(command)))
                assert len(theirs) > 5 and theirs <= found, (release, command, theirs - found)
        finally:
            tools.close()
