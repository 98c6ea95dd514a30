"""`ordertrack secret` and `ordertrack token`: access control without an identity provider."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

import rich_click as click

from ordertrack.adapters.jwt.claims import EVERY_RESTAURANT, TOKEN_ROLES, claims_of, principal_of
from ordertrack.adapters.jwt.keys import Key
from ordertrack.adapters.jwt.signing import new_secret, sign
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.app.token_keys import signing_key, token_rules
from ordertrack.cli.hints import TOKEN_VARIABLE, command
from ordertrack.cli.options import settings_of, settings_options, usage_errors
from ordertrack.cli.output import duration_words
from ordertrack.cli.terminal import make_private, print_data, say
from ordertrack.core.errors import Unauthenticated
from ordertrack.core.principal import ALL, Principal, Role
from ordertrack.settings import Settings

SECRET_FILE = "ordertrack.secret"
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_DURATION_S = 10 * 366 * 86_400
_PARTY = {Role.CUSTOMER: "customer_id", Role.RESTAURANT: "restaurant_id", Role.COURIER: "courier_id",
          Role.SERVICE: "restaurants"}  # fmt: skip
"""The option that each role requires and that other roles must not have."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def secret(as_json: bool) -> None:
    """Create a secret of 256 random bits that signs tokens.

    It is printed on standard output. If that is a file, only its owner can read it afterwards.
    """
    make_private()
    if as_json:
        print_data({"secret": new_secret()})
        return
    say(new_secret())
    say(
        "This secret can sign tokens for every role: keep it in a separate file.",
        f"  {command()} secret > {SECRET_FILE}",
        f"  {command()} serve --token-secret-file {SECRET_FILE}",
        f"  export {TOKEN_VARIABLE}=$({command()} token --role admin --token-secret-file {SECRET_FILE})",
        err=True,
    )


class _Duration(click.ParamType[int]):
    """`12h`, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"([1-9][0-9]{0,9})([smhd])", str(value).strip(), re.ASCII)
        seconds = int(match[1]) * _UNITS_S[match[2]] if match else 0
        if not 0 < seconds <= MAX_DURATION_S:
            allowed = 'must be a duration such as "30m", "12h" or "7d", longer than 0 and at most ten years'
            self.fail(f"{allowed}; it is {value!r}.", param, ctx)
        return seconds


@click.command()
@partial(settings_options, prefix="token_")
@click.option(
    "--role", type=click.Choice([role.value for role in TOKEN_ROLES]), required=True, help="Role of the token."
)
@click.option("--customer-id", help="Id of the customer.")
@click.option("--restaurant-id", help="Id of the restaurant.")
@click.option("--courier-id", help="Id of the courier.")
@click.option("--restaurants", metavar="1,2|*", help="Restaurants of a service; `*` for all.")
@click.option("--name", help="Name recorded as the actor of events; the id if not given.")
@click.option(
    "--expires", type=_Duration(), metavar="12h", default="12h", show_default=True, help="Time until it expires."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def token(role: str, expires: int, as_json: bool, **values: Any) -> None:
    """Create a token, signed with the secret.

    Standard output has only the token, to be stored in a variable or a file.
    """
    settings = settings_of(values)
    key, rules = _secret(settings), token_rules(settings)
    principal = _principal(Role(role), values)
    now_s = SystemClock().now_ms() // 1000
    try:
        principal = principal_of(claims_of(principal, rules, now_s, now_s + expires), rules, now_s)
    except Unauthenticated:
        raise click.UsageError("Names and ids must have 1 to 64 characters and no control characters.") from None
    signed = sign(principal, key, rules, now_s, now_s + expires)
    until = datetime.fromtimestamp(now_s + expires, UTC).isoformat().replace("+00:00", "Z")
    if as_json:
        print_data({"token": signed, "role": role, "actor": principal.actor, "expires_at": until})
        return
    say(signed)
    say(f"The token acts as {principal.actor} and expires in {duration_words(expires)}, at {until}.", err=True)


def _secret(settings: Settings) -> Key:
    """Raises: click.UsageError."""
    with usage_errors():
        key = signing_key(settings)
    if key is not None:
        return key
    if settings.has_access_control:
        raise click.UsageError("The settings name a public key: tokens can be created only with its private key.")
    raise click.UsageError(
        f"There is no secret to sign with. Create one with `{command()} secret > {SECRET_FILE}`, "
        f"and add --token-secret-file {SECRET_FILE} here and to `{command()} serve`."
    )


def _principal(role: Role, values: dict[str, Any]) -> Principal:
    """Raises: click.UsageError."""
    for owner, option in _PARTY.items():
        written = "--" + option.replace("_", "-")
        if owner is role and not values[option]:
            raise click.UsageError(f"--role {role} needs {written}.")
        if owner is not role and values[option]:
            raise click.UsageError(f"{written} is only for --role {owner}, not for --role {role}.")
    listed = (values["restaurants"] or "").strip()
    restaurants = ALL if listed == EVERY_RESTAURANT else frozenset(filter(None, map(str.strip, listed.split(","))))
    if role is Role.SERVICE and not restaurants:
        raise click.UsageError('--restaurants must be ids separated by commas, such as 1,2, or "*".')
    party = _PARTY.get(role)
    given = None if party is None or role is Role.SERVICE else values[party]
    return Principal(
        role,
        name=values["name"] or given or role.value,
        customer_id=values["customer_id"],
        restaurant_id=values["restaurant_id"],
        courier_id=values["courier_id"],
        restaurants=restaurants,
    )
