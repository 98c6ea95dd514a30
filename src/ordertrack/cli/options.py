"""Settings on the command line: options, `ORDERTRACK_*` variables and a TOML file, all from `settings.py`.

Click decides which one wins (flag, then environment, then file, then default) and remembers where each value came from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import Field
from pathlib import Path
from typing import Any

import rich_click as click
from click.core import ParameterSource

from ordertrack.settings import ENV_PREFIX, Bounds, InvalidSetting, Settings, declared, flag, variable

F = Callable[..., Any]


def settings_options(command: F) -> F:
    """Adds every setting as an option. The command gets them by keyword; `settings_of` makes Settings of them."""
    for setting in reversed(list(declared())):
        command = _option(setting)(command)
    return click.option(
        "--config",
        "config_file",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=f"{ENV_PREFIX}CONFIG",
        is_eager=True,
        callback=_read_file,
        help="TOML file with settings, such as `port = 5001`.",
    )(command)


def settings_of(values: dict[str, Any]) -> Settings:
    """Raises click.UsageError."""
    try:
        return Settings(**{setting.name: values[setting.name] for setting in declared()})
    except InvalidSetting as error:
        raise click.UsageError(f"{error} (`ordertrack config` shows where each setting comes from)") from None


def origin(context: click.Context, name: str) -> str:
    """Where a setting's value came from, in words."""
    match context.get_parameter_source(name):
        case ParameterSource.COMMANDLINE:
            return f"flag {flag(name)}"
        case ParameterSource.ENVIRONMENT:
            return f"environment {variable(name)}"
        case ParameterSource.DEFAULT_MAP:
            return f"file {context.params['config_file']}"
        case _:
            return "default"


def _option(setting: Field[Any]) -> Callable[[F], F]:
    name, default, bounds = setting.name, setting.default, setting.metadata["bounds"]
    flags = [f"{flag(name)}/--no-{flag(name)[2:]}" if isinstance(default, bool) else flag(name), name]
    return click.option(
        *flags,
        type=_type(default, bounds),
        default=default,
        show_default=True,
        envvar=variable(name),
        show_envvar=True,
        help=setting.metadata["doc"],
    )


def _type(default: Any, bounds: Bounds) -> Any:
    if bounds.choices:
        return click.Choice(bounds.choices)
    if isinstance(default, bool):
        return None
    if isinstance(default, Path):
        return click.Path(path_type=Path)
    if isinstance(default, str):
        return str
    if isinstance(default, float):
        return click.FloatRange(bounds.least, bounds.most)
    least, most = (None if bound is None else int(bound) for bound in bounds[:2])
    return click.IntRange(least, most)


def _read_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path} cannot be read: {error}", ctx=context, param=parameter) from None
    known = [setting.name for setting in declared()]
    if unknown := [name for name in values if name not in known]:
        raise click.BadParameter(
            f"{path} sets {', '.join(unknown)}, which is no setting. Settings: {', '.join(known)}.",
            ctx=context,
            param=parameter,
        )
    context.default_map = {**(context.default_map or {}), **values}
    return path
