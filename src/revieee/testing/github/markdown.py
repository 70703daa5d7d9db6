"""Comments as GitHub shows them: Markdown with tables, and the harmless part of HTML."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

TAGS = {
    *(
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "del",
        "details",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "kbd",
    ),
    *(
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ),
}
ATTRIBUTES = {"a": {"href", "title"}, "details": {"open"}, "ol": {"start"}}

_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def render(text: str) -> Markup:
    """Turn a comment into HTML that is safe to show: no comments, scripts, styles, pictures or foreign schemes."""
    return Markup(  # noqa: S704 - cleaned on this very line
        nh3.clean(
            _PARSER.render(text),
            tags=TAGS,
            attributes=ATTRIBUTES,
            url_schemes={"http", "https", "mailto"},
        )
    )
