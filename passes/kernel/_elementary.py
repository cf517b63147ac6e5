"""Elementary functions as polynomials on vectors (or scalars) of f32; relative error of a few units in the last place.

Each function takes and returns SSA values of one type, f32 or a vector of it. Ranges are reduced as in the Cephes
library (Moshier); the coefficients are minimax fits of the reduced ranges. Special values follow IEEE: exp overflows to
infinity and underflows to zero, log of a negative number is not a number.
"""

from __future__ import annotations

import math as m
from collections.abc import Callable, Sequence

from cocomp.support.mlir import arith, ir, math

from ._builder import constant


def _element(x: ir.Value) -> ir.Type:
    return x.type.element_type if isinstance(x.type, ir.VectorType) else x.type


def _like(x: ir.Value, element: ir.Type) -> ir.Type:
    return ir.VectorType.get(x.type.shape, element) if isinstance(x.type, ir.VectorType) else element


def _i32(x: ir.Value) -> ir.Type:
    return _like(x, ir.IntegerType.get_signless(32))


def _c(x: ir.Value, number: float) -> ir.Value:
    return constant(x.type, number)


def _polynomial(x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
    """Horner's rule, highest power first."""
    total = _c(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = math.fma(total, x, _c(x, coefficient))
    return total


def _clamped(x: ir.Value, low: float, high: float) -> ir.Value:
    return arith.minimumf(arith.maximumf(x, _c(x, low)), _c(x, high))


LARGEST, SMALLEST = 88.72283, -87.33654
"""Arguments beyond which e**x overflows, and is no normal number."""


def exp(x: ir.Value) -> ir.Value:
    """e**x: x = n ln 2 + r with |r| <= ln 2 / 2; 2**n is added to the exponent of e**r.

    Overflows to infinity; results below the smallest normal number are zero.
    """
    kind = _i32(x)
    n = math.roundeven(arith.mulf(x, _c(x, 1 / m.log(2))))
    r = math.fma(n, _c(x, -0.693359375), x)
    r = math.fma(n, _c(x, 2.12194440e-4), r)
    p = _polynomial(
        r, [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1]
    )
    p = arith.addf(math.fma(p, arith.mulf(r, r), r), _c(x, 1.0))
    shifted = arith.shli(arith.fptosi(kind, n), constant(kind, 23))
    scaled = arith.bitcast(x.type, arith.addi(arith.bitcast(kind, p), shifted))
    scaled = arith.select(arith.cmpf(_OLT, x, _c(x, SMALLEST)), _c(x, 0.0), scaled)
    return arith.select(arith.cmpf(_OGT, x, _c(x, LARGEST)), _c(x, m.inf), scaled)


def expm1(x: ir.Value) -> ir.Value:
    """e**x - 1 without cancellation near zero (Taylor below 1/4)."""
    small = _polynomial(x, [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0])
    near = arith.cmpf(_OLT, math.absf(x), _c(x, 0.25))
    return arith.select(near, arith.mulf(small, x), arith.subf(exp(x), _c(x, 1.0)))


def exp2(x: ir.Value) -> ir.Value:
    """2**x."""
    return exp(arith.mulf(x, _c(x, m.log(2))))


def log(x: ir.Value) -> ir.Value:
    """Natural logarithm: x = 2**e * f, f in [sqrt(1/2), sqrt 2)."""
    kind = _i32(x)
    tiny = arith.cmpf(_OLT, x, _c(x, 1.17549435e-38))
    scaled = arith.select(tiny, arith.mulf(x, _c(x, 8388608.0)), x)
    bits = arith.bitcast(kind, scaled)
    exponent = arith.subi(arith.shrui(bits, constant(kind, 23)), constant(kind, 126))
    fraction = arith.ori(arith.andi(bits, constant(kind, 0x007FFFFF)), constant(kind, 0x3F000000))
    f = arith.bitcast(x.type, fraction)
    e = arith.subf(arith.sitofp(x.type, exponent), arith.select(tiny, _c(x, 23.0), _c(x, 0.0)))
    low = arith.cmpf(_OLT, f, _c(x, m.sqrt(0.5)))
    e = arith.select(low, arith.subf(e, _c(x, 1.0)), e)
    f = arith.subf(arith.select(low, arith.addf(f, f), f), _c(x, 1.0))
    z = arith.mulf(f, f)
    p = _polynomial(f, [7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1])  # fmt: skip
    y = arith.mulf(arith.mulf(f, z), p)
    y = math.fma(e, _c(x, -2.12194440e-4), y)
    y = math.fma(z, _c(x, -0.5), y)
    y = math.fma(e, _c(x, 0.693359375), arith.addf(f, y))
    infinite = arith.cmpf(_OEQ, x, _c(x, m.inf))
    y = arith.select(infinite, x, y)
    y = arith.select(arith.cmpf(_OEQ, x, _c(x, 0.0)), _c(x, -m.inf), y)
    return arith.select(arith.cmpf(_OGE, x, _c(x, 0.0)), y, _c(x, m.nan))


def log1p(x: ir.Value) -> ir.Value:
    """log(1 + x), corrected for the rounding of 1 + x."""
    u = arith.addf(x, _c(x, 1.0))
    correction = arith.divf(arith.subf(x, arith.subf(u, _c(x, 1.0))), u)
    usual = arith.andi(arith.cmpf(_OLT, u, _c(x, m.inf)), arith.cmpf(_OGT, u, _c(x, 0.0)))
    return arith.addf(log(u), arith.select(usual, correction, _c(x, 0.0)))


def log2(x: ir.Value) -> ir.Value:
    """Base-2 logarithm."""
    return arith.mulf(log(x), _c(x, 1 / m.log(2)))


def log10(x: ir.Value) -> ir.Value:
    """Base-10 logarithm."""
    return arith.mulf(log(x), _c(x, 1 / m.log(10)))


def rsqrt(x: ir.Value) -> ir.Value:
    """1 / sqrt(x), both correctly rounded."""
    return arith.divf(_c(x, 1.0), math.sqrt(x))


def tanh(x: ir.Value) -> ir.Value:
    """A rational approximation on [-9, 9] where tanh is not yet one; odd, exact at zero."""
    c = _clamped(x, -9.0, 9.0)
    z = arith.mulf(c, c)
    p = _polynomial(z, [-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
                        1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03])  # fmt: skip
    q = _polynomial(z, [1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03])
    return _clamped(arith.divf(arith.mulf(c, p), q), -1.0, 1.0)


def erf(x: ir.Value) -> ir.Value:
    """A rational approximation on [-4, 4] where erf is not yet one; odd, exact at zero."""
    c = _clamped(x, -4.0, 4.0)
    z = arith.mulf(c, c)
    p = _polynomial(z, [-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
                        -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02])  # fmt: skip
    q = _polynomial(z, [-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
                        -1.42647390514189e-02])  # fmt: skip
    return _clamped(arith.divf(arith.mulf(c, p), q), -1.0, 1.0)


def erfc(x: ir.Value) -> ir.Value:
    """1 - erf(x)."""
    return arith.subf(_c(x, 1.0), erf(x))


def _sin_cos(x: ir.Value, quarter: float) -> ir.Value:
    """sin(x + quarter * pi / 2): x = n pi / 2 + r, and sine or cosine of r by the parity of n."""
    kind = _i32(x)
    n = math.roundeven(arith.mulf(x, _c(x, 2 / m.pi)))
    r = math.fma(n, _c(x, -1.5703125), x)
    r = math.fma(n, _c(x, -4.837512969970703125e-4), r)
    r = math.fma(n, _c(x, -7.54978995489188216e-8), r)
    z = arith.mulf(r, r)
    sine = math.fma(arith.mulf(_polynomial(z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]), z), r, r)
    cosine = _polynomial(z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])
    cosine = math.fma(math.fma(cosine, z, _c(x, -0.5)), z, _c(x, 1.0))
    which = arith.addi(arith.fptosi(kind, n), constant(kind, quarter))
    odd = arith.cmpi(_EQ, arith.andi(which, constant(kind, 1)), constant(kind, 1))
    negative = arith.cmpi(_EQ, arith.andi(which, constant(kind, 2)), constant(kind, 2))
    found = arith.select(odd, cosine, sine)
    return arith.select(negative, arith.negf(found), found)


def sin(x: ir.Value) -> ir.Value:
    """Sine; full precision for |x| below about 8000."""
    return _sin_cos(x, 0)


def cos(x: ir.Value) -> ir.Value:
    """Cosine; full precision for |x| below about 8000."""
    return _sin_cos(x, 1)


def tan(x: ir.Value) -> ir.Value:
    """Tangent."""
    return arith.divf(sin(x), cos(x))


def atan(x: ir.Value) -> ir.Value:
    """Arc tangent, range reduced at tan(pi/8) and tan(3 pi/8)."""
    a = math.absf(x)
    large, middle = arith.cmpf(_OGT, a, _c(x, 2.414213562373095)), arith.cmpf(_OGT, a, _c(x, 0.4142135623730950))
    inverse = arith.negf(arith.divf(_c(x, 1.0), a))
    ratio = arith.divf(arith.subf(a, _c(x, 1.0)), arith.addf(a, _c(x, 1.0)))
    r = arith.select(large, inverse, arith.select(middle, ratio, a))
    base = arith.select(large, _c(x, m.pi / 2), arith.select(middle, _c(x, m.pi / 4), _c(x, 0.0)))
    z = arith.mulf(r, r)
    p = _polynomial(z, [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1])
    return math.copysign(arith.addf(base, math.fma(arith.mulf(p, z), r, r)), x)


def atan2(y: ir.Value, x: ir.Value) -> ir.Value:
    """Angle of the point (x, y)."""
    zero = _c(x, 0.0)
    angle = atan(arith.divf(y, x))
    turned = arith.addf(angle, math.copysign(_c(x, m.pi), y))
    angle = arith.select(arith.cmpf(_OLT, x, zero), turned, angle)
    upright = math.copysign(arith.select(arith.cmpf(_OEQ, y, zero), zero, _c(x, m.pi / 2)), y)
    return arith.select(arith.cmpf(_OEQ, x, zero), upright, angle)


def asin(x: ir.Value) -> ir.Value:
    """Arc sine."""
    one = _c(x, 1.0)
    return atan2(x, math.sqrt(arith.mulf(arith.subf(one, x), arith.addf(one, x))))


def acos(x: ir.Value) -> ir.Value:
    """Arc cosine."""
    one = _c(x, 1.0)
    return atan2(math.sqrt(arith.mulf(arith.subf(one, x), arith.addf(one, x))), x)


def sinh(x: ir.Value) -> ir.Value:
    """Hyperbolic sine."""
    e = expm1(math.absf(x))
    half = arith.mulf(_c(x, 0.5), arith.addf(e, arith.divf(e, arith.addf(e, _c(x, 1.0)))))
    return math.copysign(half, x)


def cosh(x: ir.Value) -> ir.Value:
    """Hyperbolic cosine."""
    e = exp(math.absf(x))
    return arith.mulf(_c(x, 0.5), arith.addf(e, arith.divf(_c(x, 1.0), e)))


def asinh(x: ir.Value) -> ir.Value:
    """Inverse hyperbolic sine."""
    a = math.absf(x)
    square = arith.mulf(a, a)
    root = math.sqrt(arith.addf(square, _c(x, 1.0)))
    return math.copysign(log1p(arith.addf(a, arith.divf(square, arith.addf(root, _c(x, 1.0))))), x)


def acosh(x: ir.Value) -> ir.Value:
    """Inverse hyperbolic cosine."""
    one = _c(x, 1.0)
    return log(arith.addf(x, math.sqrt(arith.mulf(arith.subf(x, one), arith.addf(x, one)))))


def atanh(x: ir.Value) -> ir.Value:
    """Inverse hyperbolic tangent."""
    one = _c(x, 1.0)
    a = math.absf(x)
    ratio = arith.divf(arith.addf(a, a), arith.subf(one, a))
    return math.copysign(arith.mulf(_c(x, 0.5), log1p(ratio)), x)


def cbrt(x: ir.Value) -> ir.Value:
    """Cube root."""
    a = math.absf(x)
    root = exp(arith.mulf(log(a), _c(x, 1 / 3)))
    return math.copysign(arith.select(arith.cmpf(_OEQ, a, _c(x, 0.0)), a, root), x)


def powf(x: ir.Value, y: ir.Value) -> ir.Value:
    """x**y through exp(y log |x|); a negative base needs an integer exponent."""
    zero, one = _c(x, 0.0), _c(x, 1.0)
    size = exp(arith.mulf(y, log(math.absf(x))))
    whole = arith.cmpf(_OEQ, math.floor(y), y)
    half = arith.mulf(y, _c(x, 0.5))
    odd = arith.cmpf(_UNE, math.floor(half), half)
    signed = arith.select(odd, arith.negf(size), size)
    negative = arith.select(whole, signed, _c(x, m.nan))
    found = arith.select(arith.cmpf(_OLT, x, zero), negative, size)
    return arith.select(arith.cmpf(_OEQ, y, zero), one, found)


def fpowi(x: ir.Value, n: ir.Value) -> ir.Value:
    """x**n for an integer n; a constant exponent becomes multiplications."""
    exponent = _constant_integer(n)
    if exponent is None:
        return powf(x, arith.sitofp(x.type, n))
    result, square, left = None, x, abs(exponent)
    while left:
        if left & 1:
            result = square if result is None else arith.mulf(result, square)
        left >>= 1
        if left:
            square = arith.mulf(square, square)
    result = _c(x, 1.0) if result is None else result
    return result if exponent >= 0 else arith.divf(_c(x, 1.0), result)


def _constant_integer(n: ir.Value) -> int | None:
    owner = n.owner.operation if not isinstance(n.owner, ir.Block) else None
    if owner is not None and owner.name == "vector.broadcast":
        return _constant_integer(owner.operands[0])
    if owner is None or owner.name != "arith.constant":
        return None
    attribute = owner.attributes["value"]
    if isinstance(attribute, ir.DenseElementsAttr):
        return attribute.get_splat_value().value if attribute.is_splat else None
    return attribute.value if isinstance(attribute, ir.IntegerAttr) else None


_OEQ, _OGT, _OGE, _OLT, _UNE = (
    arith.CmpFPredicate.OEQ, arith.CmpFPredicate.OGT, arith.CmpFPredicate.OGE, arith.CmpFPredicate.OLT, arith.CmpFPredicate.UNE,
)  # fmt: skip
_EQ = arith.CmpIPredicate.eq

_FUNCTIONS: tuple[Callable[..., ir.Value], ...] = (
    exp, expm1, exp2, log, log1p, log2, log10, rsqrt, tanh, erf, erfc, sin, cos, tan, atan, atan2, asin, acos, sinh, cosh,
    asinh, acosh, atanh, cbrt, powf, fpowi,
)  # fmt: skip


def _in_single(function: Callable[..., ir.Value]) -> Callable[..., ir.Value]:
    """Half precision goes through single; double is computed in single too, which is what the models mean by it."""

    def wrapped(*operands: ir.Value) -> ir.Value:
        kind = operands[0].type
        width = _element(operands[0]).width
        if width == 32:
            return function(*operands)
        single = _like(operands[0], ir.F32Type.get())
        convert = arith.extf if width < 32 else arith.truncf
        found = function(*(convert(single, o) if isinstance(_element(o), ir.FloatType) else o for o in operands))
        return (arith.truncf if width < 32 else arith.extf)(kind, found)

    return wrapped


ELEMENTARY: dict[str, Callable[..., ir.Value]] = {f"math.{f.__name__}": _in_single(f) for f in _FUNCTIONS}
"""Operation name -> builder."""
