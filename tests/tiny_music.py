"""Tiny but real MusicGen models with random weights, saved to a folder in the layout of the large ones. Nothing is downloaded."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

RATE = 32_000
STEP = 640
"""Samples of a frame, as in the large models."""


def musicgen(folder: Path, *, stereo: bool = False, melody: bool = False) -> Path:
    """MusicgenForConditionalGeneration (or the melody class) with a codec of 64 choices whose codebooks are random.

    A codebook begins as zeros: without random ones every code would sound the same, and tests of equal sound would prove nothing.
    """
    import torch

    t: Any = import_module("transformers")
    books = 8 if stereo else 4
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        words = _words(t)
        text = t.T5Config(vocab_size=len(words), d_model=16, d_kv=4, d_ff=24, num_layers=1, num_heads=2, pad_token_id=0)
        codec = t.EncodecConfig(
            sampling_rate=RATE,
            audio_channels=1,
            upsampling_ratios=[8, 5, 4, 4],
            num_filters=4,
            hidden_size=16,
            codebook_dim=16,
            codebook_size=64,
            num_lstm_layers=2,
            target_bandwidths=[1.2],  # four codebooks of 6 bits at 50 frames a second
            use_causal_conv=False,
            norm_type="weight_norm",
            normalize=False,
            chunk_length_s=None,
            overlap=None,
        )
        shape = {
            "vocab_size": 64,
            "num_codebooks": books,
            "audio_channels": 2 if stereo else 1,
            "hidden_size": 32,
            "ffn_dim": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "pad_token_id": 64,
            "bos_token_id": 64,
            "initializer_factor": 0.3,
        }
        decoder = (t.MusicgenMelodyDecoderConfig if melody else t.MusicgenDecoderConfig)(**shape)
        parts = {"text_encoder": text.to_dict(), "audio_encoder": codec.to_dict(), "decoder": decoder.to_dict()}
        if melody:
            model: Any = t.MusicgenMelodyForConditionalGeneration(t.MusicgenMelodyConfig(**parts, chroma_length=235))
        else:
            model = t.MusicgenForConditionalGeneration(t.MusicgenConfig(**parts))
        for layer in model.audio_encoder.quantizer.layers:
            layer.codebook.embed.normal_()
        with torch.no_grad():  # an encoder as it is made hears all sounds alike: its biases drown them
            for name, value in model.audio_encoder.encoder.named_parameters():
                value.mul_(0 if "bias" in name else 3 if "original0" in name else 1)
        model.generation_config = t.GenerationConfig(
            do_sample=True, guidance_scale=3.0, max_length=1500, bos_token_id=64, pad_token_id=64, decoder_start_token_id=64
        )
        model.save_pretrained(folder)
        words.save_pretrained(folder)
    return folder


def _words(transformers: Any) -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((chr(c), -2.0) for c in range(32, 127)), ("▁", -2.0)]
    return transformers.T5TokenizerFast(vocab=pieces, extra_ids=0)
