// RUN: cocomp-opt %s --split-input-file --verify-diagnostics

#i = affine_map<(a, b) -> (a, b)>
func.func @sign(%x: tensor<2x4xi8>) -> !hls.stream {
  // expected-error @+1 {{expected integers with or without a sign, got i8}}
  %r = "hls.read"(%x) {map = #i, bounds = array<i64: 2, 4>, fill = 0 : i64} : (tensor<2x4xi8>) -> !hls.stream
  return %r : !hls.stream
}

// -----

#i = affine_map<(a) -> (a)>
func.func @rank(%x: tensor<2x4xui8>) -> !hls.stream {
  // expected-error @+1 {{expected a map from 1 dimensions to 2}}
  %r = "hls.read"(%x) {map = #i, bounds = array<i64: 2>, fill = 0 : i64} : (tensor<2x4xui8>) -> !hls.stream
  return %r : !hls.stream
}

// -----

#i = affine_map<(a) -> (a)>
func.func @combine(%x: tensor<2xui8>) -> tensor<2xui8> {
  %s = "hls.read"(%x) {map = #i, bounds = array<i64: 2>, fill = 0 : i64} : (tensor<2xui8>) -> !hls.stream
  // expected-error @+1 {{expected to combine by one of none, add, max, got 'min'}}
  %r = "hls.sweep"(%s) ({
  ^bb0(%a: i64):
    "hls.yield"(%a) : (i64) -> ()
  }) {map = #i, bounds = array<i64: 2>, combine = "min"} : (!hls.stream) -> tensor<2xui8>
  return %r : tensor<2xui8>
}

// -----

#i = affine_map<(a) -> (a)>
func.func @body(%x: tensor<2xui8>) -> tensor<2xui8> {
  %s = "hls.read"(%x) {map = #i, bounds = array<i64: 2>, fill = 0 : i64} : (tensor<2xui8>) -> !hls.stream
  // expected-error @+1 {{expected a body of 1 arguments}}
  %r = "hls.sweep"(%s) ({
  ^bb0(%a: i64, %b: i64):
    "hls.yield"(%a) : (i64) -> ()
  }) {map = #i, bounds = array<i64: 2>, combine = "none"} : (!hls.stream) -> tensor<2xui8>
  return %r : tensor<2xui8>
}

// -----

#i = affine_map<(a) -> (a)>
func.func @points(%x: tensor<2xui8>) -> tensor<4xui8> {
  %s = "hls.read"(%x) {map = #i, bounds = array<i64: 2>, fill = 0 : i64} : (tensor<2xui8>) -> !hls.stream
  // expected-error @+1 {{expected streams of the points [4], got [2]}}
  %r = "hls.sweep"(%s) ({
  ^bb0(%a: i64):
    "hls.yield"(%a) : (i64) -> ()
  }) {map = #i, bounds = array<i64: 4>, combine = "none"} : (!hls.stream) -> tensor<4xui8>
  return %r : tensor<4xui8>
}

// -----

#x = affine_map<(r, p, c) -> (p, c)>
#y = affine_map<(r, p, c) -> (p, r)>
func.func @dims(%x: tensor<2x4xui4>) -> tensor<2x3xui4> {
  // expected-error @+1 {{expected rows and columns among 3 dimensions, none of them twice, got [0] and [0]}}
  %r = "hls.product"(%x) {maps = [#x, #y], bounds = array<i64: 3, 2, 4>, rows = array<i64: 0>, columns = array<i64: 0>, fill = 0 : i64,
       weights = "w", quantisers = ["fixed<4>", "fixed<4>", "fixed<4>"], scale = 1.0 : f64} : (tensor<2x4xui4>) -> tensor<2x3xui4>
  return %r : tensor<2x3xui4>
}

// -----

#x = affine_map<(r, p, c) -> (p, c)>
#y = affine_map<(r, p, c) -> (p, r)>
func.func @quantisers(%x: tensor<2x4xui4>) -> tensor<2x3xui4> {
  // expected-error @+1 {{expected 3 quantisers, got 1}}
  %r = "hls.product"(%x) {maps = [#x, #y], bounds = array<i64: 3, 2, 4>, rows = array<i64: 0>, columns = array<i64: 2>, fill = 0 : i64,
       weights = "w", quantisers = ["fixed<4>"], scale = 1.0 : f64} : (tensor<2x4xui4>) -> tensor<2x3xui4>
  return %r : tensor<2x3xui4>
}

// -----

#x = affine_map<(r, p, c) -> (p, c)>
func.func @maps(%x: tensor<2x4xui4>) -> tensor<2x3xui4> {
  // expected-error @+1 {{expected 2 indexing maps, got 1}}
  %r = "hls.product"(%x) {maps = [#x], bounds = array<i64: 3, 2, 4>, rows = array<i64: 0>, columns = array<i64: 2>, fill = 0 : i64,
       weights = "w", quantisers = ["fixed<4>", "fixed<4>", "fixed<4>"], scale = 1.0 : f64} : (tensor<2x4xui4>) -> tensor<2x3xui4>
  return %r : tensor<2x3xui4>
}
