"""The laws of the transformer."""

from lawbook.spec_tests.test_transformer.test_decoders import TestDecoderBlock, TestTransformerDecoder
from lawbook.spec_tests.test_transformer.test_encoders import TestEncoderBlock, TestTransformerEncoder
from lawbook.spec_tests.test_transformer.test_layers import TestAddNorm, TestPositionWiseFfn
from lawbook.spec_tests.test_transformer.test_whole import TestTransformer, TestTransformerParameterCount

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestPositionWiseFfn",
    "TestAddNorm",
    "TestEncoderBlock",
    "TestTransformerEncoder",
    "TestDecoderBlock",
    "TestTransformerDecoder",
    "TestTransformer",
    "TestTransformerParameterCount",
]
