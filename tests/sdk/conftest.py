"""A simulator for each test, and the vendor's clients pointed at it.

Relies on `TAURUS_SIM`, the path of the simulator's program (see run.py). Promises that its process has ended when the
test has, and that a test that is skipped counts as failed: what was not tried is not known.
"""

import json
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkgaussdb.v3 import GaussDBClient
from huaweicloudsdkiam.v3 import IamClient
from huaweicloudsdkvpc.v3 import VpcClient

PROJECT = "0483b6b16e954cb88930a360d2c4e663"
INSTANCE = "e80a4b6f13c2457d9ab05c7712f4d3e6in07"
PROXY = "4d1f0a77c2b94e5f8a6031d7be92c405po01"
OTHER_INSTANCE = "5b7c29f0e1d84a36925f0ac4d8e7b163in07"
OTHER_PROXY = "a2960c3be5174f8d93c1d05e7b48f62dpo01"
PORT = 3306
ACCESS_KEY, SECRET_KEY = "SDKTESTACCESSKEY0001", "sdk-test-secret-key"
TEMPORARY_KEY, TEMPORARY_SECRET, SECURITY_TOKEN = "SDKTESTTEMPORARY0001", "sdk-test-other-secret", "sdk-test-session"
IDENTITY_PROVIDER, ID_TOKEN, NEXT_ID_TOKEN = "cce", "sdk-test-id-token", "sdk-test-next-id-token"
POD_TOKEN = "sdk-test-pod-token"
DOMAIN, USER, PASSWORD = "acme", "port-operator", "sdk-test-password"
START_TIMEOUT = 15
"""Seconds until the simulator has to say where it listens."""


class Simulator:
    """A running simulator: its address, its clock, its switches and its journal."""

    def __init__(self, address: str) -> None:
        self.address = address

    def advance(self, seconds: int) -> None:
        """Moves its clock."""
        self._control("POST", "clock/advance", {"seconds": seconds})

    def journal(self) -> list[dict]:
        """Every request that it has seen, oldest first."""
        return self._control("GET", "journal")["entries"]

    def calls(self, operation: str) -> list[dict]:
        """The requests for one operation, oldest first."""
        return [entry for entry in self.journal() if entry["operation"] == operation]

    def behave(self, **switches) -> None:
        """Sets switches of its behaviour."""
        self._control("PATCH", "behaviour", switches)

    def plan_next_job(self, **plan) -> None:
        """Says what will become of the next job."""
        self._control("POST", "plans/next", {"plan": plan})

    def answer(self, operation: str, status: int, body: str, *, times: int = 1, headers: dict | None = None) -> None:
        """Gives this answer, without any work, to the next requests for an operation."""
        answer = {"status": status, "headers": list((headers or {}).items()), "body": body}
        effect = {"respond": {"at": "before_work", "answer": answer}}
        self._control("POST", "faults", {"match": {"operation": operation}, "times": times, "effect": effect})

    def taurusdb(
        self,
        access_key: str = ACCESS_KEY,
        secret_key: str = SECRET_KEY,
        security_token: str | None = None,
        *,
        retries: int = 0,
    ) -> GaussDBClient:
        """The vendor's client for the database service."""
        credentials = BasicCredentials(access_key, secret_key, PROJECT)
        if security_token:
            credentials = credentials.with_security_token(security_token)
        return self._client(GaussDBClient, credentials, retries)

    def taurusdb_as(self, credentials: BasicCredentials) -> GaussDBClient:
        """The vendor's client for the database service, with what one of its credential providers gives."""
        return self._client(GaussDBClient, credentials.with_iam_endpoint(self.address))

    def iam(self) -> IamClient:
        """The vendor's client for sign-in."""
        return self._client(IamClient, GlobalCredentials(ACCESS_KEY, SECRET_KEY, DOMAIN))

    def vpc(self) -> VpcClient:
        """The vendor's client for networks; the simulator has them at the same address."""
        return self._client(VpcClient, BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT))

    def add_group_rule(self, **rule) -> str:
        """Adds a rule to the security group of all instances; its id."""
        return self._control("POST", "security-group-rules", rule)["id"]

    def _client(self, kind, credentials, retries: int = 0):
        config = HttpConfig(timeout=(5, 15), retry_times=retries)
        builder = kind.new_builder().with_http_config(config).with_credentials(credentials)
        return builder.with_endpoint(self.address).build()

    def _control(self, method: str, path: str, body: dict | None = None) -> dict:
        answer = requests.request(method, f"{self.address}/_sim/{path}", json=body, timeout=5)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A simulator of its own for this test, with two instances of one proxy each, on a port that the system chose."""
    command = [
        os.environ["TAURUS_SIM"],
        "--listen=127.0.0.1:0",
        "--time=stepped",
        f"--project={PROJECT}",
        f"--instance={INSTANCE}",
        f"--proxy={INSTANCE}/{PROXY}={PORT}",
        f"--tag={INSTANCE}/team=orders",
        f"--tag={INSTANCE}/cost center=0042",
        f"--instance={OTHER_INSTANCE}",
        f"--proxy={OTHER_INSTANCE}/{OTHER_PROXY}={PORT}",
        f"--access-key={ACCESS_KEY}:{SECRET_KEY}",
        f"--access-key={TEMPORARY_KEY}:{TEMPORARY_SECRET}:{SECURITY_TOKEN}",
        f"--user={DOMAIN}/{USER}:{PASSWORD}",
        f"--id-token={IDENTITY_PROVIDER}:{ID_TOKEN}",
        f"--id-token={IDENTITY_PROVIDER}:{NEXT_ID_TOKEN}",
        f"--id-token=service.cce.pods:{POD_TOKEN}",
        "--machine-agency",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            simulator = Simulator(address_of(process))
            yield simulator
            if journal := request.config.getoption("--journal"):
                write_journal(Path(journal), request.node.name, simulator.journal())
        finally:
            process.kill()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--journal FILE`."""
    parser.addoption("--journal", metavar="FILE", help="append all that the simulators have seen, a line of JSON each")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Takes a test that was skipped for one that failed."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.name} was skipped, and nothing here may be: {report.longrepr}"
    return report


def write_journal(path: Path, test: str, entries: list[dict]) -> None:
    """Appends the journal of a test to a file."""
    with path.open("a", encoding="utf-8") as file:
        for entry in entries:
            file.write(json.dumps({"test": test} | entry) + "\n")


def address_of(process: subprocess.Popen) -> str:
    """Reads the first line of the simulator, which names its address."""
    ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT)
    line = process.stdout.readline().strip() if ready else ""
    greeting, _, address = line.rpartition(" ")
    if greeting != "taurus-sim listening on":
        pytest.fail(f"the simulator did not say where it listens: {line!r}, status {process.poll()}")
    return address
