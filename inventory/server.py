"""What `run.py` serves with: a server that ends quietly and refuses malformed HTTP in JSON."""

import gc
import re
import signal
import socket
import threading
from types import SimpleNamespace
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, DechunkedInput, WSGIRequestHandler, make_server

# Products live long and hold no reference cycles. A full pass of the garbage collector would visit
# each of them, 500 to 1,100 ms at a million, to find nothing: the last number makes it never come.
GC_THRESHOLDS = (*gc.get_threshold()[:2], 1_000_000)

_HEAD = re.compile(
    rb"[!-~]+ /[!-~]* HTTP/1\.[01]\r?\n(?:[\w!#$%&'*+.^`|~-]+:[^\r\n\0]*\r?\n)*\r?\n"
)


def listen(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """Return a server that listens already, or raise `OSError` or `OverflowError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as sock:
        return make_server(
            host, port, app, threaded=True, request_handler=RequestHandler, fd=sock.fileno()
        )


def serve(server: BaseWSGIServer) -> None:
    """Serve until Ctrl-C or SIGTERM, which the caller has blocked."""
    gc.set_threshold(*GC_THRESHOLDS)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}).start()
    signal.sigwait((signal.SIGINT, signal.SIGTERM))  # a second one stays blocked and does nothing
    server.shutdown()


class RequestHandler(WSGIRequestHandler):
    """Refuses what is no HTTP as RFC 9112 has it, in JSON where it does not reach the app."""

    default_request_version = "HTTP/1.1"  # so that a refusal has a status line and a type
    error_content_type = "application/json"
    error_message_format = '{"error": true, "message": "%(explain)s"}\n'

    def parse_request(self) -> bool:
        """Read the head of a request, which ends in a blank line; return whether there is one."""
        lines: list[bytes] = [self.raw_requestline]
        stream = self.rfile

        def readline(limit: int) -> bytes:
            lines.append(stream.readline(limit))
            return lines[-1]

        self.rfile = SimpleNamespace(readline=readline)  # type: ignore[assignment]
        parsed = super().parse_request()  # which tells the client if it is not
        self.rfile = stream
        if parsed and not _HEAD.fullmatch(b"".join(lines)):
            self.send_error(400)
            return False
        self.protocol_version = self.request_version  # an old client knows of no answer in chunks
        return parsed

    def make_environ(self) -> dict[str, Any]:
        """Return what the app is told; a body in chunks is read more strictly."""
        environ = super().make_environ()
        if "wsgi.input_terminated" in environ:
            environ["wsgi.input"] = _Chunks(self.rfile)  # type: ignore[arg-type]
        return environ

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log a request line as it was sent, in ASCII: what it stands for could turn it round."""
        self.log("info", "%a %s %s", self.requestline, code, size)


class _Chunks(DechunkedInput):
    def read_chunk_len(self) -> int:
        """Return the size of the next chunk; Werkzeug would take `0xf`, `+f` and `0_f` too."""
        size = self._rfile.readline(100)
        if not re.fullmatch(rb"[0-9A-Fa-f]+\r\n", size):
            raise OSError
        return int(size, 16)
