#!/bin/sh
# Maven's settings, printed: the mirror and the proxy that this build was given, if any. Maven asks no variables itself.
proxy="${https_proxy:-${HTTPS_PROXY:-${http_proxy:-${HTTP_PROXY}}}}"
proxy="${proxy#*://}"
proxy="${proxy%/}"
echo "<settings>"
if [ -n "${MAVEN_MIRROR}" ]; then
    echo "<mirrors><mirror><id>given</id><mirrorOf>central</mirrorOf><url>${MAVEN_MIRROR}</url></mirror></mirrors>"
fi
if [ -n "${proxy}" ]; then
    echo "<proxies><proxy><active>true</active><protocol>https</protocol><host>${proxy%:*}</host>"
    echo "<port>${proxy##*:}</port></proxy></proxies>"
fi
echo "</settings>"
