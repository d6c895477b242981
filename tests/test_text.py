"""Text from elsewhere is shown as text, and none of it is lost."""

import pytest
from markdown_it import MarkdownIt

from urbansound.text import columns, markdown, one_line, padded, shorten, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\nerror: b\r\tc\0", r"a\nerror: b\r\tc\x00"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("a\u202egnp.wav", r"a\u202egnp.wav"),
        ("a\u2028b\u200bc\ufeff", r"a\u2028b\u200bc\ufeff"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\xe9"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, expected):
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text", ["dog bark", "犬", "chó sủa", "<b> $x$ =1+1", "a\u00a0b", "हिन्\u200dदी", "👩\u200d🚒", "C:\\x", ""]
)
def test_letters_of_all_languages_stay(text):
    assert shown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "<script>alert(1)</script>",
            "a & b &lt; &#60;",
            "a | b",
            r"a \| b \<b>",
            "*a* **b** _c_ __d__ ~~e~~",
            "`a``b`",
        ),
        *(
            "[x](http://a.b)",
            "![x](y)",
            "<http://a.b>",
            "[a]: b",
            "dog_bark_2",
            "_dog_",
            "$x^2$",
            ":siren:",
            "a\\",
            "# a #",
        ),
        *("a\\", "# a #", "|", "-", "犬 | *猫*", "https://example.invalid/_x_"),
    ],
)
def test_a_name_is_text_in_markdown_in_a_line_and_in_a_table(text):
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for document in (f"It is {markdown(text)}, so", f"| It is |\n|---|\n| {markdown(text)} |"):
        tokens = renderer.parse(document)
        inline = [token for token in tokens if token.type == "inline"]
        assert all(child.type in ("text", "text_special") for token in inline for child in token.children)
        found = "".join(child.content for child in inline[-1].children)
        assert found.removeprefix("It is ").removesuffix(", so") == text
        assert len(inline) == (1 if document.startswith("It") else 2)


def test_a_name_that_needs_no_escapes_has_none():
    assert markdown("dog_bark (2), l'été") == "dog_bark (2), l'été"


def test_a_server_s_words_are_one_short_line():
    assert one_line("a\n  b\x1b\n") == r"a b\x1b"
    assert one_line("x" * 1000, 10) == "x" * 9 + "…"


def test_wide_letters_take_two_columns_and_accents_none():
    assert [columns(text) for text in ("dog", "犬の", "e\u0301", "한국")] == [3, 4, 1, 4]
    assert shorten("犬の鳴き声", 10) == "犬の鳴き声"
    assert shorten("犬の鳴き声", 9) == "犬の鳴き…"
    assert shorten("犬の鳴き声", 8) == "犬の鳴…"
    assert shorten("abcd", 3) == "ab…"
    assert columns(padded("犬", 5)) == 5
