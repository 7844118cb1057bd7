"""Tiny but real models, built from configurations with random weights and saved to a folder: the classes of the large ones at a few 100 kB.

Each builder writes one folder and returns it. Weights are the same at every call. Nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.models import Folder, ModelCard
from studio.tasks import TextToImage

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
END = "<|end|>"


def stable_diffusion(folder: Path, **changes: Any) -> Path:
    """StableDiffusionPipeline, 64 px native. `changes` override or add pipeline components."""
    d = _diffusers()

    def build() -> Any:
        parts = {
            "unet": _unet(4),
            "vae": _vae(4),
            "text_encoder": _clip(),
            "tokenizer": clip_words(),
            "scheduler": _ddim(),
            "safety_checker": None,
            "feature_extractor": None,
        }
        return d.StableDiffusionPipeline(**(parts | changes), requires_safety_checker=False)

    return _saved(build, folder)


def instruct_pix2pix(folder: Path) -> Path:
    """StableDiffusionInstructPix2PixPipeline: a UNet of eight channels, that reads the picture beside its latents."""
    d = _diffusers()

    def build() -> Any:
        return d.StableDiffusionInstructPix2PixPipeline(
            unet=_unet(8),
            vae=_vae(4),
            text_encoder=_clip(),
            tokenizer=clip_words(),
            scheduler=_ddim(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    return _saved(build, folder)


def single_file(folder: Path, file: Path) -> Path:
    """The pipeline that `stable_diffusion` wrote to `folder` as one file, with the names of the original Stable Diffusion checkpoints."""
    from safetensors.torch import load_file, save_file

    everything: dict[str, Any] = {}
    for part, prefix, rules in (
        ("unet", "model.diffusion_model.", _UNET_NAMES),
        ("vae", "first_stage_model.", _VAE_NAMES),
        ("text_encoder", "cond_stage_model.transformer.", ((r"^(?!text_model\.)", "text_model."),)),
    ):
        (weights,) = (folder / part).glob("*.safetensors")
        for name, tensor in load_file(weights).items():
            original = reduce(lambda so_far, rule: re.sub(*rule, so_far), rules, name)
            attention = part == "vae" and ".attn_1." in original and tensor.ndim == 2
            everything[prefix + original] = (tensor[:, :, None, None] if attention else tensor).contiguous()
    save_file(everything, file)
    return file


_RESNET_NAMES = (
    (r"\.norm1\.", ".in_layers.0."),
    (r"\.conv1\.", ".in_layers.2."),
    (r"\.time_emb_proj\.", ".emb_layers.1."),
    (r"\.norm2\.", ".out_layers.0."),
    (r"\.conv2\.", ".out_layers.3."),
    (r"\.conv_shortcut\.", ".skip_connection."),
)
_UNET_NAMES = (
    *((r"^(.*resnets.*)" + pattern, r"\1" + name) for pattern, name in _RESNET_NAMES),
    (r"^time_embedding\.linear_1", "time_embed.0"),
    (r"^time_embedding\.linear_2", "time_embed.2"),
    (r"^conv_in", "input_blocks.0.0"),
    (r"^conv_norm_out", "out.0"),
    (r"^conv_out", "out.2"),
    (r"^down_blocks\.0\.resnets\.0", "input_blocks.1.0"),
    (r"^down_blocks\.0\.downsamplers\.0\.conv", "input_blocks.2.0.op"),
    (r"^down_blocks\.1\.resnets\.0", "input_blocks.3.0"),
    (r"^down_blocks\.1\.attentions\.0", "input_blocks.3.1"),
    (r"^mid_block\.resnets\.0", "middle_block.0"),
    (r"^mid_block\.attentions\.0", "middle_block.1"),
    (r"^mid_block\.resnets\.1", "middle_block.2"),
    (r"^up_blocks\.0\.resnets\.(.)", r"output_blocks.\1.0"),
    (r"^up_blocks\.0\.attentions\.(.)", r"output_blocks.\1.1"),
    (r"^up_blocks\.0\.upsamplers\.0\.conv", "output_blocks.1.2.conv"),
    (r"^up_blocks\.1\.resnets\.0", "output_blocks.2.0"),
    (r"^up_blocks\.1\.resnets\.1", "output_blocks.3.0"),
)
_VAE_NAMES = (
    (r"down_blocks\.(.)\.resnets", r"down.\1.block"),
    (r"down_blocks\.(.)\.downsamplers\.0", r"down.\1.downsample"),
    (r"up_blocks\.0\.", "up.1."),
    (r"up_blocks\.1\.", "up.0."),
    (r"(up\..)\.resnets", r"\1.block"),
    (r"(up\..)\.upsamplers\.0", r"\1.upsample"),
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"mid_block\.attentions\.0\.to_(.)\.", r"mid.attn_1.\1."),
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
)


def stable_diffusion_xl(folder: Path) -> Path:
    """StableDiffusionXLPipeline with two text encoders; its VAE asks for float32 where the rest is float16, as the real one does."""
    d = _diffusers()

    def build() -> Any:
        unet = d.UNet2DConditionModel(
            block_out_channels=(2, 4),
            layers_per_block=2,
            sample_size=32,
            in_channels=4,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 2),
            projection_class_embeddings_input_dim=80,
            cross_attention_dim=64,
            norm_num_groups=1,
        )
        return d.StableDiffusionXLPipeline(
            unet=unet,
            vae=_vae(4, force_upcast=True, scaling_factor=0.13025),
            text_encoder=_clip(),
            tokenizer=clip_words(),
            text_encoder_2=_clip(projected=True),
            tokenizer_2=clip_words(),
            scheduler=d.EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1),
        )

    return _saved(build, folder)


def stable_diffusion_3(folder: Path) -> Path:
    """StableDiffusion3Pipeline without the third text encoder: flow matching, 16 latent channels."""
    d = _diffusers()

    def build() -> Any:
        transformer = d.SD3Transformer2DModel(
            sample_size=32,
            patch_size=1,
            in_channels=16,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            caption_projection_dim=32,
            joint_attention_dim=32,
            pooled_projection_dim=64,
            out_channels=16,
        )
        return d.StableDiffusion3Pipeline(
            transformer=transformer,
            vae=_vae(16, scaling_factor=1.5305, shift_factor=0.0609),
            text_encoder=_clip(projected=True),
            tokenizer=clip_words(),
            text_encoder_2=_clip(projected=True),
            tokenizer_2=clip_words(),
            text_encoder_3=None,
            tokenizer_3=None,
            scheduler=d.FlowMatchEulerDiscreteScheduler(shift=3.0),
        )

    return _saved(build, folder)


def flux(folder: Path, pipeline: str = "FluxPipeline", channels: int = 16) -> Path:
    """FluxPipeline: flow matching with a shift by size, packed latents, a T5 text encoder.

    `pipeline` names a sister of it, whose transformer reads `channels`: FluxFillPipeline 48, with the mask and what it hides.
    """
    d = _diffusers()
    t: Any = import_module("transformers")

    def build() -> Any:
        transformer = d.FluxTransformer2DModel(
            patch_size=1,
            in_channels=channels,
            out_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=[4, 4, 8],
        )
        words = t5_words(model_max_length=77)
        t5 = t.T5Config(vocab_size=len(words), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, pad_token_id=0)
        return getattr(d, pipeline)(
            transformer=transformer,
            vae=_vae(4, scaling_factor=0.3611, shift_factor=0.1159),
            text_encoder=_clip(),
            tokenizer=clip_words(),
            text_encoder_2=t.T5EncoderModel(t5),
            tokenizer_2=words,
            scheduler=d.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        )

    return _saved(build, folder)


def z_image(folder: Path) -> Path:
    """ZImagePipeline: a Qwen3 text encoder with a chat template, 16 latent channels."""
    d = _diffusers()

    def build() -> Any:
        transformer = d.ZImageTransformer2DModel(
            all_patch_size=(2,),
            all_f_patch_size=(1,),
            in_channels=16,
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            qk_norm=True,
            cap_feat_dim=32,
            rope_theta=256.0,
            t_scale=1000.0,
            axes_dims=[8, 4, 4],
            axes_lens=[256, 64, 64],
        )
        return d.ZImagePipeline(
            transformer=transformer,
            vae=_vae(16, scaling_factor=0.3611, shift_factor=0.1159),
            text_encoder=_qwen3(2),
            tokenizer=byte_words(512),
            scheduler=d.FlowMatchEulerDiscreteScheduler(shift=3.0),
        )

    return _saved(build, folder)


def flux2_klein(folder: Path) -> Path:
    """Flux2KleinPipeline: packed and batch-normalised latents, hidden states of a Qwen3 text encoder."""
    d = _diffusers()

    def build() -> Any:
        transformer = d.Flux2Transformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=96,
            timestep_guidance_channels=256,
            axes_dims_rope=[4, 4, 4, 4],
        )
        vae = d.AutoencoderKLFlux2(
            sample_size=32,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(4, 8),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=2,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )
        return d.Flux2KleinPipeline(
            transformer=transformer,
            vae=vae,
            text_encoder=_qwen3(28),
            tokenizer=byte_words(512),
            scheduler=d.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
            is_distilled=True,
        )

    return _saved(build, folder)


def qwen_image(folder: Path) -> Path:
    """QwenImagePipeline: a video VAE, packed latents with means and spreads, a Qwen2.5-VL text encoder."""
    d = _diffusers()
    t: Any = import_module("transformers")

    def build() -> Any:
        transformer = d.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(8, 4, 4),
        )
        vae = d.AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2],
            num_res_blocks=1,
            temperal_downsample=[False],
            latents_mean=[0.1, 0.0, -0.1, 0.2],
            latents_std=[1.5, 1.0, 0.5, 2.0],
        )
        text = {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "vocab_size": 280,
            "max_position_embeddings": 1024,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0},
        }
        vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 32}
        return d.QwenImagePipeline(
            transformer=transformer,
            vae=vae,
            text_encoder=t.Qwen2_5_VLForConditionalGeneration(t.Qwen2_5_VLConfig(text_config=text, vision_config=vision)),
            tokenizer=byte_words(1024),
            scheduler=d.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift_terminal=0.02),
        )

    return _saved(build, folder)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "StableDiffusionPipeline": stable_diffusion,
    "StableDiffusionXLPipeline": stable_diffusion_xl,
    "StableDiffusion3Pipeline": stable_diffusion_3,
    "FluxPipeline": flux,
    "Flux2KleinPipeline": flux2_klein,
    "ZImagePipeline": z_image,
    "QwenImagePipeline": qwen_image,
}
"""Pipelines of text-to-image, by class name."""
EDITORS: dict[str, Callable[[Path], Path]] = {
    "StableDiffusionInstructPix2PixPipeline": instruct_pix2pix,
    "FluxKontextPipeline": lambda folder: flux(folder, "FluxKontextPipeline"),
    "Flux2KleinPipeline": flux2_klein,
}
"""Pipelines that edit by instruction."""
FILLERS: dict[str, Callable[[Path], Path]] = {"FluxFillPipeline": lambda folder: flux(folder, "FluxFillPipeline", 48)}
"""Pipelines made to fill a hole."""


def marked(folder: Path, width: int, height: int, box: tuple[int, int, int, int]) -> dict[str, str]:
    """A smooth picture of that size and a mask over `box` (left, top, right, bottom), as the fields of a task."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.dstack([rows * 2, columns, 255 - rows]).clip(0, 255).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    files = {"image": folder / "image.png", "mask": folder / "mask.png"}
    for name, values in (("image", pixels), ("mask", mask)):
        Image.fromarray(values).save(files[name])
    return {name: str(file) for name, file in files.items()}


def card_of(files: Path, **options: Any) -> ModelCard:
    """A card of a folder with a tiny picture model; number format float32, so that what differs is due to the way it runs alone."""
    return ModelCard(
        name="Tiny",
        engine="diffusion",
        serves=("text_to_image", "inpaint"),
        source=Folder(path=str(files)),
        files=files,
        options={"dtype": "float32"} | options,
        defaults={"width": 64, "height": 64, "steps": 2, "guidance_scale": 3},
    )


def task_of(**changes: Any) -> TextToImage:
    """A picture of a red apple, 64 pixels wide, in two steps."""
    values = {"prompt": "a red apple", "width": 64, "height": 64, "steps": 2, "guidance_scale": 3, "seed": 1}
    return TextToImage.checked(values | changes)


def chat_model(folder: Path, context: int = 512) -> Path:
    """A Llama chat model whose tokens are bytes: one token a byte, so that its text can be reasoned about.

    It says printable ASCII alone and never ends by itself.
    """
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    def build() -> Any:
        words = byte_words(context)
        config = LlamaConfig(
            vocab_size=len(words),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=context,
            bos_token_id=None,
            eos_token_id=words.convert_tokens_to_ids(END),
            pad_token_id=words.convert_tokens_to_ids(END),
            initializer_range=0.3,
        )
        model = LlamaForCausalLM(config)
        printable = {words.convert_tokens_to_ids("Ġ" if c == 32 else chr(c)) for c in range(32, 127)}
        with torch.no_grad():
            for row in set(range(len(words))) - printable:
                model.lm_head.weight[row] = 0
        model.generation_config = GenerationConfig(eos_token_id=config.eos_token_id, do_sample=True, temperature=0.6, top_k=20)
        words.save_pretrained(folder)
        return model

    return _saved(build, folder)


def clip_words() -> Any:
    """CLIP's tokenizer with a vocabulary of bytes: marks 512 and 513 begin and end a text."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    pieces = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, merges=[], model_max_length=77)


def t5_words(**settings: Any) -> Any:
    """A tokenizer of the T5 kind whose every word is a letter."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((chr(c), -2.0) for c in range(32, 127)), ("▁", -2.0)]
    return import_module("transformers").T5TokenizerFast(vocab=pieces, extra_ids=0, **settings)


def byte_words(longest: int) -> Any:
    """A byte-level tokenizer of 256 bytes and a chat template's marks."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {piece: number for number, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    words = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token=END, pad_token=END, additional_special_tokens=list(ROLES), model_max_length=longest
    )
    words.chat_template = CHAT_TEMPLATE
    return words


def _diffusers() -> Any:
    return import_module("diffusers")


def _saved(build: Callable[[], Any], folder: Path) -> Path:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        build().save_pretrained(folder)
    return folder


def _vae(channels: int, **changes: Any) -> Any:
    return _diffusers().AutoencoderKL(
        block_out_channels=[4, 8],
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=channels,
        norm_num_groups=2,
        **changes,
    )


def _unet(channels: int) -> Any:
    return _diffusers().UNet2DConditionModel(
        block_out_channels=(4, 8),
        layers_per_block=1,
        sample_size=32,
        in_channels=channels,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        norm_num_groups=2,
    )


def _ddim() -> Any:
    return _diffusers().DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )


def _clip(projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=1,
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        vocab_size=514,
        projection_dim=32,
    )
    return CLIPTextModelWithProjection(config) if projected else CLIPTextModel(config)


def _qwen3(layers: int) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(
        Qwen3Config(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=layers,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            vocab_size=280,
            max_position_embeddings=512,
        )
    )
