"""The image of a sandbox's process, made from bytes: no registry, no compiler, 280 bytes of program.

The program ignores SIGCHLD with SA_NOCLDWAIT (with a shared PID namespace it is PID 1, and orphans must not stay zombies),
exits with 0 on SIGTERM and SIGINT, and otherwise sleeps in pause(2) for ever. The archive is deterministic, so the engine's
image id is known before the image is loaded. Pure; `docker` loads it.
Source: elf(5), Linux arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/{signal,unistd}.h,
https://github.com/moby/docker-image-spec (the archive of `docker save`)
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile

#: Where the file is mapped, and where its code starts behind the ELF header (64 bytes) and one program header (56).
_BASE = 0x400000
_CODE = _BASE + 64 + 56

_SIGINT, _SIGTERM, _SIGCHLD = 2, 15, 17
_SIG_IGN = 1
_SA_NOCLDWAIT = 2
#: x86-64 only: the kernel refuses to return from a handler without a restorer.
_SA_RESTORER = 0x04000000

_ELF_MACHINES = {"amd64": 62, "arm64": 183}


def pause_image(architecture: str, tag: str) -> tuple[bytes, str]:
    """(archive for the engine's image load, image id). `architecture` is Go's name of it.

    Raises: ValueError for an architecture without a program.
    """
    if architecture not in _ELF_MACHINES:
        raise ValueError(f"no sandbox program for the architecture {architecture!r}")
    return encode_image(
        encode_tar({"pause": (encode_program(architecture), 0o755)}),
        architecture=architecture,
        tag=tag,
        config={"Entrypoint": ["/pause"], "Env": ["PATH=/"], "User": "65535:65535", "StopSignal": "SIGTERM"},
    )


def encode_program(architecture: str) -> bytes:
    """The whole executable: headers, code, and the sigaction structures behind the code."""
    encode = _encode_amd64 if architecture == "amd64" else _encode_arm64
    size = len(encode(0, 0)[0])
    ignore = _CODE + _aligned(size)
    code, handler = encode(ignore, ignore + 32)
    exit_at = _CODE + handler
    if architecture == "amd64":
        actions = (_SIG_IGN, _SA_RESTORER | _SA_NOCLDWAIT, exit_at, 0, exit_at, _SA_RESTORER, exit_at, 0)
    else:
        actions = (_SIG_IGN, _SA_NOCLDWAIT, 0, 0, exit_at, 0, 0, 0)
    body = code.ljust(_aligned(size), b"\0") + struct.pack("<8Q", *actions)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", identity, 2, _ELF_MACHINES[architecture], 1, _CODE, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    size_bytes = len(body) + _CODE - _BASE
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size_bytes, size_bytes, 0x10000)
    return header + segment + body


def _aligned(size: int) -> int:
    return (size + 7) & ~7


def _encode_amd64(ignore: int, exit_action: int) -> tuple[bytes, int]:
    """(code, offset of the exit handler), given the addresses of the two sigaction structures."""
    code = b""
    for signal, action in ((_SIGCHLD, ignore), (_SIGTERM, exit_action), (_SIGINT, exit_action)):
        code += b"\xb8\x0d\0\0\0" + b"\xbf" + struct.pack("<I", signal)  # eax = rt_sigaction, edi = signal
        code += b"\xbe" + struct.pack("<I", action) + b"\x31\xd2"  # esi = action, edx = 0
        code += b"\x41\xba\x08\0\0\0" + b"\x0f\x05"  # r10d = 8, syscall
    sleep = len(code)
    code += b"\xb8\x22\0\0\0\x0f\x05"  # eax = pause, syscall
    code += b"\xeb" + struct.pack("b", sleep - (len(code) + 2))  # jmp sleep
    handler = len(code)
    code += b"\xb8\xe7\0\0\0\x31\xff\x0f\x05"  # exit_group(0)
    return code, handler


def _encode_arm64(ignore: int, exit_action: int) -> tuple[bytes, int]:
    """As `_encode_amd64`."""

    def move(register: int, value: int) -> bytes:
        low = 0xD2800000 | (value & 0xFFFF) << 5 | register  # movz
        high = 0xF2A00000 | (value >> 16 & 0xFFFF) << 5 | register  # movk, lsl 16
        return struct.pack("<II", low, high)

    call = struct.pack("<I", 0xD4000001)  # svc 0
    code = b""
    for signal, action in ((_SIGCHLD, ignore), (_SIGTERM, exit_action), (_SIGINT, exit_action)):
        code += move(0, signal) + move(1, action) + move(2, 0) + move(3, 8) + move(8, 134) + call  # rt_sigaction
    sleep = len(code)
    code += b"".join(move(register, 0) for register in range(5)) + move(8, 73) + call  # ppoll for ever
    code += struct.pack("<I", 0x14000000 | ((sleep - len(code)) // 4 & 0x3FFFFFF))  # b sleep
    handler = len(code)
    code += move(0, 0) + move(8, 94) + call  # exit_group(0)
    return code, handler


def encode_tar(files: dict[str, tuple[bytes, int]], links: dict[str, str] | None = None) -> bytes:
    """A reproducible archive of files (name: content, mode) and symbolic links (name: target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            entry.size = len(content)
            if name.endswith("/"):
                entry.type = tarfile.DIRTYPE
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.SYMTYPE
            entry.linkname = target
            archive.addfile(entry)
    return buffer.getvalue()


def encode_image(layer: bytes, *, architecture: str, tag: str, config: dict[str, object]) -> tuple[bytes, str]:
    """(archive, image id) of an image with one layer; the same input gives the same id."""
    facts = {
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "kubelite"}],
    }
    description = json.dumps(facts, sort_keys=True).encode()
    digest = hashlib.sha256(description).hexdigest()
    manifest = json.dumps([{"Config": f"{digest}.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    archive = encode_tar(
        {f"{digest}.json": (description, 0o644), "layer.tar": (layer, 0o644), "manifest.json": (manifest, 0o644)}
    )
    return archive, f"sha256:{digest}"
