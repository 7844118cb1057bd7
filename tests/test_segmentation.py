"""Finding a part of a picture by models of real classes at tiny size, and what the mask editor makes of them."""

from __future__ import annotations

import base64
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from studio.admission import Admission
from studio.creations import Picture, Preview, Progress
from studio.device import Device
from studio.engines import segmentation
from studio.errors import Busy, Cancelled, InvalidInput, ModelUnavailable, Refused
from studio.inpaint.refining import refined
from studio.models import Folder, ModelCard, resolve
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Select
from tabs import _mask_editor, _selecting, _streams
from tests import tiny

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 64


def silent(_: Progress | Preview) -> None: ...


def clipseg(folder: Path) -> Path:
    """CLIPSeg with random weights; its decoder says 0.5 almost everywhere."""
    import torch
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation, CLIPSegTextConfig, CLIPSegVisionConfig

    words = CLIPSegTextConfig(
        vocab_size=514, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, bos_token_id=512, eos_token_id=513
    )
    eyes = CLIPSegVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=3, num_attention_heads=2, image_size=SIDE, patch_size=16
    )
    config = CLIPSegConfig(
        text_config=words.to_dict(), vision_config=eyes.to_dict(), projection_dim=16, extract_layers=[0, 1], reduce_dim=8,
        decoder_num_attention_heads=2, decoder_intermediate_size=16,
    )  # fmt: skip
    torch.manual_seed(0)
    CLIPSegForImageSegmentation(config).save_pretrained(folder)
    tiny.clip_words().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(f'{{"size": {{"height": {SIDE}, "width": {SIDE}}}}}')
    return folder


def sam(folder: Path) -> Path:
    """SAM 2 with random weights."""
    import torch
    from transformers import Sam2Config, Sam2Model

    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1, "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 1, 1],
        "global_attention_blocks": [3], "window_size_per_stage": [8, 8, 8, 8], "window_positional_embedding_background_size": [4, 4],
    }  # fmt: skip
    config = Sam2Config(
        vision_config={
            "model_type": "sam2_vision_model", "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]], "fpn_hidden_size": 16,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": SIDE, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
    )  # fmt: skip
    torch.manual_seed(0)
    Sam2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("segmentation")
    return {"named": clipseg(root / "clipseg"), "subject": sam(root / "sam")}


def card(folder: Path, way: str) -> ModelCard:
    facts: dict[str, Any] = {"engine": "segmentation", "serves": ("select",), "modes": (way,), "memory_gb": 0.1, "licence": "MIT"}
    return ModelCard(name=f"Tiny {way}", source=Folder(path=str(folder)), files=folder, **facts)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A red disc of radius 24 on blue, 160 x 120, a little to the right."""
    y, x = np.mgrid[:120, :160]
    pixels = np.full((120, 160, 3), (40, 90, 200), np.uint8)
    pixels[np.hypot(x - 100, y - 60) < 24] = (220, 60, 40)
    Image.fromarray(pixels).save(tmp_path / "disc.png")
    return tmp_path / "disc.png"


def found(card: ModelCard, report: Any = silent, **asked: Any) -> list[Picture]:
    task = resolve(Select.checked(asked), card)
    made = segmentation.recipe(card, task, Device("cpu"))
    values = {name: part.load(silent) for name, part in made.components.items()}
    return [one for one in made.build(values)(task, report) if isinstance(one, Picture)]


# The engine ------------------------------------------------------------------------------------------------------------------------


def test_a_name_becomes_a_mask_of_the_pictures_size(folders: dict[str, Path], picture: Path) -> None:
    (mask,) = found(card(folders["named"], "named"), image=str(picture), name="a red disc, something else")
    assert mask.pixels.shape == (120, 160)
    assert mask.pixels.dtype == np.uint8
    assert mask.pixels.any()
    (again,) = found(card(folders["named"], "named"), image=str(picture), name="a red disc, something else")
    assert (mask.pixels == again.pixels).all()


def test_the_model_is_asked_as_its_makers_prepare_pictures(folders: dict[str, Path], picture: Path) -> None:
    """What the library's own model says of the same numbers is what is cut."""
    import torch
    from transformers import CLIPSegForImageSegmentation

    with Image.open(picture) as image:
        pixels = np.asarray(image)
    prepared = segmentation._prepared(pixels, SIDE)
    small = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255
    wanted = ((small - segmentation.MEAN) / segmentation.DEVIATION).transpose(2, 0, 1)
    assert np.abs(prepared[0] - wanted).mean() < 0.1
    model = CLIPSegForImageSegmentation.from_pretrained(folders["named"]).eval()
    words = tiny.clip_words()(["a red disc"], return_tensors="pt")
    with torch.inference_mode():
        logits = model(**words, pixel_values=torch.from_numpy(prepared)).logits
    sure = torch.sigmoid(logits).reshape(SIDE, SIDE)
    share = float((sure > max(segmentation.LEAST, segmentation.SHARE * float(sure.max()))).float().mean())
    (mask,) = found(card(folders["named"], "named"), image=str(picture), name="a red disc")
    assert (mask.pixels > 127).mean() == pytest.approx(share, abs=0.1)


def test_what_nothing_looks_like_is_said(folders: dict[str, Path], picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation, "LEAST", 1.0)
    with pytest.raises(InvalidInput, match="Nothing in this picture looks like “a zebra”"):
        found(card(folders["named"], "named"), image=str(picture), name="a zebra")
    with pytest.raises(InvalidInput, match="Say what to select"):
        found(card(folders["named"], "named"), image=str(picture), name=" , ")


def test_the_thing_in_a_box_becomes_a_mask_and_without_a_box_the_subject_is_looked_for(
    folders: dict[str, Path], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    boxes: list[Any] = []

    def answer(_: Any, pixel_values: Any, input_boxes: Any, **__: Any) -> Any:
        """Marks the box itself: what was asked is seen, and what is made of the answer."""
        boxes.append(input_boxes.tolist()[0][0])
        logits = torch.full((1, 1, 1, 16, 16), -5.0)
        left, top, right, bottom = (round(side / SIDE * 16) for side in boxes[-1])
        logits[..., top:bottom, left:right] = 5.0
        assert pixel_values.shape == (1, 3, SIDE, SIDE)
        return SimpleNamespace(pred_masks=logits)

    one = card(folders["subject"], "subject")
    recipe = segmentation.recipe(one, Select.checked({"image": str(picture)}), Device("cpu"))
    real = type(recipe.components["model"].load(silent))
    monkeypatch.setattr(real, "__call__", answer)
    (mask,) = found(one, image=str(picture), box=(80, 30, 120, 90))
    assert boxes[-1] == pytest.approx([80 / 160 * SIDE, 30 / 120 * SIDE, 120 / 160 * SIDE, 90 / 120 * SIDE])
    assert mask.pixels[60, 100] == 255 and mask.pixels[5, 5] == 0
    found(one, image=str(picture))
    assert boxes[-1] == pytest.approx([76 / 160 * SIDE, 36 / 120 * SIDE, 124 / 160 * SIDE, 84 / 120 * SIDE], abs=1.5)


def test_a_real_network_of_that_kind_is_asked_and_heard(folders: dict[str, Path], picture: Path) -> None:
    import torch
    from transformers import Sam2Model

    with Image.open(picture) as image:
        prepared = torch.from_numpy(segmentation._prepared(np.asarray(image), SIDE))
    box = torch.tensor([[[70 / 160 * SIDE, 30 / 120 * SIDE, 130 / 160 * SIDE, 90 / 120 * SIDE]]])
    with torch.inference_mode():
        logits = (
            Sam2Model.from_pretrained(folders["subject"]).eval()(pixel_values=prepared, input_boxes=box, multimask_output=False).pred_masks
        )
    share = float((logits > 0).float().mean())
    assert 0.02 < share < 0.98, "random weights that mark a part"
    (mask,) = found(card(folders["subject"], "subject"), image=str(picture), box=(70, 30, 130, 90))
    assert (mask.pixels > 127).mean() == pytest.approx(share, abs=0.15)


def test_a_box_outside_the_picture_is_refused(folders: dict[str, Path], picture: Path) -> None:
    with pytest.raises(InvalidInput, match="holds nothing of the picture"):
        found(card(folders["subject"], "subject"), image=str(picture), box=(500, 0, 600, 10))


def test_a_stop_ends_it(folders: dict[str, Path], picture: Path) -> None:
    def stop(_: Progress | Preview) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        found(card(folders["named"], "named"), stop, image=str(picture), name="a disc")


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelUnavailable, match="no model that this engine can select with"):
        segmentation.recipe(card(tmp_path, "named"), Select.checked({"image": "a"}), Device("cpu"))


# What both know together ------------------------------------------------------------------------------------------------------------


def test_each_part_of_a_rough_mask_is_drawn_sharper_where_both_mean_the_same() -> None:
    rough = np.zeros((100, 200), np.uint8)
    rough[20:60, 20:60], rough[20:60, 120:160], rough[90, 190] = 255, 200, 255
    rough[62:64, 20:60] = 40  # a faint part is none
    boxes = list[tuple[int, int, int, int]]()

    def cut(box: tuple[int, int, int, int]) -> np.ndarray:
        boxes.append(box)
        fine = np.zeros_like(rough)
        fine[24:58, 22:56] = 255  # what the first box holds; far from the second part
        return fine

    mask = refined(rough, cut)
    assert sorted(boxes) == [(18, 18, 62, 62), (118, 18, 162, 62)]
    assert mask[30, 30] == 255 and mask[21, 21] == 0, "the first is as it was cut"
    assert (mask[:, 100:] == rough[:, 100:]).all(), "the second and the speck are as they were found"
    assert (mask[62:64] == rough[62:64]).all()


def test_a_part_that_nothing_can_cut_stays_and_a_stop_is_no_refusal() -> None:
    rough = np.zeros((40, 40), np.uint8)
    rough[10:20, 10:20] = 255

    def refuse(_: Any) -> np.ndarray:
        raise InvalidInput("Nothing stands out there.")

    def stop(_: Any) -> np.ndarray:
        raise Cancelled

    assert (refined(rough, refuse) == rough).all()
    assert not refined(np.zeros_like(rough), stop).any(), "nothing found, nothing asked"
    with pytest.raises(Cancelled):
        refined(rough, stop)


# The studio and the editor ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def studio(folders: dict[str, Path], tmp_path: Path) -> Iterator[Studio]:
    (tmp_path / "models.toml").write_text(
        "\n".join(
            f'[[card]]\nname = "Tiny {way}"\nengine = "segmentation"\nserves = ["select"]\nmodes = ["{way}"]\nmemory_gb = 0.1\n'
            f'source = {{kind = "folder", path = "{folder}"}}\n'
            for way, folder in folders.items()
        )
    )
    studio = Studio.open(
        Settings(home=tmp_path / "home", cache=tmp_path / "cache", device="cpu", models=tmp_path / "models.toml", offline=True)
    )
    yield studio
    studio.close()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Studio]:
    """A studio without such models."""
    studio = Studio.open(Settings(home=tmp_path / "bare", cache=tmp_path / "cache", device="cpu"))
    yield studio
    studio.close()


def desk(studio: Studio) -> Any:
    return SimpleNamespace(studio=studio)


def test_the_studio_selects_and_the_model_stays_in_memory(studio: Studio, picture: Path) -> None:
    mask = studio.select(Select.checked({"image": str(picture), "name": "a disc"}))
    assert mask.pixels.shape == (120, 160)
    assert any("/selection:" in resident.key for resident in studio.manager.status().residents)
    assert studio.manager.waiting() == 0
    assert list(studio.library.list()) == [], "a mask is no creation"


def test_a_look_takes_of_the_day_s_minutes_and_is_refused_where_no_run_may_begin(studio: Studio, picture: Path) -> None:
    studio.admission = Admission(studio.settings.home, seconds=600)
    asked = Select.checked({"image": str(picture), "name": "a disc"})
    studio.select(asked, "ana", address="1.2.3.4")
    runs, seconds = studio.admission.today()["ana"]
    assert runs == 0 and 0 < seconds < 600
    studio.admission.took("ana", "1.2.3.4", 600)
    with pytest.raises(Busy, match="10 minutes of the device"):
        studio.select(asked, "ana", address="1.2.3.4")
    studio.admission.block("bo")
    with pytest.raises(Refused, match="from you"):
        studio.select(asked, "bo")


def test_the_editor_asks_models_where_they_are_here(studio: Studio, picture: Path, uploads: Path) -> None:
    selecting = _selecting.Selecting(desk(studio))
    assert selecting.reason() == ""
    path = uploads / "disc.png"
    path.write_bytes(picture.read_bytes())
    answer = _mask_editor.selected({"path": str(path), "what": "named", "name": "a disc"}, selecting, None)
    mask = np.frombuffer(zlib.decompress(base64.b64decode(answer["mask"])), np.uint8).reshape(120, 160)
    rough = studio.select(Select.checked({"image": str(path), "name": "a disc"})).pixels
    wanted = refined(rough, lambda box: studio.select(Select.checked({"image": str(path), "box": box})).pixels)
    assert (mask == wanted).all()
    kept = {resident.key for resident in studio.manager.status().residents}
    assert len([key for key in kept if "/selection:" in key]) == 2, "both were asked"


@pytest.mark.parametrize("session", ["mine", "another"])
def test_stop_ends_a_selection_of_its_own_browser_session_alone(
    studio: Studio, picture: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    looking, pressed, prepared = threading.Event(), threading.Event(), segmentation._prepared

    def waiting(*values: Any) -> Any:
        looking.set()
        assert pressed.wait(60)
        return prepared(*values)

    monkeypatch.setattr(segmentation, "_prepared", waiting)
    path = uploads / "disc.png"
    path.write_bytes(picture.read_bytes())
    request = SimpleNamespace(scope={_streams.SESSION: "mine"})
    asked = {"path": str(path), "what": "named", "name": "a disc"}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_mask_editor.selected, asked, _selecting.Selecting(desk(studio)), request)
        try:
            assert looking.wait(60)
            ended = studio.stop("local", session)
        finally:
            pressed.set()
        said = answer.result(60)
    if session == "mine":
        assert ended == 1 and said == {"stopped": "Stopped: the selection is as it was."}
        assert studio.manager.waiting() == 0
    else:
        assert ended == 0 and set(said) == {"mask"}


@pytest.mark.parametrize("session", ["mine", "another"])
def test_stop_ends_a_search_without_a_model_at_once_and_its_work_at_the_next_round(
    bare: Studio, picture: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    looking, pressed, ended, cut, rounds = threading.Event(), threading.Event(), threading.Event(), cv2.grabCut, list[int]()

    def waiting(*values: Any) -> Any:
        rounds.append(1)
        looking.set()
        assert pressed.wait(60)
        return cut(*values)

    def by_hand(*values: Any) -> dict[str, Any]:
        try:
            return _mask_editor.select(*values)
        finally:
            ended.set()

    monkeypatch.setattr(cv2, "grabCut", waiting)
    path = uploads / "disc.png"
    path.write_bytes(picture.read_bytes())
    request = SimpleNamespace(scope={_streams.SESSION: "mine"})
    asked = {"path": str(path), "what": "subject", "box": [60, 20, 140, 100]}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_mask_editor.selected, asked, _selecting.Selecting(desk(bare)), request, by_hand)
        try:
            assert looking.wait(60)
            assert bare.stop("local", session) == (session == "mine")
            if session == "mine":
                assert answer.result(60) == {"stopped": "Stopped: the selection is as it was."}
                assert not ended.is_set()
        finally:
            pressed.set()
        assert set(answer.result(60)) == {"stopped" if session == "mine" else "mask"}
        assert ended.wait(60)
        assert session == "another" or len(rounds) == 1


def test_who_waits_for_a_turn_can_be_stopped(bare: Studio, picture: Path) -> None:
    turns, waiting = threading.Semaphore(0), threading.Event()

    class Turns(threading.Semaphore):
        def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
            waiting.set()
            return turns.acquire(blocking, timeout)

    by_hand = _mask_editor._in_turn(_mask_editor.select, Turns())
    request = SimpleNamespace(scope={_streams.SESSION: "mine"})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_selecting.Selecting(desk(bare)).by_hand, lambda report: by_hand({"path": str(picture)}, report), request)
        assert waiting.wait(60)
        assert bare.stop("local", "mine") == 1
        with pytest.raises(Cancelled):
            answer.result(60)


def test_without_such_a_model_the_reason_is_said_and_the_subject_is_found_all_the_same(bare: Studio, picture: Path, uploads: Path) -> None:
    selecting = _selecting.Selecting(desk(bare))
    assert selecting.reason() == "To select by name, download CLIPSeg (Apache-2.0, 0.61 GB) in the Models tab first."
    path = uploads / "disc.png"
    path.write_bytes(picture.read_bytes())
    asked = {"path": str(path), "what": "named", "name": "a disc"}
    assert _mask_editor.selected(asked, selecting, None) == {"error": selecting.reason()}
    answer = _mask_editor.selected({**asked, "what": "subject"}, selecting, None)
    mask = np.frombuffer(zlib.decompress(base64.b64decode(answer["mask"])), np.uint8).reshape(120, 160)
    assert mask[60, 100] == 255 and mask[5, 5] == 0
    turned = _mask_editor.selected({**asked, "what": "background"}, selecting, None)
    other = np.frombuffer(zlib.decompress(base64.b64decode(turned["mask"])), np.uint8).reshape(120, 160)
    assert (other == 255 - mask).all()


@pytest.mark.parametrize("name", [None, 7, ["a"], "", "   ", "a" * 5000, "\0"])
def test_a_name_that_is_none_is_refused_in_a_sentence(studio: Studio, picture: Path, uploads: Path, name: Any) -> None:
    path = uploads / "disc.png"
    path.write_bytes(picture.read_bytes())
    answer = _mask_editor.selected({"path": str(path), "what": "named", "name": name}, _selecting.Selecting(desk(studio)), None)
    assert set(answer) == {"error"} and answer["error"].endswith(".")
