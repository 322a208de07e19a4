"""What each page says, as plain JSON: a page is rendered from just that, and it lies beside the page.

Addresses in it are relative to the site's top.
"""
