"""An app of the standard library: a text, a stream of three seconds, a WebSocket that says everything back."""

import base64
import hashlib
import os
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TEXT = Path(__file__).with_name("text").read_text()
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer by path."""
        {"/stream": self.stream, "/socket": self.socket}.get(self.path, self.text)()

    def text(self) -> None:
        """Answer with the text."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(TEXT)))
        self.end_headers()
        self.wfile.write(TEXT.encode())

    def stream(self) -> None:
        """Send a line now and then."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(6):
            self.wfile.write(f"{TEXT} {number}\n".encode())
            time.sleep(0.5)
        self.wfile.write(f"{TEXT} end\n".encode())

    def socket(self) -> None:
        """Say every text message back (short ones only)."""
        key = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + MAGIC).encode(), usedforsecurity=False).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(key).decode())
        self.end_headers()
        while (head := self.rfile.read(2)) and head[0] & 15 == 1:
            mask, body = self.rfile.read(4), self.rfile.read(head[1] & 127)
            said = f"{TEXT}: ".encode() + bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
            self.wfile.write(struct.pack("!BB", 0x81, len(said)) + said)
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        """Keep quiet."""


ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
