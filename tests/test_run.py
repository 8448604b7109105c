"""`python run.py`, as a user starts it."""

import json
import signal
import socket
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from conftest import ROOT, running_server, url_of


def test_the_server_says_where_it_listens_and_what_to_try():
    """The first line has the URL and the roles, the second a curl command that works as it is."""
    with running_server() as process:
        url, rest = (
            process.stdout.readline().removeprefix("Inventory API listening on ").split(" ", 1)
        )
        suggestion = process.stdout.readline()
        answer = subprocess.run(
            ["bash", "-c", suggestion], capture_output=True, text=True, timeout=10, check=True
        )

    assert url.startswith("http://127.0.0.1:")
    assert f"{url}/products" in suggestion
    assert "Roles are off, whoever reaches this port may do everything" in rest
    assert json.loads(answer.stdout)["stock"] > 0


def test_the_server_says_that_roles_are_on():
    """Where tokens are set, the first line says so and the suggestion has a place for one."""
    with running_server(INVENTORY_TOKENS="ann:admin:secret") as process:
        lines = process.stdout.readline(), process.stdout.readline()

    assert "Roles are on" in lines[0]
    assert "-H 'Authorization: Bearer TOKEN'" in lines[1]
    assert "secret" not in "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_quietly(number):
    """Ctrl-C and SIGTERM, even twice, end the process with success and no word on stderr."""
    with running_server() as process:
        url_of(process)
        process.send_signal(number)
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)

    assert (process.returncode, errors) == (0, "")


SLOW_MODULE = """
import importlib, os, sys

print("importing", flush=True)
sys.stdin.readline()
sys.path.remove(os.path.dirname(__file__))
del sys.modules[__name__]
sys.modules[__name__] = importlib.import_module(__name__)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_may_come_before_there_is_a_server(number, tmp_path):
    """Ctrl-C while modules are imported ends the process as quietly, as soon as it can."""
    (tmp_path / "argparse.py").write_text(SLOW_MODULE)
    with running_server(PYTHONPATH=str(tmp_path)) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        _, errors = process.communicate("go on\n", timeout=10)

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
    with running_server(*arguments) as process:
        _, errors = process.communicate(timeout=10)

    assert process.returncode == 1
    assert reason in errors
    assert errors.count("\n") == 1


def test_a_port_in_use_is_one_clear_line():
    """A port that is taken ends the start with one line and a non-zero exit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        with running_server("--port", port) as process:
            _, errors = process.communicate(timeout=10)

    assert process.returncode == 1
    assert "Address already in use" in errors
    assert "--port" in errors
    assert errors.count("\n") == 1


def test_debug_mode_is_off():
    """Not even Flask's own variable switches debug mode on, in which JSON is indented."""
    with running_server(FLASK_DEBUG="1") as process:
        with pytest.raises(HTTPError) as refusal:
            urlopen(f"{url_of(process)}/nothing", timeout=10)
        answer = refusal.value.read()

    assert answer == b'{"error":true,"message":"No such path"}\n'


def test_what_cannot_be_answered_is_not_done(server):
    """A reduction whose request line is malformed is refused before it changes anything."""
    body = json.dumps({"name": "Laptop", "sku": "MALFORMED", "stock": 20}).encode()
    with urlopen(Request(f"{server}/products", body), timeout=10) as response:
        path = response.headers["Location"]
    reduce = b'PUT http://a:b%s/reduce HTTP/1.1\r\nContent-Length: 13\r\n\r\n{"quantity":3}'

    answer = exchange(server, reduce % path.encode())

    assert answer.startswith(b"HTTP/1.1 400 ")
    with urlopen(server + path, timeout=10) as response:
        assert json.load(response)["stock"] == 20


def exchange(server, request_bytes):
    """Send bytes to the server and return all that comes back."""
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /products HTTP/1.1", 400),
        (b"GET /products HTTP/1.1\r\nHost: x\r\n", 400),
        (b"GET /products HTTP/1.1\r\nHost: x\r\nIf-Ma", 400),
        (b'GET /products HTTP/1.1\r\nIf-Match: "1', 400),
        (b'GET /products HTTP/1.1\r\nBroken\r\nIf-Match: "1"\r\n\r\n', 400),
        (b'GET /products HTTP/1.1\r\nIf-Match : "1"\r\n\r\n', 400),
        (b"GET http://a:99999 HTTP/1.1\r\n\r\n", 400),
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
    answer = exchange(server, request_bytes)

    head, _, body = answer.rpartition(b"\r\n\r\n")
    if status:
        assert head.startswith(b"HTTP/1.1 %d " % status)
    assert list(json.loads(body)) == ["error", "message"]


def test_the_flask_command_finds_the_app():
    """`flask --app inventory` finds the factory, and its routes."""
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
