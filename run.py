"""Serve the inventory API: `python run.py [--host HOST] [--port PORT]`."""

import signal

# Ctrl-C and SIGTERM wait until there is a server to end, so that they never end in a traceback.
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
        app = create_app({"DEBUG": False})  # whatever FLASK_DEBUG says
        server = listen(app, args.host, args.port)
    except SettingError as error:
        sys.exit(f"run.py: {error}")
    except (OSError, OverflowError, TypeError) as error:
        sys.exit(f"run.py: {error} (see --host and --port)")
    host, port = server.socket.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    roles, header = "off, whoever reaches this port may do everything", ""
    if "INVENTORY_TOKENS" in os.environ:
        roles, header = "on, as INVENTORY_TOKENS says", " -H 'Authorization: Bearer TOKEN'"
    print(f"Inventory API listening on {url} (Ctrl-C to stop). Roles are {roles}. Try:")
    product = '{"name": "Ball", "sku": "BALL-1", "stock": 3}'
    print(f"  curl {url}/products{header} -d '{product}'", flush=True)
    serve(server)


if __name__ == "__main__":
    main()
