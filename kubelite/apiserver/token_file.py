"""The file of static tokens: `token,user,uid,"group1,group2"`, one a line. Pure.

Source: k8s.io/apiserver pkg/authentication/token/tokenfile, https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file
"""

from __future__ import annotations

import csv

from kubelite.apiserver.interface import User


def parse_token_file(text: str) -> dict[str, User]:
    """
    >>> parse_token_file('abc,jane,7,"devs,ops"')["abc"].groups
    ('devs', 'ops')

    Raises: ValueError for a line without token, user and uid.
    """
    found: dict[str, User] = {}
    for number, row in enumerate(csv.reader(text.splitlines(), skipinitialspace=True), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) < 3:
            raise ValueError(f"line {number} needs at least 3 columns (token, user name, user uid), found {len(row)}")
        token, name, uid, *rest = row
        if token:
            groups = tuple(group.strip() for group in rest[0].split(",")) if rest and rest[0] else ()
            found[token] = User(name=name, uid=uid, groups=groups)
    return found
