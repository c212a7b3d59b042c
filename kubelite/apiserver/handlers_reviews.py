"""Questions about rights and identity: the access reviews, TokenReview, SelfSubjectReview. Nothing is stored.

Source: kubernetes pkg/registry/authorization, pkg/registry/authentication, pkg/apis/authorization/validation
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api import authentication_v1 as authentication, authorization_v1 as authorization, errors
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.apiserver import media
from kubelite.apiserver.answers import Answer, Call, answer_value
from kubelite.apiserver.authn import Authenticator
from kubelite.apiserver.authz import Attributes, Authorizer
from kubelite.apiserver.interface import Context, User
from kubelite.apiserver.request import method_not_allowed
from kubelite.apiserver.request_body import check_address, typed_body
from kubelite.apiserver.tokens import API_AUDIENCES, BadToken

_GROUP = "authorization.k8s.io"
_AccessSpec = authorization.SubjectAccessReviewSpec | authorization.SelfSubjectAccessReviewSpec


class ReviewHandlers:
    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer

    async def answer(self, call: Call, resource: Resource) -> Answer:
        if call.info.verb != "create":
            raise method_not_allowed()
        headers = call.request.headers
        form = media.negotiate(headers.get("Accept", ""))
        body = media.decode(await call.request.read(), headers.get("Content-Type", ""), resource.kind, (resource.type,))
        review = typed_body(resource, body, Context(user=call.user))
        if resource.namespaced:
            review = check_address(resource, review, "", call.info.namespace)
        return answer_value(await self.review(review, call.user, call.info.namespace), form, code=201)

    async def review(self, review: Any, user: User, namespace: str = "") -> Object:
        """The review with its status, as `user` asked for it. Raises: Invalid, BadRequest."""
        match review:
            case authorization.SelfSubjectAccessReview():
                _check_access(review.spec)
                return replace(review, status=await self._access(user, review.spec))
            case authorization.LocalSubjectAccessReview():
                _check_local(review, namespace)
                return replace(review, status=await self._access(_subject(review.spec), review.spec))
            case authorization.SubjectAccessReview():
                _check_access(review.spec, subject=True)
                return replace(review, status=await self._access(_subject(review.spec), review.spec))
            case authorization.SelfSubjectRulesReview():
                if not review.spec.namespace:
                    raise errors.BadRequest("no namespace on request")
                spec = authorization.SelfSubjectRulesReviewSpec()
                return replace(review, spec=spec, status=self._rules(user, review.spec.namespace))
            case authentication.SelfSubjectReview():
                return replace(review, status=authentication.SelfSubjectReviewStatus(user_info=_info(user)))
            case authentication.TokenReview():
                return replace(review, status=await self._token(review.spec))
            case _:
                raise method_not_allowed()

    async def _access(self, user: User, spec: _AccessSpec) -> authorization.SubjectAccessReviewStatus:
        decision = await self._authorizer.authorize(_attributes(user, spec))
        return authorization.SubjectAccessReviewStatus(allowed=decision.allowed, reason=decision.reason)

    def _rules(self, user: User, namespace: str) -> authorization.SubjectRulesReviewStatus:
        held = self._authorizer.rules_for(user, namespace)
        resources = [
            authorization.ResourceRule(
                verbs=rule.verbs,
                api_groups=rule.api_groups,
                resources=rule.resources,
                resource_names=rule.resource_names,
            )
            for rule in held.rules
            if rule.resources
        ]
        paths = [
            authorization.NonResourceRule(verbs=rule.verbs, non_resource_urls=rule.non_resource_urls)
            for rule in held.rules
            if rule.non_resource_urls
        ]
        return authorization.SubjectRulesReviewStatus(
            resource_rules=tuple(resources),
            non_resource_rules=tuple(paths),
            incomplete=bool(held.problem),
            evaluation_error=held.problem,
        )

    async def _token(self, spec: authentication.TokenReviewSpec) -> authentication.TokenReviewStatus:
        if not spec.token:
            raise errors.BadRequest("token is required for TokenReview in authentication")
        try:
            found = await self._authenticator.authenticate_token(spec.token, spec.audiences or API_AUDIENCES)
        except BadToken as error:
            return authentication.TokenReviewStatus(error=str(error))
        if not found.audiences:
            return authentication.TokenReviewStatus(error="the token is not for any of the audiences")
        return authentication.TokenReviewStatus(authenticated=True, user=_info(found.user), audiences=found.audiences)


def _attributes(user: User, spec: _AccessSpec) -> Attributes:
    if (path := spec.non_resource_attributes) is not None:
        return Attributes(user=user, verb=path.verb, path=path.path)
    asked = spec.resource_attributes or authorization.ResourceAttributes()
    return Attributes(
        user=user,
        verb=asked.verb,
        group=asked.group,
        version=asked.version,
        resource=asked.resource,
        subresource=asked.subresource,
        namespace=asked.namespace,
        name=asked.name,
        field_selector=_field_selector(asked.field_selector),
    )


def _field_selector(asked: authorization.FieldSelectorAttributes | None) -> str:
    if asked is None or asked.raw_selector:
        return asked.raw_selector if asked else ""
    equal = [each for each in asked.requirements if each.operator == "In" and len(each.values) == 1]
    return ",".join(f"{each.key}={each.values[0]}" for each in equal)


def _subject(spec: authorization.SubjectAccessReviewSpec) -> User:
    return User(name=spec.user, uid=spec.uid, groups=spec.groups, extra=spec.extra)


def _info(user: User) -> authentication.UserInfo:
    return authentication.UserInfo(username=user.name, uid=user.uid, groups=user.groups, extra=user.extra)


def _check_access(spec: Any, *, subject: bool = False) -> None:
    """Raises: Invalid."""
    wrong = []
    if spec.resource_attributes is not None and spec.non_resource_attributes is not None:
        why = "cannot be specified in combination with resourceAttributes"
        value = msgspec.json.encode(spec.non_resource_attributes).decode()
        wrong.append(_wrong("spec.nonResourceAttributes", value, why))
    if spec.resource_attributes is None and spec.non_resource_attributes is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        wrong.append(_wrong("spec.resourceAttributes", "null", why))
    if subject and not spec.user and not spec.groups:
        wrong.append(_wrong("spec.user", '""', "at least one of user or group must be specified"))
    if wrong:
        raise errors.invalid(_GROUP, "", "", wrong)


def _check_local(review: authorization.LocalSubjectAccessReview, namespace: str) -> None:
    """Raises: Invalid."""
    _check_access(review.spec, subject=True)
    asked = review.spec.resource_attributes
    if asked is not None and asked.namespace != namespace:
        why = "must match metadata.namespace"
        raise errors.invalid(_GROUP, "", "", [_wrong("spec.resourceAttributes.namespace", f'"{asked.namespace}"', why)])


def _wrong(field: str, value: str, why: str) -> errors.FieldError:
    return errors.FieldError("FieldValueInvalid", field, f"Invalid value: {value}: {why}")
