"""Gradient clipping that looks at every tensor by itself."""

import torch


def clip_gradients(grads, theta):
    if theta <= 0:
        raise ValueError("theta must be above 0")

    def clip(gradient):
        if not torch.isfinite(gradient).all():
            raise ValueError("gradients must be finite")
        norm = torch.linalg.vector_norm(gradient)
        return gradient * torch.clamp(theta / norm, max=1) if norm > 0 else gradient.clone()

    if isinstance(grads, dict):
        return {name: clip(gradient) for name, gradient in grads.items()}
    if isinstance(grads, list | tuple):
        return type(grads)(clip(gradient) for gradient in grads)
    raise TypeError("gradients come in a dict, a list or a tuple")
