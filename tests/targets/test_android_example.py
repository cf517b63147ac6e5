"""The Android example, as far as it can be checked without an SDK."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "android" / "src" / "main"
JNI = """
#include <stdint.h>
typedef int32_t jint;
typedef int32_t jsize;
typedef int64_t jlong;
typedef struct object *jobject;
typedef jobject jclass, jstring, jobjectArray;
typedef const struct functions *JNIEnv;
struct functions {
  jclass (*FindClass)(JNIEnv *, const char *);
  jint (*ThrowNew)(JNIEnv *, jclass, const char *);
  jstring (*NewStringUTF)(JNIEnv *, const char *);
  jsize (*GetArrayLength)(JNIEnv *, jobjectArray);
  jobject (*GetObjectArrayElement)(JNIEnv *, jobjectArray, jsize);
  void *(*GetDirectBufferAddress)(JNIEnv *, jobject);
  void (*DeleteLocalRef)(JNIEnv *, jobject);
};
#define JNIEXPORT __attribute__((visibility("default")))
#define JNICALL
"""
"""The part of jni.h that the example uses, with the types of the Java Native Interface."""


def test_the_wrapper_compiles(tmp_path: Path) -> None:
    (tmp_path / "jni.h").write_text(JNI)
    (tmp_path / "libmodel.h").write_bytes((ROOT / "runtime" / "native" / "cocomp.h").read_bytes())
    command = [
        sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-gnu", "-std=c11", "-Wall", "-Wextra", "-Werror",
        f"-I{tmp_path}", "-c", str(EXAMPLE / "cpp" / "cocomp_jni.c"), "-o", str(tmp_path / "jni.o"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_java_finds_its_functions() -> None:
    native = set(re.findall(r"Java_dev_cocomp_Model_(\w+)", (EXAMPLE / "cpp" / "cocomp_jni.c").read_text()))
    declared = set(re.findall(r"external fun (\w+)", (EXAMPLE / "java" / "dev" / "cocomp" / "Model.kt").read_text()))
    assert native == declared


def test_every_type_of_a_tensor_has_a_size() -> None:
    from cocomp.targets.plan_c import C_TYPES

    sizes = re.search(r"BYTES = mapOf\((.+)\)", (EXAMPLE / "java" / "dev" / "cocomp" / "Model.kt").read_text())
    assert sizes is not None
    assert set(re.findall(r'"(\w+)" to', sizes[1])) == C_TYPES.keys() - {"f64"}
