"""A Docker engine that is played: it tells of containers on the network of builds, and can be sick in several ways."""

import json
import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


@dataclass
class PlayedEngine:
    """What it has, and how it is."""

    address: str
    processes: dict[str, int] = field(default_factory=dict)
    """Of containers, by their ids."""
    refuses: set[str] = field(default_factory=set)
    """What it has no good answer to: the ids of containers, and `json` for the list of them."""
    hangs: set[str] = field(default_factory=set)
    """What it never answers."""
    odd: set[str] = field(default_factory=set)
    """What it answers in a form that nobody expects."""
    asked: list[str] = field(default_factory=list)
    """What it was asked for."""
    events: "queue.Queue[Any]" = field(default_factory=queue.Queue)
    """What it has to tell; None ends the telling."""
    ended: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)
    """While it is not set, lists wait."""

    def starts(self, container: str, process: int) -> None:
        """Start a container, and tell of it."""
        self.processes[container] = process
        self.events.put({"Actor": {"Attributes": {}}})

    def lists(self) -> int:
        """Tell how often the containers were listed."""
        return self.asked.count("json")

    def answer(self, what: str) -> tuple[int, Any]:
        """Give status and body."""
        self.asked.append(what)
        if what == "json":
            self.free.wait()
        if what in self.hangs:
            self.ended.wait()
        if what in self.refuses:
            return 500, {"message": "it is sick"}
        if what == "json":
            return 200, [{"Id": one} for one in self.processes]
        return 200, {"State": None} if what in self.odd else {"State": {"Pid": self.processes[what]}}


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def log_message(self, *_: object) -> None:
        """Nobody reads it; and whoever asks on a socket of this kind has no address."""

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[-1] == "version":
            self._send(200, {"ApiVersion": "1.43", "MinAPIVersion": "1.24"})
        elif parts[-1] == "events":
            self.send_response(200)
            self.end_headers()
            while (event := self.server.engine.events.get()) is not None:
                self.wfile.write(json.dumps(event).encode() + b"\n")
        else:
            self._send(*self.server.engine.answer(parts[-1] if len(parts) == 3 else parts[-2]))

    def _send(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, engine: PlayedEngine) -> None:
        super().__init__(str(path), _Handler)
        self.engine = engine

    def handle_error(self, *_: object) -> None:
        """Whoever asked may have left."""


@contextmanager
def played_engine(folder: Path) -> Iterator[PlayedEngine]:
    """Play an engine on a socket in this folder."""
    path = folder / "docker.sock"
    engine = PlayedEngine(f"unix://{path}")
    engine.free.set()
    with _Server(path, engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield engine
        finally:
            engine.free.set()
            engine.ended.set()
            engine.events.put(None)
            server.shutdown()
