"""apiextensions, admissionregistration, apiregistration and metrics: more API."""

TEXT = """
CustomResourceDefinition: A kind of one's own: its names, versions and schema.
CustomResourceDefinitionSpec: The kind.
 group The API group.
 names What it is called.
 scope Namespaced or Cluster.
 versions Its versions; exactly one is stored.
 conversion How one version becomes another.
 preserveUnknownFields Whether unknown fields are kept; must be false.
CustomResourceDefinitionNames: What a kind is called.
 plural The name in paths.
 singular The name of one.
 shortNames Short names for kubectl.
 kind The kind of an object.
 listKind The kind of a list.
 categories Groups that it is listed with, such as all.
CustomResourceDefinitionVersion: One version of the kind.
 served Whether it can be used.
 storage Whether objects are stored in it.
 deprecated Whether its users are warned.
 deprecationWarning What they are told.
 schema What its objects look like.
 subresources Whether it has status and scale.
 additionalPrinterColumns What kubectl shows.
 selectableFields Fields by which objects can be selected.
CustomResourceValidation: What objects look like.
 openAPIV3Schema The schema.
JSONSchemaProps: A JSON schema.
 id The schema's identity.
 $schema The dialect.
 $ref Not allowed here.
 type object, array, string, integer, number or boolean.
 format A format of the type, such as date-time.
 title A title.
 default The value that is filled in.
 maximum The greatest number.
 exclusiveMaximum Whether it must be less than that.
 minimum The least number.
 exclusiveMinimum Whether it must be greater than that.
 maxLength The most characters.
 minLength The fewest characters.
 pattern A regular expression that the text must match.
 maxItems The most items.
 minItems The fewest items.
 uniqueItems Whether no item may be there twice; must be false.
 multipleOf A number that divides it.
 enum All values that there may be.
 maxProperties The most properties.
 minProperties The fewest properties.
 required Properties that must be there.
 items The schema of the items.
 allOf Schemas that all have to hold.
 oneOf Schemas of which exactly one has to hold.
 anyOf Schemas of which one has to hold.
 not A schema that must not hold.
 properties The schema of each property.
 additionalProperties The schema of all other properties.
 patternProperties Not allowed here.
 dependencies Not allowed here.
 additionalItems Not allowed here.
 definitions Not allowed here.
 externalDocs Where more is written.
 example An example.
 nullable Whether it may be null.
 x-kubernetes-preserve-unknown-fields Whether unknown fields are kept.
 x-kubernetes-embedded-resource Whether it is an object of its own, with kind and metadata.
 x-kubernetes-int-or-string Whether it is a number or a text.
 x-kubernetes-list-map-keys The fields that tell the items of a map apart.
 x-kubernetes-list-type How lists are merged: atomic, set or map.
 x-kubernetes-map-type How maps are merged: granular or atomic.
 x-kubernetes-validations Rules in CEL.
ExternalDocumentation: Where more is written.
ValidationRule: A rule in CEL.
 rule What has to hold.
 message What is said if it does not.
 messageExpression The same, computed in CEL.
 reason The kind of mistake.
 fieldPath The field that is blamed.
 optionalOldSelf Whether it is also evaluated where there was no value before.
CustomResourceSubresources: Subresources of a kind.
 status Whether the status is written apart.
 scale How its objects are scaled.
CustomResourceSubresourceScale: Where scaling finds its numbers.
 specReplicasPath The path of the wanted number.
 statusReplicasPath The path of the present number.
 labelSelectorPath The path of the selector, as text.
CustomResourceColumnDefinition: A column that kubectl shows.
 type The type of the values.
 format The format of the values.
 priority 0 for always, more for -o wide only.
 jsonPath The path of the value.
SelectableField: A field by which objects can be selected.
 jsonPath The path of the field.
CustomResourceConversion: How one version becomes another.
 strategy None to change apiVersion only, or Webhook.
 webhook Who converts.
WebhookConversion: A server that converts.
 clientConfig How it is reached.
 conversionReviewVersions The forms of review that it knows.
WebhookClientConfig: How a webhook is reached: by a URL or a Service.
ServiceReference: A Service.
 port Its port; 443 if left out.
CustomResourceDefinitionStatus: Whether the kind can be used.
 acceptedNames The names that it got.
 storedVersions Versions in which objects were ever stored.
CustomResourceDefinitionCondition: What holds of a definition.
 type Established, NamesAccepted, NonStructuralSchema or Terminating.
MutatingWebhookConfiguration: Servers that may change objects before they are stored.
 webhooks The webhooks.
ValidatingWebhookConfiguration: Servers that may refuse objects before they are stored.
 webhooks The webhooks.
MutatingWebhook: A server that may change objects.
 name Its name, a domain name.
 clientConfig How it is reached.
 failurePolicy What happens if it does not answer: Fail or Ignore.
 matchPolicy Whether other versions of a kind count too: Equivalent or Exact.
 objectSelector Only objects with these labels.
 sideEffects Whether asking it does something else: None or NoneOnDryRun.
 admissionReviewVersions The forms of review that it knows.
 reinvocationPolicy Whether it is asked again if another changed the object: Never or IfNeeded.
 matchConditions Conditions in CEL that must hold.
 rules Which requests it is asked about.
ValidatingWebhook: A server that may refuse objects.
 name Its name, a domain name.
 clientConfig How it is reached.
 failurePolicy What happens if it does not answer: Fail or Ignore.
 matchPolicy Whether other versions of a kind count too: Equivalent or Exact.
 objectSelector Only objects with these labels.
 sideEffects Whether asking it does something else: None or NoneOnDryRun.
 admissionReviewVersions The forms of review that it knows.
 matchConditions Conditions in CEL that must hold.
 rules Which requests it is asked about.
RuleWithOperations: Which requests are meant.
 apiVersions The versions; * stands for all.
 scope Cluster, Namespaced, or * for both.
 operations CREATE, UPDATE, DELETE, CONNECT, or * for all.
MatchCondition: A condition in CEL.
 name Its name.
ValidatingAdmissionPolicy: Rules in CEL for requests.
ValidatingAdmissionPolicySpec: The rules.
 paramKind The kind of the objects with parameters.
 matchConstraints Which requests it is about.
 validations What has to hold.
 failurePolicy What happens if a rule cannot be evaluated: Fail or Ignore.
 auditAnnotations What is noted in the audit log.
 matchConditions Conditions in CEL that must hold first.
 variables Names for expressions.
ParamKind: The kind of the objects with parameters.
MatchResources: Which requests are meant.
 objectSelector Only objects with these labels.
 resourceRules Requests that are meant.
 excludeResourceRules Requests that are not.
 matchPolicy Whether other versions of a kind count too: Equivalent or Exact.
NamedRuleWithOperations: Which requests are meant.
 apiVersions The versions; * stands for all.
 scope Cluster, Namespaced, or * for both.
 operations CREATE, UPDATE, DELETE, CONNECT, or * for all.
 resourceNames Only these objects; all if left out.
Validation: Something that has to hold.
 messageExpression What is said if it does not, computed in CEL.
AuditAnnotation: A note in the audit log.
 valueExpression The note, computed in CEL.
Variable: A name for an expression.
 name The name.
ValidatingAdmissionPolicyStatus: What was found out about the rules.
 typeChecking Mistakes of type in the expressions.
TypeChecking: Mistakes of type.
 expressionWarnings One for each expression.
ExpressionWarning: A mistake of type in an expression.
 fieldRef The path of the expression.
 warning What is wrong.
ValidatingAdmissionPolicyBinding: Puts a policy into force.
ValidatingAdmissionPolicyBindingSpec: Which policy, where, and with which parameters.
 policyName The policy.
 paramRef The object with parameters.
 matchResources Where it is in force.
 validationActions What a broken rule means: Deny, Warn or Audit.
ParamRef: Objects with parameters.
 parameterNotFoundAction What happens if there is none: Allow or Deny.
APIService: Who serves a group version: this server, or one behind it.
APIServiceSpec: The group version, and its server.
 service The Service of the server behind this one; nothing if it is served here.
 group The API group.
 version The version.
 insecureSkipTLSVerify Whether the server's certificate is not looked at.
 groupPriorityMinimum How early the group comes among the others.
 versionPriority How early the version comes in its group.
APIServiceStatus: Whether the server answers.
APIServiceCondition: What holds of an APIService.
 type Available.
NodeMetrics: What a node uses.
 timestamp When it was measured.
 window Over which time it was measured.
 usage What is used of each resource.
PodMetrics: What the containers of a pod use.
 timestamp When it was measured.
 window Over which time it was measured.
 containers Each container.
ContainerMetrics: What a container uses.
 usage What is used of each resource.
"""
