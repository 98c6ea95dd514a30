"""Commands to paste as the next step, and the server's errors in terms of the command line."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import click

from ordertrack.client import OrdertrackClientError
from ordertrack.loopback import is_loopback

DEFAULT_URL = "http://127.0.0.1:5001"
URL_VARIABLE = "ORDERTRACK_URL"
TOKEN_VARIABLE, TOKEN_FILE_VARIABLE = "ORDERTRACK_TOKEN", "ORDERTRACK_TOKEN_FILE"


def command() -> str:
    """Return the shell words that start this program, as the user started it."""
    script = Path(sys.argv[0])
    if script.name != "ordertrack":
        return f"{_program(sys.executable)} -m ordertrack"
    return _program(str(script))


def _program(path: str) -> str:
    """Return the shortest name by which the shell finds the program."""
    name = Path(path).name
    if (found := shutil.which(name)) and Path(found).absolute() == Path(path).absolute():
        return name
    return shlex.quote(min(os.path.relpath(path), str(Path(path).absolute()), key=len))


def url_option(url: str, without: str = DEFAULT_URL) -> str:
    """Return the option that selects the server at `url`; empty for `without`, the default."""
    return "" if url == without else f" --url {shlex.quote(url)}"


def url_option_here(url: str) -> str:
    """Return the option for commands that run in the environment of this one."""
    return url_option(url, os.environ.get(URL_VARIABLE) or DEFAULT_URL)


def error_message(error: OrdertrackClientError, url: str) -> str:
    """Return one line that says what was wrong and what to type instead."""
    context = click.get_current_context()
    order_id, message = context.params.get("order_id") or context.params.get("order"), str(error)
    state = str(error.problem.get("current_status")).replace("_", " ")
    match error.code:
        case "unreachable" | "tls_failed":
            return f"{message}. {_reach(url)}"
        case "unknown_host":
            return f"{message}. Set --url to the address of a server, such as {DEFAULT_URL}."
        case "order_not_found" | "link_not_found" as code:
            is_link = code == "link_not_found"
            no_link = f"Order {order_id} has no link {context.params.get('link_id')}"
            no_such = no_link if is_link else f"There is no order {order_id} at {url}"
            listed = f"link list {order_id}" if is_link else "orders"
            return f"{no_such}. List them: {command()} {listed}{url_option_here(url)}"
        case "simulation_running":
            stop = f"{command()} simulate {order_id} --stop{url_option_here(url)}"
            return f"A simulation of order {order_id} is running. Stop it first: {stop}"
        case "order_ended":
            create = f"{command()} create --customer-id 1 --restaurant-id 1{url_option_here(url)}"
            return f"{message} Create a new order: {create}"
        case "reason_required":
            return f'Order {order_id} is {state}: add a reason, such as --reason "flat tyre".'
        case "illegal_transition":
            return message.replace('send "undo": true', "add --undo").replace("leave out `undo`", "leave out --undo")
        case "invalid_body" | "invalid_parameter":
            return _by_option(message, str(error.problem.get("field", "")), context)
        case "unauthenticated":
            missing = error.problem.get("why") == "missing"
            why = f"The server at {url} requires a token." if missing else f"{message} Get a new token."
            return f"{why} Set {TOKEN_VARIABLE} or --token-file."
        case "not_found" | "http_404":
            return f"There is no ordertrack API at {url}. Set --url to the server's address, such as {DEFAULT_URL}."
        case "connection_lost" | "unexpected_answer":
            return f"{message.removesuffix('.')}. Check that an ordertrack server runs at {url}."
        case _:
            return message


def link_error_message(error: OrdertrackClientError, url: str) -> str:
    """Return the line for a command that uses a tracking link."""
    if error.code in ("unauthenticated", "order_not_found"):
        return "The link is not valid: it was revoked, is too old or incomplete. Ask the sender for a new one."
    return error_message(error, url)


def _reach(url: str) -> str:
    """Return the advice when no connection can be made to `url`, which is a valid URL."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return f"An ordertrack server without a proxy has no TLS: try --url {urlunsplit(parts._replace(scheme='http'))}"
    if not is_loopback(parts.hostname or ""):
        return "Check that the server runs there and that the port is right."
    port = "" if parts.port is None or url == DEFAULT_URL else f" --port {parts.port}"
    return f"Start one with `{command()} serve{port}`."


def _by_option(message: str, field: str, context: click.Context) -> str:
    """Return the message with the option in place of the field: `--currency`, not `currency`."""
    name = field.split("[")[0].split(".")[0]
    for parameter in context.command.params:
        if parameter.name == name and isinstance(parameter, click.Option):
            return message.replace(f"`{field}`", parameter.opts[0])
    return message
