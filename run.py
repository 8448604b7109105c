"""Serve the inventory API: `python run.py [--host HOST] [--port PORT]`."""

import signal

# Ctrl-C and SIGTERM wait until there is a server to end, so that they never end in a traceback.
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))

import argparse  # noqa: E402
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
        server = listen(
            create_app({"DEBUG": False}), args.host, args.port
        )  # not as FLASK_DEBUG says
    except (SettingError, OSError, OverflowError) as error:
        sys.exit(f"run.py: {error}")
    host, port = server.socket.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"Inventory API listening on {url} (Ctrl-C to stop). Try:")
    print(f"""  curl {url}/products -d '{{"name": "Laptop", "sku": "LTP-123"}}'""", flush=True)
    serve(server)


if __name__ == "__main__":
    main()
