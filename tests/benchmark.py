"""Cost of the API: `python -m tests.benchmark`, or with `--full` also for a million products.

Each ratio is the median of rounds that measure both sides: other load on the machine affects both.
"""

import gc
import io
import itertools
import json
import os
import platform
import sys
import threading
import time
from functools import partial
from statistics import median

from flask import Flask, request
from werkzeug.test import EnvironBuilder

from inventory import create_app, server

ROUNDS = 15
CALLS = 300
THREADS = 16


def main():
    """Print every table."""
    sizes = [1_000, 100_000, 1_000_000] if "--full" in sys.argv else [1_000, 100_000]
    gc.set_threshold(*server.GC_THRESHOLDS)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")

    apps = {size: filled_app(size) for size in sizes}
    print_requests(apps)
    del apps
    print_threads()


def filled_app(size):
    """Return an app with `size` products, and the id of one in the middle."""
    app = create_app()
    service = app.extensions["inventory"]
    products = [service.create_product("Laptop", f"LTP-{n}", 10**9, 5) for n in range(size)]
    return app, products[size // 2].id


def print_requests(apps):
    """Print the cost of each endpoint as a multiple of an empty view's."""
    print(f"\n{'request ÷ empty view':24}" + "".join(f"{size:>12,}" for size in apps))
    skus = (f"HTTP-{n}" for n in itertools.count())
    ratios = {}
    for app, product_id in apps.values():
        url = f"/products/{product_id}"
        batch = {"updates": [{"productId": product_id, "operation": "add", "quantity": 1}] * 2}
        for name, method, path, body in [
            ("create", "POST", "/products", lambda: {"name": "L", "sku": next(skus), "stock": 1}),
            ("add", "PUT", f"{url}/add", lambda: {"quantity": 1}),
            ("reduce", "PUT", f"{url}/reduce", lambda: {"quantity": 1}),
            ("read", "GET", url, None),
            ("status", "GET", f"{url}/status", None),
            ("bulk-update, 2 items", "POST", "/products/bulk-update", lambda batch=batch: batch),
            ("list, 10", "GET", "/products?limit=10", None),
        ]:
            ours = requester(app, method, path, body)
            empty = requester(empty_app(json.loads(ours())), method, path, body)
            rounds = [timed(ours) / timed(empty) for _ in range(ROUNDS)]
            ratios.setdefault(name, []).append(median(rounds))
    for name, row in ratios.items():
        print(f"{name:24}" + "".join(f"{ratio:12.2f}" for ratio in row))


def empty_app(body):
    """Return an app that parses the request's body, if any, and returns a constant."""
    app = Flask("empty")

    @app.route("/products", methods=["GET", "POST"])
    @app.route("/products/<product_id>", methods=["GET", "POST"])
    @app.route("/products/<product_id>/<action>", methods=["GET", "PUT"])
    def view(product_id=None, action=None):
        if request.method != "GET":
            request.get_json(force=True)
        return body

    return app


def requester(app, method, path, body):
    """Return a function that sends one WSGI request and returns the bytes of the response."""
    environ = EnvironBuilder(method=method, path=path).get_environ()

    def call():
        data = json.dumps(body()).encode() if body else b""
        sent = {"wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(len(data))}
        return b"".join(app({**environ, **sent}, lambda status, headers, exc_info=None: None))

    return call


def print_threads():
    """Print the throughput of many threads on one product, as a multiple of one thread's."""
    print(f"\n{THREADS} threads on one product ÷ one thread")
    for name, calls in (("service calls", 32_000), ("requests", 3_200)):
        rounds = [thread_ratio(name == "requests", calls) for _ in range(ROUNDS)]
        print(f"{name:24}{median(rounds):12.2f}")


def thread_ratio(http, calls):
    """Return the throughput of many threads on one product, divided by that of one thread."""
    app = create_app()
    service = app.extensions["inventory"]
    product_id = service.create_product("Hot", "HOT", 1).id
    over_http = requester(app, "PUT", f"/products/{product_id}/add", lambda: {"quantity": 1})
    call = over_http if http else partial(service.add_stock, product_id, 1)
    one = throughput(call, 1, calls)
    return throughput(call, THREADS, calls) / one


def throughput(call, threads, calls):
    """Return the calls per second."""

    def repeat():
        for _ in range(calls // threads):
            call()

    workers = [threading.Thread(target=repeat) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return calls / (time.perf_counter() - start)


def timed(call):
    """Return the seconds of one call, the mean of many."""
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS


if __name__ == "__main__":
    main()
