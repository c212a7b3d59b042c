"""A sorted map from key to its newest record, **pure**, whose copies cost nothing.

The map is a list of blocks of at most `BLOCK` neighbouring keys. `copy` shares all blocks; whoever writes to a shared block
first makes that one block its own. So a fork, or the way back after a failed commit, does not depend on how much is stored, and
a range is a few slices. It knows nothing of revisions, transactions or history (see mvcc).

Source: the lazily copied B-tree of https://pkg.go.dev/github.com/google/btree (Clone), in two levels.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from kubelite.store.store import Record

#: Keys per block: copying one takes about 2 µs, and 1 million keys need a top level of a few thousand entries.
BLOCK = 512


class _Block:
    __slots__ = ("keys", "owner", "records")

    def __init__(self, keys: list[str], records: list[Record], owner: object) -> None:
        self.keys, self.records, self.owner = keys, records, owner


class Keys:
    """`len` is the number of keys.

    >>> keys = Keys([Record("/a", b"1", 1, 1, 1), Record("/b", b"2", 2, 2, 1)])
    >>> branch = keys.copy()
    >>> branch.remove("/a")
    >>> [record.key for record in keys.select("/a", "/z")], len(branch)
    (['/a', '/b'], 1)
    """

    __slots__ = ("_blocks", "_firsts", "_len", "_owner", "_shared")

    def __init__(self, records: Iterable[Record] = ()) -> None:
        ordered = sorted(records, key=lambda record: record.key)
        self._owner = object()
        self._shared = False  # whether the two lists below belong to a copy as well
        self._len = len(ordered)
        half = BLOCK // 2
        chunks = [ordered[at : at + half] for at in range(0, len(ordered), half)] or [[]]
        self._blocks = [_Block([record.key for record in chunk], chunk, self._owner) for chunk in chunks]
        #: No key of block i is below `_firsts[i]`; the first is below every key.
        self._firsts = ["", *(block.keys[0] for block in self._blocks[1:])]

    def __len__(self) -> int:
        return self._len

    def copy(self) -> Keys:
        """A map of its own with the same content, in constant time."""
        other = Keys.__new__(Keys)
        other._blocks, other._firsts, other._len = self._blocks, self._firsts, self._len
        self._owner, other._owner = object(), object()
        self._shared = other._shared = True
        return other

    def get(self, key: str) -> Record | None:
        block = self._blocks[bisect_right(self._firsts, key) - 1]
        keys = block.keys
        at = bisect_left(keys, key)
        return block.records[at] if at < len(keys) and keys[at] == key else None

    def put(self, record: Record) -> None:
        key = record.key
        index = bisect_right(self._firsts, key) - 1
        block = self._writable(index)
        keys = block.keys
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            block.records[at] = record
            return
        keys.insert(at, key)
        block.records.insert(at, record)
        self._len += 1
        if len(keys) > BLOCK:
            half = len(keys) // 2
            right = _Block(keys[half:], block.records[half:], self._owner)
            del keys[half:], block.records[half:]
            self._blocks.insert(index + 1, right)
            self._firsts.insert(index + 1, right.keys[0])

    def remove(self, key: str) -> None:
        """Removes `key`, which must be there."""
        index = bisect_right(self._firsts, key) - 1
        block = self._writable(index)
        at = bisect_left(block.keys, key)
        assert block.keys[at] == key
        del block.keys[at], block.records[at]
        self._len -= 1
        if not block.keys and len(self._blocks) > 1:
            del self._blocks[index], self._firsts[index]
            self._firsts[0] = ""

    def select(self, key: str, end: str | None, limit: int = 0) -> list[Record]:
        """The records of [key, end) in order, or of `key` alone; at least `limit` of them if there are so many."""
        if end is None:
            record = self.get(key)
            return [] if record is None else [record]
        if end <= key:
            return []
        found: list[Record] = []
        for index in range(bisect_right(self._firsts, key) - 1, bisect_left(self._firsts, end, lo=1)):
            block = self._blocks[index]
            low, high = bisect_left(block.keys, key), bisect_left(block.keys, end)
            found += block.records[low:high] if high - low < len(block.keys) else block.records
            if limit and len(found) >= limit:
                break
        return found

    def count(self, key: str, end: str | None) -> int:
        """How many keys [key, end) holds."""
        if end is None:
            return int(self.get(key) is not None)
        if end <= key:
            return 0
        first, stop = bisect_right(self._firsts, key) - 1, bisect_left(self._firsts, end, lo=1)
        inner = sum(len(block.keys) for block in self._blocks[first + 1 : stop - 1])
        edges = {first, stop - 1}
        return inner + sum(
            bisect_left(self._blocks[index].keys, end) - bisect_left(self._blocks[index].keys, key) for index in edges
        )

    def _writable(self, index: int) -> _Block:
        block = self._blocks[index]
        if block.owner is self._owner and not self._shared:
            return block
        if self._shared:
            self._blocks, self._firsts, self._shared = self._blocks[:], self._firsts[:], False
        if block.owner is not self._owner:
            block = self._blocks[index] = _Block(block.keys[:], block.records[:], self._owner)
        return block
