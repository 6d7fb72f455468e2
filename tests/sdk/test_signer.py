"""The operator's signer and the vendor's, on requests that nobody thought of.

Relies on `TAURUS_SIGN`, the path of the operator's signer as a program (see run.py). The requests are random, by a
seed: `TAURUS_SIGN_SEED` and `TAURUS_SIGN_REQUESTS` choose another and how many. Signatures must be the same to the
byte, and so must path and query as they are sent. Where the vendor's signer does what its guide doesn't say, a test of its own
says what that is, and the random requests keep away from it.
"""

import base64
import json
import os
import random
import subprocess
from dataclasses import asdict, dataclass
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

SEED = int(os.environ.get("TAURUS_SIGN_SEED", "20260302"))
REQUESTS = int(os.environ.get("TAURUS_SIGN_REQUESTS", "5000"))

DATE = ("X-Sdk-Date", "20060102T150405Z")
HOST = ("Host", "taurusdb.example.test")

LETTERS = "abcXYZ019-_.~"
RESERVED = " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}"
FOREIGN = "äß一二\u00a0\u2028\U0001f600"
CONTROLS = "\x01\t\x1f\x7f"
ALPHABETS = [LETTERS, LETTERS + RESERVED, LETTERS + RESERVED + FOREIGN, RESERVED + FOREIGN + CONTROLS]


@dataclass
class Request:
    """A request before it is signed: nothing in it is encoded."""

    method: str = "GET"
    path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = (DATE, HOST)
    body: bytes = b""
    access_key: str = "SDKTESTACCESSKEY0001"
    secret_key: str = "sdk-test-secret-key"


@dataclass
class Signed:
    """What is sent of it."""

    authorization: str
    path: str
    query: str


def test_both_signers_make_the_same_of_every_request():
    chance = random.Random(SEED)
    requests = [random_request(chance) for _ in range(REQUESTS)]

    for request, ours in zip(requests, by_the_operator(requests), strict=True):
        assert ours == by_the_vendor(request), f"seed {SEED}: {request}"


def test_the_random_requests_are_odd_enough():
    chance = random.Random(SEED)
    requests = [random_request(chance) for _ in range(1000)]

    def share(holds) -> float:
        return sum(1 for request in requests if holds(request)) / len(requests)

    assert share(lambda request: "%" in request.path) > 0.1
    assert share(lambda request: "//" in request.path) > 0.1
    assert share(lambda request: request.path.endswith("/")) > 0.1
    assert share(lambda request: not request.path.isascii()) > 0.1
    assert share(lambda request: len({name for name, _ in request.query}) < len(request.query)) > 0.1
    assert share(lambda request: any(not value for _, value in request.query)) > 0.1
    assert share(lambda request: not all(name.isascii() for name, _ in request.query)) > 0.1
    assert share(lambda request: any(value != value.strip() for _, value in request.headers)) > 0.1
    assert share(lambda request: request.body and not request.body.isascii()) > 0.1
    assert share(lambda request: not request.body) > 0.1


def test_the_comparison_sees_a_single_different_byte():
    request = Request(method="PUT", path="/v3/port", body=b'{"port":3307}')
    other = Request(method="PUT", path="/v3/port", body=b'{"port":3308}')

    [ours] = by_the_operator([request])

    assert ours == by_the_vendor(request)
    assert ours != by_the_vendor(other)


def test_the_vendor_signs_no_body_of_another_type_than_json():
    """It sends and signs UNSIGNED-PAYLOAD in its place; the operator sends JSON only and always signs the body."""
    plain = Request(method="PUT", headers=(DATE, HOST, ("Content-Type", "text/plain")), body=b"port=3307")

    theirs = by_the_vendor(plain)

    assert "SignedHeaders=content-type;host;x-sdk-content-sha256;x-sdk-date" in theirs.authorization
    assert theirs == by_the_vendor(Request(**vars(plain) | {"body": b"port=1"})), "the body made no difference"


def test_the_vendor_leaves_out_headers_with_an_underscore():
    """The guide doesn't say so; the operator has no such header."""
    request = Request(headers=(DATE, HOST, ("x_odd", "1")))

    [ours] = by_the_operator([request])

    assert "SignedHeaders=host;x-sdk-date;x_odd" in ours.authorization
    assert by_the_vendor(request) == by_the_vendor(Request())


def test_the_vendor_decodes_a_slash_within_a_segment_before_it_signs():
    """By the guide a segment is encoded, so its slash would be %2F; no id of the operator can hold one."""
    sent, signed_as = vendor("/v3/a%2Fb", Request()), vendor("/v3/a/b", Request())

    assert sent.authorization == signed_as.authorization
    assert sent.path == "/v3/a%2Fb"


def test_the_vendor_always_signs_the_host():
    """The guide asks for the date only; the operator signs the host, too, so that the comparison is of all it sends."""
    theirs = by_the_vendor(Request(headers=(DATE,)))

    assert "SignedHeaders=host;x-sdk-date" in theirs.authorization


@pytest.mark.parametrize("odd", ["\x1c", "\x1d", "\x1e", "\x1f"])
def test_the_vendor_trims_separators_that_no_header_can_hold(odd):
    """Python takes them for blanks, Rust and HTTP don't: they can't be sent in a header at all."""
    request = Request(headers=(DATE, HOST, ("x-odd", f"a{odd}")))

    [ours] = by_the_operator([request])

    assert by_the_vendor(request) == by_the_vendor(Request(headers=(DATE, HOST, ("x-odd", "a"))))
    assert ours != by_the_vendor(request)


def random_request(chance: random.Random) -> Request:
    """A request of any method, path, query, headers and body that both signers can be asked to sign."""
    headers = [(odd_case(chance, DATE[0]), random_date(chance)), (odd_case(chance, "host"), HOST[1])]
    others = ["x-project-id", "x-security-token", "x-language", "x-odd", "accept"]
    for name in chance.sample(others, chance.randrange(4)):
        value = text(chance, chance.choice([LETTERS, LETTERS + RESERVED, LETTERS + RESERVED + "äß一"]), 0, 40)
        headers.append((odd_case(chance, name), blanks(chance) + value.strip() + blanks(chance)))
    if chance.random() < 0.5:
        headers.append(("Content-Type", chance.choice(["application/json", "application/json;charset=UTF-8"])))
    chance.shuffle(headers)
    return Request(
        method=chance.choice(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"]),
        path=random_path(chance),
        query=random_query(chance),
        headers=tuple(headers),
        body=random_body(chance),
        access_key=text(chance, LETTERS, 1, 40),
        secret_key=text(chance, LETTERS + RESERVED + "äß", 1, 100),
    )


def random_path(chance: random.Random) -> str:
    """Segments of any text, some empty, some dots, some encoded already, which must be encoded once more."""
    segments = [
        chance.choice(["", ".", "..", "v3", "%2F", "%zz", "a+b", *[text(chance, chance.choice(ALPHABETS), 1, 40)] * 6])
        for _ in range(chance.randrange(8))
    ]
    # A segment is what stands between slashes: none can hold one.
    return "/" + "/".join(segment.replace("/", "-") for segment in segments)


def random_query(chance: random.Random) -> tuple[tuple[str, str], ...]:
    """Pairs in any order; names come twice, values are missing, and some would sort otherwise once they are encoded."""
    names = [text(chance, chance.choice(ALPHABETS), 0, 12) for _ in range(chance.randrange(1, 6))]
    names += ["id", "offset", "limit", "a", "a~", "ä", "a-b", "A"]
    return tuple(
        (chance.choice(names), text(chance, chance.choice(ALPHABETS), 0, 30) if chance.random() < 0.8 else "")
        for _ in range(chance.randrange(8))
    )


def random_body(chance: random.Random) -> bytes:
    """No body, JSON, text or bytes."""
    kind = chance.randrange(4)
    if kind == 0:
        return b""
    if kind == 1:
        return json.dumps({"port": chance.randrange(70000)}).encode()
    if kind == 2:
        return text(chance, ALPHABETS[3], 1, 300).encode()
    return chance.randbytes(chance.randrange(1, 3000))


def random_date(chance: random.Random) -> str:
    """Any second of many years."""
    month, day = chance.randrange(1, 13), chance.randrange(1, 29)
    hour, minute, second = chance.randrange(24), chance.randrange(60), chance.randrange(60)
    return f"{chance.randrange(1970, 2100)}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"


def text(chance: random.Random, alphabet: str, shortest: int, longest: int) -> str:
    """Letters of an alphabet."""
    return "".join(chance.choices(alphabet, k=chance.randint(shortest, longest)))


def blanks(chance: random.Random) -> str:
    """What may stand around the value of a header."""
    return chance.choice(["", "", "", " ", "  ", "\t"])


def odd_case(chance: random.Random, name: str) -> str:
    """A header's name in any case."""
    return chance.choice([name, name.lower(), name.upper(), name.title()])


def by_the_operator(requests: list[Request]) -> list[Signed]:
    """All signed by the operator's own signer."""
    lines = [json.dumps(asdict(request) | {"body": base64.b64encode(request.body).decode()}) for request in requests]
    command = [os.environ["TAURUS_SIGN"]]
    ran = subprocess.run(
        command, input="\n".join(lines), capture_output=True, check=True, encoding="utf-8", timeout=60
    )
    return [Signed(**json.loads(line)) for line in ran.stdout.split("\n") if line]


def by_the_vendor(request: Request) -> Signed:
    """Signed by the vendor's signer, which takes the path as it is sent."""
    return vendor(quote(request.path, safe="/~"), request)


def vendor(sent_path: str, request: Request) -> Signed:
    """Signed by the vendor's signer, with a path that is encoded already."""
    unsigned = SdkRequest(
        method=request.method,
        schema="https",
        host=HOST[1],
        resource_path=sent_path,
        query_params=list(request.query),
        header_params=dict(request.headers),
        body=request.body,
    )
    signed = Signer(BasicCredentials(request.access_key, request.secret_key, "project")).sign(unsigned)
    path, _, query = signed.uri.partition("?")
    return Signed(signed.header_params["Authorization"], path, query)
