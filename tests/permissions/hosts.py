"""Programs under recording: processes with the rights of chosen policies and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import orjson
import requests

from backend.local.deploy import STACK
from backend.local.engine import free_port
from tests.local_stack import LocalStack
from tests.permissions.recorder import HOOK
from tests.permissions.strict import for_the_engine

ROOT: Final = Path(__file__).parents[2]
SERVE: Final = "from pulseboard.cli import main; main()"


def rights_of(stack: LocalStack, principal: str, outputs: tuple[str, ...]) -> dict[str, str]:
    """Variables of a new user of that name, with the managed policies that these outputs of the stack name."""
    found = stack.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    arns = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}
    iam = stack.client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=principal)
    for output in outputs:
        version = iam.get_policy(PolicyArn=arns[output])["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arns[output], VersionId=version)["PolicyVersion"]["Document"]
        iam.put_user_policy(UserName=principal, PolicyName=output, PolicyDocument=for_the_engine(document))
    key = iam.create_access_key(UserName=principal)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def environment_of(stack: LocalStack, principal: str, outputs: tuple[str, ...]) -> dict[str, str]:
    """The environment of a recorded program with these rights."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULSEBOARD_"))},
        **stack.environment,
        **rights_of(stack, principal, outputs),
        "PYTHONPATH": os.pathsep.join([str(HOOK), str(ROOT)]),
        "RECORD_PRINCIPAL": principal,
    }


class Client:
    """Asks a dashboard as its own pages do."""

    def __init__(self, url: str, log: Path) -> None:
        self._url, self._log = url, log
        self._session = requests.Session()

    def get(self, path: str) -> Any:
        """The answer's JSON, or its text. Fails unless it is 200."""
        answer = self._session.get(self._url + path, timeout=60)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500], self._log.read_text()[-3000:])
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def act(self, name: str, body: Mapping[str, Any], token: str = "") -> Any:
        """Does an action; the answer's status and JSON."""
        token = token or self.get("/api/v1/session")["token"]
        headers = {"Origin": self._url, "Sec-Fetch-Site": "same-origin", "X-Pulseboard-Token": token}
        headers["Content-Type"] = "application/json"
        answer = self._session.post(
            f"{self._url}/api/v1/actions/{name}", orjson.dumps({"reason": "tried", **body}), headers=headers, timeout=60
        )
        return answer.status_code, answer.json()


@contextmanager
def dashboard(
    stack: LocalStack, principal: str, outputs: tuple[str, ...], folder: Path, config: str
) -> Iterator[Client]:
    """`pulseboard serve` under these rights, until the block is left."""
    port, log = free_port(), folder / f"{principal}.log"
    (folder / "pulseboard.toml").write_text(config)
    command = [sys.executable, "-c", SERVE, "serve", "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment_of(stack, principal, outputs), cwd=folder, stdout=output, stderr=output
        )
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while not _answers(url):
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            assert process.poll() is None, log.read_text()[-3000:]
            time.sleep(0.1)
        yield Client(url, log)
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=1).status_code == 200
    except requests.RequestException:
        return False


def run(stack: LocalStack, principal: str, outputs: tuple[str, ...], folder: Path, *command: str) -> str:
    """What a program says under these rights; fails where it fails."""
    done = subprocess.run(
        [sys.executable, *command], env=environment_of(stack, principal, outputs), cwd=folder, check=False,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout
