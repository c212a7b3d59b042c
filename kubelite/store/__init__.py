"""The store: one ordered history of revisions over a flat map of keys, and the bus that tells everybody about it.

Reading order: `store` (the door: contract and semantics), `keys`, `mvcc` and `window` (pure: present, rules, past), `watch`
(the bus), `local` (what the local stores share), `memory`; `sqlite`, `sqlite_process` and `sqlite_writer` (the log on disk
and the process that owns it); `etcd` and `etcd_client`; `snapshot`, `control`, `cli` and `stats` (looking after it).

Decisions:
* 2026-11-23: state in memory, log in a process of its own. A writer thread starves while the event loop is busy.
* 2026-11-23: keys are kept in blocks that copies share, so that a fork and the way back after a failed commit cost nothing.
* 2026-11-23: a backup is written from a fork, not by the log's own process, so it holds up no writer.
* 2026-11-23: several batches may be on their way; the writer commits together what has arrived. It and the event loop work at
  the same time (1.4x the commits of 1,000 writers); an era tells it which batches rest on one that failed.
* 2026-11-23: a watch that begins with the present asks `Store.present`, whose answer a remote store gives later.
* 2026-11-23: after a failed commit the write-ahead log is emptied first; a failed fsync may have left a whole commit in it.

Public names are imported from their modules, so that nobody loads a backend that is not used.
"""
