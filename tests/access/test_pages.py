"""Pages with access control: the same callers as JSON, no page that tells which orders exist, and no token in a log."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from support.callers import CLAIMS, STRANGERS, Caller, token

By = Callable[[str], Caller]
Make = Callable[[str | None], Caller]
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
MISSING = 987_654_321
NO_LINK = "/t/otl_AAAAAAAAAAAAAAAAAAAAAA"


def page(caller: Caller, path: str) -> httpx.Response:
    answer = caller.ask("GET", path, headers=BROWSER)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer


def told(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Return all that an answer tells, its time aside."""
    return answer.status_code, answer.content, {**answer.headers, "date": ""}


@pytest.mark.protocol("9.4", "7.1")
def test_without_a_token_every_order_has_the_same_page(caller: Make, order_id: int) -> None:
    anonymous = caller(None)
    pages = [page(anonymous, f"/orders/{id_}") for id_ in (order_id, MISSING, "x", "0", "%2F", "9" * 30)]
    assert pages[0].status_code == 401
    assert pages[0].headers["WWW-Authenticate"] == "Bearer"
    assert 'src="/pages/page.js"' in pages[0].text, "the script can take a token from the fragment"
    assert [told(each) for each in pages[1:]] == [told(pages[0])] * 5
    assert caller(None).ask("GET", f"/orders/{order_id}").json()["error"] == "unauthenticated"


@pytest.mark.protocol("9.4", "7.3")
@pytest.mark.parametrize("role", list(STRANGERS))
def test_a_foreign_order_and_a_missing_one_are_one_page(by: By, caller: Make, order_id: int, role: str) -> None:
    stranger = caller(token(STRANGERS[role]))
    foreign, missing = page(stranger, f"/orders/{order_id}"), page(stranger, f"/orders/{MISSING}")
    assert foreign.status_code == 404
    assert told(foreign) == told(missing)
    assert page(by(role), f"/orders/{order_id}").status_code == 200


@pytest.mark.protocol("9.2")
def test_a_link_opens_its_order_only(by: By, caller: Make, order_id: int) -> None:
    made = by("service").ask("POST", f"/api/v1/orders/{order_id}/links").json()["data"]
    assert page(caller(None), made["path"]).status_code == 200
    holder = caller(made["token"])
    assert page(holder, f"/orders/{order_id}").status_code == 200
    assert page(holder, f"/orders/{MISSING}").status_code == 404
    assert page(holder, "/orders/101").status_code == 404


@pytest.mark.protocol("9.2")
def test_a_gone_link_and_an_unknown_one_have_pages(by: By, caller: Make, order_id: int) -> None:
    links = f"/api/v1/orders/{order_id}/links"
    made = by("service").ask("POST", links).json()["data"]
    anonymous = caller(None)
    assert page(anonymous, made["path"]).status_code == 200
    assert by("service").ask("DELETE", f"{links}/{made['id']}").status_code == 200
    assert page(anonymous, made["path"]).status_code == 410
    assert page(anonymous, NO_LINK).status_code == 404
    assert page(by("admin"), NO_LINK).status_code == 404


@pytest.mark.protocol("9.2")
def test_a_token_in_the_path_is_no_link(caller: Make) -> None:
    """A JWT in an address would be kept by histories and logs."""
    jwt = token(CLAIMS["admin"])
    for path in (f"/t/{jwt}", f"/t/{jwt}/track"):
        answer = caller(None).ask("GET", path)
        assert (answer.status_code, answer.json()["why"]) == (401, "malformed")


@pytest.mark.protocol("9.6")
@pytest.mark.parametrize("path", ["/sdk/index.js", "/pages/page.js", "/service-worker.js"])
def test_files_need_no_token(caller: Make, path: str) -> None:
    assert caller(None).ask("GET", path).status_code == 200
    assert caller("x").ask("GET", path).status_code == 200
