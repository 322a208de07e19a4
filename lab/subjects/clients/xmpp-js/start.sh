# Node.js reads whom to trust as it starts: the one authority that the lab names, and no other.
export SSL_CERT_FILE="$XMPP_CA" SSL_CERT_DIR=/nonexistent
exec node --use-openssl-ca /agent/agent.mjs
