"""Keys in the forms that HAProxy and OpenSSL read, made of what Vestibule publishes, with the standard library and openssl(1)."""

import base64
import json
import subprocess

RSA = bytes.fromhex("300d06092a864886f70d0101010500")
P256 = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")


def public_key_file(gateway, path):
    """Writes the gateway's signing key as PEM to `path`, and returns that."""
    connection = gateway.connect()
    connection.request("GET", "/auth/.well-known/jwks.json")
    (key,) = json.loads(connection.getresponse().read())["keys"]
    encoded = base64.encodebytes(subject_public_key_info(key)).decode()
    path.write_text(f"-----BEGIN PUBLIC KEY-----\n{encoded}-----END PUBLIC KEY-----\n")
    return path


def subject_public_key_info(key):
    """Returns a JWK's public key in DER (RFC 5280, section 4.1.2.7)."""
    if key["kty"] == "RSA":
        numbers = b"".join(tagged(0x02, unsigned(base64url(key[name]))) for name in "ne")
        return tagged(0x30, RSA + bit_string(tagged(0x30, numbers)))
    return tagged(0x30, P256 + bit_string(b"\x04" + base64url(key["x"]) + base64url(key["y"])))


def base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unsigned(number):
    """Returns the bytes of an INTEGER that is not negative."""
    return b"\x00" + number if number[0] & 0x80 else number


def bit_string(content):
    return tagged(0x03, b"\x00" + content)


def tagged(tag, content):
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    long = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(long)]) + long + content


def make_certificate(folder):
    """Returns a file with a P-256 key and a certificate for 127.0.0.1, for all contenders alike."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "7"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = ["openssl", "req", "-x509", *curve, *subject, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(certificate.read_text() + key.read_text())
    both.chmod(0o600)
    return both
