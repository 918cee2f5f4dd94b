"""What must hold for the convolution chapter."""

from lawbook.spec_tests.test_convolution.test_correlation import (
    TestCorr2d,
    TestCorr2d1x1,
    TestCorr2dMultiIn,
    TestCorr2dMultiInOut,
    TestKernelToMatrix,
    TestLearnKernel,
    TestTransposedCorr2d,
)
from lawbook.spec_tests.test_convolution.test_layers import (
    TestConv1d,
    TestConv2d,
    TestConv3d,
    TestDepthwiseSeparableConv2d,
)
from lawbook.spec_tests.test_convolution.test_transposed import (
    TestConvTranspose1d,
    TestConvTranspose2d,
    TestConvTranspose3d,
    TestConvTransposeOutputSize,
)
from lawbook.spec_tests.test_convolution.test_windows import (
    TestConstantPad2d,
    TestConvOutputSize,
    TestFold,
    TestReplicationPad1d,
    TestUnfold,
    TestZeroPad2d,
)

__all__ = [
    "TestConstantPad2d",
    "TestConv1d",
    "TestConv2d",
    "TestConv3d",
    "TestConvOutputSize",
    "TestConvTranspose1d",
    "TestConvTranspose2d",
    "TestConvTranspose3d",
    "TestConvTransposeOutputSize",
    "TestCorr2d",
    "TestCorr2d1x1",
    "TestCorr2dMultiIn",
    "TestCorr2dMultiInOut",
    "TestDepthwiseSeparableConv2d",
    "TestFold",
    "TestKernelToMatrix",
    "TestLearnKernel",
    "TestReplicationPad1d",
    "TestTransposedCorr2d",
    "TestUnfold",
    "TestZeroPad2d",
]
