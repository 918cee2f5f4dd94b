"""Style transfer: an image's content in another one's style, by descent on the pixels."""

from lawbook.reference.style_transfer.images import style_postprocess, style_preprocess
from lawbook.reference.style_transfer.objective import content_loss, gram, style_loss, transfer_loss, tv_loss
from lawbook.reference.style_transfer.synthesis import extract_features, synthesize

__all__ = [  # noqa: RUF022  (the catalogue's order)
    "style_preprocess",
    "style_postprocess",
    "content_loss",
    "gram",
    "style_loss",
    "tv_loss",
    "transfer_loss",
    "extract_features",
    "synthesize",
]
