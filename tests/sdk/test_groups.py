"""The security group of an instance and its rules, read by the vendor's own clients."""

import pytest
from conftest import INSTANCE, PORT
from huaweicloudsdkgaussdb.v3 import ListGaussMySqlInstanceDetailInfoRequest
from huaweicloudsdkvpc.v3 import ListSecurityGroupRulesRequest


def group_of(simulator) -> str:
    """The security group that the details of the instance name."""
    request = ListGaussMySqlInstanceDetailInfoRequest(instance_ids=INSTANCE)
    (instance,) = simulator.taurusdb().list_gauss_my_sql_instance_detail_info(request).instances
    assert instance.id == INSTANCE
    return instance.security_group_id


@pytest.mark.filterwarnings("ignore:Method 'list_gauss_my_sql_instance_detail_info':DeprecationWarning")
def test_the_rules_of_the_instances_group_are_read_with_all_their_fields(simulator):
    group = group_of(simulator)
    request = ListSecurityGroupRulesRequest(security_group_id=[group], direction="ingress")

    among_themselves, from_the_network = simulator.vpc().list_security_group_rules(request).security_group_rules

    assert (among_themselves.remote_group_id, among_themselves.protocol) == (group, None)
    assert (from_the_network.remote_ip_prefix, from_the_network.multiport) == ("10.0.0.0/8", str(PORT))
    for rule in (among_themselves, from_the_network):
        assert (rule.security_group_id, rule.direction, rule.ethertype) == (group, "ingress", "IPv4")
        assert (rule.action, rule.enabled) == ("allow", True)
        assert 1 <= rule.priority <= 100


@pytest.mark.filterwarnings("ignore:Method 'list_gauss_my_sql_instance_detail_info':DeprecationWarning")
def test_rules_are_read_in_pages_after_the_marker_of_the_page_before(simulator):
    added = [simulator.add_group_rule(multiport=str(port)) for port in range(4000, 4007)]
    client, group = simulator.vpc(), group_of(simulator)
    met: list[str] = []
    marker = None

    while True:
        request = ListSecurityGroupRulesRequest(security_group_id=[group], limit=4, marker=marker)
        page = client.list_security_group_rules(request)
        met += [rule.id for rule in page.security_group_rules]
        assert page.page_info.current_count == len(page.security_group_rules) <= 4
        marker = page.page_info.next_marker
        if marker is None:
            break

    assert set(added) <= set(met)
    assert len(met) == len(set(met))
