"""What `run.py` serves with: a server that ends quietly and refuses malformed HTTP in JSON."""

import gc
import signal
import socket
import threading
from types import SimpleNamespace
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

# Products live long and hold no reference cycles. A full pass of the garbage collector would visit
# each of them, 500 to 1,100 ms at a million, to find nothing: the last number makes it never come.
GC_THRESHOLDS = (*gc.get_threshold()[:2], 1_000_000)


def listen(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """Return a server that listens already, or raise `OSError` or `OverflowError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as sock:
        return make_server(
            host, port, app, threaded=True, request_handler=RequestHandler, fd=sock.fileno()
        )


def serve(server: BaseWSGIServer) -> None:
    """Serve until Ctrl-C or SIGTERM, which the caller has blocked, and end between two requests."""
    gc.set_threshold(*GC_THRESHOLDS)
    loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    loop.start()
    signal.sigwait((signal.SIGINT, signal.SIGTERM))  # a second one stays blocked and does nothing
    server.shutdown()
    loop.join()


class RequestHandler(WSGIRequestHandler):
    """Refuses in JSON what is too malformed to reach the app."""

    error_content_type = "application/json"
    error_message_format = '{"error": true, "message": "%(explain)s"}\n'

    def parse_request(self) -> bool:
        """Read the head of a request; return whether there is one. It ends in a blank line."""
        stream, line = self.rfile, b""

        def readline(limit: int) -> bytes:
            nonlocal line
            line = stream.readline(limit)
            return line

        self.rfile = SimpleNamespace(readline=readline)  # type: ignore[assignment]
        try:
            if not super().parse_request():
                return False
            urlsplit(self.path).port  # noqa: B018 - raises ValueError for http://[ and http://a:b
            if line in (b"\r\n", b"\n") and not self.headers.defects:
                return True
        except ValueError:
            self.path = "*"  # for the log line, for which Werkzeug parses the target
        finally:
            self.rfile = stream
        self.send_error(400)
        return False
