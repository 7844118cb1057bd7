"""Lists of things to make: prompts by the line, CSV files with their heads and cells, and what is said of those that cannot be made."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import batch_lists
from studio.errors import InvalidInput, Refused, StudioError
from studio.tasks import Compose, TextToImage, Write


def test_each_line_is_a_prompt_with_the_settings_of_all() -> None:
    rows = batch_lists.lines("a hare\n\n  an owl \n", TextToImage, {"count": 2, "model": "", "seed": None})
    assert [(row.number, row.task) for row in rows] == [
        (1, TextToImage(prompt="a hare", count=2)),
        (3, TextToImage(prompt="an owl", count=2)),
    ]


def test_cells_become_what_their_fields_hold_and_empty_ones_stay_as_the_task_has_them() -> None:
    data = b'Prompt,seed,Guidance scale,count\n"a hare, at night",7,,\nan owl,,4.5,3\n\n'
    rows = batch_lists.table(data, TextToImage, {"count": 2})
    assert [(row.number, row.task) for row in rows] == [
        (2, TextToImage(prompt="a hare, at night", seed=7, count=2)),
        (3, TextToImage(prompt="an owl", guidance_scale=4.5, count=3)),
    ]


@pytest.mark.parametrize(
    "data",
    [
        "\ufeffprompt;loop;instruments\r\nrain;yes;\"piano, harp\"\r\n".encode(),
        "prompt\tloop\tinstruments\nrain\tTRUE\tpiano, harp\n".encode("utf-16"),
    ],
    ids=["semicolons with a mark of order", "tabs in UTF-16"],
)  # fmt: skip
def test_files_as_spreadsheets_write_them_are_read(data: bytes) -> None:
    (row,) = batch_lists.table(data, Compose)
    assert row.task == Compose(prompt="rain", loop=True, instruments=("piano", "harp"))


def test_a_cell_with_several_lines_fills_a_field_of_lines() -> None:
    (row,) = batch_lists.table(b'prompt,stop\na poem,"one\ntwo"\n', Write)
    assert row.task == Write(prompt="a poem", stop=("one", "two"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no head"),
        (b"prompt\n", "list is empty"),
        (b"promt,colour\nx,y\n", "no field promt, colour: columns can be prompt, negative_prompt"),
        (b"prompt,prompt\nx,y\n", "Two columns are called prompt"),
        (b"prompt,seed\nx,1,2\n", "Row 2 has more cells than"),
        (b"prompt,steps\nx,many\n", "Row 2: Steps must be a whole number from 1 to 150"),
        (b"prompt,steps\nx,2\ny,500\n,3\n", "2 of 3 cannot be made. Row 3: Steps must be .*Row 4: Prompt is empty"),
        (b"prompt,count\nx,99999999999999999999999\n", "Row 2: Count must be"),
        (b"prompt,blend\nx,nan\n", "Row 2: Blend must be"),
        (b'prompt\n"never closed', "no CSV file"),
        (b"prompt\n\xff\xfe\xfd", "no text in UTF-8"),
        (b"prompt\n" + b"x\n" * 1001, "1,001 rows; 1,000 are the most"),
        (b"prompt\n" + b"x" * 10_000_000, "larger than 10 MB"),
        (b"prompt\n" + b"x" * 200_000, "field larger than"),
        (b"prompt\na\x00b\n", "Row 2: Prompt holds an invisible control character|no CSV"),
        (b"prompt,model\nx,=cmd|' /C calc'!A0\n" + b"\n", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_sentence_with_its_row(data: bytes, words: str) -> None:
    if not words:  # what a spreadsheet would compute is a plain text here
        assert batch_lists.table(data, TextToImage)[0].task.model == "=cmd|' /C calc'!A0"
        return
    with pytest.raises(InvalidInput, match=words) as refused:
        batch_lists.table(data, TextToImage)
    assert "\n" not in str(refused.value)


def test_columns_that_need_a_file_are_refused_by_their_names() -> None:
    with pytest.raises(InvalidInput, match="takes no files, so it has no column reference"):
        batch_lists.table(b"prompt,reference\nrain,/etc/passwd\n", Compose)
    assert "reference" not in batch_lists.template(Compose)


def test_many_faults_are_told_by_the_first_ones_and_a_count() -> None:
    data = b"prompt,steps\n" + b"x,0\n" * 20
    with pytest.raises(InvalidInput, match=r"20 of 20 cannot.*Row 9:.*12 more") as refused:
        batch_lists.table(data, TextToImage)
    assert "Row 10:" not in str(refused.value)


def test_every_row_is_judged_before_any_is_let_through() -> None:
    rows = batch_lists.lines("a\nb\nc", TextToImage)

    def judge(task: object) -> None:
        if task != rows[0].task:
            raise Refused("Not here.")

    with pytest.raises(InvalidInput, match=r"2 of 3 cannot be made. Line 2: Not here. Line 3: Not here."):
        batch_lists.judged(rows, judge, "Line")


def test_a_kind_that_no_list_can_ask_for_is_refused() -> None:
    with pytest.raises(InvalidInput, match="text_to_image, music, write"):
        batch_lists.task_of("inpaint")


@given(st.binary(max_size=300))
def test_whatever_file_is_given_it_is_rows_or_a_sentence(data: bytes) -> None:
    with suppress(StudioError):
        assert batch_lists.table(b"prompt,seed\n" + data, TextToImage)
