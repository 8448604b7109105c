"""The README: its commands, their output, its links and the quoted code."""

import inspect
import re
import subprocess
import sys
import textwrap
from queue import SimpleQueue
from types import SimpleNamespace

from inventory.service import InventoryService
from tests.support import ROOT, TIMEOUT, running_server, url_of

README = (ROOT / "README.md").read_text()


def normalized(output):
    """Replace ids, times and SKUs, which differ between runs."""
    output = re.sub(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "<id>", output)
    output = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<time>", output)
    return re.sub(r"LTP-\d+", "<sku>", output)


def test_the_critical_section_is_quoted_from_the_code():
    assert textwrap.dedent(inspect.getsource(InventoryService._apply)) in README  # noqa: SLF001


def test_links_lead_to_the_files_and_tests_that_they_name():
    files = re.findall(r"\[`[\w./]+`\]\(([\w/.]+)\)", README)
    tests = re.findall(r'\[test\]\((.*?)#L(\d+) "(\w+)"\)', README)

    assert len(files) > 5
    assert all((ROOT / path).is_file() for path in files)
    assert len(tests) > 10
    for path, line, name in tests:
        assert f"def {name}(" in (ROOT / path).read_text().splitlines()[int(line) - 1]


def test_the_session_prints_the_output_shown_even_if_repeated(server):
    [session] = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    session = session.replace("http://127.0.0.1:5000", server)
    commands = "\n".join(re.findall(r"^\$ (.*)", session, re.MULTILINE) * 2)
    output = re.sub(r"^\$ .*\n", "", session, flags=re.MULTILINE)

    shell = subprocess.run(["bash"], input=commands, capture_output=True, text=True, check=True)

    assert normalized(shell.stdout) == normalized(output) * 2


def test_roles_are_enabled_by_the_command_shown():
    [tokens] = re.findall(r"`INVENTORY_TOKENS=(\S+) \.venv/bin/python run\.py`", README)
    [header] = re.findall(r"`-H '(Authorization: .*?)'`", README)

    with running_server(INVENTORY_TOKENS=tokens) as process:
        ask = ["curl", "-s", "-w", "%{http_code}", "-o", "/dev/null", f"{url_of(process)}/products"]
        statuses = [subprocess.check_output(c, text=True) for c in (ask, [*ask, "-H", header])]

    assert statuses == ["401", "200"]


def test_the_subscriber_sends_each_change(monkeypatch):
    [example] = re.findall(r"^```python\n(import redis\n.*?)^```", README, re.MULTILINE | re.DOTALL)
    sent = SimpleQueue()
    client = SimpleNamespace(xadd=lambda stream, fields: sent.put((stream, fields)))
    retry = SimpleNamespace(Retry=lambda backoff, retries: (backoff, retries))
    backoff = SimpleNamespace(ConstantBackoff=float)
    redis = SimpleNamespace(Redis=lambda retry: client, retry=retry, backoff=backoff)
    monkeypatch.setitem(sys.modules, "redis", redis)
    names = {}

    exec(example, names)
    product = names["app"].extensions["inventory"].create_product("Laptop", "LTP-123", 20)

    stream, fields = sent.get(timeout=TIMEOUT)
    assert (stream, fields["id"]) == ("stock", product.id)
    assert '"type":"CREATED","change":20,"stock":20' in fields["movement"]
