"""What it costs: `python -m tests.benchmark`, or with `--full` for a million products too.

Times are medians of interleaved rounds in one run, and what matters are the ratios: the machine
may be busy, but it is so for both sides.
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
from inventory.batches import Operation, StockUpdate
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService

ROUNDS = 15
CALLS = 300
THREADS = 16


def main():
    """Print every table."""
    sizes = [1_000, 100_000, 1_000_000] if "--full" in sys.argv else [1_000, 100_000]
    gc.set_threshold(*server.GC_THRESHOLDS)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")

    apps = {size: filled_app(size) for size in sizes}
    print_service_calls(apps)
    print_requests(apps)
    del apps
    print_threads()
    print_pauses(sizes[-1])


def filled_app(size):
    """An app with `size` products, and the id of one in the middle."""
    app = create_app()
    service = app.extensions["inventory"]
    products = [service.create_product("Laptop", f"LTP-{n}", 10**9, 5) for n in range(size)]
    return app, products[size // 2].id


def print_service_calls(apps):
    """Microseconds that each use case takes, at each size of the catalogue."""
    print(f"\n{'service call, µs':24}" + "".join(f"{size:>12,}" for size in apps))
    rows = []
    for app, product_id in apps.values():
        service = app.extensions["inventory"]
        skus = (f"NEW-{n}" for n in itertools.count())
        two_items = [StockUpdate(Operation.ADD, 1, product_id)] * 2
        rows.append(
            {
                "create_product": lambda s=service, skus=skus: s.create_product("L", next(skus), 1),
                "get_product": partial(service.get_product, product_id),
                "add_stock": partial(service.add_stock, product_id, 1),
                "reduce_stock": partial(service.reduce_stock, product_id, 1),
                "bulk_update, 2 items": partial(service.bulk_update, two_items),
                "list_products, 100": partial(service.list_products, cursor=product_id),
            }
        )
    for name in rows[0]:
        costs = medians(*(calls[name] for calls in rows))
        print(f"{name:24}" + "".join(f"{cost * 1e6:12.2f}" for cost in costs))


def print_requests(apps):
    """Requests per second of each endpoint, and its cost beside an empty view's."""
    print(f"\n{'request':24}{'products':>12}{'per second':>12}{'empty view':>12}{'ratio':>8}")
    skus = (f"HTTP-{n}" for n in itertools.count())
    for size, (app, product_id) in apps.items():
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
            rounds = [(timed(ours), timed(empty)) for _ in range(ROUNDS)]
            ratio = median(cost / beside for cost, beside in rounds)
            cost, beside = (median(column) for column in zip(*rounds, strict=True))
            print(f"{name:24}{size:12,}{1 / cost:12,.0f}{1 / beside:12,.0f}{ratio:8.2f}")


def empty_app(answer):
    """An app that parses a body where there is one and gives a fixed answer, and no more."""
    app = Flask("empty")

    @app.route("/products", methods=["GET", "POST"])
    @app.route("/products/<product_id>", methods=["GET", "POST"])
    @app.route("/products/<product_id>/<action>", methods=["GET", "PUT"])
    def view(product_id=None, action=None):
        if request.method != "GET":
            request.get_json(force=True)
        return answer

    return app


def requester(app, method, path, body):
    """A call that makes one request through the WSGI interface and returns the answer's bytes."""
    environ = EnvironBuilder(method=method, path=path).get_environ()

    def call():
        data = json.dumps(body()).encode() if body else b""
        sent = {"wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(len(data))}
        return b"".join(app({**environ, **sent}, lambda status, headers, exc_info=None: None))

    return call


def print_threads():
    """Throughput of many threads, beside what one thread does in the same time."""
    print(f"\n{THREADS} threads beside one{'hot product':>20}{'one each':>12}{'one lock':>12}")
    for name, calls in (("service calls", 32_000), ("requests", 3_200)):
        rounds = []
        for _ in range(ROUNDS):
            one_lock = thread_ratios(name == "requests", calls, OneLock())[1]
            hot_and_each = thread_ratios(name == "requests", calls, InMemoryProductRepository())
            rounds.append((*hot_and_each, one_lock))
        hot, each, shared = (median(column) for column in zip(*rounds, strict=True))
        print(f"{name:20}{hot:20.2f}{each:12.2f}{shared:12.2f}")


class OneLock(InMemoryProductRepository):
    """A repository with one lock for all its rows."""

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()

    def insert(self, row, *versions):
        row.lock = self._lock
        super().insert(row, *versions)


def thread_ratios(http, calls, products):
    """How much faster many threads are than one, on one product and on a product each."""
    app = create_app()
    service = app.extensions["inventory"] = InventoryService(products)
    work = []
    for n in range(THREADS):
        product_id = service.create_product("Hot", f"HOT-{n}", 1).id
        url = f"/products/{product_id}/add"
        over_http = requester(app, "PUT", url, lambda: {"quantity": 1})
        work.append(over_http if http else partial(service.add_stock, product_id, 1))
    one = throughput(work[:1], calls)
    return throughput(work[:1] * THREADS, calls) / one, throughput(work, calls) / one


def throughput(work, calls):
    """Calls per second, with a thread for each kind of call."""

    def repeat(call):
        for _ in range(calls // len(work)):
            call()

    threads = [threading.Thread(target=repeat, args=[call]) for call in work]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return calls / (time.perf_counter() - start)


def print_pauses(size):
    """The longest that one creation takes while the catalogue grows to `size`."""
    print(f"\nlongest pause while {size:,} products are created, ms")
    for name, thresholds in (("Python's defaults", (700, 10, 10)), ("ours", server.GC_THRESHOLDS)):
        gc.set_threshold(*thresholds)
        service = InventoryService(InMemoryProductRepository())
        longest = 0.0
        for n in range(size):
            start = time.perf_counter()
            service.create_product("Laptop", f"LTP-{n}", 1)
            longest = max(longest, time.perf_counter() - start)
        print(f"{name:24}{longest * 1e3:16.1f}")
        del service
        gc.collect()


def medians(*calls):
    """Median seconds of each call, the rounds of one between the rounds of the others."""
    rounds = [[timed(call) for call in calls] for _ in range(ROUNDS)]
    return [median(column) for column in zip(*rounds, strict=True)]


def timed(call):
    """Seconds that one call takes, as the mean of many."""
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS


if __name__ == "__main__":
    main()
