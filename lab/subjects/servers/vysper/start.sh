#!/bin/sh
# Java wants a key store where the lab gives PEM files.
# Arguments: the domain, the administrator's localpart, the folder of the certificates.
set -e
keys="$(mktemp)"
openssl pkcs12 -export -in "$3/all.pem" -out "$keys" -passout pass:keystore
exec java @/vysper/java.options Server "$1" "$2" "$keys"
