"""The calls of the vendor's clients that the tests make, with what is the same in all of them filled in."""

import contextlib
from collections.abc import Iterator

import pytest
from conftest import DOMAIN, INSTANCE, PROJECT, PROXY, USER, Simulator
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkgaussdb.v3 import (
    GaussDBClient,
    ListImmediateJobsRequest,
    ListImmediateJobsResponse,
    ShowGaussMySqlJobInfoRequest,
    ShowGaussMySqlProxyListRequest,
    ShowGaussMySqlProxyListResponse,
    UpdateProxyPortRequest,
    UpdateProxyPortRequestBody,
    UpdateProxyPortResponse,
)
from huaweicloudsdkiam.v3 import (
    AuthScope,
    AuthScopeProject,
    KeystoneCreateUserTokenByPasswordRequest,
    KeystoneCreateUserTokenByPasswordRequestBody,
    PwdAuth,
    PwdIdentity,
    PwdPassword,
    PwdPasswordUser,
    PwdPasswordUserDomain,
)

WANTED = 3307
NO_SUCH_JOB = "DBS.200543"


def list_proxies(client: GaussDBClient, instance: str = INSTANCE, **page: int) -> ShowGaussMySqlProxyListResponse:
    """The list of an instance's proxies."""
    return client.show_gauss_my_sql_proxy_list(ShowGaussMySqlProxyListRequest(instance_id=instance, **page))


def ports(client: GaussDBClient, instance: str = INSTANCE) -> dict[str, int]:
    """The port of each proxy of an instance."""
    return {row.proxy.pool_id: row.proxy.port for row in list_proxies(client, instance).proxy_list}


def change_port(
    client: GaussDBClient, port: int = WANTED, *, instance: str = INSTANCE, proxy: str = PROXY
) -> UpdateProxyPortResponse:
    """Asks for a change and returns the answer."""
    body = UpdateProxyPortRequestBody(port=port)
    return client.update_proxy_port(UpdateProxyPortRequest(instance_id=instance, proxy_id=proxy, body=body))


def show_job(client: GaussDBClient, job_id: str):
    """What the service says of a job."""
    return client.show_gauss_my_sql_job_info(ShowGaussMySqlJobInfoRequest(id=job_id)).job


def list_tasks(client: GaussDBClient, **filters: str) -> ListImmediateJobsResponse:
    """A page of the task list."""
    return client.list_immediate_jobs(ListImmediateJobsRequest(**filters))


def follow(simulator: Simulator, client: GaussDBClient, job_id: str) -> list[str]:
    """Polls a job, a second of the simulator's time apart, until it has ended; the status words that were seen."""
    states: list[str] = []
    for _ in range(600):
        try:
            states.append(show_job(client, job_id).status)
        except ClientRequestException as error:
            assert error.error_code == NO_SUCH_JOB and not states, "only a new job may be invisible"
        if states and states[-1] not in ("Pending", "Running"):
            return states
        simulator.advance(1)
    pytest.fail(f"the job did not end: {states[-3:]}")


def sign_in(simulator: Simulator, password: str):
    """Asks for a token that is good for the project, with the vendor's client for sign-in."""
    user = PwdPasswordUser(domain=PwdPasswordUserDomain(name=DOMAIN), name=USER, password=password)
    identity = PwdIdentity(methods=["password"], password=PwdPassword(user=user))
    auth = PwdAuth(identity=identity, scope=AuthScope(project=AuthScopeProject(id=PROJECT)))
    body = KeystoneCreateUserTokenByPasswordRequestBody(auth=auth)
    return simulator.iam().keystone_create_user_token_by_password(KeystoneCreateUserTokenByPasswordRequest(body=body))


@contextlib.contextmanager
def refused(status: int, code: str) -> Iterator[None]:
    """Expects an error with this HTTP status and this code, and that it names the request."""
    with pytest.raises(ClientRequestException) as error:
        yield
    assert (error.value.status_code, error.value.error_code) == (status, code), error.value
    assert error.value.error_msg
    assert error.value.request_id
