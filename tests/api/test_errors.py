"""Errors carry the code, reason, message and details of their Status."""

from __future__ import annotations

import pytest

from kubelite.api import errors


def test_every_reason_has_its_own_class_code_and_name() -> None:
    classes = errors.StatusError.__subclasses__()
    named = [cls for cls in classes if cls.reason]
    assert len({cls.reason for cls in named}) == len(named)
    assert all(400 <= cls.code < 600 for cls in classes)


def test_a_status_says_what_the_error_says() -> None:
    status = errors.not_found("apps", "deployments", "web").status()
    assert (status.status, status.code, status.reason) == ("Failure", 404, "NotFound")
    assert status.message == 'deployments.apps "web" not found'
    assert status.details is not None and (status.details.group, status.details.kind) == ("apps", "deployments")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.already_exists("", "configmaps", "a"), 'configmaps "a" already exists'),
        (
            errors.conflict("", "configmaps", "a", errors.MODIFIED),
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the '
            "latest version and try again",
        ),
        (errors.forbidden("", "pods", "", "why"), "pods is forbidden: why"),
        (errors.forbidden("", "pods", "a", "why"), 'pods "a" is forbidden: why'),
    ],
)
def test_messages_are_those_of_upstream(error: errors.StatusError, message: str) -> None:
    assert error.message == str(error) == message


def test_a_message_names_an_error_once() -> None:
    one, two = errors.FieldError("FieldValueRequired", "a", "Required value"), errors.FieldError("X", "b", "bad")
    assert errors.invalid("", "Pod", "p", [one]).message == 'Pod "p" is invalid: a: Required value'
    both = errors.invalid("apps", "Deployment", "d", [one, two, one])
    assert both.message == 'Deployment.apps "d" is invalid: [a: Required value, b: bad]'
    assert both.details is not None and [cause.field for cause in both.details.causes] == ["a", "b", "a"]


def test_a_failure_without_reason_is_unknown() -> None:
    assert (errors.Unknown("x").status().reason, errors.Unknown("x").status_code) == ("", 500)
