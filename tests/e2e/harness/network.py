"""Machines of their own: network namespaces on one bridge, whose cables can be pulled out. Needs root."""

import os

from harness.process import run


class Network:
    """The tests and ZooKeeper are at `host`, the bridge; broker n is at the address that ends in 100 + n."""

    def __init__(self):
        self.mark = f"{os.getpid() % 100000}"
        self.subnet = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.host = f"{self.subnet}.1"
        self.bridge = f"wbr{self.mark}"
        self.spaces = []
        run(["ip", "link", "add", self.bridge, "type", "bridge"])
        run(["ip", "address", "add", f"{self.host}/24", "dev", self.bridge])
        run(["ip", "link", "set", self.bridge, "up"])

    def cable(self, broker_id: int) -> str:
        return f"wv{self.mark}-{broker_id}"

    def place(self, broker_id: int, broker):
        space, cable, inside = f"weir-{self.mark}-{broker_id}", self.cable(broker_id), f"wi{self.mark}-{broker_id}"
        run(["ip", "netns", "add", space])
        self.spaces.append(space)
        run(["ip", "link", "add", cable, "type", "veth", "peer", "name", inside])
        run(["ip", "link", "set", inside, "netns", space])
        run(["ip", "link", "set", cable, "master", self.bridge, "up"])
        broker.host = f"{self.subnet}.{100 + broker_id}"
        for command in (["address", "add", f"{broker.host}/24", "dev", inside], ["link", "set", inside, "up"], ["link", "set", "lo", "up"]):
            run(["ip", "-n", space, *command])
        broker.prefix = ["ip", "netns", "exec", space]
        broker.settings["listeners"] = f"PLAINTEXT://{broker.address}"

    def cut(self, broker_id: int):
        """Nothing reaches it or leaves it any more, and nobody is told."""
        run(["ip", "link", "set", self.cable(broker_id), "nomaster"])

    def mend(self, broker_id: int):
        run(["ip", "link", "set", self.cable(broker_id), "master", self.bridge])

    def end(self):
        for space in self.spaces:
            run(["ip", "netns", "delete", space], check=False)
        run(["ip", "link", "delete", self.bridge], check=False)
