#!/usr/bin/env python3
"""Whether a URL answers: what an image's health check asks, without a program that the image would
have for this alone.

Example: answers http://127.0.0.1:7502/health
"""

import sys
from urllib.error import URLError
from urllib.request import urlopen

try:
    with urlopen(sys.argv[1], timeout=4) as answer:
        answer.read(1)
except (URLError, OSError) as error:
    sys.exit(f"{sys.argv[1]} does not answer: {error}")
