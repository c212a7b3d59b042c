"""What `kubectl get nodemetrics` and `podmetrics` print. Source: metrics-server pkg/api/table.go"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubelite.api.metrics_v1beta1 import NodeMetrics, PodMetrics
from kubelite.api.quantity import value
from kubelite.apiserver.table_columns import Printer, columns

_COLUMNS = columns("Name", "cpu", "memory", "Window")


def _node(obj: NodeMetrics, now: float) -> Sequence[Any]:
    return [obj.metadata.name, obj.usage["cpu"], obj.usage["memory"], obj.window]


def _pod(obj: PodMetrics, now: float) -> Sequence[Any]:
    nanocores = sum(int(str(each.usage["cpu"]).removesuffix("n")) for each in obj.containers)
    memory = sum(value(each.usage["memory"]) for each in obj.containers)
    return [obj.metadata.name, f"{nanocores}n" if nanocores else "0", f"{memory // 1024}Ki", obj.window]


NODE_METRICS, POD_METRICS = Printer(_COLUMNS, _node), Printer(_COLUMNS, _pod)
