"""One application of pages and API: security headers, the server, `assets/`.

Imports api, pages, read and health. Begin with `app`.
"""
