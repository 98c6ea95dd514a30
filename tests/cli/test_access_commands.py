"""Secrets and tokens on the command line: created, sent, and not printed elsewhere."""

from __future__ import annotations

import asyncio
import json
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ordertrack.adapters.system.clock import SystemClock
from ordertrack.app.build import build
from ordertrack.app.token_keys import access_control
from ordertrack.cli.banner import banner
from ordertrack.cli.main import main
from ordertrack.cli.tokens import SECRET_FILE
from ordertrack.core.errors import Unauthenticated
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder, create
from ordertrack.core.principal import ALL, Principal, Role
from ordertrack.settings import InvalidSetting, Settings

SECRET = "do-not-print-me-do-not-print-me-do-not"
TOKEN = "aaaa.bbbb-secret.cccc"


def shell(*words: str, fails: int = 0, **env: str | None) -> Result:
    result = CliRunner(env={"ORDERTRACK_CONFIG": None, "COLUMNS": "500", **env}).invoke(main, words)
    assert result.exit_code == fails, result.output
    return result


def principal_of(token: str, **settings: Any) -> Principal:
    tokens = access_control(Settings(**{"token_secret": SECRET, **settings}), SystemClock())
    assert tokens is not None
    return asyncio.run(tokens.verify(token))


def made(*words: str, **env: str) -> Principal:
    return principal_of(shell("token", *words, ORDERTRACK_TOKEN_SECRET=SECRET, **env).stdout.strip())


def test_secret_is_on_stdout_and_hints_are_on_stderr() -> None:
    result = shell("secret")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}\n", result.stdout)
    assert result.stdout.strip() not in result.stderr
    assert "--token-secret-file ordertrack.secret" in result.stderr
    assert shell("secret").stdout != result.stdout


def test_secret_as_json_has_the_secret_alone() -> None:
    result = shell("secret", "--json")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", json.loads(result.stdout)["data"]["secret"])
    assert result.stderr == ""


def test_secret_file_of_the_readme_is_ignored_by_git() -> None:
    root = Path(__file__).parents[2]
    assert SECRET_FILE in (root / "README.md").read_text(encoding="utf-8")
    assert any(fnmatch(SECRET_FILE, line) for line in (root / ".gitignore").read_text().splitlines())


@pytest.mark.parametrize("text", ["0s", "12", "11y", "4000d"])
def test_invalid_duration_is_refused_with_the_allowed_ones(text: str) -> None:
    said = shell("token", "--role=admin", "--expires", text, fails=2, ORDERTRACK_TOKEN_SECRET=SECRET).stderr
    allowed = 'must be a duration such as "30m", "12h" or "7d", longer than 0 and at most ten years'
    assert f"{allowed}; it is '{text}'." in said


def test_invalid_token_is_refused_with_the_allowed_form(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a b")
    for words, place in ((["--token", "a\nb"], "--token"), (["--token-file", str(file)], "--token-file")):
        said = shell("orders", *words, fails=2).stderr
        assert f"{place}: must be one word of ASCII letters, digits and punctuation" in said


def test_a_file_that_a_secret_is_written_to_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "ordertrack.secret"
    with file.open("wb") as out:
        file.chmod(0o644)
        subprocess.run([sys.executable, "-m", "ordertrack", "secret"], stdout=out, stderr=subprocess.PIPE, check=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = shell("token", "--role=admin", "--token-secret-file", str(file)).stdout.strip()
    assert principal_of(token, token_secret=None, token_secret_file=str(file)).role is Role.ADMIN


def test_token_has_the_requested_role_and_id() -> None:
    courier = made("--role", "courier", "--courier-id", "7")
    assert (courier.role, courier.courier_id, courier.actor) == (Role.COURIER, "7", "courier:7")
    assert made("--role", "customer", "--customer-id", "c", "--name", "Ann").actor == "customer:Ann"
    assert made("--role", "restaurant", "--restaurant-id", "0").restaurant_id == "0"
    assert made("--role", "service", "--restaurants", "1, 2").restaurants == frozenset({"1", "2"})
    assert made("--role", "service", "--restaurants", "*").restaurants == ALL
    assert made("--role", "admin").actor == "admin:admin"


def test_a_token_has_the_claims_that_the_server_asks_for() -> None:
    rules = {"token_audience": "ordertrack", "token_issuer": "shop", "token_role_claim": "r", "token_name_claim": "n"}
    env = {f"ORDERTRACK_{name.upper()}": value for name, value in rules.items()}
    token = shell("token", "--role=admin", ORDERTRACK_TOKEN_SECRET=SECRET, **env).stdout.strip()
    assert principal_of(token, **rules).role is Role.ADMIN
    with pytest.raises(Unauthenticated):
        principal_of(token)


@pytest.mark.parametrize(("expires", "seconds"), [("90s", 90), ("5m", 300), ("12h", 43_200), ("7d", 604_800)])
def test_token_expires_as_requested(expires: str, seconds: int) -> None:
    before_s = SystemClock().now_ms() // 1000
    expires_at_s = made("--role=admin", "--expires", expires).expires_at_s
    assert expires_at_s is not None
    assert 0 <= expires_at_s - before_s - seconds - Settings().token_leeway_s <= 60


def test_token_as_json() -> None:
    result = shell("token", "--role=courier", "--courier-id=7", "--json", ORDERTRACK_TOKEN_SECRET=SECRET)
    told = json.loads(result.stdout)["data"]
    assert (told["role"], told["actor"], result.stderr) == ("courier", "courier:7", "")
    assert principal_of(told["token"]).courier_id == "7"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "--role"),
        (["--role=link"], "link"),
        (["--role=anyone"], "anyone"),
        (["--role=courier"], "needs --courier-id"),
        (["--role=service"], "needs --restaurants"),
        (["--role=service", "--restaurants", " , "], "commas"),
        (["--role=service", "--restaurants", "1,*"], "1 to 64 characters"),
        (["--role=admin", "--courier-id=7"], "is only for --role courier"),
        (["--role=courier", "--courier-id=7", "--customer-id=7"], "is only for --role customer"),
        (["--role=courier", "--courier-id", "x" * 65], "1 to 64 characters"),
        (["--role=admin", "--name", "a\nb"], "1 to 64 characters"),
        (["--role=admin", "--expires=0h"], "must be a duration such as"),
        (["--role=admin", "--expires=12"], "must be a duration such as"),
        (["--role=admin", "--expires=11d12h"], "must be a duration such as"),
        (["--role=admin", "--expires=9999999999d"], "ten years"),
    ],
)
def test_impossible_token_is_refused_with_the_reason(words: list[str], why: str) -> None:
    result = shell("token", *words, fails=2, ORDERTRACK_TOKEN_SECRET=SECRET)
    assert why in result.stderr
    assert SECRET not in result.output


def test_missing_secret_is_reported_with_a_hint() -> None:
    assert "ordertrack secret > ordertrack.secret" in shell("token", "--role=admin", fails=2).stderr


def test_a_public_key_makes_no_tokens(tmp_path: Path) -> None:
    for words in (["--token-public-key-file", str(tmp_path / "x")], ["--token-jwks-url=https://id.example/keys"]):
        assert "private key" in shell("token", "--role=admin", *words, fails=2).stderr


def test_config_hides_the_value_of_a_secret() -> None:
    for words in (["config"], ["config", "--json"]):
        out = shell(*words, ORDERTRACK_TOKEN_SECRET=SECRET).output
        assert "(set)" in out
        assert SECRET not in out
    assert "(set)" not in shell("config").output


def test_no_help_and_no_error_and_no_repr_shows_a_secret() -> None:
    assert SECRET not in repr(Settings(token_secret=SECRET))
    for words in (["serve", "--help"], ["token", "--help"], ["config", "--port=x"], ["token", "--expires=x"]):
        code = 0 if "--help" in words else 2
        assert SECRET not in shell(*words, fails=code, ORDERTRACK_TOKEN_SECRET=SECRET).output
    with pytest.raises(InvalidSetting) as told:
        Settings(token_secret="do-not-print")
    assert "do-not-print" not in str(told.value)
    assert "it has 12" in str(told.value)


def test_public_address_requires_access_control() -> None:
    assert Settings(host="0.0.0.0", token_secret=SECRET).has_access_control
    assert not Settings().has_access_control
    with pytest.raises(InvalidSetting) as told:
        Settings(host="192.0.2.7")
    line = "ordertrack secret > ordertrack.secret && ordertrack serve --host 192.0.2.7 --token-secret-file ordertrack."
    assert line in str(told.value)


def test_tokens_are_checked_with_one_key() -> None:
    with pytest.raises(InvalidSetting, match="--token-jwks-url and --token-secret are both set"):
        Settings(token_secret=SECRET, token_jwks_url="https://id.example/keys")


@pytest.mark.parametrize(
    "url",
    ["http://id.example/keys", "ftp://id.example", "id.example", "https://", "https://u:p@id.example/", "file:///etc/x",
     "https://id.example:x/", "https://[::1", "http://localhost.example/", "https://id.example/a b"],
)  # fmt: skip
def test_keys_are_not_fetched_over_plain_http(url: str) -> None:
    with pytest.raises(InvalidSetting, match="https://"):
        Settings(token_jwks_url=url)


@pytest.mark.parametrize(
    "url", ["https://id.example/keys?x=1", "http://127.0.0.1:8080/keys", "http://[::1]/", "http://localhost/"]
)
def test_keys_are_fetched_over_https_or_from_this_machine(url: str) -> None:
    assert Settings(token_jwks_url=url).has_access_control


def test_a_claim_needs_a_name() -> None:
    with pytest.raises(InvalidSetting, match="--token-role-claim must name a claim"):
        Settings(token_role_claim="")


@pytest.mark.parametrize("setting", ["token_secret_file", "token_public_key_file"])
@pytest.mark.parametrize("content", [None, b"", b"short\n", b"\xff" * 50])
def test_unusable_key_file_is_named_before_the_start(tmp_path: Path, setting: str, content: bytes | None) -> None:
    file, data = tmp_path / "key", tmp_path / "data"
    if content is not None:
        file.write_bytes(content)
    flag = "--" + setting.replace("_", "-")
    result = shell("serve", "--port=0", "--data-dir", str(data), flag, str(file), fails=2)
    assert flag in result.stderr
    assert str(file) in result.stderr
    assert not data.exists()


def test_public_key_file_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    public = Ed25519PrivateKey.generate().public_key()
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    service = build(Settings(token_public_key_file=str(file), database_url="memory:", data_dir=tmp_path))
    assert service.tokens is not None
    assert build(Settings(database_url="memory:", data_dir=tmp_path)).tokens is None


def test_the_last_line_break_of_a_secret_file_is_no_part_of_it(tmp_path: Path) -> None:
    for ending in ("", "\n", "\r\n"):
        file = tmp_path / "secret"
        file.write_bytes((SECRET + ending).encode())
        token = shell("token", "--role=admin", ORDERTRACK_TOKEN_SECRET_FILE=str(file)).stdout.strip()
        assert principal_of(token).role is Role.ADMIN


def test_banner_reports_access_control() -> None:
    order = create(101, NewOrder("c1", "r1"), 0)
    assert order.status is Status.CONFIRMED
    said = {
        access: banner("http://127.0.0.1:5001", "in /data", [order], samples_loaded=False, command="ordertrack",
                       has_access_control=access)
        for access in (False, True)
    }  # fmt: skip
    assert "Access control is off" in said[False]
    assert "ORDERTRACK_TOKEN" not in said[False]
    assert "no access control" not in said[True]
    for line in said[True].splitlines():
        assert ("curl" in line) is ('-H "Authorization: Bearer $ORDERTRACK_TOKEN"' in line)


class Asked:
    """A server that records requests and answers 401 to all."""

    def __init__(self) -> None:
        self.authorization: list[str | None] = []
        self.why = "missing"
        asked = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.authorization.append(self.headers["authorization"])
                body = {"success": False, "error": "unauthenticated", "message": "No.", "why": asked.why, "status": 401}
                content = json.dumps(body).encode()
                self.send_response(401)
                self.send_header("content-type", "application/problem+json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def asked() -> Iterator[Asked]:
    server = Asked()
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.server.shutdown()
    server.server.server_close()
    thread.join(10)


def test_a_token_is_sent_from_the_variable_the_file_or_the_flag(asked: Asked, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    shell("orders", "--url", asked.url, fails=1)
    shell("orders", "--url", asked.url, fails=1, ORDERTRACK_TOKEN=TOKEN)
    shell("stats", "--url", asked.url, fails=1, ORDERTRACK_TOKEN_FILE=str(file))
    shell("watch", "101", "--url", asked.url, "--token-file", str(file), fails=1)
    shell("orders", "--url", asked.url, "--token", TOKEN, fails=1)
    assert asked.authorization == [None, *[f"Bearer {TOKEN}"] * 4]


def test_refused_user_gets_a_hint(asked: Asked) -> None:
    assert "requires a token. Set ORDERTRACK_TOKEN" in shell("orders", "--url", asked.url, fails=1).stderr
    asked.why = "expired"
    said = shell("orders", "--url", asked.url, fails=1, ORDERTRACK_TOKEN=TOKEN)
    assert "Get a new token" in said.stderr
    assert TOKEN not in said.output


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"ORDERTRACK_TOKEN": "é.b-secret"}, "--token"),
        ({"ORDERTRACK_TOKEN": "a b-secret"}, "--token"),
        ({"ORDERTRACK_TOKEN": "a\nb-secret"}, "--token"),
        ({"ORDERTRACK_TOKEN_FILE": "/nowhere/token"}, "/nowhere/token"),
        ({"ORDERTRACK_TOKEN": TOKEN, "ORDERTRACK_TOKEN_FILE": "/nowhere/token"}, "not both"),
    ],
)
def test_invalid_token_is_not_sent_and_not_shown(env: dict[str, str], why: str) -> None:
    result = shell("orders", "--url", "http://127.0.0.1:9", fails=2, **env)
    assert why in result.stderr
    assert "secret" not in result.output


def test_token_variable_is_not_a_misspelt_setting() -> None:
    result = shell("config", ORDERTRACK_TOKEN=TOKEN, ORDERTRACK_TOKEN_FILE="x", ORDERTRACK_TOKN_SECRET="x")
    assert [line for line in result.stderr.splitlines() if line.startswith("Warning")] == [
        "Warning: ORDERTRACK_TOKN_SECRET is not a setting: did you mean ORDERTRACK_TOKEN_SECRET?"
    ]
