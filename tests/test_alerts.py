"""Low-stock alerts: once on the way down, logged and posted."""

import base64
import json
import queue
import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inventory import create_app
from inventory.alerts import Webhook, is_low_stock_alert, log_alert
from inventory.errors import SettingError
from inventory.models import timestamp
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService
from tests.support import SECONDS


@pytest.fixture
def alerts(published):
    """The stock of each alert so far."""
    return lambda: [product.stock for product in published if is_low_stock_alert(product)]


def test_an_alert_is_raised_on_the_crossing_only(service, alerts):
    """At level 5, 10 to 3 alerts, 3 to 2 and 2 to 20 are silent, and 20 to 5 alerts.

    That a low product is deleted or comes back is no news.
    """
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)

    service.reduce_stock(product.id, 7)
    service.reduce_stock(product.id, 1)
    service.delete_product(product.id)
    service.restore_product(product.id)
    service.add_stock(product.id, 18)
    service.reduce_stock(product.id, 15)

    assert alerts() == [3, 5]


@pytest.mark.parametrize(("stock", "expected"), [(6, []), (5, [5]), (0, [0])])
def test_a_product_may_be_created_low(service, alerts, stock, expected):
    service.create_product("Laptop", "LTP-123", stock=stock, reorder_level=5)

    assert alerts() == expected


def test_an_alert_is_logged(caplog):
    """An alert is a warning that names the SKU, the stock of that change, the level, the time."""
    logged = threading.Event()
    caplog.handler.addFilter(lambda record: logged.set() or True)
    service = create_app().extensions["inventory"]
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)

    reduced = service.reduce_stock(product.id, 7)

    assert logged.wait(SECONDS)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.message.startswith("LOW_STOCK: LTP-123 has 3 left, reorder level 5")
    assert f"at {timestamp(reduced.updated_at)}" in record.message


def test_what_cannot_be_printed_is_escaped_in_the_log(service, caplog):
    """A SKU that would turn a line of the log round is shown by its code; scripts are shown."""
    log_alert(service.create_product("Laptop", "東京\u202eLTP"))

    assert "東京\\u202eLTP" in caplog.text


class Receiver:
    """A real HTTP server that remembers what is posted, and answers as it is told."""

    def __init__(self, host="127.0.0.1", family=socket.AF_INET):
        self.posts = queue.Queue()
        self.answers = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.put((self.path, self.headers, json.loads(body)))
                answer = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(answer() if callable(answer) else answer)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            address_family = family

        self.server = Server((host.strip("[]"), 0), Handler)
        self.url = f"http://{host}:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def post(self):
        """The next post, waited for: its path, headers and JSON."""
        return self.posts.get(timeout=SECONDS)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    """A receiver of webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that the webhook made between attempts, none of them slept."""
    pauses = []
    monkeypatch.setattr("inventory.alerts.time.sleep", pauses.append)
    return pauses


def create_low(publish, sku="LTP-123"):
    """Create a product that is low on stock from the start, for one that is told of it."""
    service = InventoryService(InMemoryProductRepository(), publish=publish)
    return service.create_product("Laptop", sku, stock=1, reorder_level=5)


def test_an_alert_is_posted(receiver, pauses, monkeypatch):
    """With the environment variable set, each alert is posted, with its own stock and id."""
    receiver.answers = [200, 299]
    monkeypatch.setenv("INVENTORY_WEBHOOK_URL", receiver.url)
    service = create_app().extensions["inventory"]
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)
    crossings = [service.reduce_stock(product.id, 7)]
    service.add_stock(product.id, 18)
    crossings.append(service.reduce_stock(product.id, 16))

    posts = [receiver.post() for _ in range(2)]

    for (path, headers, body), crossing in zip(posts, crossings, strict=True):
        assert (path, headers["Content-Type"]) == ("/hook", "application/json")
        assert list(body.items()) == [
            ("event", "stock.low"),
            ("id", body["id"]),
            ("productId", product.id),
            ("sku", "LTP-123"),
            ("stock", crossing.stock),
            ("reorderLevel", 5),
            ("at", timestamp(crossing.updated_at)),
        ]
    assert posts[0][2]["id"] != posts[1][2]["id"]
    assert receiver.posts.empty()
    assert pauses == []


def test_a_failed_post_is_tried_again(receiver, pauses):
    """A receiver that fails gets the same alert again, after growing pauses."""
    receiver.answers = [500, 404, 503, 500]
    create_low(Webhook(receiver.url))

    assert len({receiver.post()[2]["id"] for _ in range(5)}) == 1
    assert pauses == sorted(set(pauses))


@pytest.mark.parametrize("status", [302, 307, 400, 500])
def test_a_receiver_that_refuses_is_given_up(receiver, pauses, caplog, status):
    """Anything but 2xx is a failure, redirects are not followed, and the end is an error."""
    receiver.answers = [status] * 5
    create_low(Webhook(receiver.url.replace("//", "//user:secret@"), pauses=(1, 2)))

    assert [receiver.post()[0] for _ in range(3)] == ["/hook"] * 3
    assert receiver.posts.empty()
    assert pauses == [1, 2]
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert f"status {status}" in record.message
    assert "secret" not in caplog.text
    assert receiver.url not in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1:1", "host.invalid", "a..b"])
def test_an_absent_receiver_fails_no_request(pauses, caplog, host):
    """Where nobody listens, changes are made as ever and the alert is given up."""
    assert create_low(Webhook(f"http://user:secret@{host}/token")).stock == 1

    assert "is given up" in caplog.text
    assert "secret" not in caplog.text
    assert "token" not in caplog.text


def test_a_slow_receiver_delays_no_request(receiver):
    """While a receiver does not answer, changes are made, and their alerts follow in order."""
    answer = threading.Event()
    receiver.answers = [lambda: answer.wait(SECONDS) and 204]
    service = create_app({"INVENTORY_WEBHOOK_URL": receiver.url}).extensions["inventory"]

    products = [service.create_product("Laptop", f"LTP-{n}") for n in range(20)]
    answer.set()

    assert [receiver.post()[2]["productId"] for _ in range(20)] == [p.id for p in products]


@pytest.mark.parametrize(
    ("user", "credentials"),
    [("us%40er:pass%3Aword", b"us@er:pass:word"), ("ann", b"ann:"), (":key", b":key")],
)
def test_credentials_are_sent_as_basic_authentication(receiver, user, credentials):
    """A user and password in the URL go into a header; the path and a query stay in the URL."""
    create_low(Webhook(receiver.url.replace("//", f"//{user}@") + "?token=t"))

    path, headers, _ = receiver.post()

    assert path == "/hook?token=t"
    assert headers["Authorization"] == f"Basic {base64.b64encode(credentials).decode()}"


def test_an_ipv6_receiver_is_reached():
    """An address in brackets is a host like another, and a path may be left out."""
    receiver = Receiver("[::1]", socket.AF_INET6)

    create_low(Webhook(receiver.url.replace("/hook", "?token=t")))

    path, headers, _ = receiver.post()
    assert (path, headers["Host"]) == ("/?token=t", receiver.url.split("/")[2])
    receiver.close()


@pytest.mark.parametrize(
    ("url", "port"), [("http://[::1]/", 80), ("https://[::1]/", 443), ("http://a:81/", 81)]
)
def test_a_port_may_be_left_out(monkeypatch, caplog, url, port):
    """The port is that of the scheme; ten seconds are enough for however many addresses."""
    tried, clock = [], iter(range(0, 99, 3))

    def create_connection(address, seconds):
        tried.append((address[1], seconds))
        raise TimeoutError

    monkeypatch.setattr("inventory.alerts.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("inventory.alerts.socket.create_connection", create_connection)
    addresses = [(None, None, None, None, ("::1", port))] * 9
    monkeypatch.setattr("inventory.alerts.socket.getaddrinfo", lambda *_, **__: addresses)

    create_low(Webhook(url, pauses=()))

    assert tried == [(port, 5), (port, 4), (port, 1)]
    assert "the webhook failed: TimeoutError" in caplog.text


@contextmanager
def answering(answer):
    """The URL of a server that leaves the rest of a connection, after the request, to `answer`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, listener.accept()[0] as connection, suppress(OSError):
            connection.recv(65536)
            answer(connection)

    receiver = threading.Thread(target=serve, daemon=True)
    receiver.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    receiver.join(SECONDS)
    assert not receiver.is_alive()


def test_a_receiver_that_never_answers_is_given_up(caplog, monkeypatch):
    monkeypatch.setattr("inventory.alerts.SILENCE", 0.01)

    with answering(lambda connection: connection.makefile("rb").read()) as url:
        create_low(Webhook(url, pauses=()))

    assert "is given up, the webhook failed: TimeoutError" in caplog.text


def test_a_receiver_that_speaks_no_http_is_given_up(caplog):
    with answering(lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n")) as url:
        create_low(Webhook(url, pauses=()))

    assert "the webhook failed: BadStatusLine" in caplog.text


TLS_RECORD = b"\x16\x03\x03\x40\x00"


@pytest.mark.parametrize(
    ("scheme", "begin", "text", "times"),
    [
        ("http", b"", b"HTTP/1.1 100 Continue\r\n\r\n", 10**9),
        ("http", b"", b"x", 10**9),
        ("http", b"HTTP/1.1 200 OK\r\nX: ", b"x", 10**9),
        ("https", TLS_RECORD, b"x", 1000),
    ],
)
def test_a_receiver_that_trickles_is_cut_off(monkeypatch, caplog, scheme, begin, text, times):
    """Who always sends a little more has ten seconds in all; then no connection is left."""
    clock = iter(range(0, 99, 3))  # each look is three seconds after the one before
    monkeypatch.setattr("inventory.alerts.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("inventory.alerts.SILENCE", 0.1)

    def trickle(connection):
        connection.sendall(begin)
        for _ in range(times):  # or until nobody is there
            connection.sendall(text)
        connection.makefile("rb").read()

    with answering(trickle) as url:
        create_low(Webhook(url.replace("http", scheme), pauses=()))

    assert "is given up, the webhook failed: TimeoutError" in caplog.text


BAD_URLS = ["", "secret", "ftp://secret/", "http://", "http://[", "http://a:secret/", "http://se t"]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_malformed_url_stops_the_start(url):
    """Anything but an http or https URL is refused by name, without repeating it."""
    with pytest.raises(SettingError) as refusal:
        create_app({"INVENTORY_WEBHOOK_URL": url})

    assert str(refusal.value) == "INVENTORY_WEBHOOK_URL must be an http or https URL"
