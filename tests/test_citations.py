"""Whether cited sentences are borne out: numbers, names, denials, overlap, and sentences that cite nothing or nothing there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.writing.citations import Checked, check, cited
from studio.writing.claims import names, numbers, roman
from studio.writing.denials import denied, unanswered
from studio.writing.passages import Passage

LIGHT = (
    "The lighthouse on Skerryvore was completed in 1844 by Alan Stevenson. It stands 48 metres high and has never been extended. "
    "About 12 percent of its cost, five thousand pounds, was paid by merchants of Glasgow. Its light was not automated before 1994."
)
FISH = "Herring come to the coast every spring. The boats leave Wick in April and bring home twenty barrels each."


def passage(text: str, heading: str = "") -> Passage:
    return Passage("a.txt", 1, heading, None, 0, len(text), text)


def one(sentence: str, *texts: str) -> Checked:
    (found,) = check(sentence, [passage(text) for text in texts or (LIGHT,)])
    return found


@pytest.mark.parametrize(
    "sentence",
    [
        "The lighthouse on Skerryvore was completed in 1844 [1].",
        "Alan Stevenson completed the Skerryvore lighthouse in 1844 [1].",
        "The lighthouse stands forty-eight metres high [1].",
        "Merchants of Glasgow paid 12 % of its cost, 5,000 pounds [1].",
        "It has never been extended [1].",
        "The light was not automated before 1994 [1].",
    ],
)
def test_what_the_passage_says_is_supported(sentence: str) -> None:
    found = one(sentence)
    assert found.verdict == "supported", found.why
    assert found.passage == 1
    assert found.quote_end > found.quote_start


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("The lighthouse on Skerryvore was completed in 1854 [1].", "The passage says 1844, the sentence 1854."),
        ("The lighthouse stands fifty metres high [1].", "The passage says 48, the sentence fifty."),
        ("Merchants of Glasgow paid 15 percent of its cost [1].", "The passage says 12, the sentence 15."),
    ],
)
def test_another_number_is_told_with_both(sentence: str, why: str) -> None:
    found = one(sentence)
    assert (found.verdict, found.why) == ("unsupported", why)


def test_a_number_that_stands_there_for_something_else_is_no_support() -> None:
    assert one("The lighthouse stands 12 metres high [1].").verdict == "unsupported"


def test_another_name_is_told() -> None:
    found = one("The lighthouse on Skerryvore was completed by Robert Stevenson [1].")
    assert found.verdict in ("weak", "unsupported")
    assert "Robert" in found.why


@pytest.mark.parametrize(
    "sentence",
    ["The lighthouse was not completed in 1844 [1].", "The lighthouse has been extended [1].", "The lighthouse was never completed [1]."],
)
def test_a_denial_on_one_side_alone_is_unsupported(sentence: str) -> None:
    found = one(sentence)
    assert found.verdict == "unsupported", found.why
    assert "opposite" in found.why


def test_an_opposite_word_is_unsupported() -> None:
    assert one("Prices of bread rise in winter [1].", "Prices of bread fall in winter.").verdict == "unsupported"
    assert one("Prices of bread do not rise in winter [1].", "Prices of bread fall in winter.").verdict == "supported"


def test_what_is_about_something_else_is_unsupported() -> None:
    assert one("Herring come to the coast in spring [1].").verdict == "unsupported"


def test_half_of_it_is_weak_and_says_what_is_missing() -> None:
    found = one("The lighthouse stands on granite beside a ruined chapel [1].")
    assert found.verdict in ("weak", "unsupported")
    assert found.why


def test_a_passage_that_is_not_there_supports_nothing() -> None:
    found = one("It was completed in 1844 [3].")
    assert (found.verdict, found.why, found.passage) == ("unsupported", "There is no passage [3].", 0)
    assert one("It was completed [0].").verdict == "unsupported"


def test_a_sentence_may_cite_several_and_the_best_is_quoted() -> None:
    found = one("The boats leave Wick in April [1][2].", LIGHT, FISH)
    assert found.numbers == (1, 2)
    assert found.verdict == "supported"
    assert found.passage == 2
    assert "Wick" in FISH[found.quote_start : found.quote_end]


def test_numbers_of_passages_may_be_those_of_a_document() -> None:
    (found,) = check("The boats leave Wick in April [17].", {17: passage(FISH)})
    assert (found.verdict, found.passage) == ("supported", 17)


def test_citations_are_read_in_all_their_forms() -> None:
    assert cited("a [1][2] b [3, 4] c [6-8] [2]") == (1, 2, 3, 4, 6, 7, 8)
    assert cited("[1](https://x) [a] [12345]") == ()
    assert len(cited("[1-9999]")) <= 21


def test_an_answer_is_taken_apart_at_its_places() -> None:
    answer = "The lighthouse was completed in 1844. [1] It is white.\n- Herring come every spring [2]\n- Boats leave Wick [2]\n"
    found = check(answer, [passage(LIGHT), passage(FISH)])
    assert [(one.verdict, one.numbers) for one in found] == [("supported", (1,)), ("uncited", ()), ("supported", (2,)), ("supported", (2,))]
    assert all(answer[one.start : one.end] == one.sentence for one in found)


@given(st.text(max_size=400), st.text(max_size=400))
def test_no_text_breaks_the_check(answer: str, text: str) -> None:
    for found in check(f"{answer} [1]. {answer}", [passage(text)]):
        assert found.why.endswith((".", "”"))
        assert 0 <= found.quote_start <= found.quote_end <= len(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,234.5 and 1.234,5", [1234.5, 1234.5]),
        ("twenty-five men, a thousand ships, one hundred and eight", [25, 1000, 108]),
        ("one thousand eight hundred and eight", [1808]),
        ("nobody, once, twice, the eighteenth, 3rd", [1, 2, 18, 3]),
        ("two million, 3 thousand, 7 %", [2e6, 3000, 7]),
        ("one of them", []),
        ("in 1912, 1921", [1912, 1921]),
    ],
)
def test_numbers_in_figures_and_words(text: str, values: list[float]) -> None:
    assert [number.value for number in numbers(text)] == values


def test_names_are_capitals_inside_sentences() -> None:
    assert names("Yesterday Mr. Collins met Lady Catherine. He was glad. “No,” said Orlando's father.") == [
        "Collins",
        "Lady",
        "Catherine",
        "Orlando",
    ]


def test_no_fewer_than_denies_nothing() -> None:
    assert denied("It has no fewer than seven keys")[2] == 0
    no, yes, count = denied("It does not burn, but it shines")
    assert ("burn" in no, "shin" in yes, count) == (True, True, 1)


@pytest.mark.parametrize(
    ("said", "claim"),
    [
        ("Even Sir William did not look perfectly calm when they came.", "When they came, Sir William did look calm."),
        ("It tried technical content for a while, but this did not last.", "For a while it tried technical content, which did last."),
        ("No title of nobility shall be granted by the United States.", "A title of nobility may be granted by the United States."),
        ("The proofs were seldom read. The bug was not there, as it was found.", "As it was found, the bug was there."),
    ],
)  # fmt: skip
def test_a_denial_that_is_left_out_says_the_opposite(said: str, claim: str) -> None:
    assert unanswered(said, claim)
    assert one(f"{claim.rstrip('.')} [1].", said).verdict == "unsupported"


@pytest.mark.parametrize(
    ("said", "claim"),
    [
        ("But do not so. I have five hundred crowns, saved under your father.", "He has five hundred crowns saved under the father."),
        ("He did not go to Paris but to London, where his aunt lived.", "He went to London, where his aunt lived."),
        ("The bill was not only passed but signed the same evening.", "The bill was passed and signed the same evening."),
        ("The shop does not open on Sundays. It opens on Mondays at nine.", "The shop opens on Mondays at nine."),
        ("He was not present at the vote.", "He was never present at the vote."),
    ],
)
def test_a_denial_of_something_else_turns_nothing(said: str, claim: str) -> None:
    assert not unanswered(said, claim)
    assert one(f"{claim.rstrip('.')} [1].", said).verdict == "supported"


def test_a_word_with_un_before_it_is_the_opposite() -> None:
    assert (
        one("The keeper was unmarried and lived alone at the light [1].", "The keeper was married and lived at the light.").verdict
        != "supported"
    )


@pytest.mark.parametrize(
    ("said", "claim"),
    [
        ("Speakers abroad are less likely to guess.", "Speakers abroad are more likely to guess."),
        ("The right to vote shall not be denied on account of race.", "The right to vote shall be denied on account of race."),
        ("But I cannot--I have never desired your good opinion.", "She has always desired his good opinion."),
        ("It is an appropriate response to a ping.", "It is an inappropriate response to a ping."),
    ],
)
def test_less_for_more_and_denials_in_pairs_are_the_opposite(said: str, claim: str) -> None:
    assert one(f"{claim.rstrip('.')} [1].", said).verdict == "unsupported"


@pytest.mark.parametrize(
    ("said", "claim"),
    [
        ("But I cannot--I have never desired your good opinion.", "She never desired his good opinion."),
        ("Of the four projects, a bureau in the house executed the first.", "A bureau in the house executed the first project."),
    ],
)
def test_what_only_looks_denied_is_supported(said: str, claim: str) -> None:
    assert one(f"{claim.rstrip('.')} [1].", said).verdict == "supported"


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("The limit is a rule of thumb and not a hard limit [1].", "The limit should be seen as a rule of thumb rather than a hard limit."),
        (
            "Hackers like that word since it is less speculative [1].",
            "Hackers are willing to use that word, because it is not speculative.",
        ),
        ("Congress may not alter the places where senators meet [1].", "Congress may alter rules, except as to the places senators meet."),
        ("Dogs are forbidden in the tower [1].", "No dogs are let into the tower."),
        (
            "No person may be put in jeopardy of life or limb twice for one offence [1].",
            "No person shall answer without a jury; nor shall any person for one offence be twice put in jeopardy of life or limb.",
        ),
    ],
)
def test_a_denial_in_other_words_is_no_opposite(sentence: str, text: str) -> None:
    found = one(sentence, text)
    assert found.verdict == "supported", found.why


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("The limit is a hard limit [1].", "The limit should be seen as a rule of thumb rather than a hard limit."),
        ("Dogs are forbidden in the tower [1].", "Dogs are welcome in the tower."),
    ],
)
def test_such_a_denial_on_one_side_alone_is_still_unsupported(sentence: str, text: str) -> None:
    assert one(sentence, text).verdict == "unsupported"


def test_a_first_name_may_be_added_but_not_changed() -> None:
    text = "Brooks's law: adding manpower to a late software project makes it later."
    assert one("By the law of Fred Brooks, adding manpower to a late project makes it later [1].", text).verdict == "supported"
    assert (
        one("Adding manpower to a late project makes it later, says Fred Brooks [1].", f"As Anne Brooks says: {text}").verdict
        != "supported"
    )


def test_roman_numerals_and_years_count_as_numbers_that_the_passage_has() -> None:
    text = "Amendment XIX. Ratified August 18, 1920. First proposed in a 1919 Gazette, it was reprinted in the 1984 issue."
    assert one("The nineteenth amendment was ratified in August 1920 [1].", text).verdict == "supported"
    assert one("The amendment was first proposed in a 1919 issue of the Gazette [1].", text).verdict == "supported"
    assert one("The amendment was ratified in August 1924 [1].", text).verdict == "unsupported"
    assert one("The eighteenth amendment was ratified in 1920 [1].", "Amendment XIX was ratified in 1920.").verdict != "supported"
    assert one("The twenty-fourth amendment was ratified in 1964 [1].", "Amendment XXIV. Ratified January 23, 1964.").verdict == "supported"
    assert roman("Chapter IV, XL, LXIV; MIT, CD, I") == {4.0, 40.0, 64.0}


def test_at_once_is_no_number() -> None:
    assert [number.said for number in numbers("They left at once; once a year they came back.")] == ["once"]
    assert one("The boats leave Wick at once in April [1].", FISH).verdict == "supported"


@pytest.mark.parametrize(
    ("sentence", "text", "supported"),
    [
        ("The state shall neither pay nor assume such debts [1].", "Neither the union nor any state shall assume or pay such debts.", True),
        ("The state shall pay and assume such debts [1].", "The state shall neither assume nor pay such debts.", False),
        (
            "No new state may be formed without the consent of Congress [1].",
            "No new state shall be formed, without consent of Congress.",
            True,
        ),
        ("Sand is harder to read than clay [1].", "Clay is easier to read than sand.", True),
        ("One third of them is chosen by a vote of three fifths [1].", "A third of them is chosen by a vote of three fifths.", True),
        ("A vote of three fifths chooses them [1].", "A vote of two thirds chooses them within three days.", False),
        (
            "Hockey sees the network as the key to the archive [1].",
            "For Lynch the network is the key to the archive, as Lynch said.",
            False,
        ),
        (
            "Nobody sees the network as the key to the archive [1].",
            "No one sees the network as the key to the archive, as Lynch said.",
            True,
        ),
    ],
)
def test_denials_comparisons_shares_and_opening_names(sentence: str, text: str, supported: bool) -> None:
    found = one(sentence, text)
    assert (found.verdict == "supported") is supported, found.why
