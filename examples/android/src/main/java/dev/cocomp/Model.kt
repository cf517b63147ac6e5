package dev.cocomp

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.json.JSONObject

/** What the runtime says when it cannot go on. */
class ModelException(message: String) : Exception(message)

/** A compiled model. Not for two threads at once; close it when it is not needed any more. */
class Model(threads: Int = 0) : AutoCloseable {
    private var handle = create(threads)
    private val inputBytes = sizes("inputs")
    private val outputBytes = sizes("outputs")

    /** Runs once, on direct buffers of the sizes and in the order of the manifest. */
    fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
        check(handle != 0L) { "the model is closed" }
        require(fit(inputs, inputBytes)) { "expected inputs of ${inputBytes.asList()} bytes" }
        require(fit(outputs, outputBytes)) { "expected outputs of ${outputBytes.asList()} bytes" }
        run(handle, inputs, outputs)
    }

    override fun close() {
        destroy(handle)
        handle = 0
    }

    private fun fit(buffers: Array<ByteBuffer>, bytes: IntArray) =
        buffers.size == bytes.size && buffers.indices.all { buffers[it].capacity() >= bytes[it] }

    private fun sizes(kind: String): IntArray {
        val tensors = JSONObject(manifest).getJSONArray(kind)
        return IntArray(tensors.length()) { i ->
            val tensor = tensors.getJSONObject(i)
            val shape = tensor.getJSONArray("shape")
            (0 until shape.length()).fold(BYTES.getValue(tensor.getString("type"))) { n, axis -> n * shape.getInt(axis) }
        }
    }

    companion object {
        private val BYTES = mapOf("f32" to 4, "f16" to 2, "i64" to 8, "i32" to 4, "i16" to 2, "i8" to 1, "i1" to 1)

        init {
            System.loadLibrary("cocomp_jni")
        }

        /** JSON text that describes the model. */
        val manifest: String by lazy { manifest() }

        /** Memory for a tensor. */
        fun buffer(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

        @JvmStatic private external fun manifest(): String

        @JvmStatic private external fun create(threads: Int): Long

        @JvmStatic private external fun destroy(handle: Long)

        @JvmStatic private external fun run(handle: Long, inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>)
    }
}
