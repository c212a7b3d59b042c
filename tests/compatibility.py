"""What of the Kubernetes API is served, as a table: written by `python -m tests.compatibility`, held equal by a test.

What is served comes from the discovery of a running server, how exactly it answers from the replay of a real server's answers
(differences that are listed as right for v1.33 are none), and what is approximate or absent from `compatibility_notes.yaml`.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import msgspec
import yaml

from kubelite import Cluster
from kubelite.apiserver.discovery import Discovery
from tests.apiserver.oracle import ORACLE, ask_oracle, read_listed

ROOT = Path(__file__).parents[1]
NOTES = Path(__file__).with_name("compatibility_notes.yaml")
LONG = ROOT / "config" / "compatibility.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- compatibility: written by python -m tests.compatibility -->", "<!-- end -->"
_ALL = "create delete deletecollection get list patch update watch"


class Approximate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    group: str
    kind: str
    note: str

    def is_about(self, group: str, kind: str) -> bool:
        return self.group == group and self.kind in ("*", kind)


class Absent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    what: str
    path: str
    code: int
    headers: dict[str, str] = {}


class Notes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    approximate: list[Approximate]
    absent: list[Absent]


class Row(msgspec.Struct, frozen=True):
    """One resource. `asked` of the recorded answers are about it, `alike` of them are the same."""

    group: str
    version: str
    kind: str
    plural: str
    verbs: str
    subresources: str
    asked: int
    alike: int
    note: str


def read_notes() -> Notes:
    return msgspec.convert(yaml.safe_load(NOTES.read_text()), Notes)


def read_rows(scheme: Any, differing: list[dict[str, Any]]) -> list[Row]:
    """Every resource that discovery tells of, with what the replay found."""
    wrong = {step["step"] for step in differing if not explained(step)}
    asked, alike = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for name, path in _steps():
        asked[_place(path)] += 1
        alike[_place(path)] += name not in wrong
    notes, discovery = read_notes(), Discovery(lambda: scheme)
    rows = []
    for is_core in (True, False):
        for item in discovery.aggregated(core=is_core, version="v2")["items"]:
            group = item["metadata"].get("name", "")
            for version in item["versions"]:
                for entry in version["resources"]:
                    kind, place = entry["responseKind"]["kind"], (group, version["version"], entry["resource"])
                    rows.append(
                        Row(
                            group,
                            version["version"],
                            kind,
                            entry["resource"],
                            _verbs(entry["verbs"]),
                            ", ".join(sub["subresource"] for sub in entry.get("subresources", ())),
                            asked[place],
                            alike[place],
                            "; ".join(note.note for note in notes.approximate if note.is_about(group, kind)),
                        )
                    )
    return rows


def explained(step: dict[str, Any]) -> bool:
    """Whether every difference of a replayed request is listed with its reason."""
    listed = read_listed()
    return all(any(entry.covers(step["step"], each["path"]) for entry in listed) for each in step["differences"])


def _steps() -> list[tuple[str, str]]:
    """(name, path) of every recorded request that is compared."""
    lines = [msgspec.json.decode(line) for line in (ORACLE / "recorded.jsonl").read_bytes().splitlines()]
    compared = [line for line in lines if line["step"]["category"] != "setup"]
    return [(f"{line['scenario']}/{line['step']['id']}", line["step"]["path"]) for line in compared]


def _place(path: str) -> tuple[str, str, str]:
    parts = path.partition("?")[0].strip("/").split("/")
    group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[2:])
    version, rest = (rest[0], rest[1:]) if rest else ("", [])
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        rest = rest[2:]
    return group, version, rest[0] if rest else ""


def _verbs(verbs: list[str]) -> str:
    listed = " ".join(sorted(verbs))
    return "all" if listed == _ALL else listed.replace(" ", ", ")


def _told(row: Row) -> str:
    return f"{row.alike} of {row.asked}" if row.asked else ""


def write_long(rows: list[Row]) -> str:
    lines = [
        "# What of the Kubernetes v1.33 API is served",
        "",
        "Written by `python -m tests.compatibility` from a running server's discovery. *Alike* says how many of the answers",
        "that a real API server once gave about the resource are the same here, or differ as v1.33 does by the list of",
        "differences. What has no note is meant to be exact.",
        "",
        "| group/version | kind | verbs | subresources | alike | approximate |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        name = f"{row.group}/{row.version}" if row.group else row.version
        lines.append(f"| {name} | {row.kind} | {row.verbs} | {row.subresources} | {_told(row)} | {row.note} |")
    return "\n".join([*lines, "", "## Absent", "", *(f"* {entry.what}" for entry in read_notes().absent), ""])


def write_short(rows: list[Row]) -> str:
    """For README: a line per group version."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{row.group}/{row.version}" if row.group else row.version, []).append(row)
    lines = [
        "<details><summary>Group by group</summary>",
        "",
        "| group/version | kinds | answers alike | approximate |",
        "|---|---|---|---|",
    ]
    for name, found in groups.items():
        asked, alike = sum(row.asked for row in found), sum(row.alike for row in found)
        notes = "; ".join(dict.fromkeys(f"{row.kind}: {row.note}" for row in found if row.note))
        if len({row.note for row in found}) == 1 and found[0].note:
            notes = found[0].note
        kinds = ", ".join(sorted({row.kind for row in found}))
        lines.append(f"| {name} | {kinds} | {f'{alike} of {asked}' if asked else ''} | {notes} |")
    absent = "; ".join(entry.what for entry in read_notes().absent)
    return "\n".join([BEGIN, *lines, "", f"Absent, and refused: {absent}.", "", "</details>", END])


def in_readme(short: str) -> str:
    """README with the table put in."""
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: short, README.read_text(), flags=re.DOTALL)


async def main() -> None:
    async with Cluster(serve=True, components="apiserver") as cluster:
        assert cluster.kubeconfig is not None
        found = await ask_oracle(cluster.server, cluster.kubeconfig)
        rows = read_rows(cluster.scheme, found)
    await anyio.Path(LONG).write_text(write_long(rows))
    await anyio.Path(README).write_text(in_readme(write_short(rows)))
    sys.stdout.write(f"{len(rows)} resources written\n")


if __name__ == "__main__":
    anyio.run(main)
