"""Token keys: read from the settings and the files they name."""

from __future__ import annotations

from pathlib import Path

from ordertrack.adapters.jwt.claims import ClaimNames, Rules
from ordertrack.adapters.jwt.jwks import PublishedKeys
from ordertrack.adapters.jwt.keys import Key, KeySource, StaticKey, pem_key, secret_key
from ordertrack.adapters.jwt.tokens import JwtTokens
from ordertrack.ports.clock import Clock
from ordertrack.ports.tokens import Tokens
from ordertrack.settings import InvalidSetting, Settings

MAX_KEY_FILE_BYTES = 64 * 1024


def access_control(settings: Settings, clock: Clock) -> Tokens | None:
    """Return the verifier of tokens; None without access control.

    Raises: InvalidSetting.
    """
    if not settings.has_access_control:
        return None
    keys: KeySource
    if settings.token_jwks_url is not None:
        keys = PublishedKeys(settings.token_jwks_url, clock, refresh_s=settings.token_jwks_refresh_s)
    else:
        keys = StaticKey(signing_key(settings) or _public_key(settings))
    return JwtTokens(keys, token_rules(settings), clock, max_cached=settings.max_remembered_tokens)


def signing_key(settings: Settings) -> Key | None:
    """Return the shared secret; None when the settings name none.

    Raises: InvalidSetting.
    """
    name, secret = "token_secret", settings.token_secret
    if settings.token_secret_file is not None:
        name = "token_secret_file"
        try:
            secret = _read(name, settings.token_secret_file).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidSetting(name, f"{settings.token_secret_file} is not text in UTF-8.") from None
        if not secret.strip():
            hint = f"Create a secret: ordertrack secret > {settings.token_secret_file}"
            raise InvalidSetting(name, f"{settings.token_secret_file} is empty. {hint}")
    if secret is None:
        return None
    try:
        return secret_key(secret)
    except ValueError as error:
        raise InvalidSetting(name, f"{settings.token_secret_file or ''} {error}.".lstrip()) from None


def token_rules(settings: Settings) -> Rules:
    names = ClaimNames(
        role=settings.token_role_claim,
        name=settings.token_name_claim,
        customer=settings.token_customer_claim,
        restaurant=settings.token_restaurant_claim,
        courier=settings.token_courier_claim,
        restaurants=settings.token_restaurants_claim,
    )
    return Rules(settings.token_audience, settings.token_issuer, settings.token_leeway_s, names)


def _public_key(settings: Settings) -> Key:
    name, file = "token_public_key_file", settings.token_public_key_file or ""
    try:
        return pem_key(_read(name, file))
    except ValueError as error:
        raise InvalidSetting(name, f"{file} {error}.") from None


def _read(name: str, file: str) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise InvalidSetting(name, f"{file} cannot be read: {error.strerror or error}.") from None
