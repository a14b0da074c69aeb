"""confluent-kafka (librdkafka) and kafka-python as a test drives them: host.py <confluent|kafka-python> <address>, commands on stdin and
events on stdout (../../harness/hosts.py)."""

import json
import os
import sys
import threading
import time

ADDRESS = sys.argv[2]
OUT = threading.Lock()


def tell(member, event, **more):
    with OUT:
        print(json.dumps({"at": time.time(), "member": member, "event": event, **more}), flush=True)


class Fenced(Exception):
    """Another has this transactional id now."""


class Member(threading.Thread):
    """Commits what it has read before it reads on, and before it gives a partition away."""

    def __init__(self, name, options):
        super().__init__(daemon=True)
        self.member, self.options, self.leaving = name, options, False

    def leave(self):
        self.leaving = True

    def run(self):
        try:
            self.serve()
            tell(self.member, "left")
        except Fenced as e:
            self.consumer.close()  # its partitions go to others
            tell(self.member, "fenced", error=str(e))
        except Exception as e:
            tell(self.member, "died", error=repr(e))


class ConfluentMember(Member):
    def serve(self):
        from confluent_kafka import Consumer

        o = self.options
        self.read = []
        config = {"bootstrap.servers": ADDRESS, "group.id": o["group"], "enable.auto.commit": False, "auto.offset.reset": "earliest",
                  "partition.assignment.strategy": o["strategy"], "session.timeout.ms": int(o["session"]), "heartbeat.interval.ms": 500,
                  "topic.metadata.refresh.interval.ms": 5000, "fetch.wait.max.ms": 100}
        if "instance" in o:
            config["group.instance.id"] = o["instance"]
        self.consumer = consumer = Consumer(config)
        consumer.subscribe(o["topics"].split(","), on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)
        while not self.leaving:
            m = consumer.poll(0.1)
            while m is not None:
                if not m.error():  # others are told of and mended by the library
                    self.read.append(m)
                m = consumer.poll(0) if len(self.read) < 500 else None
            self.commit()
        consumer.close()

    def commit(self):
        from confluent_kafka import KafkaException, TopicPartition

        records, self.read = self.read, []
        if not records:
            return
        tell(self.member, "read", records=[[m.topic(), m.partition(), m.offset(), m.value().decode()] for m in records])
        offsets = {(m.topic(), m.partition()): m.offset() + 1 for m in records}
        try:
            done = self.consumer.commit(offsets=[TopicPartition(t, p, o) for (t, p), o in offsets.items()], asynchronous=False)
            tell(self.member, "committed", offsets=[[d.topic, d.partition, d.offset] for d in done if d.error is None])
        except KafkaException as e:
            tell(self.member, "refused", what="commit", error=str(e))

    def assigned(self, consumer, partitions):
        tell(self.member, "assigned", partitions=[[p.topic, p.partition] for p in partitions])

    def revoked(self, consumer, partitions):
        self.commit()
        tell(self.member, "revoked", partitions=[[p.topic, p.partition] for p in partitions])

    def lost(self, consumer, partitions):
        self.read = []
        tell(self.member, "lost", partitions=[[p.topic, p.partition] for p in partitions])


class KafkaPythonMember(Member):
    def serve(self):
        from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata
        from kafka.coordinator.assignors.range import RangePartitionAssignor
        from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
        from kafka.errors import KafkaError

        o, member = self.options, self.member
        strategy = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}[o["strategy"]]
        consumer = KafkaConsumer(bootstrap_servers=ADDRESS, group_id=o["group"], enable_auto_commit=False, auto_offset_reset="earliest",
                                 partition_assignment_strategy=[strategy], session_timeout_ms=int(o["session"]), heartbeat_interval_ms=500,
                                 metadata_max_age_ms=5000, fetch_max_wait_ms=100, max_poll_records=500)

        class Listener(ConsumerRebalanceListener):
            def on_partitions_assigned(self, partitions):
                generation = consumer._coordinator._generation
                tell(member, "assigned", partitions=[[p.topic, p.partition] for p in partitions], id=generation.member_id,
                     generation=generation.generation_id)

            def on_partitions_revoked(self, partitions):
                tell(member, "revoked", partitions=[[p.topic, p.partition] for p in partitions])

        consumer.subscribe(o["topics"].split(","), listener=Listener())
        while not self.leaving:
            read = consumer.poll(100)
            if not read:
                continue
            tell(member, "read", records=[[m.topic, m.partition, m.offset, m.value.decode()] for records in read.values() for m in records])
            offsets = {p: records[-1].offset + 1 for p, records in read.items()}
            try:
                consumer.commit({p: OffsetAndMetadata(at, "") for p, at in offsets.items()})
                tell(member, "committed", offsets=[[p.topic, p.partition, at] for p, at in offsets.items()])
            except KafkaError as e:
                tell(member, "refused", what="commit", error=repr(e))
        consumer.close(autocommit=False)


class ConfluentWorker(Member):
    """Reads a topic, writes what it read with "!" added to the same partition of another, and commits both together."""

    def serve(self):
        from confluent_kafka import Consumer, KafkaException

        o = self.options
        self.consumer = consumer = Consumer({"bootstrap.servers": ADDRESS, "group.id": o["group"], "enable.auto.commit": False,
                                             "auto.offset.reset": "earliest", "isolation.level": "read_committed",
                                             "session.timeout.ms": int(o["session"]), "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 100})
        self.open()
        consumer.subscribe([o["input"]])
        transactions = 0
        while not self.leaving:
            records = []
            m = consumer.poll(0.1)
            while m is not None:
                if not m.error():
                    records.append(m)
                m = consumer.poll(0) if len(records) < 50 else None
            # A rebalance between two polls takes partitions, and with them the right to what was read from them.
            mine = {(p.topic, p.partition) for p in consumer.assignment()}
            records = [m for m in records if (m.topic(), m.partition()) in mine]
            if not records:
                continue
            transactions += 1
            try:
                if self.transform(records, aborted=transactions % 10 == 0):
                    tell(self.member, "transaction", count=len(records))
                else:
                    self.rewind()
            except KafkaException as e:
                tell(self.member, "refused", what="transaction", error=str(e))
                self.recover(e.args[0])
        consumer.close()

    def open(self):
        from confluent_kafka import KafkaException, Producer

        while True:
            self.producer = Producer({"bootstrap.servers": ADDRESS, "transactional.id": self.options["txn"], "linger.ms": 2,
                                      "transaction.timeout.ms": int(self.options.get("timeout", 60000))})
            try:
                self.retried(self.producer.init_transactions, 30)
                return
            except KafkaException as e:
                tell(self.member, "refused", what="init", error=str(e))

    def retried(self, step, *arguments):
        from confluent_kafka import KafkaException

        while True:
            try:
                return step(*arguments)
            except KafkaException as e:
                if not e.args[0].retriable():
                    raise
                tell(self.member, "refused", what=step.__name__, error=str(e))

    def transform(self, records, aborted):
        from confluent_kafka import TopicPartition

        self.producer.begin_transaction()
        offsets = {}
        for m in records:
            self.producer.produce(self.options["output"], value=m.value() + b"!", partition=m.partition())
            offsets[m.partition()] = m.offset() + 1
        self.retried(self.producer.send_offsets_to_transaction, [TopicPartition(self.options["input"], p, o) for p, o in offsets.items()],
                     self.consumer.consumer_group_metadata(), 30)
        if aborted:  # now and then it thinks better of it
            self.producer.flush(30)
            self.retried(self.producer.abort_transaction, 30)
            return False
        self.retried(self.producer.commit_transaction, 30)
        return True

    def recover(self, error):
        from confluent_kafka import KafkaError, KafkaException

        try:
            if error.code() == KafkaError._FENCED:
                raise Fenced(error)
            if not error.txn_requires_abort():
                raise KafkaException(error)
            self.retried(self.producer.abort_transaction, 30)
        except KafkaException as e:
            if e.args[0].code() == KafkaError._FENCED:
                raise Fenced(e)
            self.open()  # which ends what the old one left open
        self.rewind()

    def rewind(self):
        from confluent_kafka import OFFSET_BEGINNING, TopicPartition

        for p in self.retried(self.consumer.committed, self.consumer.assignment(), 30):
            self.consumer.seek(TopicPartition(p.topic, p.partition, p.offset if p.offset >= 0 else OFFSET_BEGINNING))


class ConfluentTransactor:
    def __init__(self, name, options):
        from confluent_kafka import Producer

        self.name = name
        self.producer = Producer({"bootstrap.servers": ADDRESS, "transactional.id": options["txn"], "linger.ms": 2,
                                  "transaction.timeout.ms": int(options.get("timeout", 60000))})

    def send(self, options):
        from confluent_kafka import KafkaException

        failed = []
        self.producer.produce(options["topic"], value=options["value"], partition=int(options["partition"]),
                              on_delivery=lambda e, m: failed.append(e) if e else None)
        left = self.producer.flush(30)
        if failed or left:
            raise KafkaException(failed[0]) if failed else TimeoutError()

    def step(self, what, options):
        p = self.producer
        try:
            {"init": lambda: p.init_transactions(30), "begin": p.begin_transaction, "send": lambda: self.send(options),
             "commit": lambda: p.commit_transaction(30), "abort": lambda: p.abort_transaction(30)}[what]()
            tell(self.name, "done", what=what)
        except Exception as e:
            tell(self.name, "refused", what=what, error=str(e))


def main():
    kinds = {"confluent": (ConfluentMember, ConfluentWorker, ConfluentTransactor), "kafka-python": (KafkaPythonMember, None, None)}[sys.argv[1]]
    running, transactors = {}, {}
    tell("", "ready")
    for line in sys.stdin:
        what, name, *rest = line.split()
        options = dict(each.split("=", 1) for each in rest)
        if what in ("join", "work"):
            running[name] = kinds[0 if what == "join" else 1](name, options)
            running[name].start()
        elif what == "leave":
            running[name].leave()
        else:
            if what == "init":
                transactors[name] = kinds[2](name, options)
            transactors[name].step(what, options)
    os._exit(0)  # the test is over: nothing is left in order


main()
