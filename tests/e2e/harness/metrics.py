"""The page of metrics that a broker with metrics.listener shows."""

import re
import urllib.request

from harness.process import free_port

LINE = re.compile(r'^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


def shown(broker):
    """Lets this broker, not yet started, show its metrics."""
    broker.metrics_port = free_port()
    broker.settings["metrics.listener"] = f"127.0.0.1:{broker.metrics_port}"
    return broker


def page(broker) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{broker.metrics_port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.read().decode()


def parse(text: str) -> dict:
    """Name -> value; of a metric with labels: name -> {values of the labels: value}."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = LINE.match(line).groups()
        if labels is None:
            found[name] = float(value)
        else:
            found.setdefault(name, {})[tuple(v for _, v in LABEL.findall(labels))] = float(value)
    return found


def metrics(broker) -> dict:
    return parse(page(broker))


def of_api(found: dict, name: str, api: str) -> float:
    return found[name][(api,)]
