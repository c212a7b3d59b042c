"""Links lead back through the proxy, and nothing else of a page changes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kubelite.apiserver.proxy_rewrite import Place, rewrite_html, rewrite_url

PREFIX = "/api/v1/namespaces/a/services/b/proxy"
AT = Place(prefix=PREFIX, backend="10.0.0.1:80", host="localhost:8001")


@pytest.mark.parametrize(
    ("url", "rewritten"),
    [
        ("/", f"{PREFIX}/"),
        ("/a/b", f"{PREFIX}/a/b"),
        ("/a/b/", f"{PREFIX}/a/b/"),
        ("http://10.0.0.1:80/x?y#z", f"{PREFIX}/x?y#z"),
        (f"{PREFIX}/x", f"{PREFIX}/x"),
        ("x/y", "x/y"),
        ("?only=query", "?only=query"),
        ("https://example.test/x", "https://example.test/x"),
        ("mailto:somebody@example.test", "mailto:somebody@example.test"),
        ("http://[", "http://["),
    ],
)
def test_a_url_on_the_same_host_gets_the_proxys_path(url: str, rewritten: str) -> None:
    assert rewrite_url(url, AT) == rewritten


def test_every_kind_of_link_of_a_page_is_rewritten() -> None:
    page = b"<IMG alt='<a href=/no>' src='/a.png'><form action=/go><link href=\"/s.css\" rel=x/><p href=/no>"
    expected = f"<IMG alt='<a href=/no>' src='{PREFIX}/a.png'><form action=\"{PREFIX}/go\">"
    expected += f'<link href="{PREFIX}/s.css" rel=x/><p href=/no>'
    assert rewrite_html(page, AT).decode() == expected


def test_text_that_looks_like_links_is_left_alone() -> None:
    for page in (
        b"<script>x = \"<a href='/y'>\"</script>",
        b"<!-- <a href='/y'> -->",
        b"a < b href=/y >",
        b"<a href='/y'",
    ):
        assert rewrite_html(page, AT) == page


@given(st.binary(max_size=400).filter(lambda page: b"/" not in page))
def test_a_page_without_paths_stays_as_it_is(page: bytes) -> None:
    assert rewrite_html(page, AT) == page


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [b'<a "', b"<a '\"", b"<a x", b"<", b"<a href='", b"<!--", b"<script"])
def test_a_page_made_to_take_long_does_not(piece: bytes) -> None:
    rewrite_html(piece * 200_000, AT)
