"""BLAS on parts of flat buffers, callable from compiled code.

numba's own products take contiguous arrays only and know no symmetric product and no triangular
solve.  The routines are scipy's, called by address; the name that compiled code knows them by is
registered here, so that cached machine code finds them in a later process.

Matrices are those of BLAS, column by column: a C-ordered array is its own transpose here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import get_cython_function_address
from numpy.typing import NDArray

__all__ = ["multiply_add", "multiply_own_add", "solve_triangular"]

Floats = NDArray[np.float64]


# numba's own means to make a name known to the linker of compiled code.
_symbols: Any = import_module("llvmlite.binding")


def _routine(name: str, n_arguments: int) -> Any:
    symbol = f"eqprop_crossbar_{name}"
    _symbols.add_symbol(symbol, get_cython_function_address("scipy.linalg.cython_blas", name))
    return types.ExternalFunction(symbol, types.void(*[types.voidptr] * n_arguments))


_gemm = _routine("dgemm", 13)
_syrk = _routine("dsyrk", 10)
_trsm = _routine("dtrsm", 11)

_N, _T, _U, _L, _R = (ord(letter) for letter in "NTULR")


@njit(cache=True)
def multiply_add(
    transposed: tuple[bool, bool],
    shape: tuple[int, int, int],
    a: Floats,
    lda: int,
    b: Floats,
    ldb: int,
    beta: float,
    c: Floats,
    ldc: int,
) -> None:
    """``C = op(A) op(B) + beta C`` with ``shape`` rows of C, columns of C, inner length."""
    letters = np.empty(2, np.uint8)
    letters[0] = _T if transposed[0] else _N
    letters[1] = _T if transposed[1] else _N
    ints = np.empty(6, np.int32)
    ints[0], ints[1], ints[2] = shape
    ints[3], ints[4], ints[5] = lda, ldb, ldc
    scales = np.empty(2)
    scales[0], scales[1] = 1.0, beta
    _gemm(
        letters.ctypes, letters[1:].ctypes, ints.ctypes, ints[1:].ctypes, ints[2:].ctypes,
        scales.ctypes, a.ctypes, ints[3:].ctypes, b.ctypes, ints[4:].ctypes, scales[1:].ctypes,
        c.ctypes, ints[5:].ctypes,
    )  # fmt: skip


@njit(cache=True)
def multiply_own_add(n: int, k: int, a: Floats, lda: int, c: Floats, ldc: int) -> None:
    """``C += A A^T`` in the upper triangle (C order: the lower one); A has n rows, k columns."""
    letters = np.empty(2, np.uint8)
    letters[0], letters[1] = _U, _N
    ints = np.empty(4, np.int32)
    ints[0], ints[1], ints[2], ints[3] = n, k, lda, ldc
    one = np.ones(1)
    _syrk(
        letters.ctypes, letters[1:].ctypes, ints.ctypes, ints[1:].ctypes, one.ctypes, a.ctypes,
        ints[2:].ctypes, one.ctypes, c.ctypes, ints[3:].ctypes,
    )  # fmt: skip


@njit(cache=True)
def solve_triangular(
    sides: tuple[bool, bool],
    shape: tuple[int, int],
    alpha: float,
    a: Floats,
    lda: int,
    b: Floats,
    ldb: int,
) -> None:
    """``B = alpha op(A)^-1 B``, or ``alpha B op(A)^-1``; A is upper (C order: lower) triangular.

    Args:
        sides: whether A stands on the left, and whether it is transposed.
        shape: of B.
        alpha: factor.
        a: A.
        lda: its leading dimension.
        b: B.
        ldb: its leading dimension.
    """
    letters = np.empty(4, np.uint8)
    letters[0] = _L if sides[0] else _R
    letters[1] = _U
    letters[2] = _T if sides[1] else _N
    letters[3] = _N
    ints = np.empty(4, np.int32)
    ints[0], ints[1] = shape
    ints[2], ints[3] = lda, ldb
    scale = np.empty(1)
    scale[0] = alpha
    _trsm(
        letters.ctypes, letters[1:].ctypes, letters[2:].ctypes, letters[3:].ctypes, ints.ctypes,
        ints[1:].ctypes, scale.ctypes, a.ctypes, ints[2:].ctypes, b.ctypes, ints[3:].ctypes,
    )  # fmt: skip
