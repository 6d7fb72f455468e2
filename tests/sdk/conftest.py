"""A simulator for each test, and the vendor's clients pointed at it.

Relies on `TAURUS_SIM`, the path of the simulator's program (see run.py). Promises that its process has ended when the
test has.
"""

import os
import select
import subprocess
from collections.abc import Iterator

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkgaussdb.v3 import GaussDBClient
from huaweicloudsdkiam.v3 import IamClient

PROJECT = "0483b6b16e954cb88930a360d2c4e663"
INSTANCE = "e80a4b6f13c2457d9ab05c7712f4d3e6in07"
PROXY = "4d1f0a77c2b94e5f8a6031d7be92c405po01"
PORT = 3306
ACCESS_KEY, SECRET_KEY = "SDKTESTACCESSKEY0001", "sdk-test-secret-key"
DOMAIN, USER, PASSWORD = "acme", "port-operator", "sdk-test-password"
START_TIMEOUT = 15
"""Seconds until the simulator has to say where it listens."""


class Simulator:
    """A running simulator: its address, its clock and its journal."""

    def __init__(self, address: str) -> None:
        self.address = address

    def advance(self, seconds: int) -> None:
        """Moves its clock."""
        answer = requests.post(f"{self.address}/_sim/clock/advance", json={"seconds": seconds}, timeout=5)
        answer.raise_for_status()

    def journal(self) -> list[dict]:
        """Every request that it has seen, oldest first."""
        answer = requests.get(f"{self.address}/_sim/journal", timeout=5)
        answer.raise_for_status()
        return answer.json()["entries"]

    def taurusdb(self, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> GaussDBClient:
        """The vendor's client for the database service."""
        return self._client(GaussDBClient, BasicCredentials(access_key, secret_key, PROJECT))

    def iam(self) -> IamClient:
        """The vendor's client for sign-in."""
        return self._client(IamClient, GlobalCredentials(ACCESS_KEY, SECRET_KEY, DOMAIN))

    def _client(self, kind, credentials):
        config = HttpConfig(timeout=(5, 15))
        builder = kind.new_builder().with_http_config(config).with_credentials(credentials)
        return builder.with_endpoint(self.address).build()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator of its own for this test, with one instance and one proxy, on a port that the system chose."""
    command = [
        os.environ["TAURUS_SIM"],
        "--listen=127.0.0.1:0",
        "--time=stepped",
        f"--project={PROJECT}",
        f"--instance={INSTANCE}",
        f"--proxy={INSTANCE}/{PROXY}={PORT}",
        f"--access-key={ACCESS_KEY}:{SECRET_KEY}",
        f"--user={DOMAIN}/{USER}:{PASSWORD}",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Simulator(address_of(process))
        finally:
            process.kill()


def address_of(process: subprocess.Popen) -> str:
    """Reads the first line of the simulator, which names its address."""
    ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT)
    line = process.stdout.readline().strip() if ready else ""
    greeting, _, address = line.rpartition(" ")
    if greeting != "taurus-sim listening on":
        pytest.fail(f"the simulator did not say where it listens: {line!r}, status {process.poll()}")
    return address
