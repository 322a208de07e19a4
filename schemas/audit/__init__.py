"""The audit of our schemas against the specifications' own text: examples validate, or stand on a list with a reason.

Reads a checkout of the XEPs' sources that the user has; nothing of it is copied here.
"""
