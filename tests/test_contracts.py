"""What every engine, card, tab, preset and module owes the others; each newcomer is tested by being found."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pydantic_core import PydanticUndefined

import tabs
from studio import models
from studio.models import ModelCard
from studio.music.genres import genres
from studio.presets import text_styles
from studio.tasks import ASIDE, MODES, TASKS, Inpaint, Task, TextToImage, Write, limits
from studio.writing_presets import writing_presets

ROOT = Path(__file__).parent.parent
PRESETS = ROOT / "presets"
ENGINES = models.engines()
CARDS = [card for module in ENGINES.values() for card in module.CARDS]
TABS = tabs.discover()
HEAVY = {"accelerate", "audiocraft", "demucs", "diffusers", "onnxruntime", "openvino", "torch", "transformers", "xllamacpp"}
PAGE = {"gradio", "gradio_client", "spaces", "tabs", "app"}
LATER = HEAVY | {"c2pa", "cryptography", "cv2", "mido", "scipy", "soundfile"}
MEDIA = {"picture", "sound", "text", "lyrics"}

card_names = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
tab_names = pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.__name__)


def sources(*folders: str) -> list[Path]:
    """Every Python file of ours in these folders (or these files), by its path from the root."""
    found = [path for folder in folders for path in ([ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py"))]
    assert found, f"nothing found in {folders}"
    return sorted(path.relative_to(ROOT) for path in found)


def imports(tree: ast.AST) -> Iterator[str]:
    """The full names that a piece of code imports; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def imported_at_once(tree: ast.Module) -> set[str]:
    """The top packages that importing the module imports: all but what functions and TYPE_CHECKING blocks hold."""
    waiting: list[ast.AST] = [tree]
    found: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {name.split(".")[0] for name in imports(node)}
        waiting.extend(ast.iter_child_nodes(node))
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"))


def first_field(task: type[Task]) -> str:
    """The field a newcomer fills: the one that has no default."""
    return next(name for name, field in task.model_fields.items() if field.default is PydanticUndefined)


EVERY = TASKS | ASIDE
FILLED: dict[str, dict[str, object]] = {kind: {first_field(task): "a red apple"} for kind, task in EVERY.items()}
FILLED["inpaint"] |= {"mask": "mask.png", "prompt": "a red apple", "left": "10"}

# Engines and cards -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_is_cards_and_a_recipe(name: str) -> None:
    engine = ENGINES[name]
    assert isinstance(engine.CARDS, tuple)
    assert all(isinstance(card, ModelCard) and card.engine == name for card in engine.CARDS)
    assert list(inspect.signature(engine.recipe).parameters) == ["card", "task", "device"]


def test_every_engine_has_its_own_test_file() -> None:
    assert [name for name in ENGINES if not (ROOT / f"tests/test_{name}.py").exists()] == []


def test_card_names_are_unique() -> None:
    names = [card.name.casefold() for card in CARDS]
    assert sorted(set(names)) == sorted(names)


def test_every_task_has_one_starter_in_each_way_of_working() -> None:
    unshipped = ("narrate",)  # no voice is small enough to ship
    asked: list[Task] = [task.checked(FILLED[kind]) for kind, task in TASKS.items() if kind not in ("inpaint", *unshipped)]
    asked += [Inpaint.checked(FILLED["inpaint"] | {"mode": mode}) for mode in MODES if mode != "instruct"]
    assert {(task.kind, task.way): sum(card.starter and card.knows(task) for card in CARDS) for task in asked} == dict.fromkeys(
        ((task.kind, task.way) for task in asked), 1
    )


@card_names
def test_a_card_serves_known_tasks_and_says_its_licence(card: ModelCard) -> None:
    assert set(card.serves) <= set(EVERY)
    assert card.summary
    assert card.licence != "unknown" or not card.starter


@card_names
def test_defaults_and_limits_name_fields_and_keep_within_the_tasks(card: ModelCard) -> None:
    served = [EVERY[kind] for kind in card.serves]
    for name in {*card.defaults, *card.limits}:
        assert any(name in task.model_fields for task in served), f"{name} is a field of none of {card.serves}"
    for task in served:
        for name, (low, high) in card.limits.items():
            rules = limits(task, name) if name in task.model_fields else {}
            assert low <= high
            assert rules.get("ge", rules.get("gt", low)) <= low, f"{name} from {low}"
            assert high <= rules.get("le", high), f"{name} to {high}"


@card_names
def test_a_card_fills_a_task_that_says_only_what_it_must(card: ModelCard) -> None:
    for task in (EVERY[kind] for kind in card.serves):
        asked = task.checked(FILLED[task.kind])
        filled = models.resolve(asked, card)
        assert filled.model == card.name
        assert filled.seed is not None
        for name, value in card.defaults.items():
            if name in task.model_fields and getattr(asked, name) in (None, ""):
                assert getattr(filled, name) == value


# Tabs ------------------------------------------------------------------------------------------------------------------------------


def test_every_file_of_tabs_without_an_underscore_is_a_tab() -> None:
    files = {path.stem for path in (ROOT / "tabs").glob("*.py") if not path.stem.startswith("_")}
    assert {tab.__name__.removeprefix("tabs.") for tab in TABS} == files
    assert len({tab.NAME for tab in TABS}) == len(TABS)


@tab_names
def test_a_tab_has_a_name_a_task_a_form_and_says_what_it_accepts(tab: ModuleType) -> None:
    assert isinstance(tab.NAME, str)
    assert tab.NAME
    assert tab.TASK is None or tab.TASK in TASKS.values()
    assert len(inspect.signature(tab.build).parameters) == 1
    assert set(tab.ACCEPTS) <= MEDIA
    assert set(tab.ACCEPTS.values()) <= set(tab.TASK.model_fields if tab.TASK else ())


# Presets ---------------------------------------------------------------------------------------------------------------------------


def test_every_preset_file_is_read_by_somebody() -> None:
    known = {"styles.toml", "writing.toml", "actions.toml", "samplers.toml", "rules.toml", *(f"models/{name}.toml" for name in ENGINES)}
    known |= {f"music/genres/{name.replace(' ', '_')}.toml" for name in genres(PRESETS)}
    found = {str(path.relative_to(PRESETS)) for path in PRESETS.rglob("*") if path.is_file()}
    assert found <= known


def test_every_text_style_fits_the_task() -> None:
    styles = text_styles(PRESETS)
    assert len(styles) >= 24
    for style in styles.values():
        task = style.applied(TextToImage.checked({"prompt": "a red apple", "style": style.name, "negative_prompt": "blur"}))
        assert "a red apple" in task.prompt
        assert "blur" in task.negative_prompt


def test_every_kind_of_text_fits_the_task_and_has_a_name_of_its_own() -> None:
    kinds = writing_presets(PRESETS)
    assert len({kind.name for kind in kinds}) == len({kind.title for kind in kinds}) == len(kinds) >= 16
    for kind in kinds:
        task = Write.checked({"prompt": kind.filled("rain"), "system": kind.system, **kind.settings})
        assert not kind.blank or "rain" in task.prompt
        assert {**task.model_dump(), **kind.settings} == task.model_dump()


@pytest.mark.parametrize("path", sorted((ROOT / "presets/models").glob("*.toml")), ids=lambda path: path.name)
def test_the_cards_of_a_file_are_of_the_engine_it_is_named_after(path: Path) -> None:
    cards = models.read_cards(path)
    assert cards
    assert {card.engine for card in cards} == {path.stem}
    assert {card.name for card in cards} <= {card.name for card in CARDS}


# Who may import whom ---------------------------------------------------------------------------------------------------------------


def test_the_page_is_built_without_what_only_a_run_needs(tmp_path: Path) -> None:
    places = {"home": str(tmp_path / "home"), "cache": str(tmp_path / "cache")}
    code = (
        "import sys; from studio.settings import Settings, prepare_environment; from studio.studio import Studio; from tabs import _lean;"
        f"_lean.gradio_without_hints(); settings = Settings(**{places!r}, offline=True); prepare_environment(settings);"
        f"from tabs import _page; page = _page.page(Studio.open(settings)); print(sorted({LATER!r} & set(sys.modules)));"
        "print([event['show_progress_on'] for event in page.get_config_file()['dependencies'] if event['show_progress_on'] != []]);"
        "print(sys.modules['gradio.component_meta'].create_or_modify_pyi.__module__)"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    heavy, slow, hints = answer.stdout.strip().splitlines()[-3:] or ("", "", "")
    assert heavy == "[]", answer.stdout + answer.stderr
    assert hints == "tabs._lean", "Gradio has parsed and written type hints for every component, which takes a third of its import"
    assert slow == "[]", "Gradio's marks of progress look through the whole page for each output of every event"


def test_importing_the_core_loads_no_page() -> None:
    names = [".".join(path.with_suffix("").parts) for path in sources("studio") if path.stem not in ("__init__", "__main__")]
    code = f"import sys, importlib; [importlib.import_module(n) for n in {names!r}]; print(sorted({HEAVY | PAGE!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.stdout.strip() == "[]", answer.stderr


@pytest.mark.parametrize("path", sources("studio", "tabs", "app.py", "supervise.py"), ids=str)
def test_heavy_libraries_are_imported_inside_functions(path: Path) -> None:
    assert imported_at_once(parsed(path)) & HEAVY == set()


@pytest.mark.parametrize("path", sources("studio"), ids=str)
def test_the_core_names_no_page(path: Path) -> None:
    assert {name for name in imports(parsed(path)) if name.split(".")[0] in PAGE} == set()


@pytest.mark.parametrize("path", sources("studio/engines"), ids=str)
def test_an_engine_knows_no_other_engine_and_of_the_manager_only_its_contract(path: Path) -> None:
    names = set(imports(parsed(path)))
    contract = {f"studio.manager.{name}" for name in ("Component", "Recipe", "Pipeline", "Way")}
    assert {name for name in names if name.startswith("studio.manager")} <= contract
    assert {name for name in names if name.startswith("studio.engines.") and not name.startswith("studio.engines._")} == set()
    above = {f"studio.{name}" for name in ("studio", "ledger", "library", "settings", "stream", "rules", "__main__")}
    assert {name for name in names if name in above or name.rpartition(".")[0] in above} == set()


@pytest.mark.parametrize("path", sources("tabs"), ids=str)
def test_a_tab_knows_no_other_tab(path: Path) -> None:
    named = {name.split(".")[1] for name in imports(parsed(path)) if name.startswith("tabs.")}
    assert {name for name in named if not name.startswith("_")} == set()


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("errors", set[str]()),
        ("tasks", {"errors", "music"}),
        ("creations", {"errors", "tasks"}),
        ("models", {"errors", "tasks", "creations"}),
    ],
)
def test_plain_data_imports_only_downward(name: str, below: set[str]) -> None:
    ours = {imported.split(".")[1] for imported in imports(parsed(Path(f"studio/{name}.py"))) if imported.startswith("studio.")}
    assert ours <= below


def test_only_the_app_touches_spaces() -> None:
    naming = {str(path) for path in sources("studio", "tabs", "app.py") if any(n.split(".")[0] == "spaces" for n in imports(parsed(path)))}
    assert naming <= {"app.py"}


@pytest.mark.parametrize("path", [path for path in sources("studio", "tabs", "app.py") if path != Path("studio/settings.py")], ids=str)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    tree = parsed(path)
    handed_on = {
        id(value) for node in ast.walk(tree) if isinstance(node, ast.Dict) for value in node.values
    }  # {**os.environ, ...} for a child
    read = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv") and id(node) not in handed_on
    ]
    assert read == []
    assert {"os.environ", "os.getenv"} & set(imports(tree)) == set()
