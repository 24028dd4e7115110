"""Checks grpc.health.v1 and server reflection of a server.

    health_and_reflection.py ADDRESS SERVICE...

ADDRESS is host:port; each SERVICE is the full name of a service that must be healthy and listed, such as
inference.GRPCInferenceService.
"""

import argparse

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from report import Report, require, require_equal

TIMEOUT_S = 10
ABSENT = "no.such.Service"
STATUS = health_pb2.HealthCheckResponse


def health(report, channel, services):
    """Health of the whole server and of each service."""
    stub = health_pb2_grpc.HealthStub(channel)

    def request(service):
        return health_pb2.HealthCheckRequest(service=service)

    def first_watched(service):
        watch = stub.Watch(request(service), timeout=TIMEOUT_S)
        try:
            return next(watch).status
        finally:
            watch.cancel()

    for service in ["", *services]:
        with report.check(f"health of {service or 'the server'}"):
            status = stub.Check(request(service), timeout=TIMEOUT_S).status
            require_equal(STATUS.ServingStatus.Name(status), "SERVING", "status")
        with report.check(f"health watch of {service or 'the server'}"):
            require_equal(STATUS.ServingStatus.Name(first_watched(service)), "SERVING", "first status")
    with report.check("health of an unknown service is NOT_FOUND"):
        try:
            status = stub.Check(request(ABSENT), timeout=TIMEOUT_S).status
        except grpc.RpcError as error:
            require_equal(error.code().name, "NOT_FOUND", "code")
        else:
            raise AssertionError(f"answered {STATUS.ServingStatus.Name(status)}")
    with report.check("health watch of an unknown service says SERVICE_UNKNOWN"):
        require_equal(STATUS.ServingStatus.Name(first_watched(ABSENT)), "SERVICE_UNKNOWN", "first status")


def reflection(report, channel, services):
    """Descriptors of each service, complete enough to build messages from."""
    database = ProtoReflectionDescriptorDatabase(channel)
    with report.check("reflection lists the services"):
        listed = set(database.get_services())
        missing = {*services, "grpc.health.v1.Health"} - listed
        require(not missing, f"not listed: {sorted(missing)}; listed: {sorted(listed)}")
    for service in services:
        with report.check(f"reflection describes {service}"):
            described = DescriptorPool(database).FindServiceByName(service)
            require(described.methods, "no methods")
            for method in described.methods:
                require(method.input_type.full_name and method.output_type.full_name, method.name)
    with report.check("reflection of an unknown symbol says NOT_FOUND"):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=ABSENT)
        try:
            answer = next(stub.ServerReflectionInfo(iter([request]), timeout=TIMEOUT_S))
            require(answer.HasField("error_response"), "answered a file")
            code = answer.error_response.error_code
        except grpc.RpcError as error:
            # The published protocol puts the code into an answer; tonic ends the stream with it.
            code = error.code().value[0]
        require_equal(code, grpc.StatusCode.NOT_FOUND.value[0], "code")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("address", help="host:port of the server")
    parser.add_argument("services", metavar="SERVICE", nargs="+", help="full name of a service")
    arguments = parser.parse_args()
    report = Report()
    with grpc.insecure_channel(arguments.address) as channel:
        health(report, channel, arguments.services)
        reflection(report, channel, arguments.services)
    report.finish()


if __name__ == "__main__":
    main()
