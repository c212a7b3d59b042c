"""kubelite: Kubernetes in one Python process.

An asyncio actor system over a multi-version key-value store. Reading order, from the inside out:

1. `store/store.py`: revisions, transactions, watches; the one commit point.
2. `api/meta.py`, `api/scheme.py`, `api/codec.py`: typed objects, which kinds there are, how they become bytes.
3. `apiserver/interface.py`, `apiserver/registry.py`: what a write goes through.
4. `client/interface.py`, `client/plan.py`, `client/view.py`, `client/host.py`: what a component sees and how decisions run.
5. `controllers/deployment.py`, `scheduler/`: decisions.
6. `kubelet/runtime.py`, `kubelet/pod_actions.py`, `proxy/rules.py`: pods, networks.
7. `cluster.py`: how all of it is put together.

The public names are `Cluster` and `Config`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubelite.cluster import Cluster
    from kubelite.config import Config

__all__ = ["Cluster", "Config"]


def __getattr__(name: str) -> Any:
    # On demand, so that a process that needs one room (the store's writer) does not load all of them.
    if name == "Cluster":
        from kubelite.cluster import Cluster

        return Cluster
    if name == "Config":
        from kubelite.config import Config

        return Config
    raise AttributeError(name)
