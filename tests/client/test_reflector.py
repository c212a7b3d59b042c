"""The reflector's copy against a server that is only a list of versions."""

from __future__ import annotations

from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kubelite.api.core_v1 import ConfigMap
from kubelite.api.meta import ObjectMeta
from kubelite.client.interface import Listing, WatchEvent
from kubelite.client.reflector import Failed, Input, Lost, NeedList, NeedWatch, Remove, State, step

NAMES = st.sampled_from("abc")


def config_map(name: str, version: int) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default", resource_version=str(version)))


class ReflectorMachine(RuleBasedStateMachine):
    """A server with a history that can forget its past; a reflector that must end with the same objects."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[WatchEvent[Any]] = []
        self.forgotten = 0
        self.server: dict[str, ConfigMap] = {}
        self.state: State = NeedList()
        self.copy: dict[tuple[str, str], Any] = {}

    @property
    def revision(self) -> int:
        return len(self.history)

    @rule(name=NAMES, delete=st.booleans())
    def write(self, name: str, delete: bool) -> None:
        obj = config_map(name, self.revision + 1)
        kind: Literal["ADDED", "MODIFIED", "DELETED"] = "MODIFIED" if name in self.server else "ADDED"
        if delete and name in self.server:
            kind = "DELETED"
            del self.server[name]
        else:
            self.server[name] = obj
        self.history.append(WatchEvent(kind, obj))

    @rule()
    def forget_the_past(self) -> None:
        self.forgotten = self.revision

    def give(self, given: Input) -> None:
        self.state, outputs = step(self.state, given, self.copy)
        for output in outputs:
            key = (output.obj.metadata.namespace, output.obj.metadata.name)
            if isinstance(output, Remove):
                assert key in self.copy, "removed what was never there"
                del self.copy[key]
            else:
                self.copy[key] = output.obj

    @precondition(lambda self: isinstance(self.state, NeedList))
    @rule()
    def list_answers(self) -> None:
        self.give(Listing(tuple(self.server.values()), str(self.revision)))

    @precondition(lambda self: isinstance(self.state, NeedWatch))
    @rule(count=st.integers(1, 3))
    def watch_delivers(self, count: int) -> None:
        assert isinstance(self.state, NeedWatch)
        place = int(self.state.resource_version)
        self.give(Lost() if place < self.forgotten else list(self.history[place : place + count]))

    @rule()
    def the_connection_breaks(self) -> None:
        self.give(Failed())
        assert self.state.after_failure

    @invariant()
    def the_copy_is_the_server_as_of_its_place(self) -> None:
        if isinstance(self.state, NeedWatch):
            seen: dict[str, str] = {}
            for event in self.history[: int(self.state.resource_version)]:
                if event.type == "DELETED":
                    seen.pop(event.object.metadata.name)
                else:
                    seen[event.object.metadata.name] = event.object.metadata.resource_version
            assert {name: obj.metadata.resource_version for (_, name), obj in self.copy.items()} == seen


TestReflector = ReflectorMachine.TestCase
