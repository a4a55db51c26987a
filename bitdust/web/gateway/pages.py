"""Lists of directories, as pages without scripts."""

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from bitdust.ipld.dagpb import Link
from bitdust.wire.sizes import in_words

MOST_SHOWN = 10_000
STYLE = "body{font:15px sans-serif;margin:2em}td{padding:.1em 1em .1em 0}td+td{color:#666;font-family:monospace}"


def listing(title: str, has_parent: bool, links: Sequence[Link]) -> bytes:
    """A directory; names lead on, sizes are of all blocks below them."""
    rows = ['<tr><td><a href="../">..</a></td></tr>'] if has_parent else []
    rows += map(_row, links[:MOST_SHOWN])
    if len(links) > MOST_SHOWN:
        rows.append(f"<tr><td>… and {len(links) - MOST_SHOWN} more</td></tr>")
    return "\n".join(_page(title, rows)).encode("utf-8", "replace")


def _page(title: str, rows: Iterable[str]) -> Iterable[str]:
    shown = escape(title)
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f"<title>{shown}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{shown}</h1>\n<table>"
    yield from rows
    yield "</table>\n</body>\n</html>\n"


def _row(link: Link) -> str:
    where = quote(link.name, safe="", errors="surrogateescape")
    size = in_words(link.size or 0)
    return f'<tr><td><a href="./{where}">{escape(link.name)}</a></td><td>{size}</td><td>{link.cid}</td></tr>'
