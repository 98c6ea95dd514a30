"""What to do next, as commands to paste; and what the server's refusals mean on the command line."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import click

from ordertrack.client import OrdertrackClientError
from ordertrack.settings import is_loopback

DEFAULT_URL = "http://127.0.0.1:5001"
URL_VARIABLE = "ORDERTRACK_URL"
TOKEN_VARIABLE, TOKEN_FILE_VARIABLE = "ORDERTRACK_TOKEN", "ORDERTRACK_TOKEN_FILE"


def command() -> str:
    """How to call this program from here, in the words in which it was called."""
    script = Path(sys.argv[0])
    if script.name != "ordertrack":
        return f"{_program(sys.executable)} -m ordertrack"
    return _program(str(script))


def _program(path: str) -> str:
    """The shortest name the shell finds it by."""
    name = Path(path).name
    if (found := shutil.which(name)) and Path(found).absolute() == Path(path).absolute():
        return name
    return shlex.quote(min(os.path.relpath(path), str(Path(path).absolute()), key=len))


def at(url: str, without: str = DEFAULT_URL) -> str:
    """What to add to a command so that it reaches the server at `url`; `without` is what it reaches anyway."""
    return "" if url == without else f" --url {shlex.quote(url)}"


def here(url: str) -> str:
    """The same for commands that run where this one does."""
    return at(url, os.environ.get(URL_VARIABLE) or DEFAULT_URL)


def error_words(error: OrdertrackClientError, url: str) -> str:
    """One line for the person who typed the command: what was wrong and what to type instead."""
    context = click.get_current_context()
    order_id, message = context.params.get("order_id"), str(error)
    state = str(error.problem.get("current_status")).replace("_", " ")
    match error.code:
        case "unreachable" | "tls_failed":
            return f"{message}. {_reach(url)}"
        case "unknown_host":
            return f"{message}. Give --url the address of a server, such as {DEFAULT_URL}."
        case "order_not_found":
            return f"There is no order {order_id} at {url}. List them: {command()} orders{here(url)}"
        case "simulation_running":
            stop = f"{command()} simulate {order_id} --stop{here(url)}"
            return f"A simulation of order {order_id} is running. Stop it first: {stop}"
        case "order_ended":
            return f"{message} Make a new order: {command()} create --customer-id 1 --restaurant-id 1{here(url)}"
        case "reason_required":
            return f'Order {order_id} is {state}: say why with --reason, such as --reason "flat tyre".'
        case "illegal_transition":
            return message.replace('send "undo": true', "add --undo").replace("leave out `undo`", "leave out --undo")
        case "invalid_body" | "invalid_parameter":
            return _by_option(message, str(error.problem.get("field", "")), context)
        case "unauthenticated":
            missing = error.problem.get("why") == "missing"
            why = f"The server at {url} wants a token: put one" if missing else f"{message} Ask for a new one, put it"
            return f"{why} into {TOKEN_VARIABLE}, or give --token-file."
        case "not_found" | "http_404":
            return f"No ordertrack API is at {url}. Give --url the server's address alone, such as {DEFAULT_URL}."
        case "connection_lost" | "unexpected_answer":
            return f"{message.removesuffix('.')}. Is it an ordertrack server that answers at {url}?"
        case _:
            return message


def _reach(url: str) -> str:
    """What to do when no connection can be made to `url`, which the client has found to be a URL."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return f"An ordertrack server without a proxy has no TLS: try --url {urlunsplit(parts._replace(scheme='http'))}"
    if not is_loopback(parts.hostname or ""):
        return "Is the server running there, and is that its port?"
    port = "" if parts.port is None or url == DEFAULT_URL else f" --port {parts.port}"
    return f"Start one with `{command()} serve{port}`."


def _by_option(message: str, field: str, context: click.Context) -> str:
    """The field as the person wrote it: `--currency`, not `currency`."""
    name = field.split("[")[0].split(".")[0]
    for parameter in context.command.params:
        if parameter.name == name and isinstance(parameter, click.Option):
            return message.replace(f"`{field}`", parameter.opts[0])
    return message
