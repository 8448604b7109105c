"""Serve the inventory API: `python run.py [--host HOST] [--port PORT]`."""

import argparse
import gc
import signal
import socket
import sys
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from inventory import create_app
from inventory.errors import SettingError

# Products live long and hold no reference cycles. A full pass of the garbage collector would visit
# each of them, 500 to 1,100 ms at a million, to find nothing: the last number makes it never come.
GC_THRESHOLDS = (*gc.get_threshold()[:2], 1_000_000)


def main() -> None:
    """Parse the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description="Serve the inventory API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=5000, help="port, 0 for any free one (%(default)s)"
    )
    args = parser.parse_args()

    gc.set_threshold(*GC_THRESHOLDS)

    try:
        app = create_app({"DEBUG": False})  # whatever FLASK_DEBUG says
    except SettingError as error:
        sys.exit(f"run.py: {error}")
    with listen(args.host, args.port) as sock:
        host, port = sock.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        server = make_server(
            host, port, app, threaded=True, request_handler=RequestHandler, fd=sock.fileno()
        )
        stop_on_signal(server)
        print(f"Inventory API listening on {url} (Ctrl-C to stop). Try:")
        print(f"""  curl {url}/products -d '{{"name": "Laptop", "sku": "LTP-123"}}'""", flush=True)
        server.serve_forever(poll_interval=0.1)


def stop_on_signal(server: BaseWSGIServer) -> None:
    """Let Ctrl-C and SIGTERM end the server between two requests, and a second one do nothing."""

    def stop(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        # On a thread, because shutdown() waits for the loop of the server, which is in this one.
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, or leave with one line that says why there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        sys.exit(f"run.py: {error}")


class RequestHandler(WSGIRequestHandler):
    """Answers in JSON also where a request is too malformed to reach the app."""

    error_content_type = "application/json"
    error_message_format = '{"error": true, "message": "%(explain)s"}\n'

    def run_wsgi(self) -> None:
        """Hand the request to the app, if its target can be parsed, unlike http://[ and http://a:b."""
        try:
            urlsplit(self.path).port  # noqa: B018 - raises ValueError where it cannot
        except ValueError:
            self.path = "*"  # for the log line, for which Werkzeug parses the target
            self.send_error(400)
        else:
            super().run_wsgi()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C before the server listens
        main()
