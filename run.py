"""Serve the inventory API: `python run.py [--host HOST] [--port PORT]`."""

import signal

# Block Ctrl-C and SIGTERM until `serve` waits for them: from here on, they cause no traceback.
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))

import argparse  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

from inventory import create_app  # noqa: E402
from inventory.errors import SettingError  # noqa: E402
from inventory.server import listen, serve  # noqa: E402


def main() -> None:
    """Parse the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description="Serve the inventory API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=5000, help="port, 0 for any free one (%(default)s)"
    )
    args = parser.parse_args()
    try:
        app = create_app({"DEBUG": False})  # overrides FLASK_DEBUG
        server = listen(app, args.host, args.port)
    except SettingError as error:
        sys.exit(f"run.py: {error}")
    except (OSError, OverflowError, TypeError) as error:
        sys.exit(f"run.py: {error} (see --host and --port)")
    host, port = server.socket.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    roles, header = "off, anyone who can reach this port has full access", ""
    if "INVENTORY_TOKENS" in os.environ:
        roles, header = "on (INVENTORY_TOKENS)", " -H 'Authorization: Bearer TOKEN'"
    product = '{"name": "Ball", "sku": "BALL-1", "stock": 3}'
    try:
        print(f"Inventory API listening on {url} (Ctrl-C to stop). Roles are {roles}. Try:")
        print(f"  curl {url}/products{header} -d '{product}'", flush=True)
    except BrokenPipeError:  # as in `run.py | true`: serve, and discard the buffered lines
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    serve(server)


if __name__ == "__main__":
    main()
