# SPDX-License-Identifier: Apache-2.0
import base64
import binascii
import hashlib
import hmac
import secrets

for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s"):
    print(name, hashlib.new(name, b"sandgate").hexdigest()[:32])
print(hashlib.shake_128(b"x").hexdigest(16))
print(hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 5000).hex())
print(hashlib.scrypt(b"pw", salt=b"na", n=1024, r=8, p=1, dklen=16).hex())
print(hmac.new(b"key", b"msg", "sha256").hexdigest(), hmac.compare_digest(b"a", b"a"))
print(base64.b64encode(bytes(range(20))), base64.b85encode(b"hello"), binascii.crc_hqx(b"123", 0))
print(len(secrets.token_bytes(32)), len(secrets.token_hex(8)), secrets.randbelow(1))
with open("f", "wb") as f:
    f.write(b"abc" * 100000)
with open("f", "rb") as f:
    print(hashlib.file_digest(f, "sha256").hexdigest())
