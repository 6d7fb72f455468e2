"""Lists and details, read by the vendor's own client."""

import pytest
from calls import WANTED, change_port, follow, list_proxies, list_tasks
from conftest import INSTANCE, OTHER_INSTANCE, OTHER_PROXY, PORT, PROJECT, PROXY
from huaweicloudsdkgaussdb.v3 import ListGaussMySqlInstancesRequest, ShowGaussMySqlInstanceInfoRequest


def test_the_list_shows_a_proxy_with_its_nodes_and_those_of_its_instance(simulator):
    (row,) = list_proxies(simulator.taurusdb()).proxy_list

    assert (row.proxy.pool_id, row.proxy.status, row.proxy.port) == (PROXY, "ACTIVE", PORT)
    assert (row.proxy.pool_status, row.proxy.transaction_split) == ("ACTIVE", "false")
    assert [node.role for node in row.proxy.nodes] == ["master", "slave"]
    assert row.proxy.node_num == len(row.proxy.nodes)
    assert row.master_node.instance_id == INSTANCE
    assert row.master_node.availability_zone[0].code
    assert [node.instance_id for node in row.readonly_nodes] == [INSTANCE]


def test_the_list_is_read_in_pages_and_is_empty_past_its_end(simulator):
    client = simulator.taurusdb()

    for page, rows in [({}, 1), ({"offset": 0, "limit": 1}, 1), ({"offset": 1, "limit": 100}, 0), ({"offset": 1}, 0)]:
        assert len(list_proxies(client, **page).proxy_list) == rows, page


@pytest.mark.filterwarnings("ignore:Method 'list_gauss_my_sql_instances':DeprecationWarning")
def test_the_instances_of_a_project_are_read_in_pages(simulator):
    client = simulator.taurusdb()

    def page(**filters):
        return client.list_gauss_my_sql_instances(ListGaussMySqlInstancesRequest(**filters))

    assert [row.id for row in page().instances] == [INSTANCE, OTHER_INSTANCE]
    assert [row.id for row in page(offset=1, limit=1).instances] == [OTHER_INSTANCE]
    assert [row.id for row in page(id=INSTANCE).instances] == [INSTANCE]
    assert (page(offset=2).instances, page(offset=2).total_count) == ([], 2)
    tags = [[(tag.key, tag.value) for tag in row.tags] for row in page().instances]
    assert tags == [[("team", "orders"), ("cost center", "0042")], []]
    assert [row.id for row in page(tags="team=orders,cost center=0042").instances] == [INSTANCE]
    assert page(tags="team=orders,cost center=1").instances == []


def test_the_task_list_shows_the_job_with_its_instance(simulator):
    client = simulator.taurusdb()
    job_id = change_port(client, WANTED).job_id
    follow(simulator, client, job_id)

    listed = list_tasks(client, limit="50")

    assert [(job.job_id, job.instance_id, job.status) for job in listed.jobs] == [(job_id, INSTANCE, "Completed")]
    assert listed.total_count == 1
    assert listed.jobs[0].job_name in listed.action_names
    assert listed.jobs[0].instance_status == "normal"
    assert listed.jobs[0].ended_time > listed.jobs[0].created_time


def test_the_task_list_is_filtered_by_status_job_and_time_and_read_in_pages(simulator):
    client = simulator.taurusdb()
    ended = change_port(client).job_id
    follow(simulator, client, ended)
    simulator.advance(3600)
    running = change_port(client, WANTED + 1).job_id
    other = change_port(client, instance=OTHER_INSTANCE, proxy=OTHER_PROXY).job_id
    simulator.advance(10)

    def ids(**filters):
        return {job.job_id for job in list_tasks(client, **filters).jobs}

    assert ids() == {ended, running, other}
    assert ids(status="Running") == {running, other}
    assert ids(status="Completed") == {ended}
    assert ids(status="Pending") == set()
    assert ids(job_id=other) == {other}
    created = next(job.created_time for job in list_tasks(client, job_id=running).jobs)
    assert ids(start_time=created) == {running, other}
    assert ids(offset="1", limit="10") | ids(limit="10") == {ended, running, other}
    assert list_tasks(client, status="Running", limit="10").total_count == 2


def test_t02_pages_counted_from_1_show_each_task_once_the_newest_first(simulator):
    client = simulator.taurusdb()
    jobs = []
    for number in range(12):
        jobs.insert(0, change_port(client, WANTED + number).job_id)
        follow(simulator, client, jobs[0])

    pages = [list_tasks(client, offset=str(page), limit="10") for page in (1, 2)]

    assert [job.job_id for page in pages for job in page.jobs] == jobs
    assert [page.total_count for page in pages] == [12, 12]


def test_t03_a_start_time_is_taken_as_the_task_list_writes_it(simulator):
    client = simulator.taurusdb()
    job_id = change_port(client).job_id
    follow(simulator, client, job_id)
    created = list_tasks(client).jobs[0].created_time

    assert "+" in created
    assert [job.job_id for job in list_tasks(client, start_time=created).jobs] == [job_id]


@pytest.mark.filterwarnings("ignore:Method 'show_gauss_my_sql_instance_info':DeprecationWarning")
def test_the_instance_detail_names_its_proxies(simulator):
    request = ShowGaussMySqlInstanceInfoRequest(instance_id=INSTANCE)

    instance = simulator.taurusdb().show_gauss_my_sql_instance_info(request).instance

    assert (instance.id, instance.project_id, instance.status) == (INSTANCE, PROJECT, "ACTIVE")
    assert [proxy.pool_id for proxy in instance.proxies] == [PROXY]
    assert instance.node_count == len(instance.nodes)
    assert [node.type for node in instance.nodes] == ["master", "slave"]
    assert simulator.calls("instance")[-1]["path"] == f"/v3/{PROJECT}/instances/{INSTANCE}"
