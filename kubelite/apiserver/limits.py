"""LimitRange: what a container or claim gets that asks for nothing, and the least and most it may ask for.

Defaults are set before validation, and noted in an annotation; the bounds are checked on the final object.
Source: kubernetes plugin/pkg/admission/limitranger/admission.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from kubelite.api import core_v1 as core
from kubelite.api.meta import Quantity
from kubelite.api.quantity import Amount, parse
from kubelite.api.usage import Amounts, amounts, pod_total
from kubelite.apiserver.admission import Attributes, Cluster, Finder

_NOTE = "kubernetes.io/limit-ranger"


class LimitRanger:
    """Implements `admission.Plugin` and `admission.Validator`."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if attributes.resource.type is core.Pod and attributes.operation == "CREATE" and not attributes.subresource:
            for item in await _items(finder, attributes.namespace):
                if item.type == "Container":
                    obj = _with_defaults(obj, item)
        return obj

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        """Raises: Forbidden."""
        type_ = attributes.resource.type
        is_claim = type_ is core.PersistentVolumeClaim and attributes.operation != "DELETE"
        is_pod = type_ is core.Pod and attributes.operation == "CREATE"
        if attributes.subresource or not (is_claim or is_pod) or obj.metadata.deletion_timestamp is not None:
            return
        found: list[str] = []
        for item in await _items(cluster, attributes.namespace):
            found += _check_pod(obj, item) if is_pod else _check_claim(obj, item)
        if found:
            found = list(dict.fromkeys(found))
            raise attributes.refusal(found[0] if len(found) == 1 else f"[{', '.join(found)}]")


async def _items(finder: Finder, namespace: str) -> list[core.LimitRangeItem]:
    ranges = await finder.find_all(core.LimitRange, namespace)
    return [item for each in sorted(ranges, key=lambda each: str(each.metadata.name)) for item in each.spec.limits]


# -- defaults ----------------------------------------------------------------------------------------------------------


def _with_defaults(pod: core.Pod, item: core.LimitRangeItem) -> core.Pod:
    notes: list[str] = []

    def filled(containers: tuple[core.Container, ...], what: str) -> tuple[core.Container, ...]:
        return tuple(_filled(container, item, what, notes) for container in containers)

    spec = pod.spec
    spec = replace(
        spec,
        containers=filled(spec.containers, "container"),
        init_containers=filled(spec.init_containers, "init container"),
    )
    if not notes:
        return pod
    note = f"LimitRanger plugin set: {'; '.join(notes)}"
    metadata = replace(pod.metadata, annotations={**pod.metadata.annotations, _NOTE: note})
    return replace(pod, spec=spec, metadata=metadata)


def _filled(container: core.Container, item: core.LimitRangeItem, what: str, notes: list[str]) -> core.Container:
    resources = container.resources
    for field, word, defaults in (("requests", "request", item.default_request), ("limits", "limit", item.default)):
        present: Mapping[str, Quantity] = getattr(resources, field)
        if missing := {name: amount for name, amount in defaults.items() if name not in present}:
            resources = replace(resources, **{field: {**present, **missing}})
            notes.append(f"{', '.join(sorted(missing))} {word} for {what} {container.name}")
    return container if resources is container.resources else replace(container, resources=resources)


# -- bounds ------------------------------------------------------------------------------------------------------------


def _check_pod(pod: core.Pod, item: core.LimitRangeItem) -> Iterator[str]:
    if item.type == "Container":
        for container in (*pod.spec.containers, *pod.spec.init_containers):
            resources = container.resources
            yield from _check(item, amounts(resources.requests), amounts(resources.limits))
    elif item.type == "Pod":
        yield from _check(item, pod_total(pod, _requests), pod_total(pod, _limits))


def _requests(container: core.Container) -> Amounts:
    return amounts(container.resources.requests)


def _limits(container: core.Container) -> Amounts:
    return amounts(container.resources.limits)


def _check_claim(claim: core.PersistentVolumeClaim, item: core.LimitRangeItem) -> Iterator[str]:
    """A claim has requests only."""
    if item.type == "PersistentVolumeClaim":
        requests = amounts(claim.spec.resources.requests)
        for name, least in sorted(amounts(item.min).items()):
            yield from _bound("minimum", name, item.type, least, {"request": requests.get(name)}, Amount.__lt__)
        for name, most in sorted(amounts(item.max).items()):
            yield from _bound("maximum", name, item.type, most, {"request": requests.get(name)}, _greater)


def _check(item: core.LimitRangeItem, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in sorted(amounts(item.min).items()):
        observed = {"request": requests.get(name), "limit": limits.get(name)}
        yield from _bound("minimum", name, item.type, least, observed, Amount.__lt__)
    for name, most in sorted(amounts(item.max).items()):
        observed = {"limit": limits.get(name), "request": requests.get(name)}
        yield from _bound("maximum", name, item.type, most, observed, _greater)
    for name, ratio in sorted(item.max_limit_request_ratio.items()):
        yield from _check_ratio(name, item.type, parse(ratio), requests.get(name), limits.get(name))


def _greater(one: Amount, other: Amount) -> bool:
    return other < one


def _bound(
    which: str,
    name: str,
    type_: str,
    bound: Amount,
    observed: Mapping[str, Amount | None],
    breaks: Callable[[Amount, Amount], bool],
) -> Iterator[str]:
    """The first of `observed` must be stated; all that are must keep to `bound`."""
    rule = f"{which} {name} usage per {type_} is {bound}"
    first = next(iter(observed))
    if observed[first] is None:
        yield f"{rule}.  No {first} is specified"
        return
    for what, amount in observed.items():
        if amount is not None and breaks(amount, bound):
            yield f"{rule}, but {what} is {amount}"
            return


def _check_ratio(name: str, type_: str, most: Amount, request: Amount | None, limit: Amount | None) -> Iterator[str]:
    rule = f"{name} max limit to request ratio per {type_} is {most}"
    for what, amount in (("request", request), ("limit", limit)):
        if amount is None or not amount.nanos:
            yield f"{rule}, but no {what} is specified or {what} is 0"
            return
    assert request is not None
    assert limit is not None
    ratio = limit.nanos / request.nanos
    if ratio * 1_000_000_000 > most.nanos:
        yield f"{rule}, but provided ratio is {ratio:f}"
