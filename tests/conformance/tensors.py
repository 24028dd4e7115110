"""Tensors of the Open Inference Protocol as numpy arrays, in the raw and in the typed form."""

import numpy as np
from tritonclient.grpc import service_pb2
from tritonclient.utils import triton_to_np_dtype

# The list of InferTensorContents that holds the elements of a data type.
TYPED_LIST = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}


def sample(shape, datatype, rows, seed):
    """An array for a model's input: its free batch axis gets `rows`, every other free axis one."""
    lengths = [rows if axis == 0 and length < 0 else max(length, 1) for axis, length in enumerate(shape)]
    random = np.random.default_rng(seed)
    dtype = np.dtype(triton_to_np_dtype(datatype))
    if dtype.kind == "f":
        return random.random(lengths).astype(dtype)
    return random.integers(0, 2, lengths).astype(dtype)


def typed_request(model, name, datatype, array):
    """A ModelInferRequest that carries `array` in the typed form."""
    request = service_pb2.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name=name, datatype=datatype, shape=array.shape)
    getattr(tensor.contents, TYPED_LIST[datatype]).extend(array.ravel().tolist())
    return request


def raw_request(model, name, datatype, array):
    """A ModelInferRequest that carries `array` in the raw form."""
    request = service_pb2.ModelInferRequest(model_name=model)
    request.inputs.add(name=name, datatype=datatype, shape=array.shape)
    request.raw_input_contents.append(array.tobytes())
    return request


def outputs(response):
    """The outputs of a ModelInferResponse by name, whichever form it has."""
    arrays = {}
    for index, tensor in enumerate(response.outputs):
        dtype = np.dtype(triton_to_np_dtype(tensor.datatype))
        if response.raw_output_contents:
            elements = np.frombuffer(response.raw_output_contents[index], dtype=dtype)
        else:
            elements = np.array(getattr(tensor.contents, TYPED_LIST[tensor.datatype]), dtype=dtype)
        arrays[tensor.name] = elements.reshape(list(tensor.shape))
    return arrays
