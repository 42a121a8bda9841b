"""Keys, tokens and a registry as an EHR and a hospital would make them, for tests of client trust."""

import base64
import json
import time
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

Json = dict[str, Any]
BASE = "https://cds.example.org"
SIGN = "/cds-services/some-order-sign"
ISSUER = "https://ehr.example.org"
_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


def private_key(algorithm: str = "ES384", number: int = 1, size: int = 2048) -> Any:  # noqa: ANN401 - of cryptography
    """One key pair for each algorithm and number."""
    return _made(algorithm, number, size)


@cache
def _made(algorithm: str, number: int, size: int) -> Any:  # noqa: ANN401 - of cryptography
    assert number
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    return rsa.generate_private_key(65537, size)


def jwk(algorithm: str = "ES384", kid: Any = "k1", number: int = 1, size: int = 2048, **more: Any) -> Json:  # noqa: ANN401
    """The public key as a JWK; `...` leaves a member out."""
    public = private_key(algorithm, number, size).public_key()
    made = ECAlgorithm.to_jwk(public, as_dict=True) if algorithm in _CURVES else RSAAlgorithm.to_jwk(public, as_dict=True)
    members = {**made, "alg": algorithm, "kid": kid, "use": "sig", **more}
    members.pop("key_ops", None) if "key_ops" not in more else None
    return {name: value for name, value in members.items() if value is not ...}


def key_set(*keys: Json) -> bytes:
    return json.dumps({"keys": list(keys or [jwk()])}).encode()


def pem(algorithm: str = "ES384") -> bytes:
    return bytes(private_key(algorithm).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def claims(**changed: Any) -> Json:  # noqa: ANN401
    """What a good token says; `...` leaves a claim out."""
    now = int(time.time())
    made = {"iss": ISSUER, "aud": BASE + SIGN, "exp": now + 300, "iat": now, "jti": str(uuid.uuid4()), **changed}
    return {name: value for name, value in made.items() if value is not ...}


def token(header: Json | None = None, *, algorithm: str = "ES384", number: int = 1, **changed: Any) -> str:  # noqa: ANN401
    """A signed token; `header` changes members of the header, `...` leaves one out."""
    made = {"alg": algorithm, "kid": "k1", "typ": "JWT", **(header or {})}
    head = {name: value for name, value in made.items() if value is not ...}
    return signed(head, claims(**changed), algorithm, number)


def signed(header: Any, payload: Any, algorithm: str = "ES384", number: int = 1) -> str:  # noqa: ANN401
    """Sign whatever header and payload (JSON values, or bytes as they are), also what no library would."""
    parts = b".".join(_part(one if isinstance(one, bytes) else json.dumps(one).encode()) for one in (header, payload))
    signature = jwt.get_algorithm_by_name(algorithm).sign(parts, private_key(algorithm, number))
    return (parts + b"." + _part(signature)).decode()


def _part(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def unsigned(header: Json, payload: Json, signature: bytes) -> str:
    """Put a token together with a signature of one's own."""
    return b".".join(_part(one) for one in (json.dumps(header).encode(), json.dumps(payload).encode(), signature)).decode()


def registry_file(folder: Path, more: str = "", keys: bytes | None = None, *, others: str = "") -> Path:
    """A registry with one client, whose key set lies beside it."""
    (folder / "keys.json").write_bytes(keys or key_set())
    file = folder / "clients.toml"
    file.write_text(f'[[client]]\nname = "ehr"\nissuer = "{ISSUER}"\njwks_file = "keys.json"\n{more}\n{others}', encoding="utf-8")
    return file
