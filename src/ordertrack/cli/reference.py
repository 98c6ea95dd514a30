"""Writes docs/reference: settings, errors, metrics and commands, each from its one declaration. `make docs`."""

from __future__ import annotations

import json
from inspect import cleandoc
from pathlib import Path

import rich_click as click

from ordertrack.cli.main import main as ordertrack
from ordertrack.cli.numbers import Number, WholeNumber
from ordertrack.cli.options import flags, value_words
from ordertrack.cli.terminal import say
from ordertrack.core.access import GRANTS
from ordertrack.core.principal import Role
from ordertrack.http.metrics.declarations import METRICS
from ordertrack.http.openapi.document import error_example
from ordertrack.http.wire.problems import KINDS
from ordertrack.settings import declared, variable

_MADE_BY = "<!-- Made by `make docs`. Change the declarations, not this page. -->\n"


def settings_page() -> str:
    lines = [
        "# Settings\n",
        _MADE_BY,
        "A flag wins over a variable, a variable over the file (`--config FILE.toml`, keys as in the first column),",
        "the file over the default. `ordertrack config` shows every value and where it came from.\n",
        "| setting | flag | variable | default | allowed | what it does |",
        "|---|---|---|---|---|---|",
    ]
    for setting in declared():
        default = value_words(setting.default)
        name, doc, bounds = setting.name, setting.metadata["doc"], setting.metadata["bounds"]
        shown = f"`{default}`" if default else "empty"
        lines.append(f"| `{name}` | `{flags(setting)}` | `{variable(name)}` | {shown} | {bounds} | {doc} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    lines = [
        "# Errors\n",
        _MADE_BY,
        "Every error is `application/problem+json` with these keys; `error` is the stable code to program against.\n",
        "| code | status | meaning |",
        "|---|---|---|",
        *(f"| [`{kind.code}`](#{kind.code}) | {kind.status} | {kind.title} |" for kind in KINDS.values()),
    ]
    for error, kind in KINDS.items():
        example = json.dumps(error_example(error), indent=2, ensure_ascii=False)
        lines.append(f"\n## {kind.code}\n\n{kind.status}: {kind.title}.\n\n```json\n{example}\n```")
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    lines = [
        "# Metrics\n",
        _MADE_BY,
        "`GET /metrics` answers them in Prometheus' text format, or as OpenMetrics when `Accept` asks for that. One",
        "process is one target. A histogram has `_bucket`, `_sum` and `_count`. No label is ever an id. What is said",
        "of the gate stays 0 where the server runs without it.\n",
        "| metric | type | label | unit | what it says |",
        "|---|---|---|---|---|",
    ]
    for metric in METRICS:
        label = f"`{metric.label}`" if metric.label else ""
        lines.append(f"| `{metric.name}` | {metric.kind} | {label} | {metric.unit} | {metric.help} |")
    return "\n".join(lines) + "\n"


def access_page() -> str:
    lines = [
        "# Who may do what\n",
        _MADE_BY,
        "A token names a role and whose orders are its own: a customer's, a restaurant's, those a courier is assigned",
        "to, those of the restaurants a service names. Any other order is answered like one that does not exist.",
        "What the table does not grant is `403 forbidden`; what it grants must still be a legal step of the order.",
        "An undo has the time limit of `undo_window_s`, where nothing else is said. `anyone` is every client of a",
        "server without a key for tokens.\n",
        f"| action | {' | '.join(Role)} |",
        f"|---|{'---|' * len(Role)}",
    ]
    for action, to in dict.fromkeys(right for _, right in GRANTS):
        name = action.replace("_", " ") if to is None else f"{action} to `{to}`"
        lines.append(f"| {name} | {' | '.join(GRANTS[role, (action, to)] for role in Role)} |")
    return "\n".join(lines) + "\n"


_JSON = """\
With `--json` every command prints one shape, one line of ASCII on standard output: `{"success": true, "data": ...}`.
For a command that talks to a server it is the API's own answer (an update has further keys beside `data`). A refusal is
`{"success": false, "error": "...", "message": "...", ...}` and status 1; of `serve` too, when it cannot start. `watch
--json` prints a line for each update.

Statuses: 0 done; 1 refused, not reachable, or the output could not be written; 2 wrong arguments or settings (said as
text on standard error, also with `--json`); 128 and its number after a signal: 130 interrupted, 143 terminated.
"""


def commands_page() -> str:
    lines = ["# Commands\n", _MADE_BY, _JSON]
    for name, command in sorted(ordertrack.commands.items()):
        lines.append(f"\n## ordertrack {name}\n\n{cleandoc(command.help or '')}\n")
        arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
        lines.append(f"```\nordertrack {' '.join((name, *arguments))} [OPTIONS]\n```\n")
        options = [p for p in command.params if isinstance(p, click.Option)]
        settings = {setting.name for setting in declared()}
        if any(option.name in settings for option in options):
            which = "the token settings" if name == "token" else "every setting"
            options = [option for option in options if option.name not in settings]
            lines.append(f"Takes [{which}](settings.md), and:\n")
        lines.append("| option | allowed | default | what it does |\n|---|---|---|---|")
        lines.extend(map(_option_row, options))
    return "\n".join(lines) + "\n"


def _option_row(option: click.Option) -> str:
    names = " / ".join(option.opts + option.secondary_opts)
    allowed, default = "", ""
    if isinstance(option.type, click.Choice):
        allowed = ", ".join(option.type.choices)
    elif isinstance(option.type, Number | WholeNumber):
        allowed = option.type.allowed
    elif not option.is_flag:
        allowed = option.metavar or "text"
    if option.required:
        default = "required"
    elif option.show_default:
        default = f"`{option.default}`"
    if option.envvar:
        default = ", ".join(filter(None, (f"`{option.envvar}`", default)))
    return f"| `{names}` | {allowed} | {default} | {option.help or ''} |"


PAGES = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "access.md": access_page,
    "metrics.md": metrics_page,
    "commands.md": commands_page,
}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write the reference pages into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
        say(f"written: {folder / name}")


if __name__ == "__main__":
    main()
