"""Bearer tokens that are JWTs (RFC 7519), checked as RFC 8725 advises. The only place that knows PyJWT."""
