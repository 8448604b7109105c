"""The README's examples are true."""

import re
import subprocess
import sys
from subprocess import PIPE

from conftest import ROOT, url_of

README = (ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"^\$ (?P<command>.*)\n(?P<answer>(?:(?!\$ ).*\n)*)", re.MULTILINE)
END = "--- end of answer ---"


def examples():
    """The commands of the README's console blocks, in order, each with the answer that is shown."""
    blocks = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [
        match.group("command", "answer") for block in blocks for match in EXAMPLE.finditer(block)
    ]


def without_what_differs(answer):
    """The answer but for ids and times, which are new in each run."""
    answer = re.sub(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "<id>", answer)
    answer = answer.replace("\r\n", "\n")  # of the CSV report
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<time>", answer)


def test_every_link_leads_to_what_it_names():
    """A link to a line of code leads to where the function or class of that name begins."""
    links = re.findall(r"\[`(\w+)`\]\(([\w/.]+)#L(\d+)\)", README)
    assert len(links) > 20

    for name, path, number in links:
        line = (ROOT / path).read_text().splitlines()[int(number) - 1]
        assert re.search(rf"\b(def|class) {name}\b", line), (name, path, number)


def test_roles_are_switched_on_as_shown():
    """The command that starts a server with roles does so, with the token that is shown."""
    [command] = re.findall(r"^(INVENTORY_TOKENS=.*)$", README, re.MULTILINE)
    [header] = re.findall(r"-H '(Authorization: .*?)'", README)
    command = f"exec env {command} --port 0".replace(".venv/bin/python", sys.executable)

    process = subprocess.Popen(["bash", "-c", command], cwd=ROOT, stdout=PIPE, text=True)
    try:
        curl = [
            "curl",
            "-s",
            "-w",
            "%{http_code}",
            "-o",
            "/dev/null",
            f"{url_of(process)}/products",
        ]
        statuses = [
            subprocess.run(arguments, capture_output=True, text=True, timeout=10, check=True).stdout
            for arguments in (curl, [*curl, "-H", header])
        ]
    finally:
        process.kill()
        process.communicate()

    assert statuses == ["401", "200"]


def test_every_example_answers_as_shown(server):
    """Each command of the README, run in order in one shell, answers what the README shows."""
    commands = [command.replace("http://127.0.0.1:5000", server) for command, _ in examples()]
    script = "".join(f"{command}\necho '{END}'\n" for command in commands)

    shell = subprocess.run(
        ["bash"], input=script, capture_output=True, text=True, timeout=60, check=True
    )

    answers = [without_what_differs(answer) for answer in shell.stdout.split(f"{END}\n")[:-1]]
    assert len(answers) >= 10
    assert answers == [without_what_differs(answer) for _, answer in examples()]
