"""Signatures: what they say and keep, what breaks them, and files that mean harm."""

from __future__ import annotations

import functools
import io
import json
import random
import re
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from PIL import Image

from studio.creations import Sound
from studio.errors import StudioError
from studio.music import files
from studio.provenance import certificates, manifests, pictures, signatures, signing, sounds
from studio.provenance.certificates import Certified, own
from studio.provenance.containers import PNG_START, XMP_KEYWORD, png_chunk, png_utf8
from studio.provenance.identity import Identity
from studio.provenance.infotext import infotext
from studio.provenance.manifests import native
from studio.provenance.record import Record
from studio.provenance.signing import SIGNED, read, sign
from tests.samples import picture, record
from tests.test_identity import issued

US = Identity(bytes(range(32)), True, year=datetime.now(UTC).year)
THEM = Identity(bytes(32), True, year=US.year)
MADE = record("a red apple nobody may read about in a manifest")
EDIT = MADE.model_copy(update={"kind": "inpaint"})
SMALL = pictures.encode_png(picture(1, 48, 40).pixels, MADE)
SOUND = Sound(np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4000)).astype(np.float32), 16_000)


@functools.cache
def made(suffix: str) -> bytes:
    """A finished file of each format."""
    if suffix == ".png":
        return SMALL
    if suffix in (".jpg", ".webp"):
        return pictures.encode_lossy(SMALL, "jpeg" if suffix == ".jpg" else "webp")
    return sounds.encode_copy(SOUND, {".wav": "wav24"}.get(suffix, suffix[1:]), MADE, "A title")


@functools.cache
def signed(suffix: str) -> bytes:
    return sign(made(suffix), suffix, MADE, US)


def record_of(data: bytes, suffix: str) -> Record | None:
    return (pictures if suffix in (".png", ".jpg", ".webp") else sounds).read_record(data)


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    place = 8
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        found.append((png[place + 4 : place + 8], png[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def with_manifest(manifest: bytes) -> bytes:
    """Our small picture with other bytes where its manifest was."""
    return PNG_START + b"".join(png_chunk(kind, manifest if kind == b"caBX" else data) for kind, data in chunks(signed(".png")))


def manifest() -> bytes:
    return next(data for kind, data in chunks(signed(".png")) if kind == b"caBX")


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def store(data: bytes) -> dict[str, object]:
    with native().Reader("image/png", io.BytesIO(data)) as reader:
        return json.loads(reader.json())


@pytest.mark.parametrize("suffix", SIGNED)
def test_every_format_is_signed_and_found_valid_by_its_maker_alone(suffix: str) -> None:
    found = read(signed(suffix), suffix, US)
    assert (found.state, found.ours, found.problems) == ("valid", True, ())
    assert found.signer == US.signer.name
    assert {"Made by an AI model.", "The model was Sample, under MIT.", "The seed was 1."} <= set(found.claims)
    for stranger in (THEM, None):
        other = read(signed(suffix), suffix, stranger)
        assert (other.state, other.ours, other.claims) == ("foreign", False, found.claims)
    assert read(made(suffix), suffix, US) == signing.Signature("none")
    assert 0 < len(signed(suffix)) - len(made(suffix)) < 5000


@pytest.mark.parametrize("suffix", SIGNED)
def test_what_was_in_the_file_before_it_was_signed_is_still_there(suffix: str) -> None:
    assert record_of(signed(suffix), suffix) == record_of(made(suffix), suffix) is not None
    if suffix in (".png", ".jpg", ".webp"):
        assert pictures.read_infotext(signed(suffix)) == infotext(MADE)
        pictures.check(signed(suffix))
        with Image.open(io.BytesIO(signed(suffix))) as after, Image.open(io.BytesIO(made(suffix))) as before:
            assert np.array_equal(np.asarray(after), np.asarray(before))
            assert {name: after.info.get(name) for name in before.info} == before.info
        assert b"trainedAlgorithmicMedia</Iptc4xmpExt" in signed(suffix)
    else:
        sounds.check(signed(suffix))
        for after, before in zip(files.blocks(signed(suffix)), files.blocks(made(suffix)), strict=True):
            assert np.array_equal(after, before)


@pytest.mark.parametrize("suffix", SIGNED)
def test_one_changed_bit_anywhere_in_what_is_seen_or_heard_or_said_is_found(suffix: str) -> None:
    data, before = signed(suffix), made(suffix)
    parts = [before[place : place + 24] for place in range(12, len(before) - 24, len(before) // 16)]
    known = [data.find(part) for part in parts if data.count(part) == 1]
    assert len(known) > 8
    for place in known:
        found = read(flipped(data, place), suffix, US)
        assert found.state in ("altered", "unreadable"), place
        assert found.problems


def test_a_manifest_names_model_and_seed_and_never_the_prompt() -> None:
    told = json.dumps(store(signed(".png")))
    assert "nobody may read" not in manifest().decode("latin-1") + told
    assert '"c2pa.created"' in told
    assert told.count("trainedAlgorithmicMedia") == 1
    uses = {"cawg.ai_generative_training", "cawg.ai_training", "cawg.data_mining"}
    assert json.dumps({"entries": {use: {"use": "notAllowed"} for use in sorted(uses)}}) in told
    assert re.search(r'"record": "sha256:[0-9a-f]{64}"', told)
    assert "thumbnail" not in told


def test_an_edit_opens_what_it_changed_and_keeps_its_signature() -> None:
    composite = EDIT.model_copy(update={"digital_source_type": MADE.digital_source_type.replace("trained", "compositeWithTrained")})
    mask = pictures.encode_png(picture(2, 8, 8).pixels, MADE)
    data = sign(SMALL, ".png", composite, US, [("boat.png", signed(".png"), ".png"), ("mask", mask, ".png")])
    found = read(data, ".png", US)
    assert (found.state, found.problems) == ("valid", ())
    assert "Changed with an AI model: parts of it are made by one." in found.claims
    assert "It is a changed version of “boat.png”, which is signed itself." in found.claims
    assert "It was made from “mask”." in found.claims
    told = store(data)
    assert len(told["manifests"]) == 2  # pyright: ignore[reportArgumentType]
    actions = re.findall(r'"action": "([a-z0-9.]+)"', json.dumps(told))
    assert {"c2pa.opened", "c2pa.edited"} <= set(actions)


@pytest.mark.parametrize(("use", "relation"), [("melody", "It was made from"), ("continue", "It is a changed version of")])
def test_a_reference_that_was_only_listened_to_is_no_earlier_version(use: str, relation: str) -> None:
    piece = MADE.model_copy(update={"kind": "music", "task": {"reference_use": use, "seed": 3}})
    data = sign(made(".flac"), ".flac", piece, US, [("hum", signed(".wav"), ".wav"), ("notes", b"MThd....", ".mid")])
    found = read(data, ".flac", US)
    assert (found.state, found.problems) == ("valid", ())
    assert f"{relation} “hum”, which is signed itself." in found.claims
    assert "It was made from “notes”." in found.claims


def test_a_parent_that_was_altered_is_kept_and_reported() -> None:
    parent = flipped(signed(".jpg"), len(signed(".jpg")) - 300)
    found = read(sign(SMALL, ".png", EDIT, US, [("boat", parent, ".jpg")]), ".png", US)
    assert found.state == "valid"
    assert found.problems == ("“boat”, which it was made from, had been changed after it was signed.",)
    assert "It is a changed version of “boat”, which is signed itself." in found.claims


def test_a_parent_that_a_stranger_signed_is_kept_as_it_is() -> None:
    found = read(sign(SMALL, ".png", EDIT, US, [("boat", sign(SMALL, ".png", MADE, THEM), ".png")]), ".png", US)
    assert (found.state, found.problems) == ("valid", ())
    assert "It is a changed version of “boat”, which is signed itself." in found.claims


def film(brand: bytes) -> bytes:
    """The least that is a film or a sound in the ISO base media file format (ISO 14496-12): its kind, a head of no tracks, some bytes."""

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + kind + content

    head = struct.pack(">5IIH", 0, 0, 0, 1000, 1000, 0x10000, 0x100) + bytes(10)
    head += struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000) + bytes(24) + struct.pack(">I", 2)
    kinds = box(b"ftyp", brand + struct.pack(">I", 512) + brand + b"iso2mp41")
    return kinds + box(b"moov", box(b"mvhd", head)) + box(b"mdat", bytes(range(256)) * 40)


def others(suffix: str) -> bytes:
    """A file of a kind that is never signed here."""
    if suffix in BRANDS:
        return film(BRANDS[suffix])
    out = io.BytesIO()
    Image.fromarray(picture(1, 48, 40).pixels).save(out, {".tif": "TIFF"}.get(suffix, suffix[1:].upper()))
    return out.getvalue()


BRANDS = {".mp4": b"isom", ".m4a": b"M4A ", ".mov": b"qt  "}
OTHERS = (".avif", ".tif", ".gif", *BRANDS)


@functools.cache
def signed_elsewhere(suffix: str) -> bytes:
    data = others(suffix)
    return signing._signed(data, manifests.readable(data), signing._manifest(MADE, 0), THEM.signer, THEM.root, [], True)


@pytest.mark.parametrize("suffix", OTHERS)
def test_what_others_sign_in_formats_that_are_not_made_here_is_read(suffix: str) -> None:
    found = read(signed_elsewhere(suffix), suffix, US)
    assert found.state == "foreign" and found.signer.startswith(THEM.signer.name) and "Made by an AI model." in found.claims
    assert read(signed_elsewhere(suffix), suffix, THEM).state == "valid"
    assert read(others(suffix), suffix, US).state == "none"
    content = bytearray(signed_elsewhere(suffix))
    place = bytes(content).rindex(others(suffix)[-64:]) if suffix in BRANDS else bytes(content).index(others(suffix)[600:640])
    content[place] ^= 1
    assert read(bytes(content), suffix, US).state == "altered"


@pytest.mark.parametrize("suffix", OTHERS)
def test_what_was_made_from_a_signed_file_of_another_format_keeps_its_signature(suffix: str) -> None:
    edited = sign(SMALL, ".png", EDIT, US, [("holiday", signed_elsewhere(suffix), suffix)])
    assert "It is a changed version of “holiday”, which is signed itself." in read(edited, ".png", US).claims


@pytest.mark.parametrize("suffix", OTHERS)
def test_broken_files_of_other_formats_are_answered_soon(suffix: str) -> None:
    draw, whole, began = random.Random(suffix), signed_elsewhere(suffix), time.monotonic()
    for _ in range(60):
        data = bytearray(whole)
        for place in draw.sample(range(len(data)), 6):
            data[place] = draw.randrange(256)
        told = read(bytes(data[: draw.choice([len(data), draw.randrange(len(data))])]), suffix, US)
        assert told.state in ("none", "unreadable", "altered", "foreign")
    assert time.monotonic() - began < 30
    heavy = whole + b"jumd" * (manifests.BOXES + 1)
    assert read(heavy, suffix, US).state == "unreadable"


def test_a_manifest_that_says_it_is_huge_is_not_taken_apart() -> None:
    for suffix, data in ((".mp4", signed_elsewhere(".mp4")), (".tif", signed_elsewhere(".tif"))):
        if suffix == ".mp4":
            place = data.index(manifests._MANIFEST) - 4
            huge = data[:place] + struct.pack(">I", 7_000_000) + data[place + 4 :]
        else:
            place = re.search(rb"\x41\xcd[\x01\x07]\x00", data)
            assert place is not None
            huge = data[: place.end()] + struct.pack("<I", 7_000_000) + data[place.end() + 4 :]
        assert manifests.excessive(huge) and not manifests.excessive(data)


@pytest.mark.parametrize("broken", [b"\xff" * 400, manifest()[:600], manifest()[:300] + bytes(90) + manifest()[390:]])
def test_a_parent_whose_signature_is_broken_is_named_and_reported(broken: bytes) -> None:
    parent = with_manifest(broken)
    assert read(parent, ".png", US).state == ("unreadable" if b"jumd" in parent else "none")
    found = read(sign(SMALL, ".png", EDIT, US, [("boat", parent, ".png")]), ".png", US)
    assert found.state == "valid"
    assert "It is a changed version of “boat”." in found.claims
    told = ("About “boat”, which it was made from: It carries a signature that could not be read.",)
    assert found.problems == (told if b"jumd" in parent else ())


@pytest.mark.parametrize("parent", [b"", b"\x89PNG\r\n\x1a\n", b"<svg/>", SMALL[:500], b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f"])
def test_a_parent_of_any_bytes_does_not_stop_the_signature(parent: bytes) -> None:
    assert read(sign(SMALL, ".png", EDIT, US, [("", parent, "")]), ".png", US).state == "valid"


def test_a_long_history_is_cut_before_files_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "MANIFEST_LIMIT", 20_000)
    data, sizes, reports = SMALL, list[int](), set[str]()
    for _ in range(5):
        data = sign(SMALL, ".png", EDIT, US, [("before", data, ".png")])
        found = read(data, ".png", US)
        assert found.state == "valid"
        sizes.append(len(data) - len(SMALL))
        reports |= set(found.problems)
    assert max(sizes) < 20_000
    assert any(after < before for before, after in pairwise(sizes))
    assert reports == {"About “before”, which it was made from: Its own history is not repeated here."}


@pytest.mark.parametrize(("data", "suffix"), [(b"text", ".txt"), (SMALL, ".jpg"), (made(".wav"), ".ogg"), (b"", ".png"), (SMALL, "png")])
def test_what_cannot_be_signed_is_the_callers_mistake(data: bytes, suffix: str) -> None:
    with pytest.raises(ValueError, match="no format that can be signed"):
        sign(data, suffix, MADE, US)


def test_a_signature_that_fails_says_what_to_check() -> None:
    with pytest.raises(StudioError, match="check the file and this machine's clock"):
        sign(SMALL, ".png", MADE, replace(US, year=1990))
    with pytest.raises(StudioError, match="check the file"):
        sign(SMALL[:60], ".png", MADE, US)


def test_signing_again_replaces_the_signature() -> None:
    again = sign(sign(SMALL, ".png", MADE, THEM), ".png", MADE, US)
    assert read(again, ".png", US).state == "valid"
    assert abs(len(again) - len(signed(".png"))) < 50


def operators(seed: bytes) -> Certified:
    """A certificate as an operator may have it: from an authority that vouches for others too."""
    return own(seed, US.year)


def test_what_an_operators_certificate_signs_is_ours_and_so_is_what_the_studio_signed_before() -> None:
    operator = replace(US, operator=operators(b"operator"))
    data = sign(SMALL, ".png", MADE, operator)
    assert read(data, ".png", operator).state == "valid"
    assert read(data, ".png", US).state == "foreign"
    assert read(signed(".png"), ".png", operator).state == "valid"


def test_an_operator_without_a_name_of_his_own_is_called_by_his_organisation() -> None:
    operator = replace(US, operator=certificates.operators(issued(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))))
    found = read(sign(SMALL, ".png", MADE, operator), ".png", operator)
    assert (found.state, found.signer) == ("valid", "Operator")


def test_a_result_is_not_lost_to_an_operators_certificate_that_has_run_out(caplog: pytest.LogCaptureFixture) -> None:
    ended = replace(US, operator=own(b"operator", 1990))
    found = read(sign(SMALL, ".png", EDIT, ended, [("before", signed(".png"), ".png")]), ".png", US)
    assert (found.state, found.signer) == ("valid", US.signer.name)
    assert "could not sign" in caplog.text


def test_another_customer_of_the_operators_authority_is_not_us() -> None:
    mine, neighbour = operators(b"authority"), own(b"authority", US.year + 1)
    assert mine.anchor == neighbour.anchor
    data = sign(SMALL, ".png", MADE, replace(THEM, operator=neighbour))
    found = read(data, ".png", replace(US, operator=mine))
    assert (found.state, found.ours) == ("foreign", False)


def test_a_certificate_that_has_run_out_does_not_make_a_file_altered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own answer for such a file, since certificates end at a second that a test would have to wait for."""
    told = store(signed(".png"))
    outcome = told["validation_results"]["activeManifest"]  # pyright: ignore[reportIndexIssue]
    outcome["failure"] += [{"code": "signingCredential.untrusted"}, {"code": "signingCredential.expired"}]
    monkeypatch.setattr(signatures, "_store", lambda *_: told)
    found = read(signed(".png"), ".png", US)
    assert (found.state, found.ours) == ("foreign", False)
    assert found.problems == ("The certificate behind the signature has run out: who signed it can no longer be proven.",)


def test_a_signature_that_lies_elsewhere_is_not_fetched() -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/manifest.c2pa"
        names = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dcterms="http://purl.org/dc/terms/"'
        told = f'<rdf:RDF {names}><rdf:Description rdf:about="" dcterms:provenance="{address}"/></rdf:RDF>'
        xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{told}</x:xmpmeta>'
        head, *rest = chunks(made(".png"))
        parts = [png_chunk(*head), png_utf8(XMP_KEYWORD, xmp), *(png_chunk(*part) for part in rest if part[0] != b"iTXt")]
        data = PNG_START + b"".join(parts)
        found = read(data, ".png", US)
        assert (found.state, found.problems) == ("none", ("The file names a signature that lies elsewhere; it was not fetched.",))
        assert read(sign(SMALL, ".png", EDIT, US, [("boat", data, ".png")]), ".png", US).state == "valid"
        assert not asked
        with pytest.raises(native().C2paError):  # left to itself, the library does ask
            store(data)
        server.shutdown()
    assert asked


def nested(depth: int) -> bytes:
    """A manifest store with boxes in boxes (ISO 19566-5)."""
    head = struct.pack(">I", 27) + b"jumdc2ma" + bytes.fromhex("00110010800000AA00389B71") + b"\x03x\x00"
    top = head.replace(b"c2ma", b"c2pa")
    whole = len(top) + depth * (8 + len(head))
    return b"".join(
        struct.pack(">I", whole + 8 - level * (8 + len(head))) + b"jumb" + (head if level else top) for level in range(depth + 1)
    )


@pytest.mark.parametrize(
    "data",
    [
        *(with_manifest(nested(depth)) for depth in (1, 100, 10_000)),
        with_manifest(manifest() * 60),
        with_manifest(manifest() + bytes(manifests.BYTES)),
        with_manifest(b"\x00\x00\x00\x01jumb" + b"\xff" * 8 + manifest()[8:]),
        with_manifest(b""),
        signed(".png")[:-30],
        b"\xff\xd8\xff" + b"\xff\xeb\xff\xffJP\x00\x01" * 20_000,
        b"RIFF\xff\xff\xff\xffWAVEC2PA\xff\xff\xff\xff" + manifest(),
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7fGEOB" + manifest(),
        b"fLaC" + bytes(1000),
        b"\xff\xfb" * 3,
        b"RIFF",
    ],
)
def test_a_file_that_means_harm_is_answered_soon(data: bytes) -> None:
    started = time.process_time()
    found = read(data, ".png", US)
    assert found.state in ("none", "unreadable", "altered")
    assert time.process_time() - started < 3


def test_what_a_stranger_says_of_himself_comes_as_short_plain_text() -> None:
    text = "<script>\u202e\n\x00" + "A" * 100_000
    hostile = MADE.model_copy(update={"model": {"name": text, "licence": text}, "task": {"seed": True}})
    data = sign(SMALL, ".png", hostile, THEM, [(text, b"", ".png")] * 30)
    found = read(data, ".png", US)
    assert found.state == "foreign"
    assert len(found.claims) < 30
    assert all(len(claim) < 300 and claim.isprintable() for claim in found.claims)


def test_changed_bytes_in_a_manifest_change_nothing_that_is_said() -> None:
    """C2PA leaves a manifest's padding and the heads of its boxes unsigned; what counts is signed."""
    data, chance, refused = signed(".png"), random.Random(5), 0
    untouched = read(data, ".png", US)
    for _ in range(60):
        changed = bytearray(manifest())
        place = chance.randrange(len(changed) - 4)
        changed[place : place + 4] = chance.randbytes(4)
        found = read(with_manifest(bytes(changed)), ".png", US)
        assert found == untouched or not (found.ours and found.state == "valid")
        refused += found.state != "valid"
    assert refused > 25


def test_four_threads_sign_and_read_at_once() -> None:
    def both(number: int) -> str:
        parents = [("before", signed(".jpg"), ".jpg")] if number % 3 == 0 else []
        return read(sign(SMALL, ".png", EDIT, US, parents), ".png", US).state

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(both, range(24))) == {"valid"}


def test_what_was_opened_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    library, opened = native(), list[object]()
    begin = library.c2pa.ManagedResource.__init__

    def kept(self: object, *rest: object) -> None:
        opened.append(self)
        begin(self, *rest)

    monkeypatch.setattr(library.c2pa.ManagedResource, "__init__", kept)
    read(sign(SMALL, ".png", EDIT, US, [("a", signed(".png"), ".png"), ("b", with_manifest(nested(3)), ".png")]), ".png", US)
    read(with_manifest(nested(3)), ".png", US)
    assert len(opened) > 8
    assert not [one for one in opened if one.is_valid]  # pyright: ignore[reportAttributeAccessIssue]


def test_files_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read(sign(SMALL, ".png", EDIT, US, [("a", signed(".wav"), ".wav")]), ".png", US)
    assert not list(tmp_path.iterdir())
