"""JSON body of every error."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from ordertrack.core.event import Status
from ordertrack.core.principal import Action, Role

Failure = Annotated[bool, Meta(extra_json_schema={"const": False})]


class Problem(Struct, kw_only=True):
    """An error (RFC 9457), with `success`, `error` and `message` of the original contract."""

    success: Failure = False
    error: Annotated[str, Meta(description="The code, which never changes.")]
    message: Annotated[str, Meta(description="What is wrong and what is allowed, for people.")]
    field: Annotated[str, Meta(description="The field or parameter at fault.")] | UnsetType = UNSET
    order_id: int | UnsetType = UNSET
    current_status: Annotated[Status, Meta(description="The order's, now.")] | UnsetType = UNSET
    current_version: Annotated[int, Meta(description="The order's, now.")] | UnsetType = UNSET
    legal_next: Annotated[list[Status], Meta(description="Statuses that a plain update may set.")] | UnsetType = UNSET
    why: Annotated[str, Meta(description="The reason, in one word.")] | UnsetType = UNSET
    role: Annotated[Role, Meta(description="The caller's role.")] | UnsetType = UNSET
    action: Annotated[Action, Meta(description="The action that the role may not do.")] | UnsetType = UNSET
    budget: Annotated[str, Meta(description="The budget whose limit is reached.")] | UnsetType = UNSET
    requests: Annotated[int, Meta(description="The requests of the budget in `window_s`.")] | UnsetType = UNSET
    window_s: Annotated[int, Meta(description="Seconds.")] | UnsetType = UNSET
    type: Annotated[str, Meta(description="A URN made of the code.")]
    title: str
    status: Annotated[int, Meta(description="The HTTP status.")]
    retry_after_s: Annotated[int, Meta(description="Seconds; as the Retry-After header.")] | UnsetType = UNSET
