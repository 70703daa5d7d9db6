"""What a pull request is told, and that nothing a stranger wrote does anything in it."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from revieee.model.view import ServiceView, State, View
from revieee.reporters import words
from revieee.reporters.markdown import block, code, plain, prose

COMMIT = "0123456789abcdef0123456789abcdef01234567"
URL = "http://shop-pr-12.localhost:8080"
MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})

HOSTILE = [
    "@everyone look",
    "fixes #12 and acme/shop#3 and GH-7",
    "https://evil.example/x www.evil.example a@evil.example",
    "_www.evil.example (www.evil.example ~WWW.evil.example _GH-7 *GH-7",
    "![x](https://evil.example/pixel.png)",
    "[click](javascript:alert(1))",
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "</details></td></table>",
    "```\nout of the block\n```",
    "`````",
    "| a | b |",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "---",
    "<!-- revieee -->",
    "$\\int$ **bold** _em_ ~~gone~~",
    "\x1b[31mred\x1b[0m\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "\x00\x07\u202eexe.doc\u2066",
    "\ud800",
    "&lt;b&gt; &#64;bob &commat;bob",
]


def view(state: State = State.LIVE, **other: object) -> View:
    plain_view = View(
        environment="acme/shop#12",
        instance="one",
        state=state,
        headline="It is live.",
        url=URL,
        services=(ServiceView(name="web", url=URL, words="live"), ServiceView(name="db", words="kept")),
        commit=COMMIT,
        live=state is State.LIVE,
        live_commit=COMMIT,
    )
    return replace(plain_view, **other)  # type: ignore[arg-type]  # fields by name


def rendered(text: str) -> str:
    return str(MARKDOWN.render(text))


class TestComment:
    def test_a_live_one(self) -> None:
        assert words.comment(view(duration=12.3)) == (
            "<!-- revieee -->\n"
            "<!-- revieee-instance: one -->\n\n"
            "### ✔ It is live.\n\n"
            "| Service | URL | State |\n"
            "| --- | --- | --- |\n"
            f"| `web` | <{URL}> | live |\n"
            "| `db` | — | kept |\n\n"
            "Commit `0123456` · state **live** · in 12 s\n"
        )

    def test_a_live_one_with_something_wrong_bears_no_tick(self) -> None:
        text = words.comment(view(reason="Service worker is not healthy."))
        assert "### ▲ " in text
        assert "Service worker is not healthy." in text

    def test_a_failed_one_says_why_with_the_log_and_what_to_do(self) -> None:
        text = words.comment(
            view(
                State.FAILED,
                headline="The newest commit failed.",
                reason="Dockerfile:3: the build of web failed.",
                next_act="Push a commit that mends it.",
                log="npm ERR! missing script: start\n",
                live=True,
                live_commit="f" * 40,
            )
        )
        assert "Dockerfile:3: the build of web failed." in text
        assert "```text\nnpm ERR! missing script: start\n```" in text
        assert "**Next:** Push a commit that mends it." in text
        assert "Commit `fffffff` stays live meanwhile." in text

    def test_several_faults_stand_in_a_block(self) -> None:
        text = words.comment(view(State.FAILED, reason="compose.yaml:3: no.\ncompose.yaml:9: no, either."))
        assert "```text\ncompose.yaml:3: no.\ncompose.yaml:9: no, either.\n```" in text

    def test_notices_are_folded_away(self) -> None:
        text = words.comment(view(notices=("compose.yaml:4: host ports are not used", "compose.yaml:9: so")))
        assert "<details><summary>2 notices" in text
        assert "- compose.yaml:4: host ports are not used" in text

    def test_one_that_is_gone_shows_no_addresses(self) -> None:
        assert URL not in words.comment(view(State.GONE))

    @pytest.mark.parametrize("state", list(State))
    def test_every_state_has_words(self, state: State) -> None:
        text = words.comment(view(state, headline=""))
        assert words.is_ours(text, "one")
        assert f"state **{state}**" in text

    def test_the_same_view_gives_the_same_words(self) -> None:
        assert words.comment(view()) == words.comment(view())


class TestMarkers:
    def test_ours_begins_with_both(self) -> None:
        text = words.comment(view())
        assert words.is_ours(text, "one")
        assert words.is_ours(text.replace("\n", "\r\n"), "one")
        assert not words.is_ours(text, "two")
        assert not words.is_ours("quoted:\n" + text, "one")
        assert not words.is_ours("", "one")

    def test_a_strange_instance_cannot_end_the_marker(self) -> None:
        marker = words.instance_marker("x --> @bob <!-- \n")
        assert marker.count("-->") == 1
        assert "\n" not in marker


class TestHostileText:
    """Each stands where a stranger's text can come in: nothing of it becomes more than text."""

    FIELDS = ("headline", "reason", "next_act")

    @pytest.mark.parametrize("text", HOSTILE)
    def test_in_sentences(self, text: str) -> None:
        for name in self.FIELDS:
            self.harmless(words.comment(view(State.LIVE, **{name: f"{text} x"})))

    @pytest.mark.parametrize("text", HOSTILE)
    def test_in_logs_notices_and_services(self, text: str) -> None:
        hostile = view(
            State.FAILED,
            log=f"first\n{text}\nlast",
            notices=(text,),
            reason=f"one\n{text}",
            services=(ServiceView(name=text, url=text, words=text),),
        )
        self.harmless(words.comment(hostile))

    def harmless(self, text: str) -> None:
        text.encode()
        html = rendered(text)
        body = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", html, flags=re.DOTALL)
        assert "evil.example" not in re.sub(r"\u200b", "", " ".join(re.findall(r"<[^>]*>", body)))
        tags = {tag.lower() for tag in re.findall(r"</?([a-zA-Z0-9]+)", body)}
        ours = {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "a", "details", "summary", "ul", "li"}
        assert tags <= ours
        assert body.count("<!--") == 2
        assert re.findall(r'href="([^"]*)"', body) in ([], [URL])
        told = re.sub(r"<[^>]*>", "", body)
        assert not re.search(r"@\w|#\d|GH-\d|://\w|www\.", told.replace(URL, ""), re.IGNORECASE)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", html)

    @given(st.text(alphabet=st.sampled_from("`~ \n\r|<>@#1a\x1b[]m\\-_*"), max_size=80))
    def test_a_block_cannot_be_left(self, text: str) -> None:
        shown = rendered(block(text, lines=50, width=60, longest=2000) + "\n\nafter")
        assert shown.startswith("<pre><code")
        assert shown.endswith("</code></pre>\n<p>after</p>\n")
        assert shown.count("<pre>") == 1

    @given(st.text(alphabet=st.sampled_from("`~ \n|<>@#1a[]()!\\-_*.:/wGH&;$"), max_size=60))
    def test_prose_is_one_paragraph_of_text(self, text: str) -> None:
        shown = rendered(prose(text, longest=200))
        assert re.fullmatch(r"(<p>([^<]|<code>[^<]*</code>)*</p>\n)?", shown)

    def test_prose_shows_as_code_what_stands_between_backticks(self) -> None:
        shown = rendered(prose("Run `revieee deploy`, *not* `x<y`.", longest=200))
        assert shown == "<p>Run <code>revieee deploy</code>, *not* <code>x&lt;y</code>.</p>\n"

    @given(st.text(alphabet=st.sampled_from("`|a b\\<\n"), max_size=30))
    def test_code_stays_in_its_cell(self, text: str) -> None:
        shown = rendered(f"| a | b |\n| --- | --- |\n| {code(text, longest=20)} | end |")
        assert "<td>end</td>" in shown

    @given(st.text(max_size=300))
    def test_any_text_can_be_sent(self, text: str) -> None:
        words.comment(view(State.FAILED, log=text, headline=text, notices=(text,), reason=text)).encode()


class TestSize:
    @pytest.mark.parametrize("character", ["@1", "`", "<", "x", "\n", "字", "😀", "\\"])
    def test_the_largest_comment_is_one_that_github_takes(self, character: str) -> None:
        much = character * 200_000
        huge = view(
            State.FAILED,
            headline=much,
            reason=much,
            next_act=much,
            log=much,
            notices=(much,) * 500,
            services=tuple(ServiceView(name=much, url=much, words=much) for _ in range(500)),
        )
        assert len(words.comment(huge)) <= words.LONGEST_COMMENT
        described = words.status(huge)
        assert described is not None
        assert len(described.description) <= words.LONGEST_DESCRIPTION

    def test_the_last_lines_of_a_log_are_kept(self) -> None:
        text = words.comment(view(State.FAILED, log="\n".join(f"line {n}" for n in range(1000))))
        assert "line 999" in text
        assert "line 950" in text
        assert "line 949" not in text

    def test_a_log_in_one_long_line_takes_no_time(self) -> None:
        block("\x1b[" * 500_000 + "\r" * 500_000 + "`" * 100_000, lines=50, width=400, longest=16_000)


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b(Btext", "text"),
        ("10%\r50%\r100%\nnext", "100%\nnext"),
        ("line\r\nnext\r\n", "line\nnext\n"),
        ("a\tb", "a\tb"),
    ],
)
def test_terminal_output_is_shown_as_it_looked(seen: str, shown: str) -> None:
    assert plain(seen) == shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.84, "0.8 s"), (-1, "0.0 s"), (12.4, "12 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_states_in_githubs_words() -> None:
    table = {state: (words.deployment(view(state)), words.status(view(state))) for state in State}
    assert {state: (d and d.state, s and s.state) for state, (d, s) in table.items()} == {
        State.WAITING: ("queued", "pending"),
        State.BUILDING: ("in_progress", "pending"),
        State.STARTING: ("in_progress", "pending"),
        State.UPDATING: ("in_progress", "pending"),
        State.LIVE: ("success", "success"),
        State.FAILED: ("failure", "failure"),
        State.NONE: (None, "success"),
        State.REMOVING: (None, None),
        State.GONE: (None, None),
    }
