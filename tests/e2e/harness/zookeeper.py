"""A real ZooKeeper from Debian's package, on a free port, with short sessions."""

import socket
import struct
from pathlib import Path

from harness.process import Process, free_port, until

CLASSPATH = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-nop.jar"


class ZooKeeper:
    def __init__(self, directory: Path, host: str = "127.0.0.1"):
        self.directory = directory
        self.host = host
        self.port = free_port()
        self.process = None
        directory.mkdir(parents=True)
        (directory / "data").mkdir()
        # Sessions last between 2 and 20 ticks: 1 to 10 s.
        (directory / "zoo.cfg").write_text(
            f"tickTime=500\ndataDir={directory}/data\nclientPort={self.port}\nclientPortAddress={host}\n"
            "admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n")

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self):
        self.process = Process(
            ["java", "-Xmx128m", "-cp", CLASSPATH, "org.apache.zookeeper.server.ZooKeeperServerMain", self.directory / "zoo.cfg"],
            self.directory / "zookeeper.log")
        until(self.ready, 30, "ZooKeeper")
        return self

    def ready(self) -> bool:
        if not self.process.running():
            raise RuntimeError(f"ZooKeeper ended:\n{self.process.output()}")
        return self.four_letters(b"ruok") == b"imok"

    def four_letters(self, word: bytes) -> bytes:
        try:
            with socket.create_connection((self.host, self.port), 2) as s:
                s.sendall(word)
                answer = b""
                while chunk := s.recv(65536):
                    answer += chunk
                return answer
        except OSError:
            return b""

    def client(self, chroot: str = ""):
        from kazoo.client import KazooClient

        client = KazooClient(self.address + chroot, timeout=5)
        client.start(10)
        return client

    def end_session(self, session_id: int):
        """Ends somebody's session on the server: takes it over and closes it. The password that proves its ownership is,
        in a server of this kind, drawn from Java's Random seeded with the id and a constant (ZooKeeperServer.generatePasswd)."""
        mask = (1 << 48) - 1
        seed = ((session_id ^ 0xB3415C00) ^ 0x5DEECE66D) & mask
        password = b""
        for _ in range(4):
            seed = (seed * 0x5DEECE66D + 0xB) & mask
            password += (seed >> 16 & 0xFFFFFFFF).to_bytes(4, "little")
        # Both requests in one write, and again until the server no longer knows the session (it then grants id 0): the
        # owner reconnects within milliseconds and may take its session back in between.
        connect = struct.pack(">iqiqi16s?", 0, 0, 5000, session_id, len(password), password, False)
        close = struct.pack(">ii", 1, -11)
        requests = b"".join(struct.pack(">i", len(part)) + part for part in (connect, close))

        def gone():
            with socket.create_connection((self.host, self.port), 10) as usurper:
                usurper.sendall(requests)
                granted = b""
                try:
                    while chunk := usurper.recv(4096):
                        granted += chunk
                except ConnectionResetError:
                    pass
            return len(granted) >= 20 and struct.unpack_from(">q", granted, 12)[0] == 0

        until(gone, 20, "the end of the session")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process = None
