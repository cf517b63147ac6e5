// Runs rmsmp on in.hex and compares every sum and output with the golden ones.
#include "rmsmp.h"
#include "probe.h"
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static const int PIXELS = 5, ROWS = 13, TILES = 6, LANES = 4;
static std::vector<int> golden_sums;
static int seen = 0;

static std::vector<int> numbers(const std::string &path, size_t count) {
  std::vector<int> found;
  FILE *file = std::fopen(path.c_str(), "r");
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    std::exit(2);
  }
  unsigned number;
  while (std::fscanf(file, "%8x", &number) == 1)
    found.push_back((int)number);
  bool ended = std::feof(file);
  std::fclose(file);
  if (!ended || found.size() != count) {
    std::fprintf(stderr, "%s: expected %zu numbers, got %zu\n", path.c_str(), count, found.size());
    std::exit(2);
  }
  return found;
}

static void compare(const char *what, int pixel, int row, long long found, long long expected) {
  if (found != expected) {
    std::fprintf(stderr, "%s of row %d, pixel %d: expected %lld, got %lld\n", what, row, pixel, expected, found);
    std::exit(1);
  }
}

void probe(int pixel, int row, long long sum) {
  compare("sum", pixel, row, sum, golden_sums[pixel * ROWS + row]);
  seen++;
}

int main(int argc, char **argv) {
  std::string folder = argc > 1 ? argv[1] : "tb";
  std::vector<int> in = numbers(folder + "/in.hex", (size_t)PIXELS * TILES * LANES);
  golden_sums = numbers(folder + "/golden_acc.hex", (size_t)PIXELS * ROWS);
  std::vector<int> golden = numbers(folder + "/golden_out.hex", (size_t)PIXELS * ROWS);
  std::vector<word_t> x(PIXELS * TILES);
  for (int i = 0; i < PIXELS * TILES; i++)
    for (int l = 0; l < LANES; l++)
      x[i].lanes[l] = in[i * LANES + l];
  std::vector<output_t> y(PIXELS * ROWS);
  rmsmp(x.data(), y.data(), PIXELS);
  for (int p = 0; p < PIXELS; p++)
    for (int r = 0; r < ROWS; r++)
      compare("output", p, r, (long long)y[p * ROWS + r], golden[p * ROWS + r]);
  if (seen != PIXELS * ROWS) {
    std::fprintf(stderr, "expected %d sums, saw %d\n", PIXELS * ROWS, seen);
    return 1;
  }
  std::printf("%d sums and %d outputs are as they should be\n", seen, PIXELS * ROWS);
  return 0;
}
