"""A model run by llama.cpp inside this process (`xllamacpp`): finding its file, loading it, asking it, freeing it.

Knows no task and no page; how text becomes a passage is gguf.py's to say, what of a prompt need not be read again is _gguf_prefix.py's.
"""

from __future__ import annotations

import http.client
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.device import Device, threads
from studio.engines import _gguf_header
from studio.engines._gguf_prefix import Prefix
from studio.engines._words import PLACES, turns
from studio.errors import ModelUnavailable
from studio.models import ModelCard

SMALL = 256_000_000
"""Bytes of a file below which one thread is used: a token costs so little that threads would mostly wait for one another, and on a
busy machine two were three times slower than one (measured)."""
READ = 64
"""Prompt tokens read between two looks at Stop, on a CPU."""
READ_SMALL = 16
"""The same of a file below SMALL. Of an earlier prompt whole readings are kept, so that shorter ones keep more of an instruction that is
asked again and of a text that grew: a third of a second each time. Long prompts are read up to 6 % slower (measured)."""
READ_FAST = 512
"""The same on other devices."""

MARKS = 4096
"""Texts of which it is remembered whether they hold markers of the chat form."""

Heard = Callable[[Mapping[str, Any]], bool]


class Writer:
    """A loaded model.

    The library opens an HTTP port with it, on this machine alone; every call but its health check needs `secret`, which never leaves
    this object. Answers are streamed inside the process; the port serves to apply the chat template and to count tokens.
    """

    def __init__(self, server: Any, secret: str, context: int, batch: int = READ) -> None:
        self.context = context
        self._server: Any = server
        self._secret = secret
        self._port = int(server.listening_address.rsplit(":", 1)[1])
        self._prefix = Prefix(batch)
        self._marks: dict[int, bool] = {}

    def opening(self, system: str, instruction: str, goes_on: bool = False) -> list[int]:
        """The tokens of a conversation in the model's own form, up to where its answer begins; markers of that form in what is said
        stay text."""
        said = {"system": system, "user": instruction}
        if not any(self._tokenized(part, special=True) != self.tokens(part) for part in said.values()):
            return self._tokenized(self._form(system, instruction), special=True, first=True)
        form = self._form(PLACES["system"] if system else "", PLACES["user"])
        told = {PLACES[role]: part for role, part in said.items()}
        found: list[int] = []
        for part in re.split("(" + "|".join(map(re.escape, told)) + ")", form):
            found += self.tokens(told[part]) if part in told else self._tokenized(part, special=True, first=not found)
        return found

    def dialogue(self, system: str, messages: Sequence[str]) -> list[int]:
        """The same for messages of the person and the model by turns."""
        chat = turns(system, messages)
        told = {f"⟦message {k}⟧": text for k, (_, text) in enumerate(chat) if self._marked(text)}
        names = {text: name for name, text in told.items()}
        form = self._rendered([(role, names.get(text, text)) for role, text in chat])
        parts = re.split("(" + "|".join(map(re.escape, told)) + ")", form) if told else [form]
        found: list[int] = []
        for part in parts:
            found += self.tokens(told[part]) if part in told else self._tokenized(part, special=True, first=not found)
        return found

    def tokens(self, text: str) -> list[int]:
        """The tokens of plain text; markers of the chat form in it stay text."""
        return self._tokenized(text, special=False)

    def text(self, tokens: Sequence[int]) -> str:
        """What the tokens say."""
        return self._call("/detokenize", {"tokens": list(tokens)})["content"]

    def answer(self, prompt: list[int], sampling: Mapping[str, Any], heard: Heard) -> None:
        """Run the model; `heard` gets each piece in this thread and ends the run by True or by raising.

        What the last prompt began with is not read again where that changes no bit of the answer.
        """
        self._prefix.run(prompt, sampling, heard, self._ask)

    def close(self) -> None:
        """Free the memory and close the port; the object is of no use afterwards."""
        self._server = None

    def _marked(self, text: str) -> bool:
        """Whether markers of the chat form stand in it; remembered, since a conversation says the same again with each message."""
        key = hash(text)
        if key not in self._marks:
            if len(self._marks) >= MARKS:
                self._marks.clear()
            self._marks[key] = self._tokenized(text, special=True) != self.tokens(text)
        return self._marks[key]

    def _form(self, system: str, instruction: str) -> str:
        return self._rendered(turns(system, [instruction]))

    def _rendered(self, chat: Sequence[tuple[str, str]]) -> str:
        messages = [{"role": role, "content": text} for role, text in chat]
        return self._call("/apply-template", {"messages": messages, "chat_template_kwargs": {"enable_thinking": False}})["prompt"]

    def _tokenized(self, text: str, *, special: bool, first: bool = False) -> list[int]:
        """`special`: markers are markers; `first`: the sign that begins every text stands before it, where the model has one."""
        return self._call("/tokenize", {"content": text, "add_special": first, "parse_special": special})["tokens"]

    def _ask(self, prompt: Sequence[int], fields: Mapping[str, Any], heard: Heard) -> None:
        failures: list[BaseException] = []

        def callback(piece: Mapping[str, Any]) -> bool:
            try:
                return heard(piece)
            except BaseException as error:  # noqa: BLE001 (raised again below: it cannot cross the library)
                failures.append(error)
                return True

        fixed = {"prompt": list(prompt), "stream": True, "cache_prompt": False, "return_progress": True, "timings_per_token": True}
        self._server.handle_completions({**fixed, **fields}, callback)
        if failures:
            raise failures[0]

    def _call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._secret}"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"llama.cpp answered {response.status} to {path}: {answer}")
        return answer


def load(card: ModelCard, files: tuple[Path, ...], context: int, device: Device) -> Writer:
    """The model, ready to write; its port is open. Raises ModelUnavailable where the files are damaged or not for this llama.cpp."""
    parameters = _parameters(_library(card.name).CommonParams(), files, context, device)
    return _loaded(card.name, files, context, parameters, {"prompt": "a", "n_predict": 1, "cache_prompt": False})


def load_words(name: str, files: tuple[Path, ...], context: int) -> Writer:
    """The model as far as counting tokens needs it: the file is mapped, no weight is read, and it cannot write."""
    parameters = _parameters(_library(name).CommonParams(), files, _WORDS, Device("cpu"))
    parameters.n_batch = parameters.n_ubatch = 32
    parameters.no_extra_bufts = True  # weights stay where the file is
    proof = {"prompt": [0] * 2 * _WORDS, "n_predict": 1, "cache_prompt": False, "stream": True}  # refused as too long, by the loop
    return _loaded(name, files, context, parameters, proof)


_WORDS = 256
"""Tokens of context for counting, the least there is."""


def _loaded(name: str, files: tuple[Path, ...], context: int, parameters: Any, proof: Mapping[str, Any]) -> Writer:
    for file in files:
        _gguf_header.verify(file, name)
    parameters.api_keys = [secret := secrets.token_urlsafe(32)]
    try:
        server = _library(name).Server(parameters)
        # The library answers "ready" before its loop runs, and a server closed in between waits for ever: a request proves the loop.
        server.handle_completions(proof, lambda _: False)
        return Writer(server, secret, context, parameters.n_batch)
    except RuntimeError:
        raise ModelUnavailable(
            f"{name} cannot be loaded: its file is of a kind that llama.cpp does not read here, or memory is short. "
            "Unload other models and try again, or choose another."
        ) from None


def _library(name: str) -> Any:
    try:
        import xllamacpp as library
    except ImportError:
        raise ModelUnavailable(f"{name} needs the package xllamacpp, which is not installed: install it, then try again.") from None
    return library  # its names are made by its compiled part


def weight_files(card: ModelCard) -> tuple[Path, ...]:
    """The model's file, or all parts of one that was split (NAME-00001-of-00003.gguf). Raises ModelUnavailable."""
    place = card.files
    if place is None:
        raise ModelUnavailable(f"{card.name} is not on this machine yet: fetch it under the model's name, or choose another.")
    found = [place] if place.is_file() else sorted(place.rglob(str(card.options.get("file", "*.gguf"))))
    if not found:
        raise ModelUnavailable(f"There is no .gguf file in the folder of {card.name}: fetch the model again.")
    split = re.fullmatch(r"(.+)-00001-of-(\d{5})\.gguf", found[0].name)
    if split is None:
        return (found[0],)
    parts = [found[0].with_name(f"{split[1]}-{number:05}-of-{split[2]}.gguf") for number in range(1, int(split[2]) + 1)]
    for part in parts:
        if not part.is_file():
            raise ModelUnavailable(f"{part.name} of {card.name} is missing: fetch the model again.")
    return tuple(parts)


def _parameters(parameters: Any, files: tuple[Path, ...], context: int, device: Device) -> Any:
    small = sum(file.stat().st_size for file in files) < SMALL
    parameters.model.path = str(files[0])
    parameters.model_alias = {"writer"}
    parameters.n_ctx, parameters.n_parallel = context, 1
    parameters.n_gpu_layers = 0 if device.kind == "cpu" else -1
    if device.kind == "cuda":  # one device, whose memory the ledger counts; by itself it would spread over all
        parameters.split_mode, parameters.main_gpu = type(parameters.split_mode).LLAMA_SPLIT_MODE_NONE, device.index or 0
    parameters.n_batch = parameters.n_ubatch = READ_FAST if device.kind != "cpu" else READ_SMALL if small else READ
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1 if small else threads()
    parameters.hostnames, parameters.port, parameters.n_threads_http = ["127.0.0.1"], 0, 4
    parameters.endpoint_slots = parameters.endpoint_props = parameters.endpoint_metrics = parameters.ui = False
    parameters.cors_origins = ""
    parameters.cache_ram_mib = parameters.n_ctx_checkpoints = 0  # no copies of earlier prompts
    parameters.fit_params, parameters.verbosity = False, 0
    parameters.warmup = False  # the first token after loading does that
    return parameters
