// RUN: cocomp-opt %s --split-input-file --verify-diagnostics

func.func @shape(%x: tensor<?x4xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected ranked tensors of static shape}}
  %r = "sparse.contract"(%x, %x) {maps = [], bounds = array<i64: 2>} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}

// -----

func.func @count(%x: tensor<2x4xf32>, %w: tensor<8x4xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected 3 indexing maps, got 1}}
  %r = "sparse.contract"(%x, %w) {maps = [affine_map<(a, b) -> (a, b)>], bounds = array<i64: 2, 8>} : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}

// -----

#two = affine_map<(a, b) -> (a, b)>
func.func @dimensions(%x: tensor<2x4xf32>, %w: tensor<8x4xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected a map of 3 dimensions for the input, got 2}}
  %r = "sparse.contract"(%x, %w) {maps = [#two, #two, #two], bounds = array<i64: 2, 8, 4>} : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}

// -----

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r)>
func.func @rank(%x: tensor<2x4xf32>, %w: tensor<8x4xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected a map with 2 results for the weight, got 1}}
  %r = "sparse.contract"(%x, %w) {maps = [#x, #w, #x], bounds = array<i64: 2, 8, 4>} : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}

// -----

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
func.func @bounds(%x: tensor<2x4xf32>, %w: tensor<8x4xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected positive bounds, got [2, 0, 4]}}
  %r = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 0, 4>} : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}

// -----

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
func.func @block_of_nothing(%x: tensor<2x4xf32>, %w: tensor<8x4xf32, #sparse.bcr<0 : i64, 4 : i64>>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected a positive rows in bcr<0, 4>, got 0}}
  %r = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 8, 4>} : (tensor<2x4xf32>, tensor<8x4xf32, #sparse.bcr<0 : i64, 4 : i64>>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}

// -----

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
func.func @all_of_all(%x: tensor<2x4xf32>, %w: tensor<8x4xf32, #sparse.nm<4 : i64, 4 : i64>>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected fewer kept than there are in a group, got nm<4, 4>}}
  %r = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 8, 4>} : (tensor<2x4xf32>, tensor<8x4xf32, #sparse.nm<4 : i64, 4 : i64>>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}
