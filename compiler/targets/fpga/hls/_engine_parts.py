"""Processes of the engine that are the same for all designs, but for what stands between two @."""

from __future__ import annotations

FETCH = """// Words of results of so many rows of each quantiser.
static int words_of(const int counts[3]) {
#pragma HLS INLINE
  return (counts[0] + counts[1] + counts[2] + TOGETHER - 1) / TOGETHER;
}

// Fetches what a step needs.
static void fetch(const layer_t &layer, int step, const codes_t *weights, const four_t *parameters, tile_t &tile) {
  int first = layer.parameters + HEAD_QUADS * step;
  four_t head = parameters[first], rest = parameters[first + 1], counts = parameters[first + 2];
  tile.head[0] = head.at[0];
  for (int i = 0; i < 4; i++)
    tile.head[1 + i] = rest.at[i];
  for (int i = 0; i < 3; i++)
    tile.counts[i] = counts.at[i];
  int words = words_of(tile.counts);
  for (int j = 0; j < head.at[0]; j++) {
#pragma HLS PIPELINE II=1
    four_t entry = parameters[head.at[1] + j];
    for (int a = 0; a < 4; a++)
      tile.entries[j].taps[a] = (short)(entry.at[a / 2] >> (a % 2 * 16));
    tile.entries[j].offset = entry.at[2];
  }
  for (int i = 0; i < words * TOGETHER; i++) {
#pragma HLS PIPELINE II=1
    four_t from = parameters[head.at[2] + i];
    row_t row;
    row.row = from.at[0];
    row.offset = from.at[1];
    row.bias = from.at[2];
    row.multiplier = from.at[3] >> 8;
    row.shift = from.at[3] & 255;
    tile.rows[i / TOGETHER][i % TOGETHER] = row;
  }
  int at = head.at[3];
@CODES@}
"""

LOAD = """// A number's plane.
static activation_t plane_of(const walk_t &walk, byte_t number, int plane) {
#pragma HLS INLINE
  return ((number - walk.low) & 255) >> (plane * PLANE_BITS);
}

// Copies the input of a product on chip, plane by plane.
static void hold(const walk_t &walk, const lanes_t *words, activation_t buffer[CAPACITY][LANES]) {
  if (walk.planes == 1) {
    for (int w = 0; w < walk.words; w++) {
#pragma HLS PIPELINE II=1
      lanes_t word = words[walk.input + w];
      for (int l = 0; l < LANES; l++)
        buffer[w][l] = plane_of(walk, word.at[l], 0);
    }
  } else {
    for (int w = 0; w < walk.words; w++) {
#pragma HLS PIPELINE II=2
      lanes_t word = words[walk.input + w];
      for (int plane = 0; plane < 2; plane++) {
        for (int l = 0; l < LANES; l++)
          buffer[2 * w + plane][l] = plane_of(walk, word.at[l], plane);
      }
    }
  }
}

static void load(const walk_t &walk, int pixels, int count, int lowest, int planes, const entry_t entries[MOST_ENTRIES], const activation_t buffer[CAPACITY][LANES], const lanes_t *words, hls::stream<word_t> &out) {
  int pixel[4] = {0, 0, 0, 0}, origin[4] = {0, 0, 0, 0}, start[4] = {0, 0, 0, 0};
#pragma HLS ARRAY_PARTITION variable=pixel complete
#pragma HLS ARRAY_PARTITION variable=origin complete
#pragma HLS ARRAY_PARTITION variable=start complete
  int j = 0, passed = 0;
  for (int n = 0; n < pixels * planes * count; n++) {
#pragma HLS PIPELINE II=1
    entry_t entry = entries[j];
    int plane = lowest + planes - 1 - passed, at = entry.offset;
    bool inside = true;
    for (int a = 0; a < 4; a++) {
#pragma HLS UNROLL
      int position = origin[a] + entry.taps[a];
      inside = inside && position >= 0 && position < walk.extents[a];
      at += start[a];
    }
    word_t word;
    if (!inside) {
      for (int l = 0; l < LANES; l++)
        word.lanes[l] = walk.fill >> (plane * PLANE_BITS);
    } else if (walk.held) {
      for (int l = 0; l < LANES; l++)
        word.lanes[l] = buffer[(at << (walk.planes - 1)) + plane][l];
    } else {
      lanes_t numbers = words[walk.input + at];
      for (int l = 0; l < LANES; l++)
        word.lanes[l] = plane_of(walk, numbers.at[l], plane);
    }
    out.write(word);
    if (++j == count) {
      j = 0;
      if (++passed == planes) {
        passed = 0;
        bool next = true;
        for (int a = 3; a >= 0; a--) {
#pragma HLS UNROLL
          if (next) {
            next = ++pixel[a] == walk.pixels[a];
            pixel[a] = next ? 0 : pixel[a];
            origin[a] = next ? 0 : origin[a] + walk.steps[a];
            start[a] = next ? 0 : start[a] + walk.paces[a];
          }
        }
      }
    }
  }
}

// What a sum begins with: nothing, what it was, or sixteen times that.
static sum_t begun(sum_t sum, int before) {
#pragma HLS INLINE
  if (before == 0)
    return 0;
  return before == 1 ? sum : sum_t((long long)sum * (1 << PLANE_BITS));
}
"""

SCALED = """// round(sum * multiplier / 2^shift), halves up, between least and most: a product of 32 by 17 bits.
static int scaled(const row_t &row, sum_t sum, int least, int most) {
#pragma HLS INLINE
  ap_int<49> product = sum * row.multiplier;
  ap_int<50> half = 0;
  if (row.shift != 0)
    half = ap_int<50>(1) << (int)(row.shift - 1);
  ap_int<50> rounded = ap_int<50>(product + half) >> (int)row.shift;
  if (rounded < least)
    return least;
  return rounded > most ? most : (int)rounded;
}

// A result, as the memory has it.
static int result_of(const sink_t &sink, int pixel, sum_t sum, const row_t &row) {
#pragma HLS INLINE
  if (row.row < 0)
    return 0;
  sum_t total = sum + row.bias;
  PROBE(sink.number, pixel, row.row, total);
  int result = scaled(row, total, sink.least, sink.most);
  return sink.bytes == 1 ? result & 255 : result < 32768 ? result : result - 65536;
}
"""

STORE = """// The sum of a row, those of one quantiser after the other.
static sum_t sum_of(const sums_t &sums, const int counts[3], int row) {
#pragma HLS INLINE
@SUMS@  return 0;
}

// A word of results of a pixel.
static void results_of(const sink_t &sink, int pixel, const sums_t &sums, const int counts[3], int word, const row_t rows[TOGETHER], int found[TOGETHER]) {
#pragma HLS INLINE
  for (int i = 0; i < TOGETHER; i++) {
#pragma HLS UNROLL
    found[i] = result_of(sink, pixel, sum_of(sums, counts, word * TOGETHER + i), rows[i]);
  }
}

// Where the next pixel is.
static void advance(const sink_t &sink, int pixel[4], int start[4]) {
#pragma HLS INLINE
  bool next = true;
  for (int a = 3; a >= 0; a--) {
#pragma HLS UNROLL
    if (next) {
      next = ++pixel[a] == sink.pixels[a];
      pixel[a] = next ? 0 : pixel[a];
      start[a] = next ? 0 : start[a] + sink.out[a];
    }
  }
}

static void store(const sink_t &sink, int pixels, int slot, const int counts[3], const row_t rows[WORDS][TOGETHER], hls::stream<sums_t> &results, byte_t *out8, short *out16, bytes_t *all8, shorts_t *all16) {
  int pixel[4] = {0, 0, 0, 0}, start[4] = {0, 0, 0, 0}, count = words_of(counts), word = 0, number = 0;
#pragma HLS ARRAY_PARTITION variable=pixel complete
#pragma HLS ARRAY_PARTITION variable=start complete
  sums_t sums;
  if (sink.in_order) {
    for (int n = 0; n < pixels * count; n++) {
#pragma HLS PIPELINE II=1
      int found[TOGETHER];
#pragma HLS ARRAY_PARTITION variable=found complete
      if (word == 0)
        sums = results.read();
      results_of(sink, number, sums, counts, word, rows[word], found);
      int at = (sink.output + start[0] + start[1] + start[2] + start[3] + slot) / TOGETHER + word;
      if (sink.bytes == 1) {
        bytes_t numbers;
        for (int i = 0; i < TOGETHER; i++)
          numbers.at[i] = (byte_t)found[i];
        all8[at] = numbers;
      } else {
        shorts_t numbers;
        for (int i = 0; i < TOGETHER; i++)
          numbers.at[i] = (short)found[i];
        all16[at] = numbers;
      }
      if (++word == count) {
        word = 0;
        number++;
        advance(sink, pixel, start);
      }
    }
  } else {
    for (int n = 0; n < pixels * count; n++) {
#pragma HLS PIPELINE II=TOGETHER
      int found[TOGETHER];
#pragma HLS ARRAY_PARTITION variable=found complete
      if (word == 0)
        sums = results.read();
      results_of(sink, number, sums, counts, word, rows[word], found);
      int at = sink.output + start[0] + start[1] + start[2] + start[3];
      for (int i = 0; i < TOGETHER; i++) {
        row_t row = rows[word][i];
        if (row.row >= 0 && sink.bytes == 1)
          out8[at + row.offset] = (byte_t)found[i];
        else if (row.row >= 0)
          out16[at + row.offset] = (short)found[i];
      }
      if (++word == count) {
        word = 0;
        number++;
        advance(sink, pixel, start);
      }
    }
  }
}
"""

STEPS = """static void flow(const walk_t &walk, const sink_t &sink, int pixels, int written, int count, int slot, int lowest, int planes, int begin, int end, @CODE_ARGUMENTS@, const int counts[3], const row_t rows[WORDS][TOGETHER], const entry_t entries[MOST_ENTRIES], const activation_t buffer[CAPACITY][LANES], const lanes_t *words, @OUTPUTS@) {
#pragma HLS DATAFLOW
  hls::stream<word_t> read("words");
  hls::stream<sums_t> results("results");
#pragma HLS STREAM variable=read depth=16
#pragma HLS STREAM variable=results depth=4
  load(walk, pixels, count, lowest, planes, entries, buffer, words, read);
  multiply(pixels, count, planes, begin, end, @CODES@read, results);
  store(sink, written, slot, counts, rows, results, out8, out16, all8, all16);
}

static void run(const layer_t &layer, const tile_t &tile, const activation_t buffer[CAPACITY][LANES], const lanes_t *words, @OUTPUTS@) {
  int flags = tile.head[4], end = flags >> 2;
  flow(layer.walk, layer.sink, layer.pixels, end ? layer.pixels : 0, tile.head[0], tile.head[1], tile.head[2], tile.head[3], flags & 3, end, @TILE_CODES@tile.counts, tile.rows, tile.entries, buffer, words, out8, out16, all8, all16);
}

// While a step runs, the next one is fetched: a tile lies in two banks.
static void steps(const layer_t &layer, const activation_t buffer[CAPACITY][LANES], @INPUTS@, @OUTPUTS@) {
  for (int step = 0; step < layer.steps; step++) {
#pragma HLS DATAFLOW
    ON_CHIP tile_t tile;
@PARTITIONS@    fetch(layer, step, weights, parameters, tile);
    run(layer, tile, buffer, words, out8, out16, all8, all16);
  }
}

void product(const layer_t &layer, @INPUTS@, @OUTPUTS@) {
#pragma HLS INLINE off
  static activation_t buffer[CAPACITY][LANES];
#pragma HLS ARRAY_RESHAPE variable=buffer complete dim=2
#pragma HLS BIND_STORAGE variable=buffer type=ram_2p impl=bram
  if (layer.walk.held)
    hold(layer.walk, words, buffer);
  steps(layer, buffer, words, weights, parameters, out8, out16, all8, all16);
}
"""
