"""Tiny but real audio pipelines of diffusers with random weights, saved to a folder in the layout of the large ones. Nothing is downloaded.

ACE-Step and Stable Audio make stereo of 16 kHz from 50 frames a second, AudioLDM 2 and LongCat one channel of it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.tiny import t5_words

RATE = 16_000
HOP = 320
"""Samples of a frame."""
WIDTH = 8
"""Channels of the latents."""
LONGEST = 200
"""Frames that Stable Audio Open always makes."""


def ace_step(folder: Path, *, turbo: bool = False) -> Path:
    """AceStepPipeline with its tokenizer of sounds; `turbo` is the kind without guidance."""

    def build() -> Any:
        import torch

        d, t, words = import_module("diffusers"), import_module("transformers"), t5_words()
        shape = {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "sliding_window": 16,
        }
        text = {"num_hidden_layers": 1, "vocab_size": len(words), "max_position_embeddings": 4096}
        condition = d.AceStepConditionEncoder(
            text_hidden_dim=32,
            timbre_hidden_dim=WIDTH,
            num_lyric_encoder_hidden_layers=1,
            num_timbre_encoder_hidden_layers=1,
            **shape,
        )
        condition.silence_latent = torch.randn(1, 200, WIDTH).repeat(1, 75, 1)
        sounds = {"audio_acoustic_hidden_dim": WIDTH, "num_attention_pooler_hidden_layers": 1, **shape}
        return d.AceStepPipeline(
            vae=_oobleck(d),
            text_encoder=t.Qwen3Model(t.Qwen3Config(**(shape | text))),
            tokenizer=words,
            transformer=d.AceStepTransformer1DModel(
                num_hidden_layers=2, in_channels=3 * WIDTH, audio_acoustic_hidden_dim=WIDTH, is_turbo=turbo, **shape
            ),
            condition_encoder=condition,
            scheduler=d.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
            audio_tokenizer=d.AceStepAudioTokenizer(fsq_dim=32, fsq_input_levels=[8, 8, 5], **sounds),
            audio_token_detokenizer=d.AceStepAudioTokenDetokenizer(**sounds),
        )

    return _saved(build, folder)


def stable_audio(folder: Path) -> Path:
    """StableAudioPipeline, with the scheduler that the large one comes with."""

    def build() -> Any:
        d, words, text = _text()
        return d.StableAudioPipeline(
            vae=_oobleck(d),
            text_encoder=text,
            projection_model=d.StableAudioProjectionModel(text_encoder_dim=16, conditioning_dim=16, min_value=0, max_value=512),
            tokenizer=words,
            transformer=d.StableAudioDiTModel(
                sample_size=LONGEST,
                in_channels=WIDTH,
                out_channels=WIDTH,
                num_layers=2,
                attention_head_dim=8,
                num_attention_heads=4,
                num_key_value_attention_heads=2,
                cross_attention_dim=16,
                cross_attention_input_dim=16,
                time_proj_dim=16,
                global_states_input_dim=32,
            ),
            scheduler=d.EDMDPMSolverMultistepScheduler(**COSINE),
        )

    place = _saved(build, folder)
    index = place / "model_index.json"
    index.write_text(index.read_text().replace("EDMDPMSolverMultistepScheduler", "CosineDPMSolverMultistepScheduler"))
    config = place / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("EDMDPMSolverMultistepScheduler", "CosineDPMSolverMultistepScheduler"))
    return place


COSINE = {"sigma_min": 0.3, "sigma_max": 500, "sigma_data": 1.0, "sigma_schedule": "exponential", "prediction_type": "v_prediction"}


def stable_audio_3(folder: Path, *, distilled: bool = False) -> Path:
    """StableAudio3Pipeline; `distilled` is the kind that draws noise anew at every step and knows no guidance."""

    def build() -> Any:
        d, t, words = import_module("diffusers"), import_module("transformers"), t5_words()
        words.padding_side = "right"
        words.model_max_length = 256
        part = {
            "vocab_size": len(words),
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 8,
            "pad_token_id": 0,
        }
        return d.StableAudio3Pipeline(
            vae=d.AutoencoderSAME(
                patch_size=80,
                encoder_channels=16,
                encoder_c_mults=[2],
                encoder_strides=[4],
                encoder_transformer_depths=[1],
                latent_dim=WIDTH,
                dim_heads=8,
                sampling_rate=RATE,
            ),
            text_encoder=t.T5GemmaEncoderModel(
                t.T5GemmaConfig(encoder=part, decoder=part, is_encoder_decoder=False, vocab_size=len(words))
            ),
            tokenizer=words,
            duration_embedder=d.StableAudio3DurationEmbedder(output_dim=16, fourier_dim=16),
            transformer=d.StableAudio3DiTModel(
                io_channels=WIDTH,
                embed_dim=32,
                depth=2,
                num_heads=4,
                cond_token_dim=16,
                global_cond_dim=16,
                local_add_cond_dim=WIDTH + 1,
                timestep_features_dim=16,
                num_memory_tokens=2,
            ),
            scheduler=d.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0, stochastic_sampling=distilled),
        )

    return _saved(build, folder)


def audioldm2(folder: Path) -> Path:
    """AudioLDM2Pipeline: spectra of 8 lines, 100 a second, and an index that names GPT2Model as the large ones' do."""

    def build() -> Any:
        from tokenizers import pre_tokenizers

        d, t = import_module("diffusers"), import_module("transformers")
        vocabulary = {piece: k for k, piece in enumerate(("<s>", "<pad>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())))}
        clap_words = t.RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
        words, text = t5_words(), {"vocab_size": len(t5_words()), "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 2}
        words.model_max_length = 128
        clap = t.ClapConfig(
            text_config={
                "vocab_size": len(vocabulary), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
                "max_position_embeddings": 80, "projection_dim": 16,
            },
            audio_config={
                "spec_size": 8, "window_size": 4, "num_mel_bins": 8, "hidden_size": 32, "depths": [1, 1], "num_attention_heads": [2, 2],
                "num_hidden_layers": 2, "patch_embeds_hidden_size": 16, "projection_dim": 16, "patch_size": 2, "patch_stride": [2, 2],
            },
            projection_dim=16,
        )  # fmt: skip
        return d.AudioLDM2Pipeline(
            vae=d.AutoencoderKL(
                block_out_channels=(8, 16), in_channels=1, out_channels=1, norm_num_groups=8, latent_channels=4,
                down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
            ),
            text_encoder=t.ClapModel(clap),
            text_encoder_2=t.T5EncoderModel(t.T5Config(**text)),
            projection_model=d.AudioLDM2ProjectionModel(text_encoder_dim=16, text_encoder_1_dim=16, langauge_model_dim=16),
            language_model=t.GPT2LMHeadModel(
                t.GPT2Config(vocab_size=99, n_embd=16, n_layer=1, n_head=2, n_inner=16, n_ctx=99, max_new_tokens=8)
            ),
            tokenizer=clap_words,
            tokenizer_2=words,
            feature_extractor=t.ClapFeatureExtractor(feature_size=8, hop_length=480),
            unet=d.AudioLDM2UNet2DConditionModel(
                block_out_channels=(8, 16), norm_num_groups=8, layers_per_block=1, sample_size=8, in_channels=4, out_channels=4,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                cross_attention_dim=(None, 16), attention_head_dim=2,
            ),
            scheduler=d.DDIMScheduler(
                beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
            ),
            vocoder=t.SpeechT5HifiGan(
                t.SpeechT5HifiGanConfig(
                    model_in_dim=8, sampling_rate=RATE, upsample_initial_channel=16, upsample_rates=[8, 20], upsample_kernel_sizes=[16, 40],
                    resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]], normalize_before=False, initializer_range=0.2,
                )
            ),
        )  # fmt: skip

    place = _saved(build, folder)
    index = place / "model_index.json"
    index.write_text(index.read_text().replace("GPT2LMHeadModel", "GPT2Model"))
    return place


def longcat(folder: Path) -> Path:
    """LongCatAudioDiTPipeline."""

    def build() -> Any:
        d, t, words = import_module("diffusers"), import_module("transformers"), t5_words()
        words.model_max_length = 128
        text = t.UMT5Config(vocab_size=len(words), d_model=16, d_kv=4, d_ff=24, num_layers=1, num_heads=2, pad_token_id=0)
        return d.LongCatAudioDiTPipeline(
            vae=d.LongCatAudioDiTVae(
                channels=4, c_mults=[1, 2], strides=[8, 40], latent_dim=WIDTH, encoder_latent_dim=2 * WIDTH,
                downsampling_ratio=HOP, sample_rate=RATE,
            ),
            text_encoder=t.UMT5EncoderModel(text),
            tokenizer=words,
            transformer=d.LongCatAudioDiTTransformer(dit_dim=32, dit_depth=2, dit_heads=4, dit_text_dim=16, latent_dim=WIDTH),
            scheduler=d.FlowMatchEulerDiscreteScheduler(shift=1.0, invert_sigmas=True),
        )  # fmt: skip

    return _saved(build, folder)


def _text() -> tuple[Any, Any, Any]:
    t, words = import_module("transformers"), t5_words()
    words.model_max_length = 128
    config = t.T5Config(vocab_size=len(words), d_model=16, d_kv=4, d_ff=24, num_layers=1, num_heads=2, pad_token_id=0)
    return import_module("diffusers"), words, t.T5EncoderModel(config)


def _oobleck(diffusers: Any) -> Any:
    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=2 * WIDTH,
        downsampling_ratios=[4, 8, 10],
        channel_multiples=[1, 1, 2],
        decoder_channels=8,
        decoder_input_channels=WIDTH,
        sampling_rate=RATE,
    )


def _saved(build: Callable[[], Any], folder: Path) -> Path:
    """Built from the same random numbers at every call; weights that begin as zeros are drawn, or nothing would change anything."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipe = build()
        for part in pipe.components.values():
            for value in part.parameters() if isinstance(part, torch.nn.Module) else ():
                if not value.any():
                    torch.nn.init.normal_(value.data, std=0.05)
        pipe.save_pretrained(folder)
    return folder
