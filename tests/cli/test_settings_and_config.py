"""Settings: their declarations, their precedence (flag, environment, file, default), bounds and errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ordertrack.cli.main import main
from ordertrack.settings import EDGE_MARGIN_S, KEY_SETTINGS, InvalidSetting, Settings, declared, flag, variable


def run_config(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, ["config", *arguments], env={"ORDERTRACK_CONFIG": None, **(environment or {})})


def shown(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, tuple[object, str]]:
    result = run_config("--json", *arguments, environment=environment)
    assert result.exit_code == 0, result.output
    return {row["name"]: (row["value"], row["origin"]) for row in json.loads(result.output)["data"]["settings"]}


def test_config_shows_every_setting_with_its_origin() -> None:
    settings = shown()
    assert list(settings) == [setting.name for setting in declared()]
    assert settings["port"] == (5001, "default")


def test_precedence_is_flag_environment_file_default(tmp_path: Path) -> None:
    file = tmp_path / "ordertrack.toml"
    file.write_text("port = 6001\nundo_window_s = 60\nmax_held_polls = 7\n")
    environment = {"ORDERTRACK_PORT": "6002", "ORDERTRACK_MAX_HELD_POLLS": "8"}
    settings = shown("--config", str(file), "--port", "6003", environment=environment)
    assert settings["port"] == (6003, "flag --port")
    assert settings["max_held_polls"] == (8, "environment ORDERTRACK_MAX_HELD_POLLS")
    assert settings["undo_window_s"] == (60.0, f"file {file}")
    assert settings["max_timeout_s"] == (240.0, "default")


@pytest.mark.parametrize(
    ("name", "advice"), [("prot", 'Unknown setting "prot": did you mean "port"?'), ("colour", "undo_window_s")]
)
def test_unknown_setting_in_file_is_refused_with_advice(tmp_path: Path, name: str, advice: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(f"{name} = 6001\n")
    result = run_config("--config", str(file))
    assert result.exit_code == 2
    assert advice in " ".join(result.output.replace("│", "").split())


@pytest.mark.parametrize("content", ["port = ", "port = 'many'", "\x00"])
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ordertrack.toml"
    file.write_text(content)
    assert run_config("--config", str(file)).exit_code == 2


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    result = run_config("--config", str(tmp_path / "nowhere.toml"), environment={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert "nowhere.toml" in result.output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "http"),
        ("max_timeout_s", "0"),
        ("max_timeout_s", "nan"),
        ("max_connections_per_order", "0"),
        ("max_held_polls", "0"),
        ("undo_window_s", "-1"),
        ("edge_timeout_s", "2.9"),
        ("database_url", "mysql://x"),
        ("redis_url", "http://x"),
        ("workers", "2"),
        ("log_level", "loud"),
        ("host", "0.0.0.0"),
        ("host", "::"),
        ("host", "192.168.1.5"),
        ("host", "example.com"),
        ("page_language", "nl"),
        ("time_zone", "Berlin"),
        ("time_zone", "../etc/passwd"),
        ("time_zone", "Europe"),
    ],
)
def test_value_out_of_bounds_is_refused_with_its_setting(name: str, value: str) -> None:
    result = run_config(flag(name), value)
    assert result.exit_code == 2
    assert flag(name) in result.output
    assert run_config(environment={variable(name): value}).exit_code == 2


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("time_zone", "europe/berlin", "Did you mean Europe/Berlin?"),
        ("cors_origins", "http://a.example/", "remove the slash at its end"),
    ],
)
def test_value_that_is_nearly_right_gets_advice(name: str, value: str, advice: str) -> None:
    assert advice in run_config(flag(name), value, environment={"COLUMNS": "400"}).output


def test_choice_is_read_without_regard_to_case() -> None:
    assert shown("--page-language", "DE")["page_language"][0] == "de"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_a_loopback_address_is_accepted(host: str) -> None:
    assert Settings(host=host).host == host


def test_edge_timeout_limits_the_hold() -> None:
    assert Settings(edge_timeout_s=60).longest_hold_s == 60 - EDGE_MARGIN_S
    assert Settings(edge_timeout_s=600).longest_hold_s == 240
    assert Settings().longest_hold_s == 240


def test_settings_made_in_code_are_checked_too() -> None:
    with pytest.raises(InvalidSetting, match="--max-held-polls must be from 1 to 1,000,000; it is 0"):
        Settings(max_held_polls=0)


def test_every_setting_has_a_text_and_a_unit_where_it_is_a_time() -> None:
    for setting in declared():
        assert setting.metadata["doc"].endswith(".")
        if "timeout" in setting.name or "window" in setting.name or "grace" in setting.name:
            assert setting.name.endswith("_s")


def test_the_table_shows_values_as_they_are_written_in_the_file() -> None:
    values = dict(line.split()[:2] for line in run_config().stdout.splitlines()[1:] if len(line.split()) > 2)
    assert (values["sample_orders"], values["max_timeout_s"], values["port"]) == ("true", "240", "5001")


@pytest.mark.parametrize("command", ["config", "serve"])
def test_misspelt_variable_is_warned_about(command: str) -> None:
    environment = {"ORDERTRACK_PROT": "1", "ORDERTRACK_TIMEOUT": "5", "ORDERTRACK_SERVICE_HOST": "10.0.0.1",
                   "ORDERTRACK_PORT_5001_TCP": "tcp://10.0.0.1:5001", "ORDERTRACK_URL": "http://x"}  # fmt: skip
    cannot_start = ["--data-dir", "/proc/self/task", "--port", "0"]
    result = CliRunner().invoke(main, [command, *cannot_start], env={"ORDERTRACK_CONFIG": None, **environment})
    warnings = [line for line in result.stderr.splitlines() if line.startswith("Warning")]
    assert warnings == [
        "Warning: ORDERTRACK_PROT is not a setting: did you mean ORDERTRACK_PORT?",
        "Warning: ORDERTRACK_TIMEOUT is not a setting: did you mean ORDERTRACK_MAX_TIMEOUT_S?",
    ]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("port = true", "`port` must be a whole number; it is true."),
        ('port = "5001"', '`port` must be a whole number; it is the text "5001".'),
        ("port = 5001.0", "`port` must be a whole number; it is 5001."),
        ("port = [5001]", "`port` must be a whole number; it is a list."),
        ("[port]\nx = 1", "`port` must be a whole number; it is a table."),
        ("max_timeout_s = false", "`max_timeout_s` must be a number; it is false."),
        ("undo_window_s = 2026-11-22", "`undo_window_s` must be a number; it is a date or a time."),
        ("sample_orders = 1", "`sample_orders` must be true or false; it is 1."),
        ('sample_orders = "no"', '`sample_orders` must be true or false; it is the text "no".'),
        ("log_level = 3", '`log_level` must be text in quotes, such as "x"; it is 3.'),
        ("data_dir = 10:00:00", '`data_dir` must be text in quotes, such as "x"; it is a date or a time.'),
        ("host = {a = 1}", '`host` must be text in quotes, such as "x"; it is a table.'),
        ("token_secret = 123456", '`token_secret` must be text in quotes, such as "x"; it is a whole number.'),
    ],
)
def test_file_value_of_the_wrong_type_is_named(tmp_path: Path, line: str, wanted: str) -> None:
    file = tmp_path / "ordertrack.toml"
    file.write_text(line)
    result = run_config("--config", str(file), environment={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert f"{file}: {wanted}" in result.stderr


def test_file_value_may_be_an_integer_for_a_number(tmp_path: Path) -> None:
    file = tmp_path / "ordertrack.toml"
    file.write_text('max_timeout_s = 60\nsample_orders = false\nport = 7\ndata_dir = "x"\nhost = "::1"\n')
    settings = shown("--config", str(file))
    assert [settings[name][0] for name in ("max_timeout_s", "sample_orders", "port", "data_dir", "host")] == [
        60.0, False, 7, "x", "::1"
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(KEY_SETTINGS))
@pytest.mark.parametrize("value", ["", " ", "\t\n"])
def test_an_empty_key_setting_is_refused(tmp_path: Path, name: str, value: str) -> None:
    file = tmp_path / "ordertrack.toml"
    file.write_text(f"{name} = {json.dumps(value)}\n")
    given: tuple[tuple[list[str], dict[str, str], str], ...] = (
        ([flag(name), value], {}, flag(name)),
        ([], {variable(name): value}, variable(name)),
        (["--config", str(file)], {}, f"{name} in {file}"),
    )
    for arguments, environment, place in given:
        result = run_config(*arguments, environment={**environment, "COLUMNS": "400"})
        assert result.exit_code == 2, arguments
        assert f"{place} is empty" in result.stderr
        assert KEY_SETTINGS[name].split(":")[0] in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("port = 99999", "Invalid value for port in {file}: must be a whole number from 0 to 65,535; it is 99999."),
        ("max_timeout_s = 0.5", "Invalid value for max_timeout_s in {file}: must be a number from 1 to 3,600"),
        ('log_level = "loud"', "Invalid value for log_level in {file}: 'loud' is not one of"),
        ("edge_timeout_s = 2", "edge_timeout_s in {file} must be 0, or from 3 to 3,600; it is 2.0."),
        ('host = "0.0.0.0"', "host in {file} 0.0.0.0 can be reached from other machines"),
        ('token_secret = "short"', "token_secret in {file} must have 32 bytes or more; it has 5."),
    ],
)
def test_bad_value_names_the_file_and_the_setting(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "ordertrack.toml"
    file.write_text(content)
    result = run_config("--config", str(file), environment={"COLUMNS": "600"})
    assert result.exit_code == 2
    assert said.format(file=file) in result.stderr
    assert "ORDERTRACK_" not in result.stderr


def test_bad_value_names_the_variable_or_the_flag() -> None:
    told = "must be a whole number from 0 to 65,535"
    assert f"Invalid value for ORDERTRACK_PORT: {told}" in run_config(environment={"ORDERTRACK_PORT": "99999"}).stderr
    result = run_config("--port", "99999", environment={"ORDERTRACK_PORT": "1"})
    assert f"Invalid value for --port: {told}" in result.stderr


def test_missing_key_setting_is_none() -> None:
    assert all(shown()[name] == (None, "default") for name in KEY_SETTINGS)
    assert not Settings().has_access_control


@pytest.mark.parametrize("content", ["", "\n", " " * 40, "\t\r\n" * 20])
def test_a_blank_secret_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ordertrack.secret"
    file.write_text(content)
    words = ["serve", "--port=0", "--data-dir", str(tmp_path / "data"), "--token-secret-file", str(file)]
    result = CliRunner().invoke(main, words, env={"ORDERTRACK_CONFIG": None, "COLUMNS": "400"})
    assert result.exit_code == 2
    assert f"{file} is empty. Create a secret: ordertrack secret > {file}" in result.stderr
    assert not (tmp_path / "data").exists()
