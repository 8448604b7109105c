"""Low-stock alerts: once on the way down, logged and posted."""

import base64
import json
import queue
import signal
import socket
import threading
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest
from conftest import running_server, url_of
from racing import WithoutProductLocks, race

from inventory import create_app
from inventory.alerts import Webhook, is_low_stock_alert, log_alert
from inventory.batches import Operation, StockUpdate
from inventory.errors import InsufficientStockError, SettingError
from inventory.models import timestamp
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService

SECONDS = 10
"""How long a test waits for what must happen, before it fails."""


@pytest.fixture
def alerts():
    """The stock of each alert, in order, as a list that grows."""
    return []


@pytest.fixture
def service(alerts):
    """A service whose alerts are recorded as soon as they are raised."""

    def publish(product):
        if is_low_stock_alert(product):
            alerts.append(product.stock)

    return InventoryService(InMemoryProductRepository(), publish=publish)


def test_an_alert_is_raised_on_the_crossing_only(service, alerts):
    """At level 5, 10 to 3 alerts, 3 to 2 and 2 to 20 are silent, and 20 to 4 alerts."""
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)

    service.reduce_stock(product.id, 7)
    service.reduce_stock(product.id, 1)
    service.add_stock(product.id, 18)
    service.reduce_stock(product.id, 16)

    assert alerts == [3, 4]


def test_an_alert_is_raised_at_the_level(service, alerts):
    """A product that falls to its reorder level exactly is low on stock."""
    product = service.create_product("Laptop", "LTP-123", stock=6, reorder_level=5)

    service.reduce_stock(product.id, 1)

    assert alerts == [5]


@pytest.mark.parametrize(("stock", "expected"), [(6, []), (5, [5]), (0, [0])])
def test_a_product_may_be_created_low(service, alerts, stock, expected):
    """A product that is created at its level or below raises an alert."""
    service.create_product("Laptop", "LTP-123", stock=stock, reorder_level=5)

    assert alerts == expected


def test_deleting_and_restoring_raise_no_alert(service, alerts):
    """A product that was low when it was deleted is low when it comes back, which is no news."""
    product = service.create_product("Laptop", "LTP-123", stock=3, reorder_level=5)
    service.delete_product(product.id)
    service.restore_product(product.id)

    assert alerts == [3]


def test_each_crossing_in_a_batch_raises_an_alert(service, alerts):
    """An item of a batch is a change like another, with a stock of its own."""
    service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)
    changes = [("reduce", 6), ("reduce", 1), ("add", 10), ("reduce", 11)]
    updates = [
        StockUpdate(sku="LTP-123", operation=Operation(name), quantity=quantity)
        for name, quantity in changes
    ]

    service.bulk_update(updates)

    assert alerts == [4, 2]


def test_a_refused_change_raises_no_alert(service, alerts):
    """What did not happen is no reason to reorder."""
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)

    with pytest.raises(InsufficientStockError):
        service.reduce_stock(product.id, 11)

    assert alerts == []


def forty_buyers_cross_the_level_once(products, seed):
    """However many take the last units at once, one of them crosses the level."""
    alerts = []

    def publish(product):
        if is_low_stock_alert(product):
            alerts.append(product.stock)

    service = InventoryService(products, publish=publish)
    product = service.create_product("Laptop", "LTP-123", stock=40, reorder_level=20)

    race(*[partial(service.reduce_stock, product.id, 1)] * 40, seed=seed)

    assert alerts == [20]


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_one_crossing_is_one_alert(patient_locks, seed):
    """In any order of turns, the crossing raises one alert, with its own stock."""
    forty_buyers_cross_the_level_once(InMemoryProductRepository(), seed)


def test_one_alert_relies_on_the_lock():
    """With a lock that does nothing, the crossing is missed or made more than once."""
    with pytest.raises(AssertionError):
        forty_buyers_cross_the_level_once(WithoutProductLocks(), None)


def test_an_alert_is_logged(caplog):
    """An alert is a warning that names the SKU, the stock of that change and the level."""
    logged = threading.Event()
    app = create_app()
    caplog.handler.addFilter(lambda record: logged.set() or True)
    service = app.extensions["inventory"]
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)

    service.reduce_stock(product.id, 7)

    assert logged.wait(SECONDS)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.message.startswith("LOW_STOCK: LTP-123 has 3 left, reorder level 5")
    [_, reduced] = service.list_movements(product.id)
    assert f"at {timestamp(reduced.updated_at)}" in record.message


def test_what_cannot_be_printed_is_escaped_in_the_log(service, caplog):
    """A SKU that would turn a line of the log round is shown by its code; scripts are shown."""
    log_alert(service.create_product("Laptop", "東京\u202eLTP"))

    assert "東京\\u202eLTP" in caplog.text


class Receiver:
    """A real HTTP server that remembers what is posted, and answers as it is told."""

    def __init__(self, address="127.0.0.1", family=socket.AF_INET):
        self.posts = queue.Queue()
        self.answers = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.put((self.path, self.headers, json.loads(body)))
                answer = receiver.answers.pop(0) if receiver.answers else 204
                if callable(answer):
                    answer = answer()
                self.send_response(answer)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            address_family = family

        self.server = Server((address, 0), Handler)
        host = f"[{address}]" if ":" in address else address
        self.url = f"http://{host}:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def post(self):
        """The next post, waited for: its path, headers and JSON."""
        return self.posts.get(timeout=SECONDS)


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


def app_with(url):
    """An app that posts its alerts to a URL."""
    return create_app({"INVENTORY_WEBHOOK_URL": url})


def test_an_alert_is_posted(receiver, pauses):
    """The sequence 10, 3, 2, 20, 4 at level 5 posts two alerts, with their own stock and id."""
    service = app_with(receiver.url).extensions["inventory"]
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)
    for change, quantity in [("reduce", 7), ("reduce", 1), ("add", 18), ("reduce", 16)]:
        getattr(service, f"{change}_stock")(product.id, quantity)

    posts = [receiver.post() for _ in range(2)]

    movements = service.list_movements(product.id)
    for (path, headers, body), version, stock in zip(posts, [2, 5], [3, 4], strict=True):
        assert path == "/hook"
        assert headers["Content-Type"] == "application/json"
        assert list(body) == ["event", "id", "productId", "sku", "stock", "reorderLevel", "at"]
        assert (body["event"], body["productId"]) == ("stock.low", product.id)
        assert (body["sku"], body["stock"], body["reorderLevel"]) == ("LTP-123", stock, 5)
        assert body["at"] == movements[version - 1].updated_at.isoformat().replace("+00:00", "Z")
    assert posts[0][2]["id"] != posts[1][2]["id"]
    assert receiver.posts.empty()
    assert pauses == []


def create_low(app, sku="LTP-123"):
    """Create a product that is low on stock from the start."""
    return app.extensions["inventory"].create_product("Laptop", sku, stock=1, reorder_level=5)


def test_a_failed_post_is_tried_again(receiver, pauses):
    """A receiver that fails twice gets the same alert a third time, after a longer pause."""
    receiver.answers = [500, 404]
    create_low(app_with(receiver.url))

    ids = {receiver.post()[2]["id"] for _ in range(3)}

    assert len(ids) == 1
    assert pauses[0] < pauses[1]


@pytest.mark.parametrize("status", [302, 307, 400, 500])
def test_a_receiver_that_refuses_is_given_up(receiver, pauses, caplog, status):
    """Anything but 2xx is a failure, redirects are not followed, and the end is an error."""
    given_up = threading.Event()
    caplog.handler.addFilter(lambda record: given_up.set() or True)
    receiver.answers = [status] * 5
    webhook = Webhook(receiver.url.replace("//", "//user:secret@"), pauses=(1, 2))

    service = InventoryService(InMemoryProductRepository(), publish=webhook)
    service.create_product("Laptop", "LTP-123")

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
    webhook = Webhook(f"http://user:secret@{host}/token")
    service = InventoryService(InMemoryProductRepository(), publish=webhook)

    assert service.create_product("Laptop", "LTP-123").stock == 0

    assert "is given up" in caplog.text
    assert "secret" not in caplog.text
    assert "token" not in caplog.text


def test_a_slow_receiver_delays_no_request(receiver, pauses):
    """While a receiver does not answer, changes are made, and their alerts follow in order."""
    answer = threading.Event()
    receiver.answers = [lambda: answer.wait(SECONDS) and 204]
    app = app_with(receiver.url)

    products = [create_low(app, f"LTP-{n}") for n in range(20)]
    answer.set()

    posted = [receiver.post()[2]["productId"] for _ in range(20)]
    assert posted == [product.id for product in products]


def test_credentials_are_sent_as_basic_authentication(receiver, pauses):
    """A user and password in the URL go into a header, and not into the request line."""
    create_low(app_with(receiver.url.replace("//", "//us%40er:pass%3Aword@")))

    path, headers, _ = receiver.post()

    assert path == "/hook"
    expected = base64.b64encode(b"us@er:pass:word").decode()
    assert headers["Authorization"] == f"Basic {expected}"


@pytest.mark.parametrize(
    ("user", "credentials"), [("ann", b"ann:"), ("ann:", b"ann:"), (":key", b":key")]
)
def test_a_user_or_a_password_may_be_alone(receiver, pauses, user, credentials):
    """A URL with only a user, or only a password, is sent as that; a query stays in the URL."""
    create_low(app_with(receiver.url.replace("//", f"//{user}@") + "?token=t"))

    path, headers, _ = receiver.post()

    assert path == "/hook?token=t"
    assert headers["Authorization"] == f"Basic {base64.b64encode(credentials).decode()}"


def test_a_receiver_that_never_answers_is_given_up(receiver, pauses, caplog, monkeypatch):
    """A receiver that takes the connection and stays silent is a failure like another."""
    monkeypatch.setattr("inventory.alerts.SILENCE", 0.1)
    silence = threading.Event()
    receiver.answers = [lambda: silence.wait(SECONDS) and 204] * 2
    service = InventoryService(
        InMemoryProductRepository(), publish=Webhook(receiver.url, pauses=(1,))
    )

    service.create_product("Laptop", "LTP-123")
    silence.set()

    assert "is given up, the webhook failed: TimeoutError" in caplog.text
    assert pauses == [1]


@pytest.mark.parametrize("text", [b"HTTP/1.1 100 Continue\r\n\r\n", b"x"])
def test_a_receiver_that_trickles_is_cut_off(monkeypatch, caplog, text):
    """Who always sends a little more has ten seconds in all; then no connection is left."""
    timers = []

    class Timer:
        def __init__(self, seconds, cut):
            timers.append((seconds, cut))

        def start(self):
            pass

        cancel = join = start

    monkeypatch.setattr("inventory.alerts.threading.Timer", Timer)
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle():
        with listener, listener.accept()[0] as connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(text)
            timers[0][1]()
            while True:  # until nobody is there
                connection.sendall(text)

    receiver = threading.Thread(target=trickle, daemon=True)
    receiver.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    service = InventoryService(InMemoryProductRepository(), publish=Webhook(url, pauses=()))
    service.create_product("Laptop", "LTP-123")

    receiver.join(SECONDS)
    assert not receiver.is_alive()
    assert "is given up" in caplog.text
    assert 9 < timers[0][0] <= 10


def test_a_receiver_that_speaks_no_http_is_given_up(caplog):
    """An answer that is no HTTP is a failure like another."""
    listener = socket.create_server(("127.0.0.1", 0))

    def babble():
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"220 mail.example ESMTP\r\n")

    threading.Thread(target=babble, daemon=True).start()
    webhook = Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/", pauses=())
    InventoryService(InMemoryProductRepository(), publish=webhook).create_product("L", "L")

    assert "the webhook failed: BadStatusLine" in caplog.text


def test_an_ipv6_receiver_is_reached(pauses):
    """An address in brackets is a host like another."""
    receiver = Receiver("::1", socket.AF_INET6)

    create_low(app_with(receiver.url))

    assert receiver.post()[1]["Host"] == receiver.url.split("/")[2]
    receiver.close()


BAD_URLS = [
    "",
    "secret",
    "ftp://secret/",
    "http://",
    "http://[",
    "http://a:secret/",
    "http://se cret",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_malformed_url_stops_the_start(url):
    """Anything but an http or https URL is refused by name, without repeating it."""
    with pytest.raises(SettingError) as refusal:
        app_with(url)

    assert str(refusal.value) == "INVENTORY_WEBHOOK_URL must be an http or https URL"


def test_a_malformed_url_is_one_clear_line():
    """`python run.py` ends with one line on a setting that it cannot start with."""
    with running_server(INVENTORY_WEBHOOK_URL="ftp://secret/") as process:
        _, errors = process.communicate(timeout=SECONDS)

    assert process.returncode == 1
    assert errors == "run.py: INVENTORY_WEBHOOK_URL must be an http or https URL\n"


def test_a_signal_ends_the_server_with_its_queues_full():
    """Where a receiver is silent, one line says what was not delivered; more signals do nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with running_server(INVENTORY_WEBHOOK_URL=url) as process:
            server = url_of(process)
            for sku in ("LTP-1", "LTP-2"):
                body = json.dumps({"name": "Laptop", "sku": sku}).encode()
                urlopen(Request(f"{server}/products", body), timeout=SECONDS).close()
            process.send_signal(signal.SIGINT)
            with suppress(OSError):
                while True:  # until the server listens no more, and only the delivery goes on
                    urlopen(f"{server}/products", timeout=SECONDS).close()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=SECONDS)

    assert process.returncode == 0
    assert errors.endswith("\n2 versions were not delivered before the end\n")
    assert "Traceback" not in errors


def test_the_url_comes_from_the_environment(receiver, pauses, monkeypatch):
    """The webhook is set by an environment variable."""
    monkeypatch.setenv("INVENTORY_WEBHOOK_URL", receiver.url)

    product = create_low(create_app())

    assert receiver.post()[2]["productId"] == product.id


def test_forty_clients_over_the_level_post_one_alert(receiver, pauses):
    """Forty requests at once over the level are one alert, with the stock of the crossing."""
    app = app_with(receiver.url)
    service = app.extensions["inventory"]
    product = service.create_product("Laptop", "LTP-123", stock=41, reorder_level=20)
    url = f"/products/{product.id}/reduce"
    clients = [
        threading.Thread(target=partial(app.test_client().put, url, json={"quantity": 1}))
        for _ in range(40)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    service.add_stock(product.id, 40)
    service.reduce_stock(product.id, 40)

    assert [receiver.post()[2]["stock"] for _ in range(2)] == [20, 1]
