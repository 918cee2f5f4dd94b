"""Tensors: creation, arithmetic, reduction, indexing and shape; which of them copy, share memory or refuse."""
