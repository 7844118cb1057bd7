"""Modules of diffusers as they are translated: every input a named tensor, one tensor out, waves in place of times and positions.

Tracing follows tensors alone, and what makes waves is left out of the network: in bf16 a time of 501 would be 500. Knows no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.engines._openvino_stand_ins import THOUSANDTHS, in_waves, waves

Noise = Callable[..., Any]
"""Sizes to a tensor."""


def traced(own: Any, config: Mapping[str, Any], kind: str) -> tuple[Any, Callable[[int, int], dict[str, Any]]]:
    """A module that takes the network's inputs by name and gives one tensor, and inputs of noise for latents of (rows, columns)."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator)

    if kind.startswith("AutoencoderKL"):
        return own.decoder, lambda rows, columns: {"sample": noise(1, config["latent_channels"], rows, columns)}
    if "Transformer" in kind:
        return _transforming(own, kind, config, noise)
    if config.get("class_embed_type") or config.get("encoder_hid_dim_type") or config.get("num_class_embeds"):
        raise ValueError("a UNet that is told of classes or pictures")
    if config.get("time_embedding_type", "positional") != "positional":
        raise ValueError("a UNet that is told times in another way")
    added, condition = config.get("addition_embed_type"), config.get("time_cond_proj_dim")
    if added not in (None, "text_time"):
        raise ValueError(f"a UNet that is told {added}")
    wide = config["cross_attention_dim"]
    wide = wide if isinstance(wide, int) else wide[0]
    sizes = 6 * (config.get("addition_time_embed_dim") or 0)
    pooled = config["projection_class_embeddings_input_dim"] - sizes if added else 0

    def inputs(rows: int, columns: int) -> dict[str, Any]:
        times = waves(config, "block_out_channels")(torch.full((2,), 501.0))
        found = {"sample": noise(2, config["in_channels"], rows, columns), "times": times, "words": noise(2, 77, wide)}
        if condition:
            found["timestep_cond"] = noise(2, condition)
        return found | ({"text_embeds": noise(2, pooled), "sizes": noise(2, sizes).sin()} if added else {})

    return _named(own, bool(condition), bool(added)), inputs


def _named(own: Any, condition: bool, added: bool) -> Any:
    """The UNet with its inputs as named tensors, which is all that tracing follows; times and sizes come as waves already."""
    import torch

    class Told(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            own.get_time_embed = lambda sample, timestep: timestep.to(sample.dtype)
            own.add_time_proj = torch.nn.Identity()
            self.own = own

    class Plain(Told):
        def forward(self, sample: Any, times: Any, words: Any) -> Any:
            return self.own(sample, times, words, return_dict=False)[0]

    class Conditioned(Told):
        def forward(self, sample: Any, times: Any, words: Any, timestep_cond: Any) -> Any:
            return self.own(sample, times, words, timestep_cond=timestep_cond, return_dict=False)[0]

    class Added(Told):
        def forward(self, sample: Any, times: Any, words: Any, text_embeds: Any, sizes: Any) -> Any:
            told = {"text_embeds": text_embeds, "time_ids": sizes}
            return self.own(sample, times, words, added_cond_kwargs=told, return_dict=False)[0]

    if condition and added:
        raise ValueError("a UNet that is told both of guidance and of sizes")
    return (Conditioned if condition else Added if added else Plain)()


def _transforming(own: Any, kind: str, config: Mapping[str, Any], noise: Noise) -> tuple[Any, Callable[[int, int], dict[str, Any]]]:
    """The same for a transformer, which is given times and positions as waves already; noise stands where words and latents are."""
    import torch

    guided = bool(config.get("guidance_embeds"))
    if guided and kind == "Flux2Transformer2DModel":
        raise ValueError("a transformer that is told of guidance by some of its pipelines")

    def inputs(rows: int, columns: int) -> dict[str, Any]:
        count, axes = rows * columns // 4, len(config.get("axes_dims_rope") or ())
        latents = noise(2, config["in_channels"], rows, columns) if not axes else noise(2, count, config["in_channels"])
        found = {"hidden_states": latents, "encoder_hidden_states": noise(2, 77, config["joint_attention_dim"])}
        if "pooled_projection_dim" in config:
            found["pooled_projections"] = noise(2, config["pooled_projection_dim"])
        found["timestep"] = torch.full((2,), 501.0 if not axes else 0.501)
        if axes:
            lines, places = torch.arange(count) // (columns // 2), torch.arange(count) % (columns // 2)
            still = torch.zeros(count, axes - 2)
            found["img_ids"] = torch.column_stack((still[:, :1], lines, places, still[:, 1:]))
            found["txt_ids"] = torch.zeros(77, axes)
        if guided:
            found["guidance"] = torch.full((2,), 3.5)
        return in_waves(kind, config, found)

    return _told(own, kind, guided), inputs


def _told(own: Any, kind: str, guided: bool) -> Any:
    """A transformer whose every input is a named tensor; where it would make waves of times and positions, it takes what it is given."""
    import torch

    class Given(torch.nn.Module):
        def forward(self, waves: Any) -> Any:
            return waves / scale

    class Halves(torch.nn.Module):
        def forward(self, ids: Any) -> Any:
            return tuple(ids.chunk(2, dim=-1))

    class Told(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own = own

    class Sized(Told):  # Stable Diffusion 3
        def forward(self, hidden_states: Any, encoder_hidden_states: Any, pooled_projections: Any, timestep: Any) -> Any:
            return self.own(hidden_states, encoder_hidden_states, pooled_projections, timestep, return_dict=False)[0]

    class Placed(Told):  # FLUX.2
        def forward(self, hidden_states: Any, encoder_hidden_states: Any, timestep: Any, img_ids: Any, txt_ids: Any) -> Any:
            return self.own(hidden_states, encoder_hidden_states, timestep, img_ids, txt_ids, return_dict=False)[0]

    class Pooled(Told):  # FLUX.1 schnell
        def forward(
            self, hidden_states: Any, encoder_hidden_states: Any, pooled_projections: Any, timestep: Any, img_ids: Any, txt_ids: Any
        ) -> Any:
            told = pooled_projections, timestep, img_ids, txt_ids
            return self.own(hidden_states, encoder_hidden_states, *told, return_dict=False)[0]

    class Guided(Told):  # FLUX.1 dev
        def forward(
            self, hidden_states: Any, encoder_hidden_states: Any, pooled_projections: Any, timestep: Any, img_ids: Any, txt_ids: Any,
            guidance: Any,
        ) -> Any:  # fmt: skip
            told = pooled_projections, timestep, img_ids, txt_ids, guidance
            return self.own(hidden_states, encoder_hidden_states, *told, return_dict=False)[0]

    scale = 1000 if kind in THOUSANDTHS else 1  # it multiplies what it takes for a time
    (own.time_guidance_embed if kind == "Flux2Transformer2DModel" else own.time_text_embed).time_proj = Given()
    if kind == "SD3Transformer2DModel":
        return Sized()
    own.pos_embed = Halves()
    return (Placed if kind == "Flux2Transformer2DModel" else Guided if guided else Pooled)()
