"""What stands between a client and a server: it records, holds back, changes, injects, drops; it decides no verdict.

`tap` is a whole server to the client and a whole client to the server, so that it reads every stanza in clear;
`relay` only passes bytes on, TLS and all. Both listen where a client's agent can reach the lab, and nowhere else.
"""
