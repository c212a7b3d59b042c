"""Links in what a proxied server answers, turned back through the proxy. Pure.

A redirect or a link of a page that names an absolute path on the same host would leave the proxy: it gets the proxy's path in
front. Other hosts and relative links stay. Source: k8s.io/apimachinery pkg/util/proxy/transport.go
"""

from __future__ import annotations

import posixpath
import re
from html import escape, unescape
from urllib.parse import urlsplit, urlunsplit

import msgspec

#: The attributes of each element that hold a URL. Source: https://html.spec.whatwg.org/multipage/indices.html#attributes-3
_LINKS = {
    "a": "href", "applet": "codebase", "area": "href", "audio": "src", "base": "href", "blockquote": "cite",
    "body": "background", "button": "formaction", "command": "icon", "del": "cite", "embed": "src", "form": "action",
    "frame": "longdesc src", "head": "profile", "html": "manifest", "iframe": "longdesc src", "img": "longdesc src usemap",
    "input": "src usemap formaction", "ins": "cite", "link": "href", "object": "classid codebase data usemap", "q": "cite",
    "script": "src", "source": "src", "video": "poster src",
}  # fmt: skip
#: Consumes whatever it looks at, closed or not, so that no page takes more than linear time.
_TAG = re.compile(rb"<([A-Za-z][A-Za-z0-9]*)((?:\"[^\"]*\"|'[^']*'|[^<>\"'])*+)(>?)")
_ATTRIBUTE = re.compile(rb"([A-Za-z-]+)(\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s\"'>]+)")
#: What stands between these is text, whatever it looks like.
_RAW = re.compile(
    rb"(<!--(?:(?!-->).)*+(?:-->)?|<(?:script|style)\b[^>]*+>?|</(?:script|style)\s*+>?)", re.DOTALL | re.IGNORECASE
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`prefix` is the proxy's path, `backend` the server's host and port, `host` what the client asked as Host."""

    prefix: str
    backend: str
    host: str
    scheme: str = ""
    shown_host: str = ""


def rewrite_url(url: str, place: Place) -> str:
    """
    >>> at = Place(prefix="/api/v1/namespaces/a/services/b/proxy", backend="10.0.0.1:80", host="x")
    >>> rewrite_url("/login?next=1", at)
    '/api/v1/namespaces/a/services/b/proxy/login?next=1'
    >>> rewrite_url("https://example.test/", at), rewrite_url("page", at)
    ('https://example.test/', 'page')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if (parts.netloc and parts.netloc not in (place.backend, place.host)) or not parts.path.startswith("/"):
        return url
    if not (parts.netloc == place.host and not place.scheme and not place.shown_host):
        parts = parts._replace(scheme=place.scheme, netloc=place.shown_host)
    if not parts.path.startswith(place.prefix):
        path = posixpath.normpath(f"{place.prefix}/{parts.path}").replace("//", "/")
        parts = parts._replace(path=f"{path}/" if parts.path.endswith("/") and not path.endswith("/") else path)
    return urlunsplit(parts)


def rewrite_html(page: bytes, place: Place) -> bytes:
    """
    >>> at = Place(prefix="/p", backend="b", host="h")
    >>> rewrite_html(b'<a class=x href="/y?a=1&amp;b">/y</a><script>"<a href=/z>"</script>', at)
    b'<a class=x href="/p/y?a=1&amp;b">/y</a><script>"<a href=/z>"</script>'
    """
    out, inside = [], False
    for part in _RAW.split(page):
        lowered = part[:8].lower()
        if lowered.startswith((b"<script", b"<style")):
            out.append(_TAG.sub(lambda tag: _tag(tag, place), part))
            inside = True
        elif lowered.startswith((b"</script", b"</style")):
            out.append(part)
            inside = False
        else:
            is_text = inside or lowered.startswith(b"<!--")
            out.append(part if is_text else _TAG.sub(lambda tag: _tag(tag, place), part))
    return b"".join(out)


def _tag(tag: re.Match[bytes], place: Place) -> bytes:
    links = _LINKS.get(tag[1].decode().lower(), "").split()
    if not links or not tag[3]:
        return tag[0]

    def attribute(found: re.Match[bytes]) -> bytes:
        if found[1].decode().lower() not in links:
            return found[0]
        value = found[3].decode("utf-8", "surrogateescape")
        quote = value[0] if value[0] in "\"'" else '"'
        url = unescape(value[1:-1] if value[0] in "\"'" else value)
        new = escape(rewrite_url(url, place), quote=False).replace(quote, "&quot;" if quote == '"' else "&#39;")
        return b"%b%b%b" % (found[1], found[2], f"{quote}{new}{quote}".encode("utf-8", "surrogateescape"))

    return b"<%b%b>" % (tag[1], _ATTRIBUTE.sub(attribute, tag[2]))
