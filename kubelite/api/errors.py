"""The API's errors: one class per reason, with apimachinery's names, codes and messages.

Raised wherever the API is served or used; encoded as a `Status` at the HTTP door. Nothing here knows of the store.
Source: k8s.io/apimachinery/pkg/api/errors
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from kubelite.api.meta import Status, StatusCause, StatusDetails


class StatusError(Exception):
    """A request failed. `details` names the object and the causes, if there are any."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, details: StatusDetails | None = None, *, code: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.status_code = code or self.code
        self.status_reason = reason or self.reason

    def status(self) -> Status:
        return Status(
            status="Failure",
            message=self.message,
            reason=self.status_reason,
            details=self.details,
            code=self.status_code,
        )


class BadRequest(StatusError):
    code = 400
    reason = "BadRequest"


class Unauthorized(StatusError):
    code = 401
    reason = "Unauthorized"

    def __init__(self, message: str = "Unauthorized") -> None:
        super().__init__(message)


class Forbidden(StatusError):
    code = 403
    reason = "Forbidden"


class NotFound(StatusError):
    code = 404
    reason = "NotFound"


class MethodNotAllowed(StatusError):
    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(StatusError):
    code = 406
    reason = "NotAcceptable"


class AlreadyExists(StatusError):
    code = 409
    reason = "AlreadyExists"


class Conflict(StatusError):
    code = 409
    reason = "Conflict"


class Expired(StatusError):
    """The resource version or continue token is too old: list again."""

    code = 410
    reason = "Expired"


class RequestEntityTooLarge(StatusError):
    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaType(StatusError):
    code = 415
    reason = "UnsupportedMediaType"


class Invalid(StatusError):
    """Validation failed; every cause is in the details."""

    code = 422
    reason = "Invalid"


class TooManyRequests(StatusError):
    code = 429
    reason = "TooManyRequests"


class InternalError(StatusError):
    pass


class Unknown(StatusError):
    """A failure to which upstream gives no reason, only its text and the code 500."""

    reason = ""


class ServiceUnavailable(StatusError):
    code = 503
    reason = "ServiceUnavailable"


class Timeout(StatusError):
    code = 504
    reason = "Timeout"


class FieldError(msgspec.Struct, frozen=True):
    """One cause of an Invalid: `type` is a cause reason such as FieldValueRequired, `detail` its text without the path."""

    type: str
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}"


def details(group: str, kind: str, name: str = "", *, uid: str = "", retry_after_s: int = 0) -> StatusDetails:
    """Names what a Status is about. For NotFound and conflicts `kind` is the resource's plural name, as upstream does."""
    return StatusDetails(group=group, kind=kind, name=name, uid=uid, retry_after_seconds=retry_after_s)


def _qualified(group: str, name: str) -> str:
    return f"{name}.{group}" if group else name


def not_found(group: str, plural: str, name: str) -> NotFound:
    return NotFound(f'{_qualified(group, plural)} "{name}" not found', details(group, plural, name))


def already_exists(group: str, plural: str, name: str) -> AlreadyExists:
    return AlreadyExists(f'{_qualified(group, plural)} "{name}" already exists', details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str) -> Conflict:
    message = f'Operation cannot be fulfilled on {_qualified(group, plural)} "{name}": {why}'
    return Conflict(message, details(group, plural, name))


#: Why an update with an old resourceVersion is refused.
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def forbidden(group: str, plural: str, name: str, why: str) -> Forbidden:
    subject = f'{_qualified(group, plural)} "{name}"' if name else _qualified(group, plural)
    return Forbidden(f"{subject} is forbidden: {why}", details(group, plural, name))


def invalid(group: str, kind: str, name: str, errors: Iterable[FieldError]) -> Invalid:
    """All field errors in one answer; a single one is printed bare, several in brackets, duplicates once.

    The causes keep their duplicates, as upstream's: an update checks metadata more than once.
    """
    causes = tuple(errors)
    texts = dict.fromkeys(str(cause) for cause in causes)
    listed = f"[{', '.join(texts)}]" if len(texts) > 1 else "".join(texts)
    about = StatusDetails(
        group=group,
        kind=kind,
        name=name,
        causes=tuple(StatusCause(reason=cause.type, message=cause.detail, field=cause.field) for cause in causes),
    )
    return Invalid(f'{_qualified(group, kind)} "{name}" is invalid: {listed}', about)
