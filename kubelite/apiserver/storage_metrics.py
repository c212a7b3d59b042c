"""What /metrics tells of the store: how many objects there are of each resource, its size, and its own figures.

Source: https://kubernetes.io/docs/reference/instrumentation/metrics/ (apiserver_storage_objects, apiserver_storage_size_bytes)
"""

from __future__ import annotations

from kubelite.api.scheme import Scheme
from kubelite.store.local import LocalStore
from kubelite.store.stats import encode_prometheus
from kubelite.store.store import Store, StoreError, prefix_end


async def tell_storage(store: Store, scheme: Scheme) -> str:
    """In Prometheus' text format; what cannot be counted just now is left out."""
    prefixes = {each.group_resource: each.prefix for each in scheme if "list" in each.verbs}
    lines = ["# TYPE apiserver_storage_objects gauge"]
    try:
        for name, prefix in sorted(prefixes.items()):
            found = await store.range(prefix, prefix_end(prefix), limit=1)
            lines.append(f'apiserver_storage_objects{{resource="{name}"}} {found.count}')
    except StoreError:
        lines.clear()
    if not isinstance(store, LocalStore):
        return "\n".join([*lines, ""])
    stats = store.stats()
    lines += [
        "# TYPE apiserver_storage_size_bytes gauge",
        f'apiserver_storage_size_bytes{{storage_cluster_id="etcd-0"}} {stats.log_bytes}',
    ]
    return "\n".join([*lines, encode_prometheus(stats)])
