"""The documented errors, as the vendor's own client shows them."""

import json

import pytest
from calls import NO_SUCH_JOB, WANTED, change_port, list_proxies, list_tasks, ports, refused, show_job
from conftest import INSTANCE, OTHER_INSTANCE, OTHER_PROXY, PORT, PROXY
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServerResponseException
from huaweicloudsdkgaussdb.v3 import ShowGaussMySqlInstanceInfoRequest

RESERVED = [1033, 5342, 5343, 5344, 5345, 12017, 20000, 20201, 20202, 33062, 33071]
BY_THE_USER_GUIDE_ONLY = 33060
UNKNOWN_INSTANCE = "0" * 32 + "in07"
UNKNOWN_PROXY = "0" * 32 + "po01"


def test_a_job_that_never_was_is_the_documented_error(simulator):
    with refused(400, NO_SUCH_JOB):
        show_job(simulator.taurusdb(), "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541")


def test_a_new_job_is_not_visible_at_once(simulator):
    client = simulator.taurusdb()
    job_id = change_port(client).job_id

    with refused(400, NO_SUCH_JOB):
        show_job(client, job_id)
    simulator.advance(3)
    assert show_job(client, job_id).id == job_id


def test_reserved_ports_and_those_out_of_range_are_refused_and_their_neighbours_taken(simulator):
    client = simulator.taurusdb()
    for port in [*RESERVED, BY_THE_USER_GUIDE_ONLY, -1, 0, 1, 1024, 65535, 65536]:
        with refused(400, "DBS.200461"):
            change_port(client, port)
    assert ports(client) == {PROXY: PORT}

    for port in (1025, 1034, 65534):
        assert change_port(client, port).job_id, port
        simulator.advance(120)
        assert ports(client) == {PROXY: port}


def test_a_port_that_only_the_user_guide_reserves_may_be_taken(simulator):
    simulator.behave(accepts_33060=True)
    assert change_port(simulator.taurusdb(), BY_THE_USER_GUIDE_ONLY).job_id


@pytest.mark.parametrize("code", ["DBS.200461", "DBS.200001", "DBS.280364", "DBS.05000032"])
def test_a_reserved_port_may_be_refused_with_other_codes(simulator, code):
    simulator.behave(bad_port={"status": 400, "code": code})
    with refused(400, code):
        change_port(simulator.taurusdb(), RESERVED[0])


def test_a_port_that_is_no_number_is_a_bad_parameter(simulator):
    for port in ("3307", None, 3307.5, [3307]):
        with refused(400, "DBS.200001"):
            change_port(simulator.taurusdb(), port)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "DBS.200019"),
        (409, "DBS.200047"),
        (409, "DBS.201014"),
        (400, "DBS.201014"),
        (403, "DBS.201014"),
        (409, "DBS.201015"),
        (403, "DBS.201015"),
        (409, "DBS.212033"),
        (409, "DBS.05000084"),
    ],
)
def test_a_busy_instance_is_a_conflict_until_its_work_is_done(simulator, status, code):
    simulator.behave(busy={"status": status, "code": code})
    client = simulator.taurusdb()
    change_port(client)

    with refused(status, code):
        change_port(client, WANTED + 1)
    assert change_port(client, instance=OTHER_INSTANCE, proxy=OTHER_PROXY).job_id, "the neighbour is not busy"
    simulator.advance(120)
    assert change_port(client, WANTED + 1).job_id


def test_an_unknown_proxy_and_one_of_another_instance_are_told_apart(simulator):
    client = simulator.taurusdb()

    with refused(400, "DBS.270024"):
        change_port(client, proxy=UNKNOWN_PROXY)
    with refused(400, "DBS.05000022"):
        change_port(client, proxy=OTHER_PROXY)
    with refused(400, "DBS.05000022"):
        change_port(client, instance=OTHER_INSTANCE, proxy=PROXY)
    assert ports(client) | ports(client, OTHER_INSTANCE) == {PROXY: PORT, OTHER_PROXY: PORT}


@pytest.mark.parametrize(
    ("form", "listed", "changed"),
    [
        ("not_found", (404, "DBS.200002"), (404, "DBS.200002")),
        ("not_found201028", (404, "DBS.201028"), (404, "DBS.201028")),
        ("bad_request201028", (400, "DBS.201028"), (400, "DBS.201028")),
        ("conflict200932", (409, "DBS.200932"), (404, "DBS.200002")),
    ],
)
@pytest.mark.filterwarnings("ignore:Method 'show_gauss_my_sql_instance_info':DeprecationWarning")
def test_an_unknown_instance_is_reported_in_each_way_that_was_seen(simulator, form, listed, changed):
    simulator.behave(missing_instance=form)
    client = simulator.taurusdb()

    with refused(*listed):
        list_proxies(client, UNKNOWN_INSTANCE)
    with refused(*changed):
        change_port(client, instance=UNKNOWN_INSTANCE)
    with refused(*changed):
        client.show_gauss_my_sql_instance_info(ShowGaussMySqlInstanceInfoRequest(instance_id=UNKNOWN_INSTANCE))


def test_an_id_of_another_form_is_a_bad_one(simulator):
    with refused(400, "DBS.280404"):
        list_proxies(simulator.taurusdb(), PROXY)


def test_a_page_of_a_size_that_is_not_documented_is_refused(simulator):
    client = simulator.taurusdb()
    for limit in (0, 101):
        with refused(400, "DBS.200001"):
            list_proxies(client, offset=0, limit=limit)
    for limit in ("0", "11", "100"):
        with refused(400, "DBS.200001"):
            list_tasks(client, limit=limit)


THROTTLED = json.dumps(
    {"error_code": "APIGW.0308", "error_msg": "user over rate limit, limit:60,time:1 minute", "request_id": "f1"}
)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
def test_a_caller_that_calls_too_often_is_told_so_and_may_call_again(simulator, headers):
    client = simulator.taurusdb()
    for operation, call in [
        ("list", lambda: list_proxies(client)),
        ("change", lambda: change_port(client)),
        ("job", lambda: show_job(client, "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541")),
        ("tasks", lambda: list_tasks(client)),
    ]:
        simulator.answer(operation, 429, THROTTLED, headers=headers)
        # This client keeps a 429 for its own repeats, of which it makes none unless it is told to, and drops the body.
        with pytest.raises(ClientRequestException) as error:
            call()
        assert (error.value.status_code, error.value.error_code) == (429, "429")
        assert len(simulator.calls(operation)) == 1
    assert ports(client) == {PROXY: PORT}


def test_a_client_that_was_told_to_waits_as_long_as_it_is_asked_to_and_calls_again(simulator):
    simulator.answer("list", 429, THROTTLED, headers={"Retry-After": "1"})

    assert ports(simulator.taurusdb(retries=1)) == {PROXY: PORT}

    first, second = simulator.calls("list")
    assert (first["answer"]["status"], second["answer"]["status"]) == (429, 200)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, "<html>bad gateway</html>", ServerResponseException),
        (503, "", ServerResponseException),
        (500, '{"error_code":"DBS.200208","error_msg":"inside"}', ServerResponseException),
        (403, "<html>sign in</html>", ClientRequestException),
    ],
)
def test_what_stands_between_and_failures_of_the_service_are_errors_of_their_own(simulator, status, body, kind):
    simulator.answer("list", status, body)
    client = simulator.taurusdb()

    with pytest.raises(kind) as error:
        list_proxies(client, INSTANCE)

    assert error.value.status_code == status
    assert ports(client) == {PROXY: PORT}
