"""What a Tocsin plugin in Python needs beside its own work.

It is small on purpose: copy it beside your plugin, with plugin_pb2.py. It needs
Debian's python3-grpcio and python3-protobuf (or grpcio and protobuf of PyPI), and
for mutual TLS python3-cryptography. It does what go-plugin asks of a plugin:

- the handshake: one line on the standard output that says where it listens;
- the health service, by which the host sees that it lives;
- the controller, by which the host asks it to end;
- mutual TLS with certificates of one day's use, when the host asks for it;
- an end that finishes the calls on their way, and an end with its parent.
"""

import base64
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from concurrent import futures

import grpc

import plugin_pb2 as pb

COOKIE = ("TOCSIN_PLUGIN", "0f6f5e3a7c1e4d53b8f1a2d94c6b7e80")
VERSION = 1
MAX_MESSAGE_BYTES = 32 << 20
GRACE_SECONDS = 10

log = logging.getLogger("plugin")


class Retry(Exception):
    """The notification failed and may succeed later, after so many seconds."""

    def __init__(self, message, after=None, status=0):
        super().__init__(message)
        self.after, self.status = after, status


class Permanent(Exception):
    """The notification failed, and no retry can mend it."""

    def __init__(self, message, status=0):
        super().__init__(message)
        self.status = status


def serve(name, version, schema, notify, concurrency=16):
    """Serves a receiver until Tocsin asks for the end or is gone.

    schema is the JSON Schema of its settings, an object. notify(settings,
    notification, request, context) tells one receiver: it returns the reference
    of what it sent (or None), or raises Retry or Permanent; whatever else it
    raises counts as Retry. It is called from several threads at a time, and must
    keep the deadline: context.time_remaining() has the seconds.
    """
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        sys.stderr.write(
            f"{name} {version} is a receiver for Tocsin, and does nothing when it is started by hand.\n"
            f"To try it: tocsin plugin test {os.path.abspath(sys.argv[0])}\n"
        )
        sys.exit(1)
    handshake = take_stdout()
    log_to_host()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's, which is the host's
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=concurrency),
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ],
    )
    ending = threading.Event()
    register(server, Receiver(name, version, schema, notify, concurrency), ending)
    folder = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.mkdtemp()
    socket = os.path.join(folder, f"plugin{os.getpid()}")
    certificate = listen(server, socket)
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    server.start()
    os.write(handshake, f"1|{VERSION}|unix|{socket}|grpc|{certificate}\n".encode())
    parent = os.getppid()
    # An orphan is given another parent: only by that does a plugin learn of a
    # kill -9 of the host.
    while os.getppid() == parent and not ending.wait(0.25):
        pass
    server.stop(GRACE_SECONDS if ending.is_set() else 0).wait()
    try:
        os.unlink(socket)
    except OSError:
        pass  # gRPC has removed it, or the host
    os._exit(0)  # threads that hang hold nobody up


def take_stdout():
    """Keeps the standard output for the handshake: what is printed goes to the log."""
    handshake = os.dup(1)
    os.dup2(2, 1)
    return handshake


class HostLog(logging.Formatter):
    """Lines that go-plugin's host reads: JSON with hclog's names."""

    def format(self, record):
        line = {
            "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs * 1000):06d}Z",
            "@level": {"WARNING": "warn", "CRITICAL": "error"}.get(record.levelname, record.levelname.lower()),
            "@message": record.getMessage(),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_host():
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(HostLog())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def listen(server, socket):
    """Listens on the socket; returns the certificate for the handshake, or ""."""
    client = os.environ.get("PLUGIN_CLIENT_CERT")
    if not client:
        server.add_insecure_port("unix:" + socket)
        return ""
    try:
        key, pem, der = own_certificate()
    except ImportError:
        log.error("mutual TLS needs python3-cryptography; without it the plugin's configuration needs mtls: false")
        sys.exit(1)
    server.add_secure_port(
        "unix:" + socket,
        grpc.ssl_server_credentials([(key, pem)], root_certificates=client.encode(), require_client_auth=True),
    )
    return base64.b64encode(der).decode().rstrip("=")


def own_certificate():
    """Makes a key and a certificate for localhost, for as long as the process lives."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        cert.public_bytes(serialization.Encoding.PEM),
        cert.public_bytes(serialization.Encoding.DER),
    )


class Receiver:
    """The services Plugin and Notifier of plugin.proto."""

    def __init__(self, name, version, schema, notify, concurrency):
        self.schema, self.notify = schema, notify
        self.about = pb.DescribeResponse(
            name=name,
            version=version,
            kinds=[pb.KIND_NOTIFIER],
            config_schema=json.dumps(schema),
            concurrency=concurrency,
        )

    def describe(self, request, context):
        return self.about

    def validate(self, request, context):
        return pb.ValidateConfigResponse(problems=mistakes(self.schema, request.config_json)[1])

    def deliver(self, request, context):
        settings, problems = mistakes(self.schema, request.config_json)
        if problems:
            return pb.NotifyResponse(
                outcome=pb.OUTCOME_RETRY, message=f"settings: {problems[0].path}: {problems[0].message}"
            )
        try:
            reference = self.notify(settings, request.notification, request, context)
        except Permanent as e:
            return pb.NotifyResponse(outcome=pb.OUTCOME_PERMANENT, message=str(e), status=e.status)
        except Retry as e:
            answer = pb.NotifyResponse(outcome=pb.OUTCOME_RETRY, message=str(e), status=e.status)
            if e.after:
                answer.retry_after.FromMilliseconds(int(e.after * 1000))
            return answer
        except Exception as e:
            log.exception("a call failed")
            return pb.NotifyResponse(outcome=pb.OUTCOME_RETRY, message=f"{type(e).__name__}: {e}")
        return pb.NotifyResponse(outcome=pb.OUTCOME_OK, reference=reference or "")


TYPES = {
    "string": (str, "a text"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": (bool, "true or false"),
    "array": (list, "a list"),
    "object": (dict, "a mapping"),
}


def mistakes(schema, text):
    """Returns the settings with their defaults, and every mistake in them."""
    try:
        given = json.loads(text or b"{}")
    except ValueError as e:
        return {}, [pb.Problem(message=f"the settings are no JSON: {e}")]
    if not isinstance(given, dict):
        return {}, [pb.Problem(message="the settings are no mapping")]
    known, problems = schema["properties"], []
    settings = {k: v["default"] for k, v in known.items() if "default" in v}
    for key, value in given.items():
        if key not in known:
            problems.append(pb.Problem(path=key, message="unknown field", hint="there are " + ", ".join(sorted(known))))
            continue
        kind, words = TYPES[known[key]["type"]]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            problems.append(pb.Problem(path=key, message=f"must be {words}"))
        settings[key] = value
    for key in schema.get("required", ()):
        if key not in given:
            problems.append(pb.Problem(path=key, message="is missing"))
    return settings, problems


def register(server, receiver, ending):
    """Registers the services. Their handlers are written out, so that nothing but
    protobuf's own code generator is needed."""

    def method(call, request, response):
        return grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=request.FromString, response_serializer=response.SerializeToString
        )

    def raw(answer, then=None):
        def call(request, context):
            if then:
                then()
            return answer

        return grpc.unary_unary_rpc_method_handler(call)

    for service, methods in {
        "tocsin.plugin.v1.Plugin": {
            "Describe": method(receiver.describe, pb.DescribeRequest, pb.DescribeResponse),
            "ValidateConfig": method(receiver.validate, pb.ValidateConfigRequest, pb.ValidateConfigResponse),
        },
        "tocsin.plugin.v1.Notifier": {"Notify": method(receiver.deliver, pb.NotifyRequest, pb.NotifyResponse)},
        # HealthCheckResponse{status: SERVING}, whatever service is asked for.
        "grpc.health.v1.Health": {"Check": raw(b"\x08\x01")},
        "plugin.GRPCController": {"Shutdown": raw(b"", ending.set)},
    }.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
