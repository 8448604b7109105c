"""`python run.py` as a user starts it, and the HTTP that its server rejects."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from subprocess import PIPE
from urllib.request import Request, urlopen

import pytest

from inventory import create_app
from inventory.server import RequestHandler, listen
from tests.support import ROOT, TIMEOUT, needs_ipv6, running_server, url_of


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), pytest.param("::1", "[::1]", marks=needs_ipv6)],
)
def test_the_banner_shows_the_url_the_roles_and_a_working_command(host, shown):
    with running_server("--host", host, FLASK_DEBUG="1") as process:
        first, command = process.stdout.readline(), process.stdout.readline()
        response = subprocess.run(
            ["bash", "-c", f"exec {command.strip()} -g"], capture_output=True, check=True
        )

    assert first.startswith(f"Inventory API listening on http://{shown}:")
    assert "Roles are off, anyone who can reach this port has full access" in first
    assert json.loads(response.stdout)["stock"] > 0


def test_the_banner_shows_that_roles_are_on_but_no_token():
    with running_server(INVENTORY_TOKENS="ann:admin:secret") as process:
        first, command = process.stdout.readline(), process.stdout.readline()

    assert "Roles are on" in first
    assert "-H 'Authorization: Bearer TOKEN'" in command
    assert "secret" not in first + command


SLOW_MODULE = """
import importlib, os, sys

print("importing http://", flush=True)
sys.stdin.readline()
sys.path.remove(os.path.dirname(__file__))
del sys.modules[__name__]
sys.modules[__name__] = importlib.import_module(__name__)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["argparse", "nothing"])
def test_a_signal_ends_the_server_without_output(number, module, tmp_path):
    """Even a second signal, and one that arrives during the imports."""
    (tmp_path / f"{module}.py").write_text(SLOW_MODULE)
    with running_server(PYTHONPATH=str(tmp_path)) as process:
        process.stdout.readline()
        process.send_signal(number)
        process.send_signal(number)
        _, errors = process.communicate("go on\n", timeout=TIMEOUT)

    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "65536"], "port must be 0-65535"),
        (["--host", "\xfc..x"], "hostname"),
        (["--port", "TAKEN"], "Address already in use"),
    ],
)
def test_an_unavailable_address_is_reported_in_one_line(arguments, reason):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = str(listener.getsockname()[1])
        with running_server(*(a.replace("TAKEN", taken) for a in arguments)) as process:
            _, errors = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 1
    assert reason in errors
    assert errors.endswith(" (see --host and --port)\n")
    assert errors.count("\n") == 1


def test_closed_standard_output_does_not_stop_the_server():
    """As in `python run.py | true`."""
    read, write = os.pipe()
    os.close(read)
    script = "import run, sys; run.serve = lambda _: sys.stderr.write('serving'); run.main()"
    command = [sys.executable, "-c", script, "--port", "0"]

    with os.fdopen(write, "w") as stdout:
        process = subprocess.run(command, cwd=ROOT, stdout=stdout, stderr=PIPE, check=True)

    assert process.stderr == b"serving"


def exchange(server, request):
    """Send bytes to the server and return everything that it sends."""
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"\r\nHost: x\r\n",
        b'\r\nBroken\r\nIf-Match: "9"\r\n\r\n',
        b'\r\nIf-Match : "9"\r\n\r\n',
        b'\r\nX: a\r\r\nIf-Match: "9"\r\n\r\n',
        b'\r\nX: a\rIf-Match: "1"\r\n\r\n',
        b"\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"\r\nX: a\0\r\n\r\n",
        b"\r\nX: a\r\n folded: b\r\n\r\n",
    ],
)
def test_a_truncated_or_malformed_head_changes_nothing(server, rest):
    body = b'{"name": "Laptop", "sku": "head %b"}' % rest[-28:].hex().encode()
    with urlopen(Request(f"{server}/products", body), timeout=TIMEOUT) as response:
        path = response.headers["Location"]

    received = exchange(server, b"DELETE %b HTTP/1.1%b" % (path.encode(), rest))

    assert received.startswith(b"HTTP/1.1 400 ")
    assert list(json.loads(received.rpartition(b"\r\n\r\n")[2])) == ["error", "message"]
    with urlopen(server + path, timeout=TIMEOUT) as response:
        assert response.status == 200


RESTORE = b"POST /products/x/restore HTTP/1.1\r\n"  # with a complete body, its status is 404
CHUNKED = RESTORE + b"Transfer-Encoding: chunked\r\n\r\n%b"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET http://a:99999 HTTP/1.1\r\n\r\n", 400),
        (b"GARBAGE\r\n", 400),
        (b"GET /\r HTTP/1.1\r\n\r\n", 400),
        (b"GET /products?sku=caf\xc3\xa9 HTTP/1.1\r\n\r\n", 400),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 70_000), 414),
        (b"GET / HTTP/1.1\r\na: %s\r\n\r\n" % (b"b" * 70_000), 431),
        (b"GET / HTTP/1.1\r\n%s\r\n" % (b"a: b\r\n" * 200), 431),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (CHUNKED % b"0x2\r\n{}\r\n0\r\n\r\n", 400),
        (CHUNKED % b"2\n{}\r\n0\r\n\r\n", 400),
        (CHUNKED % b"2\r\n{}\n0\r\n\r\n", 400),
        (CHUNKED % b"3\r\n{}\r\n0\r\n\r\n", 400),
        (CHUNKED % b"2\r\n{}\r\n0\r\n\r", 400),
        (RESTORE + b"Content-Length: 9\r\n\r\n{}", 400),
        (CHUNKED % b"2\r\n{}\r\n0\r\n\r\n", 404),
    ],
)
def test_malformed_http_is_rejected_in_json(server, request_bytes, status):
    received = exchange(server, request_bytes)

    head, _, body = received.rpartition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert list(json.loads(body)) == ["error", "message"]


def test_a_head_may_follow_an_empty_line_and_have_99_header_lines(server):
    headers = b"".join(b"a%d: b\r\n" % number for number in range(99))

    received = exchange(server, b"\r\nGET / HTTP/1.1\r\n%b\r\n" % headers)

    assert received.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: \t%d \r\n\r\n%s",
        b"Transfer-Encoding:  Chunked \r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
    ],
)
def test_a_body_has_a_length_or_is_chunked(server, framing):
    body = b'{"name": "Laptop", "sku": "%d"}' % len(framing)

    received = exchange(server, b"POST /products HTTP/1.1\r\n" + framing % (len(body), body))

    assert received.startswith(b"HTTP/1.1 201 ")


def test_a_response_to_an_http_1_0_client_is_not_chunked_and_ends_at_once(server):
    """The client reads until the connection is closed, which an unread body does not delay."""
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        connection.sendall(b"GET /reports/inventory.csv HTTP/1.0\r\n\r\n" + b"x" * 20_000)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.0 200 ")
    assert body.startswith(b"id,name,sku,")


@pytest.fixture
def impatient(monkeypatch):
    """The address of a server in this process that waits 50 ms for the head of a request."""
    monkeypatch.setattr(RequestHandler, "timeout", 0.05)
    server = listen(create_app(), "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield server.server_address
    server.shutdown()
    server.server_close()


def test_a_connection_that_is_silent_before_its_head_is_complete_is_closed(impatient, caplog):
    caplog.set_level(logging.INFO)

    for sent in (b"", b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\n"):
        with socket.create_connection(impatient, timeout=TIMEOUT) as connection:
            connection.sendall(sent)
            assert connection.recv(1) == b""

    assert "Traceback" not in caplog.text


def test_a_pause_within_a_body_is_not_limited(impatient):
    body = b'{"name": "Laptop", "sku": "PAUSED"}'
    head = b"POST /products HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)

    with socket.create_connection(impatient, timeout=TIMEOUT) as connection:
        connection.sendall(head)
        threading.Event().wait(0.2)
        connection.sendall(body)
        assert connection.recv(12) == b"HTTP/1.1 201"


def test_the_log_shows_the_request_line_in_ascii():
    """A decoded line break or bidi control would allow log injection."""
    with running_server() as process:
        url = url_of(process)
        exchange(url, b"GET /%E2%80%AE HTTP/1.1\r\n\r\n")
        exchange(url, b"GET /\xe2\x80\xae HTTP/1.1\r\n\r\n")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT)

    assert "'GET /%E2%80%AE HTTP/1.1' 404" in errors
    assert errors.isascii()
