"""What stands in a pipeline of diffusers for a module that OpenVINO runs: a UNet, a transformer, the decoder of a VAE.

Each is called as the class is, and answers as it does; what was not translated is refused. Knows no file and no device.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from studio.engines._openvino_network import Network

POSITIONS, TIMES = ("img_ids", "txt_ids"), ("timestep", "guidance")
"""Inputs of a transformer that say where something is, and when; a network is given waves of both."""
THOUSANDTHS = ("FluxTransformer2DModel", "Flux2Transformer2DModel")
"""Classes that are told times as parts of one, and count in thousandths themselves."""


class Denoiser:
    """What a pipeline asks of a UNet2DConditionModel."""

    def __init__(self, network: Network, config: Mapping[str, Any], dtype: Any) -> None:
        import torch
        from diffusers.configuration_utils import FrozenDict

        self._network = network
        self.config: Any = FrozenDict(config)
        self.dtype, self.device = dtype, torch.device("cpu")
        self.add_embedding = SimpleNamespace(linear_1=SimpleNamespace(in_features=config.get("projection_class_embeddings_input_dim")))

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Through `forward`, which may be exchanged for a while, as a module's."""
        return self.forward(*given, **named)

    def forward(
        self,
        sample: Any,
        timestep: Any,
        encoder_hidden_states: Any,
        timestep_cond: Any = None,
        added_cond_kwargs: Mapping[str, Any] | None = None,
        return_dict: bool = True,
        **others: Any,
    ) -> Any:
        """The class's own, (N, C, h, w) to (N, C', h, w). TypeError for what is not translated."""
        import torch
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

        if left := sorted(name for name, value in others.items() if value is not None):
            raise TypeError(f"a translated UNet takes no {left[0]}")
        time = torch.as_tensor(timestep, dtype=torch.float32).reshape(-1)[:1].expand(len(sample))
        times = waves(self.config, "block_out_channels")(time)
        given = {"sample": sample, "times": times, "words": encoder_hidden_states, "timestep_cond": timestep_cond}
        if added_cond_kwargs:
            sizes = waves(self.config, "addition_time_embed_dim")(added_cond_kwargs["time_ids"].float().flatten())
            given |= {"text_embeds": added_cond_kwargs["text_embeds"], "sizes": sizes.reshape(len(sample), -1)}
        found = self._network(given).to(sample.dtype)
        return UNet2DConditionOutput(sample=found) if return_dict else (found,)

    def close(self) -> None:
        """Free the network."""
        self._network.close()


class Transformer:
    """What a pipeline asks of a SD3Transformer2DModel, FluxTransformer2DModel or Flux2Transformer2DModel, named by `kind`."""

    def __init__(self, network: Network, kind: str, config: Mapping[str, Any], dtype: Any) -> None:
        import torch
        from diffusers.configuration_utils import FrozenDict

        self._network, self._kind = network, kind
        self.config: Any = FrozenDict(config)
        self.dtype, self.device = dtype, torch.device("cpu")

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Through `forward`, which may be exchanged for a while, as a module's."""
        return self.forward(*given, **named)

    def forward(self, hidden_states: Any, *, return_dict: bool = True, **named: Any) -> Any:
        """The class's own, in the shape of `hidden_states`. TypeError for what is not translated."""
        from diffusers.models.modeling_outputs import Transformer2DModelOutput

        told = {name: value for name, value in named.items() if hasattr(value, "shape") or value}  # {} and None say nothing
        if left := sorted(told.keys() - set(self._network.inputs)):
            raise TypeError(f"a translated transformer takes no {left[0]}")
        found = self._network(in_waves(self._kind, self.config, {"hidden_states": hidden_states, **told})).to(hidden_states.dtype)
        return Transformer2DModelOutput(sample=found) if return_dict else (found,)

    @contextmanager
    def cache_context(self, name: str) -> Generator[None]:
        """Around one half of guidance."""
        yield

    def close(self) -> None:
        """Free the network."""
        self._network.close()


class Decoder:
    """The decoder of an AutoencoderKL: latents (N, C, h, w) to pixels (N, 3, H, W)."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, sample: Any) -> Any:
        """In the number format of what it is given."""
        return self._network({"sample": sample}).to(sample.dtype)

    def close(self) -> None:
        """Free the network."""
        self._network.close()


def waves(config: Mapping[str, Any], width: str) -> Any:
    """What makes numbers such as times into waves for a UNet of this `config`; `width` names the setting that says how many.

    They are made outside of the network: in bf16 a time of 501 would be 500.
    """
    from diffusers.models.embeddings import Timesteps

    found = config[width]
    return Timesteps(found if isinstance(found, int) else found[0], config["flip_sin_to_cos"], config["freq_shift"])


def in_waves(kind: str, config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a transformer of that class with times (N,) as waves (N, 256) and positions (n, axes) as cosines beside sines (n, 2d).

    They are made outside of the network, in float32, as those of a UNet.
    """
    import torch
    from diffusers.models.embeddings import Timesteps
    from diffusers.models.transformers.transformer_flux import FluxPosEmbed

    found = dict(given)
    spread = Timesteps(config.get("timestep_guidance_channels", 256), flip_sin_to_cos=True, downscale_freq_shift=0)
    for name in TIMES:
        if name in found:
            found[name] = spread(found[name].float() * (1000 if kind in THOUSANDTHS else 1))
    for name in POSITIONS:
        if name in found:
            places = found[name][0] if found[name].ndim == 3 else found[name]
            axes = FluxPosEmbed(theta=config.get("rope_theta", 10000), axes_dim=config["axes_dims_rope"])
            found[name] = torch.cat(axes(places), dim=-1).float()
    return found
