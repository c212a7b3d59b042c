"""What must hold of probes and lifecycle hooks. Pure.

Source: k8s.io/kubernetes pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

from kubelite.api import core_v1 as core
from kubelite.api.meta import IntOrString
from kubelite.api.validation_field import (
    Errors,
    forbidden,
    formatted,
    http_header,
    invalid,
    non_negative,
    one_of,
    port_name,
    port_number,
    required,
)


def validate_lifecycle(hooks: core.Lifecycle, path: str) -> Errors:
    found: Errors = []
    for name, hook in (("postStart", hooks.post_start), ("preStop", hooks.pre_stop)):
        if hook is not None:
            found += _handler(hook, f"{path}.{name}")
    return found


def _handler(handler: core.ProbeHandler | core.LifecycleHandler, path: str) -> Errors:
    found: Errors = []
    grpc = handler.grpc if isinstance(handler, core.ProbeHandler) else None
    sleep = handler.sleep if isinstance(handler, core.LifecycleHandler) else None
    kinds = {
        "exec": handler.exec,
        "httpGet": handler.http_get,
        "tcpSocket": handler.tcp_socket,
        "grpc": grpc,
        "sleep": sleep,
    }
    count = 0
    for name, action in kinds.items():
        if action is None:
            continue
        count += 1
        if count > 1:
            found.append(forbidden(f"{path}.{name}", "may not specify more than 1 handler type"))
            continue
        at = f"{path}.{name}"
        match action:
            case core.ExecAction(command=command):
                if not command:
                    found.append(required(f"{at}.command"))
            case core.HTTPGetAction():
                if not action.path:
                    found.append(required(f"{at}.path"))
                found += validate_port(f"{at}.port", action.port)
                found += one_of(f"{at}.scheme", action.scheme, ("HTTP", "HTTPS"))
                for header in action.http_headers:
                    found += formatted(f"{at}.httpHeaders", header.name, http_header)
            case core.TCPSocketAction(port=port) | core.GRPCAction(port=port):
                found += validate_port(f"{at}.port", port)
            case core.SleepAction(seconds=seconds):
                if seconds < 0:
                    found.append(invalid(at, seconds, "must be greater than or equal to 0"))
    if not count:
        found.append(required(path, "must specify a handler type"))
    return found


def validate_port(path: str, port: IntOrString) -> Errors:
    """A port's number or name."""
    problems = port_number(port) if isinstance(port, int) else port_name(port)
    return [invalid(path, port, text) for text in problems]


def validate_probes(container: core.Container | core.EphemeralContainer, path: str) -> Errors:
    found: Errors = []
    for name, probe in (
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if probe is None:
            continue
        at = f"{path}.{name}"
        found += _handler(probe, at)
        for field, value in (
            ("initialDelaySeconds", probe.initial_delay_seconds),
            ("timeoutSeconds", probe.timeout_seconds),
            ("periodSeconds", probe.period_seconds),
            ("successThreshold", probe.success_threshold),
            ("failureThreshold", probe.failure_threshold),
        ):
            found += non_negative(f"{at}.{field}", value)
        grace = probe.termination_grace_period_seconds
        if name == "readinessProbe" and grace is not None:
            found.append(invalid(f"{at}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"))
        elif grace is not None and grace <= 0:
            found.append(invalid(f"{at}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
        if name != "readinessProbe" and probe.success_threshold != 1:
            found.append(invalid(f"{at}.successThreshold", probe.success_threshold, "must be 1"))
    return found
