"""tools/pipeline.sh without Filebeat: what it makes ready, and how it says what is wrong. With Filebeat: test_pipeline.py."""

import subprocess

import pytest

from harness.paths import BROKER, BUILD, REPOSITORY
from harness.process import free_port, run

pytestmark = pytest.mark.skipif(BROKER != "weir", reason="a script of Weir's")


def pipeline(*arguments, check: bool = True, out=None):
    options = ["--bin", BUILD / "bin"] + (["--out", out] if out else [])
    return run([REPOSITORY / "tools" / "pipeline.sh", *options, *arguments], check=check)


def test_it_creates_the_topic_and_writes_both_files(broker, tmp_path):
    for _ in range(2):  # once more changes nothing
        done = pipeline("--bootstrap-server", broker.address, "--topic", "shipped", "--partitions", "2", "--log", "/srv/a & b/*.log",
                        "--filebeat", "no-such-filebeat", out=tmp_path)
        said = done.stdout.decode()
        assert f"A broker listens on {broker.address}.\n" in said
        assert f"logstash -f {tmp_path}/logstash.conf\n" in said
        assert "Filebeat is not in the PATH" in said
    topics = run([BUILD / "bin" / "kafka-topics.sh", "--bootstrap-server", broker.address, "--describe", "--topic", "shipped"]).stdout.decode()
    assert "PartitionCount: 2" in topics

    filebeat, logstash = (tmp_path / "filebeat.yml"), (tmp_path / "logstash.conf")
    assert filebeat.stat().st_mode & 0o022 == 0
    samples = REPOSITORY / "tools" / "pipeline"
    assert filebeat.read_text() == ((samples / "filebeat.yml").read_text().replace("localhost:9092", broker.address)
                                    .replace("topic: logs\n", "topic: shipped\n").replace("/var/log/*.log", "/srv/a & b/*.log"))
    assert logstash.read_text() == ((samples / "logstash.conf").read_text().replace("localhost:9092", broker.address)
                                    .replace('["logs"]', '["shipped"]'))
    for text in (filebeat.read_text(), logstash.read_text()):
        assert broker.address in text and "shipped" in text


def test_help():
    done = run([REPOSITORY / "tools" / "pipeline.sh", "--help"])
    assert "--bootstrap-server host:port" in done.stdout.decode()


@pytest.mark.parametrize("arguments,wrong,remedy", [
    (["--no-such"], "There is no option --no-such.", "--help lists all"),
    (["--topic"], "--topic takes a value.", "--help tells which"),
    (["--bootstrap-server", "localhost"], '"localhost" is not host:port.', "--bootstrap-server localhost:9092"),
    (["--bin", "/nowhere"], "Weir's commands are not in /nowhere.", "tools/start.sh builds them"),
    (["--filebeat", "/nowhere/filebeat"], "/nowhere/filebeat is not a program.", "/usr/share/filebeat/bin/filebeat"),
    (["--bootstrap-server", "broker.invalid:9092"], "Nothing listens on broker.invalid:9092.", "Start a broker there"),
    (["--bootstrap-server", "broker:name:x"], '"broker:name:x" is not host:port.', "--bootstrap-server"),
])
def test_what_is_wrong_is_said_with_a_remedy(tmp_path, arguments, wrong, remedy):
    done = pipeline(*arguments, check=False, out=tmp_path)
    said = done.stderr.decode()
    assert done.returncode == 1
    assert said.startswith(f"pipeline.sh: {wrong}\n")
    assert remedy in said


def test_a_topic_name_that_the_broker_refuses(broker, tmp_path):
    done = pipeline("--bootstrap-server", broker.address, "--topic", "no good", check=False, out=tmp_path)
    assert done.returncode == 1
    assert f"Topic no good could not be created on {broker.address}." in done.stderr.decode()


def test_a_broker_that_does_not_start_is_quoted(tmp_path):
    properties = tmp_path / "server.properties"
    properties.write_text("broker.id=many\n")
    address = f"127.0.0.1:{free_port()}"
    done = subprocess.run([REPOSITORY / "tools" / "pipeline.sh", "--bin", BUILD / "bin", "--bootstrap-server", address, "--config", properties,
                           "--out", tmp_path], capture_output=True, env={"PATH": "/usr/bin:/bin", "LOG_DIR": str(tmp_path)}, timeout=120)
    said = done.stderr.decode()
    assert done.returncode == 1
    assert said.startswith("pipeline.sh: The broker does not start.\n")
    assert "broker.id" in said
