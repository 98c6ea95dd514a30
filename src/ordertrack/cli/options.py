"""Settings on the command line: options, `ORDERTRACK_*` variables and a TOML file, all from `settings.py`.

Click applies the precedence (flag, environment, file, default) and remembers the source of each value.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import Field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import rich_click as click
from click.core import ParameterSource

from ordertrack.bounds import Bounds
from ordertrack.cli.hints import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE
from ordertrack.cli.numbers import Number, WholeNumber
from ordertrack.cli.terminal import say
from ordertrack.settings import ENV_PREFIX, KEY_SETTINGS, InvalidSetting, Settings, declared, flag, variable

MISSPELT_CUTOFF = 0.7
"""`TIMEOUT` counts as a misspelt `MAX_TIMEOUT_S`; variables Kubernetes sets for a service named ordertrack do not."""

F = Callable[..., Any]


def settings_options(command: F, *, prefix: str = "") -> F:
    """Add every setting that begins with `prefix` as an option. The command passes its keywords to `settings_of`."""
    for setting in reversed(list(declared())):
        if setting.name.startswith(prefix):
            command = _option(setting)(command)
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=f"{ENV_PREFIX}CONFIG",
        is_eager=True,
        callback=_read_file,
        help="TOML file with settings, such as `port = 5001`.",
    )(command)


def settings_of(values: dict[str, Any]) -> Settings:
    """Return the settings; those missing in `values` have their defaults.

    Raises: click.UsageError.
    """
    with usage_errors():
        return Settings(**{setting.name: values[setting.name] for setting in declared() if setting.name in values})


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn an InvalidSetting of the body into a click.UsageError that names the source of the value."""
    try:
        yield
    except InvalidSetting as error:
        context = click.get_current_context(silent=True)
        where = (context and _given_at(context, error.name)) or flag(error.name)
        raise click.UsageError(f"{where} {error.message}") from None


def _given_at(context: click.Context, name: str) -> str | None:
    """Return a setting's flag, its variable, or its key and the file; None for a default."""
    kind, _, place = origin(context, name).partition(" ")
    return f"{name} in {place}" if kind == "file" else place or None


def origin(context: click.Context, name: str) -> str:
    """Return the kind of source of a setting's value, a space and the place, or `default`."""
    match context.get_parameter_source(name):
        case ParameterSource.COMMANDLINE:
            return f"flag {flag(name)}"
        case ParameterSource.ENVIRONMENT:
            return f"environment {variable(name)}"
        case ParameterSource.DEFAULT_MAP:
            return f"file {context.params['config_file']}"
        case _:
            return "default"


def flags(setting: Field[Any]) -> str:
    """Return the flags of a setting: `--port`, or `--sample-orders / --no-sample-orders`."""
    both = isinstance(setting.default, bool)
    return f"{flag(setting.name)} / --no-{flag(setting.name)[2:]}" if both else flag(setting.name)


def value_words(value: object) -> str:
    """Return a value as it is written in a variable or the file: `true`, `120`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def warn_of_misspelt() -> None:
    """Warn on standard error of variables that resemble settings. Other ORDERTRACK_ variables may have other uses."""
    known = [variable(setting.name) for setting in declared()]
    known += [f"{ENV_PREFIX}CONFIG", URL_VARIABLE, TOKEN_VARIABLE, TOKEN_FILE_VARIABLE]
    names = {name.removeprefix(ENV_PREFIX): name for name in known}
    for name in sorted(os.environ):
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        for close in get_close_matches(name.removeprefix(ENV_PREFIX), names, n=1, cutoff=MISSPELT_CUTOFF):
            say(f"Warning: {name} is not a setting: did you mean {names[close]}?", err=True)


def _option(setting: Field[Any]) -> Callable[[F], F]:
    name, default, bounds = setting.name, setting.default, setting.metadata["bounds"]
    return click.option(
        flags(setting),
        name,
        cls=_KeyOption if name in KEY_SETTINGS else SettingOption,
        type=_type(default, bounds),
        default=default,
        show_default=not setting.metadata["secret"],
        envvar=variable(name),
        show_envvar=True,
        help=setting.metadata["doc"],
    )


class SettingOption(click.RichOption):
    """An option for a setting, whose errors name the source of the value."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        given_at = None if ctx is None or self.name is None else _given_at(ctx, self.name)
        return given_at or super().get_error_hint(ctx)


class _KeyOption(SettingOption):
    """An option that reports an empty variable; click would treat it as not set."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return os.environ.get(str(self.envvar))


def _type(default: Any, bounds: Bounds) -> Any:
    if bounds.choices:
        return click.Choice(bounds.choices, case_sensitive=False)
    if isinstance(default, bool):
        return None
    if isinstance(default, Path):
        return click.Path(path_type=Path)
    if default is None or isinstance(default, str):
        return str
    if isinstance(default, float):
        return Number(0 if bounds.or_zero else bounds.least, bounds.most)
    least, most = (None if bound is None else int(bound) for bound in bounds[:2])
    return WholeNumber(least, most)


def _read_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path} cannot be read: {error}", ctx=context, param=parameter) from None
    for mistake in _mistakes(values):
        raise click.BadParameter(f"{path}: {mistake}", ctx=context, param=parameter)
    context.default_map = {**(context.default_map or {}), **values}
    return path


def _mistakes(values: dict[str, Any]) -> Iterator[str]:
    """Yield errors in the names and types of a file's settings; click checks the values."""
    settings = {setting.name: setting for setting in declared()}
    for name, value in values.items():
        setting = settings.get(name)
        if setting is None:
            close = get_close_matches(name, settings, n=1, cutoff=MISSPELT_CUTOFF)
            advice = f': did you mean "{close[0]}"?' if close else f". Allowed settings: {', '.join(settings)}."
            yield f'Unknown setting "{name}"{advice}'
        elif (expected := _expected_type(setting.default, value)) is not None:
            yield f"`{name}` must be {expected}; it is {_describe(value, secret=not setting.repr)}."


def _expected_type(default: object, value: object) -> str | None:
    """Return the required type in words, or None when `value` has it. A bool of Python is an int too."""
    match default:
        case bool():
            return None if isinstance(value, bool) else "true or false"
        case int():
            return None if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
        case float():
            return None if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
        case _:
            return None if isinstance(value, str) else 'text in quotes, such as "x"'


def _describe(value: object, *, secret: bool) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list",
             dict: "a table"}  # fmt: skip
    if secret or type(value) not in (bool, int, float, str):
        return kinds.get(type(value), "a date or a time")
    return f'the text "{value}"' if isinstance(value, str) else value_words(value)
