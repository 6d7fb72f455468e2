"""What the vendor's own client finds when it talks to the simulator.

Nobody here wrote that client; it builds paths, bodies and signatures, and reads answers, as its authors understand the
service. If it can list, change and follow, then the simulator, on which all other tests rest, speaks the real language
as far as that client knows it.
"""

import pytest
import requests
from conftest import DOMAIN, INSTANCE, PASSWORD, PORT, PROJECT, PROXY, USER
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkgaussdb.v3 import (
    ListImmediateJobsRequest,
    ShowGaussMySqlInstanceInfoRequest,
    ShowGaussMySqlJobInfoRequest,
    ShowGaussMySqlProxyListRequest,
    UpdateProxyPortRequest,
    UpdateProxyPortRequestBody,
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
NOT_AUTHENTICATED = "APIGW.0301"


def test_it_lists_changes_and_follows_with_signed_requests(simulator):
    client = simulator.taurusdb()
    assert ports(client) == {PROXY: PORT}

    job_id = change_port(client, WANTED).job_id
    assert job_id
    states = follow(simulator, client, job_id)

    assert "Running" in states
    assert states[-1] == "Completed"
    assert ports(client) == {PROXY: WANTED}
    assert change_port(client, WANTED).job_id is None, "the same port again is no change and has no job"

    puts = [entry for entry in simulator.journal() if entry["method"] == "PUT"]
    assert [put["body"] for put in puts] == [f'{{"port": {WANTED}}}'] * 2


def test_the_task_list_shows_the_job_with_its_instance(simulator):
    client = simulator.taurusdb()
    job_id = change_port(client, WANTED).job_id
    follow(simulator, client, job_id)

    listed = client.list_immediate_jobs(ListImmediateJobsRequest(limit="50"))

    assert [(job.job_id, job.instance_id, job.status) for job in listed.jobs] == [(job_id, INSTANCE, "Completed")]
    assert listed.total_count == 1


@pytest.mark.filterwarnings("ignore:Method 'show_gauss_my_sql_instance_info':DeprecationWarning")
def test_the_instance_detail_names_its_proxies(simulator):
    request = ShowGaussMySqlInstanceInfoRequest(instance_id=INSTANCE)

    detail = simulator.taurusdb().show_gauss_my_sql_instance_info(request)

    assert detail.instance.id == INSTANCE
    assert detail.instance.status == "ACTIVE"
    assert [proxy.pool_id for proxy in detail.instance.proxies] == [PROXY]


def test_a_wrong_key_gets_the_documented_error_and_changes_nothing(simulator):
    with pytest.raises(ClientRequestException) as refused:
        change_port(simulator.taurusdb(secret_key="wrong"), WANTED)

    assert (refused.value.status_code, refused.value.error_code) == (401, NOT_AUTHENTICATED)
    assert refused.value.request_id
    assert ports(simulator.taurusdb()) == {PROXY: PORT}


def test_a_job_that_never_was_is_the_documented_error(simulator):
    with pytest.raises(ClientRequestException) as refused:
        job_status(simulator.taurusdb(), "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541")

    assert (refused.value.status_code, refused.value.error_code) == (400, NO_SUCH_JOB)


def test_a_token_from_the_sign_in_client_opens_the_database_service(simulator):
    signed_in = simulator.iam().keystone_create_user_token_by_password(password_request(PASSWORD))
    assert signed_in.token.project.id == PROJECT
    assert signed_in.token.user.domain.name == DOMAIN

    answer = requests.get(
        f"{simulator.address}/v3/{PROJECT}/instances/{INSTANCE}/proxies",
        headers={"X-Auth-Token": signed_in.x_subject_token},
        timeout=5,
    )

    assert answer.status_code == 200
    assert [row["proxy"]["pool_id"] for row in answer.json()["proxy_list"]] == [PROXY]


def test_a_wrong_password_gets_no_token(simulator):
    with pytest.raises(ClientRequestException) as refused:
        simulator.iam().keystone_create_user_token_by_password(password_request("wrong"))

    assert refused.value.status_code == 401


def ports(client) -> dict[str, int]:
    """The port of each proxy of the instance."""
    listed = client.show_gauss_my_sql_proxy_list(ShowGaussMySqlProxyListRequest(instance_id=INSTANCE))
    return {row.proxy.pool_id: row.proxy.port for row in listed.proxy_list}


def change_port(client, port: int):
    """Asks for a change and returns the answer."""
    body = UpdateProxyPortRequestBody(port=port)
    return client.update_proxy_port(UpdateProxyPortRequest(instance_id=INSTANCE, proxy_id=PROXY, body=body))


def job_status(client, job_id: str) -> str:
    """The status word of a job."""
    return client.show_gauss_my_sql_job_info(ShowGaussMySqlJobInfoRequest(id=job_id)).job.status


def follow(simulator, client, job_id: str) -> list[str]:
    """Polls a job, a second of the simulator's time apart, until it has ended; the status words that were seen."""
    states: list[str] = []
    for _ in range(600):
        try:
            states.append(job_status(client, job_id))
        except ClientRequestException as error:
            assert error.error_code == NO_SUCH_JOB and not states, "only a new job may be invisible"
        if states and states[-1] not in ("Pending", "Running"):
            return states
        simulator.advance(1)
    pytest.fail(f"the job did not end: {states[-3:]}")


def password_request(password: str) -> KeystoneCreateUserTokenByPasswordRequest:
    """A request for a token that is good for the project."""
    user = PwdPasswordUser(domain=PwdPasswordUserDomain(name=DOMAIN), name=USER, password=password)
    identity = PwdIdentity(methods=["password"], password=PwdPassword(user=user))
    auth = PwdAuth(identity=identity, scope=AuthScope(project=AuthScopeProject(id=PROJECT)))
    return KeystoneCreateUserTokenByPasswordRequest(body=KeystoneCreateUserTokenByPasswordRequestBody(auth=auth))
