"""Bearer tokens as JWTs (RFC 7519), verified as RFC 8725 advises. Only this package imports PyJWT."""
