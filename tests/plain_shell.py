"""Run the commands of a document for a new user, in a shell that has the system's programs alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from localshop.shop import Shop

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
# What the commands use of curl, for a machine that has none.
CURL = """#!{python}
import argparse, http.client, pathlib, sys, urllib.parse
parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("-s", action="store_true")
parser.add_argument("-w", default="")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-X")
parser.add_argument("-d", "--data-binary")
given = parser.parse_args()
url = urllib.parse.urlsplit(given.url if "://" in given.url else "http://" + given.url)
connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
headers = dict(header.split(": ", 1) for header in given.H)
data = given.data_binary
body = pathlib.Path(data[1:]).read_bytes() if data and data[0] == "@" else data and data.encode()
connection.request(given.X or ("POST" if body else "GET"), f"{{url.path}}?{{url.query}}", body, headers)
answer = connection.getresponse()
said = given.w.replace(chr(92) + "n", chr(10)).replace("%{{http_code}}", str(answer.status))
sys.stdout.write(answer.read().decode() + said)
"""


def run_as_new_user(commands: str, shop: Shop, folder: Path) -> str:
    """Run shell commands for the ports of `make up` against this shop; return their output."""
    programs = _programs(folder / "bin")
    environment = {"PATH": f"{programs}:{SYSTEM_PATH}", "HOME": str(folder)}
    command = ["sh", "-eu", "-c", _for_ports_of(shop, commands)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _for_ports_of(shop: Shop, commands: str) -> str:
    here = commands.replace("localhost", "127.0.0.1")
    here = here.replace(":5001", f":{shop.user.port}").replace(":5002", f":{shop.order.port}")
    return here.replace(":5003", f":{shop.mailbox.port}") if shop.mailbox else here


def _programs(folder: Path) -> Path:
    """Make a folder of what the system lacks."""
    folder.mkdir()
    if shutil.which("curl") is None:
        (folder / "curl").write_text(CURL.format(python=sys.executable))
        (folder / "curl").chmod(0o755)
    if shutil.which("python3", path=SYSTEM_PATH) is None:
        (folder / "python3").symlink_to(sys.executable)
    return folder
