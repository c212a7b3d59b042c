"""apps, batch, autoscaling and policy: what keeps pods running, and how many."""

TEXT = """
ControllerRevision: A state of a DaemonSet or StatefulSet that can be gone back to.
 data The state.
 revision Its number.
DaemonSet: Keeps a pod on every node, or on every node of some kind.
DaemonSetSpec: The pods that are wanted.
 updateStrategy How pods are replaced when the template changes.
DaemonSetUpdateStrategy: How pods are replaced.
 type RollingUpdate, or OnDelete to wait for somebody to delete them.
 rollingUpdate Settings for RollingUpdate.
RollingUpdateDaemonSet: How many pods are replaced at a time.
 maxUnavailable How many nodes may be without a pod that works.
 maxSurge How many nodes may have an old and a new pod.
DaemonSetStatus: The pods that there are.
 currentNumberScheduled How many nodes have the pod that they should have.
 numberMisscheduled How many nodes have it and should not.
 desiredNumberScheduled How many nodes should have it.
 numberReady How many nodes have it ready.
 updatedNumberScheduled How many nodes have it as the template is now.
 numberAvailable How many nodes have had it ready for long enough.
 numberUnavailable How many nodes have not.
DaemonSetCondition: What holds of a DaemonSet.
Deployment: Keeps a number of equal pods running, and replaces them step by step when their template changes.
DeploymentSpec: The pods that are wanted, and how they are replaced.
 strategy How old pods are replaced by new ones.
 paused Whether changes of the template wait.
 progressDeadlineSeconds After how many seconds without progress a rollout counts as failed; 600 if left out.
DeploymentStrategy: How old pods are replaced by new ones.
 type RollingUpdate, or Recreate to end all old ones first.
 rollingUpdate Settings for RollingUpdate.
RollingUpdateDeployment: How far a rollout may stray from the wanted number.
 maxUnavailable How many pods may be missing, as a number or in percent; 25% if left out.
 maxSurge How many pods there may be too many, as a number or in percent; 25% if left out.
DeploymentStatus: The pods that there are.
 replicas How many there are.
 updatedReplicas How many of them are as the template is now.
 readyReplicas How many of them are ready.
 availableReplicas How many have been ready for long enough.
 unavailableReplicas How many are missing.
 terminatingReplicas How many are ending.
DeploymentCondition: What holds of a Deployment.
 type Available, Progressing or ReplicaFailure.
 status True, False or Unknown.
ReplicaSet: Keeps a number of equal pods running; Deployments make them.
ReplicaSetSpec: The pods that are wanted.
ReplicaSetStatus: The pods that there are.
 replicas How many there are.
 fullyLabeledReplicas How many of them have all labels of the template.
 readyReplicas How many of them are ready.
 availableReplicas How many have been ready for long enough.
 terminatingReplicas How many are ending.
ReplicaSetCondition: What holds of a ReplicaSet.
StatefulSet: Keeps pods with lasting names and storage of their own, started and ended in order.
StatefulSetSpec: The pods that are wanted.
 volumeClaimTemplates Claims that each pod gets for itself.
 serviceName The headless Service below which pods have DNS names.
 podManagementPolicy OrderedReady for one after the other, or Parallel.
 updateStrategy How pods are replaced when the template changes.
 persistentVolumeClaimRetentionPolicy What becomes of the claims when pods go.
 ordinals How pods are numbered.
StatefulSetUpdateStrategy: How pods are replaced.
 type RollingUpdate, or OnDelete to wait for somebody to delete them.
 rollingUpdate Settings for RollingUpdate.
RollingUpdateStatefulSetStrategy: Which pods are replaced, and how many at a time.
 partition Only pods from this number on are replaced.
 maxUnavailable How many pods may be missing at a time.
StatefulSetPersistentVolumeClaimRetentionPolicy: What becomes of the claims of pods that go.
 whenDeleted When the StatefulSet is deleted: Retain or Delete.
 whenScaled When it becomes smaller: Retain or Delete.
StatefulSetOrdinals: How pods are numbered.
 start The number of the first.
StatefulSetStatus: The pods that there are.
 replicas How many there are.
 readyReplicas How many of them are ready.
 currentReplicas How many are of currentRevision.
 updatedReplicas How many are of updateRevision.
 currentRevision The revision that pods have had.
 updateRevision The revision that they are getting.
 availableReplicas How many have been ready for long enough.
StatefulSetCondition: What holds of a StatefulSet.
Job: Runs pods until enough of them have ended well.
JobSpec: The work that is wanted.
 parallelism How many pods may run at a time.
 completions How many pods must end well.
 activeDeadlineSeconds After how many seconds the job is ended as failed.
 podFailurePolicy What certain failures of pods mean.
 successPolicy When the job has succeeded before all pods have.
 backoffLimit How many pods may fail; 6 if left out.
 backoffLimitPerIndex How many pods of each index may fail.
 maxFailedIndexes How many indexes may fail.
 manualSelector Whether the selector is chosen by hand.
 ttlSecondsAfterFinished After how many seconds a finished job is deleted.
 completionMode NonIndexed, or Indexed if every pod has a number.
 suspend Whether no pods are to run for now.
 podReplacementPolicy When a failing pod is replaced: TerminatingOrFailed or Failed.
 managedBy Who looks after the job, if not the usual controller.
PodFailurePolicy: What certain failures of pods mean.
 rules The first that fits counts.
PodFailurePolicyRule: What one kind of failure means.
 action FailJob, FailIndex, Ignore or Count.
 onExitCodes Fits by what a container ended with.
 onPodConditions Fits by what holds of the pod.
PodFailurePolicyOnExitCodesRequirement: Fits by exit codes.
 containerName The container; any if left out.
 operator In or NotIn.
 values The exit codes.
PodFailurePolicyOnPodConditionsPattern: Fits by a condition of the pod.
 type The condition's type.
 status The condition's status.
SuccessPolicy: When a job has succeeded early.
 rules The first that fits counts.
SuccessPolicyRule: Which indexes are enough.
 succeededIndexes These have to succeed, such as 0,2-4.
 succeededCount So many have to succeed.
JobStatus: How far the job is.
 startTime When it was begun.
 completionTime When it succeeded.
 active How many pods run or wait.
 succeeded How many pods ended well.
 failed How many pods failed.
 terminating How many pods are ending.
 completedIndexes The indexes that are done, such as 0,2-4.
 failedIndexes The indexes that failed.
 uncountedTerminatedPods Pods that have ended and are not counted yet.
 ready How many pods are ready.
JobCondition: What holds of a job.
 type Complete, Failed, Suspended, SuccessCriteriaMet or FailureTarget.
 status True, False or Unknown.
UncountedTerminatedPods: Pods that have ended and are not counted yet.
 succeeded Those that ended well.
 failed Those that failed.
CronJob: Makes a job at certain times.
CronJobSpec: When, and which job.
 schedule The times, as cron writes them.
 timeZone The time zone that they are meant in; the server's if left out.
 startingDeadlineSeconds How late a job may still be started.
 concurrencyPolicy What happens while the last job still runs: Allow, Forbid or Replace.
 suspend Whether no jobs are made for now.
 jobTemplate The job.
 successfulJobsHistoryLimit How many jobs that succeeded are kept; 3 if left out.
 failedJobsHistoryLimit How many jobs that failed are kept; 1 if left out.
JobTemplateSpec: What jobs made from it look like.
CronJobStatus: What was started.
 active The jobs that run.
 lastScheduleTime The last time for which a job was made.
 lastSuccessfulTime When a job last succeeded.
HorizontalPodAutoscaler: Changes the number of pods of a workload with their load.
HorizontalPodAutoscalerSpec: The workload, its bounds, and what its load is.
 scaleTargetRef The workload.
 minReplicas The least number of pods; 1 if left out.
 maxReplicas The greatest number of pods.
 metrics What the load is told by; whatever wants most pods counts.
 behavior How fast it may grow and shrink.
 targetCPUUtilizationPercentage The use of CPU aimed at, in percent of what pods request.
CrossVersionObjectReference: Names an object, in whatever version.
HorizontalPodAutoscalerStatus: What was last computed.
 lastScaleTime When the number was last changed.
 currentReplicas How many pods there are.
 desiredReplicas How many there should be.
 currentMetrics What the metrics last said.
 currentCPUUtilizationPercentage The use of CPU, in percent of what pods request.
HorizontalPodAutoscalerCondition: What holds of an autoscaler.
 type AbleToScale, ScalingActive or ScalingLimited.
 status True, False or Unknown.
MetricSpec: One metric that the load is told by, and what is aimed at.
 type Object, Pods, Resource, ContainerResource or External.
 object A metric of one other object.
 pods A metric of each pod.
 resource CPU or memory of each pod.
 containerResource CPU or memory of one container of each pod.
 external A metric from outside the cluster.
ObjectMetricSource: A metric of one object.
 describedObject The object.
MetricTarget: What is aimed at.
 type Utilization, Value or AverageValue.
MetricIdentifier: Which metric.
 name Its name.
 selector Narrows it down by labels.
PodsMetricSource: A metric of each pod.
ResourceMetricSource: CPU or memory of each pod.
 name cpu or memory.
ContainerResourceMetricSource: CPU or memory of one container of each pod.
 name cpu or memory.
ExternalMetricSource: A metric from outside the cluster.
HorizontalPodAutoscalerBehavior: How fast the number of pods may change.
 scaleUp When it grows.
 scaleDown When it shrinks.
HPAScalingRules: How fast the number of pods may change in one direction.
 stabilizationWindowSeconds How far back recommendations are looked at, so that the number does not flap.
 selectPolicy Which policy counts: Max, Min or Disabled.
 policies The policies.
 tolerance By how much the load may be off before anything changes.
HPAScalingPolicy: How much may change in a while.
 type Pods or Percent.
 value How many, or how much.
 periodSeconds The length of the while.
MetricStatus: What a metric last said.
 type Object, Pods, Resource, ContainerResource or External.
 object A metric of one other object.
 pods A metric of each pod.
 resource CPU or memory of each pod.
 containerResource CPU or memory of one container of each pod.
 external A metric from outside the cluster.
MetricValueStatus: A present value.
ObjectMetricStatus: The present value of a metric of one object.
 describedObject The object.
PodsMetricStatus: The present value of a metric of each pod.
ResourceMetricStatus: The present use of CPU or memory.
 name cpu or memory.
ContainerResourceMetricStatus: The present use of CPU or memory by one container.
 name cpu or memory.
ExternalMetricStatus: The present value of a metric from outside the cluster.
Scale: The number of pods of a workload.
ScaleSpec: How many pods are wanted.
ScaleStatus: How many pods there are.
 replicas How many there are.
 selector Their labels, as a query.
Eviction: Asks a pod to go, unless a budget forbids it.
 deleteOptions How it is to be deleted.
PodDisruptionBudget: How many pods of a group must stay when somebody clears nodes.
PodDisruptionBudgetSpec: The group, and how many must stay.
 minAvailable How many must stay, as a number or in percent.
 maxUnavailable How many may be missing, as a number or in percent.
 unhealthyPodEvictionPolicy Whether pods that are not ready may always go: IfHealthyBudget or AlwaysAllow.
PodDisruptionBudgetStatus: What was last counted.
 disruptedPods Pods that are on their way out, and since when.
 disruptionsAllowed How many more may go now.
 currentHealthy How many are well.
 desiredHealthy How many must be well.
 expectedPods How many belong to the group.
"""
