"""ReplicationControllers: what a ReplicaSet was before its selector had expressions.

Called by `client/host` per ReplicationController; all decisions are those of `replicaset`.
Source: k8s.io/kubernetes pkg/controller/replication
"""

from __future__ import annotations

from kubelite.api.core_v1 import ReplicationController, ReplicationControllerCondition
from kubelite.controllers.replicaset import ReplicaSetController


class ReplicationControllerController(ReplicaSetController):
    name = "replicationcontroller-controller"
    kind = ReplicationController
    condition = ReplicationControllerCondition
