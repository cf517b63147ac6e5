"""Side-by-side runs of cocomp and its peers, and the model zoo that they share with the tests.

python -m benchmarks.cpu        latency of the zoo on cocomp, ONNX Runtime, OpenVINO, MNN and ncnn
python -m benchmarks.machine    what this machine can do at most: FMA peak and read bandwidth
cocompc benchmarks.models:NAME  compile a model of the zoo
"""
