"""Paths that name no resource: discovery, OpenAPI, version, health, metrics.

Source: k8s.io/apiserver pkg/server/routes, pkg/endpoints/discovery
"""

from __future__ import annotations

import platform

from kubelite.api.errors import NotAcceptable
from kubelite.api.meta import StatusDetails
from kubelite.apiserver import media
from kubelite.apiserver.answers import TEXT, Answer, Call, answer_json
from kubelite.apiserver.authn import TokenAuthenticator
from kubelite.apiserver.discovery import Discovery
from kubelite.apiserver.health import ROOTS, Health
from kubelite.apiserver.interface import Registry
from kubelite.apiserver.metrics import answer_metrics
from kubelite.apiserver.openapi import OpenApi
from kubelite.apiserver.request import method_not_allowed, not_found
from kubelite.apiserver.tokens import ISSUER
from kubelite.apiserver.traffic import Traffic

#: The Kubernetes version that is reported. Source: https://kubernetes.io/releases/
VERSION = "v1.33.4"
_AGGREGATED = "APIGroupDiscoveryList"


class PathHandlers:
    def __init__(
        self,
        discovery: Discovery,
        openapi: OpenApi,
        health: Health,
        tokens: TokenAuthenticator | None,
        traffic: Traffic,
        registry: Registry,
    ) -> None:
        self._discovery = discovery
        self._openapi = openapi
        self._health = health
        self._tokens = tokens
        self._traffic = traffic
        self._registry = registry

    async def answer(self, call: Call) -> Answer:
        path = "/" + call.info.path.strip("/")
        if call.info.verb not in ("get", "head"):
            raise method_not_allowed()
        parts = path.strip("/").split("/")
        match parts:
            case ["healthz" | "livez" | "readyz", *_]:
                found = self._health.answer(path, call.request.query)
            case ["metrics"]:
                found = answer_metrics(self._traffic, VERSION, await self._registry.storage_metrics())
            case ["version"]:
                found = answer_json(version(), self._form(call))
            case ["api" | "apis", *_]:
                return self._discover(call, parts)
            case [".well-known", "openid-configuration"] if self._tokens:
                found = _issuer(call.request.headers.get("Host", ""), self._tokens)
            case ["openid", "v1", "jwks"] if self._tokens:
                found = answer_json(self._tokens.jwks, type_="application/jwk-set+json")
            case ["openapi", *rest]:
                found = self._openapi.answer(rest, call.request)
            case _:
                found = None
        if found is not None:
            return found
        paths = sorted([*self._discovery.paths(), *ROOTS, "/metrics", "/openapi/v2", "/openapi/v3", "/version"])
        return answer_json({"paths": paths}, media.Media(pretty=True), code=200 if path == "/" else 404)

    def _discover(self, call: Call, parts: list[str]) -> Answer:
        if len(parts) == 1:
            return self._roots(call, core=parts[0] == "api")
        form = self._form(call)
        match parts:
            case ["api", version]:
                found = self._discovery.resources("", version)
            case ["apis", group]:
                found = self._discovery.group(group)
                if found is None:
                    return Answer(code=404, body=b"404 page not found\n", type=TEXT)
            case ["apis", group, version]:
                found = self._discovery.resources(group, version)
                if found is None and self._discovery.group(group) is None:
                    return Answer(code=404, body=b"404 page not found\n", type=TEXT)
            case _:
                found = None
        if found is None:
            raise not_found()
        return answer_json(found, form)

    def _roots(self, call: Call, *, core: bool) -> Answer:
        for clause in media.parse_accept(call.request.headers.get("Accept", "") or "*/*"):
            if clause.params.get("as") == _AGGREGATED:
                version = clause.params.get("v", "")
                known = clause.params.get("g") == "apidiscovery.k8s.io" and version in ("v2", "v2beta1")
                if clause.type == media.JSON and known:
                    type_ = f"{media.JSON};g=apidiscovery.k8s.io;v={version};as={_AGGREGATED}"
                    document = self._discovery.aggregated(core=core, version=version)
                    return answer_json(document, type_=type_)
            elif clause.type in (media.JSON, media.YAML, "*/*", "application/*"):
                form = media.Media(media.YAML if clause.type == media.YAML else media.JSON)
                address = call.request.headers.get("Host", "")
                return answer_json(self._discovery.versions(address) if core else self._discovery.groups(), form)
        raise NotAcceptable("406: Not Acceptable", StatusDetails())

    def _form(self, call: Call) -> media.Media:
        headers = call.request.headers
        try:
            return media.negotiate(headers.get("Accept", ""))
        except NotAcceptable:
            return media.Media()


def _issuer(address: str, tokens: TokenAuthenticator) -> Answer:
    """The OpenID provider's metadata. Source: kubernetes pkg/serviceaccount/openidmetadata.go"""
    return answer_json(
        {
            "issuer": ISSUER,
            "jwks_uri": f"https://{address}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({key["alg"] for key in tokens.jwks["keys"]}),
        }
    )


def version() -> dict[str, str]:
    """/version"""
    major, minor, _ = VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"{VERSION}+kubelite",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation(),
        "platform": f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}",
    }


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
