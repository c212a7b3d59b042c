"""What an ended container says of its end: its termination message file, or the end of its log.

Source: https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

from __future__ import annotations

from kubelite.client.streams import LogOptions
from kubelite.kubelet.container_config import MESSAGE_POLICY
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.runtime import Container, RuntimeFailed

#: Of a log. Source: pkg/kubelet/container/runtime.go (MaxContainerTerminationMessageLogLength and ...LogLines)
MAX_LOG_BYTES, MAX_LOG_LINES = 2048, 80


async def last_words(parts: Parts, container: Container) -> str:
    try:
        text = parts.storage.termination_message(container)
    except OSError as error:
        return f"Error on reading termination log: {error}"
    policy = container.annotations.get(MESSAGE_POLICY)
    if text or policy != "FallbackToLogsOnError" or container.exit_code == 0:
        return text
    tail = b""
    try:
        async for chunk in parts.runtime.logs(container.id, LogOptions(tail_lines=MAX_LOG_LINES)):
            tail = (tail + chunk)[-MAX_LOG_BYTES:]
    except RuntimeFailed as error:
        return f"Error on reading termination message from logs: {error.message}"
    return tail.decode(errors="replace")
