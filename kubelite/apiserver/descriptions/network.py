"""networking.k8s.io and discovery.k8s.io: who reaches whom."""

TEXT = """
EndpointSlice: A part of the addresses behind a Service.
 addressType IPv4, IPv6 or FQDN.
 endpoints The addresses.
 ports The ports of every address.
Endpoint: One thing behind a Service, mostly a pod.
 addresses Its address.
 targetRef The object behind it.
 deprecatedTopology Labels of its node, in old objects.
 zone The zone that it is in.
 hints For whom it is meant.
EndpointConditions: Whether an endpoint may have traffic.
 ready Whether it may have traffic.
 serving The same, even while it ends.
 terminating Whether it is ending.
EndpointHints: For whom an endpoint is meant.
 forZones Clients of these zones.
 forNodes Clients of these nodes.
ForZone: A zone.
ForNode: A node.
EndpointPort: One port of the endpoints.
 name The name of the Service's port that leads here.
 appProtocol What is spoken on the port, such as https.
Ingress: Leads HTTP from outside to Services, by host and path.
IngressSpec: What leads where.
 ingressClassName Who carries it out.
 defaultBackend Where everything else goes.
 tls Hosts that are served over TLS.
 rules What goes where; a host and its paths each.
IngressBackend: Where something goes: to a Service, or to another object.
 resource Another object of the namespace.
IngressServiceBackend: A port of a Service.
 port The port.
ServiceBackendPort: A port, by one of these.
 name Its name.
 number Its number.
IngressTLS: Hosts with a certificate.
 hosts The hosts.
 secretName The Secret with the certificate and its key.
IngressRule: What one host's paths lead to.
 host The host; *.example.com for all one level below; every host if left out.
 http The paths.
HTTPIngressRuleValue: The paths of a host.
 paths The paths.
HTTPIngressPath: What one path leads to.
 pathType How paths are compared: Exact, Prefix or ImplementationSpecific.
 backend Where it goes.
IngressStatus: Where it is reached.
 loadBalancer The load balancer's addresses.
IngressLoadBalancerStatus: Where a load balancer listens.
 ingress The addresses.
IngressLoadBalancerIngress: One address of a load balancer.
IngressPortStatus: How one port of a load balancer is.
IngressClass: A controller that carries out Ingresses.
IngressClassSpec: Which controller, and its settings.
 controller The controller's name.
 parameters An object with further settings.
IngressClassParametersReference: An object with settings of a controller.
 scope Cluster or Namespace.
NetworkPolicy: Which traffic pods may have; without any they may have all.
NetworkPolicySpec: The pods, and their traffic.
 ingress What may come in; nothing if the list is empty.
 egress What may go out; nothing if the list is empty.
 policyTypes Which of Ingress and Egress it is about.
NetworkPolicyIngressRule: Traffic that may come in.
 ports On these ports; on all if left out.
 from From these; from everywhere if left out.
NetworkPolicyEgressRule: Traffic that may go out.
 ports To these ports; to all if left out.
 to To these; to everywhere if left out.
NetworkPolicyPort: A port, or a range of ports.
 port The port, by number or name; all if left out.
 endPort The last port of a range.
NetworkPolicyPeer: With whom: pods, or addresses.
 ipBlock Addresses.
IPBlock: A range of addresses.
 cidr The range.
 except Parts of it that are not meant.
IPAddress: An address that is taken, by a Service for instance.
IPAddressSpec: Who has taken it.
 parentRef The object that has it.
ParentReference: The object that has an address.
 group The API group of the object.
 resource The resource of the object.
ServiceCIDR: A range that addresses of Services are taken from.
ServiceCIDRSpec: The range.
 cidrs The range, for each address family.
ServiceCIDRStatus: Whether the range can be used.
"""
