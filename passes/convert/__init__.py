"""From kernels on vectors and memory to the LLVM dialect."""
