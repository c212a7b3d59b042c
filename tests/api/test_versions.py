"""Kinds that are stored in one version and served in two lose nothing on the way."""

from __future__ import annotations

import msgspec
from hypothesis import given, strategies as st

from kubelite.api import autoscaling_v1 as v1, autoscaling_v2 as v2, codec, core_v1 as core, events_v1 as events
from kubelite.api.autoscaling_versions import BEHAVIOR, CONDITIONS, CURRENT, METRICS, from_v1, to_v1
from kubelite.api.events_versions import from_events, to_events
from kubelite.api.meta import ObjectMeta
from kubelite.api.validation import validate, validate_update

NAMED = v2.MetricIdentifier(name="q")
QUANTITIES = st.sampled_from(["1", "500m", "2Gi"])
ABOUT = v2.CrossVersionObjectReference(kind="Deployment", name="web", api_version="apps/v1")


def target(type_: str, value: str) -> v2.MetricTarget:
    match type_:
        case "Utilization":
            return v2.MetricTarget(type=type_, average_utilization=50)
        case "AverageValue":
            return v2.MetricTarget(type=type_, average_value=value)
        case _:
            return v2.MetricTarget(type=type_, value=value)


@st.composite
def metrics(draw: st.DrawFn) -> v2.MetricSpec:
    value = draw(QUANTITIES)
    match draw(st.sampled_from(["Object", "Pods", "Resource", "ContainerResource", "External"])):
        case "Object":
            of = target(draw(st.sampled_from(["Value", "AverageValue"])), value)
            source = v2.ObjectMetricSource(described_object=ABOUT, metric=NAMED, target=of)
            return v2.MetricSpec(type="Object", object=source)
        case "Pods":
            return v2.MetricSpec(
                type="Pods", pods=v2.PodsMetricSource(metric=NAMED, target=target("AverageValue", value))
            )
        case "Resource":
            of = target(draw(st.sampled_from(["Utilization", "AverageValue"])), value)
            name = draw(st.sampled_from(["cpu", "memory"]))
            return v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name=name, target=of))
        case "ContainerResource":
            container = v2.ContainerResourceMetricSource(name="cpu", container="c", target=target("Utilization", value))
            return v2.MetricSpec(type="ContainerResource", container_resource=container)
        case _:
            of = target(draw(st.sampled_from(["Value", "AverageValue"])), value)
            return v2.MetricSpec(type="External", external=v2.ExternalMetricSource(metric=NAMED, target=of))


def is_cpu(metric: v2.MetricSpec) -> bool:
    found = metric.resource
    return found is not None and found.name == "cpu" and found.target.average_utilization is not None


def scaler(metrics: list[v2.MetricSpec]) -> v2.HorizontalPodAutoscaler:
    policy = v2.HPAScalingPolicy(type="Pods", value=4, period_seconds=15)
    rules = v2.HPAScalingRules(stabilization_window_seconds=3, select_policy="Max", policies=(policy,))
    cpu = v2.ResourceMetricStatus(
        name="cpu", current=v2.MetricValueStatus(average_utilization=40, average_value="100m")
    )
    return v2.HorizontalPodAutoscaler(
        metadata=ObjectMeta(name="web", namespace="default", annotations={"mine": "kept"}),
        spec=v2.HorizontalPodAutoscalerSpec(
            scale_target_ref=ABOUT,
            min_replicas=2,
            max_replicas=9,
            metrics=tuple(metrics),
            behavior=v2.HorizontalPodAutoscalerBehavior(scale_up=rules),
        ),
        status=v2.HorizontalPodAutoscalerStatus(
            current_replicas=3,
            current_metrics=(v2.MetricStatus(type="Resource", resource=cpu),),
            conditions=(
                v2.HorizontalPodAutoscalerCondition(type="AbleToScale", status="True", reason="r", message="m"),
            ),
        ),
    )


@given(st.lists(metrics(), min_size=1, max_size=4))
def test_an_autoscaler_comes_back_whole_through_v1(given: list[v2.MetricSpec]) -> None:
    cpu = [metric for metric in given if is_cpu(metric)][:1]
    ordered = cpu + [metric for metric in given if not is_cpu(metric)]  # v1 has a field for one, and says it first
    if not ordered:
        return
    before = scaler(ordered)
    seen = to_v1(before)
    wire = msgspec.json.decode(codec.encode(seen))
    again = msgspec.convert(
        {key: value for key, value in wire.items() if key not in ("kind", "apiVersion")}, type(seen)
    )
    assert from_v1(again) == before


def test_v1_shows_what_it_has_fields_for_and_annotates_the_rest() -> None:
    cpu = v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name="cpu", target=target("Utilization", "")))
    pods = v2.MetricSpec(type="Pods", pods=v2.PodsMetricSource(metric=NAMED, target=target("AverageValue", "5")))
    seen = to_v1(scaler([cpu, pods]))
    assert seen.spec.target_cpu_utilization_percentage == 50
    assert seen.status.current_cpu_utilization_percentage == 40
    assert set(seen.metadata.annotations) == {"mine", METRICS, CURRENT, CONDITIONS, BEHAVIOR}
    assert seen.metadata.annotations[METRICS] == '[{"type":"Pods","pods":{"metricName":"q","targetAverageValue":"5"}}]'
    assert '"ScaleUp":{"StabilizationWindowSeconds":3' in seen.metadata.annotations[BEHAVIOR]
    assert from_v1(seen).metadata.annotations == {"mine": "kept"}


def test_an_annotation_that_cannot_be_read_is_nothing() -> None:
    spec = v1.HorizontalPodAutoscalerSpec(max_replicas=2)
    notes = {METRICS: "{", BEHAVIOR: '{"ScaleUp": 3}', CONDITIONS: "[1]"}
    read = from_v1(v1.HorizontalPodAutoscaler(metadata=ObjectMeta(annotations=notes), spec=spec))
    assert [metric.resource and metric.resource.target.average_utilization for metric in read.spec.metrics] == [80]
    assert (read.spec.behavior, read.status.conditions) == (None, ())


def new_event(**changed: object) -> events.Event:
    event = events.Event(
        metadata=ObjectMeta(name="e", namespace="default"),
        event_time="2026-01-02T03:04:05.000006Z",
        reporting_controller="example.test/c",
        reporting_instance="c-1",
        action="Do",
        reason="Done",
        regarding=core.ObjectReference(kind="Pod", name="p", namespace="default"),
        note="a note",
        type="Normal",
    )
    return msgspec.structs.replace(event, **changed)


def test_an_event_comes_back_whole_through_the_other_group() -> None:
    event = new_event(series=events.EventSeries(count=3, last_observed_time="2026-01-02T03:04:06.000000Z"))
    assert to_events(from_events(event)) == event


def test_a_new_event_says_more_than_an_old_one() -> None:
    assert not validate(new_event(), namespaced=True)
    bare = core.Event(
        metadata=ObjectMeta(name="e", namespace="default"), involved_object=core.ObjectReference(kind="Pod", name="p")
    )
    assert not validate(bare, namespaced=True)
    wrong = new_event(event_time=None, type="Odd", deprecated_count=1, series=events.EventSeries(count=1))
    found = {problem.field for problem in validate(wrong, namespaced=True)}
    assert found == {"eventTime", "type", "count", "series.count", "series.lastObservedTime"}
    changed = validate_update(new_event(note="other"), new_event(), namespaced=True)
    assert [problem.field for problem in changed] == ["message"]


def test_an_autoscalers_metrics_and_behavior_are_checked() -> None:
    pods = v2.PodsMetricSource(metric=v2.MetricIdentifier(name=""), target=v2.MetricTarget(type="Value", value="0"))
    policy = v2.HPAScalingPolicy(type="Odd", value=0, period_seconds=2000)
    up = v2.HPAScalingRules(stabilization_window_seconds=4000, select_policy="Most", policies=(policy,))
    wrong = scaler([v2.MetricSpec(type="Resource", pods=pods), v2.MetricSpec(type="Nothing"), v2.MetricSpec()])
    behavior = v2.HorizontalPodAutoscalerBehavior(scale_up=up, scale_down=v2.HPAScalingRules())
    wrong = msgspec.structs.replace(wrong, spec=msgspec.structs.replace(wrong.spec, behavior=behavior))
    assert {problem.field for problem in validate(wrong, namespaced=True)} == {
        "spec.metrics[0].resource",
        "spec.metrics[0].pods.metric.name",
        "spec.metrics[0].pods.target.value",
        "spec.metrics[0].pods.target.averageValue",
        "spec.metrics[1].type",
        "spec.metrics[2].type",
        "spec.behavior.scaleUp.stabilizationWindowSeconds",
        "spec.behavior.scaleUp.selectPolicy",
        "spec.behavior.scaleUp.policies[0].type",
        "spec.behavior.scaleUp.policies[0].value",
        "spec.behavior.scaleUp.policies[0].periodSeconds",
        "spec.behavior.scaleDown.policies",
    }


def test_v1_is_checked_with_what_its_annotations_say() -> None:
    bad = '[{"type":"Pods","pods":{"metricName":"q","targetAverageValue":"0"}}]'
    target = v1.CrossVersionObjectReference(kind="Deployment", name="web")
    spec = v1.HorizontalPodAutoscalerSpec(
        scale_target_ref=target, min_replicas=1, max_replicas=2, target_cpu_utilization_percentage=0
    )
    meta = ObjectMeta(name="a", namespace="default", annotations={METRICS: bad})
    found = validate(v1.HorizontalPodAutoscaler(metadata=meta, spec=spec), namespaced=True)
    assert {problem.field for problem in found} == {
        "spec.metrics[0].resource.target.averageUtilization",
        "spec.metrics[1].pods.target.averageValue",
    }
