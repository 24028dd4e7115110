"""Puts the unmodified tritonclient before a server and checks its answers.

    triton_client.py ADDRESS MODEL

ADDRESS is host:port; MODEL is a loaded model with one input. The model is unloaded and loaded again on the
way. Answers to wrong input are checked against Triton's.
"""

import argparse
import queue

import grpc
import numpy as np
import tritonclient.grpc as triton
from report import Report, require, require_equal
from tensors import outputs, raw_request, sample, typed_request
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

ABSENT = "no-such-model"
STREAM_TIMEOUT_S = 30
EXTENSIONS = {"model_repository", "model_configuration", "statistics", "binary_tensor_data"}


class Subject:
    """The server under test and what its model says of itself."""

    def __init__(self, address, model):
        self.model = model
        self.client = triton.InferenceServerClient(address)
        # Large enough for any answer of a test model; requests are not limited on this side.
        channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        self.metadata = self.client.get_model_metadata(model)
        self.input = self.metadata.inputs[0]
        self.output = self.metadata.outputs[0]

    def sample(self, rows, seed=1):
        """An input of `rows` rows."""
        return sample(list(self.input.shape), self.input.datatype, rows, seed)

    def tensor(self, array, name=None):
        """`array` as tritonclient sends it, which is raw."""
        tensor = triton.InferInput(name or self.input.name, list(array.shape), self.input.datatype)
        tensor.set_data_from_numpy(array)
        return tensor

    def infer(self, array, **options):
        """The first output for `array`."""
        result = self.client.infer(self.model, [self.tensor(array)], **options)
        return result.as_numpy(self.output.name)

    def typed(self, array):
        """A request in the typed form."""
        return typed_request(self.model, self.input.name, self.input.datatype, array)

    def raw(self, array):
        """A request in the raw form."""
        return raw_request(self.model, self.input.name, self.input.datatype, array)


def refused(code, call, *arguments, **options):
    """Calls and returns the message of the refusal, which must have one of the given codes."""
    codes = code if isinstance(code, tuple) else (code,)
    try:
        answer = call(*arguments, **options)
    except InferenceServerException as error:
        found, message = error.status().removeprefix("StatusCode."), error.message()
    except grpc.RpcError as error:
        found, message = error.code().name, error.details()
    else:
        raise AssertionError(f"answered {type(answer).__name__} instead of {codes}")
    require(found in codes, f"answered {found} ({message}) instead of {codes}")
    require(message, f"{found} came without a message")
    return message


def server(report, subject):
    """The server itself."""
    client = subject.client
    with report.check("server live"):
        require(client.is_server_live(), "not live")
    with report.check("server ready"):
        require(client.is_server_ready(), "not ready")
    with report.check("server metadata"):
        metadata = client.get_server_metadata()
        require(metadata.name and metadata.version, f"name {metadata.name!r}, version {metadata.version!r}")
        missing = EXTENSIONS - set(metadata.extensions)
        require(not missing, f"extensions are not announced: {sorted(missing)}")
    with report.check("rpcs that are not offered say so by name"):
        message = refused("UNIMPLEMENTED", subject.stub.SystemSharedMemoryRegister,
                          service_pb2.SystemSharedMemoryRegisterRequest(name="a", key="/a", byte_size=1))
        require("SystemSharedMemoryRegister" in message, f"the message does not name the rpc: {message}")


def model(report, subject):
    """What the server says of the model."""
    client, name = subject.client, subject.model
    with report.check("model ready"):
        require(client.is_model_ready(name), "not ready")
    with report.check("model of no such name is not ready"):
        try:
            require(not client.is_model_ready(ABSENT), "ready")
        except InferenceServerException as error:
            require_equal(error.status(), "StatusCode.NOT_FOUND", "the refusal")
    with report.check("model metadata"):
        metadata = subject.metadata
        require_equal(metadata.name, name, "name")
        require(metadata.versions and all(version.isdecimal() for version in metadata.versions),
                f"versions {list(metadata.versions)}")
        require(metadata.platform, "no platform")
        for tensor in [*metadata.inputs, *metadata.outputs]:
            require(tensor.name and tensor.datatype and len(tensor.shape), f"incomplete tensor {tensor}")
    with report.check("model metadata of a version"):
        version = subject.metadata.versions[-1]
        metadata = client.get_model_metadata(name, version)
        require(version in metadata.versions, f"{version} is not in {list(metadata.versions)}")
    with report.check("model config"):
        config = client.get_model_config(name).config
        require_equal(config.name, name, "name")
        require(config.platform or config.backend, "neither platform nor backend")
        declared = {tensor.name: tensor for tensor in config.input}
        require_equal(set(declared), {tensor.name for tensor in subject.metadata.inputs}, "inputs")
        require_equal({tensor.name for tensor in config.output},
                      {tensor.name for tensor in subject.metadata.outputs}, "outputs")
        shape = list(subject.input.shape)
        dims = shape[1:] if config.max_batch_size > 0 else shape
        require_equal(list(declared[subject.input.name].dims), dims, "dims")
        type_name = triton.model_config_pb2.DataType.Name(declared[subject.input.name].data_type)
        require_equal(type_name, f"TYPE_{subject.input.datatype}", "data type")
    with report.check("model config as JSON"):
        require_equal(client.get_model_config(name, as_json=True)["config"]["name"], name, "name")
    with report.check("repository index"):
        states = {entry.name: entry.state for entry in client.get_model_repository_index().models}
        require_equal(states.get(name), "READY", f"state of {name}")
    with report.check("unknown model is NOT_FOUND"):
        refused("NOT_FOUND", client.get_model_metadata, ABSENT)
        refused("NOT_FOUND", client.get_model_config, ABSENT)
        refused("NOT_FOUND", client.get_inference_statistics, ABSENT)
        refused("NOT_FOUND", client.infer, ABSENT, [subject.tensor(subject.sample(1))])
    with report.check("unknown version is NOT_FOUND"):
        refused("NOT_FOUND", client.get_model_metadata, name, "999999")
        refused("NOT_FOUND", subject.infer, subject.sample(1), model_version="999999")
    with report.check("version that is no number is refused"):
        refused(("INVALID_ARGUMENT", "NOT_FOUND"), subject.infer, subject.sample(1), model_version="../1")
    with report.check("name that is a path is refused"):
        refused(("INVALID_ARGUMENT", "NOT_FOUND"), client.get_model_metadata, "../../x")


def inference(report, subject):
    """Runs of the model that must succeed."""
    client = subject.client
    one, three = subject.sample(1), subject.sample(3)
    with report.check("infer raw"):
        answer = subject.infer(one)
        require_equal(answer.shape[0], 1, "rows")
        require(np.isfinite(answer).all(), "not finite")
    with report.check("infer raw, three rows"):
        answer = subject.infer(three)
        require_equal(answer.shape[0], 3, "rows")
        rows = np.concatenate([subject.infer(three[row : row + 1]) for row in range(3)])
        require(np.allclose(answer, rows, rtol=0, atol=1e-5), "rows differ from the same rows sent alone")
    with report.check("infer answers id, model and version"):
        result = client.infer(subject.model, [subject.tensor(one)], request_id="number-7").get_response()
        require_equal(result.id, "number-7", "id")
        require_equal(result.model_name, subject.model, "model")
        require(result.model_version in subject.metadata.versions, f"version {result.model_version!r}")
    with report.check("infer a version"):
        version = subject.metadata.versions[-1]
        result = client.infer(subject.model, [subject.tensor(one)], model_version=version).get_response()
        require_equal(result.model_version, version, "version")
    with report.check("infer requested output"):
        wanted = triton.InferRequestedOutput(subject.output.name)
        result = client.infer(subject.model, [subject.tensor(one)], outputs=[wanted])
        names = [output.name for output in result.get_response().outputs]
        require_equal(names, [subject.output.name], "outputs")
    with report.check("infer typed"):
        answer = outputs(subject.stub.ModelInfer(subject.typed(three)))[subject.output.name]
        require(np.allclose(answer, subject.infer(three), rtol=0, atol=1e-6), "differs from the raw form")
    with report.check("infer many at once"):
        pending = queue.Queue()
        arrays = [subject.sample(1 + index % 3, seed=index) for index in range(32)]
        for index, array in enumerate(arrays):
            client.async_infer(subject.model, [subject.tensor(array)], request_id=str(index),
                               callback=lambda result, error: pending.put((result, error)))
        for _ in arrays:
            result, error = pending.get(timeout=STREAM_TIMEOUT_S)
            require(error is None, f"refused: {error}")
            array = arrays[int(result.get_response().id)]
            same = np.allclose(result.as_numpy(subject.output.name), subject.infer(array), rtol=0, atol=1e-5)
            require(same, "an answer to another request")


def statistics(report, subject):
    """What is counted."""
    with report.check("statistics count requests, rows and runs"):
        before, after = [], []
        for counted in (before, after):
            entries = subject.client.get_inference_statistics(subject.model).model_stats
            counted.append(sum(entry.inference_count for entry in entries))
            counted.append(sum(entry.execution_count for entry in entries))
            counted.append(sum(entry.inference_stats.success.count for entry in entries))
            counted.append(sum(entry.inference_stats.compute_infer.ns for entry in entries))
            if counted is before:
                subject.infer(subject.sample(1))
                subject.infer(subject.sample(4))
        rows, runs, requests, nanoseconds = (last - first for first, last in zip(before, after, strict=True))
        require_equal(rows, 5, "inference_count")
        require_equal(requests, 2, "success.count")
        require(runs in (1, 2), f"execution_count grew by {runs}")
        require(nanoseconds > 0, "compute_infer took no time")
    with report.check("statistics of all models"):
        names = {entry.name for entry in subject.client.get_inference_statistics().model_stats}
        require(subject.model in names, f"{subject.model} is not in {sorted(names)}")


def wrong_input(report, subject):
    """Requests that must be refused, after each of which the server still answers."""
    stub = subject.stub
    good = subject.sample(2)

    def bad(name, change, form=subject.raw, code="INVALID_ARGUMENT"):
        with report.check(name):
            request = form(good)
            change(request)
            refused(code, stub.ModelInfer, request)
            require_equal(subject.infer(subject.sample(1)).shape[0], 1, "rows of the next answer")

    def set_shape(shape):
        def change(request):
            request.inputs[0].shape[:] = shape
        return change

    def wider(request):
        shape = list(good.shape)
        shape[-1] += 1
        request.inputs[0].shape[:] = shape
        request.raw_input_contents[0] = bytes(int(np.prod(shape)) * good.itemsize)

    def other_type(request):
        request.inputs[0].datatype = "INT32" if subject.input.datatype != "INT32" else "UINT32"
        request.raw_input_contents[0] = bytes(good.size * 4)

    def set_field(field, value):
        def change(request):
            setattr(request.inputs[0], field, value)
        return change

    def cut_raw(request):
        request.raw_input_contents[0] = request.raw_input_contents[0][:-1]

    def grow_raw(request):
        request.raw_input_contents[0] = request.raw_input_contents[0] + b"\0"

    def drop_raw(request):
        del request.raw_input_contents[:]

    def extra_raw(request):
        request.raw_input_contents.append(b"")

    def cut_typed(request):
        contents = request.inputs[0].contents
        field, _ = contents.ListFields()[0]
        getattr(contents, field.name).pop()

    def wrong_list(request):
        request.inputs[0].ClearField("contents")
        request.inputs[0].contents.bytes_contents.extend([b"\0"] * good.size)

    def both_forms(request):
        request.raw_input_contents.append(good.tobytes())

    def no_inputs(request):
        del request.inputs[:]
        del request.raw_input_contents[:]

    def twice(request):
        request.inputs.append(request.inputs[0])
        request.raw_input_contents.append(request.raw_input_contents[0])

    def unknown_output(request):
        request.outputs.add(name="no_such_output")

    row = list(good.shape[1:])
    bad("wrong shape is INVALID_ARGUMENT", wider)
    bad("wrong rank is INVALID_ARGUMENT", set_shape([good.size]))
    bad("zero rows are INVALID_ARGUMENT", set_shape([0, *row]))
    bad("negative rows are INVALID_ARGUMENT", set_shape([-2, *row]))
    bad("shape that overflows is INVALID_ARGUMENT", set_shape([2**62, *row]))
    bad("shape with fewer rows than content is INVALID_ARGUMENT", set_shape([1, *row]))
    bad("wrong type is INVALID_ARGUMENT", other_type)
    bad("unknown type is INVALID_ARGUMENT", set_field("datatype", "FP31"))
    bad("unknown input is INVALID_ARGUMENT", set_field("name", "no_such_input"))
    bad("no input is INVALID_ARGUMENT", no_inputs)
    bad("an input twice is INVALID_ARGUMENT", twice)
    bad("unknown output is INVALID_ARGUMENT", unknown_output)
    bad("raw content too short is INVALID_ARGUMENT", cut_raw)
    bad("raw content too long is INVALID_ARGUMENT", grow_raw)
    bad("no content is INVALID_ARGUMENT", drop_raw)
    bad("more raw contents than inputs is INVALID_ARGUMENT", extra_raw)
    bad("typed content too short is INVALID_ARGUMENT", cut_typed, form=subject.typed)
    bad("typed content in another type's list is INVALID_ARGUMENT", wrong_list, form=subject.typed)
    bad("raw and typed at once is INVALID_ARGUMENT", both_forms, form=subject.typed)


def stream(report, subject):
    """A stream, in which a refusal is an item."""
    with report.check("stream answers each request and survives a wrong one"):
        good = subject.sample(2)
        answers = queue.Queue()
        subject.client.start_stream(callback=lambda result, error: answers.put((result, error)))
        try:
            subject.client.async_stream_infer(subject.model, [subject.tensor(good)], request_id="first")
            subject.client.async_stream_infer(ABSENT, [subject.tensor(good)], request_id="second")
            subject.client.async_stream_infer(subject.model, [subject.tensor(good, name="no_such_input")])
            subject.client.async_stream_infer(subject.model, [subject.tensor(good)], request_id="fourth")
            received = [answers.get(timeout=STREAM_TIMEOUT_S) for _ in range(4)]
        finally:
            subject.client.stop_stream()
        for result, error in (received[0], received[3]):
            require(error is None, f"refused: {error}")
            require(np.allclose(result.as_numpy(subject.output.name), subject.infer(good), rtol=0, atol=1e-5),
                    "differs from the unary answer")
        ids = [received[index][0].get_response().id for index in (0, 3)]
        require_equal(ids, ["first", "fourth"], "ids")
        for result, error in received[1:3]:
            require(result is None and error is not None, "a wrong request was answered")
            require(error.message(), "an error without a message")


def control(report, subject):
    """Loading and unloading."""
    client, name = subject.client, subject.model
    with report.check("unload takes the model away"):
        client.unload_model(name)
        try:
            require(not client.is_model_ready(name), "still ready")
        except InferenceServerException as error:
            require(error.status() in ("StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE"), str(error))
        refused(("UNAVAILABLE", "NOT_FOUND"), subject.infer, subject.sample(1))
        states = {entry.name: entry.state for entry in client.get_model_repository_index().models}
        require(states.get(name) != "READY", "the index says READY")
    with report.check("index of ready models leaves it out"):
        request = service_pb2.RepositoryIndexRequest(ready=True)
        names = {entry.name for entry in subject.stub.RepositoryIndex(request).models}
        require(name not in names, f"{name} is listed")
    with report.check("load brings it back"):
        client.load_model(name)
        require(client.is_model_ready(name), "not ready")
        require_equal(subject.infer(subject.sample(1)).shape[0], 1, "rows")
    with report.check("load of a loaded model keeps it"):
        client.load_model(name)
        require_equal(subject.infer(subject.sample(1)).shape[0], 1, "rows")
    with report.check("load and unload of an unknown model are refused"):
        refused(("NOT_FOUND", "INVALID_ARGUMENT"), client.load_model, ABSENT)
        refused(("NOT_FOUND", "INVALID_ARGUMENT"), client.unload_model, ABSENT)
    with report.check("load with the name in KServe's field is refused with a hint"):
        request = service_pb2.RepositoryModelLoadRequest(repository_name=ABSENT)
        refused(("INVALID_ARGUMENT", "NOT_FOUND"), subject.stub.RepositoryModelLoad, request)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("address", help="host:port of the server")
    parser.add_argument("model", help="name of a loaded model with one input")
    arguments = parser.parse_args()
    subject = Subject(arguments.address, arguments.model)
    report = Report()
    for part in (server, model, inference, statistics, wrong_input, stream, control):
        part(report, subject)
    report.finish()


if __name__ == "__main__":
    main()
