"""What all services share, one module for each thing.

`problems` (errors as problem+json), `bodies` (size and parsing of request bodies), `readiness`
(/ready), `metrics` (Prometheus), `broadcast` (events for many listeners), `hosts` (the check of the
Host header), `api_docs` (/docs), `server` (sockets and process). May import schemas and core.
"""
