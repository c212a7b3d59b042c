"""rbac, authentication, authorization and certificates: who somebody is, and what he may do."""

TEXT = """
Role: Rights within a namespace.
ClusterRole: Rights in the whole cluster, or in each namespace where it is bound.
 aggregationRule Makes the rules out of those of other ClusterRoles.
AggregationRule: Which ClusterRoles are put together.
 clusterRoleSelectors Their labels; any one selector is enough.
PolicyRule: What may be done with what.
 resourceNames Only these objects; all if left out.
 nonResourceURLs Paths that are no resources, such as /healthz; * at the end stands for everything.
 resources The resources, such as pods or pods/log; * stands for all.
RoleBinding: Gives the rights of a role to somebody, within a namespace.
 subjects To whom.
 roleRef The role; it cannot change.
ClusterRoleBinding: Gives the rights of a ClusterRole to somebody, in the whole cluster.
 subjects To whom.
 roleRef The role; it cannot change.
Subject: Somebody: a user, a group or a ServiceAccount.
 kind User, Group or ServiceAccount.
RoleRef: A role.
 kind Role or ClusterRole.
TokenReview: Asks whose a token is.
TokenReviewSpec: The token.
 token The token.
TokenReviewStatus: Whose it is.
 authenticated Whether it is good.
 user Whose it is.
TokenRequest: Asks for a token of a ServiceAccount.
TokenRequestSpec: The token that is wanted.
 boundObjectRef The object with which it ends.
TokenRequestStatus: The token.
 token The token.
 expirationTimestamp When it ends.
BoundObjectReference: The object with which a token ends.
UserInfo: Somebody.
 username The name.
SelfSubjectReview: Asks who one is oneself.
SelfSubjectReviewStatus: Who one is.
 userInfo Who one is.
SubjectAccessReview: Asks whether somebody may do something.
LocalSubjectAccessReview: Asks whether somebody may do something within a namespace.
SelfSubjectAccessReview: Asks whether one may do something oneself.
SubjectAccessReviewSpec: Who, and what.
 resourceAttributes What, if it is about a resource.
 nonResourceAttributes What, if it is about a path.
SelfSubjectAccessReviewSpec: What.
 resourceAttributes What, if it is about a resource.
 nonResourceAttributes What, if it is about a path.
ResourceAttributes: Something that can be done with a resource.
 verb What is done, such as get.
 group The API group.
 version The version of the group.
 resource The resource, by its plural name.
 subresource The subresource.
 name The object; all if left out.
 fieldSelector Only objects with these fields.
FieldSelectorAttributes: Fields that narrow a request down.
 rawSelector As the request has it.
 requirements Taken apart.
LabelSelectorAttributes: Labels that narrow a request down.
 rawSelector As the request has it.
 requirements Taken apart.
NonResourceAttributes: Something that can be done with a path.
 verb The HTTP method, in small letters.
SubjectAccessReviewStatus: The answer.
 allowed Whether it is allowed.
 denied Whether it is denied, whatever others say.
 reason Why, in words.
 evaluationError What could not be looked at.
SelfSubjectRulesReview: Asks what one may do in a namespace.
SelfSubjectRulesReviewSpec: The namespace.
SubjectRulesReviewStatus: What one may do.
 resourceRules With resources.
 nonResourceRules With paths.
 incomplete Whether there may be more.
 evaluationError What could not be looked at.
ResourceRule: What may be done with resources.
 resourceNames Only these objects; all if left out.
NonResourceRule: What may be done with paths.
 nonResourceURLs The paths.
CertificateSigningRequest: Asks for a certificate; somebody approves it, and a signer signs.
CertificateSigningRequestSpec: The certificate that is wanted, and who asks.
 request The request, in PEM.
 signerName Who is to sign it.
 usages What the certificate is for.
 username Who asks.
CertificateSigningRequestStatus: What came of it.
 certificate The certificate, in PEM.
CertificateSigningRequestCondition: What was decided.
 type Approved, Denied or Failed.
"""
