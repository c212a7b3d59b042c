"""What only a shared store has: several servers on it, members that die, addresses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.store.etcd import EtcdStore
from kubelite.store.etcd_client import EtcdConfig
from kubelite.store.store import Compare, OutcomeUnknown, Put, Range, StoreError, Txn, Unavailable
from tests.packages import program
from tests.store.etcd_server import Member, etcd
from tests.store.sinks import Recorder


def opened(members: list[Member]) -> EtcdStore:
    return EtcdStore(EtcdConfig(endpoints=tuple(member.endpoint for member in members)), SystemClock())


async def test_two_servers_see_one_store(etcd_single: list[Member]) -> None:
    async with opened(etcd_single) as one, opened(etcd_single) as other:
        sink = Recorder()
        other.watch("/shared/", "/shared0", sink)
        written = await one.txn(Txn(success=(Put("/shared/k", b"1"),)))
        await other.reached(written.revision)
        await sink.until(written.revision)
        assert (await other.range("/shared/k")).records[0].value == b"1"
        taken = Compare("/shared/k", "mod_revision", "=", 0)
        assert not (await other.txn(Txn((taken,), (Put("/shared/k", b"2"),)))).succeeded


async def test_a_member_may_die_and_return_under_load(tmp_path: Path) -> None:
    """Every acknowledged increment is there, and the watch misses and repeats nothing."""
    with etcd(tmp_path, 3) as members:
        async with opened(members) as store:
            sink = Recorder()
            start = (await store.txn(Txn(success=(Put("/n", b"0"),)))).revision
            store.watch("/n", None, sink, start_revision=start)
            done = acknowledged = unknown = 0

            async def increment() -> None:
                nonlocal acknowledged, unknown
                while not done:
                    try:
                        record = (await store.range("/n")).records[0]
                        unchanged = Compare("/n", "mod_revision", "=", record.mod_revision)
                        value = b"%d" % (int(record.value) + 1)
                        if (await store.txn(Txn((unchanged,), (Put("/n", value),)))).succeeded:
                            acknowledged += 1
                    except Unavailable:
                        unknown += 1
                        await anyio.lowlevel.checkpoint()

            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(increment)
                for victim in (members[0], members[1]):
                    await sink.until(sink.revision + 50)
                    victim.kill()
                    await sink.until(sink.revision + 50)
                    victim.start()
                    await sink.until(sink.revision + 50)
                done = 1
            final = (await store.range("/n")).records[0]
            await sink.until(final.mod_revision)
            assert acknowledged <= int(final.value) <= acknowledged + unknown
            assert [event.revision for event in sink.events] == list(range(start, final.mod_revision + 1))
            assert [int(event.record.value) for event in sink.events if event.record] == list(
                range(int(final.value) + 1)
            )


def openssl(directory: Path, *words: str) -> None:
    subprocess.run([program("openssl"), *words], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.crt, and a certificate of it each for a server on loopback and a client."""
    directory = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(directory, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca")
    for name, usage in (("server", "serverAuth,clientAuth"), ("client", "clientAuth")):
        (directory / "ext").write_text(f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
        openssl(directory, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext")
        openssl(directory, "x509", "-req", "-in", f"{name}.csr", *ca, "-out", f"{name}.crt")
    return directory


def serving(certificates: Path) -> tuple[str, ...]:
    files = ("--cert-file", "server.crt"), ("--key-file", "server.key"), ("--trusted-ca-file", "ca.crt")
    return ("--client-cert-auth", *(word for flag, name in files for word in (flag, str(certificates / name))))


async def test_a_client_certificate_opens_a_store_over_tls(tmp_path: Path, certificates: Path) -> None:
    with etcd(tmp_path, 1, *serving(certificates)) as (member,):
        ca = f"etcd://{member.endpoint}?ca={certificates}/ca.crt"
        with_certificate = f"{ca}&cert={certificates}/client.crt&key={certificates}/client.key"
        sink = Recorder()
        async with EtcdStore(EtcdConfig.parse(with_certificate), SystemClock()) as store:
            store.watch("/k", None, sink)
            await sink.until((await store.txn(Txn(success=(Put("/k", b"v"),)))).revision)
        with pytest.raises(Unavailable):
            async with EtcdStore(EtcdConfig.parse(ca), SystemClock()):
                pass


async def test_a_user_must_know_the_password(tmp_path: Path) -> None:
    with etcd(tmp_path) as (member,):

        def etcdctl(*words: str) -> None:
            environment = {**os.environ, "ETCDCTL_API": "3"}
            command = [program("etcdctl"), "--endpoints", member.endpoint, *words]
            subprocess.run(command, env=environment, check=True, capture_output=True)

        url = f"etcd://{{}}{member.endpoint}"
        async with EtcdStore(EtcdConfig.parse(url.format("")), SystemClock()):  # it serves
            await anyio.to_thread.run_sync(etcdctl, "user", "add", "root:p@ss")
            await anyio.to_thread.run_sync(etcdctl, "auth", "enable")
        sink = Recorder()
        async with EtcdStore(EtcdConfig.parse(url.format("root:p%40ss@")), SystemClock()) as store:
            store.watch("/k", None, sink)
            await sink.until((await store.txn(Txn(success=(Put("/k", b"v"),)))).revision)
        for credentials in ("root:wrong@", ""):
            with pytest.raises(StoreError, match="etcdserver: "):
                async with EtcdStore(EtcdConfig.parse(url.format(credentials)), SystemClock()):
                    pass


async def test_files_that_cannot_be_read_are_one_line() -> None:
    with pytest.raises(StoreError, match=r"cannot connect to etcd: .*absent"):
        async with EtcdStore(EtcdConfig.parse("etcd://127.0.0.1:1?ca=/absent"), SystemClock()):
            pass


async def test_a_write_whose_answer_is_lost_says_that_its_outcome_is_unknown(tmp_path: Path) -> None:
    with etcd(tmp_path) as (member,):
        async with opened([member]) as store:
            lost: list[StoreError] = []

            async def write() -> None:
                try:
                    while True:
                        await store.txn(Txn(success=(Put("/k", b"v"),)))
                except Unavailable as error:
                    lost.append(error)

            async with anyio.create_task_group() as tasks:
                for _ in range(16):
                    tasks.start_soon(write)
                sink = Recorder()
                store.watch("/k", None, sink)
                await sink.until(50)
                member.kill()
                with anyio.fail_after(20):
                    while len(lost) < 16:
                        await anyio.sleep(0.05)
            assert {type(error) for error in lost} <= {OutcomeUnknown, Unavailable}
            assert any(isinstance(error, OutcomeUnknown) for error in lost)
            assert not any("nothing was written" in str(error) for error in lost)


async def test_the_present_is_shown_and_then_what_follows(etcd_single: list[Member]) -> None:
    async with opened(etcd_single) as store:
        await store.txn(Txn(success=(Put("/present/a", b"1"),)))
        shown: list[Range] = []
        sink, there = Recorder(), anyio.Event()

        def show(found: Range) -> None:
            shown.append(found)
            store.watch("/present/", "/present0", sink, start_revision=found.revision + 1)
            there.set()

        store.present("/present/", "/present0", show, sink.lost)
        await there.wait()
        assert [record.key for record in shown[0].records] == ["/present/a"]
        await sink.until((await store.txn(Txn(success=(Put("/present/b", b"2"),)))).revision)
        assert [event.key for event in sink.events] == ["/present/b"]


@pytest.mark.parametrize(
    "url", ["etcd://host", "http://host:1", "etcd://host:1/path", "etcd://host:1?token=x", "etcd://host:1,other"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an etcd URL"):
        EtcdConfig.parse(url)


def test_an_address_names_members_credentials_and_certificates() -> None:
    config = EtcdConfig.parse("etcd://me:p%40ss@a:1,b:2?ca=/ca.crt&cert=/c.crt&key=/c.key")
    assert (config.endpoints, config.user, config.password) == (("a:1", "b:2"), "me", "p@ss")
    assert (config.ca_file, config.cert_file, config.key_file) == ("/ca.crt", "/c.crt", "/c.key")
