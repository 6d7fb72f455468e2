"""The fixtures of this tree and the simulator's answers, held against the models of the vendor's own client.

Both were written from the documents by us. The vendor's models say whether they know each field, and whether it has the
type that they expect.
"""

import json
import re
from pathlib import Path

import huaweicloudsdkgaussdb.v3 as taurusdb
import huaweicloudsdkiam.v3 as iam
import pytest
from calls import change_port, list_proxies, list_tasks, show_job, sign_in
from conftest import INSTANCE, PASSWORD
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "api"
JOB = "9f2d61c4-7be0-4a35-8c1d-52e0ab94f763"
PLAIN = {"str": str, "int": int, "float": (int, float), "bool": bool, "object": object}
OF_THE_SERVICE = {"proxies": "list", "change": "change", "job": "job", "tasks": "tasks", "instance": "instance"}
OF_THE_DOCUMENTS_EXAMPLE = {
    "proxy_list[].proxy.vcpus: int",
    "proxy_list[].proxy.ram: int",
    "proxy_list[].proxy.transaction_split: bool",
    "proxy_list[].readonly_nodes: dict",
}
"""Where the example on the documents' page has other types than their own table of fields."""
CODES = ("error_code", "errorCode", "code")
TEXTS = ("error_msg", "errorMsg", "message")


def answers() -> list[str]:
    """The names of the fixtures that are answers of a kind that the vendor has models for."""
    return [name for name in names() if kind(name) in OF_THE_SERVICE or kind(name) == "token"]


def names() -> list[str]:
    """The names of all fixtures."""
    return sorted(path.stem for path in FIXTURES.glob("*.json"))


def kind(name: str) -> str:
    """What a fixture is: the first word of its name, or the whole of a request's."""
    return name if name.endswith("-request") else name.split("-")[0]


@pytest.mark.parametrize("name", answers())
@pytest.mark.filterwarnings("ignore:Method 'show_gauss_my_sql_instance_info':DeprecationWarning")
def test_the_vendors_models_know_every_field_and_its_type(simulator, name):
    text = (FIXTURES / f"{name}.json").read_text()
    package, response = (iam if kind(name) == "token" else taurusdb), read(simulator, kind(name), text)

    problems = set(compare(package, type(response).__name__, json.loads(text), ""))

    assert problems == (OF_THE_DOCUMENTS_EXAMPLE if name == "proxies-odd-types" else set())


@pytest.mark.filterwarnings("ignore:Method 'show_gauss_my_sql_instance_info':DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Method 'list_gauss_my_sql_instances':DeprecationWarning")
def test_the_vendors_models_know_every_field_that_the_simulator_sends_and_its_type(simulator):
    client = simulator.taurusdb()
    responses = {"change": change_port(client)}
    simulator.advance(10)
    responses["list"] = list_proxies(client)
    responses["tasks"] = list_tasks(client)
    responses["job"] = client.show_gauss_my_sql_job_info(
        taurusdb.ShowGaussMySqlJobInfoRequest(id=responses["change"].job_id)
    )
    responses["instance"] = client.show_gauss_my_sql_instance_info(
        taurusdb.ShowGaussMySqlInstanceInfoRequest(instance_id=INSTANCE)
    )
    responses["instances"] = client.list_gauss_my_sql_instances(taurusdb.ListGaussMySqlInstancesRequest())
    responses["token"] = sign_in(simulator, PASSWORD)

    for operation, response in responses.items():
        package = iam if operation == "token" else taurusdb
        (call,) = simulator.calls(operation)
        body = json.loads(call["answer"]["body"])
        assert list(compare(package, type(response).__name__, body, "")) == [], operation


@pytest.mark.parametrize("name", [name for name in names() if kind(name) == "error"])
def test_the_vendors_client_finds_code_and_text_of_an_error(simulator, name):
    text = (FIXTURES / f"{name}.json").read_text()
    simulator.answer("list", 400, text)

    with pytest.raises(ClientRequestException) as error:
        list_proxies(simulator.taurusdb())

    said = json.loads(text)
    inner = said.get("error", said) if isinstance(said, dict) else {}
    code = next((inner[name] for name in CODES if name in inner), None)
    # Of what it can't read it shows the status and the whole text.
    assert str(error.value.error_code) == str(code or 400)
    assert error.value.error_msg == (next(inner[name] for name in TEXTS if name in inner) if code else text)



def test_every_fixture_is_read_here_or_is_a_request():
    for name in names():
        assert kind(name) in {*OF_THE_SERVICE, "token", "error", "change-request", "token-request"}, name


def read(simulator, kind_of_answer: str, text: str):
    """Puts an answer into the simulator's mouth and has the vendor's client ask for it."""
    if kind_of_answer == "token":
        simulator.answer("token", 201, text, headers={"X-Subject-Token": "an-invented-token"})
        return sign_in(simulator, PASSWORD)
    simulator.answer(OF_THE_SERVICE[kind_of_answer], 200, text)
    client = simulator.taurusdb()
    match kind_of_answer:
        case "proxies":
            return list_proxies(client)
        case "change":
            return change_port(client)
        case "job":
            return client.show_gauss_my_sql_job_info(taurusdb.ShowGaussMySqlJobInfoRequest(id=JOB))
        case "tasks":
            return list_tasks(client)
        case _:
            return client.show_gauss_my_sql_instance_info(
                taurusdb.ShowGaussMySqlInstanceInfoRequest(instance_id=INSTANCE)
            )


def compare(package, model: str, value, path: str):
    """Yields each field that the model doesn't know, and each value that isn't of the field's type."""
    known = getattr(package, model)
    fields = {wire: known.openapi_types[name] for name, wire in known.attribute_map.items()}
    for name, inner in value.items():
        here = f"{path}.{name}".lstrip(".")
        if name in fields:
            yield from compare_value(package, fields[name], inner, here)
        else:
            yield f"{here}: unknown"


def compare_value(package, kind_of_value: str, value, path: str):
    """As `compare`, for one value."""
    if value is None or kind_of_value.startswith("dict("):
        return
    if item := re.fullmatch(r"list\[(.*)\]", kind_of_value):
        if not isinstance(value, list):
            yield f"{path}: {type(value).__name__}"
            return
        for inner in value:
            yield from compare_value(package, item[1], inner, f"{path}[]")
    elif kind_of_value in PLAIN:
        is_bool = isinstance(value, bool)
        if not isinstance(value, PLAIN[kind_of_value]) or is_bool != (kind_of_value == "bool"):
            yield f"{path}: {type(value).__name__}"
    elif isinstance(value, dict):
        yield from compare(package, kind_of_value, value, path)
    else:
        yield f"{path}: {type(value).__name__}"
