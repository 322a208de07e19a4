"""RFC 6121: instant messaging and presence, as a server must do them. One module for each part of the RFC.

The tables of the RFC are data: `_states` has Appendix A, `_delivery` the rules of §8.
"""
