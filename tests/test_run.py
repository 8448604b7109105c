"""`python run.py`, as a user starts it."""

import json
import signal
import socket
import subprocess
import sys
from urllib.request import Request, urlopen

import pytest
from conftest import ROOT, start_server, url_of


def test_the_server_says_where_it_listens_and_what_to_try():
    """The first line has the URL, and the second a curl command that works as it stands."""
    process = start_server()
    try:
        url = url_of(process)
        suggestion = process.stdout.readline()
        answer = subprocess.run(
            ["bash", "-c", suggestion], capture_output=True, text=True, timeout=10, check=True
        )
    finally:
        process.kill()
        process.communicate()

    assert f"{url}/products" in suggestion
    assert json.loads(answer.stdout)["sku"] == "LTP-123"


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_quietly(signal_number):
    """Ctrl-C and SIGTERM end the process with success and not a word on stderr."""
    process = start_server()
    url_of(process)

    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=10)

    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "65536"], "port must be 0-65535"),
        (["--port", "-1"], "port must be 0-65535"),
        (["--host", "host.invalid"], "host.invalid"),
    ],
)
def test_an_address_that_cannot_be_had_is_one_clear_line(arguments, reason):
    """An impossible address ends the start with one line and a non-zero exit."""
    process = start_server(*arguments)
    _, errors = process.communicate(timeout=10)

    assert process.returncode != 0
    assert reason in errors
    assert errors.count("\n") == 1


def test_a_port_in_use_is_one_clear_line():
    """A port that is taken ends the start with one line and a non-zero exit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = start_server("--port", str(listener.getsockname()[1]))
        _, errors = process.communicate(timeout=10)

    assert process.returncode != 0
    assert "Address already in use" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GARBAGE\r\n\r\n", None),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 70_000), 414),
        (b"GET / HTTP/1.1\r\n%s\r\n" % (b"a: b\r\n" * 200), 431),
        (b"GET / HTTP/9.9\r\n\r\n", None),
        (b"POST /products HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /products HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}", 400),
    ],
)
def test_malformed_http_is_refused_in_json(server, request_bytes, status):
    """A request that never reaches the app is refused in the same shape as any other."""
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()

    head, _, body = answer.rpartition(b"\r\n\r\n")
    if status:
        assert head.startswith(b"HTTP/1.1 %d " % status)
    assert list(json.loads(body)) == ["error", "message"]


def test_the_app_runs_under_the_flask_command():
    """`flask --app inventory run` finds the factory."""
    command = [sys.executable, "-m", "flask", "--app", "inventory", "routes"]

    routes = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )

    assert "/products/<product_id>/reduce" in routes.stdout


def test_a_server_answers_over_a_real_connection(server):
    """A request over a socket gets what the WSGI client gets."""
    body = json.dumps({"name": "Laptop", "sku": "SOCKET"}).encode()

    with urlopen(Request(f"{server}/products", body), timeout=10) as response:
        assert response.status == 201
