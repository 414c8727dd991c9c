#!/usr/bin/env python3
"""Check that a URL answers, for health checks of images without curl.

The exit code is 1 if it does not. Example: answers http://127.0.0.1:7502/health
"""

import sys
from urllib.error import URLError
from urllib.request import urlopen

try:
    with urlopen(sys.argv[1], timeout=4) as answer:
        answer.read(1)
except (URLError, OSError) as error:
    sys.exit(f"{sys.argv[1]} does not answer: {error}")
