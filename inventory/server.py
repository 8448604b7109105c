"""The server of `run.py`: rejects malformed HTTP with JSON errors, exits cleanly on a signal."""

import gc
import re
import signal
import socket
import threading
from io import BufferedIOBase, BytesIO
from types import SimpleNamespace
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, DechunkedInput, WSGIRequestHandler, make_server

# A full collection would visit every product, and products form no reference cycles. The third
# threshold effectively disables it (up to Python 3.13). Most cycles that requests create are
# collected young.
GC_THRESHOLDS = (*gc.get_threshold()[:2], 1_000_000)

MAX_LINE = 65_536  # bytes, as in http.client; http.server rejects longer header lines
MAX_HEADERS = 100  # lines after the request line, likewise
HEAD_TIMEOUT = 60  # seconds without data while a request's head is read

_HEAD = re.compile(
    rb"[!-~]+ /[!-~]* HTTP/1\.[01]\r?\n(?:[\w!#$%&'*+.^`|~-]+:[^\r\n\0]*\r?\n)*\r?\n"
)


def listen(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """Return a listening server. Raises `OSError`, `OverflowError` or `TypeError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as sock:
        return make_server(
            host, port, app, threaded=True, request_handler=RequestHandler, fd=sock.fileno()
        )


def serve(server: BaseWSGIServer) -> None:
    """Serve until SIGINT (Ctrl-C) or SIGTERM, both of which the caller has blocked."""
    gc.set_threshold(*GC_THRESHOLDS)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}).start()
    signal.sigwait((signal.SIGINT, signal.SIGTERM))  # further signals stay blocked
    server.shutdown()


class RequestHandler(WSGIRequestHandler):
    """Rejects truncated and malformed request heads with JSON errors."""

    raw_requestline: bytes
    timeout = HEAD_TIMEOUT
    default_request_version = "HTTP/1.1"  # so that an early error has a status line
    error_content_type = "application/json"
    error_message_format = '{"error": true, "message": "%(explain)s"}\n'

    def parse_request(self) -> bool:
        """Read and validate the head of a request; return whether the app may process it."""
        if not self.raw_requestline.strip(b"\r\n"):  # RFC 9112, 2.2: ignore one empty line
            self.raw_requestline = self.rfile.readline(MAX_LINE + 1)
        lines = [line := self.raw_requestline]
        while line.strip(b"\r\n") and len(line) <= MAX_LINE and len(lines) <= MAX_HEADERS + 1:
            lines.append(line := self.rfile.readline(MAX_LINE + 1))
        self.connection.settimeout(None)  # a client may pause while it sends or receives a body
        head = b"".join(lines)
        stream, self.rfile = self.rfile, BytesIO(head[len(lines[0]) :])
        parsed = super().parse_request()  # has responded if it returns False, unless head is empty
        self.rfile = stream
        if not parsed:
            return False
        if len(self.headers.get_all("Content-Length", [])) > 1 or not _HEAD.fullmatch(head):
            self.send_error(400, explain="Malformed or incomplete HTTP request")
            return False
        self.protocol_version = self.request_version  # no chunked response to an HTTP/1.0 client
        return True

    def make_environ(self) -> dict[str, Any]:
        """Return the WSGI environment; the framing of a chunked body is validated strictly."""
        environ = super().make_environ()
        if "wsgi.input_terminated" in environ:
            environ["wsgi.input"] = _ChunkedBody(_CrlfLines(self.rfile))  # type: ignore[arg-type]
        # Werkzeug discards an unread body with `read`, which blocks until the client closes.
        self.rfile = SimpleNamespace(read=self.rfile.read1, close=self.rfile.close)  # type: ignore[assignment]
        return environ

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log the raw request line: decoded control characters would allow log injection."""
        self.log("info", "%a %s %s", self.requestline, code, size)


class _ChunkedBody(DechunkedInput):
    def read_chunk_len(self) -> int:
        """Return the size of the next chunk. Werkzeug also accepts `0xf`, `+f` and `0_f`."""
        size = self._rfile.readline(100)
        if not re.fullmatch(rb"[0-9A-Fa-f]+\r\n", size):
            raise OSError
        return int(size, 16)


class _CrlfLines:
    """A stream whose lines end in CR LF. Werkzeug also accepts a chunk that ends in CR or LF."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self.read, self._stream = stream.read, stream

    def readline(self, limit: int) -> bytes:
        line = self._stream.readline(limit)
        if not line.endswith(b"\r\n"):
            raise OSError
        return line
