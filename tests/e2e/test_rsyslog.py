"""rsyslog's omkafka ships a log file: every line arrives once and in order."""

import random
from pathlib import Path

from harness.process import Process, run, until

LINES = 100_000

CONFIG = """global(workDirectory="{work}")
module(load="imfile")
module(load="omkafka")
template(name="line" type="string" string="%msg%")
input(type="imfile" file="{log}" tag="app" ruleset="ship" freshStartTail="off")
ruleset(name="ship" queue.type="linkedList" queue.size="50000" queue.workerThreads="1" queue.dequeueBatchSize="1024") {{
  action(type="omkafka" broker=["{address}"] topic="{topic}" template="line" partitions.number="1" resubmitOnFailure="on"
         confParam=["compression.codec=gzip", "acks=all", "enable.idempotence=true", "linger.ms=20"])
}}
"""


def write_log(path: Path):
    """Lines as an application writes them: of all lengths, with what quotes and encodings bring."""
    rng = random.Random(3)
    words = "connection closed opened by peer user=alice path=/var/lib GET POST timeout 200 404 Grüße \"quoted\" {json} 50% a\\b".split()
    with open(path, "w") as log:
        for i in range(LINES):
            log.write(f"2026-01-{i % 28 + 1:02d}T00:00:{i % 60:02d}Z host app[{i}]: " + " ".join(rng.choices(words, k=rng.randrange(1, 30))) + "\n")


def test_a_log_file_of_100_000_lines(broker, tmp_path):
    topic = broker.create_topic("shipped")
    log = tmp_path / "app.log"
    write_log(log)
    (tmp_path / "rsyslog.conf").write_text(CONFIG.format(work=tmp_path, log=log, address=broker.address, topic=topic))
    shipper = Process(["rsyslogd", "-n", "-f", tmp_path / "rsyslog.conf", "-i", tmp_path / "rsyslogd.pid"], tmp_path / "rsyslog.out")
    try:
        def arrived():
            assert shipper.running(), shipper.output()
            out = run(["kcat", "-Q", "-b", broker.address, "-t", f"{topic}:0:-1"]).stdout.decode()
            return int(out.rsplit(" ", 1)[1]) >= LINES
        until(arrived, 180, "all lines")
    finally:
        shipper.stop()
    expected = log.read_bytes().splitlines()
    got = run(["kcat", "-C", "-q", "-e", "-b", broker.address, "-t", topic]).stdout.splitlines()
    assert len(got) == LINES
    assert got == expected
