"""Verifies a bundle's envelope with securesystemslib, and its statement with in-toto's own types: BUNDLE KEY.pem"""

import base64
import json
import sys

from cryptography.hazmat.primitives import serialization
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementPb
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

bundle = json.load(open(sys.argv[1], encoding="utf-8"))
public = serialization.load_pem_public_key(open(sys.argv[2], "rb").read()).public_bytes_raw()
keyid = bundle["verificationMaterial"]["publicKey"]["hint"]
key = SSlibKey(keyid, "ed25519", "ed25519", {"public": public.hex()})
envelope = Envelope.from_dict(bundle["dsseEnvelope"])
assert list(envelope.verify([key], 1)) == [keyid]
statement = json_format.Parse(envelope.payload, StatementPb())
Statement.copy_from_pb(statement).validate()
assert base64.b64decode(bundle["dsseEnvelope"]["payload"]) == envelope.payload
print(f"valid: {statement.predicate_type}, {len(statement.subject)} subjects")
