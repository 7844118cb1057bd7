"""What a public studio has on its shelf: chosen by its owner, fetched at the start, never at a visitor's click."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import fetching, models, stocking
from studio.creations import Event, Progress
from studio.errors import DownloadFailed, InvalidInput, StorageFull
from studio.models import Bundled, Endpoint, Folder, Hub, ModelCard, SingleFile
from studio.settings import Settings

COMMIT = "a" * 40


def card(name: str, **more: object) -> ModelCard:
    return ModelCard.model_validate(
        {"name": name, "engine": "language", "serves": ["write"], "source": Hub(repo="someone/it", revision=COMMIT)} | more
    )


def listed(folder: Path, *names: str) -> Path:
    file = folder / "mine.toml"
    tables = (
        f'[[card]]\nname = "{name}"\nengine = "language"\nserves = ["write"]\nmemory_gb = 2\n'
        f'[card.source]\nkind = "hub"\nrepo = "someone/{name.lower()}"\nrevision = "{COMMIT}"\n'
        for name in names
    )
    file.write_text("".join(tables))
    return file


def settings(folder: Path, **more: object) -> Settings:
    return Settings.model_validate({"home": folder / "home", "cache": folder / "cache", "mode": "public"} | more)


@pytest.mark.parametrize(
    "source",
    [Folder(path="~/model"), SingleFile(path="~/x.gguf"), Endpoint(url="http://127.0.0.1:1", model="x"), Hub(repo="someone/it")],
    ids=lambda source: source.kind,
)
def test_a_public_studio_takes_repositories_at_a_commit_alone(source: models.Source) -> None:
    for wrong in (card("It", source=source), card("It", companions={"voice": source})):
        with pytest.raises(InvalidInput, match=r"^It .* name a repository of the Hub at a commit\.$"):
            stocking.admitted([wrong])
    assert stocking.admitted([card("It")]) == (card("It"),)


def test_the_owners_list_is_fetched_in_public_and_what_is_named_everywhere(tmp_path: Path) -> None:
    file = listed(tmp_path, "Mine", "Other")
    known = (*models.read_cards(file), card("Named"))
    for mode, names in (("public", ["Mine", "Other", "Named"]), ("local", ["Named"])):
        chosen = stocking.chosen(known, settings(tmp_path, mode=mode, models=file, preload="named, "))
        assert [one.name for one in chosen] == names


def test_an_unknown_name_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--preload names nobody"):
        stocking.chosen([card("Named")], settings(tmp_path, preload="Nobody"))


def test_a_public_page_shows_what_is_here_or_comes_and_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = listed(tmp_path, "Mine", "Large")
    large = models.read_cards(file)[1].model_copy(update={"memory_gb": 30})
    every = (
        card("Starter", starter=True),
        models.read_cards(file)[0],
        large,
        card("Elsewhere"),
        card("Here", source=Bundled(path="icons/library.json")),
    )

    def shown(mode: str, gigabytes: float) -> list[str]:
        given = settings(tmp_path, mode=mode, models=file)
        return [one.name for one in stocking.offered(every, given, lambda: int(gigabytes * 1e9))]

    assert shown("public", 16) == ["Starter", "Mine", "Here"]
    assert shown("public", 40) == ["Starter", "Mine", "Large", "Here"]
    assert shown("public", 1) == ["Starter", "Here"]
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert shown("public", 1) == ["Starter", "Mine", "Large", "Here"]  # they run on the GPU that is lent
    assert shown("local", 1) == [one.name for one in every]


def test_a_task_that_nothing_serves_keeps_its_cards(tmp_path: Path) -> None:
    every = (card("Starter", starter=True), card("Elsewhere"), card("Voice", serves=["narrate"]), card("Choir", serves=["narrate"]))
    assert [one.name for one in stocking.offered(every, settings(tmp_path), lambda: 0)] == ["Starter", "Voice", "Choir"]


def test_one_that_cannot_be_fetched_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[tuple[str, str]] = []

    def download(name: str, kind: str) -> Iterator[Event]:
        asked.append((name, kind))
        yield Progress("downloading")
        if name == "Gone":
            raise DownloadFailed("The Hub cannot be reached.")
        if name == "Broken":
            raise ZeroDivisionError

    thread = stocking.Stock([card("Gone"), card("Broken"), card("Mine")], download).start()
    assert thread is not None
    thread.join(10)
    assert asked == [("Gone", "write"), ("Broken", "write"), ("Mine", "write")]
    assert "Gone was not fetched: The Hub cannot be reached." in caplog.text
    assert "fetching Broken failed" in caplog.text
    assert stocking.Stock([], download).start() is None


def test_a_download_stays_within_nine_tenths_of_its_budget(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "a").write_bytes(bytes(700))
    (tmp_path / "link").symlink_to(tmp_path / "blobs" / "a")  # as in a cache of the Hub's layout: no second copy
    taken = fetching.folder_bytes(tmp_path)
    assert 700 <= taken < 1_200
    fetching.need_room(tmp_path, 9_000 - taken, "It", 10_000)
    with pytest.raises(StorageFull, match=r"^It needs .* raise --cache-gb\.$"):
        fetching.need_room(tmp_path, 9_001 - taken, "It", 10_000)
    fetching.need_room(tmp_path / "not yet", 9_000, "It", 10_000)


def test_the_budget_is_the_disk_at_home_and_that_of_a_space_in_public(tmp_path: Path) -> None:
    assert settings(tmp_path, mode="local").cache_bytes is None
    assert settings(tmp_path).cache_bytes == 50_000_000_000
    assert settings(tmp_path, cache_gb=1.5).cache_bytes == 1_500_000_000
