// RUN: cocomp-opt %s -target=vulkan -p bind-texels | FileCheck %s

// The first operand is a buffer, read by texels and element by element; the second an image; the third a buffer that is also seen as
// such, the fourth an image that is written. One element of an image is a component of its texel.

//     CHECK-LABEL: func.func private @k(
//      CHECK-SAME:   %[[Y:[a-z0-9]+]]: memref<64xf16
//      CHECK-SAME:   %[[Q:[a-z0-9]+]]: !spirv.image<f32, Buffer, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>
//      CHECK-SAME:   %[[S:[a-z0-9]+]]: !spirv.image<f32, Buffer, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>
//      CHECK-SAME:   %[[I:[a-z0-9]+]]: !spirv.image<f32, Dim2D, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>
//      CHECK-SAME:   %[[W:[a-z0-9]+]]: !spirv.image<f32, Buffer, NoDepth, NonArrayed, SingleSampled, NoSampler, Rgba16f>
//      CHECK-SAME:   %[[O:[a-z0-9]+]]: !spirv.image<f32, Dim2D, NoDepth, NonArrayed, SingleSampled, NoSampler, Rgba16f>
//      CHECK-SAME:   kernel.bindings = ["buffer f16", "quads f32", "singles f32", "image f32", "written f16", "stored f16"]
//      CHECK-SAME:   kernel.operands = array<i64: 2, 0, 0, 1, 2, 3>
//       CHECK-NOT:   kernel.images
//       CHECK-DAG: %[[N:.*]] = arith.divui %[[P:.*]], %c4
//       CHECK-DAG: spirv.ImageFetch %[[Q]], %{{.*}} : {{.*}}, i32 -> vector<4xf32>
//       CHECK-DAG: spirv.ImageFetch %[[S]], %{{.*}} : {{.*}}, i32 -> vector<4xf32>
//           CHECK: vector.from_elements %{{.*}}, %{{.*}} : vector<2xi32>
//           CHECK: %[[T:.*]] = spirv.ImageFetch %[[I]], %{{.*}} : {{.*}}, vector<2xi32> -> vector<4xf32>
//           CHECK: %[[LANE:.*]] = arith.remui %{{.*}}, %c4
//           CHECK: vector.extract %[[T]][%[[LANE]]] : f32 from vector<4xf32>
//           CHECK: spirv.ImageWrite %[[W]], %{{.*}} : {{.*}}, i32, vector<4xf32>
//           CHECK: memref.store %{{.*}}, %[[Y]]
//           CHECK: spirv.ImageWrite %[[O]], %{{.*}} : {{.*}}, vector<2xi32>, vector<4xf32>
!single = memref<64xf32, #spirv.storage_class<StorageBuffer>>
!half = memref<64xf16, #spirv.storage_class<StorageBuffer>>

func.func private @k(%x: !single, %w: !single, %y: !half, %z: !half) attributes {
    kernel.grid = array<i64: 1, 1, 1>, kernel.images = array<i64: 1, 3>, kernel.pitches = [array<i64>, array<i64: 32>, array<i64>, array<i64: 32>]} {
  %p = gpu.thread_id x
  %line = gpu.thread_id y
  %element = gpu.thread_id z
  %v = "texel.fetch"(%x, %p) : (!single, index) -> vector<4xf32>
  %a = "texel.fetch"(%x, %p) : (!single, index) -> f32
  %b = "texel.fetch"(%w, %p, %line, %element) : (!single, index, index, index) -> f32
  %c = arith.addf %a, %b : f32
  %s = vector.broadcast %c : f32 to vector<4xf32>
  %d = arith.addf %v, %s : vector<4xf32>
  "texel.write"(%y, %d, %p) : (!half, vector<4xf32>, index) -> ()
  %h = arith.truncf %c : f32 to f16
  memref.store %h, %y[%p] : !half
  "texel.write"(%z, %d, %p, %line, %element) : (!half, vector<4xf32>, index, index, index) -> ()
  return
}

// Images of three dimensions: slice and line come before the element, x before y before z.

//     CHECK-LABEL: func.func private @volumes(
//      CHECK-SAME:   %[[I:[a-z0-9]+]]: !spirv.image<f32, Dim3D, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>
//      CHECK-SAME:   %[[O:[a-z0-9]+]]: !spirv.image<f32, Dim3D, NoDepth, NonArrayed, SingleSampled, NoSampler, Rgba32f>
//      CHECK-SAME:   kernel.bindings = ["image f32", "stored f32"]
//       CHECK-DAG: %[[SLICE:.*]] = gpu.thread_id x
//       CHECK-DAG: %[[LINE:.*]] = gpu.thread_id y
//       CHECK-DAG: %[[Y:.*]] = arith.index_cast %[[LINE]] : index to i32
//       CHECK-DAG: %[[Z:.*]] = arith.index_cast %[[SLICE]] : index to i32
//           CHECK: %[[AT:.*]] = vector.from_elements %{{.*}}, %[[Y]], %[[Z]] : vector<3xi32>
//           CHECK: %[[V:.*]] = spirv.ImageFetch %[[I]], %[[AT]] : {{.*}}, vector<3xi32> -> vector<4xf32>
//           CHECK: spirv.ImageWrite %[[O]], %{{.*}}, %[[V]] : {{.*}}, vector<3xi32>, vector<4xf32>
func.func private @volumes(%x: !single, %y: !single) attributes {
    kernel.grid = array<i64: 1, 1, 1>, kernel.images = array<i64: 0, 1>, kernel.pitches = [array<i64: 32, 8>, array<i64: 32, 8>]} {
  %slice = gpu.thread_id x
  %line = gpu.thread_id y
  %element = gpu.thread_id z
  %p = arith.addi %slice, %line : index
  %v = "texel.fetch"(%x, %p, %slice, %line, %element) : (!single, index, index, index, index) -> vector<4xf32>
  "texel.write"(%y, %v, %p, %slice, %line, %element) : (!single, vector<4xf32>, index, index, index, index) -> ()
  return
}
