/* What dev.cocomp.Model calls: the interface of libmodel.h, statuses as exceptions. */
#include <jni.h>
#include <stdio.h>

#include "libmodel.h"

enum { MAX_TENSORS = 64, MAX_MESSAGE = 512 };

static void fail(JNIEnv *env, const char *message) {
  const jclass exception = (*env)->FindClass(env, "dev/cocomp/ModelException");
  if (exception) (*env)->ThrowNew(env, exception, message);
}

JNIEXPORT jstring JNICALL Java_dev_cocomp_Model_manifest(JNIEnv *env, jclass type) {
  (void)type;
  return (*env)->NewStringUTF(env, cocomp_manifest());
}

JNIEXPORT jlong JNICALL Java_dev_cocomp_Model_create(JNIEnv *env, jclass type, jint threads) {
  (void)type;
  cocomp_model *model;
  const int status = cocomp_create(threads, &model);
  if (!status) return (jlong)(intptr_t)model;
  const char *layer = cocomp_failed_at();
  char message[MAX_MESSAGE];
  snprintf(message, sizeof message, "%s%s%s", layer, *layer ? ": " : "", cocomp_message(status));
  fail(env, message);
  return 0;
}

JNIEXPORT void JNICALL Java_dev_cocomp_Model_destroy(JNIEnv *env, jclass type, jlong handle) {
  (void)env;
  (void)type;
  cocomp_destroy((cocomp_model *)(intptr_t)handle);
}

/* Addresses of direct buffers; the number of them, or -1 after an exception. */
static int addresses(JNIEnv *env, jobjectArray buffers, void **found) {
  const jsize count = (*env)->GetArrayLength(env, buffers);
  if (count > MAX_TENSORS) {
    fail(env, "too many tensors");
    return -1;
  }
  for (jsize i = 0; i < count; i++) {
    const jobject buffer = (*env)->GetObjectArrayElement(env, buffers, i);
    found[i] = (*env)->GetDirectBufferAddress(env, buffer);
    (*env)->DeleteLocalRef(env, buffer);
    if (!found[i]) {
      fail(env, "expected direct buffers; Model.buffer makes them");
      return -1;
    }
  }
  return count;
}

JNIEXPORT void JNICALL Java_dev_cocomp_Model_run(JNIEnv *env, jclass type, jlong handle, jobjectArray inputs,
                                                 jobjectArray outputs) {
  (void)type;
  void *in[MAX_TENSORS], *out[MAX_TENSORS];
  if (addresses(env, inputs, in) < 0 || addresses(env, outputs, out) < 0) return;
  const int status = cocomp_run((cocomp_model *)(intptr_t)handle, (const void *const *)in, out);
  if (status) fail(env, cocomp_message(status));
}
