"""What the README shows is true."""

import inspect
import re
import subprocess
import sys
import textwrap
from subprocess import PIPE

from inventory.service import InventoryService
from tests.support import ROOT, url_of

README = (ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"^\$ (?P<command>.*)\n(?P<answer>(?:(?!\$ ).*\n)*)", re.MULTILINE)
END = "--- end of answer ---"


def examples():
    """The commands of the README's console blocks, in order, each with the answer that is shown."""
    blocks = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [m.group("command", "answer") for block in blocks for m in EXAMPLE.finditer(block)]


def without_what_differs(answer):
    """The answer but for ids, SKUs and times, which are new in each run."""
    answer = re.sub(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "<id>", answer)
    answer = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<time>", answer)
    return re.sub(r"LTP-\d+", "<sku>", answer.replace("\r\n", "\n"))


def test_the_door_is_shown_in_full():
    assert textwrap.dedent(inspect.getsource(InventoryService._apply)) in README  # noqa: SLF001


def test_every_link_leads_to_what_it_names():
    links = re.findall(r"\[`(\w+)`\]\(([\w/.]+)#L(\d+)\)", README)
    assert len(links) > 10

    for name, path, number in links:
        line = (ROOT / path).read_text().splitlines()[int(number) - 1]
        assert re.search(rf"\b(def|class) {name}\b", line), (name, path, number)


def test_every_file_has_as_many_lines_as_it_says():
    """The way through the code tells the lines of each file, or of its first part."""
    for path, lines in re.findall(r"^\d\. .*?\((\S+)\) \((\d+)", README, re.MULTILINE):
        assert (ROOT / path).read_text().count("\n") == int(lines), path
    [core] = re.findall(r"the first (\d+) lines", README)
    assert (
        "The core ends here"
        in inspect.getsource(inspect.getmodule(InventoryService)).split("\n")[int(core)]
    )


def test_roles_are_switched_on_as_shown():
    [command] = re.findall(r"^(INVENTORY_TOKENS=.*)$", README, re.MULTILINE)
    [header] = re.findall(r"-H '(Authorization: .*?)'", README)
    command = f"exec env {command} --port 0".replace(".venv/bin/python", sys.executable)

    process = subprocess.Popen(["bash", "-c", command], cwd=ROOT, stdout=PIPE, text=True)
    try:
        ask = ["curl", "-s", "-w", "%{http_code}", "-o", "/dev/null", f"{url_of(process)}/products"]
        statuses = [subprocess.check_output(c, text=True) for c in (ask, [*ask, "-H", header])]
    finally:
        process.kill()
        process.communicate()

    assert statuses == ["401", "200"]


def test_every_example_answers_as_shown(server):
    """Each command, run in order in one shell, answers what is shown, and so on a second walk."""
    commands = [command.replace("http://127.0.0.1:5000", server) for command, _ in examples()]
    script = "".join(f"{command}\necho '{END}'\n" for command in commands * 2)

    shell = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True)

    answers = [without_what_differs(answer) for answer in shell.stdout.split(f"{END}\n")[:-1]]
    assert len(answers) >= 30
    assert answers == [without_what_differs(answer) for _, answer in examples()] * 2
