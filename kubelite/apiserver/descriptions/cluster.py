"""coordination, events, flowcontrol, node, scheduling and storage: the cluster itself."""

TEXT = """
Lease: Something that one holder has for a while, such as the right to lead.
LeaseSpec: Who has it, and until when.
 holderIdentity Who has it.
 leaseDurationSeconds How long it lasts without being renewed.
 acquireTime When the holder got it.
 renewTime When the holder last renewed it.
 leaseTransitions How often it changed hands.
 strategy How the holder is chosen.
 preferredHolder Who should have it next.
Event: Something that happened to an object, told to people; it goes after an hour.
 eventTime When it was first seen.
 series How it went on, if it happened again and again.
 reportingController The controller that tells it.
 reportingInstance Which instance of that controller.
 action What was being done.
 regarding What it happened to.
 related Another object that has to do with it.
 note What happened, in words.
 type Normal or Warning.
 deprecatedSource Who saw it, in old events.
 deprecatedFirstTimestamp When it was first seen, in old events.
 deprecatedLastTimestamp When it was last seen, in old events.
 deprecatedCount How often it was seen, in old events.
EventSeries: Events of one kind that follow each other.
 count How many there were by now.
 lastObservedTime When the last one was seen.
FlowSchema: Which requests belong together, and how important they are.
FlowSchemaSpec: Which requests, and which level.
 priorityLevelConfiguration The level.
 matchingPrecedence Lower numbers are tried first.
 distinguisherMethod How the requests are told apart into flows.
 rules Which requests; any one rule is enough.
PriorityLevelConfigurationReference: A level.
FlowDistinguisherMethod: How requests are told apart.
 type ByUser or ByNamespace.
PolicyRulesWithSubjects: Whose requests, about what.
 subjects Whose.
 resourceRules About which resources.
 nonResourceRules About which paths.
Subject: Somebody: a user, a group or a ServiceAccount.
 kind User, Group or ServiceAccount.
 user The user.
 group The group.
 serviceAccount The ServiceAccount.
UserSubject: A user; * stands for all.
GroupSubject: A group.
ServiceAccountSubject: A ServiceAccount; * as its name stands for all of the namespace.
ResourcePolicyRule: Requests about resources.
 clusterScope Whether those about the whole cluster are meant too.
NonResourcePolicyRule: Requests about paths.
 nonResourceURLs The paths.
FlowSchemaStatus: Whether it works.
FlowSchemaCondition: What holds of a FlowSchema.
PriorityLevelConfiguration: How many requests of one importance are answered at a time.
PriorityLevelConfigurationSpec: The level.
 type Limited or Exempt.
 limited Settings of a Limited level.
 exempt Settings of an Exempt level.
LimitedPriorityLevelConfiguration: How many at a time.
 nominalConcurrencyShares Its share of all that the server answers at a time.
 limitResponse What happens to requests that are too many.
 lendablePercent How much of its share others may use.
 borrowingLimitPercent How much it may use of the share of others.
LimitResponse: What happens to requests that are too many.
 type Queue or Reject.
 queuing Settings for Queue.
QueuingConfiguration: The queues.
 queues How many there are.
 handSize How many of them one flow may use.
 queueLengthLimit How many requests may wait in each.
ExemptPriorityLevelConfiguration: A level without limit.
 nominalConcurrencyShares Its share, which it may lend.
 lendablePercent How much of its share others may use.
PriorityLevelConfigurationStatus: Whether it works.
PriorityLevelConfigurationCondition: What holds of a level.
RuntimeClass: A way to run containers.
 handler What the nodes call it.
 overhead What it costs beside the containers.
 scheduling Which nodes have it.
Overhead: What running a pod costs.
 podFixed What each pod costs.
Scheduling: Which nodes have a runtime.
 nodeSelector Their labels.
 tolerations Taints of theirs that pods tolerate.
PriorityClass: How important pods are, by a name.
 value The number; higher goes first.
 globalDefault Whether pods that name none have it.
 preemptionPolicy Whether less important pods may be removed: PreemptLowerPriority or Never.
StorageClass: A kind of storage, and who makes it.
 provisioner Who makes the volumes.
 reclaimPolicy What becomes of a volume when its claim is gone: Delete or Retain.
 allowVolumeExpansion Whether claims may grow.
 volumeBindingMode Immediate, or WaitForFirstConsumer to wait for a pod.
 allowedTopologies Where volumes may be made.
VolumeAttachment: A volume that is attached to a node.
VolumeAttachmentSpec: Which volume, to which node.
 attacher Who attaches it.
 source The volume.
VolumeAttachmentSource: The volume.
 persistentVolumeName The PersistentVolume.
 inlineVolumeSpec The volume itself, from an older kind of storage.
VolumeAttachmentStatus: Whether it is attached.
 attached Whether it is attached.
 attachmentMetadata What the attacher said of it.
 attachError Why it could not be attached.
 detachError Why it could not be detached.
VolumeError: Why something could not be done.
 errorCode The driver's code.
CSIDriver: What a storage driver can do and needs.
CSIDriverSpec: What it can do and needs.
 attachRequired Whether volumes are attached to nodes first.
 podInfoOnMount Whether it is told about the pod.
 volumeLifecycleModes Persistent, Ephemeral or both.
 storageCapacity Whether the scheduler asks how much room there is.
 fsGroupPolicy Whether owners on its volumes are changed: ReadWriteOnceWithFSType, File or None.
 tokenRequests Tokens of the pod's ServiceAccount that it gets.
 requiresRepublish Whether it is called again and again while a volume is mounted.
 seLinuxMount Whether volumes can be mounted with an SELinux label.
 nodeAllocatableUpdatePeriodSeconds How often nodes ask how many volumes they may have.
TokenRequest: A token that a driver gets.
CSINode: The storage drivers of a node.
CSINodeSpec: The drivers.
 drivers Each of them.
CSINodeDriver: A driver on a node.
 nodeID What the driver calls the node.
 topologyKeys Labels that say where the node is, for the driver.
 allocatable How many volumes the node may have.
VolumeNodeResources: How many volumes a node may have.
 count How many.
CSIStorageCapacity: How much room a driver has in one place.
 nodeTopology The nodes of the place.
 storageClassName The class that it is about.
 maximumVolumeSize The largest volume that can be made.
"""
