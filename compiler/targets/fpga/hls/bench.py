"""The test bench of a network's project."""

from __future__ import annotations

from .network import Network, Tensor
from .packing import Packed
from .sharing import word

PROBE = """// What the test bench sees of sums, and of each tensor when its stage is over.
#pragma once

void probe(int layer, int pixel, int row, long long sum);
void probe_tensor(int stage);
#define PROBE(layer, pixel, row, sum) probe(layer, pixel, row, (long long)(sum))
#define PROBE_TENSOR(stage) probe_tensor(stage)
"""


def tensors(network: Network) -> str:
    """`tensors.h`: where the test bench finds what it compares."""
    everything = [*network.inputs, *network.constants, *(s.y for s in network.stages)]
    rank = max(len(t.shape) for t in everything) or 1
    lines = ",\n".join(_told(t, rank) for t in everything)
    orders = "".join(
        f"static const int {word(n)}[] = {{{', '.join(map(str, o.tolist()))}}};\n" for n, o in network.orders.items()
    )
    names = ", ".join(f'"{s.where or s.name}"' for s in network.stages)
    return f"""#pragma once

struct tensor_t {{
  int width, is_signed, offset, shape[{rank}], strides[{rank}], axis;
  const int *order; // where each element of the axis is, or 0
}};
{orders}
static const int RANK = {rank}, INPUTS = {len(network.inputs)}, CONSTANTS = {len(network.constants)}, STAGES = {len(network.stages)};
// Inputs, constants, then what each stage makes.
static const tensor_t TENSORS[] = {{
{lines}
}};
static const char *const NAMES[] = {{{names}}};
static const int PRODUCTS[][2] = {{ // rows, pixels
{"".join(f"  {{{p.gemm.rows}, {p.pixel_count}}},{chr(10)}" for p in network.products) or "  {0, 0}" + chr(10)}}};
static const int PRODUCT_COUNT = {len(network.products)};
static const char *const PRODUCT_NAMES[] = {{{", ".join(f'"{p.where or p.name}"' for p in network.products) or '""'}}};
"""


def _told(tensor: Tensor, rank: int) -> str:
    shape = [*tensor.shape, *([1] * (rank - len(tensor.shape)))]
    strides = [*tensor.strides, *([0] * (rank - len(tensor.shape)))]
    parts = ["{" + ", ".join(map(str, v)) + "}" for v in (shape, strides)]
    order = word(tensor.order) if tensor.order else "0"
    return (
        f"  {{{tensor.width}, {int(tensor.kind.signed)}, {tensor.offset}, {', '.join(parts)}, {tensor.axis}, {order}}}"
    )


def bench(network: Network, packed: Packed) -> str:
    """`tb.cpp`: every sum and every number of every stage has to be the golden one; the status is not zero at the first that is not."""
    sizes = [max(n, 1) + network.tiles.lanes for n in network.memory]
    return f"""// Runs {network.name} on in.bin and compares every sum and every number of every stage with the golden ones.
#include "{network.name}.h"
#include "probe.h"
#include "tensors.h"
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static std::vector<byte_t> memory8({sizes[0]});
static std::vector<short> memory16({sizes[1]});
static std::vector<int> memory32({sizes[2]});
static std::vector<int> golden_sums, golden_tensors;
static long long seen_sums = 0, seen_numbers = 0;

static std::vector<byte_t> bytes(const std::string &path, size_t count) {{
  std::vector<byte_t> found(count + 1);
  FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) {{
    std::fprintf(stderr, "%s: cannot be read\\n", path.c_str());
    std::exit(2);
  }}
  size_t size = std::fread(found.data(), 1, count + 1, file);
  std::fclose(file);
  if (size != count) {{
    std::fprintf(stderr, "%s: expected %zu bytes, got %s%zu\\n", path.c_str(), count, size > count ? "more than " : "",
                 size > count ? count : size);
    std::exit(2);
  }}
  found.resize(count);
  return found;
}}

static std::vector<int> numbers(const std::string &path, size_t count) {{
  std::vector<byte_t> raw = bytes(path, 4 * count);
  std::vector<int> found(count);
  for (size_t i = 0; i < count; i++)
    found[i] = (int)(raw[4 * i] | raw[4 * i + 1] << 8 | raw[4 * i + 2] << 16 | (unsigned)raw[4 * i + 3] << 24);
  return found;
}}

static long long size_of(const tensor_t &tensor) {{
  long long size = 1;
  for (int a = 0; a < RANK; a++)
    size *= tensor.shape[a];
  return size;
}}

// Where element `number` of a tensor is in its memory.
static long long place_of(const tensor_t &tensor, long long number) {{
  long long at = tensor.offset;
  for (int a = RANK - 1; a >= 0; a--) {{
    long long index = number % tensor.shape[a];
    at += (tensor.order && a == tensor.axis ? tensor.order[index] : index) * tensor.strides[a];
    number /= tensor.shape[a];
  }}
  return at;
}}

static long long number_at(const tensor_t &tensor, long long at) {{
  if (tensor.width == 8)
    return tensor.is_signed ? (long long)(signed char)memory8[at] : (long long)memory8[at];
  if (tensor.width == 16)
    return tensor.is_signed ? (long long)memory16[at] : (long long)(unsigned short)memory16[at];
  return tensor.is_signed ? (long long)memory32[at] : (long long)(unsigned)memory32[at];
}}

// Puts the numbers of a file where `count` tensors are.
static void given(int first, int count, const std::string &path) {{
  long long size = 0, next = 0;
  for (int i = first; i < first + count; i++)
    size += size_of(TENSORS[i]);
  if (!count)
    return;
  std::vector<int> in = numbers(path, size);
  for (int i = first; i < first + count; i++) {{
    for (long long n = 0; n < size_of(TENSORS[i]); n++, next++) {{
      long long at = place_of(TENSORS[i], n);
      if (TENSORS[i].width == 8)
        memory8[at] = (byte_t)(in[next] & 255);
      else if (TENSORS[i].width == 16)
        memory16[at] = (short)in[next];
      else
        memory32[at] = in[next];
    }}
  }}
}}

void probe(int layer, int pixel, int row, long long sum) {{
  long long first = 0;
  for (int i = 0; i < layer; i++)
    first += (long long)PRODUCTS[i][0] * PRODUCTS[i][1];
  long long expected = golden_sums[first + (long long)pixel * PRODUCTS[layer][0] + row];
  if (sum != expected) {{
    std::fprintf(stderr, "%s: sum of row %d, pixel %d: expected %lld, got %lld\\n", PRODUCT_NAMES[layer], row, pixel, expected, sum);
    std::exit(1);
  }}
  seen_sums++;
}}

void probe_tensor(int stage) {{
  static long long first = 0;
  const tensor_t &tensor = TENSORS[INPUTS + CONSTANTS + stage];
  long long size = size_of(tensor);
  for (long long i = 0; i < size; i++) {{
    long long found = number_at(tensor, place_of(tensor, i));
    long long expected = tensor.is_signed || tensor.width < 32 ? (long long)golden_tensors[first + i] : (long long)(unsigned)golden_tensors[first + i];
    if (found != expected) {{
      std::fprintf(stderr, "%s: number %lld: expected %lld, got %lld\\n", NAMES[stage], i, expected, found);
      std::exit(1);
    }}
  }}
  first += size;
  seen_numbers += size;
}}

int main(int argc, char **argv) {{
  std::string folder = argc > 1 ? argv[1] : "tb", source = argc > 2 ? argv[2] : "src/weights";
  long long sums = 0, made = 0;
  for (int i = 0; i < PRODUCT_COUNT; i++)
    sums += (long long)PRODUCTS[i][0] * PRODUCTS[i][1];
  for (int i = 0; i < STAGES; i++)
    made += size_of(TENSORS[INPUTS + CONSTANTS + i]);
  golden_sums = numbers(folder + "/golden_sums.bin", sums);
  golden_tensors = numbers(folder + "/golden_tensors.bin", made);
  std::vector<byte_t> weights = bytes(source + "/codes.bin", {len(packed.weights)});
  std::vector<int> parameters = numbers(source + "/parameters.bin", {len(packed.parameters)});
  given(0, INPUTS, folder + "/in.bin");
  given(INPUTS, CONSTANTS, source + "/constants.bin");
  {network.name}(memory8.data(), memory16.data(), memory32.data(), reinterpret_cast<const lanes_t *>(memory8.data()),
  {" " * len(network.name)} reinterpret_cast<const codes_t *>(weights.data()), reinterpret_cast<const four_t *>(parameters.data()),
  {" " * len(network.name)} memory8.data(), memory16.data(), memory32.data(), reinterpret_cast<bytes_t *>(memory8.data()),
  {" " * len(network.name)} reinterpret_cast<shorts_t *>(memory16.data()));
  if (seen_sums != sums || seen_numbers != made) {{
    std::fprintf(stderr, "expected %lld sums and %lld numbers, saw %lld and %lld\\n", sums, made, seen_sums, seen_numbers);
    return 1;
  }}
  std::printf("%lld sums and %lld numbers of %d stages are as they should be\\n", seen_sums, seen_numbers, STAGES);
  return 0;
}}
"""
