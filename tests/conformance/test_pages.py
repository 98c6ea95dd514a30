"""Section 9: pages for browsers, and their files, on a server without access control."""

from __future__ import annotations

import gzip
import re
from urllib.parse import urljoin

import httpx
import pytest

from support.api import ORDERS, Api, Json

HTML = "text/html; charset=utf-8"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
VARY = {"accept", "accept-language", "accept-encoding"}
UNKNOWN = 2**62
NO_LINK = "/t/otl_AAAAAAAAAAAAAAAAAAAAAA"
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
    "connect-src": "'self'", "manifest-src": "'self'", "worker-src": "'self'", "base-uri": "'none'",
    "form-action": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip


def page(api: Api, path: str, **headers: str) -> httpx.Response:
    return api.http.get(path, headers={**BROWSER, **headers})


@pytest.fixture
def order(api: Api) -> Json:
    return api.create()


@pytest.fixture
def paths(api: Api, order: Json) -> tuple[str, str]:
    """Return the paths of the order's two pages."""
    link: str = api.http.post(f"{ORDERS}/{order['id']}/links").json()["data"]["path"]
    return f"/orders/{order['id']}", link


@pytest.mark.protocol("9.1")
def test_a_browser_gets_a_page(api: Api, paths: tuple[str, str]):
    for path in paths:
        answer = page(api, path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, HTML)
        assert (answer.headers["Cache-Control"], answer.headers["X-Robots-Tag"]) == ("no-store", "noindex")
        assert set(answer.headers["Vary"].lower().split(", ")) == VARY
        assert answer.text.startswith("<!doctype html>")


@pytest.mark.protocol("9.1")
@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0.5, application/json", "image/png", ""])
def test_a_program_gets_the_json_of_the_order(api: Api, order: Json, paths: tuple[str, str], accept: str):
    own = api.http.get(f"{ORDERS}/{order['id']}")
    shown, linked = (api.http.get(path, headers={"Accept": accept}) for path in paths)
    assert (shown.content, shown.headers["ETag"]) == (own.content, own.headers["ETag"])
    assert linked.json()["data"]["id"] == order["id"]
    for answer in (shown, linked):
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.headers["Vary"].lower().split(", ")) == VARY
        unchanged = api.http.get(answer.url.path, headers={"Accept": accept, "If-None-Match": own.headers["ETag"]})
        assert unchanged.status_code == 304


@pytest.mark.protocol("9.1", "2.13")
def test_head_and_options_of_a_page(api: Api, paths: tuple[str, str]):
    for path in paths:
        head = api.http.head(path, headers=BROWSER)
        assert (head.status_code, head.headers["Content-Type"], head.content) == (200, HTML, b"")
        assert api.http.options(path, headers=BROWSER).headers["Allow"] == "GET, HEAD, OPTIONS"
        refused = api.http.post(path)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.protocol("9.1")
def test_a_page_is_compressed_when_accepted(api: Api, paths: tuple[str, str]):
    for path in paths:
        with api.connect() as connection:
            plain = connection.ask("GET", path, BROWSER)
            packed = connection.ask("GET", path, {**BROWSER, "Accept-Encoding": "br, gzip"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body).startswith(b"<!doctype html>")


@pytest.mark.protocol("9.2")
@pytest.mark.parametrize("path", [f"/orders/{UNKNOWN}", "/orders/x", "/orders/0", "/orders/101%2Ftrack"])
def test_an_unknown_order_has_the_same_page(api: Api, path: str):
    answer, other = page(api, path), page(api, f"/orders/{UNKNOWN - 1}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, HTML)
    assert answer.content == other.content
    assert answer.headers["Cache-Control"] == "no-store"
    refused = api.http.get(path)
    assert (refused.status_code, refused.json()["error"]) == (404, "order_not_found")


@pytest.mark.protocol("9.2")
@pytest.mark.parametrize("path", [NO_LINK, "/t/x", "/t/otl_AAAAAAAAAAAAAAAAAAAAAA%29."])
def test_an_unknown_link_has_a_page(api: Api, path: str):
    answer = page(api, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, HTML)
    assert "WWW-Authenticate" not in answer.headers
    refused = api.http.get(path)
    assert (refused.status_code, refused.json()["error"]) == (401, "unauthenticated")


@pytest.mark.protocol("9.2")
def test_the_page_of_a_revoked_link_is_gone(api: Api, order: Json):
    links = f"{ORDERS}/{order['id']}/links"
    link = api.http.post(links).json()["data"]
    assert page(api, link["path"]).status_code == 200
    api.http.delete(f"{links}/{link['id']}")
    answer = page(api, link["path"])
    assert (answer.status_code, answer.headers["Content-Type"]) == (410, HTML)
    assert link["token"] not in answer.text
    assert api.http.get(link["path"]).status_code == 401


@pytest.mark.protocol("9.2")
def test_a_page_shows_a_link_no_personal_data(api: Api):
    order = api.create(
        customer_id="c-secret", reference="ref-secret", address="street-secret", note="note-secret",
        items=[{"name": "Soup", "quantity": 1, "note": "item-secret"}],
    )  # fmt: skip
    link = api.http.post(f"{ORDERS}/{order['id']}/links").json()["data"]["path"]
    api.assign(order["id"], "courier-secret")
    assert "secret" not in page(api, link).text


@pytest.mark.protocol("9.3")
def test_the_browser_chooses_the_language(api: Api, paths: tuple[str, str]):
    for path in (*paths, f"/orders/{UNKNOWN}"):
        german = page(api, path, **{"Accept-Language": "nl, de-CH;q=0.9, fr;q=0.8"})
        assert (german.headers["Content-Language"], '<html lang="de"' in german.text) == ("de", True)
        asked = page(api, f"{path}?lang=vi&utm_source=chat", **{"Accept-Language": "de"})
        assert asked.headers["Content-Language"] == "vi"
        for query in ("?lang=xx", "?lang=de&lang=fr", "?lang=%ff", ""):
            assert page(api, path + query, **{"Accept-Language": "nl"}).headers["Content-Language"] == "en"


@pytest.mark.protocol("9.5")
def test_pages_have_a_strict_policy(api: Api, paths: tuple[str, str]):
    for path in (*paths, f"/orders/{UNKNOWN}", NO_LINK, "/service-worker.js"):
        headers = page(api, path).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy == POLICY
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.protocol("9.5")
def test_a_page_has_no_inline_script_or_style(api: Api, paths: tuple[str, str]):
    for path in (*paths, f"/orders/{UNKNOWN}", NO_LINK):
        text = page(api, path).text
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", text) == []
        assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", text) == []
        references = re.findall(r"\s(?:src|href)=[\"']([^\"'?][^\"']*)", text)  # not ?lang=, which is this page again
        assert references
        for reference in references:
            target = urljoin(f"{api.url}{path}", reference)
            assert target.startswith(f"{api.url}/"), reference
            assert page(api, target).status_code == 200, reference


@pytest.mark.protocol("9.6")
@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/sdk/index.js", "text/javascript; charset=utf-8"), ("/sdk/words/de.js", "text/javascript; charset=utf-8"),
        ("/sdk/ordertrack.css", "text/css; charset=utf-8"), ("/pages/page.js", "text/javascript; charset=utf-8"),
        ("/service-worker.js", "text/javascript; charset=utf-8"),
        ("/pages/manifest.webmanifest", "application/manifest+json"),
    ],
)  # fmt: skip
def test_a_file_has_its_type_and_a_tag(api: Api, path: str, media_type: str):
    with api.connect() as connection:
        plain = connection.ask("GET", path)
        assert (plain.status, plain.headers["content-type"]) == (200, media_type)
        tag = plain.headers["etag"]
        assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
        for named in (tag, f'W/{tag}, "x"', "*"):
            unchanged = connection.ask("GET", path, {"If-None-Match": named})
            assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, b"", tag)
        assert connection.ask("GET", path, {"If-None-Match": '"x"'}).status == 200
        head = connection.ask("HEAD", path)
        assert (head.status, head.headers["content-length"]) == (200, str(len(plain.body)))


@pytest.mark.protocol("9.6")
@pytest.mark.parametrize("path", ["/sdk/index.js", "/sdk/ordertrack.css", "/pages/page.js", "/service-worker.js"])
def test_a_file_is_compressed_when_accepted(api: Api, path: str):
    with api.connect() as connection:
        plain = connection.ask("GET", path, {"Accept-Encoding": "gzip;q=0"})
        packed = connection.ask("GET", path, {"Accept-Encoding": "gzip, br"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
        assert packed.headers["etag"] != plain.headers["etag"]
        tag = {"If-None-Match": packed.headers["etag"]}
        assert connection.ask("GET", path, {"Accept-Encoding": "gzip", **tag}).status == 304
        assert connection.ask("GET", path, tag).status == 200


@pytest.mark.protocol("9.6")
def test_files_are_kept_for_a_while(api: Api):
    for path in ("/sdk/index.js", "/pages/page.js"):
        assert api.http.get(path).headers["Cache-Control"] == "public, max-age=300, must-revalidate"


@pytest.mark.protocol("9.6")
def test_the_pages_of_every_origin_may_load_the_sdk(api: Api):
    shop = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    for path in ("/sdk/widget.js", "/sdk/no.js"):
        answer = api.http.get(path, headers=shop)
        assert answer.headers.get_list("Access-Control-Allow-Origin") == ["*"]
    for path in ("/pages/page.js", "/service-worker.js"):
        assert "Access-Control-Allow-Origin" not in api.http.get(path, headers=shop).headers


@pytest.mark.protocol("9.7")
def test_the_service_worker_may_serve_every_page(api: Api):
    headers = api.http.get("/service-worker.js").headers
    assert (headers["Service-Worker-Allowed"], headers["Cache-Control"]) == ("/", "no-cache")


@pytest.mark.protocol("9.6")
@pytest.mark.parametrize(
    "path",
    ["/sdk/no.js", "/sdk/", "/sdk/words", "/sdk/../app.py", "/sdk/..%2f..%2fpackage.json", "/sdk/%2e%2e/package.json",
     "/sdk//index.js", "/sdk/index.js/", "/sdk/%00", "/pages/../pages.py", "/pages/..%2F..%2Fpages.py", "/pages/no",
     "/pages/service-worker.js", "/pages//etc/passwd", "/sdk/INDEX.js", "/pages/" + "x" * 5000],
)  # fmt: skip
def test_no_other_file_is_served(api: Api, path: str):
    with api.connect() as connection:
        answer = connection.ask("GET", path)
    assert (answer.status, answer.json()["error"]) == (404, "not_found")


@pytest.mark.protocol("9.6")
def test_a_file_cannot_be_changed(api: Api):
    for path in ("/sdk/index.js", "/service-worker.js"):
        refused = api.http.put(path, content=b"x")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
