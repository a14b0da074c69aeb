"""A way to a server on which, from a certain request on, nothing moves any more: connections stand, answers do not come."""

import socket
import struct
import threading


class StallingProxy:
    """Between a ZooKeeper client and its server. `stalls(operation, request)` sees each request that the client sends."""

    EXISTS, GET = 3, 4  # operations of ZooKeeper's protocol

    def __init__(self, port: int, stalls):
        self.port, self.stalls = port, stalls
        self.stalled, self.ended = threading.Event(), False
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(client)
            if self.stalled.is_set():
                continue
            server = socket.create_connection(("127.0.0.1", self.port))
            self.sockets.append(server)
            threading.Thread(target=self.requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self.answers, args=(server, client), daemon=True).start()

    def requests(self, client, server):
        pending, is_connected = b"", False
        try:
            while chunk := client.recv(65536):
                pending += chunk
                while len(pending) >= 4 and len(pending) >= 4 + struct.unpack_from(">i", pending)[0]:
                    size = 4 + struct.unpack_from(">i", pending)[0]
                    request, pending = pending[:size], pending[size:]
                    if is_connected and self.stalls(struct.unpack_from(">i", request, 8)[0], request):
                        self.stalled.set()
                    is_connected = True
                    if not self.stalled.is_set():
                        server.sendall(request)
            server.close()
        except OSError:
            pass

    def answers(self, server, client):
        try:
            while chunk := server.recv(65536):
                if not self.stalled.is_set():
                    client.sendall(chunk)
            if not self.stalled.is_set():
                client.close()
        except OSError:
            pass

    def close(self):
        for one in [self.listener, *self.sockets]:
            one.close()
