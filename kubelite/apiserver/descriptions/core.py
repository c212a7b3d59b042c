"""core/v1: pods and what they need, services, nodes, volumes, configuration."""

TEXT = """
Binding: Puts one object in the place of another: a pod on a node.
 target The node.
ObjectReference: Names another object.
 fieldPath The part of the object that is meant, such as spec.containers{app}.
 resourceVersion The state that is meant.
ComponentStatus: Whether a part of the control plane is well. Deprecated.
ComponentCondition: What holds of a part of the control plane.
 type Healthy.
 status True if it is well.
ConfigMap: Settings for pods, as text or bytes by key.
 immutable Whether data may never change again.
 data The settings that are text.
 binaryData The settings that are bytes.
Endpoints: The addresses behind a Service. Deprecated: EndpointSlices tell them too, and more.
 subsets Addresses, grouped by their ports.
EndpointSubset: Addresses that have the same ports.
 addresses Those that are ready for traffic.
 notReadyAddresses Those that are not ready yet, or any more.
 ports The ports of every address.
EndpointAddress: One address behind a Service.
 targetRef The object at that address, such as a pod.
core_v1.EndpointPort: One port of the addresses.
 name The name of the Service's port that leads here.
 appProtocol What is spoken on the port, such as https.
core_v1.Event: Something that happened to an object, told to people; it goes after an hour.
 involvedObject What it happened to.
 source Who saw it.
 firstTimestamp When it was first seen.
 lastTimestamp When it was last seen.
 count How often it was seen.
 type Normal or Warning.
 eventTime When it was first seen, to the microsecond.
 series How it went on, if it happened again and again.
 action What was being done.
 related Another object that has to do with it.
 reportingComponent The controller that tells it.
 reportingInstance Which instance of that controller.
EventSource: Who saw an event.
 component The part of the cluster.
 host The node that it runs on.
core_v1.EventSeries: Events of one kind that follow each other.
 count How many there were by now.
 lastObservedTime When the last one was seen.
LimitRange: Bounds and defaults for the resources of single pods, containers and claims in a namespace.
LimitRangeSpec: The bounds.
 limits One for each type of object.
LimitRangeItem: Bounds for objects of one type.
 type Pod, Container or PersistentVolumeClaim.
 max The most that one may ask for.
 min The least that one must ask for.
 default The limits of a container that states none.
 defaultRequest The requests of a container that states none.
 maxLimitRequestRatio How many times its request a limit may be.
Namespace: A room of its own for names, rights and quotas.
NamespaceSpec: How a namespace ends.
 finalizers Who has to be done before the namespace may go.
NamespaceStatus: Whether the namespace can be used.
 phase Active, or Terminating while it is emptied.
NamespaceCondition: What holds of a namespace, mostly why it cannot go yet.
Node: A machine that runs pods.
NodeSpec: How the node is used.
 podCIDR The addresses of the node's pods.
 podCIDRs The same for each address family.
 providerID The machine's identity at its provider.
 unschedulable Whether no new pods are put there.
 taints What keeps pods away that do not tolerate it.
 configSource No longer used.
 externalID No longer used.
Taint: Keeps pods away from a node unless they tolerate it.
 key The taint's name.
 value The taint's value.
 effect NoSchedule, PreferNoSchedule, or NoExecute, which also drives running pods away.
 timeAdded When it was put there.
NodeConfigSource: Where a node's settings came from. No longer used.
 configMap The ConfigMap that held them.
ConfigMapNodeConfigSource: A ConfigMap with a node's settings. No longer used.
 kubeletConfigKey The key that held them.
 resourceVersion The state that was meant.
NodeStatus: What the node says of itself.
 capacity What the machine has.
 allocatable What pods may use of it.
 phase No longer used.
 addresses How the node is reached.
 daemonEndpoints Where the node's services listen.
 nodeInfo The machine and its software.
 images The images that are there.
 volumesInUse Attachable volumes that pods use there.
 volumesAttached Volumes that are attached to the node.
 config How settings from a ConfigMap were taken up. No longer used.
 runtimeHandlers The runtimes that the node offers.
 features What the container runtime can do.
NodeCondition: What holds of a node, such as Ready.
 type Ready, MemoryPressure, DiskPressure, PIDPressure or NetworkUnavailable.
 lastHeartbeatTime When the node last said so.
NodeAddress: One way to reach a node.
 type Hostname, InternalIP, ExternalIP, InternalDNS or ExternalDNS.
 address The address.
NodeDaemonEndpoints: Where services of the node listen.
 kubeletEndpoint The kubelet's HTTPS API.
DaemonEndpoint: Where one service listens.
 Port The port.
NodeSystemInfo: A machine and its software.
 machineID The identity of the installed system.
 systemUUID The identity of the hardware.
 bootID Another one after every boot.
 kernelVersion The kernel's release.
 osImage The system's name and version.
 containerRuntimeVersion The container runtime and its version.
 kubeletVersion The kubelet's version.
 kubeProxyVersion No longer told truthfully.
 operatingSystem linux or windows.
 architecture The processor, such as amd64.
 swap How much swap there is.
NodeSwapStatus: The machine's swap.
 capacity Its size in bytes.
ContainerImage: An image on a node.
 names The names that it goes by.
 sizeBytes Its size.
AttachedVolume: A volume that is attached to a node.
 devicePath The device that it is.
NodeConfigStatus: Settings from a ConfigMap. No longer used.
 assigned What the node was told to use.
 active What the node uses.
 lastKnownGood What the node goes back to.
NodeRuntimeHandler: One runtime that a node offers.
 features What it can do.
NodeRuntimeHandlerFeatures: What a runtime can do.
 recursiveReadOnlyMounts Whether mounts can be read-only with everything below.
 userNamespaces Whether pods can have users of their own.
NodeFeatures: What a node's container runtime can do.
 supplementalGroupsPolicy Whether pods can choose how supplementary groups are put together.
PersistentVolumeClaim: Asks for storage; it is bound to a volume that has what it asks for.
PersistentVolumeClaimSpec: The storage that is wanted.
 accessModes How it is to be mounted, such as ReadWriteOnce.
 resources How much is wanted.
 selector Which volumes come into question.
 volumeName The volume that the claim is bound to.
 storageClassName The class of the storage; empty for none, left out for the default one.
 volumeMode Filesystem, or Block for a bare device.
 dataSource What the volume is filled from: a snapshot or another claim.
 dataSourceRef The same, and any other object that a populator knows.
 volumeAttributesClassName The class of settings that can change later.
VolumeResourceRequirements: How much storage is wanted.
TypedLocalObjectReference: Names an object of the same namespace.
TypedObjectReference: Names an object, perhaps of another namespace.
PersistentVolumeClaimStatus: What the claim got.
 phase Pending, Bound or Lost.
 accessModes How the volume can be mounted.
 allocatedResources What is being made room for during a resize.
 allocatedResourceStatuses How far a resize is.
 currentVolumeAttributesClassName The class that is in force.
 modifyVolumeStatus How far a change of class is.
PersistentVolumeClaimCondition: What holds of a claim, mostly during a resize.
ModifyVolumeStatus: A change of a volume's class under way.
 targetVolumeAttributesClassName The class that is wanted.
 status Pending, InProgress or Infeasible.
PersistentVolume: A piece of storage of the cluster that a claim can be bound to.
PersistentVolumeSpec: Where the storage is, and how it may be used.
 accessModes All the ways in which it can be mounted.
 claimRef The claim that it is bound to.
 persistentVolumeReclaimPolicy What becomes of it when its claim is gone: Retain, Delete or Recycle.
 storageClassName The class that it belongs to.
 volumeMode Filesystem, or Block for a bare device.
 nodeAffinity The nodes from which it can be reached.
 volumeAttributesClassName The class of settings that can change later.
 hostPath A directory of the node; for tests on a single node.
 local A disk or directory of one node.
 nfs A share of an NFS server.
 iscsi A disk of an iSCSI target.
 fc A Fibre Channel disk.
 csi Storage of a driver that speaks the Container Storage Interface.
 gcePersistentDisk A Google disk. Deprecated.
 awsElasticBlockStore An Amazon disk. Deprecated.
 glusterfs A Gluster volume. Deprecated.
 rbd A Ceph block device. Deprecated.
 cinder An OpenStack volume. Deprecated.
 cephfs A Ceph file system. Deprecated.
 flocker A Flocker volume. Deprecated.
 flexVolume A volume of an exec-based driver. Deprecated.
 azureFile An Azure file share. Deprecated.
 vsphereVolume A vSphere disk. Deprecated.
 quobyte A Quobyte volume. Deprecated.
 azureDisk An Azure disk. Deprecated.
 photonPersistentDisk A Photon disk. Deprecated.
 portworxVolume A Portworx volume. Deprecated.
 scaleIO A ScaleIO volume. Deprecated.
 storageos A StorageOS volume. Deprecated.
PersistentVolumeStatus: Whether the volume can be used.
 phase Available, Bound, Released, Failed or Pending.
 lastPhaseTransitionTime When the phase last changed.
GCEPersistentDiskVolumeSource: A Google disk. Deprecated.
 pdName The disk's name.
AWSElasticBlockStoreVolumeSource: An Amazon disk. Deprecated.
HostPathVolumeSource: A file or directory of the node.
 type What must be there, such as Directory; left out, nothing is checked.
GlusterfsPersistentVolumeSource: A Gluster volume. Deprecated.
 endpoints The Endpoints with its servers.
 endpointsNamespace The namespace of those Endpoints.
NFSVolumeSource: A share of an NFS server.
 server The server's name or address.
 path The exported path.
RBDPersistentVolumeSource: A Ceph block device. Deprecated.
 image The image.
 pool The pool that it is in.
 keyring The path of the key ring.
SecretReference: Names a Secret of any namespace.
ISCSIPersistentVolumeSource: A disk of an iSCSI target.
 targetPortal The target's address and port.
 iqn The target's name.
 iscsiInterface The interface that is used.
 portals Further addresses of the target.
 chapAuthDiscovery Whether discovery asks for credentials.
 chapAuthSession Whether sessions ask for credentials.
 initiatorName The initiator's own name.
CinderPersistentVolumeSource: An OpenStack volume. Deprecated.
CephFSPersistentVolumeSource: A Ceph file system. Deprecated.
 secretFile The path of the key ring.
FCVolumeSource: A Fibre Channel disk.
 targetWWNs The target's worldwide names.
 wwids The disk's worldwide identities.
FlockerVolumeSource: A Flocker volume. Deprecated.
 datasetName The data set's name.
 datasetUUID The data set's identity.
FlexPersistentVolumeSource: A volume of an exec-based driver. Deprecated.
AzureFilePersistentVolumeSource: An Azure file share. Deprecated.
 secretName The Secret with the account.
 shareName The share.
 secretNamespace The namespace of the Secret.
VsphereVirtualDiskVolumeSource: A vSphere disk. Deprecated.
 volumePath The disk's path.
 storagePolicyID The storage policy's identity.
QuobyteVolumeSource: A Quobyte volume. Deprecated.
 registry The registry's addresses.
 volume The volume's name.
 group The group as which it is reached.
 tenant The tenant that it belongs to.
AzureDiskVolumeSource: An Azure disk. Deprecated.
 diskName The disk's name.
 diskURI Where the disk is.
 cachingMode None, ReadOnly or ReadWrite.
 kind Shared, Dedicated or Managed.
PhotonPersistentDiskVolumeSource: A Photon disk. Deprecated.
 pdID The disk's identity.
PortworxVolumeSource: A Portworx volume. Deprecated.
ScaleIOPersistentVolumeSource: A ScaleIO volume. Deprecated.
 gateway The gateway's address.
 system The storage system.
 sslEnabled Whether the gateway speaks TLS.
 protectionDomain The protection domain.
 storagePool The storage pool.
 storageMode Thick or thin.
LocalVolumeSource: A disk or directory of one node.
 path The device or directory on the node.
StorageOSPersistentVolumeSource: A StorageOS volume. Deprecated.
 volumeNamespace The namespace of the volume there.
CSIPersistentVolumeSource: Storage of a driver that speaks the Container Storage Interface.
 volumeHandle The volume's identity at the driver.
 volumeAttributes What the driver said of the volume when it made it.
 controllerPublishSecretRef The Secret for attaching the volume.
 nodeStageSecretRef The Secret for preparing it on a node.
 nodePublishSecretRef The Secret for mounting it into a pod.
 controllerExpandSecretRef The Secret for growing it.
 nodeExpandSecretRef The Secret for growing it on a node.
VolumeNodeAffinity: The nodes from which a volume can be reached.
 required Terms, of which one has to hold.
NodeSelector: Selects nodes; one term is enough.
 nodeSelectorTerms The terms.
NodeSelectorTerm: Requirements that all have to hold of a node.
 matchExpressions What its labels must be.
 matchFields What its fields must be; only metadata.name is known.
NodeSelectorRequirement: What is required of one label or field of a node.
 operator In, NotIn, Exists, DoesNotExist, Gt or Lt.
Pod: Containers that run together on one node, with one network address and shared volumes.
PodSpec: The pod that is wanted.
 volumes Storage that containers can mount.
 initContainers Containers that run to their end in turn before the others start; with restartPolicy Always, beside them.
 containers The containers; at least one.
 ephemeralContainers Containers that were put in later, to look around.
 restartPolicy Whether ended containers start again: Always, OnFailure or Never.
 terminationGracePeriodSeconds How long the containers have between SIGTERM and SIGKILL; 30 if left out.
 activeDeadlineSeconds After how many seconds the pod is ended as failed.
 dnsPolicy Where names are looked up: ClusterFirst, ClusterFirstWithHostNet, Default or None.
 nodeSelector Labels that the node must have.
 serviceAccountName The ServiceAccount as which the pod acts.
 serviceAccount Older name of serviceAccountName.
 automountServiceAccountToken Whether a token of the ServiceAccount is put into the containers.
 nodeName The node; set by the scheduler.
 hostNetwork Whether the pod uses the node's network itself.
 hostPID Whether the pod sees the node's processes.
 hostIPC Whether the pod shares the node's IPC.
 shareProcessNamespace Whether the containers see each other's processes.
 securityContext Users, groups and the like for all containers.
 imagePullSecrets Secrets with credentials for image registries.
 hostname The pod's host name; its own name if left out.
 subdomain The name of a headless Service below which the pod has a DNS name.
 affinity Which nodes it wants, and which pods near it or far from it.
 schedulerName Who chooses the node.
 tolerations Taints of nodes that do not keep the pod away.
 hostAliases Further lines of /etc/hosts.
 priorityClassName How important the pod is, by the name of a PriorityClass.
 priority The number behind that; higher goes first.
 dnsConfig Further settings of the resolver.
 readinessGates Conditions that must hold, besides those of the containers, before the pod is ready.
 runtimeClassName The RuntimeClass that says how containers are run.
 enableServiceLinks Whether containers have environment variables about Services.
 preemptionPolicy Whether less important pods may be removed for it: PreemptLowerPriority or Never.
 overhead What running the pod costs beside its containers.
 topologySpreadConstraints How the pods of a group are spread over zones or nodes.
 setHostnameAsFQDN Whether the host name is the whole DNS name.
 os The operating system that the pod is made for.
 hostUsers Whether users of the containers are those of the node; false gives the pod its own.
 schedulingGates What must be removed before the pod is scheduled.
 resourceClaims Devices that the pod claims.
 resources Resources of the pod as a whole.
Volume: Storage that the containers of a pod can mount; exactly one source is given.
 name The name by which containers mount it.
 hostPath A file or directory of the node.
 emptyDir A directory that lives as long as the pod.
 secret The keys of a Secret as files.
 configMap The keys of a ConfigMap as files.
 downwardAPI What is known of the pod, as files.
 projected Several of these in one directory.
 persistentVolumeClaim The volume of a claim.
 ephemeral A claim of its own, made and removed with the pod.
 csi Storage of a driver for this pod only.
 image The content of an image.
 nfs A share of an NFS server.
 iscsi A disk of an iSCSI target.
 fc A Fibre Channel disk.
 gitRepo A git repository. Deprecated.
 gcePersistentDisk A Google disk. Deprecated.
 awsElasticBlockStore An Amazon disk. Deprecated.
 glusterfs A Gluster volume. Deprecated.
 rbd A Ceph block device. Deprecated.
 flexVolume A volume of an exec-based driver. Deprecated.
 cinder An OpenStack volume. Deprecated.
 cephfs A Ceph file system. Deprecated.
 flocker A Flocker volume. Deprecated.
 azureFile An Azure file share. Deprecated.
 vsphereVolume A vSphere disk. Deprecated.
 quobyte A Quobyte volume. Deprecated.
 azureDisk An Azure disk. Deprecated.
 photonPersistentDisk A Photon disk. Deprecated.
 portworxVolume A Portworx volume. Deprecated.
 scaleIO A ScaleIO volume. Deprecated.
 storageos A StorageOS volume. Deprecated.
EmptyDirVolumeSource: A directory that is empty when the pod starts and gone when it ends.
 medium Memory for a file system in memory; empty for the node's disk.
 sizeLimit How large it may become.
GitRepoVolumeSource: A git repository. Deprecated.
 repository Where it is.
 revision The commit.
 directory Where it is put.
SecretVolumeSource: The keys of a Secret as files.
 secretName The Secret.
 items Which keys become which files; all if left out.
KeyToPath: One key as one file.
 key The key.
 path The file, below the volume.
 mode The permission bits of the file.
ISCSIVolumeSource: A disk of an iSCSI target.
 targetPortal The target's address and port.
 iqn The target's name.
 iscsiInterface The interface that is used.
 portals Further addresses of the target.
 chapAuthDiscovery Whether discovery asks for credentials.
 chapAuthSession Whether sessions ask for credentials.
 initiatorName The initiator's own name.
LocalObjectReference: Names an object of the same namespace.
GlusterfsVolumeSource: A Gluster volume. Deprecated.
 endpoints The Endpoints with its servers.
PersistentVolumeClaimVolumeSource: The volume of a claim.
 claimName The claim, in the pod's namespace.
RBDVolumeSource: A Ceph block device. Deprecated.
 image The image.
 pool The pool that it is in.
 keyring The path of the key ring.
FlexVolumeSource: A volume of an exec-based driver. Deprecated.
CinderVolumeSource: An OpenStack volume. Deprecated.
CephFSVolumeSource: A Ceph file system. Deprecated.
 secretFile The path of the key ring.
DownwardAPIVolumeSource: What is known of the pod, as files.
 items The files.
DownwardAPIVolumeFile: One file about the pod.
 path The file, below the volume.
 fieldRef The pod's field that it holds.
 resourceFieldRef The container's request or limit that it holds.
 mode The permission bits of the file.
ObjectFieldSelector: A field of the pod.
 apiVersion The version in which the path is meant; v1 if left out.
 fieldPath The path, such as metadata.name.
ResourceFieldSelector: A request or limit of a container.
 containerName The container; for variables its own if left out.
 resource What is meant, such as limits.cpu.
 divisor The unit in which it is told.
AzureFileVolumeSource: An Azure file share. Deprecated.
 secretName The Secret with the account.
 shareName The share.
ConfigMapVolumeSource: The keys of a ConfigMap as files.
 items Which keys become which files; all if left out.
ProjectedVolumeSource: Several sources in one directory.
 sources The sources.
VolumeProjection: One source of a projected volume.
 secret Keys of a Secret.
 downwardAPI What is known of the pod.
 configMap Keys of a ConfigMap.
 serviceAccountToken A token of the pod's ServiceAccount, kept fresh.
 clusterTrustBundle Certificates of authorities.
SecretProjection: Keys of a Secret as files.
 items Which keys become which files; all if left out.
DownwardAPIProjection: What is known of the pod, as files.
 items The files.
ConfigMapProjection: Keys of a ConfigMap as files.
 items Which keys become which files; all if left out.
ServiceAccountTokenProjection: A token of the pod's ServiceAccount.
 path The file, below the volume.
ClusterTrustBundleProjection: Certificates of authorities as a file.
 signerName All bundles of this signer.
 path The file, below the volume.
ScaleIOVolumeSource: A ScaleIO volume. Deprecated.
 gateway The gateway's address.
 system The storage system.
 sslEnabled Whether the gateway speaks TLS.
 protectionDomain The protection domain.
 storagePool The storage pool.
 storageMode Thick or thin.
StorageOSVolumeSource: A StorageOS volume. Deprecated.
 volumeNamespace The namespace of the volume there.
CSIVolumeSource: Storage that a driver makes for one pod.
 volumeAttributes Settings for the driver.
 nodePublishSecretRef The Secret with credentials for it.
EphemeralVolumeSource: A claim that is made and removed with its pod.
 volumeClaimTemplate The claim.
PersistentVolumeClaimTemplate: The claim that is made.
ImageVolumeSource: The content of an image, mounted without running it.
 reference The image.
 pullPolicy Always, Never or IfNotPresent.
Container: A program in an image, and how it is run.
 name The name; no other container of the pod has it.
 image The image.
 command The program and its first arguments; that of the image if left out.
 args The arguments; those of the image if left out.
 workingDir The directory that it starts in.
 ports Ports on which it listens, for people and Services.
 envFrom Objects whose keys become environment variables.
 env Environment variables.
 resources What is set aside for it, and the most that it may use.
 resizePolicy Whether it has to restart when its resources change.
 restartPolicy Always makes an init container a sidecar, which runs beside the others.
 volumeMounts Where the pod's volumes are mounted.
 volumeDevices Where bare devices appear.
 livenessProbe Asks whether it has to be restarted.
 readinessProbe Asks whether it may have traffic.
 startupProbe Asks whether it has started; the other probes wait for it.
 lifecycle What is done after it started and before it ends.
 terminationMessagePath The file with its last words.
 terminationMessagePolicy Where its last words are: File, or FallbackToLogsOnError.
 imagePullPolicy Always, Never or IfNotPresent.
 securityContext Users, rights and the like; goes before that of the pod.
 stdin Whether it can be written to.
 stdinOnce Whether its input ends with the first client that was attached.
 tty Whether it has a terminal.
ContainerPort: One port on which a container listens.
 name A name that Services can use.
 hostPort A port of the node that leads to it.
 containerPort The port in the container.
 hostIP The address of the node that hostPort is bound to.
EnvFromSource: An object whose keys become environment variables.
 prefix What is put before each name.
 configMapRef The ConfigMap.
 secretRef The Secret.
ConfigMapEnvSource: A ConfigMap whose keys become environment variables.
SecretEnvSource: A Secret whose keys become environment variables.
EnvVar: An environment variable.
 name The variable's name.
 value Its value; $(NAME) stands for another variable.
 valueFrom Where its value comes from instead.
EnvVarSource: Where the value of a variable comes from.
 fieldRef A field of the pod.
 resourceFieldRef A request or limit of the container.
 configMapKeyRef A key of a ConfigMap.
 secretKeyRef A key of a Secret.
ConfigMapKeySelector: A key of a ConfigMap.
 key The key.
SecretKeySelector: A key of a Secret.
 key The key.
ResourceRequirements: What is set aside for a container, and the most that it may use.
 limits The most that it may use of each resource.
 requests What is set aside of each resource; the limits if left out.
 claims The devices that it uses, out of the pod's.
ResourceClaim: A device of the pod.
 name The claim's name in the pod.
 request The request within the claim; all if left out.
ContainerResizePolicy: What a change of one resource means.
 resourceName The resource, cpu or memory.
 restartPolicy NotRequired or RestartContainer.
VolumeMount: Where a volume appears in a container.
 name The volume.
 recursiveReadOnly Whether that is so for mounts below too: Disabled, IfPossible or Enabled.
 mountPath Where it is mounted.
 subPath The part of the volume that is mounted.
 mountPropagation Whether mounts made later are seen on the other side: None, HostToContainer or Bidirectional.
 subPathExpr The same as subPath, with $(NAME) for variables.
VolumeDevice: Where a bare device appears in a container.
 name The claim's volume.
 devicePath The path of the device.
Probe: A question that a container is asked again and again.
 exec A command that must end with 0.
 httpGet An HTTP request that must be answered with 200 to 399.
 tcpSocket A port that must be open.
 grpc A health check over gRPC.
 initialDelaySeconds How long after the start the first question waits.
 periodSeconds How often it is asked; 10 if left out.
 successThreshold How many good answers in a row are needed.
 failureThreshold How many bad answers in a row count as failure.
 terminationGracePeriodSeconds How long the container has to end after a failure.
ExecAction: A command in the container.
HTTPGetAction: An HTTP request to the container.
 path The path.
 port The port, by number or name.
 host The host; the pod's address if left out.
 httpHeaders Header fields to send.
HTTPHeader: One header field.
 name The field's name.
 value The field's value.
TCPSocketAction: A connection to a port.
 port The port, by number or name.
 host The host; the pod's address if left out.
GRPCAction: A health check over gRPC.
 service The service that is asked about.
Lifecycle: What is done at the beginning and the end of a container.
 postStart Done right after it was made; if it fails the container is killed.
 preStop Done before it is ended.
 stopSignal The signal that ends it.
LifecycleHandler: One thing to do.
 exec A command.
 httpGet An HTTP request.
 tcpSocket Kept for old clients; does nothing.
 sleep A pause.
SleepAction: A pause.
 seconds How long.
SecurityContext: As whom and with which rights a container runs.
 capabilities Capabilities to add or drop.
 privileged Whether it may do on the node what root may.
 seLinuxOptions Its SELinux label.
 windowsOptions Settings for Windows.
 runAsUser The user's number.
 runAsGroup The group's number.
 runAsNonRoot Whether it may not start as root.
 readOnlyRootFilesystem Whether it may not write outside its volumes.
 allowPrivilegeEscalation Whether a process may gain more rights than its parent has.
 procMount How /proc is mounted: Default or Unmasked.
 seccompProfile Which system calls it may make.
 appArmorProfile Its AppArmor profile.
Capabilities: Capabilities of Linux to add and to drop.
 add Those that are added.
 drop Those that are taken away; ALL for every one.
SELinuxOptions: An SELinux label.
 user The user part.
 role The role part.
 type The type part.
 level The level part.
WindowsSecurityContextOptions: Settings for Windows containers.
 gmsaCredentialSpecName The name of the credential spec.
 gmsaCredentialSpec The credential spec itself.
 runAsUserName The user's name.
 hostProcess Whether it runs as a process of the host.
SeccompProfile: Which system calls may be made.
 type RuntimeDefault, Localhost or Unconfined.
 localhostProfile The profile's file on the node.
AppArmorProfile: An AppArmor profile.
 type RuntimeDefault, Localhost or Unconfined.
 localhostProfile The profile's name on the node.
EphemeralContainer: A container that is put into a running pod to look around.
 name The name; no other container of the pod has it.
 image The image.
 command The program and its first arguments; that of the image if left out.
 args The arguments; those of the image if left out.
 workingDir The directory that it starts in.
 ports Not allowed here.
 envFrom Objects whose keys become environment variables.
 env Environment variables.
 resources Not allowed here.
 resizePolicy Not allowed here.
 restartPolicy Not allowed here.
 volumeMounts Where the pod's volumes are mounted.
 volumeDevices Where bare devices appear.
 livenessProbe Not allowed here.
 readinessProbe Not allowed here.
 startupProbe Not allowed here.
 lifecycle Not allowed here.
 terminationMessagePath The file with its last words.
 terminationMessagePolicy Where its last words are: File, or FallbackToLogsOnError.
 imagePullPolicy Always, Never or IfNotPresent.
 securityContext Users, rights and the like.
 stdin Whether it can be written to.
 stdinOnce Whether its input ends with the first client that was attached.
 tty Whether it has a terminal.
 targetContainerName The container whose processes it sees.
PodSecurityContext: As whom the containers of a pod run, unless they say otherwise.
 seLinuxOptions The SELinux label.
 windowsOptions Settings for Windows.
 runAsUser The user's number.
 runAsGroup The group's number.
 runAsNonRoot Whether containers may not start as root.
 supplementalGroups Further groups of the first process.
 supplementalGroupsPolicy Whether the groups of the image count too: Merge or Strict.
 fsGroup The group that owns the pod's volumes.
 sysctls Kernel settings of the pod's own.
 fsGroupChangePolicy When owners on volumes are changed: Always or OnRootMismatch.
 seccompProfile Which system calls may be made.
 appArmorProfile The AppArmor profile.
 seLinuxChangePolicy How volumes get their SELinux label: Recursive or MountOption.
Sysctl: A kernel setting.
 name The setting's name.
 value Its value.
Affinity: Where a pod wants to be.
 nodeAffinity Which nodes.
 podAffinity Near which pods.
 podAntiAffinity Far from which pods.
NodeAffinity: Which nodes a pod wants.
 requiredDuringSchedulingIgnoredDuringExecution Nodes that alone come into question.
 preferredDuringSchedulingIgnoredDuringExecution Nodes that are better than others.
PreferredSchedulingTerm: Nodes that are better than others.
PodAffinity: Near which pods a pod wants to be.
 requiredDuringSchedulingIgnoredDuringExecution Pods that have to be near.
 preferredDuringSchedulingIgnoredDuringExecution Pods that should be near.
PodAffinityTerm: A group of pods, and what near means.
 topologyKey The label of nodes whose value says what is near.
 matchLabelKeys Labels of the new pod that the others must have with the same value.
 mismatchLabelKeys Labels of the new pod that the others must have with another value.
WeightedPodAffinityTerm: Pods that should be near, or far.
 podAffinityTerm The pods.
PodAntiAffinity: Far from which pods a pod wants to be.
 requiredDuringSchedulingIgnoredDuringExecution Pods that have to be far.
 preferredDuringSchedulingIgnoredDuringExecution Pods that should be far.
Toleration: A taint that does not keep the pod away.
 key The taint's name; every taint if left out.
 operator Equal, or Exists for any value.
 value The taint's value.
 effect The taint's effect; every effect if left out.
 tolerationSeconds How long a NoExecute taint is borne; for ever if left out.
HostAlias: A line of /etc/hosts.
 hostnames The names of the address.
PodDNSConfig: Settings of the resolver.
 nameservers Servers to ask.
 searches Domains to search.
 options Options of the resolver.
PodDNSConfigOption: An option of the resolver.
 name The option's name.
 value The option's value.
PodReadinessGate: A condition that the pod's readiness waits for.
 conditionType The condition's type.
TopologySpreadConstraint: How pods of a group are spread.
 maxSkew By how many pods two places may differ.
 topologyKey The label of nodes whose value says what one place is.
 whenUnsatisfiable DoNotSchedule, or ScheduleAnyway.
 minDomains How many places there must be at least.
 nodeAffinityPolicy Whether nodes that the pod does not want count: Honor or Ignore.
 nodeTaintsPolicy Whether nodes with taints count: Honor or Ignore.
 matchLabelKeys Labels of the new pod whose values make the group.
PodOS: The operating system that a pod is made for.
 name linux or windows.
PodSchedulingGate: Something that scheduling waits for.
 name The gate's name.
PodResourceClaim: Devices that a pod claims.
 name The name by which containers use it.
 resourceClaimName The claim.
 resourceClaimTemplateName The template that a claim is made from.
PodStatus: How the pod is.
 phase Pending, Running, Succeeded, Failed or Unknown.
 nominatedNodeName The node that is being cleared for the pod.
 hostIP The address of its node.
 hostIPs The same for each address family.
 podIP The pod's address.
 podIPs The same for each address family.
 startTime When the kubelet took it up.
 initContainerStatuses How the init containers are.
 containerStatuses How the containers are.
 qosClass Guaranteed, Burstable or BestEffort, after requests and limits.
 ephemeralContainerStatuses How the ephemeral containers are.
 resize How far a change of resources is.
 resourceClaimStatuses The claims that were made for it.
PodCondition: What holds of a pod.
 type PodScheduled, Initialized, ContainersReady, Ready and others.
 status True, False or Unknown.
HostIP: An address of the node.
PodIP: An address of the pod.
ContainerStatus: How a container is.
 state What it is doing.
 lastState How it ended the last time.
 ready Whether it may have traffic.
 restartCount How often it was started again.
 image The image that it runs.
 imageID The same by its digest.
 containerID Its identity at the runtime.
 started Whether it has started.
 allocatedResources What the node set aside for it.
 resources What is in force.
 volumeMounts How its volumes are mounted.
 user As whom it runs.
 allocatedResourcesStatus The health of its devices.
 stopSignal The signal that ends it.
ContainerState: What a container is doing: one of these.
 waiting It has not started.
 running It runs.
 terminated It has ended.
ContainerStateWaiting: A container that has not started.
ContainerStateRunning: A container that runs.
 startedAt Since when.
ContainerStateTerminated: A container that has ended.
 exitCode What it ended with.
 signal The signal that ended it.
 startedAt When it started.
 finishedAt When it ended.
 containerID Its identity at the runtime.
VolumeMountStatus: How a volume is mounted.
 mountPath Where it is mounted.
 recursiveReadOnly Whether mounts below are read-only too.
ContainerUser: As whom a container runs.
 linux On Linux.
LinuxContainerUser: As whom a container runs on Linux.
 uid The user's number.
 gid The group's number.
 supplementalGroups Further groups.
ResourceStatus: The health of the devices of one resource.
ResourceHealth: The health of one device.
 resourceID The device.
 health Healthy, Unhealthy or Unknown.
PodResourceClaimStatus: The claim that was made for a pod.
 resourceClaimName The claim.
PodTemplate: A description of pods, kept by itself.
PodTemplateSpec: What pods made from it look like.
 metadata Their labels and annotations.
 spec What is wanted of them.
ReplicationController: Keeps a number of pods running. Deployments do more.
ReplicationControllerSpec: The pods that are wanted.
 selector Labels of the pods that count.
ReplicationControllerStatus: The pods that there are.
 replicas How many there are.
 fullyLabeledReplicas How many of them have all labels of the template.
 readyReplicas How many of them are ready.
 availableReplicas How many have been ready for long enough.
ReplicationControllerCondition: What holds of a ReplicationController.
ResourceQuota: The most that a namespace may use.
ResourceQuotaSpec: The most of each resource, and what counts.
 hard The most of each resource.
 scopes Only objects count to which all of these apply.
 scopeSelector The same with operators and values.
ScopeSelector: What counts.
 matchExpressions Requirements that all have to hold.
ScopedResourceSelectorRequirement: What is required of one scope.
 scopeName The scope, such as PriorityClass.
 operator In, NotIn, Exists or DoesNotExist.
ResourceQuotaStatus: What is used.
 hard The most of each resource, as it is enforced.
 used What is used of each.
Secret: Something secret for pods, as bytes by key.
 immutable Whether data may never change again.
 data The values, in base64.
 stringData Values as text; put into data, and never shown.
 type What it is for, such as kubernetes.io/tls; says which keys must be there.
ServiceAccount: An identity for programs.
 secrets Secrets that its pods may use.
 imagePullSecrets Secrets with credentials for image registries.
 automountServiceAccountToken Whether its pods get a token.
Service: One lasting address and name for a changing group of pods.
ServiceSpec: How the Service is reached, and what is behind it.
 ports The ports that it listens on.
 selector Labels of the pods behind it; without any somebody else tells its endpoints.
 clusterIP Its address in the cluster; None for a headless Service.
 clusterIPs The same for each address family.
 type ClusterIP, NodePort, LoadBalancer or ExternalName.
 externalIPs Further addresses whose traffic nodes take for it.
 sessionAffinity Whether a client always reaches the same pod: None or ClientIP.
 loadBalancerIP The address wanted of the load balancer. Deprecated.
 loadBalancerSourceRanges From where the load balancer takes traffic.
 externalName The name that an ExternalName Service stands for.
 externalTrafficPolicy Whether traffic from outside goes to pods of the same node only: Cluster or Local.
 healthCheckNodePort The port on which load balancers ask nodes for pods.
 publishNotReadyAddresses Whether pods that are not ready count too.
 sessionAffinityConfig How long a client reaches the same pod.
 ipFamilies IPv4, IPv6 or both.
 ipFamilyPolicy SingleStack, PreferDualStack or RequireDualStack.
 allocateLoadBalancerNodePorts Whether a load balancer needs ports of the nodes.
 loadBalancerClass Which load balancer is meant.
 internalTrafficPolicy Whether traffic from inside goes to pods of the same node only: Cluster or Local.
 trafficDistribution Which pods are better for a client, such as PreferClose.
ServicePort: One port of a Service.
 appProtocol What is spoken on the port, such as kubernetes.io/h2c.
 port The port of the Service.
 targetPort The port of the pods, by number or name; the same if left out.
 nodePort The port of every node that leads to it.
SessionAffinityConfig: How a client is kept with a pod.
 clientIP By its address.
ClientIPConfig: For how long a client is kept with a pod.
 timeoutSeconds After how many idle seconds it may reach another.
ServiceStatus: How the Service is reached from outside.
 loadBalancer The load balancer's addresses.
LoadBalancerStatus: Where a load balancer listens.
 ingress The addresses.
LoadBalancerIngress: One address of a load balancer.
 ipMode VIP, or Proxy if the balancer sends traffic itself.
PortStatus: How one port of a load balancer is.
TopologySelectorTerm: Places in which volumes may be made.
 matchLabelExpressions Requirements that all have to hold.
TopologySelectorLabelRequirement: What is required of a place.
"""
