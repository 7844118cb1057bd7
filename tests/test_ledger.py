"""The ledger never promises more than the budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import NotEnoughMemory
from studio.ledger import Ledger


def test_the_least_recently_used_goes_first_and_no_more_than_needed() -> None:
    ledger = Ledger(100)
    for name, size in (("a", 30), ("b", 30), ("c", 30)):
        ledger.reserve({name: size}, 0)
        ledger.holdings[name].value = object()
        ledger.release([name], 0)
    ledger.reserve({"a": 30}, 0)
    ledger.release(["a"], 0)
    assert [victim.key for victim in ledger.victims(["d"], 35)] == ["b"]
    assert [victim.key for victim in ledger.victims(["d"], 60)] == ["b", "c"]


def test_what_would_go_for_nothing_stays() -> None:
    ledger = Ledger(100)
    for name, size in (("a", 10), ("b", 5), ("c", 60), ("d", 20)):
        ledger.reserve({name: size}, 0)
        ledger.holdings[name].value = object()
        ledger.release([name], 0)
    assert [victim.key for victim in ledger.victims([], 60)] == ["c"], "what is older was not enough, and is not needed beside it"
    assert [victim.key for victim in ledger.victims([], 67)] == ["b", "c"], "the smallest that will do goes beside it"
    assert [victim.key for victim in ledger.victims([], 80)] == ["a", "b", "c"]
    assert [victim.key for victim in ledger.victims([], 20)] == ["a", "b"]


def test_what_a_job_uses_is_never_a_victim() -> None:
    ledger = Ledger(100)
    ledger.reserve({"a": 60}, 0)
    ledger.holdings["a"].value = object()
    with pytest.raises(NotEnoughMemory, match="choose a smaller size"):
        ledger.victims(["b"], 50)
    assert "a" in ledger.holdings


def test_a_component_that_never_loaded_loses_its_place() -> None:
    ledger = Ledger(100)
    ledger.reserve({"a": 60}, 10)
    ledger.release(["a"], 10)
    assert (ledger.resident, ledger.working, ledger.free) == (0, 0, 100)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 60), st.integers(0, 50), st.booleans()), max_size=40))
def test_resident_and_working_bytes_never_pass_the_budget(jobs: list[tuple[str, int, int, bool]]) -> None:
    ledger = Ledger(100)
    sizes: dict[str, int] = {}
    for key, first, working, loads in jobs:
        size = sizes.setdefault(key, first)
        try:
            need = working + (0 if key in ledger.holdings else size)
            for victim in ledger.victims([key], need):
                ledger.remove(victim.key)
            ledger.reserve({key: size}, working)
        except NotEnoughMemory:
            assert size + working > 100
            continue
        assert ledger.resident + ledger.working <= ledger.budget
        if loads:
            ledger.holdings[key].value = object()
        ledger.release([key], working)
        assert ledger.working == 0
