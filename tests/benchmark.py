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
THREADS = 16


def main():
    """Print both tables."""
    sizes = [1_000, 100_000, 1_000_000] if "--full" in sys.argv else [1_000, 100_000]
    gc.set_threshold(*server.GC_THRESHOLDS)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")

    print(f"\n{'request ÷ empty view':24}" + "".join(f"{size:>12,}" for size in sizes))
    columns = [request_ratios(size) for size in sizes]
    for name in columns[0]:
        print(f"{name:24}" + "".join(f"{column[name]:12.2f}" for column in columns))

    print(f"\n{THREADS} threads on one product ÷ one thread")
    for name, calls in (("service calls", 32_000), ("requests", 3_200)):
        rounds = [thread_ratio(name == "requests", calls) for _ in range(ROUNDS)]
        print(f"{name:24}{median(rounds):12.2f}")


def request_ratios(size):
    """Return the cost of each endpoint, with `size` products, as a multiple of an empty view's."""
    app = create_app()
    create = app.extensions["inventory"].create_product
    products = [create("Laptop", f"LTP-{number}", 10**9, 5) for number in range(size)]
    product_id = products[size // 2].id
    url = f"/products/{product_id}"
    batch = {"updates": [{"productId": product_id, "operation": "add", "quantity": 1}] * 2}
    skus = (f"HTTP-{number}" for number in itertools.count())
    ratios = {}
    for name, method, path, body in [
        ("create", "POST", "/products", lambda: {"name": "L", "sku": next(skus), "stock": 1}),
        ("add", "PUT", f"{url}/add", lambda: {"quantity": 1}),
        ("reduce", "PUT", f"{url}/reduce", lambda: {"quantity": 1}),
        ("read", "GET", url, None),
        ("status", "GET", f"{url}/status", None),
        ("bulk-update, 2 items", "POST", "/products/bulk-update", lambda: batch),
        ("list, 10", "GET", "/products?limit=10", None),
    ]:
        ours = requester(app, method, path, body)
        empty = requester(empty_app(json.loads(ours())), method, path, body)
        ratios[name] = median(seconds(ours, 300) / seconds(empty, 300) for _ in range(ROUNDS))
    return ratios


def empty_app(body):
    """Return an app that parses the request's body, if any, and returns a constant."""
    app = Flask("empty")

    @app.route("/<path:path>", methods=["GET", "POST", "PUT"])
    def view(path):
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


def thread_ratio(http, calls):
    """Return the throughput of many threads on one product, divided by that of one thread."""
    app = create_app()
    service = app.extensions["inventory"]
    product_id = service.create_product("Hot", "HOT", 1).id
    over_http = requester(app, "PUT", f"/products/{product_id}/add", lambda: {"quantity": 1})
    call = over_http if http else partial(service.add_stock, product_id, 1)
    return seconds(call, calls) / seconds(call, calls, THREADS)


def seconds(call, calls, threads=1):
    """Return the seconds that the calls take, split evenly between threads."""

    def repeat():
        for _ in range(calls // threads):
            call()

    workers = [threading.Thread(target=repeat) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
