"""Who is let in: keys, temporary keys, passwords and tokens, all but the token's use by the vendor's clients."""

import pytest
import requests
from calls import change_port, ports, refused, sign_in
from conftest import (
    ACCESS_KEY,
    DOMAIN,
    INSTANCE,
    PASSWORD,
    PORT,
    PROJECT,
    PROXY,
    SECURITY_TOKEN,
    TEMPORARY_KEY,
    TEMPORARY_SECRET,
    USER,
)

NOT_AUTHENTICATED = (401, "APIGW.0301")
TOKEN_ENDED = (401, "APIGW.0307")
WRONG_PASSWORD = (401, "IAM.0062")
USER_LOCKED = (401, "IAM.0061")


def test_a_wrong_key_gets_the_documented_error_and_changes_nothing(simulator):
    for client in (simulator.taurusdb(secret_key="wrong"), simulator.taurusdb(access_key="NOBODYSKEY0000000001")):
        with refused(*NOT_AUTHENTICATED):
            change_port(client)

    assert ports(simulator.taurusdb()) == {PROXY: PORT}


def test_a_key_that_was_wrong_more_than_five_times_is_locked_for_five_minutes(simulator):
    wrong, right = simulator.taurusdb(secret_key="wrong"), simulator.taurusdb()
    for _ in range(6):
        with refused(*NOT_AUTHENTICATED):
            ports(wrong)

    with refused(*NOT_AUTHENTICATED):
        ports(right)
    simulator.advance(5 * 60 + 1)
    assert ports(right) == {PROXY: PORT}


def test_temporary_keys_are_good_with_their_token_only(simulator):
    with refused(*NOT_AUTHENTICATED):
        ports(simulator.taurusdb(TEMPORARY_KEY, TEMPORARY_SECRET))
    with refused(*NOT_AUTHENTICATED):
        ports(simulator.taurusdb(TEMPORARY_KEY, TEMPORARY_SECRET, "of-another-session"))

    assert ports(simulator.taurusdb(TEMPORARY_KEY, TEMPORARY_SECRET, SECURITY_TOKEN)) == {PROXY: PORT}
    assert simulator.calls("list")[-1]["credential"] == TEMPORARY_KEY


def test_a_token_from_the_sign_in_client_opens_the_database_service(simulator):
    signed_in = sign_in(simulator, PASSWORD)
    assert signed_in.token.project.id == PROJECT
    assert signed_in.token.user.name == USER
    assert signed_in.token.user.domain.name == DOMAIN
    assert signed_in.token.methods == ["password"]
    assert signed_in.token.expires_at > signed_in.token.issued_at
    assert signed_in.token.catalog[0].endpoints

    answer = list_with(simulator, signed_in.x_subject_token)

    assert answer.status_code == 200
    assert [row["proxy"]["pool_id"] for row in answer.json()["proxy_list"]] == [PROXY]


def test_a_token_is_good_for_a_day_and_another_one_does_not_end_it(simulator):
    first = sign_in(simulator, PASSWORD).x_subject_token
    simulator.advance(12 * 3600)
    second = sign_in(simulator, PASSWORD).x_subject_token
    assert [list_with(simulator, token).status_code for token in (first, second)] == [200, 200]

    simulator.advance(12 * 3600 + 1)
    expired = list_with(simulator, first)

    assert (expired.status_code, expired.json()["error_code"]) == TOKEN_ENDED
    assert list_with(simulator, second).status_code == 200


def test_a_wrong_password_gets_no_token_and_five_of_them_lock_the_user(simulator):
    for _ in range(5):
        with refused(*WRONG_PASSWORD):
            sign_in(simulator, "wrong")

    with refused(*USER_LOCKED):
        sign_in(simulator, PASSWORD)
    simulator.advance(15 * 60 + 1)
    assert sign_in(simulator, PASSWORD).x_subject_token


def test_no_secret_is_in_the_journal(simulator):
    token = sign_in(simulator, PASSWORD).x_subject_token
    list_with(simulator, token)
    ports(simulator.taurusdb(TEMPORARY_KEY, TEMPORARY_SECRET, SECURITY_TOKEN))

    shown = str(simulator.journal())

    assert ACCESS_KEY in shown or TEMPORARY_KEY in shown
    for secret in (token, PASSWORD, TEMPORARY_SECRET, SECURITY_TOKEN):
        assert secret not in shown


def list_with(simulator, token: str) -> requests.Response:
    """Lists the proxies with a token: the vendor's client has no way to be given one."""
    url = f"{simulator.address}/v3/{PROJECT}/instances/{INSTANCE}/proxies"
    return requests.get(url, headers={"X-Auth-Token": token}, timeout=5)
