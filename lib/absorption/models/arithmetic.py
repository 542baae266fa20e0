"""Float32 matrix products: use oneDNN where it is faster and still float32.

PyTorch multiplies float32 matrices with MKL, which runs at about half of oneDNN's speed on AMD processors.
``torch.set_float32_matmul_precision("medium")`` sends them to oneDNN, which may then use bfloat16 where the
processor has fast bfloat16 units. So the switch is tried on a real product and kept only if the result is
as exact as float32.
"""

from __future__ import annotations

import torch

FLOAT32_ERROR = 2e-6
"""Largest relative error accepted; float32 sums of 512 terms err by about 4e-7, bfloat16 by 2e-3."""


def use_fast_exact_float32() -> bool:
    """Switch to oneDNN's float32 products if they are exact on this machine; True if switched."""
    if torch.cuda.is_available():
        return False  # there the same setting would allow TF32 or bfloat16
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(256, 512, generator=generator)
    right = torch.randn(512, 256, generator=generator)
    exact = left.double() @ right.double()
    torch.set_float32_matmul_precision("medium")
    error = float(((left @ right).double() - exact).norm() / exact.norm())
    if error <= FLOAT32_ERROR:
        return True
    torch.set_float32_matmul_precision("highest")
    return False
