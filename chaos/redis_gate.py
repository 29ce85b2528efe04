"""The gate in front of Redis: bytes in both directions, or the same faults in Redis's own words."""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from typing import Final

from backend.local.engine import HOST
from chaos.faults import NOT_DONE, REDIS_THROTTLED, REDIS_WRONG, SLOW_SECONDS, Act, Kind
from chaos.gates import Connections, Mood, cut

_CHUNK: Final = 65536


class RedisGate:
    """Passes on what the client sends chunk by chunk; a client waits for its answer, so a chunk is a request."""

    def __init__(self, port: int, upstream: int, slow_seconds: float = SLOW_SECONDS) -> None:
        self.service = "redis"
        self.upstream = upstream
        self.slow_seconds = slow_seconds
        self.mood = Mood()
        self.connections = Connections()
        self.port = port
        self._listener: socket.socket | None = None
        self._listen()

    def set(self, kind: Kind | None) -> None:
        """As ``chaos.gates.Gate`` says."""
        self.mood.set(kind)
        if kind == "refused":
            self.close()
        elif self._listener is None:
            self._listen()

    def counts(self) -> dict[str, int]:
        """As ``chaos.gates.Gate`` says."""
        return self.mood.counts()

    def close(self) -> None:
        """As ``chaos.gates.Gate`` says."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Closing alone would leave the accept of the other thread waiting.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.connections.cut_all()

    def _listen(self) -> None:
        self._listener = socket.create_server((HOST, self.port), reuse_port=False)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self.connections.add(client)
        try:
            with client, socket.create_connection((HOST, self.upstream), timeout=30) as server:
                self._exchange(client, server)
        except OSError:
            self.mood.count("broken")
        finally:
            self.connections.drop(client)

    def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        """Bytes in both directions until one side ends, or a fault ends both."""
        act: Act = "pass"
        while True:
            ready, _, _ = select.select([client, server], [], [])
            if client in ready:
                if not (request := client.recv(_CHUNK)):
                    return
                act = self.mood.next()
                if act in NOT_DONE:
                    client.sendall(REDIS_THROTTLED if act in ("throttle", "fail") else REDIS_WRONG)
                    return
                server.sendall(request)
            if server in ready and not self._answer(act, server.recv(_CHUNK), client):
                return

    def _answer(self, act: Act, answer: bytes, client: socket.socket) -> bool:
        """Hands on what Redis says, nothing when it ended; False when the connection is over."""
        if not answer:
            return False
        if act == "late":
            time.sleep(self.slow_seconds)
        if act == "cut":
            cut(client)
        elif act == "html":
            client.sendall(REDIS_WRONG)
        elif act == "half_body":
            client.sendall(answer[: len(answer) // 2])
        else:
            client.sendall(answer)
            return True
        return False
