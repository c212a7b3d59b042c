"""What all groups share: metadata, selectors, conditions, and fields that mean the same wherever they stand."""

TEXT = """
*: Every type that says nothing else.
 apiVersion The group and version in which the object is written, such as apps/v1.
 kind The kind of the object, in CamelCase.
 metadata The object's name, labels and other data that every object has.
 spec What is wanted; whoever looks after the object works towards it.
 status What was last seen of the object; written by whoever looks after it, not by its users.
 items The objects of the list.
 conditions What holds of the object at present, by type.
 type Which of the possible kinds this is.
 reason A word in CamelCase for why, made for programs.
 message Why, in words made for people.
 lastTransitionTime When the status last became another one.
 lastUpdateTime When this was last written.
 lastProbeTime When this was last looked at.
 observedGeneration The generation of the object that this was computed for.
 name The name of what is meant.
 namespace The namespace of what is meant.
 labels Names and values by which the object can be selected.
 selector Which objects are meant, by their labels.
 template The pods that are made from this.
 replicas How many pods there are to be.
 minReadySeconds How long a new pod must be ready without a crash before it counts as available, in seconds.
 revisionHistoryLimit How many old revisions are kept to roll back to.
 collisionCount How many generated names were taken; used to find a free one.
 fsType The file system on the volume, such as ext4; what the host chooses if it is left out.
 readOnly Whether nothing may be written there.
 secretRef The Secret with the credentials.
 optional Whether it may be missing.
 defaultMode The permission bits of files that have none of their own; 0644 if left out.
 items.mode The permission bits of the file.
 verbs What may be done, such as get or list; * stands for everything.
 apiGroups The API groups that are meant; an empty name is the core group.
 apiGroup The API group of what is meant; empty for the core group.
 resources The resources that are meant, by their plural names.
 groups The groups that the user belongs to.
 uid The identity of what is meant, which no other object ever has.
 extra More about the user, by key.
 operator How key and values are compared.
 values The values to compare with.
 key The label or key that is looked at.
 matchExpressions Requirements that all have to hold.
 labelSelector Which objects are meant, by their labels.
 namespaceSelector Which namespaces are meant, by their labels.
 podSelector Which pods are meant, by their labels; an empty selector means all.
 protocol TCP, UDP or SCTP.
 port The number of the port.
 ip The IP address.
 hostname The host name.
 volumeID The identity of the volume at its provider.
 volumeName The name of the volume.
 monitors The addresses of the storage cluster's monitors.
 user The user as whom it is reached.
 path The path that is meant.
 partition The partition of the disk; zero or nothing for the whole disk.
 driver The name of the driver.
 options Further settings for the driver.
 attributes Further settings.
 lun The logical unit number.
 message.detail Why, in words.
 error What went wrong.
 caBundle The certificates, in PEM, that the server's own is checked with.
 expression What is evaluated, in CEL.
 service The Service that is meant.
 url Where it is reached.
 weight How much this counts, from 1 to 100.
 preference What is preferred.
 target What is aimed at.
 metric The metric, by its name and selector.
 current The present value.
 averageValue The value per pod, on average.
 averageUtilization The use per pod on average, in percent of what the pods request.
 value The value.
 container The name of the container.
 rules The rules; any one of them is enough.
 ports The ports.
 limits The most that may be used.
 requests What is set aside.
 command The program and its arguments.
 host The host that is connected to.
 scheme HTTP or HTTPS.
 timeoutSeconds How long to wait for an answer, in seconds.
 disk The disk.
 storagePolicyName The storage policy's name.
 description What it is, in words.
 generation A number that grows with each change of what is wanted.
 matchLabels Labels that must all be there with these values.
 namespaces The namespaces that are meant.
 audiences Whom a token is meant for.
 audience Whom the token is meant for.
 expirationSeconds How long it is to be valid, in seconds.
 parameters Settings that only the provider understands.
 mountOptions Options that it is mounted with, such as ro.
 capacity How much there is.
 nodeName The name of the node.
 time When it happened.
ObjectMeta: What every object has: its name, its identity, and what is said about it.
 name The name, unique among the objects of the kind in the namespace; it cannot change.
 generateName The beginning of a name whose end the server draws, if no name is given.
 namespace The namespace that the object is in; empty for what belongs to the whole cluster.
 selfLink No longer set.
 uid The identity that the server gave the object; one of the same name made later has another.
 resourceVersion The state of the object, as an opaque text; an update with it fails if somebody else was faster.
 generation A number that the server raises with each change of the spec.
 creationTimestamp When the object was made, by the server's clock.
 deletionTimestamp When the object is to be gone; set by the server when somebody deletes it.
 deletionGracePeriodSeconds How long the object has for ending itself after its deletion, in seconds.
 labels Names and values by which the object can be selected.
 annotations Names and values for people and programs, by which nothing is selected.
 ownerReferences The objects that this one belongs to; when all are gone it is deleted too.
 finalizers Who has still something to do before a deleted object may go.
 managedFields Who set which fields last, for server-side apply.
OwnerReference: An object that another one belongs to, in the same namespace or of the whole cluster.
 apiVersion The group and version of the owner.
 kind The owner's kind.
 name The owner's name.
 uid The owner's identity.
 controller Whether the owner is the one that manages the object.
 blockOwnerDeletion Whether the owner, deleted in the foreground, waits until this object is gone.
ManagedFieldsEntry: The fields that one manager set by one kind of operation.
 manager Who set them.
 operation Apply, or Update for everything else.
 apiVersion The version in which the fields were written.
 time When the manager last changed what it owns.
 fieldsType The form of the set of fields, FieldsV1.
 fieldsV1 The set of fields.
 subresource Through which subresource they were set; empty for the object itself.
LabelSelector: Selects objects by their labels; everything in it has to hold, and an empty one selects all.
 matchExpressions Requirements that all have to hold.
LabelSelectorRequirement: What is required of one label.
 key The label's name.
 operator In, NotIn, Exists or DoesNotExist.
 values The values for In and NotIn; nothing for the others.
FieldSelectorRequirement: What is required of one field.
 key The field's path.
 operator In, NotIn, Exists or DoesNotExist.
Condition: Something that holds of an object, or does not.
 type What the condition is about.
 status True, False or Unknown.
Status: The answer to a request that has no object to give.
 status Success or Failure.
 details What the answer is about, and every cause.
 code The HTTP status code.
ListMeta: What a list has of its own.
 selfLink No longer set.
 resourceVersion The state that the list shows; a watch can go on from it.
 continue Asks for the rest of the list, if there is more.
 remainingItemCount How many objects are left after this part, if that is known.
StatusDetails: What an answer is about.
 causes Everything that was wrong.
 retryAfterSeconds How long to wait before the request is sent again.
 kind The resource, or kind, that is meant.
 group The API group of what is meant.
StatusCause: One thing that was wrong.
 field The path of the field that it is about.
DeleteOptions: How something is to be deleted.
 gracePeriodSeconds How long it may take to end, in seconds; 0 for at once.
 preconditions What must hold, or nothing is deleted.
 orphanDependents Older form of propagationPolicy.
 propagationPolicy What becomes of the objects that belong to it: Orphan, Background or Foreground.
 dryRun All, if nothing is really to be deleted.
 ignoreStoreReadErrorWithClusterBreakingPotential Whether an object that cannot be read any more is deleted anyway.
Preconditions: What must hold of an object before it is deleted.
 uid The identity that it must have.
 resourceVersion The state that it must be in.
"""
