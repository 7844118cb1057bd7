"""Memory stays flat: real models over twenty changes, and many users on a made-up device for as long as one likes.

The long look takes SOAK_MINUTES of its environment, 2 without; 30 is what a release is worth.
"""

from __future__ import annotations

import gc
import os
import random
import statistics
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from benchmarks._cycles import cycles
from studio.errors import Cancelled, NotEnoughMemory
from studio.manager import Manager
from tests import fake_device as fake

MINUTES = float(os.environ.get("SOAK_MINUTES", "2"))
PARTS = {f"part {number}": 3 + number % 9 for number in range(30)}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of numpy, asked for by the libraries under test
@pytest.mark.thorough
def test_twenty_changes_of_real_models_leave_memory_as_the_first_ones_did(tmp_path: Path) -> None:
    try:
        found = cycles(tmp_path, 20)
    finally:
        gc.unfreeze()
    assert len(found) == 20
    assert statistics.median(found[-3:]) <= 1.02 * max(found[:4])


@pytest.mark.thorough
@pytest.mark.timeout(60 * MINUTES + 300)
def test_eight_users_for_minutes_on_end_leave_memory_flat_and_no_promise_broken() -> None:
    host = fake.Host(100)
    manager = Manager(fake.device(host), ahead=True)
    ended: Counter[str] = Counter()
    bugs: list[BaseException] = []
    until = time.monotonic() + 60 * MINUTES

    def user(number: int) -> None:
        dice = random.Random(number)
        try:
            while time.monotonic() < until:
                how = turn(manager, host, dice, str(number))
                ended[how] += 1
        except BaseException as error:  # noqa: BLE001 - it is handed to the test
            bugs.append(error)

    users = [threading.Thread(target=user, args=(number,), daemon=True) for number in range(8)]
    for each in users:
        each.start()
    sizes: list[int] = []
    while time.monotonic() < until:
        time.sleep(max(0.1, 60 * MINUTES / 40))
        sizes.append(psutil.Process().memory_full_info().uss)
    for each in users:
        each.join(60)
    gc.collect()
    assert not any(each.is_alive() for each in users)
    assert bugs == [] and host.problems == []
    assert min(ended[how] for how in ("done", "cancelled", "failed", "refused")) > 10
    assert statistics.median(sizes[-5:]) <= 1.02 * max(sizes[:10])
    manager.close()
    assert manager.waiting() == 0 and manager.status().working == 0
    assert manager.status().residents == () and host.live == 0


def turn(manager: Manager, host: fake.Host, dice: random.Random, owner: str) -> str:
    """One job of a user, of whatever kind and with whatever end. Returns how it ended."""
    keys = dice.sample(list(PARTS), dice.randrange(1, 7))
    ways = {"less": 20} if dice.random() < 0.3 else None
    what = fake.recipe(host, {key: PARTS[key] for key in keys}, dice.randrange(90), ways=ways, beside=True)
    reports, stop = 0, dice.choice((0, 0, 0, 1, 2, 3, 4))
    failure = dice.choice((Cancelled, MemoryError))

    def report(event: object) -> None:
        nonlocal reports
        reports += 1
        if reports == stop:
            raise failure

    try:
        assert len(fake.run(manager, what, fake.task(), report, owner=owner)) == 1
    except Cancelled:
        return "cancelled"
    except MemoryError:
        return "failed"
    except NotEnoughMemory:
        return "refused"
    return "done"
