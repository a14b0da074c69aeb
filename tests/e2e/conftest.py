import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest  # noqa: E402

from harness.broker import Broker  # noqa: E402
from harness.groups import Hosts  # noqa: E402
from harness.paths import BROKER  # noqa: E402
from harness.zookeeper import ZooKeeper  # noqa: E402


@pytest.fixture(scope="session")
def kind():
    return BROKER


class Cluster:
    """Makes brokers and ZooKeepers for a test and ends them with it."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.ended = []

    def zookeeper(self, **settings) -> ZooKeeper:
        server = ZooKeeper(self.directory / f"zookeeper-{len(self.ended)}", **settings)
        self.ended.append(server.kill)
        return server.start()

    def broker(self, name: str = "", kind: str = BROKER, zookeeper: ZooKeeper = None, **settings) -> Broker:
        """Not yet started. Settings are given with _ for the dots of Kafka's names."""
        directory = self.directory / (name or f"broker-{len(self.ended)}")
        if kind != "weir" and zookeeper is None:
            zookeeper = self.zookeeper()
        made = Broker(directory, kind, zookeeper, {k.replace("_", "."): v for k, v in settings.items()})
        self.ended.append(made.kill)
        return made

    def end(self):
        for end in reversed(self.ended):
            end()


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def module_cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def broker(module_cluster):
    """One broker for all tests of a file; each test uses topics of its own."""
    return module_cluster.broker().start()


@pytest.fixture
def connection(broker):
    with broker.connect() as made:
        yield made


@pytest.fixture
def topic(broker, request):
    """A fresh topic with one partition."""
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in request.node.name)[:200]
    return broker.create_topic(name)


@pytest.fixture
def hosts(broker, tmp_path):
    """Programs with members of groups and transactional workers; they end with the test."""
    made = Hosts(broker, tmp_path)
    yield made
    made.end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its broker's log."""
    report = (yield).get_result()
    if report.failed and report.when == "call":
        for name in ("broker", "cluster", "module_cluster"):
            made = item.funcargs.get(name)
            if isinstance(made, Broker):
                report.sections.append(("broker log", made.output()[-1500:]))
