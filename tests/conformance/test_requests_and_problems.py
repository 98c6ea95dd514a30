"""Section 2: the rules for every request, and the errors of those that break them."""

from __future__ import annotations

import pytest

from support.api import BULK, JSON, ORDERS, STATS, Api, encoded, track

PROBLEM_KEYS = {"success", "error", "message", "type", "title", "status"}
NOT_AN_ID = [
    "0", "-1", "01", "1.0", "1e3", "abc", "101x", "+1", "%20101", "101%20", "0x65", "null", "%F0%9F%8D%95", "system",
    "9223372036854775808", "99999999999999999999999999", "%EF%BC%91%EF%BC%90%EF%BC%91", "101%00", "*",
]  # fmt: skip
UNUSED_ID = str(2**63 - 1)
BODY = encoded({"status": "preparing"})


@pytest.mark.protocol("2.1")
@pytest.mark.parametrize("path", [ORDERS, STATS, "/healthz", "/readyz"])
def test_an_answer_is_an_envelope(api: Api, path: str):
    answer = api.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["success"] is True
    assert isinstance(answer.json()["data"], dict)


@pytest.mark.protocol("2.1")
def test_answers_about_an_order_are_envelopes(api: Api):
    id_ = api.create()["id"]
    answers = [
        api.http.get(f"{ORDERS}/{id_}"),
        api.http.get(f"{ORDERS}/{id_}/events"),
        api.http.get(track(id_)),
        api.set(id_, "preparing"),
        api.assign(id_, "seven"),
        api.bulk([{"order_id": id_, "status": "ready"}]),
        api.http.post(f"{ORDERS}/{id_}/simulate-workflow"),
        api.http.delete(f"{ORDERS}/{id_}/simulate-workflow"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 200, 200, 202, 200]
    assert all(answer.json()["success"] is True for answer in answers)
    assert all(isinstance(answer.json()["data"], dict) for answer in answers)


@pytest.mark.protocol("2.2")
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{ORDERS}/{UNUSED_ID}", 404, "order_not_found"),
        ("GET", "/nothing/here", 404, "not_found"),
        ("GET", f"{ORDERS}/a/b/c", 404, "not_found"),
        ("PATCH", ORDERS, 405, "method_not_allowed"),
        ("POST", track(101), 405, "method_not_allowed"),
        ("GET", f"{ORDERS}?limit=0", 400, "invalid_parameter"),
        ("GET", f"{ORDERS}?colour=red", 400, "unknown_parameter"),
        ("GET", track(101, timeout="soon"), 400, "invalid_parameter"),
        ("PUT", f"{ORDERS}/101/status", 415, "unsupported_media_type"),
        ("DELETE", f"{ORDERS}/{UNUSED_ID}/simulate-workflow", 404, "order_not_found"),
    ],
)
def test_an_error_has_the_keys_of_the_original_contract(api: Api, method: str, path: str, status: int, code: str):
    answer = api.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() >= PROBLEM_KEYS
    assert (problem["success"], problem["error"], problem["status"]) == (False, code, status)
    assert problem["message"]
    assert problem["title"]
    assert problem["type"].endswith(code)


@pytest.mark.protocol("2.2")
def test_a_malformed_body_names_the_field(api: Api):
    order = api.create()
    path = f"{ORDERS}/{order['id']}/status"
    for body, code, field in [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b'{"status": "preparing"} x', "invalid_json", None),
        (b"\xff\xfe", "invalid_json", None),
        (b"[" * 50_000, "invalid_json", None),
        (b"[]", "invalid_body", "body"),
        (b"null", "invalid_body", "body"),
        (b"{}", "invalid_body", "status"),
        (b'{"status": "cooking"}', "invalid_body", "status"),
        (b'{"status": 7}', "invalid_body", "status"),
        (b'{"status": "preparing", "undo": "yes"}', "invalid_body", "undo"),
        (b'{"status": "preparing", "expected_version": 0}', "invalid_body", "expected_version"),
        (b'{"status": "preparing", "expected_version": 1.5}', "invalid_body", "expected_version"),
        (b'{"status": "preparing", "expected_version": 9223372036854775808}', "invalid_body", "expected_version"),
    ]:
        answer = api.http.put(path, content=body, headers=JSON)
        assert (answer.status_code, answer.json()["error"]) == (400, code), body[:50]
        assert answer.json().get("field") == field, body[:50]
    assert api.order(order["id"]) == order


@pytest.mark.protocol("2.4")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/{id}/status", {"status": "preparing", "colour": "red"}),
        ("PUT", "/{id}/status", {"status": "preparing", "Status": "ready"}),
        ("PUT", "/{id}/courier", {"courier_id": "7", "name": "Kim"}),
        ("POST", "/{id}/simulate-workflow", {"speed": 1, "sped": 2}),
        ("POST", "/{id}/simulate-workflow", {"timings": {"delivered": 1}}),
        ("POST", "", {"customer_id": "unknown-field", "restaurant_id": "r", "status": "ready"}),
        ("POST", "", {"customer_id": "unknown-field", "restaurant_id": "r", "items": [{"name": "x", "size": 1}]}),
    ],
)
def test_an_unknown_field_changes_nothing(api: Api, method: str, path: str, body: dict[str, object]):
    order = api.create()
    answer = api.http.request(method, ORDERS + path.format(id=order["id"]), json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_body")
    assert "unknown field" in answer.json()["message"]
    assert api.order(order["id"]) == order
    assert api.http.get(ORDERS, params={"customer_id": "unknown-field"}).json()["data"]["orders"] == []
    assert api.http.delete(f"{ORDERS}/{order['id']}/simulate-workflow").status_code == 404


@pytest.mark.protocol("2.4")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/{id}/status", {"status": "preparing"}),
        ("PUT", "/{id}/courier", {"courier_id": "7"}),
        ("POST", "/{id}/simulate-workflow", None),
        ("DELETE", "/{id}/simulate-workflow", None),
        ("POST", "", {"customer_id": "unknown-parameter", "restaurant_id": "r"}),
        ("GET", "", None),
        ("GET", "/{id}/events", None),
    ],
)
def test_an_unknown_query_parameter_is_refused(api: Api, method: str, path: str, body: dict[str, object] | None):
    order = api.create()
    answer = api.http.request(method, ORDERS + path.format(id=order["id"]) + "?undo=true", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "unknown_parameter")
    assert answer.json()["field"] == "undo"
    assert api.order(order["id"]) == order
    assert api.http.get(ORDERS, params={"customer_id": "unknown-parameter"}).json()["data"]["orders"] == []


@pytest.mark.protocol("2.4", "2.8")
def test_an_unknown_name_in_a_bulk_update_changes_nothing(api: Api):
    order = api.create()
    good = {"order_id": order["id"], "status": "preparing"}
    assert api.bulk([good, {**good, "colour": "red"}]).status_code == 400
    assert api.http.post(BULK, json={"updates": [good], "dry_run": True}).status_code == 400
    assert api.http.post(f"{BULK}?dry_run=true", json={"updates": [good]}).status_code == 400
    assert api.order(order["id"]) == order


@pytest.mark.protocol("2.5")
@pytest.mark.parametrize("id_", [*NOT_AN_ID, UNUSED_ID])
def test_text_that_is_not_an_order_id_is_404(api: Api, id_: str):
    requests: list[tuple[str, str, bytes | None]] = [
        ("GET", "", None),
        ("GET", "/events", None),
        ("GET", "/track", None),
        ("GET", "/track?timeout=30", None),
        ("PUT", "/status", BODY),
        ("PUT", "/courier", encoded({"courier_id": "7"})),
        ("POST", "/simulate-workflow", None),
        ("DELETE", "/simulate-workflow", None),
    ]
    with api.connect() as connection:
        expected = connection.ask("GET", f"{ORDERS}/{2**62}").json()
        for method, rest, body in requests:
            answer = connection.ask(method, f"{ORDERS}/{id_}{rest}", JSON if body else None, body)
            assert answer.status == 404, (method, rest, answer)
            assert answer.json() == expected
    assert expected["error"] == "order_not_found"


@pytest.mark.protocol("2.5")
def test_an_unknown_order_of_a_bulk_update_has_the_same_words(api: Api):
    expected = api.http.get(f"{ORDERS}/{2**62}").json()
    (result,) = api.bulk([{"order_id": 2**63 - 1, "status": "ready"}]).json()["data"]["results"]
    assert (result["success"], result["error"]) == (False, "order_not_found")
    assert result["message"] == expected["message"]


@pytest.mark.protocol("2.6")
@pytest.mark.parametrize(
    "declared", [None, "", "text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonx"]
)
def test_a_body_that_is_not_declared_as_json_is_415(api: Api, declared: str | None):
    order = api.create()
    headers = {} if declared is None else {"Content-Type": declared}
    path = f"{ORDERS}/{order['id']}"
    with api.connect() as connection:
        for method, target, body in [
            ("PUT", f"{path}/status", BODY),
            ("PUT", f"{path}/courier", encoded({"courier_id": 1})),
            ("POST", f"{path}/simulate-workflow", encoded({"speed": 2})),
            ("POST", BULK, encoded({"updates": [{"order_id": order["id"], "status": "preparing"}]})),
            ("POST", ORDERS, encoded({"customer_id": "undeclared", "restaurant_id": "r"})),
        ]:
            answer = connection.ask(method, target, headers, body)
            assert (answer.status, answer.json()["error"]) == (415, "unsupported_media_type"), target
    assert api.order(order["id"]) == order
    assert api.http.get(ORDERS, params={"customer_id": "undeclared"}).json()["data"]["orders"] == []


@pytest.mark.protocol("2.6")
@pytest.mark.parametrize("declared", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"])
def test_json_may_be_declared_with_parameters_and_in_any_case(api: Api, declared: str):
    id_ = api.create()["id"]
    answer = api.http.put(f"{ORDERS}/{id_}/status", content=BODY, headers={"Content-Type": declared})
    assert answer.status_code == 200


@pytest.mark.protocol("2.6")
@pytest.mark.parametrize(("target", "limit"), [(f"{ORDERS}/101/status", 65_536), (ORDERS, 65_536), (BULK, 1_048_576)])
def test_a_body_declared_too_large_is_413_before_it_is_sent(api: Api, target: str, limit: int):
    method = "PUT" if target.endswith("status") else "POST"
    with api.connect() as connection:
        connection.request(method, target, {**JSON, "Content-Length": str(limit + 1)})
        answer = connection.answer()
    assert (answer.status, answer.json()["error"]) == (413, "body_too_large")


@pytest.mark.protocol("2.6")
@pytest.mark.parametrize(("target", "limit"), [(f"{ORDERS}/101/status", 65_536), (ORDERS, 65_536), (BULK, 1_048_576)])
def test_a_chunked_body_is_413_once_it_is_too_large(api: Api, target: str, limit: int):
    method = "PUT" if target.endswith("status") else "POST"
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    with api.connect() as connection:
        connection.request(method, target, {**JSON, "Transfer-Encoding": "chunked"})
        for _ in range(limit // 0x8000):
            connection.send(chunk)
        connection.send(b"1\r\n \r\n")
        answer = connection.answer()
    assert (answer.status, answer.json()["error"]) == (413, "body_too_large")


@pytest.mark.protocol("2.6")
def test_a_body_of_the_limit_is_accepted(api: Api):
    id_ = api.create()["id"]
    body = BODY.ljust(65_536)
    assert api.http.put(f"{ORDERS}/{id_}/status", content=body, headers=JSON).status_code == 200
    with api.connect() as connection:
        size = f"{len(body):x}\r\n".encode()
        connection.request("PUT", f"{ORDERS}/{id_}/status", {**JSON, "Transfer-Encoding": "chunked"})
        connection.send(size + body + b"\r\n0\r\n\r\n")
        assert connection.answer().json()["changed"] is False


@pytest.mark.protocol("2.12")
@pytest.mark.parametrize("given", [7, 0, -1, 2**63 - 1, -(2**63)])
def test_ids_given_as_integers_become_strings(api: Api, given: int):
    order = api.create(customer_id=given, restaurant_id=given, courier_id=given)
    assert [order[f"{party}_id"] for party in ("customer", "restaurant", "courier")] == [str(given)] * 3
    assert api.assign(order["id"], given).json()["changed"] is False


@pytest.mark.protocol("2.12")
@pytest.mark.parametrize("given", ["", "x" * 65, "a\nb", "\x00", "\x7f", 1.5, True, None, [], {}, 2**63])
def test_a_malformed_id_is_refused(api: Api, given: object):
    answer = api.http.post(ORDERS, json={"customer_id": given, "restaurant_id": "r"})
    assert (answer.status_code, answer.json()["field"]) == (400, "customer_id")


@pytest.mark.protocol("2.13")
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (ORDERS, {"GET", "HEAD", "POST"}),
        (f"{ORDERS}/101", {"GET", "HEAD"}),
        (f"{ORDERS}/101/events", {"GET", "HEAD"}),
        (f"{ORDERS}/101/track", {"GET", "HEAD"}),
        (f"{ORDERS}/101/status", {"PUT"}),
        (f"{ORDERS}/101/courier", {"PUT"}),
        (f"{ORDERS}/101/simulate-workflow", {"POST", "DELETE"}),
        (BULK, {"POST"}),
        (STATS, {"GET", "HEAD"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/readyz", {"GET", "HEAD"}),
        ("/openapi.json", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_405_with_allow(api: Api, path: str, allowed: set[str]):
    for method in {"GET", "PUT", "POST", "DELETE", "PATCH"} - allowed:
        answer = api.http.request(method, path)
        assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed"), method
        assert set(answer.headers["Allow"].split(", ")) >= allowed
    options = api.http.options(path)
    assert options.status_code == 204
    assert set(options.headers["Allow"].split(", ")) >= allowed


@pytest.mark.protocol("2.13")
@pytest.mark.parametrize(
    "path",
    [ORDERS, f"{ORDERS}/{{id}}", f"{ORDERS}/{{id}}/events", f"{ORDERS}/{{id}}/track",
     f"{ORDERS}/{{id}}/track?timeout=30", STATS, "/healthz", "/readyz", "/openapi.json", "/apidocs/"],
)  # fmt: skip
def test_head_is_answered_as_get_and_never_held(api: Api, path: str):
    path = path.format(id=api.create()["id"])
    with api.connect() as connection:
        head = connection.ask("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert int(head.headers["content-length"]) > 0
        following = connection.ask("GET", path.replace("timeout=30", "timeout=0"))
    assert following.status == 200, "HEAD left something on the connection"
    assert head.headers["content-type"] == following.headers["content-type"]
    assert head.headers.get("etag") == following.headers.get("etag")
    assert following.body


@pytest.mark.protocol("2.13")
def test_head_of_an_unknown_order_is_404_without_a_body(api: Api):
    with api.connect() as connection:
        for path in (f"{ORDERS}/{UNUSED_ID}", track(UNUSED_ID), "/nothing/here"):
            answer = connection.ask("HEAD", path)
            assert (answer.status, answer.body) == (404, b"")
        assert connection.ask("GET", "/healthz").status == 200
