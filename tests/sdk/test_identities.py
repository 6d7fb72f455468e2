"""Who signs in without a key: the vendor's own credential providers, each as its environment sets it up."""

import json

import pytest
from calls import ports
from conftest import ID_TOKEN, IDENTITY_PROVIDER, NEXT_ID_TOKEN, POD_TOKEN, PORT, PROJECT, PROXY
from huaweicloudsdkcore.auth.internal import MetadataAccessor
from huaweicloudsdkcore.auth.provider import (
    EnvCredentialProvider,
    MetadataBasicCredentialProvider,
    PodIdentityCredentialProvider,
)
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException

METADATA_TOKEN_LASTS = 6 * 3600


@pytest.fixture
def token_file(tmp_path):
    """The file into which Kubernetes writes the token of a ServiceAccount."""
    return tmp_path / "token"


def by_id_token(simulator, monkeypatch, token_file):
    """The vendor's client as a pod has it that an identity provider knows."""
    monkeypatch.setenv("HUAWEICLOUD_SDK_IDP_ID", IDENTITY_PROVIDER)
    monkeypatch.setenv("HUAWEICLOUD_SDK_ID_TOKEN_FILE", str(token_file))
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", PROJECT)
    return simulator.taurusdb_as(EnvCredentialProvider.get_basic().get_credentials())


def test_an_id_token_buys_a_token_and_that_buys_keys_that_sign(simulator, monkeypatch, token_file):
    token_file.write_text(ID_TOKEN + "\n")
    client = by_id_token(simulator, monkeypatch, token_file)

    assert ports(client) == {PROXY: PORT}
    assert ports(client) == {PROXY: PORT}

    assert [entry["operation"] for entry in simulator.journal()] == ["id_token", "security_token", "list", "list"]
    login, keys, signed = simulator.journal()[:3]
    assert login["headers"]["x-idp-id"] == IDENTITY_PROVIDER
    assert json.loads(login["body"]) == {"auth": {"id_token": {"id": "***"}}}
    token = {"id": "***", "duration_seconds": METADATA_TOKEN_LASTS}
    assert json.loads(keys["body"]) == {"auth": {"identity": {"methods": ["token"], "token": token}}}
    assert "x-security-token" in signed["headers"]
    assert ID_TOKEN not in str(simulator.journal())


def test_the_file_of_the_id_token_is_read_when_keys_are_needed(simulator, monkeypatch, token_file):
    token_file.write_text(ID_TOKEN)
    client = by_id_token(simulator, monkeypatch, token_file)
    token_file.write_text("a-token-of-a-stranger")
    with pytest.raises(ClientRequestException) as refused:
        ports(client)
    assert (refused.value.status_code, refused.value.error_code) == (401, "IAM.0001")

    token_file.write_text(NEXT_ID_TOKEN)
    assert ports(client) == {PROXY: PORT}


def test_the_agency_of_a_node_gives_keys_with_a_metadata_token_that_is_renewed(simulator, monkeypatch):
    monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", simulator.address)
    provider = MetadataBasicCredentialProvider()
    provider.project_id = PROJECT
    credentials = provider.get_credentials()
    assert ports(simulator.taurusdb_as(credentials)) == {PROXY: PORT}
    assert [entry["operation"] for entry in simulator.journal()] == ["metadata_token", "machine_keys", "list"]

    simulator.advance(METADATA_TOKEN_LASTS + 1)
    renewed = credentials.sts_accessor.get_credential()

    assert renewed.access and renewed.security_token
    later = [entry["operation"] for entry in simulator.journal()[3:]]
    assert later == ["machine_keys", "metadata_token", "machine_keys"], "the old token was refused, and a new one had"


def test_a_pod_gets_keys_for_its_token(simulator, monkeypatch, token_file):
    token_file.write_text(POD_TOKEN)
    monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", f"{simulator.address}/pod-identity/credentials")
    monkeypatch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token_file))
    credentials = PodIdentityCredentialProvider.get_basic().get_credentials().with_project_id(PROJECT)

    assert ports(simulator.taurusdb_as(credentials)) == {PROXY: PORT}

    keys = simulator.calls("pod_keys")[0]
    assert json.loads(keys["body"]) == {}
    assert POD_TOKEN not in str(simulator.journal())
