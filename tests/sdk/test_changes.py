"""Changes of ports, asked for and followed by the vendor's own client.

Nobody here wrote that client; it builds paths, bodies and signatures, and reads answers, as its authors understand the
service. If it can list, change and follow, then the simulator, on which all other tests rest, speaks the real language
as far as that client knows it.
"""

import pytest
from calls import WANTED, change_port, follow, list_proxies, ports, show_job
from conftest import INSTANCE, OTHER_INSTANCE, OTHER_PROXY, PORT, PROJECT, PROXY


def test_it_lists_changes_and_follows_with_signed_requests(simulator):
    client = simulator.taurusdb()
    assert ports(client) == {PROXY: PORT}

    job_id = change_port(client, WANTED).job_id
    assert job_id
    states = follow(simulator, client, job_id)

    assert "Running" in states
    assert states[-1] == "Completed"
    assert ports(client) == {PROXY: WANTED}
    assert ports(client, OTHER_INSTANCE) == {OTHER_PROXY: PORT}, "no other proxy is touched"


@pytest.mark.parametrize("form", ["null", "absent", "empty"])
def test_the_same_port_again_is_no_change_and_has_no_job(simulator, form):
    simulator.behave(same_port=form)

    answer = change_port(simulator.taurusdb(), PORT)

    assert answer.status_code == 200
    assert not answer.job_id
    assert [put["body"] for put in simulator.calls("change")] == [f'{{"port": {PORT}}}']


def test_its_requests_are_those_of_the_documents(simulator):
    client = simulator.taurusdb()
    job_id = change_port(client).job_id
    follow(simulator, client, job_id)
    list_proxies(client, offset=0, limit=100)

    change, job, listed = (simulator.calls(operation)[-1] for operation in ("change", "job", "list"))

    base = f"/v3/{PROJECT}"
    assert (change["method"], change["path"]) == ("PUT", f"{base}/instances/{INSTANCE}/proxy/{PROXY}/port")
    assert (job["method"], job["path"], job["query"]) == ("GET", f"{base}/jobs", [["id", job_id]])
    assert (listed["method"], listed["path"]) == ("GET", f"{base}/instances/{INSTANCE}/proxies")
    assert sorted(map(tuple, listed["query"])) == [("limit", "100"), ("offset", "0")]
    for call in (change, job, listed):
        assert call["headers"]["authorization"].startswith("SDK-HMAC-SHA256 ")
        assert {"x-sdk-date", "host"} <= call["headers"].keys()
        assert call["headers"]["x-project-id"] == PROJECT


@pytest.mark.parametrize(
    ("outcome", "word", "reason"),
    [({"failed": {"reason": "no room"}}, "Failed", "no room"), ("canceled", "Canceled", "")],
)
def test_a_job_that_ends_without_the_change_says_so(simulator, outcome, word, reason):
    simulator.plan_next_job(pending=5, outcome=outcome)
    client = simulator.taurusdb()

    job_id = change_port(client).job_id
    states = follow(simulator, client, job_id)

    assert states[0] == "Pending"
    assert states[-1] == word
    job = show_job(client, job_id)
    assert (job.id, job.instance.id, job.fail_reason or "") == (job_id, INSTANCE, reason)
    assert job.created and job.ended
    assert ports(client) == {PROXY: PORT}


def test_a_running_job_tells_how_far_it_is_and_one_that_waits_for_a_person_says_so(simulator):
    client = simulator.taurusdb()
    job_id = change_port(client).job_id
    simulator.advance(30)
    running = show_job(client, job_id)
    assert (running.status, running.process) == ("Running", "50%")
    assert not running.ended
    simulator.advance(60)

    simulator.plan_next_job(outcome="unauthorized")
    waiting = change_port(client, WANTED + 1).job_id
    simulator.advance(30)
    assert show_job(client, waiting).status == "Unauthorized"
