"""Tiny but real voices of transformers with random weights, saved to a folder in the layout of the large ones. Nothing is downloaded."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from studio.engines import _voices, voice

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'"


def vits(folder: Path, speakers: int = 1) -> Path:
    """VitsModel and VitsTokenizer with an alphabet of small letters, random weights, at 8,000 Hz."""
    import torch

    t: Any = import_module("transformers")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = t.VitsConfig(
            vocab_size=len(LETTERS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16, flow_size=16,
            spectrogram_bins=17, prior_encoder_num_flows=2, prior_encoder_num_wavenet_layers=1, posterior_encoder_num_wavenet_layers=1,
            duration_predictor_num_flows=2, depth_separable_num_layers=1, duration_predictor_filter_channels=16,
            upsample_initial_channel=16, upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8], resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3, 5]], num_speakers=speakers, speaker_embedding_size=8 if speakers > 1 else 0,
            sampling_rate=8000, pad_token_id=0,
        )  # fmt: skip
        t.VitsModel(config).save_pretrained(folder)
    words = folder / "letters.json"
    words.write_text(json.dumps({letter: number for number, letter in enumerate(LETTERS)}))
    t.VitsTokenizer(str(words), phonemize=False, pad_token="_", unk_token=None).save_pretrained(folder)
    words.unlink()
    return folder


def bark(folder: Path) -> Path:
    """BarkModel with its real vocabularies and a voice, made to speak for a fifth of a second."""
    import torch

    t: Any = import_module("transformers")
    shape = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "block_size": 1024}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        codec = t.EncodecConfig(num_filters=2, hidden_size=8, codebook_dim=8, num_lstm_layers=1, upsampling_ratios=[8, 5, 4, 2])
        parts = {
            "semantic_config": t.BarkSemanticConfig(**shape, input_vocab_size=129_600, output_vocab_size=10_048).to_dict(),
            "coarse_acoustics_config": t.BarkCoarseConfig(**shape, input_vocab_size=12_096, output_vocab_size=12_096).to_dict(),
            "fine_acoustics_config": t.BarkFineConfig(**shape, input_vocab_size=1056, output_vocab_size=1056).to_dict(),
            "codec_config": codec.to_dict(),
        }
        model = t.BarkModel(t.BarkConfig(**parts))
        for layer in model.codec_model.quantizer.layers:
            layer.codebook.embed.copy_(torch.randn_like(layer.codebook.embed))
        model.generation_config = t.GenerationConfig()
        model.save_pretrained(folder)
    sampled = {"do_sample": True}
    kinds = {
        "semantic_config": sampled | {"max_new_tokens": 10}, "coarse_acoustics_config": sampled,
        "fine_acoustics_config": {"temperature": 0.5}, "model_type": "bark", "sample_rate": 24_000, "codebook_size": 1024,
    }  # fmt: skip
    (folder / "generation_config.json").write_text(json.dumps(kinds))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "rain", "falls", "lamp", "is", "lit", "."]
    t.BertTokenizer(vocab={word: k for k, word in enumerate(vocabulary)}).save_pretrained(folder)
    rng = np.random.default_rng(0)
    (folder / "speaker_embeddings").mkdir()
    shapes = {"semantic_prompt": (9, 10_000), "coarse_prompt": ((2, 12), 1024), "fine_prompt": ((8, 12), 1024)}
    files: dict[str, str] = {}
    for part, (size, most) in shapes.items():
        files[part] = f"speaker_embeddings/calm_{part}.npy"
        np.save(folder / files[part], rng.integers(0, most, size))
    listed: dict[str, Any] = {"repo_or_path": "elsewhere", "calm": files, "stranger": dict.fromkeys(files, "../../secret.npy")}
    (folder / _voices.VOICES).write_text(json.dumps(listed))
    return folder


def dia(folder: Path) -> Path:
    """DiaForConditionalGeneration with its tokenizer, and a codec of four codebooks at 8,000 Hz in a folder of its own inside."""
    import torch

    t: Any = import_module("transformers")
    shape = {
        "num_hidden_layers": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
    }
    cross = {"cross_num_attention_heads": 2, "cross_head_dim": 8, "cross_num_key_value_heads": 2, "cross_hidden_size": 16}
    special = {"eos_token_id": 32, "pad_token_id": 33, "bos_token_id": 34}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = t.DiaEncoderConfig(max_position_embeddings=512, vocab_size=256, initializer_range=0.5, **shape)
        decoder = t.DiaDecoderConfig(
            max_position_embeddings=200, vocab_size=36, num_channels=4, initializer_range=0.5, **shape, **cross, **special
        )
        config = t.DiaConfig(encoder_config=encoder, decoder_config=decoder, delay_pattern=[0, 2, 3, 4], initializer_range=0.5)
        model = t.DiaForConditionalGeneration(config)
        model.generation_config = t.GenerationConfig(
            do_sample=True, guidance_scale=3.0, top_k=20, max_length=200, decoder_start_token_id=34, **special
        )
        model.save_pretrained(folder)
        codec = t.DacConfig(
            encoder_hidden_size=4,
            decoder_hidden_size=16,
            downsampling_ratios=[2, 5, 8],
            n_codebooks=4,
            codebook_size=32,
            sampling_rate=1600,
        )
        t.DacModel(codec).save_pretrained(folder / voice.CODEC)
    t.DiaTokenizer().save_pretrained(folder)
    return folder


def csm(folder: Path) -> Path:
    """CsmForConditionalGeneration of four codebooks with a codec inside, at 200 Hz and 12.5 frames a second.

    Its weights have the name that the configuration gives them, beside a file of the makers' own format.
    """
    import torch
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import BPE

    t: Any = import_module("transformers")
    shape = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2}
    marks = ["<|begin_of_text|>", "<|end_of_text|>", "<|AUDIO|>", "<|audio_eos|>"]
    raw = Tokenizer(BPE(vocab={piece: k for k, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(marks)
    begin, end, audio, over = (raw.token_to_id(mark) for mark in marks)
    raw.post_processor = processors.TemplateProcessing(
        single=f"{marks[0]} $A {marks[1]}", special_tokens=[(marks[0], begin), (marks[1], end)]
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        codec = t.MimiConfig(
            sampling_rate=200, num_filters=4, upsampling_ratios=[2, 4], codebook_size=64, codebook_dim=8, num_quantizers=4,
            vector_quantization_hidden_dimension=8, upsample_groups=16, sliding_window=50, frame_rate=12.5, **shape,
        )  # fmt: skip
        depth = t.CsmDepthDecoderConfig(num_codebooks=4, backbone_hidden_size=16, vocab_size=67, max_position_embeddings=5, **shape)
        config = t.CsmConfig(
            num_codebooks=4, vocab_size=67, text_vocab_size=260, max_position_embeddings=400, depth_decoder_config=depth.to_dict(),
            codec_config=codec.to_dict(), bos_token_id=begin, pad_token_id=audio, audio_token_id=audio, audio_eos_token_id=over,
            codebook_pad_token_id=66, codebook_eos_token_id=0, initializer_range=0.5, **shape,
        )  # fmt: skip
        model = t.CsmForConditionalGeneration(config)
        for layer in (*model.codec_model.quantizer.semantic_residual_vector_quantizer.layers,
                      *model.codec_model.quantizer.acoustic_residual_vector_quantizer.layers):  # fmt: skip
            layer.codebook.embed_sum.copy_(torch.randn_like(layer.codebook.embed_sum))
        known = {"do_sample": True, "top_k": 20, "suppress_tokens": [64, 65, 66]}  # a trained one writes no others either
        model.generation_config = t.GenerationConfig(**known, pad_token_id=audio)
        model.depth_decoder.generation_config = t.GenerationConfig(**known)
        model.save_pretrained(folder)
    t.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token=marks[0], eos_token=marks[1]).save_pretrained(folder)
    (folder / "model.safetensors").rename(folder / "transformers.safetensors")
    (folder / "model.safetensors").write_bytes(b"another format")
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(told | {"transformers_weights": "transformers.safetensors"}))
    return folder
