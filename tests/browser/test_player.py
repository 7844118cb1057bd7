"""The player in a real browser, on a page of its own: no studio and no model behind it. What it plays is recorded offline and measured."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import settled
from tests.browser.player_page import BAR, BARS, LIVE_SECONDS
from tests.serving import alone

ROOT = Path(__file__).resolve().parents[2]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
SECONDS = BAR * BARS


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with alone("player_page", tmp_path_factory.mktemp("player")) as url:
        yield url


@pytest.fixture
def page(context: BrowserContext, address: str) -> Page:
    return opened(context.new_page(), address)


def opened(page: Page, address: str, theme: str = "light") -> Page:
    page.goto(f"{address}?__theme={theme}")
    page.locator(".player[data-ready]").wait_for()
    return page


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def with_takes(page: Page) -> Page:
    press(page, "Open")
    page.locator('.player[data-take="one"]').wait_for()
    return page


def at(page: Page) -> float:
    return page.evaluate("window.atelierPlayer.current().position")


def playing(page: Page) -> None:
    """Waits until the sound is there."""
    page.wait_for_function("window.atelierPlayer.current().voice")


def told(page: Page, name: str) -> dict[str, Any]:
    field = page.locator(f"#{name} textarea")
    expect(field).not_to_have_value("")
    return json.loads(field.input_value())


def heard(page: Page, seconds: float) -> None:
    """Wait until the sound card has played so much since the voice began."""
    page.wait_for_function(f"(({{ context, when }}) => context.currentTime - when > {seconds})(window.atelierPlayer.current().voice)")


def drag(page: Page, start: float, end: float, keys: tuple[str, ...] = (), seconds: float = SECONDS) -> None:
    """From one second of the take to another, the way a hand goes."""
    page.locator(".player .stage").scroll_into_view_if_needed()
    settled(page)
    box = page.locator(".player .stage").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] * 0.8
    page.mouse.move(box["x"] + box["width"] * start / seconds, y)
    page.mouse.down()
    for key in keys:
        page.keyboard.down(key)
    page.mouse.move(box["x"] + box["width"] * end / seconds, y, steps=6)
    page.mouse.up()
    for key in keys:
        page.keyboard.up(key)


def test_a_take_plays_is_paused_goes_on_and_is_stopped(page: Page) -> None:
    with_takes(page)
    assert at(page) == 0
    press(page, "Play")
    playing(page)
    page.wait_for_function("window.atelierPlayer.current().position > 0.5")
    assert page.evaluate("window.atelierPlayer.current().voice.context.sampleRate") == 48000, "the rate of the take: nothing is resampled"
    press(page, "Pause")
    paused = at(page)
    page.wait_for_timeout(200)
    assert at(page) == paused > 0.5
    press(page, "Play")
    playing(page)
    assert page.evaluate("window.atelierPlayer.current().voice.position") == pytest.approx(paused), "it goes on where it was paused"
    page.wait_for_function(f"window.atelierPlayer.current().position > {paused + 0.2}")
    press(page, "Stop")
    assert at(page) == 0
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_a_take_that_ends_stands_at_its_beginning_and_one_that_loops_goes_on(page: Page) -> None:
    with_takes(page)
    page.evaluate("window.atelierPlayer.current().seek(15.7)")
    press(page, "Play")
    page.wait_for_function("!window.atelierPlayer.current().playing")
    assert at(page) == 0 and page.evaluate("window.atelierPlayer.current().out.gain.value") == 1, "it sounded, and is over"
    page.get_by_label("A tone that loops").check()
    press(page, "Play")
    playing(page)
    heard(page, 1.2)
    assert page.evaluate("window.atelierPlayer.current().playing") and at(page) < 1


LOOPS = """async () => {
  const { context, decoded, jump, loopRender } = window.atelierPlayer;
  const take = window.atelierPlayer.current().takes.find(({ id }) => id === "loop");
  const buffer = await decoded(take.file.url, context(take.rate));
  const wave = buffer.getChannelData(0);
  const seams = async (start, end, source = buffer) => {
    const rate = source.sampleRate;
    const sound = (await loopRender(source, { start, end }, 3.3)).getChannelData(0);
    const [first, length] = [Math.round(start * rate), Math.round((end - start) * rate)];
    const from = source.getChannelData(0);
    const jumps = [];
    for (let at = length; at < sound.length; at += length) jumps.push(jump(sound, at));
    return { jumps, exact: sound.every((value, i) => value === from[first + (i % length)]) };
  };
  const broken = new AudioBuffer({ length: buffer.length, sampleRate: buffer.sampleRate });
  broken.copyToChannel(wave.map((value, i) => (i < 40 ? value + 0.001 : value)), 0);
  return {
    length: buffer.length, whole: await seams(0, buffer.duration), region: await seams(0.1, 0.6), cut: await seams(0.1, 0.6004),
    click: await seams(0, buffer.duration, broken), inside: jump(wave, 24000, 20000),
  };
}"""


def test_a_loop_has_no_seam_sample_by_sample_and_a_click_would_be_measured(page: Page) -> None:
    got = with_takes(page).evaluate(LOOPS)
    assert got["length"] == 48000, "decoding adds and loses nothing"
    for name, seams in (("whole", 3), ("region", 6)):
        assert got[name]["exact"], "the loop plays the take's own samples, one after the other"
        assert len(got[name]["jumps"]) == seams
        assert max(got[name]["jumps"]) < 1e-4
        assert max(got[name]["jumps"]) < 2 * got["inside"], "a seam is no rougher than the middle of the tone"
    assert min(got["cut"]["jumps"]) > 1e-2, "half a period too long"
    assert min(got["click"]["jumps"]) > 5e-4, "a step of a thousandth"


EXACT = """async () => {
  const { loopRender } = window.atelierPlayer;
  const wrong = [];
  for (const rate of [22050, 32000, 44100, 48000]) {
    const buffer = new AudioBuffer({ length: 3 * rate + 7, sampleRate: rate });
    buffer.copyToChannel(Float32Array.from({ length: buffer.length }, () => Math.random() - 0.5), 0);
    const from = buffer.getChannelData(0);
    for (let round = 0; round < 12; round += 1) {
      const first = Math.floor(Math.random() * rate);
      const length = 40 + Math.floor(Math.random() * rate);
      const sound = (await loopRender(buffer, { start: first / rate, end: (first + length) / rate }, 2)).getChannelData(0);
      if (!sound.every((value, i) => value === from[first + (i % length)])) wrong.push([rate, first, length]);
    }
  }
  return wrong;
}"""


def test_any_stretch_at_any_rate_loops_on_its_exact_samples(page: Page) -> None:
    assert page.evaluate(EXACT) == []


LIVE = """async ([rate, pause]) => {
  const { Growing, LiveVoice, jump } = window.atelierPlayer;
  const chunk = Math.round(0.3 * rate);
  const [count, seconds] = [8, 6];
  const wave = Int16Array.from({ length: chunk * count }, (_, i) => Math.round(12000 * Math.sin((2 * Math.PI * 220 * i) / rate)));
  const sent = Float32Array.from(wave, (value) => value / 32768);
  const text = (from, to) => btoa(String.fromCharCode(...new Uint8Array(wave.slice(from, to).buffer)));
  const context = new OfflineAudioContext(1, seconds * rate, rate);
  const sound = new Growing({ run: "a", rate, channels: 1 });
  let voice, ended = 0, waited = false;
  const add = (i) => sound.add({ offset: i * chunk, pcm: text(i * chunk, (i + 1) * chunk), channels: 1 });
  for (let i = 0; i < count; i += 1) {
    const late = i >= 5 ? pause : 0; // the engine stalls before its sixth chunk
    context.suspend(0.05 + 0.2 * i + late).then(() => {
      waited ||= Boolean(voice?.waiting && sound.ready > 0.5 * rate);
      add(i);
      if (i === 4) add(3); // one that came before comes again
      if (i === count - 1) sound.complete = true;
      voice ??= new LiveVoice(context, sound, context.destination, { position: 0, ended: () => (ended += 1) });
      voice.feed();
      context.resume();
    });
  }
  const played = (await context.startRendering()).getChannelData(0);
  const begin = played.findIndex((value) => value !== 0) - 1;
  const after = played.length - [...played].reverse().findIndex((value) => value !== 0);
  const same = (at, from, to) => sent.subarray(from, to).every((value, i) => Math.abs(value - played[at + i]) < 1e-9);
  let roughest = 0;
  for (let i = begin + 8; i < after - 8; i += 1) roughest = Math.max(roughest, jump(played, i, 1));
  let inside = 0;
  for (let i = 4; i < chunk; i += 1) inside = Math.max(inside, jump(sent, i, 1));
  const silent = (from, to) => played.subarray(from, to).every((value) => value === 0);
  return {
    begin: begin / rate, start: begin, after, chunk, rate, ready: sound.ready, length: wave.length, waited, ended, roughest, inside,
    whole: same(begin, 0, wave.length), head: same(begin, 0, 5 * chunk - Math.round(0.02 * rate)),
    quiet: silent(begin + 5 * chunk + 2, begin + 5 * chunk + 200),
  };
}"""


@pytest.mark.parametrize("rate", [32000, 44100, 48000])
def test_chunks_that_come_in_time_play_as_the_very_sound_that_was_sent(page: Page, rate: int) -> None:
    got = page.evaluate(LIVE, [rate, 0])
    assert got["ready"] == got["length"]
    assert got["begin"] == pytest.approx(0.05 + 0.2 + 0.05, abs=0.01), "just after the second chunk: by then half a second has come"
    assert got["whole"] and not got["waited"], "sample by sample, to a hundredth of what 24 bits can tell"
    assert got["roughest"] < 2 * got["inside"], "no seam is rougher than the middle of a chunk"
    assert got["ended"] == 1


def test_chunks_that_come_late_are_waited_for_without_a_click_and_nothing_is_lost(page: Page) -> None:
    got = page.evaluate(LIVE, [32000, 1.5])
    assert got["waited"] and got["head"] and got["quiet"]
    assert got["roughest"] < 0.004, "the corners of a fade; sound that is cut off where it runs dry jumps by up to 0.3"
    assert got["ended"] == 1
    after, rate = got["after"], got["rate"]
    resumed = after - (got["length"] - 5 * got["chunk"])  # where the sixth chunk began to play
    assert resumed > got["start"] + 5 * got["chunk"], "it went on later"
    assert resumed / rate == pytest.approx(0.05 + 0.2 * 5 + 1.5 + 0.2, abs=0.12), "as soon as half a second has come again"


PLANS = """() => {
  const { schedule } = window.atelierPlayer;
  const rate = 1000;
  const run = (...calls) => calls.reduce((plans, [ready, complete, now]) =>
    [...plans, schedule(plans.at(-1) ?? { position: 0 }, { ready, complete, rate, now })], []);
  return {
    few: run([499, false, 0]).at(-1), enough: run([500, false, 0]).at(-1), short: run([100, true, 7]).at(-1),
    more: run([500, false, 0], [900, false, 300]).at(-1), end: run([500, false, 0], [500, true, 300]).at(-1),
    dry: run([500, false, 0], [600, false, 545]).at(-1), again: run([500, false, 0], [600, false, 545], [1000, false, 800]).at(-1),
  };
}"""


def test_what_is_handed_to_the_clock_next_is_a_plain_sum(page: Page) -> None:
    got = page.evaluate(PLANS)
    assert got["few"]["start"] is None
    assert got["enough"] == {
        "position": 0,
        "base": 50,
        "planned": 500,
        "start": {"from": 0, "to": 500, "at": 50},
        "fade": 540,
        "fresh": True,
    }
    assert (got["short"]["start"], got["short"]["fade"]) == ({"from": 0, "to": 100, "at": 57}, None)
    assert (got["more"]["start"], got["more"]["fade"], got["more"]["fresh"]) == ({"from": 500, "to": 900, "at": 550}, 940, False)
    assert (got["end"]["start"], got["end"]["fade"]) == (None, None), "the end of a finished sound does not fade"
    assert (got["dry"]["start"], got["dry"]["position"]) == (None, 490)
    assert got["again"]["start"] == {"from": 490, "to": 1000, "at": 850}


LOOK = """() => {
  const { atelierPlayer } = window;
  const player = atelierPlayer.current();
  window.seen = [];
  (function look() {
    if (player.voice) seen.push([player.voice.context.currentTime, player.position, player.playing]);
    setTimeout(look, 20);
  })();
  atelierPlayer.FixedVoice = class extends atelierPlayer.FixedVoice {
    constructor(...given) {
      const before = player.voice;
      super(...given);
      window.fell ??= { at: this.position, was: before.reached(this.when), peaks: player.take.peaks.length };
    }
  };
}"""


def test_sound_plays_while_it_is_made_waits_and_goes_on_with_the_finished_take(page: Page) -> None:
    press(page, "Make")
    page.locator(".player[data-growing][data-playing]").wait_for()
    page.wait_for_function("window.atelierPlayer.current().position > 0.9")
    expect(page.locator(".player .line")).to_have_text("Waiting for more sound…")
    waited = at(page)
    assert 0.9 < waited < 1.3, "five chunks of a quarter of a second came"
    assert page.evaluate("window.atelierPlayer.current().take.peaks.length") > 20, "the waveform grows"
    page.evaluate(LOOK)
    press(page, "Go on")
    page.locator('.player[data-take="made"]').wait_for()
    page.wait_for_function("window.fell")
    expect(page.locator(".player .line")).to_have_text("")
    fell, seen = page.evaluate("[fell, seen]")
    assert fell["at"] == pytest.approx(fell["was"], abs=1e-6) and fell["at"] >= waited, "the take falls in to the sample"
    assert all(playing for *_, playing in seen)
    moves = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(seen)]
    assert min(move for _, move in moves) > -0.05, "it never went back"
    assert max(move - took for took, move in moves) < 0.15, "and left nothing out, by the clock of the sound card"
    assert page.evaluate("window.atelierPlayer.current().take.seconds") == LIVE_SECONDS


def test_a_growing_sound_does_not_interrupt_what_plays(page: Page) -> None:
    with_takes(page)
    press(page, "Loop")
    press(page, "Play")
    playing(page)
    press(page, "Make")
    page.wait_for_function("window.atelierPlayer.current().takes.some(({ growing }) => growing?.ready > 30000)")
    assert page.locator(".player").get_attribute("data-take") == "one"
    page.get_by_label("Being made").check()
    page.locator(".player[data-growing]").wait_for()
    assert page.evaluate("window.atelierPlayer.current().playing")
    press(page, "Go on")
    page.locator('.player[data-take="made"]').wait_for()


def test_a_region_snaps_to_bars_and_alt_frees_it(page: Page) -> None:
    with_takes(page)
    drag(page, 3.7, 10.4)
    assert told(page, "region") == {"take": "one", "start": 4, "end": 10}
    expect(page.locator(".player .marked")).to_contain_text("Region 0:04.0 to 0:10.0 · 3 bars")
    assert at(page) == 0, "a drag goes nowhere"
    drag(page, 10, 12.9)
    expect(page.locator("#region textarea")).to_have_value(re.compile('"end": 12[,}]'))
    assert told(page, "region")["start"] == 4, "the handle under the hand moves, the other stays"
    drag(page, 5.3, 7.1, ("Alt",))
    expect(page.locator("#region textarea")).to_have_value(re.compile('"start": 5.[23]'))
    free = told(page, "region")
    assert (free["start"], free["end"]) == (pytest.approx(5.3, abs=0.03), pytest.approx(7.1, abs=0.03))
    press(page, "Clear region")
    expect(page.locator("#region textarea")).to_have_value(re.compile("null"))
    assert told(page, "region") == {"take": "one", "start": None, "end": None}
    page.get_by_label("A tone that loops").check()
    drag(page, 0.21, 0.77, seconds=1)
    expect(page.locator("#region textarea")).to_have_value(re.compile("loop"))
    assert told(page, "region")["start"] == pytest.approx(0.21, abs=0.01), "no bars are known: nothing to snap to"


def test_a_region_is_marked_and_moved_by_keys_alone(page: Page) -> None:
    with_takes(page)
    page.get_by_role("slider", name="Position").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert at(page) == 4
    press(page, "Mark a region")
    start, end = page.get_by_role("slider", name="Region start"), page.get_by_role("slider", name="Region end")
    expect(start).to_be_focused()
    assert told(page, "region") == {"take": "one", "start": 4, "end": 12}
    expect(start).to_have_attribute("aria-valuetext", "0:04.0, bar 3")
    page.keyboard.press("ArrowLeft")
    expect(start).to_have_attribute("aria-valuenow", "2.00")
    page.keyboard.press("Shift+ArrowRight")
    expect(start).to_have_attribute("aria-valuenow", "2.01")
    end.focus()
    page.keyboard.press("End")
    expect(end).to_have_attribute("aria-valuenow", "16.00")
    press(page, "Tell")
    expect(page.locator("#told textarea")).to_have_value("Chosen(take='one', region=(2.01, 16.0), position=4.0)")
    end.focus()
    page.keyboard.press("Delete")
    expect(start).to_be_hidden()


def test_a_marked_region_plays_over_and_over(page: Page) -> None:
    with_takes(page)
    drag(page, 6, 8.2)
    press(page, "Loop")
    press(page, "Play")
    playing(page)
    got = page.evaluate("(({ source }) => [source.loopStart, source.loopEnd, source.loop])(window.atelierPlayer.current().voice)")
    assert got == [6, 8, True]
    assert 6 <= at(page) < 8, "it begins with the region"
    heard(page, 2.2)
    assert 6 <= at(page) < 8 and page.evaluate("window.atelierPlayer.current().playing")


def test_keys_play_and_go_and_a_click_goes_there(page: Page) -> None:
    with_takes(page)
    page.get_by_role("slider", name="Position").focus()
    page.keyboard.press("Space")
    playing(page)
    page.wait_for_function("window.atelierPlayer.current().position > 0.1")
    page.keyboard.press("Space")
    assert not page.evaluate("window.atelierPlayer.current().playing")
    page.keyboard.press("End")
    assert at(page) == SECONDS
    page.keyboard.press("Shift+ArrowLeft")
    assert at(page) == pytest.approx(SECONDS - 0.1)
    page.keyboard.press("Home")
    assert at(page) == 0
    expect(page.get_by_role("slider", name="Position")).to_have_attribute("aria-valuetext", "0 seconds of 16 seconds")
    drag(page, 8, 8)
    assert at(page) == pytest.approx(8, abs=0.03)
    press(page, "Theme again")
    assert at(page) == 8
    expect(page.locator(".player .time")).to_have_text("0:08 / 0:16")


def test_another_take_plays_on_at_the_same_position_and_as_loud(page: Page) -> None:
    with_takes(page)
    press(page, "Play")
    playing(page)
    page.wait_for_function("window.atelierPlayer.current().position > 1")
    page.get_by_role("radio", name="Rainy night", exact=False).first.focus()
    ahead = "(({ position, when }) => position - when)(window.atelierPlayer.current().voice)"
    before = page.evaluate(f"window.first = window.atelierPlayer.current().voice, {ahead}")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("window.atelierPlayer.current().take.id === 'two' && window.atelierPlayer.current().voice !== window.first")
    assert page.evaluate(ahead) == pytest.approx(before, abs=1e-9), "to the sample, against the clock of the sound card"
    assert page.evaluate("window.atelierPlayer.current().playing")
    assert told(page, "choice") == {"take": "two"}
    levels = """async () => {
      const { context, current, decoded, FixedVoice } = window.atelierPlayer;
      const loud = [];
      for (const { file, rate, gain } of current().takes.slice(0, 2)) {
        const offline = new OfflineAudioContext(1, 8 * rate, rate);
        const given = { position: 0, loop: null, gain, ended: () => {} };
        new FixedVoice(offline, await decoded(file.url, context(rate)), offline.destination, given);
        const sound = (await offline.startRendering()).getChannelData(0);
        loud.push(sound.reduce((most, value) => Math.max(most, value), 0));
      }
      return loud;
    }"""
    one, two = page.evaluate(levels)
    assert one == pytest.approx(two, rel=0.1), "though one take is four times as loud as the other"
    assert page.evaluate("window.atelierPlayer.current().voice.level.gain.value") == 2


def test_the_volume_reaches_the_loudspeaker(page: Page) -> None:
    with_takes(page)
    press(page, "Play")
    playing(page)
    page.get_by_label("Volume").fill("50")
    page.wait_for_function("Math.abs(window.atelierPlayer.current().out.gain.value - 0.25) < 0.01")


STRICT = """
  let pressed = false;
  addEventListener("pointerdown", ({ isTrusted }) => (pressed ||= isTrusted), true);
  window.AudioContext = class extends AudioContext {
    constructor(given) {
      super(given);
      if (!pressed) super.suspend();
    }
    resume() {
      return pressed ? super.resume() : new Promise(() => {});
    }
  };
  setTimeout(function look() {
    const button = [...document.querySelectorAll("button")].find((one) => one.textContent.trim() === "Open and play");
    if (button && document.querySelector(".player[data-ready]")) button.click();
    else setTimeout(look, 50);
  }, 50);
"""


def test_a_browser_that_wants_a_gesture_first_is_obeyed_and_it_is_said(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    page.add_init_script(STRICT)  # a press by a script is no gesture
    opened(page, address)
    expect(page.locator(".player .line")).to_have_text("Press play.")
    press(page, "Play")
    page.wait_for_function("window.atelierPlayer.current().position > 0.1")
    expect(page.locator(".player .line")).to_have_text("")


def test_a_take_can_be_played_as_soon_as_it_is_there(page: Page) -> None:
    press(page, "Open and play")
    page.wait_for_function("window.atelierPlayer.current().position > 0.1")
    expect(page.locator(".player .takes")).to_be_hidden()


def test_a_sound_that_is_gone_is_said(page: Page) -> None:
    with_takes(page)
    page.route("**/file=**", lambda route: route.abort())
    press(page, "Play")
    expect(page.locator(".player .line")).to_contain_text("could not be loaded")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.unroute("**/file=**")
    press(page, "Play")
    page.wait_for_function("window.atelierPlayer.current().position > 0.1")


def test_roll_and_spectrogram_unfold_on_demand(page: Page) -> None:
    with_takes(page)
    page.get_by_text("Piano roll", exact=True).click()
    roll = page.get_by_role("img", name=re.compile(r"\d+ notes from C2 to C5 in 2 parts: Piano, Bass\."))
    expect(roll).to_be_visible()
    drawn = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)"
    page.wait_for_function(drawn, arg=roll.element_handle())
    expect(page.get_by_role("list", name="Parts")).to_have_text("PianoBass")
    page.get_by_text("Spectrogram", exact=True).click()
    picture = page.get_by_role("img", name="Spectrogram of Rainy night")
    expect(picture).to_be_visible()
    assert picture.evaluate("i => i.decode().then(() => i.naturalWidth)") == 800
    page.get_by_label("A tone that loops").check()
    expect(page.get_by_text("Piano roll", exact=True)).to_be_hidden()


def test_on_a_phone_everything_fits_and_a_finger_marks(phone: BrowserContext, address: str) -> None:
    page = with_takes(opened(phone.new_page(), address))
    crisp = "c => Math.abs(c.width / c.clientWidth - 3) < 0.05"
    page.wait_for_function(crisp, arg=page.locator(".player canvas").first.element_handle())
    drag_by_finger(page, 4.2, 9.8)
    assert told(page, "region") == {"take": "one", "start": 4, "end": 10}
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.evaluate(
        "[...document.querySelectorAll('.player button:not(.sections *)')].filter(b => b.offsetParent).map(b => b.getBoundingClientRect())"
        ".filter(b => b.width < 44 || b.height < 44).length"
    )
    assert small == 0
    beyond = page.evaluate("[...document.querySelectorAll('.player *')].filter(e => e.getBoundingClientRect().right > 390).length")
    assert beyond == 0


def drag_by_finger(page: Page, start: float, end: float) -> None:
    settled(page)
    box = page.locator(".player .stage").bounding_box()
    assert box is not None
    touch = page.context.new_cdp_session(page)
    for kind, second in (("touchStart", start), ("touchMove", (start + end) / 2), ("touchMove", end), ("touchEnd", None)):
        points = [] if second is None else [{"x": box["x"] + box["width"] * second / SECONDS, "y": box["y"] + 60}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_player_has_no_serious_barrier_and_every_control_is_named(context: BrowserContext, address: str, theme: str) -> None:
    page = opened(context.new_page(), address, theme)
    for filled in (False, True):
        if filled:
            with_takes(page)
            drag(page, 4, 10)
            for fold in ("Piano roll", "Spectrogram"):
                page.get_by_text(fold, exact=True).click()
            page.get_by_role("img", name="Spectrogram of Rainy night").wait_for()
        found = Axe().run(page, context=".player", options=RULES).response["violations"]
        assert {f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found} == set()
    for button in page.locator(".player button:visible").all():
        box = button.bounding_box()
        assert box is not None and min(box["width"], box["height"]) >= 24 and button.get_attribute("title")
    for slider in page.get_by_role("slider").all():
        assert slider.get_attribute("aria-label") or slider.get_attribute("type") == "range"


def test_the_player_asks_nobody_else_and_needs_no_eval() -> None:
    files = [*(ROOT / "assets" / "player").glob("*.js"), ROOT / "assets" / "player" / "player.css"]
    assert len(files) == 11
    for file in files:
        text = file.read_text("utf-8")
        assert not re.search(r"\beval\b|new Function|https?://|</script|@import", text), file.name
        assert len(text.splitlines()) <= 250, file.name
