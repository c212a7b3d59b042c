"""The scheduler: which node a pod goes to, and why. Pure; run by `client/host` like a controller.

Read `decision` first: one pod against all nodes. Then what it asks: `attempt` (one node), `filters` (one node by itself),
`volumes`, `pod_affinity`, `topology_spread` (all nodes together), `scores`, `preemption` (who goes instead). `pod_info`
and `node_info` are the facts they read, `profile` the settings of a schedulerName, `configuration` the file that they come
from. `outcomes` makes plans of decisions.
`scheduler` last: the queue, what is assumed, and when a pod that fits nowhere is tried again.
"""

from __future__ import annotations

from kubelite.client.view import Indexes
from kubelite.scheduler.profile import Profile
from kubelite.scheduler.scheduler import Scheduler

INDEXES: Indexes = {}  #: none: it keeps its own

__all__ = ["INDEXES", "Profile", "Scheduler"]
