"""What all services share: errors as problem+json, metrics, streams, sockets, the check of the Host header."""
