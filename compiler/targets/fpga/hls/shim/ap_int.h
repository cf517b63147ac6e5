// Integers of any width up to 64 bits, for simulation without a vendor's headers: what the emitted code needs of them, wrapping as they do.
#pragma once

template <int N> struct ap_uint;

template <int N> struct ap_int {
  static_assert(1 <= N && N <= 64, "1 to 64 bits");
  static const int width = N;
  long long value;

  ap_int(long long v = 0)
      : value(static_cast<long long>(static_cast<unsigned long long>(v) << (64 - N)) >> (64 - N)) {}
  template <int M> ap_int(const ap_uint<M> &v);
  operator long long() const { return value; }
};

template <int N> struct ap_uint {
  static_assert(1 <= N && N <= 63, "1 to 63 bits");
  static const int width = N;
  unsigned long long value;

  ap_uint(long long v = 0) : value(static_cast<unsigned long long>(v) & ((1ULL << N) - 1)) {}
  operator long long() const { return static_cast<long long>(value); }
};

template <int N> template <int M> ap_int<N>::ap_int(const ap_uint<M> &v) : ap_int(static_cast<long long>(v.value)) {}
