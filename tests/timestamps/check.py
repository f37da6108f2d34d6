"""What rfc3161-client says of a request and of a token: REQUEST TOKEN ROOT DATA, each a file."""

import hashlib
import pathlib
import sys

import cryptography.x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
from rfc3161_client._rust import parse_timestamp_request

request, token, root, data = (pathlib.Path(name).read_bytes() for name in sys.argv[1:])


def field(tag, content):
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    length = size if len(content) < 0x80 else bytes([0x80 | len(size)]) + size
    return bytes([tag]) + length + content


asked = parse_timestamp_request(request)
assert asked.version == 1 and asked.cert_req and asked.nonce is not None, asked
assert asked.message_imprint.message == hashlib.sha256(data).digest(), asked

answer = decode_timestamp_response(field(0x30, field(0x30, field(2, b"\0")) + token))
verifier = (
    VerifierBuilder().add_root_certificate(cryptography.x509.load_pem_x509_certificate(root)).nonce(asked.nonce).build()
)
assert verifier.verify_message(answer, data)
try:
    verifier.verify_message(answer, data + b"x")
except VerificationError:
    print("verified")
