import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data.text.cleaning import Cleaner, clean
from variformer.data.text.document import Document


@pytest.mark.parametrize(
    "dirty, cleaned",
    [
        ("a\r\nb\rc\u2028d\x0ce", "a\nb\nc\nd\ne"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\x00b\x1b[0m\ufeffc\td", "ab[0mc\td"),
        ("a  \nb\t\n", "a\nb"),
        ("a\n\n \n\n\nb", "a\n\nb"),
        ("\n\n  indented\n", "  indented"),
    ],
)
def test_clean(dirty, cleaned):
    assert clean(dirty) == cleaned


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text):
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert "\n\n\n" not in once and "\r" not in once and "\x00" not in once


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"])))
def test_ordinary_text_is_only_normalised(text):
    assert clean(text) == unicodedata.normalize("NFC", text)


BAD = {
    "not UTF-8": Document("bad", b"\xff\xfe".decode("utf-8", "surrogateescape")),
    "empty": Document("bad", " \n\x00\t "),
    "longer than 10 bytes": Document("bad", "\u20ac" * 4),
    "not JSON": Document("bad", "", fault="not JSON"),
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_documents_are_named_or_counted(reason):
    documents = [Document("good", "fine"), BAD[reason], BAD[reason]]
    with pytest.raises(ValueError, match=f"bad: {reason}.*on_bad=skip"):
        list(Cleaner("error", 10).texts(documents))
    cleaner = Cleaner("skip", 10)
    assert list(cleaner.texts(documents)) == [("good", b"fine")]
    assert cleaner.skipped == {reason: 2}
    assert cleaner.summary() == f"left out 2 documents: 2 {reason} (first: bad)"


def test_good_documents_leave_no_summary():
    cleaner = Cleaner("error", 10)
    assert list(cleaner.texts([Document("good", "0123456789")])) == [("good", b"0123456789")]
    assert cleaner.summary() == ""


def test_unknown_policy():
    with pytest.raises(ValueError, match="on_bad is error or skip, not 'warn'"):
        Cleaner("warn", 10)
