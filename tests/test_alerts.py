"""Low-stock alerts: raised once when a product becomes low on stock, logged and posted."""

import base64
import json
import queue
import socket
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from inventory import create_app
from inventory.alerts import Webhook, log_alert, low_stock_alerts
from inventory.errors import InsufficientStockError, SettingError
from inventory.models import timestamp
from inventory.service import BatchItem
from tests.support import TIMEOUT, add, reduce


@pytest.fixture
def alerts(published):
    """The stock of each alert so far."""
    return lambda: [alert.stock for commit in published for alert in low_stock_alerts(commit)]


def test_an_alert_is_raised_when_the_status_becomes_low_stock(service, alerts):
    """At level 5, 10→3 and 20→5 raise an alert; 3→2, 2→20, deleting and restoring do not."""
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)

    service.reduce_stock(product.id, 7)
    service.reduce_stock(product.id, 1)
    service.delete_product(product.id)
    service.restore_product(product.id)
    service.add_stock(product.id, 18)
    service.reduce_stock(product.id, 15)

    assert alerts() == [3, 5]


def test_a_creation_with_low_stock_raises_an_alert(service, alerts):
    service.create_product("Laptop", "LTP-123", stock=5, reorder_level=5)

    assert alerts() == [5]


@pytest.mark.parametrize(
    ("changes", "expected"), [([reduce(20), add(20)], []), ([reduce(9), reduce(9)], [2])]
)
def test_a_batch_raises_an_alert_only_for_its_final_stock(service, alerts, changes, expected):
    service.create_product("Laptop", "LTP-123", stock=20, reorder_level=5)

    service.bulk_update([BatchItem("LTP-123", change, by_sku=True) for change in changes])

    assert alerts() == expected


@pytest.fixture
def milk(service, clock):
    """A product with 11 units, of which 9 expire after a day, and a reorder level of 5."""
    milk = service.create_product("Milk", "MILK", 9, 5, expires_at=clock.now + timedelta(days=1))
    return service.add_stock(milk.id, 2)


def test_a_write_off_raises_an_alert_even_if_the_change_is_rejected(service, clock, milk, alerts):
    clock.advance(86400)

    with pytest.raises(InsufficientStockError):
        service.reduce_stock(milk.id, 3)

    assert alerts() == [2]


def test_a_restore_raises_an_alert_when_units_have_expired_meanwhile(service, clock, milk, alerts):
    service.delete_product(milk.id)
    clock.advance(86400)

    service.restore_product(milk.id)

    assert alerts() == [2]


def test_an_alert_is_logged_as_a_warning(caplog):
    logged = threading.Event()
    caplog.handler.addFilter(lambda record: logged.set() or True)
    service = create_app().extensions["inventory"]
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)

    reduced = service.reduce_stock(product.id, 7)

    assert logged.wait(TIMEOUT)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.message.startswith("LOW_STOCK: LTP-123 has 3 left, reorder level 5")
    assert f"at {timestamp(reduced.updated_at)}" in record.message


def test_unprintable_characters_of_a_sku_are_escaped_in_the_log(service, caplog):
    product = service.create_product("Laptop", "東京-1")

    log_alert(product._replace(sku="東京\u202eLTP"))

    assert "東京\\u202eLTP" in caplog.text


@pytest.fixture
def receiver():
    """An HTTP server that queues each post and responds with the next of `statuses`, or 204."""
    posts, statuses = queue.Queue(), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.put((self.path, self.headers, json.loads(body)))
            self.send_response(statuses.pop(0) if statuses else 204)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    yield SimpleNamespace(url=url, posts=posts, statuses=statuses)
    server.shutdown()
    server.server_close()


@pytest.fixture
def low(service):
    """A product that is low on stock."""
    return service.create_product("Laptop", "LTP-123", stock=1, reorder_level=5)


@pytest.fixture
def backoffs():
    """The backoffs of `webhook` so far, in seconds."""
    return []


@pytest.fixture
def webhook(clock, backoffs, monkeypatch):
    """Create a webhook whose time passes only in its backoffs, without sleeping."""
    fake_time = SimpleNamespace(monotonic=lambda: sum(backoffs), sleep=backoffs.append)
    monkeypatch.setattr("inventory.alerts.time", fake_time)
    return lambda url: Webhook(url, clock=clock)


def test_alerts_are_posted_to_the_configured_url(receiver, monkeypatch):
    """Each alert has its own id, and the stock right after the change that raised it."""
    receiver.statuses.append(299)
    monkeypatch.setenv("INVENTORY_WEBHOOK_URL", receiver.url)
    service = create_app().extensions["inventory"]
    product = service.create_product("Laptop", "LTP-123", stock=10, reorder_level=5)
    reduced = service.reduce_stock(product.id, 7)
    service.add_stock(product.id, 18)
    service.reduce_stock(product.id, 16)

    path, headers, body = receiver.posts.get(timeout=TIMEOUT)
    assert (path, headers["Content-Type"]) == ("/hook", "application/json")
    assert list(body.items()) == [
        ("event", "stock.low"),
        ("id", body["id"]),
        ("productId", product.id),
        ("sku", "LTP-123"),
        ("stock", 3),
        ("reorderLevel", 5),
        ("at", timestamp(reduced.updated_at)),
    ]
    *_, second = receiver.posts.get(timeout=TIMEOUT)
    assert second["id"] != body["id"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(302, "status 302"), (404, "status 404"), (500, "status 500"), (2000, "BadStatusLine")],
)
def test_a_post_is_retried_with_the_same_id_until_it_succeeds(
    receiver, webhook, backoffs, low, caplog, status, reason
):
    """Any status other than 2xx is a failure, and the first one is logged."""
    receiver.statuses.extend([status] * 9)

    webhook(receiver.url.replace("//", "//user:secret@"))(low)

    posts = [receiver.posts.get(timeout=TIMEOUT) for _ in range(10)]
    assert {path for path, *_ in posts} == {"/hook"}
    assert len({body["id"] for *_, body in posts}) == 1
    assert backoffs == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert f"failed and will be retried: {reason}" in record.message
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("age", "waited"),
    [
        pytest.param(0, 900, id="now"),
        pytest.param(-86400, 900, id="the clock was set back"),
        pytest.param(3600, 0, id="an hour ago, which leaves one attempt"),
    ],
)
def test_an_alert_is_abandoned_15_minutes_after_it_was_raised(
    webhook, backoffs, low, clock, caplog, age, waited
):
    clock.advance(age)

    webhook("http://user:secret@127.0.0.1:1/token")(low)

    assert sum(backoffs) == waited
    last = caplog.records[-1]
    assert last.levelname == "ERROR"
    assert last.message.endswith("abandoned: ConnectionRefusedError")
    assert "secret" not in caplog.text
    assert "token" not in caplog.text


def test_a_host_that_cannot_be_encoded_is_a_failed_attempt(webhook, low, clock, caplog):
    clock.advance(3600)

    webhook("http://a..b/")(low)

    assert "abandoned: Unicode" in caplog.text


def test_a_response_that_never_comes_is_a_failed_attempt(webhook, low, clock, caplog, monkeypatch):
    monkeypatch.setattr("inventory.alerts.TIMEOUT", 0.05)
    clock.advance(3600)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/")(low)

    assert caplog.messages[-1].endswith("abandoned: TimeoutError")


@pytest.mark.parametrize(
    ("in_url", "sent"), [("us%40er:pass%3Aword", b"us@er:pass:word"), ("user", b"user:")]
)
def test_credentials_in_the_url_are_sent_as_basic_authentication(
    receiver, webhook, low, in_url, sent
):
    webhook(receiver.url.replace("//", f"//{in_url}@") + "?token=t")(low)

    path, headers, _ = receiver.posts.get(timeout=TIMEOUT)
    assert path == "/hook?token=t"
    assert headers["Authorization"] == f"Basic {base64.b64encode(sent).decode()}"


@pytest.mark.parametrize(
    "url", ["", "ftp://secret/", "http://", "http://[", "http://a:secret/", "http://se t"]
)
def test_a_malformed_url_prevents_the_start(url):
    """The message does not repeat the URL, which may be secret."""
    with pytest.raises(SettingError) as error:
        create_app({"INVENTORY_WEBHOOK_URL": url})

    assert str(error.value) == "INVENTORY_WEBHOOK_URL must be an http or https URL"
