"""Names and values that somebody may log to harm who looks at them."""

from __future__ import annotations

from typing import Final

SCRIPT: Final = "<script>top.broken=1</script>"
CLOSING: Final = "</script></title></textarea><script>top.broken=1</script>"
IMAGE: Final = '<img src=x onerror="top.broken=1">'
QUOTES: Final = '"\' onmouseover="top.broken=1" x=\''
TEMPLATE: Final = "{{ 7 * 7 }}{% raw %}${7*7}"
RTL: Final = "start \u202egnp.exe\u2066 \u200f\u0000\u0007\u001b[2J end"
LINES: Final = "first\nsecond\r\nthird"
LONG: Final = "x" * 1_000_000
URL: Final = "javascript:top.broken=1"

TEXTS: Final = (SCRIPT, CLOSING, IMAGE, QUOTES, TEMPLATE, RTL, LINES, LONG, URL)

FILE_NAMES: Final = (
    "a&b <c> \"d\" 'e'.txt",
    "<img src=x onerror=alert(1)>.txt",
    "100%2F..%2F%00.txt",
    "media/../up.txt",
    "new\nline\r\nSet-Cookie: a=b.txt",
    "\u202etxt.exe",
    "?query#fragment;param.txt",
    "back\\slash.txt",
    "deep/" * 100 + "down.txt",
    "ä€😀 +.txt",
    "long" * 200 + ".txt",
)

HTML: Final = b"""<!doctype html><style>p { color: green }</style><p id="shown">a document</p>
<script>document.getElementById('shown').textContent = 'broken in'; top.broken = 1</script>
<img src="/-/static/icon.svg" onerror="top.broken=1"><form action="/-/sign-in"><button>go</button></form>"""

SVG: Final = b"""<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><rect width="20" height="20" fill="green"/>
<script>top.broken = 1; document.documentElement.id = 'ran'</script></svg>"""
