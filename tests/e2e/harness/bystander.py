"""A well-behaved client that works beside a test and must not notice it."""

import threading
import time

from harness import wire
from harness.records import batch


class Bystander:
    """Appends and reads back, round after round, on a topic of its own."""

    def __init__(self, broker, topic="bystander"):
        self.broker, self.rounds, self.slowest, self.failure = broker, 0, 0.0, None
        with broker.connect() as connection:
            self.topic = broker.create_topic(f"{topic}-{time.monotonic_ns()}")
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        try:
            with self.broker.connect() as connection:
                while not self.stopping.is_set():
                    start = time.monotonic()
                    part = wire.produce(connection, self.topic, batch([(b"k", b"%d" % self.rounds)]))
                    assert (part["error_code"], part["base_offset"]) == (0, self.rounds), part
                    read = wire.fetch(connection, self.topic, self.rounds)
                    assert b"%d" % self.rounds in read["records"], read
                    self.slowest = max(self.slowest, time.monotonic() - start)
                    self.rounds += 1
                    self.stopping.wait(0.01)
        except Exception as failure:  # noqa: BLE001
            self.failure = failure

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        before = self.rounds
        deadline = time.monotonic() + 20
        while self.rounds < before + 5 and not self.failure and time.monotonic() < deadline:
            self.stopping.wait(0.02)
        self.stopping.set()
        self.thread.join(30)
        if kind is None:
            assert self.failure is None, f"the bystander failed: {self.failure!r}"
            assert self.rounds >= before + 5, "the bystander stands still"
            assert self.slowest < 10, f"a round of the bystander took {self.slowest:.1f} s"
